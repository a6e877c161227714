# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a started VM is ready."""

from __future__ import annotations

import contextlib
import select
import socket
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

SSH_BANNER = b"SSH-"
CONNECT_TIMEOUT_S = 2.0
CONNECTIONS = 4  # at a time
PAUSE_S, PAUSE_SHARE = 1.5, 6  # between two: at least this, and this part of the time waited so far
POLL_S = 0.2


def wait_until(ready: t.Callable[[], bool], late: str, timeout_s: float, alive: t.Callable[[], bool]) -> None:
    """Return once ready() is true.

    Raises VmError if that takes longer than timeout_s seconds, with what is late, or as soon as alive() is false.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not alive():
            raise VmError("it ended while it booted")
        if time.monotonic() >= deadline:
            raise VmError(f"{late} within {timeout_s:g} s")
        time.sleep(POLL_S)


class Greeting:
    """Whether an SSH server greets at address:port; ask again and again by calling it, and close it in the end.

    QEMU accepts for its guest, long before the guest listens: only a greeting tells. A connection that came too early
    is heard late, so a few others follow it. They are kept, and the pauses grow with the time: each one costs the guest
    a process, and a slow guest that has to begin anew again and again never ends. To refuse one costs it nothing.
    """

    def __init__(self, address: str, port: int) -> None:
        self.place = (address, port)
        self.began = time.monotonic()
        self.next = self.began
        self.connections: list[socket.socket] = []  # the oldest first

    def __enter__(self) -> Greeting:
        return self

    def __exit__(self, *_exception: object) -> None:
        for connection in self.connections:
            connection.close()

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self.connections or now >= self.next:
            self.next = now + max(PAUSE_S, (now - self.began) / PAUSE_SHARE)
            self._connect()
        return any(map(self._greets, select.select(self.connections, [], [], POLL_S)[0]))

    def _connect(self) -> None:
        with contextlib.suppress(OSError):
            self.connections.append(socket.create_connection(self.place, CONNECT_TIMEOUT_S))
        while len(self.connections) > CONNECTIONS:
            self.connections.pop(0).close()

    def _greets(self, connection: socket.socket) -> bool:
        try:
            return connection.recv(len(SSH_BANNER)) == SSH_BANNER
        except OSError:
            return False
        finally:
            self.connections.remove(connection)
            connection.close()


def connected(switch: Switch, sockets: t.Collection[str]) -> bool:
    """Return whether the guest's drivers and the switch have agreed on the rings of all sockets."""
    try:
        ports = switch.call("port.list")["ports"]
    except SwitchError:
        return False  # it may just be starting; the time that is left decides
    return {port["socket"] for port in ports if port["connected"]}.issuperset(sockets)
