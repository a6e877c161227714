# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LLDP frames, from bytes and back: those of IEEE 802.1AB, and those that a Chameleon controller reads."""

from __future__ import annotations

import dataclasses
import ipaddress

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp_tlv
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import (
    ChassisId,
    LldpError,
    ManagementAddress,
    PortDescription,
    PortId,
    Reserved,
    SystemName,
    TimeToLive,
    Tlv,
)

ETHERTYPE = 0x88CC
# IEEE 802.1AB-2016 table 7-1: who forwards it least comes first.
GROUPS = {
    "nearest_bridge": "01:80:c2:00:00:0e",
    "nearest_non_tpmr_bridge": "01:80:c2:00:00:03",
    "nearest_customer_bridge": "01:80:c2:00:00:00",
}
MAC_LEN, HEADER_LEN = 6, 14
FRAME_MIN, FRAME_MAX = 60, 1514  # bytes, without FCS
MANDATORY = (ChassisId, PortId, TimeToLive)  # in this order, and once

# Subtypes and families that are written here; _lldp_neighbor has all.
MAC_ADDRESS_OF_CHASSIS, INTERFACE_NAME_OF_PORT = 4, 5
FAMILIES = {4: 1, 6: 2}  # IANA's number of an address family, by IP's version
NETWORK_ADDRESS, LOCALLY_ASSIGNED = 5, 7
CHAMELEON_TTL_S = 120
# A Chameleon controller writes no address family before the four bytes of an IPv4 address.
IPV4_LEN, CHAMELEON_PORT_LEN = 4, 2


@dataclasses.dataclass(frozen=True)
class Frame:
    """An LLDP frame: MAC addresses as text, and its TLVs without the one that ends them."""

    source: str
    destination: str
    tlvs: tuple[Tlv | Reserved, ...]

    @property
    def shape(self) -> str:
        """Return "chameleon" if its chassis id is an IPv4 address without a family, which the standard has not."""
        chassis = self.tlvs[0]
        if (
            isinstance(chassis, ChassisId)
            and chassis.subtype == NETWORK_ADDRESS
            and len(chassis.id) == IPV4_LEN
        ):
            return "chameleon"
        return "standard"


def chameleon(source: str, address: str, port: int = 0, ttl_s: int = CHAMELEON_TTL_S) -> Frame:
    """Return the frame by which an end host with an IPv4 address is known to a Chameleon controller.

    The source is seed 000, which the contract of the Chameleon end host describes. port 0 is a server's.
    Raises LldpError.
    """
    try:
        packed = ipaddress.IPv4Address(address).packed
    except ValueError as exc:
        raise LldpError(f"{address!r} is no IPv4 address") from exc
    chassis = ChassisId(NETWORK_ADDRESS, packed)
    port_id = PortId(LOCALLY_ASSIGNED, _lldp_tlv.number(port, CHAMELEON_PORT_LEN, "the port"))
    return Frame(source, GROUPS["nearest_bridge"], (chassis, port_id, TimeToLive(ttl_s)))


def standard(
    source: str,
    port_id: str,
    *,
    ttl_s: int,
    system_name: str,
    chassis_id: str | None = None,
    port_description: str | None = None,
    management_address: str | None = None,
) -> Frame:
    """Return the frame by which a node says who is at an interface of it. Raises LldpError.

    source: the interface's MAC address, which is the chassis too unless chassis_id, a MAC address, is given.
    port_id: the interface's name.
    """
    tlvs: list[Tlv] = [
        ChassisId(MAC_ADDRESS_OF_CHASSIS, _mac(chassis_id or source)),
        PortId(INTERFACE_NAME_OF_PORT, port_id.encode()),
        TimeToLive(ttl_s),
    ]
    if port_description is not None:
        tlvs.append(PortDescription(port_description.encode()))
    tlvs.append(SystemName(system_name.encode()))
    if management_address is not None:
        try:
            address = ipaddress.ip_address(management_address)
        except ValueError as exc:
            raise LldpError(f"{management_address!r} is no IP address") from exc
        tlvs.append(ManagementAddress(FAMILIES[address.version], address.packed))
    return Frame(source, GROUPS["nearest_bridge"], tuple(tlvs))


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame, with zeros up to the shortest one of Ethernet. Raises LldpError."""
    places = (_misplaced(index, type(tlv)) for index, tlv in enumerate(frame.tlvs))
    if wrong := next(filter(None, places), _missing(len(frame.tlvs))):
        raise LldpError(wrong)
    header = _mac(frame.destination) + _mac(frame.source) + ETHERTYPE.to_bytes(2, "big")
    data = b"".join((header, *map(_lldp_tlv.encode, frame.tlvs), bytes(2)))
    if len(data) > FRAME_MAX:
        raise LldpError(f"the frame has {len(data)} bytes, above {FRAME_MAX}")
    return data.ljust(FRAME_MIN, b"\0")


def decode(data: bytes) -> Frame:
    """Return the frame of bytes. Raises LldpError for all that IEEE 802.1AB-2016 9.2.7.7 discards."""
    if not HEADER_LEN <= len(data) <= FRAME_MAX:
        why = f"the frame has {len(data)} bytes, not {HEADER_LEN} to {FRAME_MAX}"
        raise LldpError(why, min(len(data), FRAME_MAX))
    if int.from_bytes(data[12:HEADER_LEN], "big") != ETHERTYPE:
        raise LldpError(f"the EtherType is 0x{data[12:HEADER_LEN].hex()}, not 0x{ETHERTYPE:04x}", 12)
    tlvs: list[Tlv | Reserved] = []
    at = HEADER_LEN
    while at < len(data):
        if at + 2 > len(data):
            raise LldpError("the frame ends within the header of a TLV", at)
        header = int.from_bytes(data[at : at + 2], "big")
        kind, length = header >> 9, header & _lldp_tlv.LENGTH_MAX
        value_at = at + 2
        if kind == _lldp_tlv.END:
            if length:
                raise LldpError(f"the TLV that ends has {length} bytes, not 0", at)
            break
        if value_at + length > len(data):
            raise LldpError(
                f"a TLV of type {kind} has {length} bytes, and {len(data) - value_at} are left", at
            )
        tlv = _lldp_tlv.decode(kind, data[value_at : value_at + length], value_at)
        if wrong := _misplaced(len(tlvs), type(tlv)):
            raise LldpError(wrong, at)
        tlvs.append(tlv)
        at = value_at + length
    if wrong := _missing(len(tlvs)):
        raise LldpError(wrong, at)
    return Frame(data[MAC_LEN:12].hex(":"), data[:MAC_LEN].hex(":"), tuple(tlvs))


def _misplaced(index: int, kind: type[Tlv | Reserved]) -> str | None:
    """Return what is wrong with a kind of TLV at an index, from 0."""
    if index < len(MANDATORY) and kind is not MANDATORY[index]:
        return f"TLV {index + 1} is the {kind.NAME}, not the {MANDATORY[index].NAME}"
    if index >= len(MANDATORY) and kind in MANDATORY:
        return f"the {kind.NAME} comes twice"
    return None


def _missing(count: int) -> str | None:
    """Return what a frame of so many TLVs lacks."""
    return f"there is no {MANDATORY[count].NAME}" if count < len(MANDATORY) else None


def _mac(text: str) -> bytes:
    try:
        packed = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        packed = b""
    if len(packed) != MAC_LEN:
        raise LldpError(f"{text!r} is no MAC address")
    return packed
