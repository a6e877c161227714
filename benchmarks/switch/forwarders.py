"""Peers that forward from vhost to the sink by fixed rules or none: testpmd, and the reference's algorithm."""

from __future__ import annotations

import contextlib
import typing as t

from benchmarks.switch import telemetry
from benchmarks.switch.contender import SINK, SINK_DEVICE
from benchmarks.switch.process import end_of, running, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.switch.contender import Bench, Device
    from benchmarks.switch.plan import Setup

LOG_LINES = 1000


class Forwarder:
    def __init__(self, vhost: Path, pid: int, counters: telemetry.Telemetry) -> None:
        self.vhost = vhost
        self.pid = pid
        self.counters = counters
        self.sink = counters.port(SINK)

    def use(self, setup: Setup) -> None:
        """Its rules, if it has any, do not change."""

    def is_settled(self, setup: Setup) -> bool:  # noqa: ARG002 - it has no caches
        return True

    def sent(self) -> int:
        return self.counters.sent(self.sink)


@contextlib.contextmanager
def forwarder(
    bench: Bench, name: str, program: Sequence[str], ready: str, arguments: Sequence[str]
) -> Iterator[Device]:
    """Run a DPDK program between a vhost device and the sink."""
    vhost, log = bench.directory / f"{name}.sock", bench.directory / f"{name}.log"
    devices = ["--vdev", f"net_vhost0,iface={vhost},queues=1", "--vdev", SINK_DEVICE]
    command = [*program, *bench.eal(name, bench.cores.data), *devices, *arguments]
    with running(name, command, log, bench.environment) as process:
        wait_until(f"{name} forwards", lambda: ready in end_of(log, LOG_LINES) or process.poll() is not None)
        with telemetry.connected(bench.directory, name) as counters:
            yield Forwarder(vhost, process.pid, counters)


def testpmd(bench: Bench) -> AbstractContextManager[Device]:
    # Without --stats-period, testpmd ends at the end of its input.
    arguments = ["--", "--forward-mode=io", "--auto-start", "--total-num-mbufs=16384", "--stats-period=3600"]
    return forwarder(bench, "testpmd", ["stdbuf", "-oL", "dpdk-testpmd"], "nb forwarding ports", arguments)


def reference(bench: Bench) -> AbstractContextManager[Device]:
    return forwarder(bench, "reference", [str(bench.programs / "bench" / "bench-reference")], "ready", [])
