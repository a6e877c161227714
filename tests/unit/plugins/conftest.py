# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch's control socket without a switch, and a module's run without Ansible's controller."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

Handler = t.Callable[[socket.socket], None]


@pytest.fixture
def serve(tmp_path: Path) -> t.Iterator[t.Callable[[Handler], str]]:
    """Start a server that calls a handler for one connection after the other; return its socket's path."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    threads: list[threading.Thread] = []

    def start(handler: Handler) -> str:
        def accept() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(ConnectionError):
                    handler(connection)

        path = str(tmp_path / "s")
        listener.bind(path)
        listener.listen()
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        return path

    yield start
    if threads:
        listener.shutdown(socket.SHUT_RDWR)  # close alone would not wake accept
        threads[0].join(timeout=5)
    listener.close()


class MemorySwitch:
    """Ports and rules as the switch's control API keeps them, with a record of the requests that change them."""

    def __init__(self) -> None:
        self.path = ""
        self.ports: dict[int, dict[str, t.Any]] = {}
        self.rules: list[dict[str, t.Any]] = []
        self.changes: list[tuple[str, dict[str, t.Any]]] = []
        self.error: dict[str, t.Any] | None = None  # answers every change, if set

    def handle(self, connection: socket.socket) -> None:
        request = json.loads(connection.makefile("rb").readline())
        method, params = request["method"], request["params"]
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        if method.endswith((".list", ".info", ".get")):
            answer["result"] = getattr(self, method.replace(".", "_"))()
        else:
            self.changes.append((method, params))
            answer |= {"error": self.error} if self.error else {"result": {}}
        connection.sendall(json.dumps(answer).encode() + b"\n")

    def switch_info(self) -> dict[str, t.Any]:
        return {"name": "dpdk-tagging", "ports": len(self.ports), "rules": len(self.rules)}

    def port_list(self) -> dict[str, t.Any]:
        return {
            "ports": [{**port, "socket": "/x", "connected": True} for _vm, port in sorted(self.ports.items())]
        }

    def rule_list(self) -> dict[str, t.Any]:
        return {"rules": self.rules}

    def stats_get(self) -> dict[str, t.Any]:
        return {"vms": [], "uplink": {}, "rules": []}


@pytest.fixture
def switch(serve: t.Callable[[Handler], str]) -> MemorySwitch:
    memory = MemorySwitch()
    memory.path = serve(memory.handle)
    return memory


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., dict[str, t.Any]]:
    """Run the main() of a module with arguments, and return what it tells Ansible."""

    def run(main: t.Callable[[], None], *, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        internal = {"_ansible_check_mode": check_mode, "_ansible_diff": True}
        with patch_module_args(arguments | internal), pytest.raises(SystemExit):
            main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return result

    return run
