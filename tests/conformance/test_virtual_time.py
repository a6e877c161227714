"""Shaping conforms to the theory at every rate, burst, length and pattern of arrivals: exactly, without a clock."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.simulator import (
    OVER_RATE,
    QUEUE_FULL,
    Arrival,
    Mode,
    Terms,
    Theory,
    simulate,
    wire_bits,
)

HZ = 2_600_000_000
STEP_SHIFT = 8
IMIX = [60] * 7 + [566] * 4 + [1510]
LENGTHS = {"64 B": [60], "IMIX": IMIX, "1500 B": [1514], "9000 B": [9014]}

lengths = st.one_of(st.sampled_from(sorted({*IMIX, 1514, 9014})), st.integers(14, 9014))
hertz = st.sampled_from([1_000_000_000, HZ, 3_600_000_001])
step_shifts = st.integers(0, 14)
tag_counts = st.integers(0, 10)


@st.composite
def rates_and_bursts(draw: st.DrawFn) -> dict[str, int]:
    """Rates from 64 kbit/s to 400 Gbit/s, bursts from one frame to 10^12 bit, as many small ones as large ones."""
    return {
        "rate_bps": min(400 * 10**9, int(64_000 * 10 ** draw(st.floats(0, 6.8)))),
        "burst_bits": int(wire_bits(9014, 10) * 10 ** draw(st.floats(0, 7.13))),
    }


@st.composite
def patterns(draw: st.DrawFn, rate_bps: int, hz: int) -> list[Arrival]:
    """Trains of frames back to back, at the rate, around it, and after long pauses."""
    tick, arrivals = 0, []
    for _train in range(draw(st.integers(1, 12))):
        length = draw(lengths)
        spacing = wire_bits(length) * hz // rate_bps
        gap = draw(
            st.sampled_from([0, 1, spacing // 2, max(0, spacing - 1), spacing, spacing + 1, 2 * spacing])
        )
        tick += draw(st.sampled_from([0, 1, spacing, 100 * spacing, hz, 3600 * hz]))
        for _frame in range(draw(st.integers(1, 20))):
            arrivals.append(Arrival(tick, length))
            tick += gap
    return arrivals


def expected(hz: int, step_shift: int, terms: Terms, arrivals: list[Arrival], tags: int = 0) -> list[int]:
    theory = Theory(hz, step_shift, terms, tags)
    return [theory.next(arrival) for arrival in arrivals]


@settings(max_examples=400, deadline=None)
@given(st.data(), rates_and_bursts(), hertz, step_shifts, tag_counts)
def test_departures_are_those_of_the_theory(
    data: st.DataObject, flow: dict[str, int], hz: int, step_shift: int, tags: int
) -> None:
    terms = Terms(**flow)
    arrivals = data.draw(patterns(terms.rate_bps, hz))
    departures = simulate(hz, step_shift, [terms], arrivals, tags)
    assert departures == expected(hz, step_shift, terms, arrivals, tags)
    assert departures == sorted(departures), "frames of one rule keep their order"


@settings(max_examples=400, deadline=None)
@given(st.data(), rates_and_bursts(), hertz, step_shifts)
def test_no_window_has_more_than_the_burst_and_the_rate(
    data: st.DataObject, flow: dict[str, int], hz: int, step_shift: int
) -> None:
    """A departure is rounded up to a step, so two of them may come closer by less than one."""
    terms = Terms(**flow)
    arrivals = data.draw(patterns(terms.rate_bps, hz))
    departures = simulate(hz, step_shift, [terms], arrivals)
    bits = [0, *itertools.accumulate(wire_bits(arrival.length) for arrival in arrivals)]
    for first, last in itertools.combinations_with_replacement(range(len(arrivals)), 2):
        time = departures[last] - departures[first] + (1 << step_shift) * (last > first)
        assert (bits[last + 1] - bits[first] - terms.burst_bits) * hz <= terms.rate_bps * time


@settings(max_examples=300, deadline=None)
@given(
    st.data(),
    st.sampled_from([64_000, 10**7, 10**10]),
    st.integers(672, 100_000),
    st.sampled_from([Mode.SHAPE, Mode.SHAPE, Mode.POLICE, Mode.OFF]),
    st.one_of(
        st.tuples(st.integers(1, 5), st.just(2**32 - 1)), st.tuples(st.just(100), st.integers(60, 30_000))
    ),
)
def test_what_does_not_fit_the_queue_or_the_rate_is_dropped_and_not_charged(
    data: st.DataObject, rate_bps: int, burst_bits: int, mode: Mode, limits: tuple[int, int]
) -> None:
    packets, octets = limits
    terms = Terms(rate_bps, burst_bits, octets, packets, mode)
    arrivals = data.draw(patterns(terms.rate_bps, HZ))
    assert simulate(HZ, STEP_SHIFT, [terms], arrivals) == expected(HZ, STEP_SHIFT, terms, arrivals)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(rates_and_bursts(), min_size=2, max_size=6))
def test_rules_do_not_disturb_each_other(data: st.DataObject, flows: list[dict[str, int]]) -> None:
    all_terms = [Terms(**flow) for flow in flows]
    arrivals = sorted(
        (
            Arrival(arrival.tick, arrival.length, flow)
            for flow, terms in enumerate(all_terms)
            for arrival in data.draw(patterns(terms.rate_bps, HZ))
        ),
        key=lambda arrival: arrival.tick,
    )
    departures = simulate(HZ, STEP_SHIFT, all_terms, arrivals)
    for flow, terms in enumerate(all_terms):
        own = [index for index, arrival in enumerate(arrivals) if arrival.flow == flow]
        assert [departures[index] for index in own] == expected(
            HZ, STEP_SHIFT, terms, [arrivals[index] for index in own]
        )


@pytest.mark.parametrize("burst_bits", [8 * 9046, 10**6, 10**12])
@pytest.mark.parametrize("sizes", LENGTHS)
@pytest.mark.parametrize("rate_bps", [64_000, 10**6, 10**7, 10**9, 10**10, 4 * 10**11])
def test_a_backlog_leaves_at_the_rate(rate_bps: int, sizes: str, burst_bits: int) -> None:
    """Twice the rate arrives, in random bursts; nothing is lost, and the rate is used to at least 0.999."""
    chance = random.Random(rate_bps ^ burst_bits)
    terms = Terms(rate_bps, burst_bits)
    tick, arrivals = 0, []
    for _frame in range(5000):
        length = chance.choice(LENGTHS[sizes])
        arrivals.append(Arrival(tick, length))
        tick += int(chance.expovariate(2 * rate_bps / (wire_bits(length) * HZ)))
    departures = simulate(HZ, STEP_SHIFT, [terms], arrivals)
    assert OVER_RATE not in departures
    assert QUEUE_FULL not in departures
    excess = sum(wire_bits(arrival.length) for arrival in arrivals) - burst_bits
    least = max(arrivals[-1].tick, excess * HZ / rate_bps)
    assert departures[-1] <= least / 0.999 + (1 << STEP_SHIFT)


@pytest.mark.parametrize(
    ("burst_bits", "departures"),
    [
        pytest.param(672, [0, 672, 1344], id="one-frame-passes-at-once"),
        pytest.param(1344, [0, 0, 672], id="two-frames-pass-at-once"),
        pytest.param(671, [1, 673, 1345], id="a-frame-larger-than-the-burst-waits-for-its-excess"),
        pytest.param(10**12, [0, 0, 0], id="a-burst-beyond-2^32-bits-passes-at-once"),
    ],
)
def test_a_train_of_three_frames_at_one_bit_per_tick(burst_bits: int, departures: list[int]) -> None:
    arrivals = [Arrival(0, 60)] * 3
    assert simulate(10**9, 0, [Terms(10**9, burst_bits)], arrivals) == departures
