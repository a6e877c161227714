# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch tells of its guests and its uplink."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_switch
from ansible_collections.detnet.testbed.plugins.module_utils._switch import NOT_FOUND, Switch, SwitchError

MAC = "b8:ce:f6:00:00:01"
FEATURES = {"ring_to_vm": 1024, "ring_from_vm": 1024, "packed_ring": False}


class Told(Switch):
    """A switch with the VMs 1 and 2, of which the second is not connected."""

    def __init__(self, **refusals: int) -> None:
        super().__init__("/nowhere")
        self.refusals = refusals
        self.uplink: dict[str, t.Any] | None = {"device": "net_af_packet0", "mac": MAC, "link_up": True}

    def call(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        if code := self.refusals.get(method.replace(".", "_")):
            raise SwitchError("no such luck", code)
        if method == "switch.info":
            return {"mtu": 1500, "uplink": self.uplink, "rules": 7}
        if method == "port.list":
            return {"ports": [{"vm": vm, "socket": f"/{vm}", "connected": vm == 1} for vm in (1, 2)]}
        connected = params["vm"] == 1
        return {"vm": params["vm"], "connected": connected, "features": FEATURES if connected else None}


def test_ports_are_found_by_their_sockets(tmp_path: Path) -> None:
    answer = _vm_switch.ask(Told(), {"/1", "/2", "/3"}, str(tmp_path))
    assert answer.ports == {
        "/1": {"connected": True, "negotiated": FEATURES},
        "/2": {"connected": False, "negotiated": None},
    }
    uplink = {"device": "net_af_packet0", "mac": MAC, "link_up": True, "speed_mbps": None}
    assert answer.about == {"error": None, "mtu": 1500, "uplink": uplink}


def test_only_the_ports_that_matter_are_asked_for(tmp_path: Path) -> None:
    assert list(_vm_switch.ask(Told(), {"/2"}, str(tmp_path)).ports) == ["/2"]


def test_a_port_that_is_removed_meanwhile_is_none() -> None:
    assert _vm_switch.ports(Told(port_features=NOT_FOUND), {"/1"}) == {}


@pytest.mark.parametrize("method", ["switch_info", "port_list", "port_features"])
def test_a_switch_that_fails_is_told(method: str) -> None:
    answer = _vm_switch.ask(Told(**{method: -1}), {"/1"})
    assert answer.ports == {}
    assert answer.about == {"error": "no such luck", "mtu": None, "uplink": None}


def test_a_switch_that_is_gone_is_told(tmp_path: Path) -> None:
    answer = _vm_switch.ask(Switch(str(tmp_path / "s")), {"/1"})
    assert "the socket does not exist; start the tagging switch" in answer.about["error"]


def test_a_switch_without_uplink() -> None:
    switch = Told()
    switch.uplink = None
    assert _vm_switch.ask(switch, set()).about["uplink"] is None


@pytest.mark.parametrize(
    ("mac", "device", "speed", "found"),
    [
        pytest.param(MAC, True, "25000", 25000, id="known"),
        pytest.param(MAC, True, "-1", None, id="no-carrier"),
        pytest.param(MAC, True, None, None, id="a-driver-that-does-not-tell"),
        pytest.param(MAC, False, "10000", None, id="a-bridge-with-its-address"),
        pytest.param("02:00:00:00:00:09", True, "25000", None, id="another-interface"),
    ],
)
def test_speed_of_the_uplink(
    tmp_path: Path, mac: str, device: bool, speed: str | None, found: int | None
) -> None:
    place = tmp_path / "sys/class/net/eth0"
    place.mkdir(parents=True)
    (place / "address").write_text(f"{mac}\n")
    if device:
        (place / "device").mkdir()
    if speed is not None:
        (place / "speed").write_text(f"{speed}\n")
    uplink = _vm_switch.uplink({"mac": MAC}, str(tmp_path))
    assert uplink == {"mac": MAC, "speed_mbps": found}
