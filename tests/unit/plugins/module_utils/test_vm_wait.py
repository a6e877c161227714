# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the greeting of an SSH server, which may be late, mute, or something else."""

from __future__ import annotations

import socket
import time
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_wait
from ansible_collections.detnet.testbed.plugins.module_utils._vm_wait import CONNECTIONS, Greeting

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BANNER = b"SSH-2.0-test\r\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Make a server that accepts as QEMU does, and knock each time that somebody asks."""
    monkeypatch.setattr(_vm_wait, "PAUSE_S", 0.0)
    monkeypatch.setattr(_vm_wait, "POLL_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        yield listening


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True


def test_an_early_connection_may_be_the_one_that_is_greeted(server: socket.socket) -> None:
    with Greeting(*server.getsockname()) as greeting:
        assert not greeting()
        early, _address = server.accept()
        assert not greeting()
        early.sendall(BANNER)
        assert greeting()
        early.close()


def test_only_the_last_connections_stay_open_and_none_in_the_end(server: socket.socket) -> None:
    with Greeting(*server.getsockname()) as greeting:
        accepted = []
        for _turn in range(CONNECTIONS + 2):
            assert not greeting()
            accepted.append(server.accept()[0])
        assert [is_open(connection) for connection in accepted] == [False] * 2 + [True] * CONNECTIONS
    assert not any(map(is_open, accepted))
    for connection in accepted:
        connection.close()


def test_the_guest_is_left_in_peace_between_two_connections(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vm_wait, "PAUSE_S", 60.0)
    with Greeting(*server.getsockname()) as greeting:
        assert [greeting(), greeting()] == [False, False]
        server.accept()[0].close()
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_slow_guest_has_longer_for_each_connection(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vm_wait, "PAUSE_S", 1.5)
    moments = iter([0.0, 60.0, 69.0, 71.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    server.settimeout(0.05)
    with Greeting(*server.getsockname()) as greeting:
        assert not greeting()
        first = server.accept()[0]
        assert not greeting()
        with pytest.raises(TimeoutError):
            server.accept()
        assert not greeting()
        server.accept()[0].close()
        first.close()


@pytest.mark.parametrize("said", [b"", b"220 mail\r\n", b"Exceeded MaxStartups\r\n"])
def test_something_else_is_no_greeting(server: socket.socket, said: bytes) -> None:
    with Greeting(*server.getsockname()) as greeting:
        assert not greeting()
        with server.accept()[0] as connection:
            connection.sendall(said)
        assert not greeting()
        with server.accept()[0] as connection:
            connection.sendall(BANNER)
            assert greeting()


def test_nobody_listens(server: socket.socket) -> None:
    address, port = server.getsockname()
    server.close()
    with Greeting(address, port) as greeting:
        assert not greeting()


def test_who_refuses_is_asked_again_soon(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vm_wait, "PAUSE_S", 60.0)
    with Greeting(*server.getsockname()) as greeting:
        for _turn in range(3):
            assert not greeting()
            server.accept()[0].close()
            assert not greeting()  # and hears that it was refused
