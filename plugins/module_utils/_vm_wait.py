# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a started VM answers."""

from __future__ import annotations

import socket
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

SSH_BANNER = b"SSH-"
ATTEMPT_TIMEOUT_S = 5.0
POLL_S = 0.2


def wait_for_ssh(address: str, port: int, timeout_s: float, alive: t.Callable[[], bool]) -> None:
    """Return once an SSH server has greeted at address:port.

    Raises VmError if that takes longer than timeout_s seconds, or as soon as alive() is false.
    """
    deadline = time.monotonic() + timeout_s
    while not _greets(address, port, min(ATTEMPT_TIMEOUT_S, max(POLL_S, deadline - time.monotonic()))):
        if not alive():
            raise VmError("it ended while it booted")
        if time.monotonic() >= deadline:
            raise VmError(f"no SSH server answered at {address}:{port} within {timeout_s:g} s")
        time.sleep(POLL_S)


def _greets(address: str, port: int, timeout_s: float) -> bool:
    # QEMU accepts for its guest, long before the guest listens: only a greeting tells.
    try:
        with socket.create_connection((address, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            return connection.recv(len(SSH_BANNER)) == SSH_BANNER
    except OSError:
        return False
