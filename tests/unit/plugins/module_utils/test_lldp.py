# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LLDP frames: without loss from values to bytes and back, refused with a place when they are malformed."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_tlv
from ansible_collections.detnet.testbed.plugins.module_utils._lldp import Frame
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import (
    ChassisId,
    LldpError,
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
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib import lldp as peer
from scapy.layers.l2 import Ether

SOURCE = "02:00:00:00:00:01"
NEAREST = _lldp.GROUPS["nearest_bridge"]
HEADER = bytes.fromhex("0180c200000e02000000000188cc")
CHASSIS, PORT, TTL = (bytes.fromhex(text) for text in ("0207040200000000aa", "04050565746831", "06020078"))
FIRST = (ChassisId(4, b"\x02" + bytes(5)), PortId(5, b"eth1"), TimeToLive(120))
OPEN = HEADER + CHASSIS + PORT + TTL  # without its end
WHOLE = OPEN + bytes(2)

octet = st.integers(0, 0xFF)
two = st.integers(0, 0xFFFF)


def of(tlv: type, **fields: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return st.builds(tlv, **fields)


identity = {"subtype": octet, "id": st.binary(min_size=1, max_size=255)}
mandatory = st.tuples(of(ChassisId, **identity), of(PortId, **identity), of(TimeToLive, seconds=two))
text = st.binary(max_size=255)
optional = st.one_of(
    of(PortDescription, text=text),
    of(SystemName, text=text),
    of(SystemDescription, text=text),
    of(SystemCapabilities, available=two, enabled=two),
    of(
        ManagementAddress,
        family=octet,
        address=st.binary(min_size=1, max_size=31),
        interface_subtype=octet,
        interface_number=st.integers(0, 0xFFFFFFFF),
        oid=st.binary(max_size=128),
    ),
    of(PortVlanId, vlan_id=two),
    of(ProtocolVlanId, flags=octet, vlan_id=two),
    of(VlanName, vlan_id=two, name=st.binary(max_size=32)),
    of(MacPhy, autonegotiation=octet, advertised=two, mau_type=two),
    of(MaxFrameSize, size_bytes=two),
    of(
        Organizational, oui=st.binary(min_size=3, max_size=3), subtype=octet, info=st.binary(max_size=507)
    ).filter(lambda tlv: (tlv.oui, tlv.subtype) not in _lldp_tlv.OF_ORGANIZATION),
    of(Reserved, type=st.integers(9, 126), data=st.binary(max_size=511)),
)
mac = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
frames = st.builds(
    lambda source, destination, first, others: Frame(source, destination, (*first, *others)),
    mac,
    mac,
    mandatory,
    st.lists(optional, max_size=2),
)


@given(frames)
def test_what_was_encoded_is_decoded(frame: Frame) -> None:
    data = _lldp.encode(frame)
    assert len(data) >= 60
    assert _lldp.decode(data) == frame
    assert _lldp.encode(_lldp.decode(data)) == data


@given(st.binary(max_size=200), st.integers(0, 4))
def test_any_bytes_are_a_frame_or_refused_with_their_place(data: bytes, begin: int) -> None:
    data = (b"", HEADER, HEADER + CHASSIS, HEADER + CHASSIS + PORT, OPEN)[begin] + data
    try:
        frame = _lldp.decode(data)
    except LldpError as exc:
        place = exc.offset
    else:
        assert _lldp.decode(_lldp.encode(frame)) == frame
        return
    assert place is not None
    assert 0 <= place <= len(data)


@pytest.mark.parametrize(
    ("data", "offset", "why"),
    [
        pytest.param(b"", 0, "bytes, not 14 to 1514", id="nothing"),
        pytest.param(WHOLE[:13], 13, "bytes, not 14 to 1514", id="short"),
        pytest.param(WHOLE[:12] + b"\x08\x00", 12, "EtherType is 0x0800", id="something-else"),
        pytest.param(OPEN.ljust(1515, b"\0"), 1514, "has 1515 bytes, not 14 to 1514", id="long"),
        pytest.param(HEADER, 14, "no chassis id", id="no-tlv"),
        pytest.param(HEADER + b"\x02", 14, "within the header", id="half-a-header"),
        pytest.param(HEADER + bytes(46), 14, "no chassis id", id="ended-at-once"),
        pytest.param(HEADER + PORT, 14, "TLV 1 is the port id, not the chassis id", id="port-first"),
        pytest.param(HEADER + CHASSIS + TTL, 23, "TLV 2 is the time to live", id="no-port"),
        pytest.param(HEADER + CHASSIS + PORT, 30, "no time to live", id="no-time-to-live"),
        pytest.param(OPEN + CHASSIS, 34, "the chassis id comes twice", id="two-chassis-ids"),
        pytest.param(OPEN + b"\x00\x01\x00", 34, "has 1 bytes, not 0", id="a-long-end"),
        pytest.param(HEADER + b"\x03\xff" + bytes(100), 14, "has 511 bytes, and 100 are left", id="beyond-the-end"),
        pytest.param(HEADER + b"\x02\x01\x04", 17, "has 0 bytes here, not 1 to 255", id="an-empty-chassis-id"),
        pytest.param(HEADER + b"\x02\x00", 16, "ends within a field", id="a-chassis-id-without-subtype"),
        pytest.param(HEADER + b"\x03\x01\x04" + bytes(256), 17, "has 256 bytes here", id="a-long-chassis-id"),
        pytest.param(HEADER + CHASSIS + PORT + b"\x06\x03\x00\x78\x00", 34, "1 bytes too many", id="long-ttl"),
        pytest.param(OPEN + b"\x10\x01\x01", 36, "is 1, not 2 to 32", id="an-empty-management-address"),
        pytest.param(OPEN + b"\x10\x01\x21", 36, "is 33, not 2 to 32", id="a-long-management-address"),
        pytest.param(OPEN + b"\x10\x08\x02\x01\x0a" + bytes(4) + b"\x01", 44, "field of 1 bytes", id="a-short-one"),
        pytest.param(OPEN + b"\xfe\x02\x00\x80", 36, "field of 3 bytes", id="half-an-organization"),
        pytest.param(OPEN + b"\xfe\x07\x00\x80\xc2\x03\x00\x01\x21", 42, "is 33, above 32", id="a-long-vlan-name"),
    ],
)  # fmt: skip
def test_malformed(data: bytes, offset: int, why: str) -> None:
    with pytest.raises(LldpError, match=why) as caught:
        _lldp.decode(data)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("tlv", "why"),
    [
        pytest.param(ChassisId(4, b""), "the chassis id has 0 bytes", id="empty"),
        pytest.param(ChassisId(256, b"a"), "subtype is 256", id="subtype"),
        pytest.param(PortDescription(b"a" * 256), "the port description has 256 bytes", id="text"),
        pytest.param(TimeToLive(65536), "the time to live is 65536", id="large"),
        pytest.param(TimeToLive(-1), "the time to live is -1", id="negative"),
        pytest.param(Reserved(8, b""), "the type 8 is not reserved", id="not-reserved"),
        pytest.param(Reserved(128, b""), "the type is 128", id="no-such-type"),
        pytest.param(
            Organizational(b"\x00\x80\xc2", 1, b""), "a value of its own", id="port-vlan-id-in-bytes"
        ),
        pytest.param(Organizational(b"\x00", 1, b""), "identifier has 1 bytes", id="half-an-organization"),
    ],
)
def test_values_that_no_tlv_has(tlv: t.Any, why: str) -> None:
    with pytest.raises(LldpError, match=why):
        _lldp_tlv.encode(tlv)


@pytest.mark.parametrize(
    ("tlvs", "why"),
    [
        pytest.param((), "there is no chassis id", id="none"),
        pytest.param(FIRST[1:], "TLV 1 is the port id", id="no-chassis-id"),
        pytest.param(FIRST[:2], "there is no time to live", id="no-time-to-live"),
        pytest.param((*FIRST, TimeToLive(1)), "the time to live comes twice", id="again"),
        pytest.param((*FIRST, *[PortDescription(b"a" * 255)] * 6), "above 1514", id="too-long"),
    ],
)
def test_tlvs_that_are_no_frame(tlvs: tuple[t.Any, ...], why: str) -> None:
    with pytest.raises(LldpError, match=why):
        _lldp.encode(Frame(SOURCE, NEAREST, tlvs))


@pytest.mark.parametrize("wrong", ["", "02:00:00:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:01:02"])
def test_no_mac_address(wrong: str) -> None:
    with pytest.raises(LldpError, match="is no MAC address"):
        _lldp.encode(Frame(wrong, NEAREST, FIRST))


def test_the_frame_of_the_chameleon_contract() -> None:
    frame = _lldp.chameleon(SOURCE, "10.0.0.1")
    assert _lldp.encode(frame) == (HEADER + bytes.fromhex("0205050a0000010403070000060200780000")).ljust(
        60, b"\0"
    )
    assert frame.shape == "chameleon"
    assert _lldp.decode(_lldp.encode(frame)) == frame


@pytest.mark.parametrize(("address", "port"), [("10.0.0", 0), ("::1", 0), ("10.0.0.1", 65536)])
def test_what_the_chameleon_frame_cannot_say(address: str, port: int) -> None:
    with pytest.raises(LldpError):
        _lldp.chameleon(SOURCE, address, port)


@pytest.mark.parametrize("id_", [b"\x01\x0a\x00\x00\x01", b"\x02" + bytes(16)])
def test_a_network_address_with_its_family_is_standard(id_: bytes) -> None:
    assert Frame(SOURCE, NEAREST, (ChassisId(5, id_), PortId(5, b"a"), TimeToLive(1))).shape == "standard"


def test_scapy_reads_what_we_write() -> None:
    tlvs = (
        ChassisId(4, bytes.fromhex("020000000001")),
        PortId(5, b"eth1"),
        TimeToLive(120),
        PortDescription(b"to s1"),
        SystemName(b"alpha"),
        SystemDescription(b"Debian"),
        SystemCapabilities(0x14, 0x04),
        ManagementAddress(1, bytes([10, 0, 0, 1]), 2, 7),
    )
    layers = Ether(_lldp.encode(Frame(SOURCE, NEAREST, tlvs)))
    assert layers.dst == NEAREST
    assert layers[peer.LLDPDUChassisID].id == "02:00:00:00:00:01"
    assert layers[peer.LLDPDUPortID].id == b"eth1"
    assert layers[peer.LLDPDUTimeToLive].ttl == 120
    assert layers[peer.LLDPDUPortDescription].description == b"to s1"
    assert layers[peer.LLDPDUSystemName].system_name == b"alpha"
    assert layers[peer.LLDPDUSystemDescription].description == b"Debian"
    assert layers[peer.LLDPDUSystemCapabilities].mac_bridge_enabled == 1
    assert layers[peer.LLDPDUManagementAddress].management_address == bytes([10, 0, 0, 1])
    assert layers.haslayer(peer.LLDPDUEndOfLLDPDU)


def test_we_read_what_scapy_writes() -> None:
    data = bytes(
        Ether(src=SOURCE, dst=NEAREST)
        / peer.LLDPDUChassisID(subtype=5, family=1, id="10.0.0.1")
        / peer.LLDPDUPortID(subtype=3, id="02:00:00:00:00:07")
        / peer.LLDPDUTimeToLive(ttl=30)
        / peer.LLDPDUSystemName(system_name="s1")
        / peer.LLDPDUManagementAddress(
            management_address_subtype=1, management_address=bytes([10, 0, 0, 9]), interface_number=3
        )
        / peer.LLDPDUEndOfLLDPDU()
    )
    frame = _lldp.decode(data)
    assert frame == Frame(
        SOURCE,
        NEAREST,
        (
            ChassisId(5, bytes([1, 10, 0, 0, 1])),
            PortId(3, bytes.fromhex("020000000007")),
            TimeToLive(30),
            SystemName(b"s1"),
            ManagementAddress(1, bytes([10, 0, 0, 9]), frame.tlvs[-1].interface_subtype, 3),  # type: ignore[union-attr]
        ),
    )
