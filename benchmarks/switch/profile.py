"""Where the device under test spends its time: perf on its data core while one case runs."""

from __future__ import annotations

import shutil
import typing as t

from benchmarks.switch.generator import generator
from benchmarks.switch.measure import CONTENDERS, settle
from benchmarks.switch.process import BenchmarkError, run

if t.TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.plan import Case

REPORT_LINES = 40


def profile(bench: Bench, case: Case, seconds: float, data: Path) -> str:
    """Record the device, and return what took the most; `perf annotate -i DATA` shows more."""
    if shutil.which("perf") is None:
        raise BenchmarkError("Cannot profile: perf is missing; install linux-perf")
    with CONTENDERS[case.setup.contender](bench) as device, generator(bench, device.vhost) as guest:
        device.use(case.setup)
        settle(device, guest, case)
        # perf takes the cycle counter where there is one, else the clock.
        record = ["perf", "record", "--quiet", "--pid", str(device.pid), "--output", str(data)]
        run(*record, "--", "sleep", str(seconds))
    report = [
        "perf",
        "report",
        "--input",
        str(data),
        "--stdio",
        "--no-children",
    ]
    answer = run(*report, "--sort", "dso,symbol")
    lines = [line.rstrip(" -") for line in answer.splitlines() if line and not line.startswith("#")]
    return "\n".join(lines[:REPORT_LINES])
