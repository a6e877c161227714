"""The shaper and the timing wheel of the switch in virtual time, and the schedule that theory gives for them.

All times are ticks; lengths are bytes of a frame without FCS; rates are bit/s, bursts bit.
"""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import functools
import math
import pathlib
import subprocess
from fractions import Fraction

REPOSITORY = pathlib.Path(__file__).parents[2]
SOURCE = REPOSITORY / "files" / "dpdk-app"
LIBRARY = REPOSITORY / "build" / "conformance" / "simulator.so"

OVER_RATE = -1
QUEUE_FULL = -2


class Mode(enum.IntEnum):
    """`enum shaper_mode` of core/shaper.h."""

    OFF = 0
    SHAPE = 1
    POLICE = 2


class _Terms(ctypes.Structure):
    """`struct shaper_terms` of core/shaper.h."""

    _fields_ = (
        ("rate_bps", ctypes.c_uint64),
        ("burst_bits", ctypes.c_uint64),
        ("queue_bytes", ctypes.c_uint32),
        ("queue_packets", ctypes.c_uint16),
        ("mode", ctypes.c_uint8),
    )


@dataclasses.dataclass(frozen=True)
class Terms:
    rate_bps: int
    burst_bits: int
    queue_bytes: int = 2**32 - 1
    queue_packets: int = 2**16 - 1
    mode: Mode = Mode.SHAPE


@dataclasses.dataclass(frozen=True)
class Arrival:
    tick: int
    length: int
    flow: int = 0


@functools.cache
def library() -> ctypes.CDLL:
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    here = pathlib.Path(__file__).parent
    sources = [here / "simulator.c", SOURCE / "core" / "scheduler.c", SOURCE / "core" / "shaper.c"]
    subprocess.run(
        ["clang-14", "-std=c11", "-O2", "-g", "-shared", "-fPIC", "-fsanitize=undefined", "-fsanitize-trap=all",
         "-I", SOURCE, "-o", LIBRARY, *sources],
        check=True,
    )  # fmt: skip
    loaded = ctypes.CDLL(str(LIBRARY))
    loaded.simulate.restype = ctypes.c_size_t
    return loaded


def simulate(
    hz: int, step_shift: int, terms: list[Terms], arrivals: list[Arrival], tags: int = 0
) -> list[int]:
    """Return the tick at which each frame left, OVER_RATE or QUEUE_FULL."""
    count = len(arrivals)
    departures = (ctypes.c_int64 * count)()
    left = library().simulate(
        ctypes.c_uint64(hz),
        ctypes.c_uint(step_shift),
        (_Terms * len(terms))(*(_Terms(*dataclasses.astuple(each)) for each in terms)),
        ctypes.c_size_t(len(terms)),
        (ctypes.c_uint64 * count)(*(arrival.tick for arrival in arrivals)),
        (ctypes.c_uint32 * count)(*(arrival.flow for arrival in arrivals)),
        (ctypes.c_uint32 * count)(*(arrival.length for arrival in arrivals)),
        ctypes.c_size_t(count),
        ctypes.c_uint(4 * tags),
        departures,
    )
    assert left == 0, f"{left} packets and bytes are still counted in queues that are empty"
    return list(departures)


def wire_bits(length: int, tags: int = 0) -> int:
    """Return the bits of a frame on the wire: preamble 8, at least 64 with FCS, gap 12 bytes (IEEE 802.3)."""
    return 8 * (8 + max(64, length + 4 * tags + 4) + 12)


@dataclasses.dataclass
class Theory:
    """The schedule of one flow by virtual scheduling (ITU-T I.371 annex A), for frames of any length.

    `full` is the moment at which the bucket would be full again, what the annex calls theoretical arrival time.
    """

    hz: int
    step_shift: int
    terms: Terms
    tags: int = 0
    full: Fraction = Fraction(0)
    waiting: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # (tick of release, length)

    def next(self, arrival: Arrival) -> int:
        """Return the tick at which the next frame leaves, OVER_RATE or QUEUE_FULL."""
        self.waiting = [frame for frame in self.waiting if frame[0] > arrival.tick]
        if self.terms.mode is Mode.OFF:
            return arrival.tick
        cost = Fraction(wire_bits(arrival.length, self.tags) * self.hz, self.terms.rate_bps)
        tolerance = Fraction(self.terms.burst_bits * self.hz, self.terms.rate_bps)
        full = max(self.full, arrival.tick) + cost
        conforms = max(Fraction(arrival.tick), full - tolerance)
        if conforms <= arrival.tick and not self.waiting:
            self.full = full
            return arrival.tick
        if self.terms.mode is Mode.POLICE:
            return OVER_RATE
        queued = sum(length for _release, length in self.waiting)
        if len(self.waiting) >= self.terms.queue_packets or queued + arrival.length > self.terms.queue_bytes:
            return QUEUE_FULL
        self.full = full
        release = self.round_up(conforms)
        self.waiting.append((release, arrival.length))
        return release

    def round_up(self, moment: Fraction) -> int:
        """Return the first step of the wheel that is not before the moment."""
        step = 1 << self.step_shift
        return -(-math.ceil(moment) // step) * step
