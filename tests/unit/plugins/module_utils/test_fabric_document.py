# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric's document: what is refused, what follows from a description, what is rebuilt."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _fabric_document as document

LINKS = [["a:0", "s1:1"], ["s1:2", "s2:1"], ["s2:2", "b:0"]]
POCKET: dict[str, t.Any] = {"switches": ["s1", "s2"], "links": LINKS, "end_hosts": ["a", "b"], "mtu": 9216}


def described(**changes: t.Any) -> dict[str, t.Any]:
    return {**POCKET, **changes}


def fabric(**changes: t.Any) -> document.Document:
    return document.wanted("/run/f", **described(**changes))


def test_a_description_without_faults_is_taken() -> None:
    assert document.faults(**POCKET) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"switches": []}, "there is no switch; name at least one", id="no-switch"),
        pytest.param(
            {"end_hosts": ["a", "b", "s1"]}, "s1 is named more than once", id="one-name-for-two-nodes"
        ),
        pytest.param(
            {"switches": ["s1", "s2", "../x"]}, "'../x' is no name for a node", id="name-that-is-a-path"
        ),
        pytest.param(
            {"switches": ["s1", "s2", "-v"]}, "'-v' is no name for a node", id="name-that-is-an-option"
        ),
        pytest.param({"mtu": 67}, "mtu 67 is not from 68 to 65535 bytes", id="mtu-too-small"),
        pytest.param({"mtu": 65536}, "mtu 65536 is not from 68 to 65535 bytes", id="mtu-too-large"),
        pytest.param(
            {"links": [*LINKS, ["s1:3"]]}, "links[3] has 1 ends; a link joins two", id="loose-cable"
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:3", "s3:1"]]}, "links[3]: s3:1: there is no node s3", id="unknown-node"
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:x", "s2:3"]]}, "'s1:x' is not written as NODE:PORT", id="no-number"
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:0", "s2:3"]]}, "s1:0: a switch has the ports 1 to 409", id="port-0"
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:410", "s2:3"]]}, "s1:410: a switch has the ports 1 to 409", id="port-410"
        ),
        pytest.param(
            {"links": [["a:1", "s1:1"], *LINKS[1:]]},
            "a:1: the only port of an end host is 0",
            id="host-port-1",
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:2", "s2:3"]]}, "port s1:2 is used more than once", id="port-used-twice"
        ),
        pytest.param(
            {"links": [*LINKS, ["s1:3", "s1:3"]]}, "port s1:3 is used more than once", id="port-to-itself"
        ),
        pytest.param(
            {"links": [*LINKS, [7, "s2:3"]]}, "7 is not written as NODE:PORT", id="end-that-is-a-number"
        ),
        pytest.param({"links": LINKS[:2]}, "end host b has no link; cable b:0", id="end-host-without-link"),
        pytest.param({"links": [["a:0", "b:0"]]}, "put a switch between them", id="end-hosts-without-switch"),
        pytest.param(
            {"switches": ["s1", "s2", "sixteen-letters-"]},
            "the interface name sixteen-letters- has 16 characters, 15 is the most",
            id="long-switch-name",
        ),
        pytest.param(
            {"switches": ["s1", "s2", "fourteen-chars"], "links": [*LINKS, ["fourteen-chars:1", "s1:3"]]},
            "the interface name fourteen-chars-1 has 16 characters",
            id="long-interface-name",
        ),
        pytest.param(
            {"switches": ["s1", "s2", "s1-1"]}, "two devices would be named s1-1", id="switch-named-as-a-port"
        ),
        pytest.param(
            {"switches": ["s1", "s2", "ovs-netdev"]},
            "two devices would be named ovs-netdev",
            id="switch-named-as-the-datapath",
        ),
    ],
)
def test_refuses(changes: dict[str, t.Any], fault: str) -> None:
    assert any(fault in found for found in document.faults(**described(**changes)))


def test_all_faults_are_named_at_once() -> None:
    found = document.faults(**described(mtu=1, links=[*LINKS, ["s1:0", "x:1"]]))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("port", "queue", "flow"),
    [
        pytest.param(1, 0, "priority=50,dl_vlan=10 actions=pop_vlan,set_queue:0,output:1", id="first"),
        pytest.param(2, 1, "priority=50,dl_vlan=21 actions=pop_vlan,set_queue:1,output:2", id="middle"),
        pytest.param(408, 9, "priority=50,dl_vlan=4089 actions=pop_vlan,set_queue:9,output:408", id="last"),
    ],
)
def test_vlan_id_is_port_times_ten_plus_queue(port: int, queue: int, flow: str) -> None:
    flows = document.flows([port])
    assert len(flows) == 10
    assert f"dl_vlan={port * 10 + queue} " in flow
    assert flow in flows


def test_the_highest_port_has_the_queues_that_vlan_ids_are_left_for() -> None:
    ids = [int(flow.split("dl_vlan=")[1].split()[0]) for flow in document.flows([document.MAX_PORT])]
    assert ids == [4090, 4091, 4092, 4093, 4094]


def test_a_link_is_a_pair_of_interfaces_that_name_each_other() -> None:
    interfaces = fabric()["interfaces"]
    assert {address: interface["peer"] for address, interface in interfaces.items()} == {
        "detnet-a/uplink": "s1-1",
        "s1-1": "detnet-a/uplink",
        "s1-2": "s2-1",
        "s2-1": "s1-2",
        "s2-2": "detnet-b/uplink",
        "detnet-b/uplink": "s2-2",
    }


def test_a_port_has_its_described_number() -> None:
    bridges = fabric(links=[["a:0", "s1:7"], ["s1:409", "s2:1"], ["s2:2", "b:0"]])["bridges"]
    assert bridges["s1"]["ports"] == {"s1-7": 7, "s1-409": 409}


def test_every_link_can_be_captured_outside_the_end_hosts() -> None:
    assert document.capture_points(POCKET["switches"], [*LINKS[:2], ["b:0", "s2:2"]]) == [
        {"at": "a - s1", "interface": "s1-1"},
        {"at": "s1 - s2", "interface": "s2-1"},
        {"at": "b - s2", "interface": "s2-2"},
    ]


def test_the_ledger_names_what_is_outside_the_end_hosts() -> None:
    assert document.ledger_of(fabric()) == {
        "namespaces": ["detnet-a", "detnet-b"],
        "interfaces": ["s1-1", "s1-2", "s2-1", "s2-2"],
        "taps": ["ovs-netdev", "s1", "s2"],
    }


@pytest.mark.parametrize(
    ("namespaces", "interfaces", "way_out"),
    [
        pytest.param({"detnet-a"}, set(), "ip netns delete detnet-a", id="namespace"),
        pytest.param(set(), {"s1-1"}, "ip link delete s1-1", id="interface"),
        pytest.param(set(), {"s2"}, "ip link delete s2", id="bridge"),
        pytest.param(set(), {"ovs-netdev"}, "stop the other Open vSwitch", id="userspace-datapath"),
    ],
)
def test_what_others_made_is_left_alone(namespaces: set[str], interfaces: set[str], way_out: str) -> None:
    plan, nobody = document.ledger_of(fabric()), document.ledger_of(document.nothing())
    (found,) = document.foreign(plan, nobody, namespaces, interfaces)
    assert way_out in found


def test_what_the_fabric_made_is_not_foreign() -> None:
    plan = document.ledger_of(fabric())
    names = {*plan["interfaces"], *plan["taps"], "eth0"}
    assert document.foreign(plan, plan, {*plan["namespaces"], "other"}, names) == []


def without(address: str) -> document.Document:
    before = fabric()
    del before["interfaces"][address]
    return before


def with_interface(address: str, **changes: t.Any) -> document.Document:
    before = copy.deepcopy(fabric())
    before["interfaces"][address] |= changes
    return before


@pytest.mark.parametrize(
    ("before", "delete", "create"),
    [
        pytest.param(fabric(), [], [], id="whole-fabric-stays"),
        pytest.param(
            document.nothing(),
            [],
            [("detnet-a/uplink", "s1-1"), ("s1-2", "s2-1"), ("detnet-b/uplink", "s2-2")],
            id="new-fabric-is-built",
        ),
        pytest.param(without("s1-2"), ["s2-1"], [("s1-2", "s2-1")], id="half-a-pair-is-rebuilt"),
        pytest.param(
            with_interface("s1-2", peer=None), ["s1-2", "s2-1"], [("s1-2", "s2-1")], id="stranger-is-rebuilt"
        ),
        pytest.param(with_interface("s1-2", mtu=1500, up=False), [], [], id="settings-do-not-rebuild"),
        pytest.param(
            fabric(links=[*LINKS, ["s1:3", "s2:3"]]), ["s1-3", "s2-3"], [], id="what-is-not-wanted-is-deleted"
        ),
    ],
)
def test_pairs(before: document.Document, delete: list[str], create: list[tuple[str, str]]) -> None:
    assert document.to_rebuild(before, fabric()) == (delete, create)


def test_an_empty_machine_wants_no_links() -> None:
    assert document.to_rebuild(fabric(), document.nothing()) == (list(fabric()["interfaces"]), [])
