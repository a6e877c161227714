"""What each stage of the data path costs, alone."""

from __future__ import annotations

import json
import typing as t

from benchmarks.switch.process import run

if t.TYPE_CHECKING:
    from benchmarks.switch.contender import Bench


def measure_stages(bench: Bench) -> dict[str, float]:
    """Return one round of the costs by name."""
    answer = run(
        "taskset", "--cpu-list", str(bench.cores.data), str(bench.programs / "bench" / "bench-stages")
    )
    figures: dict[str, float] = json.loads(answer)
    return figures
