# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets of one flow in pcap files: their tags, their number, and when those of a burst came."""

from __future__ import annotations

import collections
import ipaddress
import traceback
import typing as t
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils._datagram import HEADER
from ansible_collections.detnet.testbed.plugins.module_utils._rule import PROTOCOL_NAMES

try:
    from scapy.error import Scapy_Exception
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.utils import RawPcapReader
except ImportError:
    SCAPY_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    SCAPY_IMPORT_ERROR = None

MAC_PAIR_BYTES = 12
TAG_BYTES = 4
PCAP_HEADER_BYTES = 24
FRAME_HEADER_BYTES = 16
UDP_HEADER_BYTES = 8

Seen = dict[str, t.Any]  # at, path, frames_total, stacks: {vlan_stack_hex: frames}


class JourneyError(Exception):
    """A capture that cannot be read, or that does not show one tag stack."""


class Packet(t.NamedTuple):
    """A packet of a flow, and the tags in front of it."""

    vlan_stack: bytes
    payload: bytes  # of UDP; nothing of other protocols


class Flow(t.NamedTuple):
    """One direction of a flow; destination port 0 stands for every port."""

    source_ip: str
    destination_ip: str
    protocol: int
    destination_port: int

    def read(self, frame: bytes) -> Packet | None:
        """Return the flow's packet in a frame, None for a frame of another flow."""
        # Both addresses stand side by side in the IPv4 header: a cheap look before the dissection.
        pair = (
            ipaddress.IPv4Address(self.source_ip).packed + ipaddress.IPv4Address(self.destination_ip).packed
        )
        if pair not in frame:
            return None
        layer, tags = Ether(frame).payload, 0
        while isinstance(layer, Dot1Q):
            layer, tags = layer.payload, tags + 1
        if not isinstance(layer, IP) or not self._has(layer):
            return None
        stack = frame[MAC_PAIR_BYTES : MAC_PAIR_BYTES + tags * TAG_BYTES]
        # A short frame is padded behind the datagram, whose own length counts.
        udp = layer.payload if isinstance(layer.payload, UDP) else None
        return Packet(stack, bytes(udp.payload)[: udp.len - UDP_HEADER_BYTES] if udp else b"")

    def _has(self, packet: t.Any) -> bool:
        if (packet.src, packet.dst, packet.proto) != (self.source_ip, self.destination_ip, self.protocol):
            return False
        return not self.destination_port or getattr(packet.payload, "dport", None) == self.destination_port

    def __str__(self) -> str:
        port = f":{self.destination_port}" if self.destination_port else ""
        return f"{PROTOCOL_NAMES.get(self.protocol, self.protocol)} {self.source_ip} > {self.destination_ip}{port}"


def frames_of(path: Path) -> t.Iterator[tuple[bytes, int]]:
    """Yield the frames of a pcap file with their times in ns.

    Raises JourneyError if it is none or ends within a frame.
    """
    try:
        size, read = path.stat().st_size, PCAP_HEADER_BYTES
        with RawPcapReader(str(path)) as reader:
            to_ns = 1 if reader.nano else 1000
            for frame, header in reader:
                read += FRAME_HEADER_BYTES + header.caplen
                yield frame, header.sec * 10**9 + header.usec * to_ns
    except (OSError, Scapy_Exception) as exc:
        raise JourneyError(f"{path} cannot be read: {exc}; repeat the capture") from exc
    if read != size:
        raise JourneyError(
            f"{path} ends within a frame ({size} bytes, whole frames {read}); repeat the capture"
        )


def look(at: str, path: Path, flow: Flow, payload_bytes: int = 0) -> Seen:
    """Return what one point saw of the flow's packets (of one length, if given); raise JourneyError."""
    total, stacks = 0, collections.Counter[str]()
    for frame, _time in frames_of(path):
        total += 1
        packet = flow.read(frame)
        if packet and payload_bytes in (0, len(packet.payload)):
            stacks[packet.vlan_stack.hex()] += 1
    return {"at": at, "path": str(path), "frames_total": total, "stacks": dict(stacks)}


def look_at_burst(at: str, path: Path, flow: Flow, payload_bytes: int) -> dict[str, t.Any]:
    """Return when the datagrams of a burst were sent, and when they arrived at a point; raise JourneyError."""
    arrivals, offsets = [], []
    for frame, arrived_ns in frames_of(path):
        packet = flow.read(frame)
        if packet is None or len(packet.payload) < HEADER.size:
            continue
        number, sent_ns = HEADER.unpack_from(packet.payload)
        offsets.append(arrived_ns - sent_ns)
        if len(packet.payload) == payload_bytes:
            arrivals.append({"number": number, "sent_ns": sent_ns, "arrived_ns": arrived_ns})
    return {"at": at, "arrivals": arrivals, "clock_offset_ns": min(offsets, default=0)}
