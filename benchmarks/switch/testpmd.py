"""The peer dpdk-testpmd: it forwards from vhost to the sink and looks at nothing."""

from __future__ import annotations

import contextlib
import typing as t

from benchmarks.switch import telemetry
from benchmarks.switch.contender import SINK, SINK_DEVICE
from benchmarks.switch.process import end_of, running, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.plan import Setup

PREFIX = "testpmd"


class Testpmd:
    def __init__(self, vhost: Path, counters: telemetry.Telemetry) -> None:
        self.vhost = vhost
        self.counters = counters
        self.sink = counters.port(SINK)

    def use(self, setup: Setup) -> None:
        """It has no rules."""

    def is_settled(self, setup: Setup) -> bool:  # noqa: ARG002 - it has no caches
        return True

    def sent(self) -> int:
        return self.counters.sent(self.sink)


@contextlib.contextmanager
def testpmd(bench: Bench) -> Iterator[Testpmd]:
    vhost, log = bench.directory / "testpmd.sock", bench.directory / "testpmd.log"
    command = [
        "stdbuf", "-oL", "dpdk-testpmd", *bench.eal(PREFIX, bench.cores.data),
        "--vdev", f"net_vhost0,iface={vhost},queues=1", "--vdev", SINK_DEVICE,
        "--", "--forward-mode=io", "--auto-start", "--total-num-mbufs=16384",
        "--stats-period=3600",  # without it, testpmd ends at the end of its input
    ]  # fmt: skip
    with running("dpdk-testpmd", command, log, bench.environment) as process:
        wait_until(
            "testpmd forwards",
            lambda: "nb forwarding ports" in end_of(log, 1000) or process.poll() is not None,
        )
        with telemetry.connected(bench.directory, PREFIX) as counters:
            yield Testpmd(vhost, counters)
