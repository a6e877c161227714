"""Whether guests answer by SSH."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import time
import typing as t

from benchmarks.switch.process import BenchmarkError

if t.TYPE_CHECKING:
    from pathlib import Path

LOGIN_TIMEOUT_S = 60
GREETING = b"SSH-"
KNOCK_EACH_S = 1.0
KNOCKS_KEPT = 4  # each is a process of the guest, which may take 3 seconds to greet, and 96 MiB are soon full


def seconds_until_greeting(began: float, address: str, port: int, timeout_s: float = 300) -> float:
    """Return the seconds from a moment of the monotonic clock until an SSH server greets.

    QEMU accepts for its guest, long before that listens, so a connection alone tells nothing, and one that came too
    early is heard late: others follow it, and whichever is greeted first counts.
    """
    with contextlib.ExitStack() as stack:
        connections: list[socket.socket] = []
        while time.monotonic() < began + timeout_s:
            with contextlib.suppress(OSError):
                connections.append(
                    stack.enter_context(socket.create_connection((address, port), KNOCK_EACH_S))
                )
            for old in connections[:-KNOCKS_KEPT]:
                old.close()
            connections = connections[-KNOCKS_KEPT:]
            again = time.monotonic() + KNOCK_EACH_S
            while (left := again - time.monotonic()) > 0:
                heard = select.select(connections, [], [], left)[0]
                for connection in heard:
                    if _said(connection).startswith(GREETING):
                        return time.monotonic() - began
                    connections.remove(connection)
    raise BenchmarkError(f"No SSH server answered at {address}:{port} within {timeout_s:g} s")


def _said(connection: socket.socket) -> bytes:
    try:
        return connection.recv(len(GREETING))
    except OSError:
        return b""


def host_name(address: str, port: int, key: Path, known_hosts: Path) -> str:
    """Log in, and return what the guest calls itself; empty if that fails."""
    options = (f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes")
    words = [word for option in options for word in ("-o", option)]
    command = ["ssh", "-F", "none", "-i", str(key), "-p", str(port), *words, f"root@{address}", "hostname"]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=LOGIN_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip()
