"""What each stage of the data path costs, alone: files/dpdk-app/bench/stages.c says what the names mean."""

from __future__ import annotations

import json
import typing as t

from benchmarks.switch.process import run

if t.TYPE_CHECKING:
    from benchmarks.switch.contender import Bench

TIME = "_ns"


def measure_stages(bench: Bench) -> dict[str, float]:
    """Return one round of figures by name."""
    program = str(bench.programs / "bench" / "bench-stages")
    answer = run("taskset", "--cpu-list", str(bench.cores.data), program, environment=bench.environment)
    figures: dict[str, float] = json.loads(answer)
    return figures
