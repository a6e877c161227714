"""A switch whose uplink is a kernel interface, and guests that are somebody else's program: testpmd.

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
import os
import pathlib
import socket
import struct
import subprocess
import typing as t

from switch_fixtures import MACS, PATIENCE_S, Switch, environment, run, running, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# From linux/if_packet.h; Python's socket module does not have them.
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
TP_STATUS_VLAN_VALID = 1 << 4
CLONE_NEWNET = 0x40000000

LIBC = ctypes.CDLL(None, use_errno=True)
UPLINK = "net_af_packet0,iface=uplink"


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


def is_forwarding(process: subprocess.Popen[bytes], log: pathlib.Path) -> bool:
    assert process.poll() is None, f"testpmd ended with {process.returncode}:\n{log.read_text()}"
    return "nb forwarding ports" in log.read_text()


@contextlib.contextmanager
def guests(
    where: Namespace, switch: Switch, vms: dict[int, str], options: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one testpmd that is the guest of each VM, between its vhost-user socket and the interface `guestN`.

    vms: VM id -> which side serves the socket, "switch" or "qemu" (which is the guest's side).
    options: more of net_virtio_user's, as ",packed_vq=1".
    """
    devices = []
    for vm, server in vms.items():
        more = f"{',server=1' if server == 'qemu' else ''}{options}"
        devices += [
            "--vdev", f"net_virtio_user{vm},path={switch.vhost(vm)},mac={MACS[vm]},queues=1,queue_size=256{more}",
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
        process.terminate()
        process.wait(PATIENCE_S)


@dataclasses.dataclass
class KernelBench:
    """A switch between its wire and its guests."""

    where: Namespace
    switch: Switch
    wire: Wire
    vms: dict[int, Wire]
    guest: subprocess.Popen[bytes]


@contextlib.contextmanager
def kernel_bench(
    where: Namespace, directory: pathlib.Path, vms: dict[int, str], options: str = ""
) -> Iterator[KernelBench]:
    where.add_pair("uplink", "wire")
    for vm in vms:
        where.add_pair(f"vm{vm}", f"guest{vm}")
    with running(Switch(directory, UPLINK, where=where.name)) as switch, contextlib.ExitStack() as stack:
        for vm, server in vms.items():
            switch.add_port(vm, server)
        wires = {name: stack.enter_context(contextlib.closing(Wire(where, name)))
                 for name in ["wire", *(f"vm{vm}" for vm in vms)]}  # fmt: skip
        guest = stack.enter_context(guests(where, switch, vms, options))
        yield KernelBench(where, switch, wires["wire"], {vm: wires[f"vm{vm}"] for vm in vms}, guest)
