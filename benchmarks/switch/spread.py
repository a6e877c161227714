"""Repeated figures, and ratios of figures that were measured in the same round."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Spread:
    """The figures of all rounds."""

    minimum: float
    median: float
    maximum: float

    def as_json(self, digits: int = 4) -> dict[str, float]:
        """Return the figures, rounded to so many significant digits."""
        return {
            "min": significant(self.minimum, digits),
            "median": significant(self.median, digits),
            "max": significant(self.maximum, digits),
        }


def significant(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")


def spread(samples: Sequence[float]) -> Spread:
    """Return the spread of at least one sample."""
    return Spread(min(samples), statistics.median(samples), max(samples))


def ratios(numerator: Mapping[int, float], denominator: Mapping[int, float]) -> list[float]:
    """Return a ratio for each round that has both."""
    return [
        numerator[number] / denominator[number] for number in sorted(numerator.keys() & denominator.keys())
    ]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share (0..1) of the samples does not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


@dataclasses.dataclass(frozen=True)
class Reading:
    """A counter's value and the moment at which it had it, both give or take what reading took."""

    moment: float
    value: int
    took: float


def read(
    counter: Callable[[], int], clock: Callable[[], float], good_s: float = 0.001, tries: int = 5
) -> Reading:
    """Return the quickest of a few readings of a counter, or the first one that is quick enough."""
    best = _read(counter, clock)
    for _try in range(tries - 1):
        if best.took < good_s:
            break
        best = min(best, _read(counter, clock), key=lambda reading: reading.took)
    return best


def _read(counter: Callable[[], int], clock: Callable[[], float]) -> Reading:
    before = clock()
    value = counter()
    after = clock()
    return Reading((before + after) / 2, value, after - before)


def rate(before: Reading, after: Reading) -> float:
    """Return how much was counted per second between two readings."""
    return (after.value - before.value) / (after.moment - before.moment)
