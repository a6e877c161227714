# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows of a whole inventory: what comes of them, and what is said about each way of spoiling them."""

from __future__ import annotations

import copy
import math
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._flow_faults import KEYS
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import TestbedError, compile_testbed
from hypothesis import given
from hypothesis import strategies as st

Flow = dict[str, t.Any]

GROUPS = {
    "machines": ["pocket"],
    "end_hosts": ["alpha", "beta", "gamma"],
    "network_switches": ["s1", "s2", "s3"],
}
GBPS = 10**9


def link(one: str, other: str, speed_bps: int | None = GBPS) -> dict[str, t.Any]:
    return {"ends": [one, other], "speed_bps": speed_bps}


# s3 is beside the link of s1 and s2; gamma is behind it.
LINKS = [
    link("alpha:0", "s1:1"),
    link("s1:2", "s2:1"),
    link("s2:2", "beta:0"),
    link("s1:3", "s3:1"),
    link("s3:2", "s2:3"),
    link("s3:3", "gamma:0"),
]
VMS = {
    "alpha": [
        {"id": 1, "address": "10.20.0.11/24", "address_v6": "fd20::11/64"},
        {"id": 2, "address": "10.20.0.12/24"},
    ],
    "beta": [{"id": 7, "address": "10.20.0.21/24", "address_v6": "fd20::21/64"}],
    "gamma": [{"id": 0, "address": "10.20.0.30/24"}, {"id": 1, "address": "10.20.0.31/24"}],
}
VIDEO: Flow = {
    "name": "video",
    "from": "alpha-vm-01",
    "to": "beta-vm-07",
    "protocol": "udp",
    "destination_port": 5004,
    "rate_bps": 100_000_000,
    "burst_bits": 100_000,
}
BULK: Flow = VIDEO | {"name": "bulk", "protocol": "tcp", "destination_port": 80, "rate_bps": 800_000_000}


def compiled(*flows: t.Any, **shared: t.Any) -> dict[str, t.Any]:
    variables = {"testbed_name": "pocket", "testbed_links": LINKS, "testbed_flows": list(flows), **shared}
    hostvars = {
        host: copy.deepcopy(variables)
        | {"testbed_vms": VMS.get(host, []), "testbed_management_address": f"127.0.0.{number}"}
        for number, host in enumerate(["alpha", "beta", "gamma", "s1", "s2", "s3", "pocket"], start=11)
    }
    return compile_testbed(hostvars, GROUPS)


def faults(*flows: t.Any, **shared: t.Any) -> list[str]:
    with pytest.raises(TestbedError) as caught:
        compiled(*flows, **shared)
    return caught.value.faults


def test_a_flow_has_a_way_tags_and_a_bound() -> None:
    (flow,) = compiled(VIDEO | {"queue": 3, "deadline_us": 500})["flows"]
    burst = 100_000 + 100  # and what comes at once more by the step of the shaper's wheel
    delay = burst / GBPS
    grown = burst + 100_000_000 * delay
    assert flow["path"] == ["alpha:0", "s1:2", "s2:2"]
    assert flow["tags"] == [23, 23, 7]
    assert [hop["link"] for hop in flow["links"]] == ["alpha:0 > s1:1", "s1:2 > s2:1", "s2:2 > beta:0"]
    assert [hop["load"] for hop in flow["links"]] == ["100 Mbit/s = 100 Mbit/s"] * 3
    assert [(hop["load_bps"], hop["speed_bps"]) for hop in flow["links"]] == [(10**8, GBPS)] * 3
    bounds = [delay, grown / GBPS, (grown + 100_000_000 * grown / GBPS) / GBPS]
    assert [hop["delay_us"] for hop in flow["links"]] == [
        pytest.approx(bound * 1e6, abs=0.001) for bound in bounds
    ]
    assert flow["delay_bound_us"] == pytest.approx(sum(bounds) * 1e6, abs=0.001)
    assert (flow["deadline_us"], flow["rate_bps"], flow["burst_bits"], flow["queue"]) == (
        500,
        10**8,
        10**5,
        3,
    )


def test_a_rule_comes_of_a_flow_and_joins_those_that_are_typed() -> None:
    typed = {"from": "beta-vm-07", "to": "alpha-vm-01", "protocol": "icmp", "tags": [10, 10, 1]}
    found = compiled(VIDEO, testbed_rules=[typed])
    assert found["end_hosts"]["alpha"]["rules"] == [
        {
            "vm": 1,
            "priority": 0,
            "protocol": 17,
            "source_ip": "10.20.0.11",
            "destination_ip": "10.20.0.21",
            "destination_port": 5004,
            "tags": [20, 20, 7],
            "tpid": "802.1Q",
            "mode": "shape",
            "rate_bps": 100_000_000,
            "burst_bits": 100_000,
            "queue_packets": 1024,
            "queue_bytes": 1048576,
        }
    ]
    assert [(rule["from"], rule["to"], rule["host"]) for rule in found["rules"]] == [
        ("beta-vm-07", "alpha-vm-01", "beta"),
        ("alpha-vm-01", "beta-vm-07", "alpha"),
    ]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param({"family": "ipv6"}, {"source_ip": "fd20::11", "destination_ip": "fd20::21"}, id="ipv6"),
        pytest.param(
            {
                "ether_type": "ptp",
                "destination_mac": "01:1b:19:00:00:00",
                "protocol": None,
                "destination_port": None,
            },
            {"ether_type": 0x88F7, "destination_mac": "01:1b:19:00:00:00"},
            id="frames-of-a-type",
        ),
    ],
)
def test_a_flow_matches_as_a_rule_does(change: Flow, match: dict[str, t.Any]) -> None:
    (rule,) = compiled(VIDEO | change)["end_hosts"]["alpha"]["rules"]
    assert match.items() <= rule.items()


def test_a_flow_within_an_end_host_passes_no_link() -> None:
    found = compiled(VIDEO | {"to": "alpha-vm-02", "deadline_us": 1})
    (flow,), (rule,) = found["flows"], found["end_hosts"]["alpha"]["rules"]
    assert (flow["path"], flow["tags"], flow["links"], flow["delay_bound_us"]) == ([], [], [], 0)
    assert (rule["tags"], rule["destination_vm"]) == ([], 2)


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        pytest.param({"via": ["s3"]}, ["s1:2 s2:2", "s1:3 s3:2 s2:2"], id="by-a-switch-to-pass"),
        pytest.param({"disjoint_from": ["video"]}, ["s1:2 s2:2", "s1:3 s3:2 s2:2"], id="disjoint"),
        pytest.param({"path": "least_loaded"}, ["s1:2 s2:2", "s1:3 s3:2 s2:2"], id="least-loaded"),
        pytest.param(
            {"path": "shortest", "via": [], "disjoint_from": None}, ["s1:2 s2:2"] * 2, id="shortest"
        ),
    ],
)
def test_a_flow_says_which_way(change: Flow, paths: list[str]) -> None:
    flows = compiled(VIDEO, BULK | change)["flows"]
    assert [" ".join(flow["path"][1:]) for flow in flows] == paths


def test_typed_rules_load_links_too() -> None:
    typed = {"from": "alpha-vm-01", "to": "beta-vm-07", "protocol": "icmp", "tags": [20, 25, 7]}
    shaped = typed | {"rate_bps": 200_000_000, "burst_bits": 50_000}
    (flow,) = compiled(VIDEO | {"path": "least_loaded"}, testbed_rules=[shaped])["flows"]
    assert flow["path"] == ["alpha:0", "s1:3", "s3:2", "s2:2"]
    assert flow["links"][0]["load"] == "100 Mbit/s + 200 Mbit/s = 300 Mbit/s"
    # On the last link the rule is in a higher queue.
    assert flow["links"][3]["delay_us"] > flow["links"][2]["delay_us"]
    (flow,) = compiled(VIDEO, testbed_rules=[typed])["flows"]
    assert flow["delay_bound_us"] is None


def test_a_link_without_a_speed_carries_anything_and_bounds_nothing() -> None:
    (flow,) = compiled(VIDEO | {"rate_bps": 10**11}, testbed_links=[link["ends"] for link in LINKS])["flows"]
    assert flow["delay_bound_us"] is None
    assert [hop["delay_us"] for hop in flow["links"]] == [None] * 3


def test_a_frame_that_is_longer_than_the_burst_leaves_as_a_whole() -> None:
    (flow,) = compiled(VIDEO | {"burst_bits": 1, "rate_bps": 1000}, testbed_mtu=9000)["flows"]
    assert flow["links"][0]["delay_us"] == pytest.approx((9000 + 38 + 3 * 4) * 8 / 1000, abs=0.002)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"name": None}, "name is missing; add it", id="no-name"),
        pytest.param(
            {"name": "A B"},
            "name is 'A B'; use a-z, 0-9 and, between them, hyphens",
            id="a-name-with-a-space",
        ),
        pytest.param(
            {"name": 1}, "name is 1; use a-z, 0-9 and, between them, hyphens", id="a-number-for-a-name"
        ),
        pytest.param(
            {"family": ["ipv4"]}, "family is ['ipv4']; choose ipv4 or ipv6", id="a-list-for-a-family"
        ),
        pytest.param({"rate_bps": None}, "rate_bps is missing; add it", id="no-rate"),
        pytest.param(
            {"rate_bps": "1G"}, "rate_bps is '1G'; choose 1 to 400000000000", id="a-rate-in-letters"
        ),
        pytest.param({"burst_bits": 0}, "burst_bits is 0; choose 1 to", id="no-burst"),
        pytest.param({"tags": [21, 7]}, "unknown key 'tags'; choose one of name, from, to", id="tags"),
        pytest.param(
            {"to": "beta-vm-08"}, "to is 'beta-vm-08', which is no VM; did you mean beta-vm-07?", id="no-vm"
        ),
        pytest.param({"to": "alpha-vm-01"}, "it leads from a VM to itself", id="to-itself"),
        pytest.param({"to": "gamma-vm-00"}, "no tag stands for VM 0", id="to-vm-0"),
        pytest.param({"to": "gamma-vm-01", "family": "ipv6"}, "gamma-vm-01 has no address_v6", id="no-ipv6"),
        pytest.param({"protocol": "igpm"}, "protocol is 'igpm'; choose icmp, tcp", id="no-protocol"),
        pytest.param({"deadline_us": 0}, "deadline_us is 0; give microseconds above 0", id="no-time"),
        pytest.param(
            {"deadline_us": True}, "deadline_us is True; give microseconds above 0", id="a-truth-for-a-time"
        ),
        pytest.param({"deadline_us": math.inf}, "deadline_us is inf; give", id="a-time-without-end"),
        pytest.param(
            {"queue": 10}, "queue is 10; choose 0 to 9, of which the highest goes first", id="queue-10"
        ),
        pytest.param(
            {"path": "fastest"}, "path is 'fastest'; choose shortest or least_loaded", id="no-kind-of-path"
        ),
        pytest.param({"via": "s3"}, "via is 's3'; give a list of network switches", id="a-name-for-a-list"),
        pytest.param(
            {"via": ["s4"]},
            "via has 's4', which is no network switch; choose one of s1, s2, s3",
            id="no-switch",
        ),
        pytest.param(
            {"via": ["gamma"]}, "via has 'gamma', which is no network switch", id="an-end-host-to-pass"
        ),
        pytest.param(
            {"via": ["s3"], "to": "alpha-vm-02"},
            "via is ['s3'], but both VMs are on alpha, whose tagging switch delivers between them; leave via out",
            id="a-switch-to-pass-within-an-end-host",
        ),
        pytest.param(
            {"disjoint_from": [1]},
            "disjoint_from is [1]; give a list of names of flows",
            id="a-number-of-a-flow",
        ),
        pytest.param(
            {"disjoint_from": ["bulc"]},
            "disjoint_from has 'bulc', which is no other flow; did you mean bulk?",
            id="no-flow",
        ),
        pytest.param(
            {"disjoint_from": ["video"]},
            "disjoint_from has 'video', which is no other flow; choose one of bulk",
            id="itself",
        ),
        pytest.param(
            {"deadline_us": 100},
            "deadline_us is 100, and its frames may take ",
            id="a-deadline-that-may-be-missed",
        ),
    ],
)
def test_refuses_a_flow(change: Flow, fault: str) -> None:
    found = faults(VIDEO | change, BULK | {"rate_bps": 10**6})
    assert len(found) == 1
    assert found[0].startswith(
        "testbed_flows[0]" + (f" ({change.get('name', 'video')}): " if change.get("name", 1) else ": ")
    )
    assert fault in found[0]


def test_what_is_no_flow() -> None:
    assert faults(17, [VIDEO]) == [
        "testbed_flows[0]: 17 is no mapping; give name, from, to, rate_bps, burst_bits",
        f"testbed_flows[1]: {[VIDEO]!r} is no mapping; give name, from, to, rate_bps, burst_bits",
    ]
    assert faults(testbed_flows={}) == ["testbed_flows is {}; give a list"]


def test_all_faults_are_told_at_once() -> None:
    found = faults(VIDEO | {"queue": -1, "path": 1}, BULK | {"to": "x", "name": "video"}, {"name": "third"})
    assert [fault.partition(":")[0] for fault in found] == [
        "testbed_flows[0] (video)",
        "testbed_flows[0] (video)",
        "testbed_flows[1] (video)",
        "testbed_flows[1] (video)",
        *["testbed_flows[2] (third)"] * 4,
    ]


def test_two_flows_of_one_name_or_one_match_are_refused() -> None:
    assert faults(VIDEO, BULK | {"name": "video"}) == [
        "testbed_flows[1] (video): its name is also that of testbed_flows[0] (video); give each flow its own"
    ]
    assert faults(VIDEO, VIDEO | {"name": "again", "protocol": 17, "rate_bps": 5}) == [
        "testbed_flows[1] (again): it matches the same frames as testbed_flows[0] (video); keep one of them"
    ]
    typed = {
        "from": "alpha-vm-01",
        "to": "beta-vm-07",
        "protocol": "udp",
        "destination_port": 5004,
        "tags": [20, 20, 7],
    }
    assert faults(VIDEO, testbed_rules=[typed]) == [
        "testbed_flows[0] (video): it matches the same frames as the rule vm 1 udp 10.20.0.11 > 10.20.0.21:5004 of "
        "alpha; keep one of them"
    ]


def test_a_link_that_is_wanted_more_than_it_carries_is_told_with_the_sum() -> None:
    reserved = {"from": "alpha-vm-02", "to": "beta-vm-07", "protocol": "icmp", "tags": [20, 20, 7]}
    shaped = reserved | {"rate_bps": 50_000_001, "burst_bits": 1000}
    found = faults(VIDEO | {"deadline_us": 1}, BULK | {"rate_bps": 950_000_000}, testbed_rules=[shaped])
    assert found[1] == (
        "testbed_flows: video, bulk, the rule vm 2 icmp 10.20.0.12 > 10.20.0.21 of alpha: 100 Mbit/s + 950 Mbit/s + "
        "50.000001 Mbit/s = 1100.000001 Mbit/s on s1:2 > s2:1, which carries 1000 Mbit/s; "
        "lower a rate, or give a flow another way by path or via"
    )
    assert [fault.partition(" on ")[2].partition(",")[0] for fault in found] == [
        "alpha:0 > s1:1",
        "s1:2 > s2:1",
        "s2:2 > beta:0",
    ]
    assert compiled(VIDEO, BULK | {"rate_bps": 900_000_000})["flows"][0]["links"][1]["load_bps"] == GBPS


def test_a_long_sum_is_cut() -> None:
    many = [
        VIDEO | {"name": f"f{port}", "destination_port": port, "rate_bps": 200_000_000}
        for port in range(1, 9)
    ]
    assert (
        "testbed_flows: f1, f2, f3, f4, f5 and 3 more: 200 Mbit/s + 200 Mbit/s + 200 Mbit/s + 200 Mbit/s + "
        "200 Mbit/s + 3 more = 1600 Mbit/s on alpha:0 > s1:1, which carries 1000 Mbit/s; lower a rate, or give a flow "
        "another way by path or via"
    ) in faults(*many)


def test_a_deadline_that_may_be_missed_is_told_with_the_dearest_hop() -> None:
    slow = [*LINKS[:2], link("s2:2", "beta:0", GBPS // 2), *LINKS[3:]]
    flows = VIDEO | {"deadline_us": 900}, BULK | {"rate_bps": 10**6, "burst_bits": 10**5}
    bound = compiled(VIDEO, flows[1], testbed_links=slow)["flows"][0]
    assert faults(*flows, testbed_links=slow) == [
        f"testbed_flows[0] (video): deadline_us is 900, and its frames may take {bound['delay_bound_us']} us, "
        f"{bound['links'][2]['delay_us']} us of it on s2:2 > beta:0, which it shares with bulk; "
        "give it a higher queue or another way, or lower bursts"
    ]
    assert compiled(VIDEO | {"deadline_us": bound["delay_bound_us"]}, flows[1], testbed_links=slow)["flows"]


def test_a_higher_queue_keeps_a_deadline() -> None:
    other = BULK | {"burst_bits": 10**6, "rate_bps": 10**8, "from": "alpha-vm-02"}
    late = VIDEO | {"deadline_us": 1700}
    (fault,) = faults(late, other)
    assert "which it shares with bulk" in fault
    assert compiled(late | {"queue": 7}, other)["flows"][0]["delay_bound_us"] < 1700


@pytest.mark.parametrize(
    ("number", "where"),
    [pytest.param(0, "alpha:0 > s1:1", id="the-uplink"), pytest.param(1, "s1:2 > s2:1", id="a-later-link")],
)
def test_a_deadline_needs_speeds(number: int, where: str) -> None:
    links: list[t.Any] = list(LINKS)
    links[number] = links[number]["ends"]
    assert faults(VIDEO | {"deadline_us": 1000}, testbed_links=links) == [
        "testbed_flows[0] (video): deadline_us is 1000, but nothing bounds its delay: "
        f"{where} has no speed_bps; add it to testbed_links"
    ]


def test_a_deadline_needs_others_to_have_a_rate() -> None:
    typed = {"from": "alpha-vm-01", "to": "beta-vm-07", "protocol": "icmp", "tags": [20, 20, 7]}
    assert faults(VIDEO | {"deadline_us": 1000}, testbed_rules=[typed]) == [
        "testbed_flows[0] (video): deadline_us is 1000, but nothing bounds its delay: the rule vm 1 icmp 10.20.0.11 > "
        "10.20.0.21 of alpha has no rate and may fill alpha:0 > s1:1; give it one, or this flow a higher queue"
    ]


def test_a_deadline_needs_others_to_have_a_bound() -> None:
    other = BULK | {"from": "gamma-vm-01", "rate_bps": 10**8}
    links = [*LINKS[:5], link("s3:3", "gamma:0", None)]
    assert faults(VIDEO | {"deadline_us": 1000}, other, testbed_links=links) == [
        "testbed_flows[0] (video): deadline_us is 1000, but nothing bounds its delay: on s2:2 > beta:0 it waits for "
        "what has no bound itself, by a link without speed_bps, by a rule without a rate, or because flows wait for "
        "each other in a circle; give it a higher queue or another way"
    ]
    assert (
        compiled(VIDEO | {"deadline_us": 1000, "queue": 1}, other, testbed_links=links)["flows"][0][
            "delay_bound_us"
        ]
        < 1000
    )


def test_the_last_port_has_few_queues() -> None:
    links = [link("alpha:0", "s1:1"), link("s1:409", "beta:0")]
    assert compiled(VIDEO | {"queue": 4}, testbed_links=links)["flows"][0]["tags"] == [4094, 7]
    assert faults(VIDEO | {"queue": 5}, testbed_links=links) == [
        "testbed_flows[0] (video): s1:409 has no queue 5, for 4094 is the last tag; choose a lower queue, "
        "or link another port"
    ]


def test_a_flow_without_a_way_is_told() -> None:
    assert faults(VIDEO, testbed_links=LINKS[:1]) == [
        "testbed_flows[0] (video): beta has no link; give it one in testbed_links"
    ]


plain = st.none() | st.booleans() | st.integers(-1, 10**10) | st.floats() | st.text(max_size=3)
known = st.sampled_from(
    ["video", "bulk", "alpha-vm-01", "alpha-vm-02", "beta-vm-07", "s1", "s3", "udp", "least_loaded"]
)
values = (
    plain
    | known
    | st.lists(plain | known, max_size=3)
    | st.dictionaries(st.text(max_size=2), plain, max_size=2)
)
asked = st.dictionaries(st.sampled_from([*KEYS, "tags"]), values, max_size=4).map(
    lambda change: VIDEO | change
)


@given(st.lists(asked | values, max_size=4))
def test_whatever_is_asked_for_is_compiled_or_refused(flows: list[t.Any]) -> None:
    found: dict[str, t.Any] = {}
    told = []
    try:
        found = compiled(*flows)
    except TestbedError as exc:
        told = exc.faults
    assert bool(found) != bool(told)
    assert all(fault.startswith("testbed_flows") for fault in told)
    assert [flow["name"] for flow in found.get("flows", [])] == [flow["name"] for flow in flows if found]
