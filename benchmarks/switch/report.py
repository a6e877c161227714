"""The tables on the terminal."""

from __future__ import annotations

import typing as t

from benchmarks.switch.goals import GOALS
from benchmarks.switch.plan import TRAFFIC, Case
from benchmarks.switch.spread import Spread, spread
from benchmarks.switch.stages import TIME

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.switch.goals import Goal
    from benchmarks.switch.plan import Setup
    from benchmarks.switch.results import Results, Rounds

NAMES = {
    "testpmd": "dpdk-testpmd io",
    "reference": "the reference's algorithm",
    "ovs": "Open vSwitch with DPDK",
    "ours": "dpdk-tagging",
}
MEGA = 1e6
THOUSAND = 1000
NOTHING = "-"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns: the first one left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def figure(found: Spread, scale: float = 1.0) -> str:
    """Return a median with its range."""
    median, *ends = (number(value / scale) for value in (found.median, found.minimum, found.maximum))
    return f"{median} ({'…'.join(ends)})"


def number(value: float) -> str:
    """Return a number with three significant digits or more, and without an exponent."""
    return f"{value:,.0f}".replace(",", " ") if value >= THOUSAND else f"{value:.3g}"


def path_rows(results: Results) -> Iterator[list[str]]:
    yield ["Mpps from vhost to the sink", "rules", "tags", "shaping", *TRAFFIC]
    setups = {case.setup for case in results.samples}
    order = list(NAMES)
    for setup in sorted(setups, key=lambda setup: (order.index(setup.contender), setup)):
        yield [
            NAMES[setup.contender],
            *_terms(setup),
            *(_rate(results, Case(setup, name)) for name in TRAFFIC),
        ]


def _terms(setup: Setup) -> list[str]:
    if not setup.tags:
        return [NOTHING, NOTHING, NOTHING]
    shaping = {True: "meter" if setup.contender == "ovs" else "yes", False: "no"}[setup.shaping]
    return [str(setup.rules), str(setup.tags), shaping]


def _rate(results: Results, case: Case) -> str:
    rates = results.rates(case)
    return figure(spread(list(rates.values())), MEGA) if rates else NOTHING


def figure_rows(title: str, figures: Mapping[str, Rounds]) -> Iterator[list[str]]:
    yield [title, "median (min…max)"]
    for name, rounds in figures.items():
        yield [name.replace("_", " "), figure(spread(list(rounds.values())))]


def ratio_rows(ratios: Mapping[str, Spread]) -> Iterator[list[str]]:
    yield ["Ratio, round by round", "median (min…max)"]
    for name, found in ratios.items():
        yield [name, figure(found)]


def goal_rows(goals: Iterable[Goal], summary: Mapping[str, float]) -> Iterator[list[str]]:
    yield ["Goal", "", "figure", ""]
    for goal in goals:
        value = summary.get(goal.key)
        verdict = "not measured" if value is None else "met" if goal.is_met(value) else "missed"
        yield [f"{goal.key}: {goal.meaning}", goal.relation, "" if value is None else number(value), verdict]


def tables(parts: Iterable[Iterable[list[str]]]) -> str:
    """Return all tables that have a row below their heads."""
    return "\n\n".join(table(rows) for rows in map(list, parts) if len(rows) > 1)


def report(results: Results) -> str:
    return tables([
        path_rows(results),
        ratio_rows(results.ratios()),
        figure_rows(
            "Stage", {name: rounds for name, rounds in results.stages.items() if name.endswith(TIME)}
        ),
        figure_rows("Control", results.control),
        goal_rows(GOALS, results.summary()),
    ])  # fmt: skip
