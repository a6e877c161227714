"""What is measured, in which order."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Thing = t.TypeVar("Thing")

PAIR = 2  # the number of tags that every contender which pushes tags can push
HEADLINE_TRAFFIC = "64 B"

# Lengths of frames without FCS, each with its share, by the name that counts the FCS (IMIX: 7 of 64 bytes, 4 of 594,
# 1 of 1518) or, of the last, the length of the IP packet.
TRAFFIC = {
    "64 B": "60*1",
    "IMIX": "60*7 590*4 1514*1",
    "1500 B": "1514*1",
}


@dataclasses.dataclass(frozen=True, order=True)
class Setup:
    """A contender with its rules."""

    contender: str
    rules: int
    tags: int = 0
    shaping: bool = False

    def __str__(self) -> str:
        tags = f", {self.tags} tag{'s' * (self.tags > 1)}" if self.tags else ""
        return f"{self.contender}, {self.rules} rules{tags}{', shaping' * self.shaping}"


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """One line of the table."""

    setup: Setup
    traffic: str

    def __str__(self) -> str:
        return f"{self.setup}, {self.traffic}"


@dataclasses.dataclass(frozen=True)
class Sitting:
    """Cases that are measured one after the other with one process."""

    contender: str
    rules: int
    cases: tuple[Case, ...]


TESTPMD_IO = Setup("testpmd", 1000)
REFERENCE = Setup("reference", 3, PAIR, shaping=True)


def ours(rules: int, tags: int = PAIR, *, shaping: bool = True) -> Setup:
    return Setup("ours", rules, tags, shaping)


def open_vswitch(rules: int, *, meter: bool = True) -> Setup:
    return Setup("ovs", rules, PAIR, meter)


SETUPS = (
    TESTPMD_IO,
    REFERENCE,
    *(open_vswitch(rules, meter=meter) for rules in (256, 10_000, 100_000) for meter in (False, True)),
    *(
        ours(rules, tags, shaping=shaping)
        for rules in (3, 256, 1000, 10_000, 100_000)
        for tags in (1, 2, 10)
        for shaping in (False, True)
    ),
)
CASES = tuple(Case(setup, traffic) for setup in SETUPS for traffic in TRAFFIC)

# A over B at HEADLINE_TRAFFIC, in packets per second. These are measured close to each other in every round.
RATIOS = {
    "vhost_vs_testpmd_io": (ours(1000), TESTPMD_IO),
    "vs_ovs_meter_256": (ours(256), open_vswitch(256)),
    "vs_ovs_meter_100k": (ours(100_000), open_vswitch(100_000)),
    "vs_ovs_256": (ours(256, shaping=False), open_vswitch(256, meter=False)),
    "vs_ovs_100k": (ours(100_000, shaping=False), open_vswitch(100_000, meter=False)),
    "vs_reference": (ours(3), REFERENCE),
    "path_cost_10_tags_vs_1": (ours(1000, 1), ours(1000, 10)),
}


def select(things: Sequence[Thing], pattern: str) -> tuple[Thing, ...]:
    """Return those whose name has a match of the pattern."""
    return tuple(thing for thing in things if re.search(pattern, str(thing)))


def sittings(cases: Sequence[Case], order: random.Random) -> list[Sitting]:
    """Return one round in random order: first what the ratios need, then the rest.

    Open vSwitch takes long to settle, so all of its cases are measured in one sitting.
    """
    headline = {Case(setup, HEADLINE_TRAFFIC) for pair in RATIOS.values() for setup in pair}
    parts: tuple[list[Case], list[Case]] = ([], [])
    for case in cases:
        parts[case not in headline and case.setup.contender != "ovs"].append(case)
    return [sitting for part in parts for sitting in _shuffled(part, order)]


def _shuffled(cases: Iterable[Case], order: random.Random) -> list[Sitting]:
    made = []
    for (contender, rules), group in itertools.groupby(
        sorted(cases), lambda case: (case.setup.contender, case.setup.rules)
    ):
        made.append(Sitting(contender, rules, tuple(_by_setup(list(group), order))))
    order.shuffle(made)
    return made


def _by_setup(cases: list[Case], order: random.Random) -> Iterable[Case]:
    """Yield the cases in random order, but those with the same rules together."""
    setups = sorted({case.setup for case in cases})
    order.shuffle(setups)
    for setup in setups:
        same = [case for case in cases if case.setup == setup]
        order.shuffle(same)
        yield from same
