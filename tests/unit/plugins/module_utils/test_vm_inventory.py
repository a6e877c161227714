# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_inventory as inventory

TOP = Path(__file__).parents[4]


def described(**ids: int) -> dict[str, t.Any]:
    """Return what compile_testbed says of VMs, one for each end host."""
    return {
        "guests": {
            f"{host}-vm-{vm_id:02d}": {
                "end_host": host,
                "id": vm_id,
                "mac": f"02:00:00:00:00:{vm_id:02x}",
                "ip": "10.20.0.11",
                "ip_v6": "",
                "management_address": "192.0.2.11",
                "management_port": 20000 + vm_id,
            }
            for host, vm_id in ids.items()
        }
    }


def only(vm_id: int = 1, states: dict[str, str] | None = None, directory: str = "/keys") -> inventory.VmHost:
    (host,) = inventory.vm_hosts(described(alpha=vm_id), {"alpha": states}, {"alpha": directory})
    return host


def test_a_vm_is_reached_by_ssh_at_its_management_port_with_the_keys_of_the_testbed() -> None:
    host = only()
    assert host.name == "alpha-vm-01"
    assert host.variables == {
        "ansible_connection": "ssh",
        "ansible_host": "192.0.2.11",
        "ansible_port": 20001,
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": "/keys/id_ed25519",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=\"/keys/known_hosts-alpha\"' -o StrictHostKeyChecking=yes",
        "ansible_control_path_dir": "/keys/ssh",
        "testbed_vm": {**described(alpha=1)["guests"]["alpha-vm-01"], "state": "unknown"},
    }


@pytest.mark.parametrize("directory", ["/keys", "/a b/keys", "/it's/keys"])
def test_ssh_finds_the_host_keys_whatever_the_directory_is_called(directory: str) -> None:
    words = shlex.split(only(directory=directory).variables["ansible_ssh_common_args"])
    done = subprocess.run(["ssh", "-G", *words, "vm"], check=True, capture_output=True, text=True)
    read = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert read["userknownhostsfile"] == f"{directory}/known_hosts-alpha"
    assert read["stricthostkeychecking"] == "true"


@pytest.mark.parametrize(
    ("vm_id", "states", "groups"),
    [
        pytest.param(
            0, {"alpha-vm-00": "running"}, {"control_vms", "vms_running"}, id="vm-0-is-the-control-vm"
        ),
        pytest.param(1, {"alpha-vm-01": "stopped"}, {"guest_vms", "vms_stopped"}, id="all-others-are-guests"),
        pytest.param(
            1, {"alpha-vm-02": "running"}, {"guest_vms", "vms_absent"}, id="libvirt-does-not-know-it"
        ),
        pytest.param(1, {}, {"guest_vms", "vms_absent"}, id="libvirt-knows-none"),
        pytest.param(1, None, {"guest_vms", "vms_unknown"}, id="libvirt-was-not-asked"),
    ],
)
def test_role_and_state_decide_on_the_groups(vm_id: int, states: t.Any, groups: set[str]) -> None:
    host = only(vm_id, states)
    assert set(host.groups) == {"vms", "alpha_vms", *groups}
    assert f"vms_{host.variables['testbed_vm']['state']}" in groups


def test_each_end_host_has_its_own_states_and_keys() -> None:
    states: dict[str, dict[str, str] | None] = {"alpha": {"alpha-vm-01": "running"}, "beta": None}
    alpha, beta = inventory.vm_hosts(described(alpha=1, beta=1), states, {"alpha": "/a", "beta": "/b"})
    assert [host.variables["testbed_vm"]["state"] for host in (alpha, beta)] == ["running", "unknown"]
    assert [host.variables["ansible_control_path_dir"] for host in (alpha, beta)] == ["/a/ssh", "/b/ssh"]


@pytest.mark.parametrize(
    ("end_host", "group"),
    [
        pytest.param("alpha", "alpha_vms", id="as-it-is"),
        pytest.param("rack-2-a", "rack_2_a_vms", id="hyphens"),
        pytest.param("1a", "_1a_vms", id="a-digit-first-is-kept-so-that-1a-is-not-2a"),
    ],
)
def test_the_group_of_an_end_host_has_a_valid_name(end_host: str, group: str) -> None:
    assert group.isidentifier()
    assert group in inventory.group_names([end_host])
    (host,) = inventory.vm_hosts(described(**{end_host: 1}), {end_host: None}, {end_host: "/keys"})
    assert set(host.groups) <= set(inventory.group_names([end_host]))
    assert group in host.groups


def test_groups_are_there_also_if_they_are_empty() -> None:
    assert inventory.group_names([]) == [
        "vms",
        "control_vms",
        "guest_vms",
        *(f"vms_{state}" for state in ("running", "stopped", "paused", "absent", "unknown")),
    ]


@pytest.mark.parametrize(
    ("end_hosts", "refused"),
    [
        pytest.param(["alpha", "guests", "vms"], [], id="any-other"),
        pytest.param(["control", "guest"], ["control", "guest"], id="those-of-the-roles"),
    ],
)
def test_an_end_host_whose_group_is_that_of_a_role_is_refused(
    end_hosts: list[str], refused: list[str]
) -> None:
    faults = inventory.group_faults(end_hosts)
    assert [fault.split(":")[0] for fault in faults] == refused
    assert all("give the end host another name" in fault for fault in faults)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a {{ b }}", True, id="an-expression"),
        pytest.param([{"id": "{% if a %}1{% endif %}"}], True, id="deep-inside"),
        pytest.param(
            [{"id": 1, "rate": 1.5, "address": "10.20.0.11/24", "on": True, "of": None}], False, id="none"
        ),
        pytest.param(object(), True, id="what-is-not-plain"),
    ],
)
def test_what_may_be_a_template_is_found(value: t.Any, expected: bool) -> None:
    assert inventory.may_be_template(value) is expected


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(["XDG_STATE_HOME", "HOME"], id="the-state-home"),
        pytest.param(["HOME"], id="the-home-alone"),
    ],
)
def test_the_keys_are_where_the_playbooks_keep_them(variables: list[str], tmp_path: Path) -> None:
    environ = {name: str(tmp_path / name) for name in variables}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            "pocket",
            "--inventory=pocket,",
            "--playbook-dir=playbooks",
            "--extra-vars=testbed_name=lab",
            "--module-name=ansible.builtin.debug",
            "--args=var=testbed_controller_dir",
        ],
        cwd=TOP,
        env={"PATH": os.environ["PATH"], "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(done.stdout.partition("=>")[2])["testbed_controller_dir"]
    assert inventory.controller_dir("lab", environ) == shown
