"""Meters of an Open vSwitch bridge by OpenFlow 1.3: ovs-ofctl sets one per call, which takes minutes for 100 000."""

from __future__ import annotations

import socket
import struct
import typing as t

from benchmarks.switch.process import BenchmarkError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# OpenFlow 1.3.5, appendix A.
VERSION = 4
HELLO, ERROR, ECHO_REQUEST, BARRIER_REQUEST, BARRIER_REPLY, METER_MOD = 0, 1, 2, 20, 21, 29
HEADER = struct.Struct("!BBHI")  # version, type, length, transaction
METER = struct.Struct("!HHIHHIIxxxx")  # command, flags, meter; band: type, length, rate, burst
METER_ADD, METER_DELETE = 0, 2
METER_KBPS, METER_BURST = 1, 4
METER_ALL = 0xFFFFFFFF
BAND_DROP = 1
BAND_LENGTH = 16

TIMEOUT_S = 60.0


def message(kind: int, body: bytes = b"") -> bytes:
    return HEADER.pack(VERSION, kind, HEADER.size + len(body), 0) + body


def add_meter(meter: int, rate_kbps: int, burst_kbit: int) -> bytes:
    """Return the message that adds a meter, which drops what is above its rate."""
    flags = METER_KBPS | METER_BURST
    return message(
        METER_MOD,
        METER.pack(METER_ADD, flags, meter, BAND_DROP, BAND_LENGTH, rate_kbps, burst_kbit),
    )


def delete_meters() -> bytes:
    """Return the message that deletes all meters, and the flows that use them."""
    return message(METER_MOD, struct.pack("!HHI", METER_DELETE, 0, METER_ALL))


def _messages(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each message that comes."""
    with connection.makefile("rb") as stream:
        while header := stream.read(HEADER.size):
            _version, kind, length, _transaction = HEADER.unpack(header)
            yield kind, stream.read(length - HEADER.size)


def say(path: Path, *messages: bytes) -> None:
    """Send messages to a bridge, and wait until it has carried them out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(message(HELLO) + b"".join(messages) + message(BARRIER_REQUEST))
        for kind, body in _messages(connection):
            if kind == ERROR:
                code = struct.unpack_from("!HH", body)
                raise BenchmarkError(
                    f"Cannot set meters of {path}: Open vSwitch answers with the error {code}"
                )
            if kind == BARRIER_REPLY:
                return
    raise BenchmarkError(f"Cannot set meters of {path}: Open vSwitch closed the connection")
