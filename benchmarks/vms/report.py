"""The tables on the terminal."""

from __future__ import annotations

import typing as t

from benchmarks.switch.report import figure, figure_rows, goal_rows, ratio_rows, tables
from benchmarks.switch.spread import spread
from benchmarks.vms.results import GOALS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.vms.results import Results


def step_rows(results: Results) -> Iterator[list[str]]:
    yield ["s of each step", "median (min…max)"]
    for contender, steps in results.steps.items():
        for step, rounds in steps.items():
            yield [f"{contender}: {step}", figure(spread(list(rounds.values())))]


def report(results: Results) -> str:
    return tables([
        step_rows(results),
        figure_rows("Figure", results.figures),
        ratio_rows(results.ratios()),
        goal_rows(GOALS, results.summary()),
    ])  # fmt: skip
