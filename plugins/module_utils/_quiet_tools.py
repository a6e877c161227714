# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three programs of rt-tests that find what disturbs a CPU: how each is called, and what it says.

cyclictest and oslat write JSON since release 2.0. What hwlatdetect prints is for people.
"""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

Row = dict[str, t.Any]

BUCKETS = 1024  # of 1 us each; more than oslat does not have
PRIORITY = 95  # of cyclictest: above the kernel's threads that serve interrupts, which have 50
HWLAT_THRESHOLD_US = 1  # the least; the kernel reports no more than one gap a second
SAID_CHARACTERS = 300
PERCENTILES = {"p99_9_us": 9990, "p99_99_us": 9999}  # in ten-thousandths

SAMPLE = re.compile(r"^ts: [0-9.]+, inner:([0-9]+), outer:([0-9]+)", re.MULTILINE)
FINISHED = "test finished"


class ToolError(Exception):
    """A program does not measure here; says why."""


class QuietError(Exception):
    """Nothing can be measured, or the measurement has to end; says why, and the way out."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What to measure: some CPUs, while the program's own thread is on another one if there is any."""

    cpus: tuple[int, ...]
    main_cpu: int
    duration_s: int
    path: str  # of the file for JSON


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program and its arguments. If this process is killed, it gets the signal, on which it ends without a trace."""

    arguments: t.Callable[[Job], list[str]]
    rows: t.Callable[[Job, str, str], list[Row]]
    death_signal: signal.Signals
    writes_json: bool


def cyclictest_arguments(job: Job) -> list[str]:
    # Without --default-system it would keep all CPUs from saving power, and not measure the host as it is.
    return [
        "--quiet",
        "--default-system",
        "--mlockall",
        f"--priority={PRIORITY}",
        f"--affinity={_cpu_list.text(job.cpus)}",
        f"--threads={len(job.cpus)}",
        f"--mainaffinity={job.main_cpu}",
        "--interval=1000",
        f"--histogram={BUCKETS}",
        "--histfile=/dev/null",
        f"--duration={job.duration_s}",
        f"--json={job.path}",
    ]


def oslat_arguments(job: Job) -> list[str]:
    # Without a real-time priority, as a switch or a vCPU: with one, it would starve what else is on the CPU.
    return [
        "--quiet",
        f"--cpu-list={_cpu_list.text(job.cpus)}",
        f"--cpu-main-thread={job.main_cpu}",
        f"--bucket-size={BUCKETS}",
        f"--duration={job.duration_s}",
        f"--json={job.path}",
    ]


def hwlatdetect_arguments(job: Job) -> list[str]:
    return [
        f"--duration={job.duration_s}",
        f"--threshold={HWLAT_THRESHOLD_US}us",
        f"--cpu-list={_cpu_list.text(job.cpus)}",
    ]


def cyclictest_rows(job: Job, written: str, _printed: str) -> list[Row]:
    """Return a row for each CPU. What is beyond the last bucket is only in the number of cycles."""

    def row(thread: Row) -> Row:
        found = _histogram(thread)
        return _row(thread, found, int(thread["cycles"]) - sum(found.values()))

    return _rows(job, written, row)


def oslat_rows(job: Job, written: str, _printed: str) -> list[Row]:
    """Return a row for each CPU. The last bucket has what is beyond it, too."""

    def row(thread: Row) -> Row:
        found = _histogram(thread)
        overflows = found.pop(BUCKETS, 0)
        return _row(thread, found, overflows)

    return _rows(job, written, row)


def hwlatdetect_rows(job: Job, _written: str, printed: str) -> list[Row]:
    """Return one row for all CPUs, which the kernel visits in turn: the gaps that it found."""
    if FINISHED not in printed:
        raise ToolError(f"it did not finish and said {said(printed)!r}")
    gaps = [max(int(inner), int(outer)) for inner, outer in SAMPLE.findall(printed)]
    found: dict[int, int] = {}
    for gap in sorted(gap for gap in gaps if gap < BUCKETS):
        found[gap] = found.get(gap, 0) + 1
    return [
        {
            "cpus": _cpu_list.text(job.cpus),
            "samples": len(gaps),
            "min_us": None,
            "avg_us": None,
            "max_us": max(gaps, default=0),
            **dict.fromkeys(PERCENTILES),
            "overflows": sum(gap >= BUCKETS for gap in gaps),
            "histogram": _as_json(found),
        }
    ]


def _rows(job: Job, written: str, row: t.Callable[[Row], Row]) -> list[Row]:
    try:
        threads = json.loads(written)["thread"].values()
        found = {int(thread["cpu"]): row(thread) for thread in threads}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(f"its results are not those of rt-tests 2 ({exc!r})") from exc
    missing = set(job.cpus) - set(found)
    if missing:
        raise ToolError(f"it did not measure CPU {_cpu_list.text(missing)}")
    return [found[cpu] for cpu in sorted(found)]


def _histogram(thread: Row) -> dict[int, int]:
    return {int(bucket): int(count) for bucket, count in thread["histogram"].items()}


def _row(thread: Row, found: dict[int, int], overflows: int) -> Row:
    return {
        "cpus": str(int(thread["cpu"])),
        "samples": sum(found.values()) + overflows,
        "min_us": int(thread["min"]),
        "avg_us": round(float(thread["avg"]), 3),
        "max_us": int(thread["max"]),
        **{name: percentile(found, overflows, parts) for name, parts in PERCENTILES.items()},
        "overflows": overflows,
        "histogram": _as_json(found),
    }


def _as_json(found: dict[int, int]) -> dict[str, int]:
    return {str(bucket): found[bucket] for bucket in sorted(found) if found[bucket]}


def percentile(found: t.Mapping[int, int], overflows: int, parts: int) -> int | None:
    """Return the bucket that so many ten-thousandths of the samples do not exceed; None beyond the last one."""
    rank = -(-(sum(found.values()) + overflows) * parts // 10000)
    for bucket in sorted(found):
        rank -= found[bucket]
        if rank <= 0:
            return bucket
    return None


def said(printed: str) -> str:
    """Return what a program printed in one line, without the middle of a long text."""
    line = " ".join(printed.split())
    return (
        line
        if len(line) <= SAID_CHARACTERS
        else f"{line[: SAID_CHARACTERS // 2]} ... {line[-SAID_CHARACTERS // 2 :]}"
    )


def version(written: str) -> str | None:
    """Return the release of rt-tests that wrote a file."""
    try:
        document = json.loads(written)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    found = document.get("rt_test_version") or document.get("rt_test_version:")  # so until release 2.4
    return str(found) if found else None


TOOLS = {
    "cyclictest": Tool(cyclictest_arguments, cyclictest_rows, signal.SIGKILL, True),
    "oslat": Tool(oslat_arguments, oslat_rows, signal.SIGKILL, True),
    "hwlatdetect": Tool(hwlatdetect_arguments, hwlatdetect_rows, signal.SIGINT, False),
}
