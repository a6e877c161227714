# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of delays: worked out by hand where that can be done, and never exceeded by a network that is simulated."""

from __future__ import annotations

import heapq
import itertools
import math

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _delay_bound
from ansible_collections.detnet.testbed.plugins.module_utils._delay_bound import Flow
from hypothesis import given
from hypothesis import strategies as st

GBPS = 1e9
FRAME = 12304.0  # 1500 bytes of IP, with all that is around them


def flow(rate: float, burst: float, *hops: tuple[str, int], frame: float = FRAME) -> Flow:
    return Flow(rate, burst, frame, hops)


def test_one_flow_waits_for_its_own_burst() -> None:
    assert _delay_bound.delays([flow(1e8, 1e5, ("a", 0))], {"a": GBPS}) == [(pytest.approx(1e5 / GBPS),)]


def test_flows_of_a_queue_wait_for_each_other() -> None:
    both = [flow(1e8, 1e5, ("a", 0)), flow(2e8, 3e5, ("a", 0))]
    assert _delay_bound.delays(both, {"a": GBPS}) == [(pytest.approx(4e5 / GBPS),)] * 2


def test_a_higher_queue_waits_for_one_frame_and_a_lower_one_for_all() -> None:
    high, low = flow(1e8, 1e5, ("a", 7), frame=1e4), flow(2e8, 3e5, ("a", 0), frame=2e4)
    assert _delay_bound.delays([high, low], {"a": GBPS}) == [
        (pytest.approx((1e5 + 2e4) / GBPS),),
        (pytest.approx((1e5 + 3e5) / (GBPS - 1e8)),),
    ]


def test_a_burst_grows_from_hop_to_hop() -> None:
    cross = flow(2e8, 3e5, ("a", 0))
    long = flow(1e8, 1e5, ("a", 0), ("b", 0))
    first = 4e5 / GBPS
    assert _delay_bound.delays([cross, long], {"a": GBPS, "b": GBPS})[1] == (
        pytest.approx(first),
        pytest.approx((1e5 + 1e8 * first) / GBPS),
    )


@pytest.mark.parametrize(
    ("rates", "bounded"),
    [
        pytest.param((5e8, 5e8), (True, True), id="full"),
        pytest.param((5e8, 5.1e8), (False, False), id="more-than-full"),
    ],
)
def test_a_port_that_is_full(rates: tuple[float, float], bounded: tuple[bool, bool]) -> None:
    found = _delay_bound.delays([flow(rate, 1e5, ("a", 0)) for rate in rates], {"a": GBPS})
    assert tuple(math.isfinite(delay) for (delay,) in found) == bounded


def test_who_waits_for_a_flow_without_a_bound_has_none() -> None:
    greedy = flow(2 * GBPS, 1e5, ("a", 7), ("b", 0))
    low, after, apart = flow(1e6, 1e4, ("a", 0)), flow(1e6, 1e4, ("b", 0)), flow(1e6, 1e4, ("c", 0))
    found = _delay_bound.delays([greedy, low, after, apart], dict.fromkeys("abc", GBPS))
    assert [math.isfinite(sum(delays)) for delays in found] == [False, False, False, True]


def ring(load: float) -> list[Flow]:
    """Return flows around three ports, each through two of them, so that all wait for each other."""
    return [flow(load * GBPS / 2, 1e5, (one, 0), (other, 0)) for one, other in ("ab", "bc", "ca")]


def test_flows_that_wait_for_each_other_in_a_circle() -> None:
    found = _delay_bound.delays(ring(0.5), dict.fromkeys("abc", GBPS))
    # By symmetry, D = (2 * burst + rate * D) / C.
    assert found == [(pytest.approx(2e5 / (GBPS - 2.5e8)),) * 2] * 3


def test_a_circle_without_an_end() -> None:
    """Each flow passes four ports of a ring of four: D = (4 b + 6 r D) / C has a solution below C = 6 r only."""
    flows = [
        flow(
            0.24 * GBPS,
            1e5,
            *((port, 0) for port in itertools.islice(itertools.cycle("abcd"), start, start + 4)),
        )
        for start in range(4)
    ]
    apart = flow(1e6, 1e4, ("e", 0))
    found = _delay_bound.delays([*flows, apart], dict.fromkeys("abcde", GBPS))
    assert [math.isfinite(sum(delays)) for delays in found] == [False] * 4 + [True]


def test_no_flow() -> None:
    assert _delay_bound.delays([], {}) == []


def simulate(flows: list[Flow], speeds: dict[str, float], starts: list[list[float]]) -> list[float]:
    """Return the longest delay of each flow's frames, which enter the network when starts says.

    Frames of one length; strict priority, no frame is interrupted.
    """
    worst = [0.0] * len(flows)
    waiting: dict[str, list[tuple[int, float, int, int, float]]] = {port: [] for port in speeds}
    busy_until = dict.fromkeys(speeds, 0.0)
    counter = itertools.count()
    events: list[tuple[float, int, str, tuple[int, int, float] | None]] = []
    for index, times in enumerate(starts):
        for time in times:
            heapq.heappush(events, (time, next(counter), str(flows[index].hops[0][0]), (index, 0, time)))
    while events:
        now, _number, port, arrival = heapq.heappop(events)
        if arrival:
            index, hop, began = arrival
            heapq.heappush(
                waiting[port], (-flows[index].hops[hop][1], now, next(counter), index * 100 + hop, began)
            )
            # Frames that arrive at the same moment are all there before one is chosen.
            heapq.heappush(events, (now, next(counter) + 10**9, port, None))
            continue
        if busy_until[port] > now or not waiting[port]:
            continue
        _queue, _arrived, _order, code, began = heapq.heappop(waiting[port])
        index, hop = divmod(code, 100)
        done = now + flows[index].frame_bits / speeds[port]
        busy_until[port] = done
        heapq.heappush(events, (done, next(counter) + 10**9, port, None))
        if hop + 1 < len(flows[index].hops):
            heapq.heappush(
                events, (done, next(counter), str(flows[index].hops[hop + 1][0]), (index, hop + 1, began))
            )
        else:
            worst[index] = max(worst[index], done - began)
    return worst


paths = st.sampled_from(["a", "b", "c", "ab", "bc", "abc", "ca", "cab"])


@given(
    st.lists(
        st.tuples(paths, st.integers(0, 2), st.integers(1, 9), st.integers(1, 5), st.integers(0, 20)),
        min_size=1,
        max_size=6,
    )
)
def test_no_frame_is_later_than_its_bound(drawn: list[tuple[str, int, int, int, int]]) -> None:
    """Each flow sends its whole burst at once, and then at its rate."""
    speeds = dict.fromkeys("abc", 100.0)
    flows = [
        flow(float(rate), 10.0 * burst, *((port, queue) for port in path), frame=10.0)
        for path, queue, rate, burst, _start in drawn
    ]
    starts = [
        [float(start)] * burst + [start + 10.0 * number / rate for number in range(1, 12)]
        for _path, _queue, rate, burst, start in drawn
    ]
    bounds = [sum(found) for found in _delay_bound.delays(flows, speeds)]
    for late, bound in zip(simulate(flows, speeds, starts), bounds, strict=True):
        assert late <= bound * (1 + 1e-6)
