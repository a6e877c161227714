"""The guest that sends: files/dpdk-app/bench/generator.c behind a vhost-user socket."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from benchmarks.switch.flows import GUEST_MAC
from benchmarks.switch.process import BenchmarkError, running

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.switch.contender import Bench

PREFIX = "generator"
RING = 1024


@dataclasses.dataclass(frozen=True)
class Counters:
    """Frames that the ring took; calls of transmit; those that found the ring full."""

    sent: int
    turns: int
    full: int

    def __sub__(self, before: Counters) -> Counters:
        return Counters(self.sent - before.sent, self.turns - before.turns, self.full - before.full)


class Generator:
    """A line that it is sent is answered by a line of counters."""

    def __init__(self, requests: t.IO[str], answers: t.IO[str]) -> None:
        self.requests = requests
        self.answers = answers

    def send(self, flow_count: int, sizes: str) -> None:
        """Send this many flows of frames of these sizes from now on."""
        self._say(f"{flow_count} {sizes}")

    def counters(self) -> Counters:
        return self._say("")

    def answer(self) -> Counters:
        line = self.answers.readline()
        if not line:
            raise BenchmarkError("The generator ended")
        return Counters(**json.loads(line))

    def _say(self, line: str) -> Counters:
        self.requests.write(line + "\n")
        self.requests.flush()
        return self.answer()


@contextlib.contextmanager
def generator(bench: Bench, vhost: Path) -> Iterator[Generator]:
    device = f"net_virtio_user0,path={vhost},mac={GUEST_MAC},queues=1,queue_size={RING}"
    # Control and we share its core where there are two in all: whoever has something to do goes first.
    command = [
        "nice", "-n", "10", str(bench.programs / "bench" / "bench-generator"),
        *bench.eal(PREFIX, bench.cores.generator), "--no-telemetry", "--single-file-segments", "--vdev", device,
    ]  # fmt: skip
    log = bench.directory / "generator.log"
    with running("the generator", command, log, bench.environment, talks=True) as process:
        made = Generator(t.cast("t.IO[str]", process.stdin), t.cast("t.IO[str]", process.stdout))
        made.answer()  # it has started
        yield made
