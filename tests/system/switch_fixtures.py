"""A real tagging switch with real packets: the switch, its uplink's far end, and guests made of testpmd.

Everything runs in one network namespace of its own:

    test -- vm1 <veth> testpmd <vhost-user> switch <veth> wire -- test

so a test puts a frame into the VM's end of the veth, which the guest forwards unchanged, and reads what left by
the uplink from its far end; and the reverse.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = pathlib.Path(__file__).parents[2]
SOURCE = REPOSITORY / "files" / "dpdk-app"
BUILD = REPOSITORY / "build" / "dpdk-app"

MACS = {1: "02:00:00:00:00:01", 2: "02:00:00:00:00:02", 3: "02:00:00:00:00:03"}
IDLE_SLEEP_US = 100
PATIENCE_S = 10.0

# From linux/if_packet.h; Python's socket module does not have them.
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
TP_STATUS_VLAN_VALID = 1 << 4
CLONE_NEWNET = 0x40000000

Connection = socket.socket
LIBC = ctypes.CDLL(None, use_errno=True)


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
        time.sleep(0.01)


def run(*command: str | os.PathLike[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def environment(directory: pathlib.Path) -> dict[str, str]:
    """Return an environment in which DPDK keeps its runtime files in the directory, not in /var/run."""
    return {**os.environ, "RUNTIME_DIRECTORY": str(directory)}


@functools.cache
def build() -> pathlib.Path:
    """Build the switch, or find it built, and return its program."""
    if not (BUILD / "build.ninja").exists():
        run("meson", "setup", BUILD, SOURCE)
    run("meson", "compile", "-C", BUILD)
    return BUILD / "dpdk-tagging"


class Namespace:
    """A network namespace with the veth pairs that a test asks for."""

    def __init__(self, name: str) -> None:
        self.name = name

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Open sockets and read /proc/sys/net as seen in the namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            assert LIBC.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert LIBC.setns(home, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            os.close(home)
            os.close(there)

    def add_pair(self, one: str, other: str, mtu: int = 1500) -> None:
        run("ip", "-n", self.name, "link", "add", one, "mtu", str(mtu), "type", "veth",
            "peer", "name", other, "mtu", str(mtu))  # fmt: skip
        for end in (one, other):
            self.set_link(end, "up")

    def set_link(self, interface: str, state: str) -> None:
        run("ip", "-n", self.name, "link", "set", interface, state)


@contextlib.contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    run("ip", "netns", "add", name)
    try:
        made = Namespace(name)
        with made.inside():
            for scope in ("all", "default"):
                pathlib.Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
        yield made
    finally:
        run("ip", "netns", "del", name)


class Wire:
    """One end of a veth pair: whole frames in and out, with the tags that the kernel takes out put back."""

    def __init__(self, where: Namespace, interface: str) -> None:
        with where.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.socket.bind((interface, 0x0003))

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.socket.send(frame)

    def receive(self, timeout_s: float = PATIENCE_S) -> bytes | None:
        """Return the next frame, or None when none came in time."""
        self.socket.settimeout(timeout_s)
        try:
            frame, auxiliary, _flags, _address = self.socket.recvmsg(1 << 16, 256)
        except (TimeoutError, BlockingIOError):
            return None
        for _level, kind, data in auxiliary:
            if kind != PACKET_AUXDATA:
                continue
            status, *_lengths, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
        return frame

    def drain(self) -> None:
        while self.receive(0) is not None:
            pass

    def close(self) -> None:
        self.socket.close()


def passes(frame: bytes, sender: Wire, receiver: Wire) -> bool:
    """Send the frame, and tell whether anything arrives soon."""
    sender.send(frame)
    return receiver.receive(0.1) is not None


@dataclasses.dataclass
class Switch:
    """A switch process; it may be ended and started again with the same state."""

    directory: pathlib.Path
    where: Namespace | None = None
    uplink: str | None = None
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> pathlib.Path:
        return self.directory / "switch.sock"

    @property
    def state(self) -> pathlib.Path:
        return self.directory / "state" / "state.json"

    @property
    def log(self) -> str:
        return (self.directory / "switch.log").read_text()

    def vhost(self, vm: int) -> pathlib.Path:
        return self.directory / f"vm-{vm:02d}.sock"

    def command(self) -> list[str]:
        """The whole command line, the namespace included."""
        device = ["--vdev", f"net_af_packet0,iface={self.uplink}"] if self.uplink else []
        return [
            *(["ip", "netns", "exec", self.where.name] if self.where else []),
            str(build()), "--lcores", "0@0,1@1", "--in-memory", "--no-pci", "--no-telemetry",
            "--file-prefix", self.directory.name, *device, "--",
            "--name", "alpha", "--control-socket", str(self.socket), "--vhost-dir", str(self.directory),
            "--state", str(self.state), "--idle-sleep-us", str(IDLE_SLEEP_US),
            "--uplink-port", "0" if self.uplink else "none", *self.arguments,
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
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = json.loads(self.say(json.dumps(request).encode() + b"\n"))
        if "error" in answer:
            raise RpcError(answer["error"])
        result: dict[str, t.Any] = answer["result"]
        return result

    def connect(self) -> Connection:
        client = Connection(socket.AF_UNIX)
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


@contextlib.contextmanager
def running(switch: Switch) -> Iterator[Switch]:
    try:
        switch.start()
        yield switch
    finally:
        if switch.process and switch.process.poll() is None:
            switch.end()


def is_forwarding(process: subprocess.Popen[bytes], log: pathlib.Path) -> bool:
    assert process.poll() is None, f"testpmd ended with {process.returncode}:\n{log.read_text()}"
    return "nb forwarding ports" in log.read_text()


@contextlib.contextmanager
def guests(where: Namespace, switch: Switch, vms: dict[int, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one testpmd that is the guest of each VM, between its vhost-user socket and the interface `guestN`.

    vms: VM id -> which side serves the socket, "switch" or "qemu" (which is the guest's side).
    """
    devices = []
    for vm, server in vms.items():
        serving = ",server=1" if server == "qemu" else ""
        devices += [
            "--vdev", f"net_virtio_user{vm},path={switch.vhost(vm)},mac={MACS[vm]},queues=1,queue_size=256{serving}",
            "--vdev", f"net_pcap{vm},rx_iface_in=guest{vm},tx_iface=guest{vm}",
        ]  # fmt: skip
    command = [
        "ip", "netns", "exec", where.name, "stdbuf", "-oL", "dpdk-testpmd",
        "--lcores", "0@0,1@0", "--in-memory", "--no-pci", "--no-telemetry",
        "--single-file-segments", "--file-prefix", f"{switch.directory.name}-guest", *devices,
        "--", "--auto-start", "--forward-mode=io", "--mbuf-size=4352", "--total-num-mbufs=4096",
        "--stats-period=3600",
    ]  # fmt: skip
    with (switch.directory / "guest.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(switch.directory)
        )
    try:
        wait_until("the guests forward", lambda: is_forwarding(process, switch.directory / "guest.log"))
        for vm in vms:
            wait_until(f"the guest of VM {vm} is connected", functools.partial(switch.is_connected, vm))
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE_S)


@dataclasses.dataclass
class Bench:
    """A switch between its wire and its guests."""

    where: Namespace
    switch: Switch
    wire: Wire
    vms: dict[int, Wire]
    guest: subprocess.Popen[bytes]


@contextlib.contextmanager
def bench(
    where: Namespace, directory: pathlib.Path, vms: dict[int, str], uplink: str | None = "uplink"
) -> Iterator[Bench]:
    where.add_pair("uplink", "wire")
    for vm in vms:
        where.add_pair(f"vm{vm}", f"guest{vm}", mtu=3500)
    with running(Switch(directory, where, uplink)) as switch, contextlib.ExitStack() as stack:
        for vm, server in vms.items():
            switch.add_port(vm, server)
        wires = {name: stack.enter_context(contextlib.closing(Wire(where, name)))
                 for name in ["wire", *(f"vm{vm}" for vm in vms)]}  # fmt: skip
        guest = stack.enter_context(guests(where, switch, vms))
        yield Bench(where, switch, wires["wire"], {vm: wires[f"vm{vm}"] for vm in vms}, guest)
