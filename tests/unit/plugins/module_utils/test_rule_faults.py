# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import action_faults, match_faults

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
ANY = dict.fromkeys(("protocol", "source_ip", "destination_ip", "source_port", "destination_port"))
OFF = dict.fromkeys(("rate_bps", "burst_bits"))
PROTOCOL_WAY_OUT = "choose icmp, tcp, udp, icmpv6 or a number from 0 to 255"
ETHER_TYPE_WAY_OUT = (
    "choose ipv4, arp, ipv6, profinet, ethercat, goose, sampled-values, ptp or a number from 0x0600 to 0xffff"
)
ADDRESS_WAY_OUT = "give an address such as 10.20.0.11, or a prefix such as 10.20.0.0/16"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"vm": -1}, "vm is -1; choose 0 to 4094", id="negative-vm"),
        pytest.param({"vm": 4095}, "vm is 4095; choose 0 to 4094", id="vm-beyond-the-tags"),
        pytest.param({"vm": True}, "vm is True; choose 0 to 4094", id="vm-that-is-no-number"),
        pytest.param({"vm": None}, "vm is None; choose 0 to 4094", id="no-vm"),
        pytest.param({"protocol": "ucp"}, f"protocol is 'ucp'; {PROTOCOL_WAY_OUT}", id="protocol-typo"),
        pytest.param({"protocol": 256}, f"protocol is 256; {PROTOCOL_WAY_OUT}", id="protocol-256"),
        pytest.param(
            {"source_ip": "10.20.0.256"}, f"source_ip is '10.20.0.256'; {ADDRESS_WAY_OUT}", id="no-address"
        ),
        pytest.param({"source_ip": 7}, f"source_ip is 7; {ADDRESS_WAY_OUT}", id="a-number-for-an-address"),
        pytest.param(
            {"source_ip": "fe80::1%eth0"}, f"source_ip is 'fe80::1%eth0'; {ADDRESS_WAY_OUT}", id="a-zone"
        ),
        pytest.param(
            {"destination_ip": "10.20.0.1/24"},
            "destination_ip is '10.20.0.1/24', which has bits behind its prefix; clear them, "
            "or leave out the prefix",
            id="bits-behind-the-prefix",
        ),
        pytest.param(
            {"destination_ip": "fd00::1"},
            "source_ip and destination_ip are of two versions of IP; give addresses of one",
            id="two-families",
        ),
        pytest.param(
            {"ether_type": "ipv6"},
            "ether_type is ipv6, but the addresses are of another; leave ether_type out",
            id="ether-type-of-another-family",
        ),
        pytest.param(
            {"ether_type": 0x88F7},
            "ether_type is ptp, but the addresses are of another; leave ether_type out",
            id="ptp-between-addresses",
        ),
        pytest.param(
            {**ANY, "ether_type": "arp", "protocol": "udp"},
            "ether_type is arp, which has no protocol; leave one of them out",
            id="udp-in-arp",
        ),
        pytest.param(
            {**ANY, "ether_type": "ptpv2"},
            f"ether_type is 'ptpv2'; {ETHER_TYPE_WAY_OUT}",
            id="ether-type-typo",
        ),
        pytest.param(
            {**ANY, "ether_type": "0x5ff"}, f"ether_type is '0x5ff'; {ETHER_TYPE_WAY_OUT}", id="a-length"
        ),
        pytest.param(
            {**ANY, "ether_type": "0x8100"},
            "ether_type is '0x8100', but frames that a VM tagged are dropped; match what they carry",
            id="vlan",
        ),
        pytest.param(
            {"destination_mac": "01:1b:19:00:00"},
            "destination_mac is '01:1b:19:00:00'; give an address such as 01:1b:19:00:00:00",
            id="half-a-mac",
        ),
        pytest.param({"source_port": 65536}, "source_port is 65536; choose 0 to 65535", id="port-too-high"),
        pytest.param(
            {"protocol": "icmp", "destination_port": 0},
            "source_port is 5000, but protocol icmp has no ports; leave it out",
            id="icmp-with-a-port",
        ),
        pytest.param(
            {"protocol": 47, "source_port": None},
            "destination_port is 6000, but protocol 47 has no ports; leave it out",
            id="gre-with-a-port",
        ),
        pytest.param(
            {**ANY, "ether_type": "goose", "source_port": 7},
            "ether_type is goose, which has no source_port; leave one of them out",
            id="a-port-of-goose",
        ),
        pytest.param({"priority": 65536}, "priority is 65536; choose 0 to 65535", id="priority"),
        pytest.param({"tags": "21"}, "tags is '21'; give a list", id="tags-that-are-no-list"),
        pytest.param({"tags": [21, 0, 1]}, "tags[1] is 0; choose 1 to 4094", id="tag-0"),
        pytest.param({"tags": [21, 4095]}, "tags[1] is 4095; choose 1 to 4094", id="tag-4095"),
        pytest.param({"tags": [1] * 11}, "tags has 11 tags; choose a path with at most 10", id="eleven-tags"),
        pytest.param({"tpid": "802.1q"}, "tpid is '802.1q'; choose 802.1Q or 802.1ad", id="tpid"),
        pytest.param(
            {"tags": [], "destination_vm": 4095}, "destination_vm is 4095; choose 0 to 4094", id="no-such-vm"
        ),
        pytest.param(
            {"destination_vm": 2},
            "it has tags and a destination_vm, and a VM of the same switch needs none; give one of them",
            id="two-destinations",
        ),
        pytest.param(
            {"tags": [], "destination_vm": 1},
            "destination_vm is 1, its own VM; choose another",
            id="to-itself",
        ),
        pytest.param(
            {"tags": [], "tpid": "802.1ad"},
            "tpid is '802.1ad', but it has no tags; leave tpid out",
            id="a-tpid-of-no-tags",
        ),
        pytest.param({"mode": "drop"}, "mode is 'drop'; choose shape, police, off", id="mode"),
        pytest.param({"rate_bps": 0}, "rate_bps is 0; choose 1 to 400000000000", id="rate-0"),
        pytest.param(
            {"rate_bps": 400 * 10**9 + 1}, "rate_bps is 400000000001; choose 1 to 400000000000", id="400G"
        ),
        pytest.param(
            {"mode": "shape", "rate_bps": None}, "rate_bps is None; choose 1 to 400000000000", id="no-rate"
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
        pytest.param(
            {"rate_bps": None}, "burst_bits is 120000, but rate_bps is not given; add it", id="rate-missing"
        ),
        pytest.param(
            {"mode": "off", "burst_bits": None},
            "rate_bps is 10000000, but there is no rate in mode off; leave it out",
            id="off-with-a-rate",
        ),
        pytest.param(
            {"mode": "police", "queue_packets": 1},
            "queue_packets is 1, but nothing waits in mode police; leave it out",
            id="police-with-a-queue",
        ),
        pytest.param(
            {**OFF, "queue_bytes": 1},
            "queue_bytes is 1, but rate_bps is not given; add it",
            id="off-with-a-queue",
        ),
        pytest.param({"queue_packets": 0}, "queue_packets is 0; choose 1 to 65535", id="no-queue"),
        pytest.param(
            {"queue_bytes": 2**32}, "queue_bytes is 4294967296; choose 1 to 4294967295", id="queue-too-long"
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
        pytest.param({"protocol": "icmp", "source_port": 0, "destination_port": 0}, id="ports-0-of-no-ports"),
        pytest.param({"protocol": "TCP"}, id="a-name-in-capitals"),
        pytest.param(ANY, id="every-frame"),
        pytest.param({**ANY, "ether_type": "0x88f7", "tags": None, **OFF}, id="neither-tags-nor-rate"),
        pytest.param({**ANY, "protocol": "udp", "destination_port": 319}, id="a-port-of-any-address"),
        pytest.param({**ANY, "destination_port": 53}, id="a-port-of-both-protocols"),
        pytest.param({"source_ip": "fd00::1", "destination_ip": "fd00::/16", "mode": "police"}, id="ipv6"),
        pytest.param({"tags": [], "destination_vm": 0}, id="to-another-vm"),
        pytest.param({**OFF, "mode": False}, id="off-as-yaml-reads-it"),
    ],
)
def test_finds_no_fault(change: dict[str, t.Any]) -> None:
    rule = RULE | change
    assert match_faults(rule) + action_faults(rule) == []


def test_tells_all_faults_at_once() -> None:
    rule = {"vm": 9999, "protocol": "ucp", "source_ip": "x", "tags": [0], "rate_bps": 0, "queue_bytes": 0}
    assert len(match_faults(rule) + action_faults(rule)) == 7
