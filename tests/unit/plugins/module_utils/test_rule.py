# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    action_faults,
    identity,
    match_faults,
    normal,
    one_line,
)
from hypothesis import given
from hypothesis import strategies as st

RULE: dict[str, t.Any] = {
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


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"vm": -1}, "vm is -1; choose 0 to 4094", id="negative-vm"),
        pytest.param({"vm": 4095}, "vm is 4095; choose 0 to 4094", id="vm-beyond-the-tags"),
        pytest.param({"vm": True}, "vm is True; choose 0 to 4094", id="vm-that-is-no-number"),
        pytest.param(
            {"protocol": "ucp"},
            "protocol is 'ucp'; choose icmp, tcp, udp or a number from 0 to 255",
            id="protocol-typo",
        ),
        pytest.param(
            {"protocol": 256},
            "protocol is 256; choose icmp, tcp, udp or a number from 0 to 255",
            id="protocol-256",
        ),
        pytest.param(
            {"source_ip": "10.20.0.256"},
            "source_ip is '10.20.0.256'; give one IPv4 address such as 10.20.0.11",
            id="no-address",
        ),
        pytest.param(
            {"destination_ip": "10.20.0.0/24"},
            "destination_ip is '10.20.0.0/24'; give one IPv4 address such as 10.20.0.11",
            id="a-network-for-an-address",
        ),
        pytest.param(
            {"source_ip": None}, "source_ip is None; give one IPv4 address such as 10.20.0.11", id="none"
        ),
        pytest.param({"source_port": 65536}, "source_port is 65536; choose 0 to 65535", id="port-too-high"),
        pytest.param(
            {"protocol": "icmp", "destination_port": 0},
            "source_port is 5000, but protocol icmp has no ports; leave it out",
            id="icmp-with-a-port",
        ),
        pytest.param(
            {"protocol": 47, "source_port": 0},
            "destination_port is 6000, but protocol 47 has no ports; leave it out",
            id="gre-with-a-port",
        ),
        pytest.param(
            {"tags": []},
            "tags is []; list one tag per network switch on the path, then the destination VM's id",
            id="no-tags",
        ),
        pytest.param({"tags": [21, 0, 1]}, "tags[1] is 0; choose 1 to 4094", id="tag-0"),
        pytest.param({"tags": [21, 4095]}, "tags[1] is 4095; choose 1 to 4094", id="tag-4095"),
        pytest.param({"tags": [1] * 11}, "tags has 11 tags; choose a path with at most 10", id="eleven-tags"),
        pytest.param({"rate_bps": 0}, "rate_bps is 0; choose 1 to 400000000000", id="no-rate"),
        pytest.param(
            {"rate_bps": 400 * 10**9 + 1}, "rate_bps is 400000000001; choose 1 to 400000000000", id="400G"
        ),
        pytest.param({"burst_bits": 0}, "burst_bits is 0; choose 1 to 9223372036854775807", id="no-burst"),
        pytest.param(
            {"burst_bits": 2**63},
            "burst_bits is 9223372036854775808; choose 1 to 9223372036854775807",
            id="burst-beyond-63-bit",
        ),
        pytest.param(
            {"burst_bits": None}, "burst_bits is None; choose 1 to 9223372036854775807", id="burst-missing"
        ),
    ],
)
def test_names_the_one_fault(change: dict[str, t.Any], fault: str) -> None:
    rule = RULE | change
    assert match_faults(rule) + action_faults(rule) == [fault]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="an-ordinary-rule"),
        pytest.param({"vm": 0, "tags": [1], "rate_bps": 1, "burst_bits": 1}, id="the-lowest-values"),
        pytest.param(
            {"vm": 4094, "tags": [4094] * 10, "rate_bps": 400 * 10**9, "burst_bits": 2**63 - 1},
            id="the-highest-values",
        ),
        pytest.param({"protocol": "icmp", "source_port": 0, "destination_port": 0}, id="no-ports"),
        pytest.param({"protocol": "TCP"}, id="a-name-in-capitals"),
    ],
)
def test_finds_no_fault(change: dict[str, t.Any]) -> None:
    rule = RULE | change
    assert match_faults(rule) + action_faults(rule) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"protocol": "udp"}, id="a-protocol-by-name"),
        pytest.param({"protocol": "17"}, id="a-number-as-text"),
        pytest.param({"packets": 5}, id="a-field-that-is-no-part-of-a-rule"),
    ],
)
def test_has_one_normal_form(change: dict[str, t.Any]) -> None:
    assert normal(RULE | change) == RULE


def test_ports_of_a_protocol_without_ports_are_0() -> None:
    rule = normal({**RULE, "protocol": "icmp", "source_port": None, "destination_port": None})
    assert (rule["source_port"], rule["destination_port"]) == (0, 0)


def test_addresses_are_sorted_as_numbers() -> None:
    assert identity(RULE | {"source_ip": "9.0.0.1"}) < identity(RULE | {"source_ip": "10.0.0.1"})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param(
            {},
            "vm 1 udp 10.20.0.11:5000 > 10.20.0.21:6000 tags 21,21,1 rate 10000000 bit/s burst 120000 bit",
            id="udp",
        ),
        pytest.param(
            {"protocol": 1},
            "vm 1 icmp 10.20.0.11 > 10.20.0.21 tags 21,21,1 rate 10000000 bit/s burst 120000 bit",
            id="icmp",
        ),
        pytest.param(
            {"protocol": 47},
            "vm 1 protocol 47 10.20.0.11 > 10.20.0.21 tags 21,21,1 rate 10000000 bit/s burst 120000 bit",
            id="a-protocol-without-a-name",
        ),
    ],
)
def test_reads_as_a_line(change: dict[str, t.Any], line: str) -> None:
    assert one_line(RULE | change) == line


@given(
    st.fixed_dictionaries(
        {
            field: st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
            for field in RULE
        }
    )
)
def test_takes_any_value_without_an_exception(rule: dict[str, t.Any]) -> None:
    if not match_faults(rule) + action_faults(rule):
        assert normal(normal(rule)) == normal(rule)
