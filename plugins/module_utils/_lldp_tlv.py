# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLVs of LLDP: each a value, from bytes and back, without loss.

IEEE 802.1AB-2016 clause 8 has their format and the basic set, IEEE 802.1Q-2018 annex D those of 802.1, IEEE 802.3-2018
clause 79 those of 802.3. Text and addresses stay the bytes that they are: they come from others.
"""

from __future__ import annotations

import dataclasses
import struct
import typing as t

ORGANIZATION = 127
TYPE_MAX, LENGTH_MAX = 127, 511
OUI_8021, OUI_8023 = b"\x00\x80\xc2", b"\x00\x12\x0f"
ID_MAX, TEXT_MAX, ADDRESS_MAX, OID_MAX, VLAN_NAME_MAX, ORGANIZATION_VALUE_MAX = 255, 255, 31, 128, 32, 507


class LldpError(Exception):
    """What is wrong with bytes or values. offset counts from the frame's start; None where values are encoded."""

    def __init__(self, why: str, offset: int | None = None) -> None:
        super().__init__(why if offset is None else f"{why} (byte {offset})")
        self.offset = offset


class Reader:
    """Takes fields from the front of bytes, which begin at offset of a frame. Raises LldpError when they end early."""

    def __init__(self, data: bytes, offset: int, what: str) -> None:
        self.data, self.offset, self.what = data, offset, what
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    @property
    def place(self) -> int:
        """Return the offset of what is taken next."""
        return self.offset + self.at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise LldpError(f"{self.what} ends within a field of {count} bytes", self.place)
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def rest(self, least: int, most: int) -> bytes:
        if not least <= self.left <= most:
            raise LldpError(f"{self.what} has {self.left} bytes here, not {least} to {most}", self.place)
        return self.take(self.left)

    def end(self) -> None:
        if self.left:
            raise LldpError(f"{self.what} has {self.left} bytes too many", self.place)


def number(value: int, count: int, what: str) -> bytes:
    """Return a field of count bytes. Raises LldpError."""
    if not 0 <= value < 1 << (8 * count):
        raise LldpError(f"{what} is {value}, which is not within 0 to {(1 << (8 * count)) - 1}")
    return value.to_bytes(count, "big")


def some(value: bytes, least: int, most: int, what: str) -> bytes:
    """Return a field of least to most bytes. Raises LldpError."""
    if not least <= len(value) <= most:
        raise LldpError(f"{what} has {len(value)} bytes, not {least} to {most}")
    return value


class Tlv(t.Protocol):
    """One TLV. Its value is what follows type and length, and what says which one of an organization it is."""

    NAME: t.ClassVar[str]

    @classmethod
    def parse(cls, reader: Reader) -> Tlv:
        """Return the TLV of a value. Raises LldpError; what the reader has left is too much."""

    def value(self) -> bytes:
        """Return its value. Raises LldpError."""


@dataclasses.dataclass(frozen=True)
class ChassisId:
    """8.5.2; subtypes are those of CHASSIS_SUBTYPES. A network address begins with its family."""

    NAME: t.ClassVar[str] = "chassis id"
    subtype: int
    id: bytes

    @classmethod
    def parse(cls, reader: Reader) -> ChassisId:
        return cls(reader.number(1), reader.rest(1, ID_MAX))

    def value(self) -> bytes:
        return number(self.subtype, 1, "the chassis id's subtype") + some(
            self.id, 1, ID_MAX, "the chassis id"
        )


@dataclasses.dataclass(frozen=True)
class PortId:
    """8.5.3; subtypes are those of PORT_SUBTYPES."""

    NAME: t.ClassVar[str] = "port id"
    subtype: int
    id: bytes

    @classmethod
    def parse(cls, reader: Reader) -> PortId:
        return cls(reader.number(1), reader.rest(1, ID_MAX))

    def value(self) -> bytes:
        return number(self.subtype, 1, "the port id's subtype") + some(self.id, 1, ID_MAX, "the port id")


@dataclasses.dataclass(frozen=True)
class TimeToLive:
    """8.5.4; 0: who sends it goes away."""

    NAME: t.ClassVar[str] = "time to live"
    seconds: int

    @classmethod
    def parse(cls, reader: Reader) -> TimeToLive:
        return cls(reader.number(2))

    def value(self) -> bytes:
        return number(self.seconds, 2, "the time to live")


@dataclasses.dataclass(frozen=True)
class Text:
    """8.5.5 to 8.5.7: port description, system name, system description."""

    NAME: t.ClassVar[str] = "text"
    text: bytes

    @classmethod
    def parse(cls, reader: Reader) -> t.Self:
        return cls(reader.rest(0, TEXT_MAX))

    def value(self) -> bytes:
        return some(self.text, 0, TEXT_MAX, f"the {self.NAME}")


class PortDescription(Text):
    NAME = "port description"


class SystemName(Text):
    NAME = "system name"


class SystemDescription(Text):
    NAME = "system description"


@dataclasses.dataclass(frozen=True)
class SystemCapabilities:
    """8.5.8; bits of CAPABILITIES."""

    NAME: t.ClassVar[str] = "system capabilities"
    available: int
    enabled: int

    @classmethod
    def parse(cls, reader: Reader) -> SystemCapabilities:
        return cls(reader.number(2), reader.number(2))

    def value(self) -> bytes:
        return number(self.available, 2, "what the system can do") + number(
            self.enabled, 2, "what the system does"
        )


@dataclasses.dataclass(frozen=True)
class ManagementAddress:
    """8.5.9; family: IANA's address family numbers, 1 IPv4, 2 IPv6, 6 a MAC address."""

    NAME: t.ClassVar[str] = "management address"
    family: int
    address: bytes
    interface_subtype: int = 1  # unknown
    interface_number: int = 0
    oid: bytes = b""

    @classmethod
    def parse(cls, reader: Reader) -> ManagementAddress:
        length_at, length = reader.place, reader.number(1)
        if not 2 <= length <= ADDRESS_MAX + 1:
            raise LldpError(
                f"the length of a management address is {length}, not 2 to {ADDRESS_MAX + 1}", length_at
            )
        family, address = reader.number(1), reader.take(length - 1)
        subtype, interface = reader.number(1), reader.number(4)
        oid_at, oid_length = reader.place, reader.number(1)
        if oid_length > OID_MAX:
            raise LldpError(f"the length of an object identifier is {oid_length}, above {OID_MAX}", oid_at)
        return cls(family, address, subtype, interface, reader.take(oid_length))

    def value(self) -> bytes:
        address = some(self.address, 1, ADDRESS_MAX, "the management address")
        oid = some(self.oid, 0, OID_MAX, "the object identifier")
        return b"".join((
            number(len(address) + 1, 1, "the address' length"),
            number(self.family, 1, "the address' family"),
            address,
            number(self.interface_subtype, 1, "the interface's subtype"),
            number(self.interface_number, 4, "the interface's number"),
            number(len(oid), 1, "the object identifier's length"),
            oid,
        ))  # fmt: skip


@dataclasses.dataclass(frozen=True)
class PortVlanId:
    """802.1Q D.2.1; 0: the port has none."""

    NAME: t.ClassVar[str] = "port VLAN id"
    vlan_id: int

    @classmethod
    def parse(cls, reader: Reader) -> PortVlanId:
        return cls(reader.number(2))

    def value(self) -> bytes:
        return number(self.vlan_id, 2, "the port's VLAN id")


@dataclasses.dataclass(frozen=True)
class ProtocolVlanId:
    """802.1Q D.2.2, port and protocol VLAN id; flags: 2 supported, 4 enabled."""

    NAME: t.ClassVar[str] = "port and protocol VLAN id"
    flags: int
    vlan_id: int

    @classmethod
    def parse(cls, reader: Reader) -> ProtocolVlanId:
        return cls(reader.number(1), reader.number(2))

    def value(self) -> bytes:
        return number(self.flags, 1, "the protocol VLAN's flags") + number(
            self.vlan_id, 2, "the protocol's VLAN id"
        )


@dataclasses.dataclass(frozen=True)
class VlanName:
    """802.1Q D.2.3."""

    NAME: t.ClassVar[str] = "VLAN name"
    vlan_id: int
    name: bytes

    @classmethod
    def parse(cls, reader: Reader) -> VlanName:
        vlan_id, length_at, length = reader.number(2), reader.place, reader.number(1)
        if length > VLAN_NAME_MAX:
            raise LldpError(f"the length of a VLAN's name is {length}, above {VLAN_NAME_MAX}", length_at)
        return cls(vlan_id, reader.take(length))

    def value(self) -> bytes:
        name = some(self.name, 0, VLAN_NAME_MAX, "the VLAN's name")
        return number(self.vlan_id, 2, "the VLAN's id") + number(len(name), 1, "the name's length") + name


@dataclasses.dataclass(frozen=True)
class MacPhy:
    """802.3 79.3.1; autonegotiation: 1 supported, 2 enabled. mau_type: dot3MauType of IETF RFC 4836."""

    NAME: t.ClassVar[str] = "MAC/PHY configuration"
    autonegotiation: int
    advertised: int
    mau_type: int

    @classmethod
    def parse(cls, reader: Reader) -> MacPhy:
        return cls(reader.number(1), reader.number(2), reader.number(2))

    def value(self) -> bytes:
        return b"".join((
            number(self.autonegotiation, 1, "the autonegotiation"),
            number(self.advertised, 2, "what is advertised"),
            number(self.mau_type, 2, "the MAU's type"),
        ))  # fmt: skip


@dataclasses.dataclass(frozen=True)
class MaxFrameSize:
    """802.3 79.3.4: with header and FCS."""

    NAME: t.ClassVar[str] = "maximum frame size"
    size_bytes: int

    @classmethod
    def parse(cls, reader: Reader) -> MaxFrameSize:
        return cls(reader.number(2))

    def value(self) -> bytes:
        return number(self.size_bytes, 2, "the maximum frame size")


@dataclasses.dataclass(frozen=True)
class Organizational:
    """8.6: one of an organization that is not read here."""

    NAME: t.ClassVar[str] = "organizationally specific"
    oui: bytes
    subtype: int
    info: bytes

    @classmethod
    def parse(cls, reader: Reader) -> Organizational:
        return cls(reader.take(3), reader.number(1), reader.rest(0, ORGANIZATION_VALUE_MAX))

    def value(self) -> bytes:
        return b"".join((
            some(self.oui, 3, 3, "the organization's identifier"),
            number(self.subtype, 1, "the organization's subtype"),
            some(self.info, 0, ORGANIZATION_VALUE_MAX, "the organization's information"),
        ))  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Reserved:
    """A type that the standard keeps for later: it is passed over (9.2.7.7.2)."""

    NAME: t.ClassVar[str] = "reserved"
    type: int
    data: bytes


BASIC: dict[int, type[Tlv]] = {
    1: ChassisId,
    2: PortId,
    3: TimeToLive,
    4: PortDescription,
    5: SystemName,
    6: SystemDescription,
    7: SystemCapabilities,
    8: ManagementAddress,
}
OF_ORGANIZATION: dict[tuple[bytes, int], type[Tlv]] = {
    (OUI_8021, 1): PortVlanId,
    (OUI_8021, 2): ProtocolVlanId,
    (OUI_8021, 3): VlanName,
    (OUI_8023, 1): MacPhy,
    (OUI_8023, 4): MaxFrameSize,
}
TYPES: dict[type, int] = {kind: type_ for type_, kind in BASIC.items()}
ORGANIZATIONS: dict[type, bytes] = {
    kind: oui + bytes([subtype]) for (oui, subtype), kind in OF_ORGANIZATION.items()
}
HEADER = struct.Struct("!H")
END = 0


def encode(tlv: Tlv | Reserved) -> bytes:
    """Return the bytes of a TLV. Raises LldpError for a value that does not fit."""
    kind = type(tlv)
    if isinstance(tlv, Reserved):
        if tlv.type in (END, ORGANIZATION, *BASIC):
            raise LldpError(f"the type {tlv.type} is not reserved")
        number_of_type, value = tlv.type, tlv.data
    elif kind in TYPES:
        number_of_type, value = TYPES[kind], tlv.value()
    else:
        number_of_type, value = ORGANIZATION, ORGANIZATIONS.get(kind, b"") + tlv.value()
        if isinstance(tlv, Organizational) and (tlv.oui, tlv.subtype) in OF_ORGANIZATION:
            name = OF_ORGANIZATION[tlv.oui, tlv.subtype].NAME
            raise LldpError(f"{tlv.oui.hex(':')} {tlv.subtype} is the {name}, which has a value of its own")
    if not 0 < number_of_type <= TYPE_MAX:
        raise LldpError(f"the type is {number_of_type}, not 1 to {TYPE_MAX}")
    return HEADER.pack(number_of_type << 9 | len(some(value, 0, LENGTH_MAX, f"the {tlv.NAME}"))) + value


def decode(number_of_type: int, value: bytes, offset: int) -> Tlv | Reserved:
    """Return the TLV of a type with a value, which begins at offset of its frame. Raises LldpError."""
    kind = BASIC.get(number_of_type)
    if kind is None and number_of_type != ORGANIZATION:
        return Reserved(number_of_type, value)
    reader = Reader(value, offset, f"the TLV {kind.NAME if kind else Organizational.NAME}")
    if kind is None:
        kind = OF_ORGANIZATION.get((value[:3], value[3] if len(value) > 3 else -1))
        if kind:
            reader.what = f"the TLV {kind.NAME}"
            reader.take(4)
        else:
            kind = Organizational
    found = kind.parse(reader)
    reader.end()
    return found
