"""When frames arrive, by the processor's own clock, which is also the switch's."""

from __future__ import annotations

import ctypes
import functools
import pathlib
import tempfile
import threading
import typing as t

from switch_fixtures import run
from virtio_ring import BUFFER

if t.TYPE_CHECKING:
    from vhost_guest import Guest
    from virtio_ring import Ring

SOURCE = pathlib.Path(__file__).parent / "tools" / "stamp.c"


class Stamp(ctypes.Structure):
    _fields_: t.ClassVar = [
        ("tick", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("number", ctypes.c_uint32),
    ]


class RingOfC(ctypes.Structure):
    _fields_: t.ClassVar = [
        ("used", ctypes.c_void_p),
        ("available", ctypes.c_void_p),
        ("buffers", ctypes.c_void_p),
        ("buffer_size", ctypes.c_size_t),
        ("size", ctypes.c_uint16),
        ("seen", ctypes.c_uint16),
    ]

    @classmethod
    def of(cls, ring: Ring) -> RingOfC:
        used = ctypes.addressof(ring.used)
        buffers = used - ring.used_at + ring.buffers_at
        return cls(used, ctypes.addressof(ring.available), buffers, BUFFER, ring.size, ring.seen)


@functools.cache
def library() -> ctypes.CDLL:
    """Compile the loop that looks at the ring: Python itself would be late."""
    with tempfile.TemporaryDirectory() as place:
        made = pathlib.Path(place) / "stamp.so"
        run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, SOURCE)
        loaded = ctypes.CDLL(str(made))
    loaded.stamp_now.restype = ctypes.c_uint64
    loaded.stamp_frames.restype = ctypes.c_size_t
    loaded.stamp_frames.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64]
    return loaded


def now() -> int:
    """Return the present tick."""
    tick: int = library().stamp_now()
    return tick


class Stamping(threading.Thread):
    """Stamps up to count frames that come to the guest, until none has come for quiet ticks."""

    def __init__(self, guest: Guest, count: int, quiet: int) -> None:
        super().__init__()
        self.guest = guest
        self.stamps = (Stamp * count)()
        self.count = 0
        self.quiet = quiet

    def run(self) -> None:
        ring = RingOfC.of(self.guest.receive_ring)
        self.count = library().stamp_frames(ctypes.addressof(ring), self.stamps, len(self.stamps), self.quiet)
        self.guest.receive_ring.seen = ring.seen

    def result(self) -> list[Stamp]:
        self.join()
        return list(self.stamps[: self.count])
