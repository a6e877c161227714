# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending and hearing LLDP frames on network interfaces, by packet(7) sockets.

What is changed of an interface belongs to the socket: the kernel takes it back with that, also from a killed process.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import selectors
import socket
import struct
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp

# From <linux/if_packet.h> and <linux/filter.h>; Python's socket has only some of them.
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
SO_ATTACH_FILTER, SO_LOCK_FILTER = 26, 44
MEMBERSHIP = struct.Struct("iHH8s")
INSTRUCTION = struct.Struct("HBBI")
LOAD_WORD, LOAD_HALF, JUMP_IF_EQUAL, RETURN = 0x20, 0x28, 0x15, 0x06

RECEIVE_BUFFER_BYTES = 1 << 18
ANNOUNCE_S = 1.0
FRAMES_AT_ONCE = 256  # of one interface before the next has its turn


def kernel_filter() -> bytes:
    """Return a program of classic BPF that lets LLDP frames to its group addresses in, and nothing else."""
    groups = [bytes.fromhex(address.replace(":", "")) for address in _lldp.GROUPS.values()]
    prefix = int.from_bytes(groups[0][:4], "big")
    program = [
        (LOAD_HALF, 0, 0, 12),
        (JUMP_IF_EQUAL, 0, 4 + len(groups) - 1, _lldp.ETHERTYPE),
        (LOAD_WORD, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 2 + len(groups) - 1, prefix),
        (LOAD_HALF, 0, 0, 4),
        *(
            (JUMP_IF_EQUAL, len(groups) - index, 0, int.from_bytes(group[4:], "big"))
            for index, group in enumerate(groups)
        ),
        (RETURN, 0, 0, 0),
        (RETURN, 0, 0, _lldp.FRAME_MAX),
    ]
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in program)


@contextlib.contextmanager
def listening(interface: str) -> t.Iterator[socket.socket]:
    """Hear LLDP on an interface until the block ends. Raises OSError."""
    # Protocol 0: nothing is received until the filter is there and the interface is named.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as heard:
        program = kernel_filter()
        memory = ctypes.create_string_buffer(program)
        described = struct.pack("HP", len(program) // INSTRUCTION.size, ctypes.addressof(memory))
        heard.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
        heard.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        heard.bind((interface, _lldp.ETHERTYPE))
        # Bridges and some NICs keep the group addresses to themselves otherwise.
        heard.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous(interface))
        heard.setblocking(False)
        yield heard


def promiscuous(interface: str) -> bytes:
    return MEMBERSHIP.pack(socket.if_nametoindex(interface), PACKET_MR_PROMISC, 0, b"")


def hear(
    interfaces: t.Sequence[str],
    seconds: float,
    tell: t.Callable[[str, bytes], None],
    enough: t.Callable[[], bool],
    announce: t.Sequence[tuple[str, bytes]] = (),
) -> None:
    """Tell of each LLDP frame that comes in by one of the interfaces, until enough() is true or the time is over.

    announce: frames to send on interfaces of these meanwhile. What the host itself sends on the same interface is
    left out. Raises OSError.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        sockets = {}
        for interface in interfaces:
            sockets[interface] = heard = stack.enter_context(listening(interface))
            selector.register(heard, selectors.EVENT_READ, interface)
        due = -math.inf
        while not enough() and (now := time.monotonic()) < deadline:
            if announce and now >= due:
                _say(sockets, announce)
                due = now + ANNOUNCE_S
            for key, _events in selector.select(min(deadline, due if announce else deadline) - now):
                for data in waiting(t.cast("socket.socket", key.fileobj)):
                    tell(key.data, data)
        # Who was heard listens by now, and may not have listened when we spoke last.
        _say(sockets, announce)


def _say(sockets: t.Mapping[str, socket.socket], announce: t.Sequence[tuple[str, bytes]]) -> None:
    for interface, data in announce:
        sockets[interface].send(data)


def waiting(heard: socket.socket) -> t.Iterator[bytes]:
    """Yield the frames that wait in a socket, so many at most that others have their turn. Raises OSError."""
    for _frame in range(FRAMES_AT_ONCE):
        try:
            data, (_interface, _protocol, kind, *_rest) = heard.recvfrom(_lldp.FRAME_MAX)
        except BlockingIOError:
            return
        if kind != socket.PACKET_OUTGOING:
            yield data


def send(interface: str, data: bytes, count: int, interval_s: float) -> int:
    """Send a frame count times on an interface, and return how often it was sent. Raises OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((interface, 0))
        for number in range(count):
            if number:
                time.sleep(interval_s)
            out.send(data)
    return count
