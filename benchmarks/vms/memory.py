"""What a QEMU takes of the host's memory beyond its guest's."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from benchmarks.switch.process import BenchmarkError

KIB_PER_MIB = 1024


def overhead_mib(rollup: str, memory_mib: int) -> float:
    """Return the proportional share (PSS) in MiB of a process, by the text of its smaps_rollup.

    PSS has no hugepages, which is where the guest's memory is: there is nothing to subtract, but to see that it is so.
    """
    kib = {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+) kB$", rollup, re.MULTILINE)}
    hugepages_mib = (kib["Shared_Hugetlb"] + kib["Private_Hugetlb"]) / KIB_PER_MIB
    if not 0 < hugepages_mib <= memory_mib:
        raise BenchmarkError(
            f"Cannot tell QEMU's memory from its guest's: {hugepages_mib:g} MiB are hugepages, "
            f"and the guest has {memory_mib} MiB"
        )
    return kib["Pss"] / KIB_PER_MIB


def of_process(pid: int, memory_mib: int) -> float:
    return overhead_mib(Path(f"/proc/{pid}/smaps_rollup").read_text(), memory_mib)


def of_domain(name: str, memory_mib: int) -> float:
    return of_process(int(Path(f"/run/libvirt/qemu/{name}.pid").read_text()), memory_mib)


def mean(figures: t.Sequence[float]) -> float:
    return sum(figures) / len(figures)
