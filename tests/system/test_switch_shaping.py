"""Shaping on the real switch: when frames leave, by the processor's clock, against the theory of the token bucket.

A frame is never early, whatever the machine does meanwhile; how late the latest one is, depends on the machine and is
told as a figure. tests/conformance has the same for the whole range of rates, in virtual time and without noise.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import typing as t

import pytest
from switch_fixtures import Bench, bench, wait_until
from switch_rules import TAGS, cost_bits, numbered, rule
from switch_stamps import Stamp, Stamping, now

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Figures

QUIET_S = 10.0
SANE_S = 10.0  # how late a frame may be on the busiest of machines
IMIX = [60] * 7 + [566] * 4 + [1514]  # bytes without FCS
SHORT, LONG = cost_bits(100), cost_bits(1514 - 4 * len(TAGS))


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("shaping"), {1: "switch", 2: "switch"}) as made:
        yield made


@dataclasses.dataclass
class Flow:
    """Frames of these sizes, all sent at once."""

    rate_bps: int
    burst_bits: int
    sizes: list[int]

    def frames(self) -> list[bytes]:
        return [numbered(1, size)[0][:-4] + n.to_bytes(4, "big") for n, size in enumerate(self.sizes)]

    def schedule(self, start: int, hz: int) -> list[float]:
        """Return the first tick at which each frame may leave, had it come at the start: GCRA, ITU-T I.371."""
        charged = itertools.accumulate(cost_bits(size) for size in self.sizes)
        return [start + max(0, bits - self.burst_bits) * hz / self.rate_bps for bits in charged]


FLOWS = {
    "64-kbit/s": Flow(64_000, 2 * SHORT, [100] * 12),
    "1-mbit/s-of-one-frame": Flow(10**6, SHORT, [100] * 100),
    "10-mbit/s-of-long-frames": Flow(10**7, 3 * LONG, [1502] * 100),
    "100-mbit/s-of-imix": Flow(10**8, 20 * LONG, IMIX * 60),
    "1-gbit/s-of-long-frames": Flow(10**9, 100 * LONG, [1502] * 3000),
    "a-burst-of-all": Flow(10**6, 1000 * SHORT, [100] * 1000),
    "an-odd-rate": Flow(7_654_321, 54_321, IMIX * 10),
}


def capture(on: Bench, flow: Flow, hz: int) -> tuple[int, list[Stamp]]:
    """Send the flow; return the tick before its first frame, and the stamps of what leaves."""
    stamping = Stamping(on.wire, len(flow.sizes), int(QUIET_S * hz))
    frames = flow.frames()
    stamping.start()
    start = now()
    on.vms[1].send(*frames)
    return start, stamping.result()


def excess_bits(flow: Flow, stamps: list[Stamp], hz: int) -> float:
    """Return by how much the fullest window has more than burst + rate x time; below 0: by how much it has less.

    A window from frame i to frame j has all frames between, so its excess is a rise of sent bits less credit.
    """
    fullest, lowest, level = float("-inf"), float("inf"), 0.0
    for number, stamp in enumerate(stamps):
        before = level - (stamp.tick - stamps[0].tick) * flow.rate_bps / hz
        lowest = min(lowest, before)
        level += cost_bits(flow.sizes[number])
        fullest = max(fullest, before + cost_bits(flow.sizes[number]) - lowest - flow.burst_bits)
    return fullest


@pytest.mark.parametrize("name", FLOWS)
def test_delays_what_is_above_the_rate(on: Bench, figures: Figures, name: str) -> None:
    flow = FLOWS[name]
    on.switch.call(
        "rule.set",
        rules=[
            rule(
                rate_bps=flow.rate_bps, burst_bits=flow.burst_bits, queue_packets=65535, queue_bytes=2**32 - 1
            )
        ],
    )
    hz = on.switch.call("stats.get")["hz"]
    start, stamps = capture(on, flow, hz)
    assert [stamp.number for stamp in stamps] == list(range(len(flow.sizes))), "complete and in order"
    assert on.wire.receive(0) is None
    assert [stamp.length for stamp in stamps] == [size + 4 * len(TAGS) for size in flow.sizes]
    assert on.switch.drops() == {}

    late = [(stamp.tick - due) / hz for stamp, due in zip(stamps, flow.schedule(start, hz), strict=True)]
    assert min(late) >= 0, "a frame left before it conformed"
    assert max(late) < SANE_S
    excess = excess_bits(flow, stamps, hz)
    assert excess < flow.rate_bps * SANE_S
    figures.add(f"shaping {name}: latest", max(late) * 1e6, "us")
    figures.add(f"shaping {name}: median lateness", statistics.median(late) * 1e6, "us")
    figures.add(
        f"shaping {name}: excess of the fullest window", excess / flow.rate_bps * 1e6, "us of the rate"
    )


def test_counts_how_long_frames_waited(on: Bench) -> None:
    flow = Flow(10**6, 10 * SHORT, [100] * 60)
    on.switch.call("rule.set", rules=[rule(rate_bps=flow.rate_bps, burst_bits=flow.burst_bits)])
    hz = on.switch.call("stats.get")["hz"]
    start, stamps = capture(on, flow, hz)
    delay = on.switch.call("stats.get")["rules"][0]["delay"]
    waited = len(flow.sizes) - sum(due == start for due in flow.schedule(start, hz))
    assert 0 < delay["count"] <= waited
    assert sum(bucket["count"] for bucket in delay["buckets"]) == delay["count"]
    assert 0 < delay["max_ns"] <= (stamps[-1].tick - start) * 1e9 / hz


def test_rules_do_not_delay_each_other(on: Bench) -> None:
    """VM 2's frames leave at once while VM 1's wait."""
    slow = rule(1, rate_bps=10 * SHORT, burst_bits=SHORT)
    on.switch.call("rule.set", rules=[slow, rule(1, source_port=7), rule(2)])
    on.vms[1].send(*numbered(10))
    on.vms[1].wait_taken()
    on.vms[2].send(*numbered(100, vm=2))
    left = [on.wire.receive() for _frame in range(101)]
    assert {frame[6:12] for frame in left[:1] if frame} == {bytes.fromhex("020000000001")}
    assert all(frame and frame[11] == 2 for frame in left[1:])


@pytest.mark.parametrize(
    ("mode", "left", "drops"),
    [
        pytest.param({"mode": "off"}, 100, {}, id="off-passes-at-once"),
        pytest.param(
            {"rate_bps": 1, "burst_bits": 10 * SHORT, "mode": "police"},
            10,
            {"over_rate": 90},
            id="police-drops",
        ),
        pytest.param(
            {"rate_bps": 1, "burst_bits": 10 * SHORT, "queue_packets": 20},
            10,
            {"queue_full": 70},
            id="the-queue-is-bounded",
        ),
        pytest.param(
            {"rate_bps": 1, "burst_bits": 10 * SHORT, "queue_bytes": 20 * 100},
            10,
            {"queue_full": 70},
            id="the-queue-is-bounded-in-bytes",
        ),
    ],
)
def test_in_other_modes(on: Bench, mode: dict[str, t.Any], left: int, drops: dict[str, int]) -> None:
    terms = {key: value for key, value in rule().items() if key not in ("rate_bps", "burst_bits")}
    on.switch.call("rule.set", rules=[terms | mode])
    on.vms[1].send(*numbered(100))
    on.vms[1].wait_taken()
    for _frame in range(left):
        assert on.wire.receive() is not None
    wait_until("the rest is dropped", lambda: on.switch.drops() == drops)
    of_rule = on.switch.call("stats.get")["rules"][0]
    assert of_rule["packets"] == left
    assert {name: count for name, count in of_rule["drops"].items() if count} == drops
    assert of_rule["queue"]["packets"] == 100 - left - sum(drops.values())
    assert of_rule["queue"]["bytes"] == 100 * of_rule["queue"]["packets"]


def test_a_raised_rate_lets_go_what_waits(on: Bench) -> None:
    """An update gives the new rate to frames that come, and the waiting ones leave before them."""
    slow = rule(rate_bps=SHORT, burst_bits=SHORT)
    on.switch.call("rule.set", rules=[slow])
    frames = numbered(6)
    on.vms[1].send(*frames[:3])
    on.vms[1].wait_taken()
    on.switch.call("rule.set", rules=[slow | {"rate_bps": 1000 * SHORT}])
    on.vms[1].send(*frames[3:])
    left = [on.wire.receive() for _frame in frames]
    assert [frame[-4:] for frame in left if frame] == [frame[-4:] for frame in frames]
    assert on.switch.drops() == {}
