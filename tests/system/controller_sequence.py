"""A Chameleon controller as a script: what it does on a server over SSH, step by step, each command with a time limit.

Of the commands only the exit status is looked at, as that controller does. What becomes of them is seen on the fabric's
side of the server's uplink.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kernel_fixtures import Wire

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ADDRESS, SSH_PORT = "127.0.0.11", 2222
UPLINK, UPLINK_MAC = "uplink", Path("/sys/class/net/uplink/address")
FABRIC_SIDE = "s1-1"
VM_ADDRESS, FAR_ADDRESS = "10.20.0.11", "10.20.0.21"
TAGS, DATAGRAMS = (21, 21, 1), 5
RULE = f"update-matching-table 1 0 17 {VM_ADDRESS} {FAR_ADDRESS} 40000 7 {','.join(map(str, TAGS))} 10000000 50000"
SEND = f"""
import socket, subprocess
neighbour = ["ip", "neigh", "replace", "{FAR_ADDRESS}", "lladdr", "02:00:00:00:00:15", "dev", "net0"]
subprocess.run(neighbour, check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    out.bind(("{VM_ADDRESS}", 40000))
    for number in range({DATAGRAMS}):
        out.sendto(b"datagram", ("{FAR_ADDRESS}", 7))
"""
ALL_IDS = range(65)
AT_ONCE = 4

PROGRAMS = ("docker --version", "vagrant --version", "python3 --version", "scapy -h")
FILES = (
    *(
        f"/usr/bin/{name}"
        for name in (
            "start-dpdk-tagging",
            "stop-dpdk-tagging",
            "create-vm",
            "delete-vm",
            "list-vms",
            "send-lldp",
        )
    ),
    "~/usr/bin/send-lldp",
)


class Here:
    """The machine's own network namespace."""

    def inside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class Host:
    """A machine that is reached by SSH as root, with the controller's key."""

    def __init__(self, place: Path, port: int, known_hosts: str) -> None:
        known = place / f"known_hosts-{port}"
        known.write_text(known_hosts)
        self.ssh = ["ssh", "-q", "-p", str(port), "-i", str(place / "key"), "-o", "IdentitiesOnly=yes",
                    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", f"UserKnownHostsFile={known}",
                    "-o", "StrictHostKeyChecking=yes", f"root@{ADDRESS}"]  # fmt: skip

    def run(self, command: str, limit_s: float = 20, said: str = "", status: int = 0) -> str:
        """Run a command within its time, and return what it prints."""
        began = time.monotonic()
        done = subprocess.run(
            [*self.ssh, command], input=said, capture_output=True, text=True, check=False, timeout=limit_s
        )
        took_s = time.monotonic() - began
        assert done.returncode == status, f"{command}: {done.returncode} after {took_s:.1f} s: {done.stderr}"
        return done.stdout + (done.stderr if status else "")

    def kill(self, command: str, after_s: float) -> None:
        """Run a command, and end its process there by force after a while; it may have ended by itself."""
        with subprocess.Popen(
            [*self.ssh, f"echo $$; exec {command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as running:
            assert running.stdout
            process = int(running.stdout.readline())
            time.sleep(after_s)
            self.run(f"kill -KILL {process} 2>/dev/null || :")
            running.wait(timeout=20)


class Controller:
    """The sequence on one server, on which another one may have left whatever it likes."""

    def __init__(self, place: Path, host_key: str, ids: Sequence[int] = ALL_IDS) -> None:
        self.place, self.ids = place, ids
        self.server = Host(place, SSH_PORT, f"[{ADDRESS}]:{SSH_PORT} {host_key}\n")

    def vm(self, vm_id: int) -> Host:
        record = json.loads(self.server.run(f"cat /vagrant/{vm_id}/vm.json"))
        return Host(self.place, 20000 + vm_id, record["known_hosts"] + "\n")

    def play(self, until: str | None = None) -> None:
        """Do all steps, or those before one."""
        for name in STEPS:
            if name == until:
                return
            getattr(self, name)()

    def look(self) -> None:
        for command in (*PROGRAMS, *(f"test -f {path}" for path in FILES)):
            self.server.run(command)

    def delete_all(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as workers:
            for _said in workers.map(lambda vm_id: self.server.run(f"delete-vm {vm_id}", 60), self.ids):
                pass

    def list_none(self) -> None:
        self.server.run("list-vms")
        assert self.server.run("ls /vagrant/") == ""
        header, rule, box, blank = self.server.run("LC_ALL=C virsh list --all").split("\n")[:-1]
        assert "base-box_default" in box, (header, rule, box, blank)
        assert box.endswith("shut off")

    def stop_switch(self) -> None:
        self.server.run(f"stop-dpdk-tagging {UPLINK}", 60)

    def send_lldp(self) -> None:
        """Once for each interface, of which there is one. Each frame makes the controller know one more server."""
        mac = self.server.run(f"ip netns exec detnet-alpha cat {UPLINK_MAC}").strip()
        with contextlib.closing(Wire(Here(), FABRIC_SIDE)) as wire:  # type: ignore[arg-type]
            self.server.run(f"send-lldp {ADDRESS} {UPLINK}")
            heard = [frame for frame in frames(wire, 1) if frame[12:14] == b"\x88\xcc"]
        told = "020505" + socket.inet_aton(ADDRESS).hex() + "0403070000" + "06020078" + "0000"
        assert [frame.hex() for frame in heard] == [
            f"0180c200000e{mac.replace(':', '')}88cc{told}".ljust(120, "0")
        ]

    def start_switch(self) -> None:
        self.server.run(f"start-dpdk-tagging {UPLINK}", 60)

    def create_control_vm(self) -> None:
        self.server.run("create-vm 0", 120)

    def create_vms(self) -> None:
        """Side by side; meanwhile, whoever asks for one of them a second time is told so."""
        with ThreadPoolExecutor() as workers:
            made = [workers.submit(self.server.run, f"create-vm {vm_id}", 120) for vm_id in (1, 2)]
            self.server.run("until [ -e /vagrant/1 ]; do sleep 0.1; done", 60)
            assert "is working on it" in self.server.run("create-vm 1", status=1)
            for each in made:
                each.result()
        assert self.server.run("ls /vagrant/").split() == ["0", "1", "2"]

    def install_rules(self) -> None:
        self.vm(0).run(RULE)

    def see_traffic(self) -> None:
        """What VM 1 sends leaves the server with the tags of its rule."""
        with contextlib.closing(Wire(Here(), FABRIC_SIDE)) as wire:  # type: ignore[arg-type]
            self.vm(1).run("python3 -", said=SEND)
            ours = [frame for frame in frames(wire, 2) if frame.endswith(b"datagram")]
        assert [tags_of(frame) for frame in ours] == [TAGS] * DATAGRAMS

    def clean_up(self) -> None:
        self.delete_all()
        self.list_none()
        self.stop_switch()


STEPS = (
    "look", "delete_all", "list_none", "stop_switch", "send_lldp", "start_switch", "create_control_vm", "create_vms",
    "install_rules", "see_traffic",
)  # fmt: skip


def frames(wire: Wire, seconds: float) -> Iterator[bytes]:
    """Yield what comes in until nothing does for some seconds."""
    while (frame := wire.receive(seconds)) is not None:
        yield frame


def tags_of(frame: bytes) -> tuple[int, ...]:
    tags = []
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        tags.append(int.from_bytes(frame[at + 2 : at + 4], "big") & 0xFFF)
        at += 4
    return tuple(tags)


@contextlib.contextmanager
def ssh_server(place: Path) -> Iterator[str]:
    """Run an SSH server that lets the controller in; yield its host key."""
    config, key, separation = place / "sshd_config", place / "host_key", Path("/run/sshd")
    for file in (key, key.with_suffix(".pub")):
        file.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    options = {
        "ListenAddress": f"{ADDRESS}:{SSH_PORT}",
        "HostKey": key,
        "AuthorizedKeysFile": place / "key.pub",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "MaxStartups": 100,
        "PidFile": "none",
    }
    config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    borrowed = separation.exists()
    separation.mkdir(exist_ok=True)
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=(place / "sshd.log").open("w")
    )
    try:
        await_greeting(server, place / "sshd.log")
        yield " ".join(key.with_suffix(".pub").read_text().split()[:2])
    finally:
        server.terminate()
        server.wait(timeout=10)
        if not borrowed:
            separation.rmdir()


def await_greeting(server: subprocess.Popen[bytes], log: Path) -> None:
    for _try in range(100):
        assert server.poll() is None, log.read_text()
        with (
            contextlib.suppress(OSError),
            socket.create_connection((ADDRESS, SSH_PORT), timeout=1) as connection,
        ):
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
