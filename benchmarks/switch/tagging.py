"""Our own contender: the tagging switch."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t

from benchmarks.switch import flows
from benchmarks.switch.contender import MTU, SINK_DEVICE
from benchmarks.switch.process import BenchmarkError, end_of, running, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.plan import Setup

PREFIX = "tagging"
TIMEOUT_S = 60.0


class Connection:
    """JSON-RPC over one connection, so that a request costs what it costs and nothing more."""

    def __init__(self, connection: socket.socket, answers: t.IO[bytes]) -> None:
        self.connection = connection
        self.answers = answers

    def call(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        return self.exchange(request(method, **params))

    def exchange(self, line: bytes) -> dict[str, t.Any]:
        """Send a request and return its result."""
        self.connection.sendall(line)
        answer = json.loads(self.answers.readline())
        if "error" in answer:
            raise BenchmarkError(f"The switch refused {line[:200]!r}: {answer['error']['message']}")
        result: dict[str, t.Any] = answer["result"]
        return result


def request(method: str, **params: t.Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


@contextlib.contextmanager
def connected(path: Path) -> Iterator[Connection]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        with connection.makefile("rb") as answers:
            yield Connection(connection, answers)


class Tagging:
    def __init__(self, vhost: Path, control: Connection) -> None:
        self.vhost = vhost
        self.control = control
        self.pid = int(control.call("switch.info")["pid"])

    def use(self, setup: Setup) -> None:
        rules = [flows.rule(flow, setup.tags, shaping=setup.shaping) for flow in range(setup.rules)]
        self.control.call("rule.replace", rules=rules)

    def is_settled(self, setup: Setup) -> bool:  # noqa: ARG002 - it has no caches
        return True

    def sent(self) -> int:
        return int(self.control.call("stats.get", rules=False)["uplink"]["sent"]["packets"])


def command(bench: Bench, state: Path) -> list[str]:
    return [
        str(bench.programs / "dpdk-tagging"), *bench.eal(PREFIX, bench.cores.data), "--vdev", SINK_DEVICE,
        "--", "--name", "bench", "--control-socket", str(bench.directory / "switch.sock"),
        "--vhost-dir", str(bench.directory), "--state", str(state), "--mtu", str(MTU), "--lldp-interval", "0",
    ]  # fmt: skip


@contextlib.contextmanager
def started(bench: Bench, state: Path) -> Iterator[Connection]:
    """Run the switch with this state."""
    log = bench.directory / "tagging.log"
    with running("dpdk-tagging", command(bench, state), log, bench.environment) as process:
        wait_until(
            "dpdk-tagging is ready",
            lambda: "ready" in end_of(log) or process.poll() is not None,
            pause_s=0.001,
        )
        with connected(bench.directory / "switch.sock") as control:
            yield control


@contextlib.contextmanager
def fresh(bench: Bench, state: Path) -> Iterator[Connection]:
    """Run a switch that has one VM and no rules."""
    for old in state.parent.glob(f"{state.name}*"):
        old.unlink()
    with started(bench, state) as control:
        control.call("port.add", vm=flows.VM, mac=flows.GUEST_MAC, socket_server="switch")
        yield control


@contextlib.contextmanager
def tagging(bench: Bench) -> Iterator[Tagging]:
    with fresh(bench, bench.state / "path.db") as control:
        yield Tagging(bench.directory / f"vm-{flows.VM:02d}.sock", control)
