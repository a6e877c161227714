"""A guest's side of a split virtqueue (virtio 1.1, 2.6) of a network device (5.1)."""

from __future__ import annotations

import ctypes
import typing as t

if t.TYPE_CHECKING:
    import mmap

# The memory as the guest's addresses and as the front-end's have it: different, and neither starts at 0.
GUEST_BASE = 0x1_0000_0000
USER_BASE = 0x7000_0000_0000
PAGE = 4096
BUFFER = 4096

DESCRIPTOR_NEXT = 1
DESCRIPTOR_WRITE = 2
DESCRIPTOR_INDIRECT = 4


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


def round_up(address: int) -> int:
    return (address + PAGE - 1) // PAGE * PAGE


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
        self.available_at = self.descriptors_at + ctypes.sizeof(Descriptor) * size
        self.used_at = round_up(self.available_at + ctypes.sizeof(Available))
        self.buffers_at = round_up(self.used_at + ctypes.sizeof(Used))
        self.end = self.buffers_at + BUFFER * size
        self.descriptors = (Descriptor * size).from_buffer(memory, self.descriptors_at)
        self.available: t.Any = Available.from_buffer(memory, self.available_at)
        self.used: t.Any = Used.from_buffer(memory, self.used_at)
        self.seen = 0  # used elements that were dealt with, as the ring counts them

    @staticmethod
    def memory_size(size: int) -> int:
        """Return at least what a ring of this size takes."""
        return 2 * PAGE + 32 * size + BUFFER * size

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
