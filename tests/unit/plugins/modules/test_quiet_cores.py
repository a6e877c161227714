# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module quiet_cores, without the programs that it runs."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_cores
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_cores import Groups, Results
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import QuietError
from ansible_collections.detnet.testbed.plugins.modules import quiet_cores
from quiet_results import row

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Groups, int]]:
    """What is to be measured, instead of measuring it."""
    calls: list[tuple[Groups, int]] = []

    def measure(chosen: Groups, duration_s: int, directory: str) -> Results:
        calls.append((chosen, duration_s))
        return Results([row()], [{"tool": "oslat", "reason": "why"}], "2.40")

    monkeypatch.setattr(_quiet_cores, "measure", measure)
    monkeypatch.setattr(_quiet_cores, "groups", lambda *_lists: Groups((2, 3), (0, 1), 0))
    return calls


def test_returns_what_was_measured(run: Run, asked: list[tuple[Groups, int]]) -> None:
    result = run(quiet_cores.main, duration_s=5)
    assert asked == [(Groups((2, 3), (0, 1), 0), 5)]
    assert result["changed"] is False
    assert result["measurements"] == [row()]
    assert result["not_measured"] == [{"tool": "oslat", "reason": "why"}]
    assert (result["isolated_cpus"], result["housekeeping_cpus"]) == ("2-3", "0-1")
    assert (result["duration_s"], result["rt_tests"]) == (5, "2.40")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["started"])


def test_no_key_makes_ansible_take_the_task_for_skipped(run: Run, asked: list[tuple[Groups, int]]) -> None:
    assert not {"skipped", "failed", "rc", "results"} & set(run(quiet_cores.main))


def test_measures_a_minute_by_default(run: Run, asked: list[tuple[Groups, int]]) -> None:
    run(quiet_cores.main)
    assert asked[0][1] == 60


def test_check_mode_measures_nothing(run: Run, asked: list[tuple[Groups, int]]) -> None:
    result = run(quiet_cores.main, check_mode=True)
    assert asked == []
    assert (result["changed"], result["measurements"], result["isolated_cpus"]) == (False, [], "2-3")


@pytest.mark.parametrize("check_mode", [False, True])
def test_refuses_no_time_at_all(run: Run, asked: list[tuple[Groups, int]], check_mode: bool) -> None:
    result = run(quiet_cores.main, check_mode=check_mode, duration_s=0)
    assert result["msg"] == "Cannot measure how quiet the CPUs are: duration_s is 0; give 1 or more"
    assert asked == []


def test_refuses_cpus_that_are_not_there(run: Run) -> None:
    result = run(quiet_cores.main, isolated_cpus="8191")
    assert result["failed"]
    assert "CPU 8191 of isolated_cpus is not online" in result["msg"]


@pytest.mark.parametrize(
    "fault",
    [QuietError("interrupted by SIGTERM; run it again"), FileNotFoundError(2, "No such file", "setpriv")],
)
def test_says_what_stopped_it(run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def measure(*_arguments: t.Any) -> Results:
        raise fault

    monkeypatch.setattr(_quiet_cores, "measure", measure)
    result = run(quiet_cores.main)
    assert result["failed"]
    assert result["msg"] == f"Cannot measure how quiet the CPUs are: {fault}"
