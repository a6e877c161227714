# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that carries a pocket fabric: a network namespace, so that tests can run beside a pocket testbed."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import typing as t
from pathlib import Path

from kernel_fixtures import Namespace
from switch_fixtures import run as run_here

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ETHER_TYPE = b"\x88\xb5"  # for local experiments
ADDRESSES = bytes.fromhex("02000000000b 02000000000a")


class FabricMachine:
    """The machine with a name, and the fabric that is described for it, as the options of the module `fabric`."""

    def __init__(self, name: str, **description: t.Any) -> None:
        self.name = name
        self.description = description

    @property
    def directory(self) -> Path:
        return Path(self.description["directory"])

    def host(self, number: int) -> Namespace:
        return Namespace(f"detnet-{self.description['end_hosts'][number]}")

    def run(self, *command: str, namespace: str | None = None) -> str:
        """Run a command on the machine, or in the network namespace of an end host; return what it says."""
        inside = ["nsenter", f"--net=/run/netns/{namespace or self.name}", *command]
        done = subprocess.run(inside, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def fabric(self, *options: str, **changes: t.Any) -> dict[str, t.Any]:
        """Run the module on the machine; return its result."""
        command = [
            "nsenter",
            f"--net=/run/netns/{self.name}",
            "ansible",
            "localhost",
            "--inventory",
            "localhost,",
        ]
        command += ["--connection", "local", "--extra-vars", "ansible_python_interpreter=/usr/bin/python3"]
        command += ["--one-line", "--module-name", "detnet.testbed.fabric", *options]
        command += ["--args", json.dumps({**self.description, **changes})]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        _host, arrow, result = output.partition(" => ")
        assert arrow, output
        return dict(json.loads(result))

    def vsctl(self, *words: str) -> None:
        """Change something in the fabric's own Open vSwitch."""
        self.run("ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=10", *words)


@contextlib.contextmanager
def two_switches(letter: str) -> Iterator[FabricMachine]:
    """Build two network switches between two end hosts, on a machine of their own; all names begin with the letter."""
    one, other = (f"{letter}{number}" for number in (1, 2))
    first, last = (f"{letter}{os.getpid()}{end}" for end in "ab")
    machine = FabricMachine(
        f"{letter}{os.getpid()}-machine",
        switches=[one, other],
        end_hosts=[first, last],
        links=[[f"{first}:0", f"{one}:1"], [f"{one}:2", f"{other}:1"], [f"{other}:2", f"{last}:0"]],
        directory=f"/run/detnet-testbed-{letter}{os.getpid()}/fabric",
    )
    run_here("ip", "netns", "add", machine.name)
    try:
        assert "msg" not in machine.fabric()
        yield machine
    finally:
        machine.fabric(state="absent")
        run_here("ip", "netns", "delete", machine.name)


def frame(tags: list[int], payload: bytes) -> bytes:
    return ADDRESSES + b"".join(b"\x81\x00" + struct.pack("!H", tag) for tag in tags) + ETHER_TYPE + payload


def read(data: bytes) -> tuple[list[int], bytes]:
    """Return a frame's tags and payload."""
    tags, at = [], 12
    while data[at : at + 2] == b"\x81\x00":
        tags.append(struct.unpack("!H", data[at + 2 : at + 4])[0])
        at += 4
    return tags, data[at + 2 :]
