"""A guest in the test's own process: the front-end of vhost-user and the driver of a virtio network device.

It does what QEMU and a guest's kernel do together, in plain Python, and lets a test do anything else as well: every
descriptor, every header, every index and every message is at hand.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
import time
import typing as t

from vhost_user import PATIENCE_S, PROTOCOL_REPLY_ACK, Connection, Feature, GoneError, Message
from virtio_ring import BUFFER, DESCRIPTOR_NEXT, DESCRIPTOR_WRITE, GUEST_BASE, HEADER, USER_BASE, Header, Ring

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

LOOK_AGAIN_S = 20e-6
RECEIVE, TRANSMIT = 0, 1  # the rings' numbers, from the guest's view
NO_HEADER = bytes(HEADER)
PLAIN = Feature.VERSION_1 | Feature.MERGEABLE | Feature.INDIRECT | Feature.PROTOCOL


class Guest:
    """One guest, connected to a switch from open() to disconnect(), again and again as a guest that reconnects."""

    def __init__(self, path: pathlib.Path, features: Feature = PLAIN, ring_size: int = 256) -> None:
        self.path = path
        self.features = features
        self.ring_size = ring_size
        self.listener: socket.socket | None = None
        self.connection: Connection | None = None
        self.boot()

    def boot(self) -> None:
        """Start with empty rings, and with all receive buffers available, in memory of its own."""
        size = 2 * Ring.memory_size(self.ring_size)
        self.memory_fd = os.memfd_create("guest")
        os.ftruncate(self.memory_fd, size)
        self.memory = mmap.mmap(self.memory_fd, size)
        self.receive_ring = Ring(self.memory, 0, self.ring_size)
        self.transmit_ring = Ring(self.memory, self.receive_ring.end, self.ring_size)
        self.unused = list(range(self.ring_size))  # descriptors to send with
        for number in range(self.ring_size):
            self.receive_ring.describe(number, BUFFER, DESCRIPTOR_WRITE)
        self.receive_ring.publish(*range(self.ring_size))

    def kill(self) -> None:
        """End as a guest that is killed, and boot anew."""
        self.disconnect()
        os.close(self.memory_fd)
        self.boot()

    def listen(self) -> None:
        """Serve the socket, as QEMU does with mode='server'."""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.listener.settimeout(PATIENCE_S)

    @property
    def rings(self) -> tuple[Ring, Ring]:
        return self.receive_ring, self.transmit_ring

    def open(self) -> Guest:
        """Connect, and start both rings where they stand."""
        self.connect()
        self.share_memory()
        for number in (RECEIVE, TRANSMIT):
            self.start_ring(number)
        # An answer to one more question: what came before it has been done.
        self.link.ask(Message.GET_QUEUE_NUM)
        return self

    @property
    def link(self) -> Connection:
        assert self.connection is not None, "the guest is not connected"
        return self.connection

    def connect(self) -> int:
        """Connect and negotiate; return the features that the switch offers."""
        while True:
            link = Connection(self.listener.accept()[0]) if self.listener else Connection.to(self.path)
            try:
                return self.negotiate(link)
            except GoneError:
                if self.listener is None:
                    raise
                link.close()  # it had waited in the listener's queue, and has gone since

    def negotiate(self, link: Connection) -> int:
        self.connection = link
        link.tell(Message.SET_OWNER)
        offered = link.ask_number(Message.GET_FEATURES)
        assert link.ask_number(Message.GET_PROTOCOL_FEATURES) & PROTOCOL_REPLY_ACK
        link.tell_number(Message.SET_PROTOCOL_FEATURES, PROTOCOL_REPLY_ACK)
        link.acknowledged = True
        link.tell_number(Message.SET_FEATURES, self.features)
        return offered

    def share_memory(self) -> None:
        region = struct.pack("=QQQQ", GUEST_BASE, len(self.memory), USER_BASE, 0)
        self.link.tell(Message.SET_MEM_TABLE, struct.pack("=II", 1, 0) + region, self.memory_fd)

    def start_ring(self, number: int) -> None:
        ring, link = self.rings[number], self.link
        addresses = [USER_BASE + at for at in (ring.descriptors_at, ring.used_at, ring.available_at)]
        link.tell(Message.SET_VRING_NUM, struct.pack("=II", number, ring.size))
        link.tell(Message.SET_VRING_BASE, struct.pack("=II", number, ring.used.index))
        link.tell(Message.SET_VRING_ADDR, struct.pack("=IIQQQQ", number, 0, *addresses, 0))
        for message in (Message.SET_VRING_KICK, Message.SET_VRING_CALL):
            descriptor = os.eventfd(0)  # never read: both sides look at the rings
            link.tell(message, struct.pack("=Q", number), descriptor)
            os.close(descriptor)
        link.tell(Message.SET_VRING_ENABLE, struct.pack("=II", number, 1))

    def disconnect(self) -> None:
        """Go away without a word, as a guest that is killed."""
        if self.connection:
            self.connection.close()
            self.connection = None

    def close(self) -> None:
        self.disconnect()
        if self.listener:
            self.listener.close()
            self.path.unlink(missing_ok=True)
            self.listener = None
        os.close(self.memory_fd)

    def collect(self) -> int:
        """Take back the descriptors of frames that the switch has taken; return how many frames."""
        ring, taken = self.transmit_ring, self.transmit_ring.unseen()
        for _element in range(taken):
            number = ring.take().head
            while True:
                self.unused.append(number)
                if not ring.descriptors[number].flags & DESCRIPTOR_NEXT:
                    break
                number = ring.descriptors[number].next
        return taken

    def send(self, *frames: bytes, header: bytes = NO_HEADER) -> None:
        """Hand over frames, as many at once as the ring takes."""
        for frame in frames:
            data = header + frame
            parts = [data[at : at + BUFFER] for at in range(0, len(data), BUFFER)]
            self._wait_for_room(len(parts))
            numbers = [self.unused.pop() for _part in parts]
            for part, number, following in zip(parts, numbers, [*numbers[1:], None], strict=True):
                self.transmit_ring.write(number, part)
                flags = 0 if following is None else DESCRIPTOR_NEXT
                self.transmit_ring.describe(number, len(part), flags, following or 0)
            self.transmit_ring.publish(numbers[0])

    def _wait_for_room(self, parts: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.unused) < parts:
            if self.collect() == 0:
                assert time.monotonic() < deadline, "the switch takes no frames"
                time.sleep(LOOK_AGAIN_S)

    def wait_taken(self) -> None:
        """Wait until the switch has taken every frame that was sent."""
        self._wait_for_room(self.ring_size)

    def receive(self, timeout_s: float = PATIENCE_S) -> bytes | None:
        """Return the next frame, or None when none came in time."""
        ring = self.receive_ring
        deadline = time.monotonic() + timeout_s
        while ring.unseen() == 0:
            if time.monotonic() >= deadline:
                return None
            time.sleep(LOOK_AGAIN_S)
        first = ring.take()
        whole = ring.read(first.head, first.length)
        more = max(1, Header.from_buffer_copy(whole).buffers) - 1
        for _buffer in range(more):
            following = ring.take()
            whole += ring.read(following.head, following.length)
        self._refill(1 + more)
        return whole[HEADER:]

    def receive_all(self, quiet_s: float = 0.0) -> list[bytes]:
        """Return the frames that are there, and those that follow with no longer pause than quiet_s."""
        return list(iter(lambda: self.receive(quiet_s), None))

    def drain(self) -> int:
        """Take back the receive buffers without a look at them; return how many."""
        ring = self.receive_ring
        used = ring.unseen()
        ring.seen = (ring.seen + used) & 0xFFFF
        self._refill(used)
        return used

    def _refill(self, buffers: int) -> None:
        # The switch uses buffers in order, so the ring names the right ones already.
        self.receive_ring.available.index = (self.receive_ring.available.index + buffers) & 0xFFFF

    @contextlib.contextmanager
    def repeating(self, frame: bytes) -> Iterator[Repeater]:
        """Prepare to send this one frame very often."""
        self.wait_taken()
        yield Repeater(self.transmit_ring, NO_HEADER + frame)
        self.wait_taken()


class Repeater:
    """A ring whose every descriptor has the same frame: sending more is one addition."""

    def __init__(self, ring: Ring, data: bytes) -> None:
        assert len(data) <= BUFFER
        self.ring = ring
        for number in range(ring.size):
            ring.write(number, data)
            ring.describe(number, len(data))
            ring.available.ring[number] = number
        ring.seen = ring.used.index

    def under_way(self) -> int:
        return int(self.ring.available.index - self.ring.used.index) & 0xFFFF

    def push(self, most: int) -> int:
        """Send as many as there is room for; return how many."""
        count = min(most, self.ring.size - self.under_way())
        self.ring.available.index = (self.ring.available.index + count) & 0xFFFF
        self.ring.seen = self.ring.used.index
        return count

    def send(self, count: int) -> None:
        """Send so many, as fast as the switch takes them."""
        while count:
            count -= self.push(count)
