"""What the devices under test have in common."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from benchmarks.switch.machine import Cores
    from benchmarks.switch.plan import Setup

# The device under test sends into this: it takes all and gives nothing.
SINK = "net_null0"
SINK_DEVICE = f"{SINK},no-rx=1"
MTU = 1600  # that ten tags fit on top of a frame of 1514 bytes


@dataclasses.dataclass(frozen=True)
class Bench:
    """Where the processes of the benchmark run."""

    programs: Path  # that were built from files/dpdk-app
    directory: Path  # for sockets and logs
    state: Path  # directory on a disk, for what has to survive
    cores: Cores

    @property
    def environment(self) -> dict[str, str]:
        """Return an environment in which DPDK keeps its runtime files in the directory, not in /var/run."""
        return {**os.environ, "RUNTIME_DIRECTORY": str(self.directory)}

    def eal(self, prefix: str, packet_core: int) -> list[str]:
        """Return DPDK's arguments for a control core and a core that forwards or sends."""
        lcores = f"0@{self.cores.control},1@{packet_core}"
        return ["--lcores", lcores, "-n", "1", "--in-memory", "--no-pci", "--file-prefix", prefix]


class Device(t.Protocol):
    """A running device under test."""

    vhost: Path  # the socket of its one guest
    pid: int

    def use(self, setup: Setup) -> None:
        """Have the rules of this setup and no others."""

    def is_settled(self, setup: Setup) -> bool:
        """Tell whether traffic has filled the caches that it fills; is asked now and then until it has."""

    def sent(self) -> int:
        """Return the frames that it has sent to the sink."""


class Contender(t.Protocol):
    def __call__(self, bench: Bench) -> AbstractContextManager[Device]:
        """Run the device until the block ends."""
