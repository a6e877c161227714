# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the state of an Open vSwitch instance is read, and which commands change it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _open_vswitch as ovs

TABLES = "\n".join(
    [
        '{"headings":["name","datapath_type","fail_mode","ports"],"data":['
        '["s1","netdev","secure",["set",[["uuid","p1"],["uuid","p2"]]]],["s2","netdev",["set",[]],["uuid","p3"]]]}',
        '{"headings":["_uuid","name"],"data":[[["uuid","p1"],"s1"],[["uuid","p2"],"s1-1"],[["uuid","p3"],"s2"]]}',
        '{"headings":["name","ofport"],"data":[["s1",65534],["s1-1",1],["s2",65534]]}',
    ]
)


def bridge(**ports: int) -> dict[str, t.Any]:
    numbers = {name.replace("_", "-"): number for name, number in ports.items()}
    return {"datapath": "netdev", "fail_mode": "secure", "ports": numbers, "flows": []}


def test_bridges_are_read_without_their_own_ports() -> None:
    assert ovs.read_bridges(TABLES) == {
        "s1": {"datapath": "netdev", "fail_mode": "secure", "ports": {"s1-1": 1}},
        "s2": {"datapath": "netdev", "fail_mode": ["set", []], "ports": {}},
    }


@pytest.mark.parametrize(
    ("before", "after", "commands"),
    [
        pytest.param({"s1": bridge(s1_1=1)}, {"s1": bridge(s1_1=1)}, [], id="same"),
        pytest.param({"s1": bridge()}, {}, ["del-br s1"], id="removes-a-bridge"),
        pytest.param(
            {},
            {"s1": bridge(s1_2=2)},
            [
                "--may-exist add-br s1",
                "set bridge s1 datapath_type=netdev fail_mode=secure",
                "add-port s1 s1-2",
                "set interface s1-2 ofport_request=2",
            ],
            id="adds-a-bridge",
        ),
        pytest.param(
            {"s1": {**bridge(), "fail_mode": ["set", []]}},
            {"s1": bridge()},
            ["--may-exist add-br s1", "set bridge s1 datapath_type=netdev fail_mode=secure"],
            id="secures-a-bridge",
        ),
        pytest.param(
            {"s1": bridge(s1_1=2, s1_9=9)},
            {"s1": bridge(s1_1=1)},
            [
                "del-port s1 s1-1",
                "del-port s1 s1-9",
                "add-port s1 s1-1",
                "set interface s1-1 ofport_request=1",
            ],
            id="renumbers-and-removes-ports",
        ),
    ],
)
def test_changes(before: dict[str, t.Any], after: dict[str, t.Any], commands: list[str]) -> None:
    assert [" ".join(command) for command in ovs.changes(before, after)] == commands
