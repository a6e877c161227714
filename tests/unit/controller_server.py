# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is a folder, for the commands of a controller: its libvirt, tagging switch, image and programs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).parent / "roles/controller_commands"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmVsC4tuRfvthwRGOKGezKNXMOxKs6C8WB80kNPp3mB me"
PROGRAMS = {
    "qemu-system-x86_64": "exit 1",
    "qemu-img": 'for last; do :; done; : > "$last"',
    "ssh-keygen": 'for last; do :; done; echo private > "$last"; echo ssh-ed25519 AAAA name > "$last.pub"',
    "vagrant": "exit 1",
}


class Switch:
    """A tagging switch: a port has a socket on which somebody listens; its guest is connected at once."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ports: dict[int, tuple[dict[str, t.Any], socket.socket]] = {}
        self.changes: list[str] = []
        self.connected = True  # the guests of all ports
        self.refuses = ""  # a method
        self.refuses_with_a_port = ""  # the same, once there is one
        self.listener = socket.socket(socket.AF_UNIX)
        (place / "control").mkdir(parents=True)
        (place / "vhost").mkdir()
        self.listener.bind(str(place / "control/switch.sock"))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                request = json.loads(connection.makefile("rb").readline())
                answer = {"jsonrpc": "2.0", "id": request["id"], **self.answer(request)}
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def answer(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        method, params = request["method"], request["params"]
        if method == self.refuses:
            return {"error": {"code": -32603, "message": f"{method} is refused"}}
        if method == "port.list":
            return {
                "result": {
                    "ports": [{**port, "connected": self.connected} for port, _socket in self.ports.values()]
                }
            }
        self.changes.append(f"{method} {params['vm']}")
        return {"result": self.add(**params) if method == "port.add" else self.remove(**params)}

    def add(self, vm: int, mac: str, socket_server: str) -> dict[str, t.Any]:
        path = self.place / f"vhost/vm-{vm:02d}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        port = {"vm": vm, "mac": mac, "socket_server": socket_server, "socket": str(path)}
        self.ports[vm] = port, listener
        self.refuses = self.refuses_with_a_port
        return port

    def remove(self, vm: int) -> dict[str, t.Any]:
        if vm not in self.ports:
            return {"removed": False}
        port, listener = self.ports.pop(vm)
        listener.close()
        Path(port["socket"]).unlink()
        return {"removed": True}

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(timeout=5)
        (self.place / "control/switch.sock").unlink(missing_ok=True)


class Server:
    """The machine, on which commands are run as processes."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.libvirt = place / "libvirt"
        self.vagrant = place / "vagrant"
        self.state = place / "state"
        self.limit_s = 30  # for a command, beside the wait for its guest
        for folder in (self.libvirt, self.vagrant, place / "image", place / "bin"):
            folder.mkdir()
        for name in ("vmlinuz", "initrd.img", "root.ext4"):
            (place / "image" / name).touch()
        for name, script in PROGRAMS.items():
            (place / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
            (place / "bin" / name).chmod(0o755)
        self.switch = Switch(place / "run/alpha")
        self.configure()

    def configure(self, **changes: t.Any) -> None:
        config = {
            "end_host": "alpha",
            "run_dir": str(self.place / "run"),
            "state_dir": str(self.state),
            "image": str(self.place / "image"),
            "management_address": "127.0.0.98",
            "ssh_authorized_key": KEY,
            "hostname": "server",
            "mac_prefix": "",
            "first_address": "",
            "socket_server": "switch",
            "mtu": 1500,
            "memory_mib": 64,
            "vcpus": 1,
            "max_id": 64,
            "accelerator": "tcg",
            "wait_timeout_s": 5,
            "switch": str(self.place / "container.json"),
            "nic_ledger": str(self.place / "nics.json"),
            "vms": [],
        }
        (self.place / "controller.json").write_text(json.dumps({**config, **changes}))

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": str(self.place / "bin"),
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LIBVIRT_DIR": str(self.libvirt),
            "LIMIT_S": str(self.limit_s),
        }
        command = [sys.executable, str(HERE / "run_command.py"), str(self.place), *words]
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its exit status and what it wrote to stdout and to stderr."""
        process = self.start(*words)
        out, error = process.communicate(timeout=30)
        return process.returncode, out, error

    def good(self, *words: str) -> str:
        status, out, error = self.run(*words)
        assert (status, error) == (0, "")
        return out

    def bad(self, *words: str) -> str:
        status, out, error = self.run(*words)
        assert (status, out) == (1, "")
        return error

    def domains(self) -> list[str]:
        return sorted(path.stem for path in self.libvirt.glob("*.xml"))

    def left(self) -> dict[str, t.Any]:
        """Return all that there is of VMs."""
        return {
            "domains": self.domains(),
            "files": sorted(path.name for path in self.state.glob("*")),
            "ports": sorted(self.switch.ports),
            "folders": sorted(path.name for path in self.vagrant.iterdir()),
        }

    def end(self) -> None:
        self.switch.end()
        for process in self.libvirt.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.read_text()), signal.SIGKILL)


NOTHING: dict[str, t.Any] = {"domains": [], "files": [], "ports": [], "folders": []}


def wait_until(reached: t.Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)
