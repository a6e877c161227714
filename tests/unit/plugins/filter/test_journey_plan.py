from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter.journey_plan import journey_plan

JOURNEY = {"from": "alpha-vm-01", "to": "beta-vm-01"}


def rule(source, destination, protocol, ports, tags):
    host = source.partition("-")[0]
    source_port, destination_port = ports
    return {
        "from": source,
        "to": destination,
        "host": host,
        "protocol": protocol,
        "source_port": source_port,
        "source_ip": f"ip of {source}",
        "destination_port": destination_port,
        "tags": tags,
    }


TESTBED = {
    "guests": {"alpha-vm-01": {"end_host": "alpha"}, "beta-vm-01": {"end_host": "beta"}},
    "network_switches": ["s1", "s2"],
    "links": [{"ends": ["alpha:0", "s1:1"]}, {"ends": ["beta:0", "s2:2"]}, {"ends": ["s1:2", "s2:1"]}],
    "rules": [
        rule("alpha-vm-01", "beta-vm-01", 1, (0, 0), [21, 21, 1]),
        rule("beta-vm-01", "alpha-vm-01", 17, (7, 40000), [11, 11, 1]),
        rule("alpha-vm-01", "beta-vm-01", 17, (40000, 7), [21, 21, 1]),
    ],
}


@pytest.fixture
def testbed():
    return copy.deepcopy(TESTBED)


def test_points_are_in_the_order_of_the_path_whatever_the_order_of_the_links(testbed):
    plan = journey_plan(testbed, JOURNEY, True, "captures")
    assert plan["rule"] == TESTBED["rules"][2]
    assert plan["interfaces"] == ["s1-1", "s1-2", "s2-2"]
    assert plan["points"] == [
        {"at": "alpha - s1", "path": "captures/s1-1.pcap"},
        {"at": "s1 - s2", "path": "captures/s1-2.pcap"},
        {"at": "s2 - beta", "path": "captures/s2-2.pcap"},
        {"at": "beta-vm-01", "path": "captures/beta-vm-01.pcap"},
    ]
    assert plan["tags"] == {"alpha - s1": [21, 21, 1], "s1 - s2": [21, 1], "s2 - beta": [1], "beta-vm-01": []}
    assert plan["payload_bytes"] == 64
    assert plan["burst"] == {"datagrams": 64, "payload_bytes": 1400}


def test_the_inventory_says_how_long_the_burst_is(testbed):
    assert journey_plan(testbed, JOURNEY | {"burst": 500}, True, "captures")["burst"]["datagrams"] == 500


def test_rules_without_ports_or_addresses_are_passed_over(testbed):
    wildcard = {key: value for key, value in TESTBED["rules"][2].items() if not key.endswith("_port")}
    frames = {"from": "alpha-vm-01", "to": "beta-vm-01", "ether_type": 0x88F7, "tags": []}
    testbed["rules"][:0] = [wildcard, frames]
    assert journey_plan(testbed, JOURNEY, True, "captures")["rule"] == TESTBED["rules"][2]


def test_without_emulated_switches_only_the_guest_can_be_captured(testbed):
    assert [point["at"] for point in journey_plan(testbed, JOURNEY, False, "captures")["points"]] == [
        "beta-vm-01"
    ]


def test_vms_of_one_end_host_use_no_link(testbed):
    testbed["guests"]["beta-vm-01"]["end_host"] = "alpha"
    assert [point["at"] for point in journey_plan(testbed, JOURNEY, True, "captures")["points"]] == [
        "beta-vm-01"
    ]


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        pytest.param(
            2,
            r"alpha-vm-01 > beta-vm-01: no rule with protocol: udp, destination_port: 7",
            id="no-rule-there",
        ),
        pytest.param(
            1,
            r"no rule brings the echoes back; add to testbed_flows one from: beta-vm-01, to: alpha-vm-01, "
            r"protocol: udp, source_port: 7, destination_port: 40000",
            id="no-rule-back",
        ),
    ],
)
def test_a_missing_rule_is_named_with_what_to_add(testbed, removed, message):
    del testbed["rules"][removed]
    with pytest.raises(AnsibleFilterError, match=message):
        journey_plan(testbed, JOURNEY, True, "captures")
