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
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.tagging import Connection

BATCHES = (1, 100, 10_000)
MANY = 100_000
BATCHES_MAX = 2000
BATCH_SECONDS = 2.0
P99_SAMPLES_MIN = 100
MILLI = 1000


@dataclasses.dataclass(frozen=True)
class Loading:
    """What 100 000 rules take."""

    replace_s: float
    from_store_s: float
    bytes_per_rule: float


def rules(first: int, count: int) -> list[dict[str, t.Any]]:
    return [flows.rule(flow, PAIR, shaping=True) for flow in range(first, first + count)]


def set_batches(switch: Connection, size: int) -> list[float]:
    """Set new rules, batch after batch, and return the seconds until each was acknowledged."""
    lines = [
        request("rule.set", rules=rules(first, size))
        for first in range(0, min(MANY, BATCHES_MAX * size), size)
    ]
    took: list[float] = []
    while len(took) < len(lines) and sum(took) < BATCH_SECONDS:
        before = time.monotonic()
        switch.exchange(lines[len(took)])
        took.append(time.monotonic() - before)
    return took


def measure_batches(bench: Bench, state: Path) -> Iterator[tuple[str, float]]:
    for size in BATCHES:
        with fresh(bench, state) as switch:
            took = set_batches(switch, size)
        yield f"rules_per_s_in_batches_of_{size}", size * len(took) / sum(took)
        yield f"ack_median_ms_of_batch_of_{size}", MILLI * percentile(took, 0.5)
        if len(took) >= P99_SAMPLES_MIN:
            yield f"ack_p99_ms_of_batch_of_{size}", MILLI * percentile(took, 0.99)


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
    loading = measure_loading(bench, state)
    return {
        **dict(measure_batches(bench, state)),
        "load_100k_by_replace_s": loading.replace_s,
        "load_100k_from_store_s": loading.from_store_s,
        "load_100k_s": max(loading.replace_s, loading.from_store_s),
        "bytes_per_rule": loading.bytes_per_rule,
    }
