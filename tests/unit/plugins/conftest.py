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
        self.questions: list[tuple[str, dict[str, t.Any]]] = []
        self.generation = 7
        self.other_writers = 0  # how many changes somebody else makes, one before each of ours
        self.error: dict[str, t.Any] | None = None  # answers every change, if set
        self.refusals: dict[str, dict[str, t.Any]] = {}  # answers to questions by method

    def handle(self, connection: socket.socket) -> None:
        request = json.loads(connection.makefile("rb").readline())
        method, params = request["method"], request["params"]
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        if method == "trace" or method.endswith((".list", ".info", ".get", ".features")):
            self.questions.append((method, params))
            if method in self.refusals:
                answer["error"] = self.refusals[method]
            else:
                answer["result"] = getattr(self, method.replace(".", "_"))(params)
        else:
            answer |= self.change(method, params)
        connection.sendall(json.dumps(answer).encode() + b"\n")

    def change(self, method: str, params: dict[str, t.Any]) -> dict[str, t.Any]:
        if self.other_writers:
            self.other_writers -= 1
            self.generation += 1
        if params.pop("if_generation", self.generation) != self.generation:
            return {"error": {"code": -32005, "message": "the switch has changed meanwhile"}}
        self.changes.append((method, params))
        if self.error:
            return {"error": self.error}
        self.generation += 1
        return {"result": {"generation": self.generation}}

    def switch_info(self, _params: dict[str, t.Any]) -> dict[str, t.Any]:
        state = {"generation": self.generation}
        return {
            "name": "dpdk-tagging",
            "ports": len(self.ports),
            "rules": len(self.rules),
            "state": state,
        }

    def port_list(self, _params: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            "ports": [{**port, "socket": "/x", "connected": True} for _vm, port in sorted(self.ports.items())]
        }

    def port_features(self, params: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"vm": params["vm"], "ring_size": 1024}

    def rule_list(self, params: dict[str, t.Any]) -> dict[str, t.Any]:
        of = params.get("vm")
        return {"rules": [rule for rule in self.rules if of in (None, rule["vm"])]}

    def stats_get(self, _params: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"vms": [], "uplink": {}, "rules": []}

    def trace(self, _params: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"steps": [], "verdict": "dropped", "drop": "no_rule"}


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
