# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Open vSwitch instance of our own: its daemons, bridges and flows, beside any other on the machine."""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils._fabric_document import (
    DAEMONS,
    Document,
    FabricError,
    Run,
    taps_of,
)

PROGRAMS = ["ovs-ofctl", "ovs-vsctl", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool"]

VSCTL_TIMEOUT_S = 10
STOP_TIMEOUT_S = 5.0
LOG_LINES = 5

# Of root's capabilities, those that raw sockets and tap devices take. Files are reached as their owner.
CAPABILITIES = {"ovsdb-server": "-all", "ovs-vswitchd": "-all,+net_admin,+net_raw"}
FILES = {"unixctl": "ctl", "pidfile": "pid", "log-file": "log"}  # suffix by option
SOCKETS = {"ovsdb-server": ["db.sock", "ovsdb-server.ctl"], "ovs-vswitchd": ["ovs-vswitchd.ctl"]}


class OpenVswitch:
    """The instance whose database, sockets, pid files and logs are in the directory."""

    def __init__(self, directory: str, run: Run) -> None:
        self.directory = Path(directory)
        self.run = run

    def daemons(self) -> dict[str, str]:
        """Return the daemons of the document."""
        return {
            name: "reachable" if all(map(self._has, SOCKETS[name])) else "unreachable"
            for name in DAEMONS
            if self.pid(name)
        }

    def pid(self, name: str) -> int | None:
        """Return the process of a daemon, which is known by its pid file's path among its arguments."""
        mark = f"--pidfile={self.directory}/{name}.pid"
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
            except OSError:
                continue  # it ended meanwhile
            if mark in arguments and Path(arguments[0]).name == name:
                return int(process.name)
        return None

    def start(self) -> None:
        """Start the daemons with an empty database. Neither of them runs."""
        for old in (".conf.db.~lock~", "conf.db"):
            (self.directory / old).unlink(missing_ok=True)
        database = str(self.directory / "conf.db")
        self.run(["ovsdb-tool", "create", database])
        self._start("ovsdb-server", [f"--remote=punix:{self.directory}/db.sock", "--no-chdir", database])
        self._start("ovs-vswitchd", [f"unix:{self.directory}/db.sock"])

    def stop(self) -> None:
        """End the daemons that run."""
        for name in DAEMONS:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self._ended(name, number):
                    break
            else:
                raise FabricError(
                    f"{name} (pid {self.pid(name)}) does not end; see what it waits for with ps"
                )

    def bridges(self, devices: set[str]) -> Document | None:
        """Return the bridges of the document, or None if one has lost its device or its socket.

        The daemons run. One that has lost them goes on as if nothing were missing, and must start anew.
        """
        bridges = read_bridges(
            self._vsctl(
                ["--columns=name,datapath_type,fail_mode,ports", "list", "bridge"],
                ["--columns=_uuid,name", "list", "port"],
                ["--columns=name,ofport", "list", "interface"],
            )
        )
        if not devices >= set(taps_of(bridges)) or not all(self._has(f"{name}.mgmt") for name in bridges):
            return None
        for name, bridge in bridges.items():
            dump = self._ofctl("dump-flows", name, ["--no-names", "--no-stats"])
            bridge["flows"] = sorted(line.strip() for line in dump.splitlines())
        return bridges

    def configure(self, before: Document, after: Document) -> None:
        """Make the bridges, their ports and flows from those before those after, in this order."""
        if commands := list(changes(before, after)):
            self._vsctl(*commands)
        for name, bridge in after.items():
            if bridge["flows"] != before.get(name, {}).get("flows"):
                self._ofctl("replace-flows", name, ["--bundle"], "\n".join(bridge["flows"]))

    def remove_ports(self, ports: t.Iterable[str]) -> None:
        """Let go of interfaces that are about to be deleted."""
        if commands := [["del-port", port] for port in ports]:
            self._vsctl(*commands)

    def log(self) -> str:
        """Return the end of the daemons' logs, as evidence."""
        logs = [self.directory / f"{name}.log" for name in DAEMONS]
        return "\n".join(
            line for log in logs if log.exists() for line in log.read_text().splitlines()[-LOG_LINES:]
        )

    def _has(self, file: str) -> bool:
        return (self.directory / file).exists()

    def _start(self, name: str, arguments: list[str]) -> None:
        limits = [f"--bounding-set={CAPABILITIES[name]}", "--inh-caps=-all"]
        files = [f"--{option}={self.directory}/{name}.{suffix}" for option, suffix in FILES.items()]
        # --detach returns once the daemon can be reached, or says why not.
        self.run(["setpriv", *limits, name, *files, "-vconsole:off", "-vsyslog:off", "--detach", *arguments])

    def _ended(self, name: str, number: signal.Signals) -> bool:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        if process := self.pid(name):
            os.kill(process, number)
        while self.pid(name) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.pid(name) is None

    def _vsctl(self, *commands: list[str]) -> str:
        """Run commands in one transaction, and wait until the switch has them."""
        options = [f"--db=unix:{self.directory}/db.sock", f"--timeout={VSCTL_TIMEOUT_S}", "--format=json"]
        joined = [word for command in commands for word in ("--", *command)]
        return self.run(["ovs-vsctl", *options, *joined])

    def _ofctl(self, command: str, bridge: str, options: list[str], flows: str | None = None) -> str:
        # OpenFlow 1.3 prints pop_vlan; 1.0 has another name for it.
        socket = f"unix:{self.directory}/{bridge}.mgmt"
        source = ["-"] if flows is not None else []
        return self.run(["ovs-ofctl", "--protocols=OpenFlow13", *options, command, socket, *source], flows)


def rows(table: str) -> list[dict[str, t.Any]]:
    """Return the rows of a table that ovs-vsctl printed as JSON."""
    content = json.loads(table)
    return [dict(zip(content["headings"], row, strict=True)) for row in content["data"]]


def read_bridges(answer: str) -> Document:
    """Return the bridges, yet without flows, of three tables on a line each: bridges, ports, interfaces."""
    bridges, ports, interfaces = map(rows, answer.splitlines())
    port_names = {row["_uuid"][1]: row["name"] for row in ports}
    numbers = {row["name"]: row["ofport"] for row in interfaces}
    return {
        row["name"]: {
            "datapath": row["datapath_type"],
            "fail_mode": row["fail_mode"],
            "ports": {
                name: numbers.get(name) for name in members(row["ports"], port_names) if name != row["name"]
            },
        }
        for row in bridges
    }


def ports(bridges: Document) -> list[str]:
    return [port for bridge in bridges.values() for port in bridge["ports"]]


def members(value: list[t.Any], names: dict[str, str]) -> list[str]:
    """Return the names of the rows that a reference stands for: ["uuid", U], or ["set", [["uuid", U], …]]."""
    references = value[1] if value[0] == "set" else [value]
    return sorted(names[uuid] for _kind, uuid in references)


def changes(before: Document, after: Document) -> t.Iterator[list[str]]:
    """Yield the commands of ovs-vsctl that turn the bridges before into those after."""
    for name in before.keys() - after.keys():
        yield ["del-br", name]
    for name, bridge in after.items():
        old = before.get(name, {"ports": {}})
        kind = [f"datapath_type={bridge['datapath']}", f"fail_mode={bridge['fail_mode']}"]
        if any(old.get(key) != bridge[key] for key in ("datapath", "fail_mode")):
            yield ["--may-exist", "add-br", name]
            yield ["set", "bridge", name, *kind]
        for port, number in old["ports"].items():
            if bridge["ports"].get(port) != number:
                yield ["del-port", name, port]
        for port, number in bridge["ports"].items():
            if old["ports"].get(port) != number:
                yield ["add-port", name, port]
                yield ["set", "interface", port, f"ofport_request={number}"]
