# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a neighbour says of itself, as modules return it: one shape, whether we heard it or lldpd did.

A neighbour is not to be trusted: of its text, only what can be printed reaches a terminal.
"""

from __future__ import annotations

import datetime
import ipaddress
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._lldp import (
    CHAMELEON_PORT_LEN,
    IPV4_LEN,
    MAC_LEN,
    Frame,
)
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

Neighbor = dict[str, t.Any]

# IEEE 802.1AB-2016 tables 8-2 and 8-3.
CHASSIS_SUBTYPES = {
    1: "chassis_component",
    2: "interface_alias",
    3: "port_component",
    4: "mac_address",
    5: "network_address",
    6: "interface_name",
    7: "local",
}
PORT_SUBTYPES = {
    1: "interface_alias",
    2: "port_component",
    3: "mac_address",
    4: "network_address",
    5: "interface_name",
    6: "agent_circuit_id",
    7: "local",
}
# Table 8-4, from the lowest bit on.
CAPABILITIES = (
    "other",
    "repeater",
    "bridge",
    "wlan_access_point",
    "router",
    "telephone",
    "docsis_cable_device",
    "station",
    "c_vlan_component",
    "s_vlan_component",
    "two_port_mac_relay",
)
FAMILIES = {1: (4, ipaddress.IPv4Address), 2: (16, ipaddress.IPv6Address)}
MAC_FAMILY = 6
SUPPORTED, ENABLED = 1, 2  # bits of autonegotiation
VLAN_SUPPORTED, VLAN_ENABLED = 2, 4
# dot3MauType, IETF RFC 4836 and IANA-MAU-MIB: the last number of a range, and its bits per second.
MBPS, GBPS = 10**6, 10**9
MAU_SPEEDS = (
    (range(1, 14), 10 * MBPS),
    (range(14, 21), 100 * MBPS),
    (range(21, 31), GBPS),
    (range(31, 42), 10 * GBPS),
    (range(44, 47), 100 * MBPS),
    (range(47, 54), GBPS),
    (range(54, 56), 10 * GBPS),
    (range(56, 57), GBPS),
    (range(57, 59), 10 * GBPS),
    (range(70, 75), 40 * GBPS),
    (range(75, 79), 100 * GBPS),
)


def instant(ago_s: float = 0) -> str:
    """Return a time so many seconds ago as results tell it: UTC, in ISO 8601, to the second."""
    when = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago_s)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def nobody(interface: str, heard_at: str) -> Neighbor:
    """Return a neighbour at an interface who has said nothing yet."""
    return {
        "interface": interface,
        "heard_at": heard_at,
        "source": None,
        "shape": "standard",
        "port_description": None,
        "system_name": None,
        "system_description": None,
        "capabilities": None,
        "management_addresses": [],
        "port_vlan_id": None,
        "protocol_vlans": [],
        "vlan_names": {},
        "autonegotiation": None,
        "speed_bps": None,
        "max_frame_size_bytes": None,
        "organizational": [],
    }


def neighbor(interface: str, frame: Frame, heard_at: str) -> Neighbor:
    """Return what a frame that came in by an interface says."""
    found = nobody(interface, heard_at) | {"source": frame.source, "shape": frame.shape}
    for tlv in frame.tlvs:
        for name, value in SAID[type(tlv)](tlv, frame.shape).items():
            if isinstance(value, list):
                found[name] += value
            elif name == "vlan_names":
                found[name] |= value
            else:
                found[name] = value
    return found


def identity(subtypes: dict[int, str], tlv: ChassisId | PortId, shape: str) -> dict[str, str]:
    """Return the kind of an id, and the id as people write it."""
    kind = subtypes.get(tlv.subtype, f"reserved_{tlv.subtype}")
    if kind == "mac_address" and len(tlv.id) == MAC_LEN:
        value = tlv.id.hex(":")
    elif kind == "network_address" and shape == "chameleon" and len(tlv.id) == IPV4_LEN:
        value = str(ipaddress.IPv4Address(tlv.id))
    elif kind == "network_address":
        value = address(tlv.id[0], tlv.id[1:])
    elif kind == "local" and shape == "chameleon" and len(tlv.id) == CHAMELEON_PORT_LEN:
        value = str(int.from_bytes(tlv.id, "big"))
    else:
        value = printable(tlv.id)
    return {"subtype": kind, "value": value}


def address(family: int, packed: bytes) -> str:
    """Return an address of one of IANA's families; one that cannot be read as its numbers."""
    length, read = FAMILIES.get(family, (0, str))
    if length and len(packed) == length:
        return str(read(packed))
    if family == MAC_FAMILY and len(packed) == MAC_LEN:
        return packed.hex(":")
    return f"{family}:0x{packed.hex()}"


def printable(text: bytes) -> str:
    """Return text on one line, in which what no terminal should get is escaped as Python does."""
    return escaped(text.decode(errors="backslashreplace"))


def escaped(text: str) -> str:
    """Return text with the escapes of printable()."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def capabilities(bits: int) -> list[str]:
    return [name for number, name in enumerate(CAPABILITIES) if bits >> number & 1]


def speed_bps(mau_type: int) -> int | None:
    return next((speed for mau_types, speed in MAU_SPEEDS if mau_type in mau_types), None)


def _capable(tlv: SystemCapabilities) -> dict[str, list[str]]:
    return {"available": capabilities(tlv.available), "enabled": capabilities(tlv.enabled)}


def _protocol_vlan(tlv: ProtocolVlanId) -> dict[str, t.Any]:
    supported, enabled = bool(tlv.flags & VLAN_SUPPORTED), bool(tlv.flags & VLAN_ENABLED)
    return {"vlan_id": tlv.vlan_id, "supported": supported, "enabled": enabled}


def _modes(tlv: MacPhy) -> dict[str, bool]:
    return {
        "supported": bool(tlv.autonegotiation & SUPPORTED),
        "enabled": bool(tlv.autonegotiation & ENABLED),
    }


def _foreign(tlv: Organizational) -> dict[str, t.Any]:
    return {"oui": tlv.oui.hex(":"), "subtype": tlv.subtype, "info_hex": tlv.info.hex()}


# What each TLV adds to a neighbour; lists and dicts are added to what is there.
SAID: dict[type, t.Callable[[t.Any, str], Neighbor]] = {
    ChassisId: lambda tlv, shape: {"chassis_id": identity(CHASSIS_SUBTYPES, tlv, shape)},
    PortId: lambda tlv, shape: {"port_id": identity(PORT_SUBTYPES, tlv, shape)},
    TimeToLive: lambda tlv, _shape: {"ttl_s": tlv.seconds},
    PortDescription: lambda tlv, _shape: {"port_description": printable(tlv.text)},
    SystemName: lambda tlv, _shape: {"system_name": printable(tlv.text)},
    SystemDescription: lambda tlv, _shape: {"system_description": printable(tlv.text)},
    SystemCapabilities: lambda tlv, _shape: {"capabilities": _capable(tlv)},
    ManagementAddress: lambda tlv, _shape: {"management_addresses": [address(tlv.family, tlv.address)]},
    PortVlanId: lambda tlv, _shape: {"port_vlan_id": tlv.vlan_id or None},
    ProtocolVlanId: lambda tlv, _shape: {"protocol_vlans": [_protocol_vlan(tlv)]},
    VlanName: lambda tlv, _shape: {"vlan_names": {str(tlv.vlan_id): printable(tlv.name)}},
    MacPhy: lambda tlv, _shape: {"autonegotiation": _modes(tlv), "speed_bps": speed_bps(tlv.mau_type)},
    MaxFrameSize: lambda tlv, _shape: {"max_frame_size_bytes": tlv.size_bytes},
    Organizational: lambda tlv, _shape: {"organizational": [_foreign(tlv)]},
    Reserved: lambda _tlv, _shape: {},
}
