# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module tells of a neighbour."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp import Frame
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import (
    ChassisId,
    MacPhy,
    ManagementAddress,
    MaxFrameSize,
    Organizational,
    PortDescription,
    PortId,
    PortVlanId,
    ProtocolVlanId,
    Reserved,
    SystemCapabilities,
    SystemDescription,
    SystemName,
    TimeToLive,
    VlanName,
)

SOURCE = "02:00:00:00:00:07"
NOW = "2026-11-22T10:00:00Z"
FIRST = (ChassisId(4, bytes.fromhex("020000000007")), PortId(5, b"Ethernet3"), TimeToLive(120))


def told(*tlvs: t.Any) -> dict[str, t.Any]:
    return _lldp_neighbor.neighbor(
        "eth2", Frame(SOURCE, _lldp.GROUPS["nearest_bridge"], (*FIRST, *tlvs)), NOW
    )


def test_a_neighbour_that_says_all_it_can() -> None:
    assert told(
        PortDescription(b"to alpha"),
        SystemName(b"s1"),
        SystemDescription(b"SONiC"),
        SystemCapabilities(0x14, 0x04),
        ManagementAddress(1, bytes([192, 0, 2, 7])),
        ManagementAddress(2, bytes.fromhex("fd000000000000000000000000000007")),
        PortVlanId(1),
        ProtocolVlanId(6, 20),
        VlanName(1, b"default"),
        VlanName(20, b"lab"),
        MacPhy(3, 0x8000, 30),
        MaxFrameSize(9216),
        Organizational(b"\x00\x26\xe1", 9, b"\x01\x02"),
        Reserved(99, b"later"),
    ) == {
        "interface": "eth2",
        "heard_at": NOW,
        "source": SOURCE,
        "shape": "standard",
        "chassis_id": {"subtype": "mac_address", "value": SOURCE},
        "port_id": {"subtype": "interface_name", "value": "Ethernet3"},
        "ttl_s": 120,
        "port_description": "to alpha",
        "system_name": "s1",
        "system_description": "SONiC",
        "capabilities": {"available": ["bridge", "router"], "enabled": ["bridge"]},
        "management_addresses": ["192.0.2.7", "fd00::7"],
        "port_vlan_id": 1,
        "protocol_vlans": [{"vlan_id": 20, "supported": True, "enabled": True}],
        "vlan_names": {"1": "default", "20": "lab"},
        "autonegotiation": {"supported": True, "enabled": True},
        "speed_bps": 10**9,
        "max_frame_size_bytes": 9216,
        "organizational": [{"oui": "00:26:e1", "subtype": 9, "info_hex": "0102"}],
    }


def test_a_neighbour_that_says_as_little_as_it_can() -> None:
    found = told()
    assert {found[name] is None for name in ("system_name", "capabilities", "port_vlan_id", "speed_bps")} == {
        True
    }
    assert [found[name] for name in ("management_addresses", "protocol_vlans", "vlan_names")] == [[], [], {}]


@pytest.mark.parametrize(
    ("chassis", "value"),
    [
        pytest.param(ChassisId(5, bytes([1, 10, 0, 0, 1])), "10.0.0.1", id="ipv4"),
        pytest.param(ChassisId(5, b"\x02" + bytes(15) + b"\x01"), "::1", id="ipv6"),
        pytest.param(ChassisId(5, bytes.fromhex("06020000000007")), SOURCE, id="mac-address-by-family"),
        pytest.param(ChassisId(5, bytes([1, 10, 0])), "1:0x0a00", id="too-short-for-its-family"),
        pytest.param(ChassisId(5, bytes([99, 1])), "99:0x01", id="family-that-nobody-knows"),
        pytest.param(ChassisId(4, b"\x01\x02"), "\\x01\\x02", id="mac-address-of-two-bytes"),
        pytest.param(ChassisId(7, b"rack 7"), "rack 7", id="text"),
        pytest.param(ChassisId(7, b"a\x1b[2J\xff"), "a\\x1b[2J\\xff", id="a-terminal-is-not-cleared"),
    ],
)
def test_chassis_ids(chassis: ChassisId, value: str) -> None:
    frame = Frame(SOURCE, SOURCE, (chassis, *FIRST[1:]))
    assert _lldp_neighbor.neighbor("eth2", frame, NOW)["chassis_id"]["value"] == value


def test_an_id_of_a_later_standard() -> None:
    frame = Frame(SOURCE, SOURCE, (ChassisId(9, b"x"), *FIRST[1:]))
    assert _lldp_neighbor.neighbor("eth2", frame, NOW)["chassis_id"] == {
        "subtype": "reserved_9",
        "value": "x",
    }


def test_a_chameleon_end_host() -> None:
    found = _lldp_neighbor.neighbor("eth2", _lldp.chameleon(SOURCE, "10.0.0.1", port=3), NOW)
    assert found["shape"] == "chameleon"
    assert found["chassis_id"] == {"subtype": "network_address", "value": "10.0.0.1"}
    assert found["port_id"] == {"subtype": "local", "value": "3"}


def test_text_on_many_lines_is_told_on_one() -> None:
    assert told(SystemDescription("Löwe\r\n1.0".encode()))["system_description"] == "Löwe\\r\\n1.0"


@pytest.mark.parametrize(
    ("mau_type", "speed"),
    [
        (5, 10**7),
        (16, 10**8),
        (30, 10**9),
        (36, 10**10),
        (56, 10**9),
        (72, 4 * 10**10),
        (77, 10**11),
        (0, None),
    ],
)
def test_speed_by_the_type_of_the_medium(mau_type: int, speed: int | None) -> None:
    assert told(MacPhy(0, 0, mau_type))["speed_bps"] == speed
