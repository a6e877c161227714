# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role makes of its options: a refusal, or a configuration that the commands read."""

from __future__ import annotations

import json
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_config,
    _domain_reader,
    _vm,
)
from ansible_collections.detnet.testbed.plugins.modules import vm as module

ROLE = Path(__file__).parents[4] / "roles/controller_commands"
GOOD = {
    "inventory_hostname": "alpha",
    "role_path": str(ROLE),
    "controller_commands_image": "/var/cache/detnet-testbed/images/1",
    "controller_commands_ssh_authorized_key": "ssh-ed25519 AAAA me",
}


def load(name: str) -> t.Any:
    return DataLoader().load_from_file(str(ROLE / name), trusted_as_template=True)


def render(value: t.Any, **options: t.Any) -> t.Any:
    variables = {**load("defaults/main.yml"), **load("vars/main.yml"), **GOOD, **options}
    return Templar(loader=DataLoader(), variables=variables).template(value)


def faults(**options: t.Any) -> list[str]:
    said = trust_as_template(
        "{{ __controller_commands_faults | selectattr('when') | map(attribute='says') }}"
    )
    return list(render(said, **options))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"controller_commands_mac_prefix": "02:8e:d3:f6:ad"}, id="mac-prefix"),
        pytest.param({"testbed_mac_prefix": "0A:8E:D3:F6:AD"}, id="mac-prefix-in-capitals"),
        pytest.param({"controller_commands_max_id": 255}, id="largest-max-id"),
        pytest.param({"controller_commands_max_id": "0"}, id="only-the-control-vm"),
    ],
)
def test_good_options_are_not_refused(options: dict[str, t.Any]) -> None:
    assert faults(**options) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(
            {"controller_commands_image": ""}, "run the role detnet.testbed.base_image", id="no-image"
        ),
        pytest.param({"controller_commands_ssh_authorized_key": ""}, "and the public keys", id="no-key"),
        pytest.param(
            {"controller_commands_mac_prefix": "00:8e:d3:f6:ad"},
            "locally administered",
            id="a-makers-mac-prefix",
        ),
        pytest.param({"controller_commands_mac_prefix": "03:8e:d3:f6:ad"}, "unicast", id="group-address"),
        pytest.param({"controller_commands_mac_prefix": "02:8e:d3:f6"}, "five bytes", id="four-bytes"),
        pytest.param({"controller_commands_mac_prefix": "02:8e:d3:f6:ad:01"}, "five bytes", id="six-bytes"),
        pytest.param({"controller_commands_max_id": 256}, "choose 0 to 255", id="id-beyond-a-byte"),
        pytest.param({"controller_commands_max_id": -1}, "choose 0 to 255", id="no-id"),
    ],
)
def test_options_that_no_vm_can_be_made_of_are_refused(options: dict[str, t.Any], says: str) -> None:
    (fault,) = faults(**options)
    assert says in fault


def write(folder: Path, **options: t.Any) -> str:
    """Write the configuration as the role does; return its path."""
    task = next(
        task for task in load("tasks/configure.yml") if "__controller_commands_config" in task.get("vars", {})
    )
    assert task["ansible.builtin.copy"]["mode"] == "0600"
    file = folder / "controller.json"
    file.write_text(render(task["ansible.builtin.copy"]["content"], **task["vars"], **options))
    return str(file)


def test_the_commands_read_what_the_role_writes(tmp_path: Path) -> None:
    path = write(tmp_path, controller_commands_mtu="9000", testbed_run_dir="/run/x")
    config = _controller_config.read(path)
    assert set(json.loads(Path(path).read_text())) == set(vars(config))
    vm = config.vm(7)
    assert (vm["memory_mib"], vm["vcpus"], vm["interfaces"][0]["mtu"]) == (1024, 1, 9000)
    assert vm["interfaces"][0]["socket"] == "/run/x/alpha/vhost/vm-07.sock"
    assert config.state_dir == "/var/lib/detnet-testbed/alpha/vms"


# As an inventory describes them, without what the module's argument spec fills in.
PLAIN = {"mac": "02:00:00:00:00:07", "socket": "/run/vm-07.sock"}
DESCRIBED = {"id": 7, "name": "alpha-vm-07", "memory_mib": 512, "vcpus": 2, "interfaces": [PLAIN]}


@pytest.mark.parametrize(
    "vms",
    [
        pytest.param([], id="described-by-nobody"),
        pytest.param([DESCRIBED], id="described"),
        pytest.param(
            [{**DESCRIBED, "cpu_model": "EPYC", "vcpu_cpus": ["4", "5"], "disk": {"size_mib": 4096}}],
            id="described-with-more",
        ),
        pytest.param(
            [{**DESCRIBED, "interfaces": [{**PLAIN, "queues": 2}, {**PLAIN, "packed": True}]}],
            id="with-two-interfaces",
        ),
    ],
)
@pytest.mark.parametrize("state", ["running", "absent"])
def test_a_command_gives_what_the_module_would(
    tmp_path: Path, vms: list[dict[str, t.Any]], state: str
) -> None:
    config = _controller_config.read(write(tmp_path, controller_commands_vms=vms))
    params = config.params(config.vm(7), state)
    # The module's argument spec refuses what it does not know, and fills in what is left out.
    checked = ArgumentSpecValidator(module.ARGUMENT_SPEC, required_if=module.REQUIRED_IF).validate(params)
    assert checked.error_messages == []
    filled_in = checked.validated_parameters
    assert filled_in == {**params, "vms": filled_in["vms"]}
    assert _vm.from_params(params["vms"][0], params) == _vm.from_params(filled_in["vms"][0], filled_in)


def test_each_file_is_there_and_the_program_comes_last() -> None:
    files = render(trust_as_template("{{ __controller_commands_sources }}"))
    assert [file for file in files if not Path(file).is_file()] == []
    assert files[-1].endswith("/__main__.py")


def test_another_library_is_another_version() -> None:
    version = trust_as_template("{{ __controller_commands_version }}")
    one, another = (render(version, __controller_commands_contents=[text]) for text in ("one", "another"))
    assert len(one) == 16
    assert one != another


def test_the_domain_of_the_base_box_is_none_of_the_vms() -> None:
    text = render(trust_as_template("{{ __controller_commands_box_xml }}"))
    assert ET.fromstring(text).findtext("name") == "base-box_default"  # noqa: S314
    assert _domain_reader.vm(text) is None
