# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.modules import switch_port

MAC_1, MAC_2 = "02:00:00:00:00:01", "02:00:00:00:00:02"


def port(vm: int, mac: str, socket_server: str = "switch") -> dict[str, t.Any]:
    return {"vm": vm, "mac": mac, "socket_server": socket_server}


def add(*values: t.Any) -> tuple[str, dict[str, t.Any]]:
    return "port.add", port(*values)


def remove(vm: int) -> tuple[str, dict[str, t.Any]]:
    return "port.remove", {"vm": vm}


ONE, TWO = port(1, MAC_1), port(2, MAC_2)


@pytest.mark.parametrize(
    ("has", "ports", "state", "changes", "after"),
    [
        pytest.param([], [ONE, TWO], "present", [add(1, MAC_1), add(2, MAC_2)], [ONE, TWO], id="adds"),
        pytest.param([ONE], [ONE], "present", [], [ONE], id="idempotent"),
        pytest.param(
            [ONE], [port(1, "02:00:00:00:00:01".upper())], "present", [], [ONE], id="mac-in-capitals"
        ),
        pytest.param([ONE], [TWO], "present", [add(2, MAC_2)], [ONE, TWO], id="present-leaves-others-alone"),
        pytest.param(
            [], [{"vm": 1, "mac": MAC_1}], "present", [add(1, MAC_1)], [ONE], id="the-switch-listens"
        ),
        pytest.param([], [], "present", [], [], id="no-port-to-add"),
        pytest.param([ONE, TWO], [{"vm": 1}], "absent", [remove(1)], [TWO], id="removes"),
        pytest.param([TWO], [{"vm": 1}], "absent", [], [TWO], id="absent-is-idempotent"),
        pytest.param([ONE, TWO], [TWO], "exact", [remove(1)], [TWO], id="exact-removes-others"),
        pytest.param([ONE, TWO], [ONE, TWO], "exact", [], [ONE, TWO], id="exact-is-idempotent"),
        pytest.param(
            [ONE, TWO], [], "exact", [remove(1), remove(2)], [], id="exact-without-ports-removes-all"
        ),
        pytest.param(
            [ONE],
            [port(1, MAC_1, "qemu")],
            "exact",
            [remove(1), add(1, MAC_1, "qemu")],
            [port(1, MAC_1, "qemu")],
            id="exact-replaces",
        ),
        pytest.param(
            [ONE, TWO],
            [port(1, MAC_2), port(2, MAC_1)],
            "exact",
            [remove(1), remove(2), add(1, MAC_2), add(2, MAC_1)],
            [port(1, MAC_2), port(2, MAC_1)],
            id="exact-swaps-addresses",
        ),
    ],
)
@pytest.mark.parametrize(
    "check_mode", [pytest.param(False, id="acting"), pytest.param(True, id="predicting")]
)
def test_makes_the_ports_as_asked(
    *,
    switch: t.Any,
    run: t.Any,
    has: list[t.Any],
    ports: list[t.Any],
    state: str,
    changes: list[t.Any],
    after: list[t.Any],
    check_mode: bool,
) -> None:
    switch.ports = {item["vm"]: item for item in has}
    result = run(switch_port.main, check_mode=check_mode, socket=switch.path, ports=ports, state=state)
    assert switch.changes == ([] if check_mode else changes)
    assert result["changed"] == bool(changes)
    assert result["ports"] == after


def test_shows_the_difference(switch: t.Any, run: t.Any) -> None:
    switch.ports = {1: ONE}
    assert run(switch_port.main, socket=switch.path, ports=[TWO], state="exact")["diff"] == {
        "before": f"vm 1 {MAC_1} socket server switch\n",
        "after": f"vm 2 {MAC_2} socket server switch\n",
    }


@pytest.mark.parametrize(
    ("has", "ports", "fault"),
    [
        pytest.param(
            [ONE],
            [port(1, MAC_2)],
            f"it has vm 1 {MAC_1} socket server switch, not vm 1 {MAC_2} socket server switch; "
            "remove it first by state=absent, or use state=exact",
            id="another-mac",
        ),
        pytest.param(
            [ONE],
            [port(2, MAC_1)],
            f"VM 1 and VM 2 have the same MAC address {MAC_1}; give each its own",
            id="a-mac-that-is-taken",
        ),
        pytest.param([], [port(4095, MAC_1)], "ports[0] (VM 4095): vm is 4095; choose 0 to 4094", id="vm-id"),
        pytest.param([], [ONE, ONE], "ports[1] (VM 1): the VM is listed twice; list it once", id="twice"),
        pytest.param(
            [],
            [{"vm": 1}],
            "ports[0] (VM 1): mac is None; give a unicast address such as 02:00:00:00:00:01",
            id="no-mac",
        ),
        pytest.param(
            [],
            [port(1, "03:00:00:00:00:01")],
            "ports[0] (VM 1): mac is '03:00:00:00:00:01'; give a unicast address such as 02:00:00:00:00:01",
            id="multicast",
        ),
    ],
)
@pytest.mark.parametrize(
    "check_mode", [pytest.param(False, id="acting"), pytest.param(True, id="predicting")]
)
def test_refuses_before_anything_changes(
    *, switch: t.Any, run: t.Any, has: list[t.Any], ports: list[t.Any], fault: str, check_mode: bool
) -> None:
    switch.ports = {item["vm"]: item for item in has}
    result = run(switch_port.main, check_mode=check_mode, socket=switch.path, ports=ports)
    assert result["msg"] == f"Cannot make the ports present on the switch at {switch.path}: {fault}"
    assert switch.changes == []


def test_hands_on_what_the_switch_refuses(switch: t.Any, run: t.Any) -> None:
    switch.error = {"code": -32003, "message": "no room for VM 1: 64 ports are in use; remove one"}
    result = run(switch_port.main, socket=switch.path, ports=[ONE])
    assert result["failed"]
    assert result["msg"].endswith(": no room for VM 1: 64 ports are in use; remove one")
