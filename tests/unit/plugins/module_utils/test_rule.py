# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    ACTION,
    ETHER_TYPES,
    IDENTITY,
    MODES,
    PROTOCOLS,
    TPIDS,
    identity,
    normal,
    normal_match,
    one_line,
    order,
)
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import action_faults, match_faults
from hypothesis import given
from hypothesis import strategies as st

# As a rule of version 1 was given, and as the switch lists it.
GIVEN: dict[str, t.Any] = {
    "vm": 1,
    "protocol": 17,
    "source_ip": "10.20.0.11",
    "destination_ip": "10.20.0.21",
    "source_port": 5000,
    "destination_port": 6000,
    "tags": [21, 21, 1],
    "rate_bps": 10**7,
    "burst_bits": 120_000,
}
RULE: dict[str, t.Any] = GIVEN | {
    "priority": 0,
    "tpid": "802.1Q",
    "mode": "shape",
    "queue_packets": 1024,
    "queue_bytes": 1048576,
}
ANY = dict.fromkeys(("protocol", "source_ip", "destination_ip", "source_port", "destination_port"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, RULE, id="a-rule-of-version-1"),
        pytest.param({"protocol": "udp"}, RULE, id="a-protocol-by-name"),
        pytest.param({"protocol": "17"}, RULE, id="a-number-as-text"),
        pytest.param({"packets": 5, "slot": 3}, RULE, id="what-the-switch-tells-besides"),
        pytest.param({"mode": "shape", "queue_packets": 1024}, RULE, id="what-is-so-by-default"),
        pytest.param({"ether_type": "ipv4"}, RULE, id="an-ether-type-that-the-addresses-say"),
        pytest.param({"source_ip": "10.20.0.11/32"}, RULE, id="a-prefix-of-one-address"),
        pytest.param({"source_ip": "10.20.0.0/16"}, RULE | {"source_ip": "10.20.0.0/16"}, id="a-prefix"),
        pytest.param(
            {"source_ip": "FD00::0:11", "destination_ip": "fd00:0::/32"},
            RULE | {"source_ip": "fd00::11", "destination_ip": "fd00::/32"},
            id="ipv6-in-one-writing",
        ),
        pytest.param(
            ANY | {"vm": 1, "source_ip": "0.0.0.0/0", "ether_type": None},
            {key: value for key, value in RULE.items() if key not in ANY} | {"ether_type": 0x0800},
            id="every-address-of-a-version-is-its-ether-type",
        ),
        pytest.param(
            ANY | {"ether_type": "0x88F7", "destination_mac": "01:1B:19:00:00:00"},
            {key: value for key, value in RULE.items() if key not in ANY}
            | {"ether_type": 0x88F7, "destination_mac": "01:1b:19:00:00:00"},
            id="an-ether-type-in-hexadecimal",
        ),
        pytest.param(
            {"protocol": "icmp", "source_port": None, "destination_port": None},
            RULE | {"protocol": 1, "source_port": 0, "destination_port": 0},
            id="a-protocol-without-ports-has-ports-0-between-two-addresses",
        ),
        pytest.param(
            ANY | {"protocol": "icmp", "source_port": 0},
            {key: value for key, value in RULE.items() if key not in ANY} | {"protocol": 1},
            id="and-none-without",
        ),
        pytest.param(
            {"mode": "police"},
            {key: value for key, value in RULE.items() if not key.startswith("queue")} | {"mode": "police"},
            id="nothing-waits-where-it-is-dropped",
        ),
        pytest.param(
            {"tags": None, "destination_vm": 2}, RULE | {"tags": [], "destination_vm": 2}, id="to-another-vm"
        ),
        pytest.param(
            {"rate_bps": None, "burst_bits": None, "mode": False},
            {key: value for key, value in RULE.items() if key in (*ANY, "vm", "priority", "tags", "tpid")}
            | {"mode": "off"},
            id="off-as-yaml-reads-it",
        ),
    ],
)
def test_has_one_normal_form(change: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert normal(GIVEN | change) == expected
    assert normal(expected) == expected


def test_a_match_alone_has_a_normal_form_too() -> None:
    assert normal_match(GIVEN) == {key: GIVEN[key] for key in GIVEN if key in IDENTITY}


def test_the_priority_is_no_part_of_the_identity() -> None:
    assert identity(normal(GIVEN)) == identity(normal(GIVEN | {"priority": 5, "tags": [1]}))
    assert identity(normal(GIVEN)) != identity(normal(GIVEN | {"source_port": None}))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param({"source_ip": "9.0.0.1"}, {"source_ip": "10.0.0.1"}, id="addresses-as-numbers"),
        pytest.param({"source_ip": "10.0.0.0/8"}, {"source_ip": "10.0.0.0/9"}, id="wide-before-narrow"),
        pytest.param({"source_ip": None}, {"source_ip": "0.0.0.1"}, id="any-before-one"),
        pytest.param({"vm": 2, "source_port": None}, {"vm": 10}, id="vms-first"),
    ],
)
def test_rules_are_sorted_for_people(first: dict[str, t.Any], then: dict[str, t.Any]) -> None:
    assert order(normal(GIVEN | first)) < order(normal(GIVEN | then))


TERMS = "tags 21,21,1 rate 10000000 bit/s burst 120000 bit"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param({}, f"vm 1 udp 10.20.0.11:5000 > 10.20.0.21:6000 {TERMS}", id="udp"),
        pytest.param(
            {"protocol": 1, "source_port": 0, "destination_port": 0},
            f"vm 1 icmp 10.20.0.11 > 10.20.0.21 {TERMS}",
            id="icmp",
        ),
        pytest.param(
            {"protocol": 47, "source_port": 0, "destination_port": 0},
            f"vm 1 protocol 47 10.20.0.11 > 10.20.0.21 {TERMS}",
            id="a-protocol-without-a-name",
        ),
        pytest.param(
            {"source_ip": None, "source_port": None}, f"vm 1 udp any > 10.20.0.21:6000 {TERMS}", id="from-any"
        ),
        pytest.param(
            {"source_ip": "fd00::1", "destination_ip": "fd00::/32", "destination_port": None},
            f"vm 1 udp [fd00::1]:5000 > fd00::/32 {TERMS}",
            id="ipv6",
        ),
        pytest.param(ANY, f"vm 1 any frame {TERMS}", id="everything"),
        pytest.param(
            ANY | {"ether_type": "ptp", "destination_mac": "01:1b:19:00:00:00"},
            f"vm 1 to 01:1b:19:00:00:00 ptp {TERMS}",
            id="ptp",
        ),
        pytest.param(ANY | {"ether_type": 0x9999}, f"vm 1 0x9999 {TERMS}", id="an-ether-type-without-a-name"),
        pytest.param(
            ANY | {"priority": 9, "mode": "police", "tpid": "802.1ad"},
            "vm 1 any frame priority 9 802.1ad tags 21,21,1 police rate 10000000 bit/s burst 120000 bit",
            id="police",
        ),
        pytest.param(
            ANY | {"tags": [], "rate_bps": None, "burst_bits": None, "destination_vm": 4},
            "vm 1 any frame to vm 4 no tags no rate",
            id="to-another-vm",
        ),
        pytest.param(
            {"queue_packets": 9},
            f"vm 1 udp 10.20.0.11:5000 > 10.20.0.21:6000 {TERMS} queue 9 packets 1048576 bytes",
            id="a-short-queue",
        ),
    ],
)
def test_reads_as_a_line(change: dict[str, t.Any], line: str) -> None:
    assert one_line(normal(GIVEN | change)) == line


def mostly(good: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    """Return good values, and now and then any other."""
    return (
        good | good | good | st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
    )


addresses = st.ip_addresses().map(str) | st.just("10.0.0.0/8") | st.just("fd00::/64") | st.just("::/0")
rules = st.fixed_dictionaries(
    {"vm": mostly(st.integers(0, 9)), "rate_bps": mostly(st.integers(1, 10**9))},
    optional={
        "destination_mac": mostly(st.just("01:1b:19:00:00:00")),
        "ether_type": mostly(st.sampled_from([*ETHER_TYPES, 0x0800, "0x86dd"])),
        "protocol": mostly(st.sampled_from([*PROTOCOLS, "47"])),
        "source_ip": mostly(addresses),
        "destination_ip": mostly(addresses),
        "source_port": mostly(st.just(0) | st.just(9)),
        "destination_port": mostly(st.just(0) | st.just(9)),
        "priority": mostly(st.integers(0, 9)),
        "tags": mostly(st.lists(st.integers(1, 4094), max_size=10)),
        "tpid": mostly(st.sampled_from(TPIDS)),
        "mode": mostly(st.sampled_from(MODES)),
        "destination_vm": mostly(st.integers(0, 9)),
        "burst_bits": mostly(st.integers(1, 10**9)),
        "queue_packets": mostly(st.integers(1, 9)),
        "queue_bytes": mostly(st.integers(1, 9)),
    },
)


@given(rules)
def test_takes_any_value_without_an_exception(rule: dict[str, t.Any]) -> None:
    if match_faults(rule) + action_faults(rule):
        return
    form = normal(rule)
    assert normal(form) == form
    assert set(form) <= {*IDENTITY, *ACTION}
    assert match_faults(form) + action_faults(form) == []
    assert one_line(form).startswith(f"vm {rule['vm']} ")
    assert order(form) == order(normal(form))
