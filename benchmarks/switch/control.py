"""Control measures: how fast rules become durable, how fast many are loaded, how much memory they take."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from benchmarks.switch import flows
from benchmarks.switch.plan import PAIR
from benchmarks.switch.process import BenchmarkError
from benchmarks.switch.spread import percentile
from benchmarks.switch.tagging import fresh, request, started

if t.TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.tagging import Connection

BATCHES = (1, 100, 10_000)
MANY = 100_000
BATCH_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Batches:
    """What setting rules in batches of one size gave."""

    rules_per_s: float
    median_s: float  # from the request to its acknowledgement
    p99_s: float


@dataclasses.dataclass(frozen=True)
class Loading:
    """What 100 000 rules take."""

    replace_s: float
    from_store_s: float
    bytes_per_rule: float


def rules(first: int, count: int) -> list[dict[str, t.Any]]:
    return [flows.rule(flow, PAIR, shaping=True) for flow in range(first, first + count)]


def measure_batches(switch: Connection, size: int) -> Batches:
    """Set new rules, batch after batch, until the time is over or there are MANY."""
    lines = [
        request("rule.set", rules=rules(first, size)) for first in range(0, min(MANY, 2000 * size), size)
    ]
    took = []
    deadline = time.monotonic() + BATCH_SECONDS
    for line in lines:
        before = time.monotonic()
        switch.exchange(line)
        took.append(time.monotonic() - before)
        if before > deadline:
            break
    return Batches(len(took) * size / sum(took), percentile(took, 0.5), percentile(took, 0.99))


def timed_start(bench: Bench, state: Path, rule_count: int) -> float:
    """Return how long it takes from the program's start until it answers with all its rules."""
    before = time.monotonic()
    with started(bench, state) as switch:
        found = switch.call("switch.info")["rules"]
        took = time.monotonic() - before
    if found != rule_count:
        raise BenchmarkError(f"Cannot time a restart: {found} of {rule_count} rules are there after it")
    return took


def measure_loading(bench: Bench, state: Path) -> Loading:
    with fresh(bench, state) as switch:
        empty = switch.call("switch.info")["rules_bytes"]
    start_empty_s = timed_start(bench, state, 0)
    with started(bench, state) as switch:
        line = request("rule.replace", rules=rules(0, MANY))
        before = time.monotonic()
        switch.exchange(line)
        replace_s = time.monotonic() - before
        used = switch.call("switch.info")["rules_bytes"]
    from_store_s = timed_start(bench, state, MANY) - start_empty_s
    return Loading(replace_s, from_store_s, (used - empty) / MANY)


def measure_control(bench: Bench) -> dict[str, float]:
    """Return one round of all control measures by name."""
    state = bench.state / "control.db"
    figures: dict[str, float] = {}
    for size in BATCHES:
        with fresh(bench, state) as switch:
            batches = measure_batches(switch, size)
        for field, value in dataclasses.asdict(batches).items():
            figures[f"batch_{size}_{field}"] = value
    loading = measure_loading(bench, state)
    load_s = max(loading.replace_s, loading.from_store_s)
    return {**figures, **dataclasses.asdict(loading), "load_s": load_s}
