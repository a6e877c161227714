"""The tables on the terminal."""

from __future__ import annotations

import typing as t

from benchmarks.switch.report import figure, number, table
from benchmarks.switch.spread import spread
from benchmarks.vms.results import GOALS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.vms.results import Results


def figure_rows(results: Results) -> Iterator[list[str]]:
    yield ["Figure", "median (min…max)"]
    for name, rounds in results.figures.items():
        yield [name.replace("_", " "), figure(spread(list(rounds.values())))]


def step_rows(results: Results) -> Iterator[list[str]]:
    yield ["s of each step", "median (min…max)"]
    for contender, steps in results.steps.items():
        for step, rounds in steps.items():
            yield [f"{contender}: {step}", figure(spread(list(rounds.values())))]


def ratio_rows(results: Results) -> Iterator[list[str]]:
    yield ["Ratio, round by round", "median (min…max)"]
    for name, found in results.ratios().items():
        yield [name, figure(found)]


def goal_rows(results: Results) -> Iterator[list[str]]:
    yield ["Goal", "", "figure", ""]
    summary = results.summary()
    for goal in GOALS:
        value = summary.get(goal.key)
        verdict = "not measured" if value is None else "met" if goal.is_met(value) else "missed"
        yield [f"{goal.key}: {goal.meaning}", goal.relation, "" if value is None else number(value), verdict]


def report(results: Results) -> str:
    """Return all tables that have a row."""
    parts: list[Iterable[list[str]]] = [
        step_rows(results),
        figure_rows(results),
        ratio_rows(results),
        goal_rows(results),
    ]
    tables = [list(part) for part in parts]
    return "\n\n".join(table(rows) for rows in tables if len(rows) > 1)
