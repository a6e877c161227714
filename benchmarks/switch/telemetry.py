"""Counters of a running DPDK program, by the telemetry socket of DPDK's own library."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ANSWER_BYTES = 1 << 16
TIMEOUT_S = 10.0


class Telemetry:
    """A connection to the program whose runtime directory (RUNTIME_DIRECTORY) and file prefix are given."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def ask(self, command: str) -> t.Any:
        self.connection.send(command.encode())
        return json.loads(self.connection.recv(MAX_ANSWER_BYTES))[command.partition(",")[0]]

    def port(self, name: str) -> int:
        """Return the number of the port with this device."""
        for number in self.ask("/ethdev/list"):
            if self.ask(f"/ethdev/info,{number}")["name"] == name:
                return int(number)
        raise LookupError(name)

    def sent(self, port: int) -> int:
        """Return the packets that left by a port."""
        return int(self.ask(f"/ethdev/stats,{port}")["opackets"])


def path(directory: Path, prefix: str) -> Path:
    return directory / "dpdk" / prefix / "dpdk_telemetry.v2"


@contextlib.contextmanager
def connected(directory: Path, prefix: str) -> Iterator[Telemetry]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path(directory, prefix)))
        connection.recv(MAX_ANSWER_BYTES)  # who it is
        yield Telemetry(connection)
