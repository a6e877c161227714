# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a switch's container: their output, their time, their lock."""

from __future__ import annotations

import fcntl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _controller_switch
from ansible_collections.detnet.testbed.plugins.module_utils._controller_switch import (
    Container,
    ContainerError,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_uplink import Uplink


def container(script: str, name: str = "stop") -> Container:
    return Container("alpha", "/nowhere", Uplink("", "", "", "", ""), {name: ["/bin/sh", "-c", script]})


@pytest.mark.parametrize(
    ("name", "script", "prints"),
    [
        pytest.param("listed", "echo be84; echo beware >&2", "be84", id="warnings are no answer"),
        pytest.param("listed", "echo; echo beware >&2", "", id="no answer"),
        pytest.param("log", "echo out; echo error >&2", "out\nerror", id="a log has both"),
        pytest.param("listed", r"printf '\377'", "\ufffd", id="bytes that are no text"),
    ],
)
def test_what_a_command_prints(name: str, script: str, prints: str) -> None:
    assert _controller_switch.do(container(script, name), name) == prints


def test_a_command_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_controller_switch, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(
        ContainerError, match=r"stop the container .*alpha by /bin/sh: it took longer than 0\.2 s"
    ):
        _controller_switch.do(container("exec sleep 30"), "stop")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param("echo one >&2; echo two >&2; exit 125", "status 125: one / two", id="its words"),
        pytest.param("exit 1", "status 1: it says nothing", id="no words"),
        pytest.param("kill -KILL $$", "status -9: it says nothing", id="a signal"),
    ],
)
def test_a_command_that_fails_says_why(script: str, says: str) -> None:
    with pytest.raises(ContainerError) as error:
        _controller_switch.do(container(script), "stop")
    assert says in str(error.value)


def test_only_a_command_that_is_given_the_lock_holds_it(tmp_path: Path) -> None:
    def holds(lock: t.IO[str], given: int | None) -> bool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left_behind = container("sleep 1 >/dev/null 2>&1 &")
        _controller_switch.do(left_behind, "stop", given)
        lock.close()
        with (tmp_path / "lock").open("w") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    lock = (tmp_path / "lock").open("w")
    assert not holds(lock, None)
    lock = (tmp_path / "lock").open("w")
    assert holds(lock, lock.fileno())
