# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of what the controller computes for each host."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import fingerprint, settings
from core_topologies import machine

from benchmarks.planning import __main__ as planning
from benchmarks.planning.host import documents


def test_hosts_differ_in_a_few_settings_and_share_nothing(tmp_path: Path) -> None:
    one, other = documents(machine(nodes=2, cores=40), tmp_path, 2)
    assert fingerprint(one) != fingerprint(other)
    assert len(settings(one).items() ^ settings(other).items()) < 8
    one["network"]["interfaces"].clear()
    assert other["network"]["interfaces"]


def test_a_host_has_the_interrupts_and_queues_of_a_large_server(tmp_path: Path) -> None:
    (state,) = documents(machine(nodes=2, cores=40), tmp_path, 1)
    assert len(state["interrupts"]["irqs"]) > 400
    assert all(row["asked_cpus"] and row["effective_cpus"] for row in state["interrupts"]["irqs"].values())
    assert sum(len(nic["queues"]) for nic in state["network"]["interfaces"].values()) == 512
    assert state["processor"]["per_cpu"]["governor"] == {"powersave": "0-79"}


@pytest.fixture
def run(tmp_path: Path) -> t.Callable[..., int]:
    return lambda *words: planning.main(["--hosts", "2", "--rounds", "1", "--output", str(tmp_path), *words])


def test_measures_each_step_and_writes_what_it_printed(
    run: t.Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    document = json.loads((tmp_path / "planning.json").read_text())
    steps = document["steps_ms"]
    assert list(steps) == [
        "core_plan",
        "tuning_plan",
        "state_differences",
        "difference_table",
        "fingerprint",
        "fingerprint_diff",
        planning.TOTAL,
    ]
    assert all(0 < step["min"] <= step["median"] <= step["max"] for step in steps.values())
    assert document["summary"]["ms_per_host"] == steps[planning.TOTAL]["median"]
    assert document["each_host_has"]["cpus"] == 128
    assert document["each_host_has"]["differences"] > 500  # of a server that nobody tuned
    assert "2 hosts, each with 128 cpus" in capsys.readouterr().out


@pytest.mark.parametrize(("bound", "status"), [(1e9, 0), (1e-9, 1)], ids=["met", "missed"])
def test_ends_with_1_if_the_goal_is_missed(
    run: t.Callable[..., int], monkeypatch: pytest.MonkeyPatch, bound: float, status: int
) -> None:
    monkeypatch.setattr(planning, "GOAL", planning.Goal("ms_per_host", True, bound, ""))
    assert run() == status
