# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role says of a switch's container: what the commands of a controller read."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.detnet.testbed.plugins.module_utils import _controller_switch
from ansible_collections.detnet.testbed.plugins.module_utils._controller_uplink import Uplink

ROLE = Path(__file__).parents[4] / "roles/tagging_switch"
FACTS = {"distribution_release": "bookworm"}
UNIT = "detnet-switch-alpha.service"
PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]


def load(name: str) -> t.Any:
    return DataLoader().load_from_file(str(ROLE / name), trusted_as_template=True)


def described(place: Path, service_manager: str, **options: t.Any) -> _controller_switch.Container:
    """Return what is read of what the role writes."""
    variables = {
        **load("defaults/main.yml"),
        **load("vars/main.yml"),
        "inventory_hostname": "alpha",
        "role_path": str(ROLE),
        "ansible_facts": {**FACTS, "service_mgr": service_manager},
        "__tagging_switch_image": "localhost/switch:1",
        "__tagging_switch_definition": "be84f475",
        "__tagging_switch_places": {"results": [{"item": {"path": "/run/vhost"}, "uid": 990, "gid": 64055}]},
        "__tagging_switch_nic": {"stat": {"lnk_source": "/sys/kernel/iommu_groups/17"}},
        **options,
    }
    task = next(task for task in load("tasks/run.yml") if "content" in task.get("ansible.builtin.copy", {}))
    templar = Templar(loader=DataLoader(), variables=variables)
    file = place / "container.json"
    file.write_text(templar.template(task["ansible.builtin.copy"]["content"]))
    return _controller_switch.read(str(file))


@pytest.mark.parametrize(
    ("options", "uplink"),
    [
        pytest.param(
            {"tagging_switch_uplink_pci": "0000:3b:00.0"},
            Uplink("0000:3b:00.0", "", "", "/dev/vfio/17", "detnet-switch"),
            id="a NIC",
        ),
        pytest.param(
            {"tagging_switch_uplink_interface": "uplink", "tagging_switch_network_namespace": "detnet-alpha"},
            Uplink("", "uplink", "detnet-alpha", "", "detnet-switch"),
            id="an interface of a namespace",
        ),
        pytest.param({}, Uplink("", "", "", "", "detnet-switch"), id="none"),
    ],
)
def test_the_uplink(tmp_path: Path, options: dict[str, str], uplink: Uplink) -> None:
    assert described(tmp_path, "systemd", **options).uplink == uplink


@pytest.mark.parametrize(
    ("service_manager", "runtime", "start", "stop", "engine"),
    [
        pytest.param(
            "systemd",
            "podman",
            ["systemctl", "enable", "--now", UNIT],
            ["systemctl", "disable", "--now", UNIT],
            ["podman"],
            id="systemd starts podman",
        ),
        pytest.param(
            "systemd",
            "docker",
            ["systemctl", "enable", "--now", UNIT],
            ["systemctl", "disable", "--now", UNIT],
            ["docker"],
            id="systemd starts docker",
        ),
        pytest.param(
            "sysvinit",
            "podman",
            [*PODMAN, "start", "detnet-switch-alpha"],
            [*PODMAN, "stop", "detnet-switch-alpha"],
            PODMAN,
            id="podman alone",
        ),
    ],
)
def test_the_commands(
    tmp_path: Path, service_manager: str, runtime: str, start: list[str], stop: list[str], engine: list[str]
) -> None:
    container = described(tmp_path, service_manager, tagging_switch_runtime=runtime)
    commands = container.commands
    assert set(commands) == {"listed", "running", "create", "start", "stop", "remove", "log"}
    assert (commands["start"], commands["stop"]) == (start, stop)
    assert commands["remove"] == [*engine, "rm", "--force", "detnet-switch-alpha"]
    assert commands["create"][: len(engine) + 1] == [*engine, "create"]
    assert commands["create"][commands["create"].index("--user") + 1] == "990:64055"
    assert "dpdk-tagging" in commands["create"]
    assert container.socket == "/run/detnet-testbed/alpha/control/switch.sock"
    assert commands["running"][: len(commands["listed"])] == commands["listed"]
