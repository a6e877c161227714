from __future__ import annotations

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._burst import (
    burst_result,
    departures,
    wire_bits,
    wire_rate,
)
from hypothesis import given
from hypothesis import strategies as st

MS = 1_000_000
RULE = {"tags": [21, 21, 1], "rate_bps": 10_000_000, "burst_bits": 60_000}
BITS = wire_bits(1400, 3)


@pytest.mark.parametrize(
    ("payload_bytes", "tags", "bits"),
    [
        pytest.param(1400, 3, 8 * (1400 + 28 + 14 + 4 + 12 + 20), id="with-tags"),
        pytest.param(0, 0, 8 * 84, id="the-least-frame-of-ethernet"),
        pytest.param(18, 0, 8 * 84, id="just-the-least-frame"),
        pytest.param(18, 1, 8 * 88, id="a-tag-makes-it-longer"),
    ],
)
def test_a_datagram_costs_what_it_takes_on_the_wire(payload_bytes: int, tags: int, bits: int) -> None:
    assert wire_bits(payload_bytes, tags) == bits


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        pytest.param([0, 0], [0, 0], id="what-the-bucket-has-leaves-at-once"),
        pytest.param([0, 0, 0, 0], [0, 0, 10, 20], id="the-others-wait-for-the-rate"),
        pytest.param([0, 0, 0, 25], [0, 0, 10, 25], id="one-that-comes-late-waits-for-nothing"),
        pytest.param([0, 0, 1000, 1000, 1000], [0, 0, 1000, 1000, 1010], id="the-bucket-refills"),
        pytest.param([0, 0, 0, 13, 13], [0, 0, 10, 20, 30], id="no-credit-while-something-waits"),
    ],
)
def test_frames_leave_when_rate_and_burst_allow_it(arrivals: list[int], expected: list[int]) -> None:
    """A frame is 1000 bit, 10 ns long at this rate, and the bucket has two."""
    assert departures(arrivals, bits=1000, rate_bps=10**11, burst_bits=2000) == expected


def test_without_a_rate_nothing_waits() -> None:
    assert departures([3, 5], bits=1000, rate_bps=0, burst_bits=0) == [3, 5]


@given(
    st.lists(st.integers(0, 10**9), min_size=1).map(sorted),
    st.integers(1, 10**12),
    st.integers(1, 10**6),
    st.integers(1, 10**5),
)
def test_in_no_window_more_leaves_than_burst_and_rate_allow(
    arrivals: list[int], rate_bps: int, burst_bits: int, bits: int
) -> None:
    times = departures(arrivals, bits, rate_bps, burst_bits)
    assert times == sorted(times)
    assert all(leaves >= arrives for leaves, arrives in zip(times, arrivals, strict=True))
    for first, begin in enumerate(times):
        for last in range(first + 1, len(times)):
            allowed = max(burst_bits, bits) * 10**9 + rate_bps * (times[last] - begin + 1)
            assert (last - first + 1) * bits * 10**9 <= allowed


def seen(arrived_ms: list[float], offset_ms: int = 5000, sent_ms: float = 0.1) -> dict[str, object]:
    """Return the capture of a burst, one datagram each sent_ms, seen at the given times after the first sending."""
    return {
        "at": "alpha - s1",
        "clock_offset_ns": offset_ms * MS,
        "arrivals": [
            {
                "number": number,
                "sent_ns": int(number * sent_ms * MS) + 7 * MS,
                "arrived_ns": int(at * MS) + (7 + offset_ms) * MS,
            }
            for number, at in enumerate(arrived_ms)
        ],
    }


def in_theory(count: int = 64, rate_bps: int = 10_000_000, late_ms: float = 0.0) -> list[float]:
    sent = [int(number * 0.1 * MS) for number in range(count)]
    return [at / MS + late_ms for at in departures(sent, BITS, rate_bps, RULE["burst_bits"])]


def test_a_burst_that_leaves_as_its_rule_says_is_early_by_nothing() -> None:
    assert burst_result(RULE, 64, 1400, seen(in_theory(late_ms=0.3))) == {
        "at": "alpha - s1",
        "datagrams": 64,
        "payload_bytes": 1400,
        "arrived": 64,
        "duplicates": 0,
        "out_of_order": 0,
        "rate_bps": 10_000_000,
        "burst_bits": 60_000,
        "waited": 59,
        "sent_over_us": 6300,
        "arrived_over_us": 69973,
        "expected_over_us": 69673,
        "early_us": 0,
        "wire_rate_bps": 9_956_445,
    }


@pytest.mark.parametrize(
    ("arrived", "early_us"),
    [
        pytest.param(in_theory(late_ms=-0.9), 0, id="within-the-time-of-the-fastest-datagram"),
        pytest.param(in_theory(late_ms=-1.5), 500, id="earlier-than-that"),
        pytest.param([at + (8 if at < 30 else 0) for at in in_theory()], 0, id="late-frames-do-not-make-others-early"),
    ],
)  # fmt: skip
def test_says_how_early_frames_were(arrived: list[float], early_us: int) -> None:
    assert burst_result(RULE, 64, 1400, seen(arrived))["early_us"] == early_us


@pytest.mark.parametrize(
    "rate_bps",
    [pytest.param(0, id="not-shaped"), pytest.param(11_000_000, id="a-tenth-too-fast")],
)
def test_a_burst_above_its_rate_is_early(rate_bps: int) -> None:
    assert burst_result(RULE, 64, 1400, seen(in_theory(rate_bps=rate_bps)))["early_us"] > 5000


def test_loss_and_order_are_counted() -> None:
    capture = seen(in_theory())
    numbers = [0, 2, 1, *range(3, 60), 59]
    capture["arrivals"] = [
        {**arrival, "number": number}
        for arrival, number in zip(capture["arrivals"], numbers, strict=False)  # type: ignore[call-overload]
    ]
    result = burst_result(RULE, 64, 1400, capture)
    assert (result["arrived"], result["duplicates"], result["out_of_order"]) == (60, 1, 1)


def test_a_burst_that_never_arrived_has_no_times() -> None:
    result = burst_result(RULE, 64, 1400, {"at": "alpha - s1", "arrivals": [], "clock_offset_ns": 0})
    assert result["arrived"] == 0
    assert "early_us" not in result


def test_a_rule_without_a_rate_delays_nothing() -> None:
    result = burst_result({"tags": [1]}, 3, 1400, seen([0, 0.1, 0.2]))
    assert (result["waited"], result["wire_rate_bps"], result["early_us"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("frames", "begin", "end", "rate"),
    [
        pytest.param(11, 50, 150, 10**11, id="ten-frames-of-1000-bit-in-100-ns"),
        pytest.param(1, 50, 150, 0, id="one-frame-has-no-rate"),
        pytest.param(2, 50, 50, 0, id="no-time"),
        pytest.param(2, 50, 40, 0, id="early"),
    ],
)
def test_the_rate_is_that_of_the_frames_that_waited(frames: int, begin: int, end: int, rate: int) -> None:
    assert wire_rate(1000, frames, begin, end) == rate
