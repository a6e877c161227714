"""A real tagging switch with real packets: the switch, and around it guests in the test's own process.

test -- Guest <vhost-user> switch <vhost-user> Guest -- test
        of a VM            its uplink is DPDK's net_vhost, with a guest of its own: the wire
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t

from switch_api import validate
from vhost_guest import PLAIN, Feature, Guest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = pathlib.Path(__file__).parents[2]
SOURCE = REPOSITORY / "files" / "dpdk-app"
BUILD = REPOSITORY / "build" / "dpdk-app"

MACS = {vm: f"02:00:00:00:00:{vm:02x}" for vm in range(65)}
IDLE_SLEEP_US = 100
PATIENCE_S = 10.0
NOBODY = 65534
WIRE_RING = 1024  # descriptors


class RpcError(Exception):
    """The switch answered a request with an error."""

    def __init__(self, error: dict[str, t.Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.index: int | None = error.get("data", {}).get("index")


def wait_until(what: str, condition: Callable[[], t.Any], timeout_s: float = PATIENCE_S) -> t.Any:
    """Return the condition's first true value; fail, naming it, when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)


def run(*command: str | os.PathLike[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def environment(directory: pathlib.Path) -> dict[str, str]:
    """Return an environment in which DPDK keeps its runtime files in the directory, not in /var/run."""
    return {**os.environ, "RUNTIME_DIRECTORY": str(directory)}


@functools.cache
def build() -> pathlib.Path:
    """Return the switch's program: what SWITCH_PROGRAM names, as a sanitized build, or else built now."""
    if given := os.environ.get("SWITCH_PROGRAM"):
        return pathlib.Path(given)
    if not (BUILD / "build.ninja").exists():
        run("meson", "setup", BUILD, SOURCE)
    run("meson", "compile", "-C", BUILD, "dpdk-tagging")
    return BUILD / "dpdk-tagging"


@dataclasses.dataclass
class Switch:
    """A switch process; it may be ended and started again with the same state.

    uplink: the EAL's device, as net_af_packet0,iface=uplink. where: a network namespace.
    arguments: more of the switch's own.
    """

    directory: pathlib.Path
    uplink: str | None = None
    arguments: tuple[str, ...] = ()
    where: str | None = None
    data_cores: int = 1
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> pathlib.Path:
        return self.directory / "switch.sock"

    @property
    def state(self) -> pathlib.Path:
        return self.directory / "state" / "state.db"

    @property
    def log(self) -> str:
        return (self.directory / "switch.log").read_text()

    def vhost(self, vm: int) -> pathlib.Path:
        return self.directory / f"vm-{vm:02d}.sock"

    def command(self) -> list[str]:
        """The whole command line, the namespace included."""
        # Processor 0 is for control and the test, the others are for data.
        processors = max(1, (os.cpu_count() or 1) - 1)
        lcores = ",".join(
            ["0@0", *(f"{n}@{1 + (n - 1) % processors}" for n in range(1, self.data_cores + 1))]
        )
        device = ["--vdev", self.uplink] if self.uplink else []
        return [
            *(["ip", "netns", "exec", self.where] if self.where else []),
            str(build()), "--lcores", lcores, "--in-memory", "--no-pci", "--file-prefix", "switch", *device, "--",
            "--name", "alpha", "--control-socket", str(self.socket), "--vhost-dir", str(self.directory),
            "--state", str(self.state), "--idle-sleep-us", str(IDLE_SLEEP_US),
            # Nothing is on the wire that a test does not ask for.
            "--lldp-interval", "0", "--uplink-port", "0" if self.uplink else "none", *self.arguments,
        ]  # fmt: skip

    def start(self) -> None:
        self.state.parent.mkdir(exist_ok=True)
        with (self.directory / "switch.log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stderr=log, env=environment(self.directory)
            )
        wait_until("the switch says ready", self.is_ready)

    def refuse(self) -> subprocess.CompletedProcess[str]:
        """Run a switch that ends by itself."""
        return subprocess.run(
            self.command(),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment(self.directory),
        )

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the switch ended with {self.process.returncode}:\n{self.log}"
        return "ready" in self.log

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def call(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        """Return the result, which is as the API's description says; raise RpcError for an error."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = json.loads(self.say(json.dumps(request).encode() + b"\n"))
        validate(method, params, answer)
        if "error" in answer:
            raise RpcError(answer["error"])
        result: dict[str, t.Any] = answer["result"]
        return result

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.socket))
        client.settimeout(PATIENCE_S)
        return client

    def say(self, line: bytes) -> bytes:
        """Send these bytes and return one answer."""
        with self.connect() as client, client.makefile("rb") as answers:
            client.sendall(line)
            answer: bytes = answers.readline()
        return answer

    def add_port(self, vm: int, socket_server: str = "switch") -> dict[str, t.Any]:
        return self.call("port.add", vm=vm, mac=MACS[vm], socket_server=socket_server)

    def is_connected(self, vm: int) -> bool:
        return any(port["vm"] == vm and port["connected"] for port in self.call("port.list")["ports"])

    def of_vm(self, vm: int) -> dict[str, t.Any]:
        return next(counters for counters in self.call("stats.get")["vms"] if counters["vm"] == vm)

    def drops(self) -> dict[str, int]:
        """Return the drops of all VMs and of the uplink, by name; only those that there were."""
        stats = self.call("stats.get")
        found: dict[str, int] = {}
        for table in [vm["drops"] for vm in stats["vms"]] + [stats["uplink"]["drops"]]:
            for name, count in table.items():
                if count:
                    found[name] = found.get(name, 0) + count
        return found

    def buffers_in_use(self) -> int:
        in_use: int = self.call("stats.get")["buffers"]["in_use"]
        return in_use


@dataclasses.dataclass
class Unprivileged(Switch):
    """A switch that is started as its container starts it: not as root, with these capabilities and no other."""

    capabilities: tuple[str, ...] = ()

    def command(self) -> list[str]:
        whole = super().command()
        at = whole.index(str(build()))
        given = ",".join(["-all", *(f"+{name}" for name in self.capabilities)])
        sets = (f"--{kind}={given}" for kind in ("inh-caps", "ambient-caps", "bounding-set"))
        nobody = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
        return [*whole[:at], "setpriv", *nobody, *sets, *whole[at:]]

    @staticmethod
    @contextlib.contextmanager
    def home() -> Iterator[pathlib.Path]:
        """Make a directory for it."""
        with tempfile.TemporaryDirectory() as made:
            home = pathlib.Path(made)
            (home / "state").mkdir()
            for directory in (home, home / "state"):
                shutil.chown(directory, NOBODY)
            yield home


@contextlib.contextmanager
def running(switch: Switch) -> Iterator[Switch]:
    try:
        switch.start()
        yield switch
    finally:
        if switch.process and switch.process.poll() is None:
            switch.end()


@dataclasses.dataclass
class Bench:
    """A switch between its wire and its guests."""

    switch: Switch
    wire: Guest
    vms: dict[int, Guest]

    def join(self, vm: int, server: str = "switch", features: Feature = PLAIN) -> Guest:
        """Add a VM with its guest."""
        guest = self.vms[vm] = Guest(self.switch.vhost(vm), features)
        if server == "qemu":
            guest.listen()  # before the switch looks for it: it looks again only after a second
        self.switch.add_port(vm, server)
        guest.open()
        wait_until(f"the guest of VM {vm} is connected", lambda: self.switch.is_connected(vm))
        return guest

    def reset(self) -> None:
        """Leave nothing under way, no rule and no count."""
        self.switch.call("rule.replace", rules=[])
        self.wait_idle()
        for guest in (self.wire, *self.vms.values()):
            guest.wait_taken()
            guest.drain()
        self.switch.call("stats.reset")

    def wait_idle(self) -> None:
        """Wait until the switch holds no frame."""
        wait_until("every buffer is free", lambda: self.switch.buffers_in_use() == 0)


@contextlib.contextmanager
def bench(
    directory: pathlib.Path, vms: dict[int, str], *, arguments: tuple[str, ...] = (), data_cores: int = 1
) -> Iterator[Bench]:
    """Run a switch with its wire and a guest for each VM.

    vms: VM id -> which side serves the socket, "switch" or "qemu" (which is the guest's side).
    """
    path = directory / "wire.sock"
    switch = Switch(directory, f"net_vhost0,iface={path},client=1", arguments, data_cores=data_cores)
    wire = Guest(path, ring_size=WIRE_RING)
    made = Bench(switch, wire, {})
    try:
        wire.listen()
        with running(switch):
            wire.open()
            for vm, server in vms.items():
                made.join(vm, server)
            yield made
    finally:
        for guest in (wire, *made.vms.values()):
            guest.close()
