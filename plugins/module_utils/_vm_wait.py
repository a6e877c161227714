# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a started VM is ready."""

from __future__ import annotations

import socket
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

SSH_BANNER = b"SSH-"
ATTEMPT_TIMEOUT_S = 2.0
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


def greets(address: str, port: int) -> bool:
    """Return whether an SSH server greets at address:port."""
    # QEMU accepts for its guest, long before the guest listens: only a greeting tells.
    try:
        with socket.create_connection((address, port), ATTEMPT_TIMEOUT_S) as connection:
            connection.settimeout(ATTEMPT_TIMEOUT_S)
            return connection.recv(len(SSH_BANNER)) == SSH_BANNER
    except OSError:
        return False


def connected(switch: Switch, sockets: t.Collection[str]) -> bool:
    """Return whether the guest's drivers and the switch have agreed on the rings of all sockets."""
    try:
        ports = switch.call("port.list")["ports"]
    except SwitchError:
        return False  # it may just be starting; the time that is left decides
    return {port["socket"] for port in ports if port["connected"]}.issuperset(sockets)
