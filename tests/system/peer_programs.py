"""Programs of others that speak LLDP, from a Debian root of their own, as lldpd would start on the machine."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from namespace_modules import netns
from switch_fixtures import run, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kernel_fixtures import Namespace

RELEASE, PACKAGES = "bookworm", "lldpd,tshark"
DIGEST = hashlib.sha256(PACKAGES.encode()).hexdigest()[:12]
ROOT = Path(f"/var/cache/detnet-testbed/rootfs/{RELEASE}-{DIGEST}")
BUILD_TIMEOUT_S = 400
NO_SOURCE = re.compile(
    r"Could not (resolve|connect)|Unable to connect|Failed to fetch|Temporary failure resolving"
)

# The classic pcap format: magic number, version 2.4, time zone, accuracy, longest packet, Ethernet.
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 1)
WARNING = 0x600000  # PI_WARN of Wireshark's epan/proto.h; notes are below, errors above


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def peer_root(tell: t.Callable[[str], None]) -> Path:
    """Return the root that has the programs, made at the first time; skips the test where no packages can be had."""
    ROOT.parent.mkdir(parents=True, exist_ok=True)
    with locked(ROOT.with_suffix(".lock")):
        if not ROOT.exists():
            tell(f"making {ROOT} with {PACKAGES} by mmdebstrap, once; that takes about a minute")
            make(ROOT.with_suffix(".part"))
    return ROOT


def make(part: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)
    command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(part)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode and NO_SOURCE.search(done.stderr):
        pytest.skip(f"there is no source of Debian packages here: {done.stderr[-400:]}")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stderr}"
    part.rename(ROOT)


@dataclasses.dataclass
class Daemon:
    """An lldpd that runs in a network namespace; its socket is a path within the root."""

    root: Path
    socket: str

    @property
    def client(self) -> list[str]:
        return ["chroot", str(self.root), "lldpcli", "-u", self.socket]

    def configure(self, *words: str) -> None:
        run(*self.client, "configure", *words)

    def neighbors(self) -> list[dict[str, t.Any]]:
        """Return the neighbours as lldpcli prints them."""
        printed = json.loads(run(*self.client, "-f", "json0", "show", "neighbors", "details"))
        return [found for top in printed["lldp"] for found in top.get("interface", [])]

    def make_client(self, directory: Path) -> None:
        """Make an lldpcli in a directory that asks this lldpd."""
        script = directory / "lldpcli"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.client)} "$@"\n')
        script.chmod(0o755)


NUMBERS = itertools.count()


@contextlib.contextmanager
def lldpd(root: Path, where: Namespace, interface: str, name: str) -> Iterator[Daemon]:
    """Run lldpd on an interface, by which it sends every second as the system of a name."""
    daemon = Daemon(root, f"/run/detnet-{os.getpid()}-{next(NUMBERS)}.socket")
    command = netns(where.name, "chroot", root, "lldpd", "-d", "-u", daemon.socket, "-I", interface)
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            # What is configured earlier, while it reads its own files, may leave it silent.
            wait_until("lldpd operates", lambda: "should resume operations" in said(log, process))
            daemon.configure("system", "hostname", name)
            daemon.configure("lldp", "tx-interval", "1")
            yield daemon
        finally:
            process.terminate()


def said(log: t.BinaryIO, process: subprocess.Popen[bytes]) -> str:
    text = os.pread(log.fileno(), 1 << 16, 0).decode()  # whose offset is that of the process
    assert process.poll() is None, f"lldpd ended with {process.returncode}:\n{text}"
    return text


class Dissection(t.NamedTuple):
    """What tshark says of a frame: its layers, types of its TLVs, whether it is malformed, remarks by severity."""

    layers: str
    types: list[int]
    malformed: bool
    remarks: list[tuple[int, str]]

    @property
    def warnings(self) -> list[str]:
        return [message for severity, message in self.remarks if severity >= WARNING]


FIELDS = ("frame.protocols", "lldp.tlv.type", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message")


def dissect(root: Path, frames: Sequence[bytes]) -> list[Dissection]:
    packets = (struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    command = [
        "chroot",
        str(root),
        "tshark",
        "-r",
        "-",
        "-T",
        "fields",
        "-E",
        "separator=/t",
        "-E",
        "aggregator=|",
    ]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(
        command, input=PCAP_HEADER + b"".join(packets), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return [dissection(line) for line in done.stdout.decode().splitlines()]


def dissection(line: str) -> Dissection:
    layers, types, malformed, severities, messages = line.split("\t")
    remarks = zip(
        map(int, filter(None, severities.split("|"))), filter(None, messages.split("|")), strict=True
    )
    return Dissection(layers, [int(number) for number in types.split("|")], bool(malformed), list(remarks))
