"""Figures of repeated measurements."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.switch.spread import Reading, Spread, percentile, rate, ratios, read, significant, spread


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([5.0], Spread(5, 5, 5), id="one"),
        pytest.param([3.0, 1.0, 2.0], Spread(1, 2, 3), id="odd"),
        pytest.param([4.0, 1.0, 2.0, 3.0], Spread(1, 2.5, 4), id="even"),
    ],
)
def test_spread(samples: list[float], expected: Spread) -> None:
    assert spread(samples) == expected


def test_ratios_are_made_within_rounds() -> None:
    assert ratios({1: 10.0, 2: 30.0}, {1: 5.0, 2: 10.0}) == [2, 3]


def test_a_round_that_lacks_one_side_gives_no_ratio() -> None:
    assert ratios({1: 10.0, 2: 30.0}, {2: 10.0, 3: 1.0}) == [3]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.5, 50, id="median"),
        pytest.param(0.99, 99, id="p99"),
        pytest.param(1.0, 100, id="maximum"),
        pytest.param(0.0, 1, id="minimum"),
        pytest.param(0.991, 100, id="rounds-up"),
    ],
)
def test_percentile(share: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0.0), (12345.6, 12350.0), (0.000123456, 0.0001235), (-2.00004, -2.0)],
)
def test_significant(value: float, expected: float) -> None:
    assert significant(value) == expected


def test_rate_is_count_over_time() -> None:
    assert rate(Reading(10.0, 100, 0.0), Reading(12.0, 300, 0.0)) == 100


def read_with(moments: list[float]) -> tuple[Reading, int]:
    """Read a counter that counts its readings, by a clock that shows these moments."""
    clock = iter(moments)
    counter = itertools.count(1)
    reading = read(lambda: next(counter), lambda: next(clock))
    return reading, len(moments) - len(list(clock))


def test_a_quick_reading_is_taken_at_once() -> None:
    quick = [1.0, 1.0 + 2**-11, 9.0, 9.0]
    assert read_with(quick) == (Reading(1.0 + 2**-12, 1, 2**-11), 2)


def test_of_slow_readings_the_quickest_is_taken() -> None:
    slow = [0.0, 1.0, 2.0, 2.25, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert read_with(slow) == (Reading(2.125, 2, 0.25), 10)
