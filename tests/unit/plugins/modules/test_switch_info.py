# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._switch import NOT_FOUND
from ansible_collections.detnet.testbed.plugins.modules import switch_info


@pytest.fixture
def two_vms(switch: t.Any) -> t.Any:
    switch.ports = {
        vm: {"vm": vm, "mac": f"02:00:00:00:00:0{vm}", "socket_server": "switch"} for vm in (1, 2)
    }
    switch.rules = [{"vm": 1}, {"vm": 2}]
    return switch


def test_reads_everything_and_changes_nothing(two_vms: t.Any, run: t.Any) -> None:
    result = run(switch_info.main, socket=two_vms.path)
    assert not result["changed"]
    assert result["info"]["name"] == "dpdk-tagging"
    assert result["ports"][0]["connected"]
    assert result["rules"] == [{"vm": 1}, {"vm": 2}]
    assert result["stats"] == {"vms": [], "uplink": {}, "rules": []}
    assert two_vms.changes == []


@pytest.mark.parametrize(
    ("gather", "asked"),
    [
        pytest.param(["info"], ["switch.info"], id="what-it-is"),
        pytest.param(["stats"], ["stats.get"], id="counters"),
        pytest.param(["features"], ["port.list", "port.features", "port.features"], id="features"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_asks_for_no_more_than_is_gathered(
    two_vms: t.Any, run: t.Any, gather: list[str], asked: list[str]
) -> None:
    result = run(switch_info.main, socket=two_vms.path, gather=gather)
    assert [method for method, _params in two_vms.questions] == asked
    assert {"info", "ports", "features", "rules", "stats"} & set(result) == set(gather)


def test_reads_one_vm_alone(two_vms: t.Any, run: t.Any) -> None:
    result = run(switch_info.main, socket=two_vms.path, gather=["ports", "features", "rules", "stats"], vm=2)
    assert [port["vm"] for port in result["ports"]] == [2]
    assert result["features"] == [{"vm": 2, "ring_size": 1024}]
    assert result["rules"] == [{"vm": 2}]
    assert ("stats.get", {"vm": 2}) in two_vms.questions


@pytest.mark.parametrize(
    ("code", "failed"),
    [pytest.param(NOT_FOUND, False, id="removed-meanwhile"), pytest.param(-32603, True, id="another-error")],
)
def test_passes_over_a_port_that_has_gone(two_vms: t.Any, run: t.Any, code: int, failed: bool) -> None:
    two_vms.refusals["port.features"] = {"code": code, "message": "VM 1 has no port"}
    result = run(switch_info.main, socket=two_vms.path, gather=["features"])
    assert result.get("failed", False) == failed
    assert failed or result["features"] == []


def test_refuses_a_vm_that_cannot_be(run: t.Any) -> None:
    result = run(switch_info.main, socket="/nowhere", vm=4095)
    assert result["msg"] == "Cannot read the switch at /nowhere: vm is 4095; choose 0 to 4094"


def test_says_that_no_switch_is_there(run: t.Any) -> None:
    result = run(switch_info.main, socket="/nowhere/switch.sock")
    assert result["msg"] == (
        "Cannot read the switch at /nowhere/switch.sock: cannot call switch.info of the switch at "
        "/nowhere/switch.sock: the socket does not exist; start the tagging switch, or correct the path"
    )
