"""The cores and hugepages that the benchmark takes, and gives back."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t
from pathlib import Path

from benchmarks.switch.process import BenchmarkError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
PAGES_NEEDED = (
    1024  # of 2 MiB: 512 MiB for Open vSwitch, the same for us with 100 000 rules, and the generator
)
ISOLATED = Path("/sys/devices/system/cpu/isolated")


@dataclasses.dataclass(frozen=True)
class Cores:
    """One core forwards; another makes packets. Control and the benchmark itself run beside the latter."""

    control: int
    generator: int
    data: int


def parse_cpu_list(text: str) -> list[int]:
    """Return the cores of a list like "1-3,7"."""
    cores: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _dash, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores


def choose_cores(allowed: set[int], isolated: set[int]) -> Cores:
    """Choose isolated cores for packets where there are two, and another one for control."""
    ordered = sorted(allowed - isolated) + sorted(allowed & isolated)
    if len(ordered) < 2:
        raise BenchmarkError("Cannot measure with one core: it takes one that forwards and one that sends")
    return Cores(control=ordered[0], generator=ordered[-2], data=ordered[-1])


def cores() -> Cores:
    return choose_cores(os.sched_getaffinity(0), set(parse_cpu_list(ISOLATED.read_text())))


def read_count(path: Path) -> int:
    return int(path.read_text())


def write_count(path: Path, count: int) -> None:
    path.write_text(str(count))


@contextlib.contextmanager
def hugepages(needed: int = PAGES_NEEDED, pages: Path = PAGES) -> Iterator[None]:
    """Reserve what is missing until the block ends."""
    total, free = pages / "nr_hugepages", pages / "free_hugepages"
    before = read_count(total)
    missing = max(0, needed - read_count(free))
    try:
        if missing:
            write_count(total, before + missing)
        if read_count(free) < needed:
            raise BenchmarkError(
                f"Cannot reserve {needed} pages of 2 MiB: the kernel has {read_count(free)}; free memory, or reboot "
                f"with hugepages={needed}"
            )
        yield
    finally:
        if missing:
            write_count(total, max(before, read_count(total) - missing))
