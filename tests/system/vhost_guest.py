"""A guest in the test's own process: the front-end of vhost-user and the driver of a virtio network device.

It does what QEMU and a guest's kernel do together, in plain Python, and lets a test do anything else as well: every
descriptor, every header, every index and every message is at hand.

Sources: vhost-user protocol (QEMU, docs/interop/vhost-user.rst); virtio 1.1, 2.6 (split virtqueues) and 5.1 (network).
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import enum
import mmap
import os
import socket
import struct
import time
import typing as t

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Iterator

PATIENCE_S = 10.0
LOOK_AGAIN_S = 20e-6

# The memory as the guest's addresses and as the front-end's have it: different, and neither starts at 0.
GUEST_BASE = 0x1_0000_0000
USER_BASE = 0x7000_0000_0000
PAGE = 4096
BUFFER = 4096

NO_FD = 1 << 8  # in the payload of the messages that carry a file descriptor
VERSION = 1
FLAG_REPLY = 1 << 2
FLAG_NEED_REPLY = 1 << 3
PROTOCOL_REPLY_ACK = 1 << 3

DESCRIPTOR_NEXT = 1
DESCRIPTOR_WRITE = 2
DESCRIPTOR_INDIRECT = 4

RECEIVE, TRANSMIT = 0, 1  # the rings' numbers, from the guest's view


class Message(enum.IntEnum):
    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18


class Feature(enum.IntFlag):
    CSUM = 1 << 0
    GUEST_CSUM = 1 << 1
    GUEST_TSO4 = 1 << 7
    GUEST_TSO6 = 1 << 8
    GUEST_ECN = 1 << 9
    GUEST_UFO = 1 << 10
    HOST_TSO4 = 1 << 11
    HOST_TSO6 = 1 << 12
    HOST_ECN = 1 << 13
    HOST_UFO = 1 << 14
    MERGEABLE = 1 << 15
    MULTIQUEUE = 1 << 22
    INDIRECT = 1 << 28
    PROTOCOL = 1 << 30
    VERSION_1 = 1 << 32
    PACKED = 1 << 34


PLAIN = Feature.VERSION_1 | Feature.MERGEABLE | Feature.INDIRECT | Feature.PROTOCOL


class Descriptor(ctypes.Structure):
    _fields_: t.ClassVar = [
        ("address", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("flags", ctypes.c_uint16),
        ("next", ctypes.c_uint16),
    ]


class UsedElement(ctypes.Structure):
    _fields_: t.ClassVar = [("head", ctypes.c_uint32), ("length", ctypes.c_uint32)]


class Header(ctypes.Structure):
    """What stands before each frame in its buffer (virtio 1.1, 5.1.6)."""

    _fields_: t.ClassVar = [
        ("flags", ctypes.c_uint8),
        ("segmentation", ctypes.c_uint8),
        ("header_length", ctypes.c_uint16),
        ("segment_size", ctypes.c_uint16),
        ("checksum_start", ctypes.c_uint16),
        ("checksum_offset", ctypes.c_uint16),
        ("buffers", ctypes.c_uint16),
    ]


HEADER = ctypes.sizeof(Header)
NO_HEADER = bytes(HEADER)


class Gone(Exception):
    """The switch closed the connection."""


class Refused(Exception):
    """The switch answered a message with an error."""


class Connection:
    """Messages of vhost-user over a connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE_S)
        self.acknowledged = False  # each message is answered; negotiated first

    def send(self, data: bytes, *descriptors: int) -> None:
        """Send any bytes, with any file descriptors."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self.socket.sendmsg([data], rights)
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise Gone from exc

    def receive(self) -> bytes:
        """Return the payload of one answer."""
        _request, _flags, size = struct.unpack("=III", self._read(12))
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            data = self.socket.recv(size, socket.MSG_WAITALL)
        except ConnectionResetError as exc:
            raise Gone from exc
        if len(data) < size:
            raise Gone
        return data

    def ask(self, message: Message, payload: bytes = b"") -> bytes:
        self.send(struct.pack("=III", message, VERSION, len(payload)) + payload)
        return self.receive()

    def ask_number(self, message: Message) -> int:
        return int.from_bytes(self.ask(message), "little")

    def tell(self, message: Message, payload: bytes = b"", *descriptors: int) -> None:
        flags = VERSION | (FLAG_NEED_REPLY if self.acknowledged else 0)
        self.send(struct.pack("=III", message, flags, len(payload)) + payload, *descriptors)
        if self.acknowledged and int.from_bytes(self.receive(), "little") != 0:
            raise Refused(message.name)

    def tell_number(self, message: Message, number: int) -> None:
        self.tell(message, struct.pack("=Q", number))

    def close(self) -> None:
        self.socket.close()


class Ring:
    """A split virtqueue with one buffer of BUFFER bytes per descriptor: descriptor n has buffer n."""

    def __init__(self, memory: mmap.mmap, start: int, size: int) -> None:
        class Available(ctypes.Structure):
            _fields_: t.ClassVar = [
                ("flags", ctypes.c_uint16),
                ("index", ctypes.c_uint16),
                ("ring", ctypes.c_uint16 * size),
            ]

        class Used(ctypes.Structure):
            _fields_: t.ClassVar = [
                ("flags", ctypes.c_uint16),
                ("index", ctypes.c_uint16),
                ("ring", UsedElement * size),
            ]

        self.memory = memory
        self.size = size
        self.descriptors_at = start
        self.available_at = self.descriptors_at + 16 * size
        self.used_at = self.available_at + PAGE
        self.buffers_at = self.used_at + 2 * PAGE
        self.end = self.buffers_at + BUFFER * size
        self.descriptors = (Descriptor * size).from_buffer(memory, self.descriptors_at)
        self.available: t.Any = Available.from_buffer(memory, self.available_at)
        self.used: t.Any = Used.from_buffer(memory, self.used_at)
        self.seen = 0  # used elements that were dealt with, as the ring counts them

    @staticmethod
    def memory_size(size: int) -> int:
        return 16 * size + 3 * PAGE + BUFFER * size

    def address(self, buffer: int) -> int:
        return GUEST_BASE + self.buffers_at + BUFFER * buffer

    def write(self, buffer: int, data: bytes) -> None:
        start = self.buffers_at + BUFFER * buffer
        self.memory[start : start + len(data)] = data

    def read(self, buffer: int, length: int) -> bytes:
        start = self.buffers_at + BUFFER * buffer
        return self.memory[start : start + length]

    def describe(self, number: int, length: int, flags: int = 0, following: int = 0) -> None:
        self.descriptors[number] = Descriptor(self.address(number), length, flags, following)

    def publish(self, *heads: int) -> None:
        """Make chains available, by their first descriptors."""
        index = self.available.index
        for head in heads:
            self.available.ring[index % self.size] = head
            index = (index + 1) & 0xFFFF
        self.available.index = index

    def unseen(self) -> int:
        return int(self.used.index - self.seen) & 0xFFFF

    def take(self) -> UsedElement:
        """Return the next used element; there is one."""
        element: UsedElement = self.used.ring[self.seen % self.size]
        self.seen = (self.seen + 1) & 0xFFFF
        return element


class Guest:
    """One guest, connected to a switch from open() to close(); it may be opened again, as a guest reconnects.

    serve: the guest's side makes the socket, as QEMU does with mode='server'.
    """

    def __init__(
        self, path: pathlib.Path, *, serve: bool = False, features: Feature = PLAIN, ring_size: int = 256
    ) -> None:
        self.path = path
        self.features = features
        self.ring_size = ring_size
        self.listener: socket.socket | None = None
        self.connection: Connection | None = None
        if serve:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen()
            self.listener.settimeout(PATIENCE_S)
        self.boot()

    def boot(self) -> None:
        """Start with empty rings and all receive buffers available."""
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
        if self.listener:
            connected, _address = self.listener.accept()
        else:
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(self.path))
        self.connection = link = Connection(connected)
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
        more = Header.from_buffer_copy(whole).buffers - 1
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


@contextlib.contextmanager
def connected(guests: Iterable[Guest]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for guest in guests:
            stack.callback(guest.close)
            guest.open()
        yield
