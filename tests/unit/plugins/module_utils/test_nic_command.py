# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that are missing, fail, hang or see odd variables."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _nic_command
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import CommandError

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Install a driverctl of these lines."""

    def script(lines: str) -> None:
        path = tmp_path / "driverctl"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return script


def test_returns_what_is_printed(script: t.Callable[[str], None]) -> None:
    script('echo "$@"')
    assert _nic_command.run(["driverctl", "list-devices"]) == "list-devices\n"


def test_variables_that_driverctl_obeys_are_kept_from_it(
    script: t.Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBSYSTEM", "vmbus")
    monkeypatch.setenv("DEVPATH", "/devices/x")
    script('echo "$SUBSYSTEM$DEVPATH"')
    assert _nic_command.run(["driverctl"]).strip() == ""


def test_a_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nic_command, "path", str)
    with pytest.raises(CommandError, match="ip is not installed; install the package iproute2"):
        _nic_command.run(["ip", "address"])


def test_a_failure_is_told_with_its_complaint(script: t.Callable[[str], None]) -> None:
    script("echo one >&2; echo two >&2; exit 3")
    with pytest.raises(CommandError, match=r"driverctl set-override x failed with 3: one / two; dmesg"):
        _nic_command.run(["driverctl", "set-override", "x"])


def test_a_silent_failure(script: t.Callable[[str], None]) -> None:
    script("exit 1")
    with pytest.raises(CommandError, match=r"failed with 1: it says nothing"):
        _nic_command.run(["driverctl"])


def test_a_program_that_hangs(script: t.Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nic_command, "TIMEOUT_S", 0.2)
    script("exec sleep 5")
    with pytest.raises(CommandError, match=r"took longer than .* program that still uses the device"):
        _nic_command.run(["driverctl"])


def test_a_program_that_cannot_be_run(script: t.Callable[[str], None], tmp_path: Path) -> None:
    script("")
    (tmp_path / "driverctl").write_text("#!/no/such/shell\n")
    with pytest.raises(CommandError, match="cannot be run: No such file"):
        _nic_command.run(["driverctl"])
