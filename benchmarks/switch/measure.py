"""Rates of the path: virtio-user generator → vhost → device under test → sink."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from benchmarks.switch.forwarders import reference, testpmd
from benchmarks.switch.generator import RING, generator
from benchmarks.switch.open_vswitch import open_vswitch
from benchmarks.switch.plan import TRAFFIC
from benchmarks.switch.process import BenchmarkError, wait_until
from benchmarks.switch.spread import rate, read
from benchmarks.switch.tagging import tagging

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.switch.contender import Bench, Contender, Device
    from benchmarks.switch.generator import Generator
    from benchmarks.switch.plan import Case, Sitting

CONTENDERS: dict[str, Contender] = {
    "testpmd": testpmd,
    "reference": reference,
    "ovs": open_vswitch,
    "ours": tagging,
}

WARM_UP_S = 0.3
SETTLE_TIMEOUT_S = 120.0
LOST_MAX = 0.01  # of what the generator sent


@dataclasses.dataclass(frozen=True)
class Sample:
    """One measurement of one case."""

    packets_per_s: float  # that left by the sink
    ring_full: float  # share of the generator's turns that found the ring full; near 0: it was the bottleneck


def measure_sitting(
    bench: Bench, sitting: Sitting, seconds: float, report: Callable[[Case, Sample], None]
) -> None:
    """Measure all cases of a sitting with one process of the contender and one generator."""
    with CONTENDERS[sitting.contender](bench) as device, generator(bench, device.vhost) as guest:
        setup = None
        for case in sitting.cases:
            if case.setup != setup:
                setup = case.setup
                device.use(setup)
            report(case, measure(device, guest, case, seconds))


def settle(device: Device, guest: Generator, case: Case) -> None:
    """Send a case's traffic until the device has got used to it, and stays so for the time of the warm-up."""
    guest.send(case.setup.rules, TRAFFIC[case.traffic])
    time.sleep(WARM_UP_S)
    wait_until(f"settled: {case}", lambda: device.is_settled(case.setup), SETTLE_TIMEOUT_S, pause_s=WARM_UP_S)


def measure(device: Device, guest: Generator, case: Case, seconds: float) -> Sample:
    settle(device, guest, case)
    # Counted from the outside in, so that only a frame that is really lost, and not one that waits, is missing.
    before = read(device.sent, time.monotonic)
    offered = guest.counters()
    time.sleep(seconds)
    offered = guest.counters() - offered
    after = read(device.sent, time.monotonic)

    lost = offered.sent - (after.value - before.value) - RING
    if lost > LOST_MAX * offered.sent:
        raise BenchmarkError(
            f"Cannot measure {case}: {lost} of {offered.sent} frames did not reach the sink; "
            "see the drops of the device under test"
        )
    if after.value == before.value:
        raise BenchmarkError(
            f"Cannot measure {case}: no frame reached the sink in {seconds:g} s; "
            "see that the machine does nothing else, and the drops of the device under test"
        )
    return Sample(rate(before, after), offered.full / max(1, offered.turns))
