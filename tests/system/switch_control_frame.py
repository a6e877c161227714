"""The frames by which VM 0 sets rules, and what answers them (shared contract of the Chameleon end host, section 2)."""

from __future__ import annotations

import dataclasses
import socket
import struct
import typing as t

from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from switch_fixtures import MACS
from switch_rules import BROADCAST, FAST, HERE, TAGS, THERE

CONTROL = 0xBEBE
SAVED = 0


def control_frame(source: str = MACS[0], **changes: t.Any) -> Packet:
    """Return the frame that sets rule 3 of VM 1 to rule(), or to a change of that.

    count: the number of tags that it announces, in place of the number that it has.
    """
    field: dict[str, t.Any] = {
        "vm": 1, "slot": 3, "protocol": 17, "source_ip": HERE, "destination_ip": THERE, "source_port": 5000,
        "destination_port": 5001, "tags": TAGS, **FAST, **changes,
    }  # fmt: skip
    body = struct.pack("BBB3x", field["vm"], field["slot"], field["protocol"])
    body += socket.inet_aton(field["source_ip"]) + socket.inet_aton(field["destination_ip"])
    body += struct.pack("!HH", field["source_port"], field["destination_port"])
    burst = field["burst_bits"]
    body += struct.pack("<QQQQH", field["rate_bps"], burst, burst, 0, field.get("count", len(field["tags"])))
    body += b"".join(struct.pack("!HH", 0x8100, vid) for vid in field["tags"])
    return Ether(src=source, dst=BROADCAST, type=CONTROL) / Raw(body)


@dataclasses.dataclass
class Acknowledgement:
    vm: int
    slot: int
    status: int
    reason: str


def acknowledgement(frame: bytes) -> Acknowledgement:
    assert frame[:6] == bytes.fromhex(MACS[0].replace(":", ""))
    assert frame[12:14] == CONTROL.to_bytes(2, "big")
    vm, slot, status = frame[14:17]
    return Acknowledgement(vm, slot, status, frame[18:].split(b"\0")[0].decode("ascii"))
