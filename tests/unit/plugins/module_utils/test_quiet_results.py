# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements mean: the worst of each kind, and what is beyond its threshold."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_results
from quiet_results import gaps, results, row

MEASURED = results(
    row(cpus="2", max_us=9),
    row(cpus="3", max_us=21, p99_99_us=12),
    row(kind="housekeeping", cpus="0", max_us=2000, p99_99_us=None, overflows=3),
    row("oslat", cpus="2", max_us=20),
    gaps(max_us=14),
    not_measured=[{"tool": "oslat", "kind": "housekeeping", "cpus": "0-1", "reason": "it ended with 1"}],
)


@pytest.mark.parametrize(
    ("thresholds", "faults"),
    [
        pytest.param({}, [], id="no-thresholds"),
        pytest.param({"cyclictest": None}, [], id="null-is-none"),
        pytest.param({"oslat": 20, "cyclictest": 21}, [], id="what-is-as-long-is-accepted"),
        pytest.param({"cyclictest": 20.5}, [("3", "cyclictest", 21, 20.5)], id="one-cpu-is-beyond"),
        pytest.param(
            {"cyclictest": 5, "oslat": 5},
            [("2", "cyclictest", 9, 5), ("3", "cyclictest", 21, 5), ("2", "oslat", 20, 5)],
            id="all-isolated-cpus-are-and-housekeeping-is-not-judged",
        ),
        pytest.param({"hwlatdetect": 10}, [("2-3", "hwlatdetect", 14, 10)], id="a-gap-of-all-cpus"),
    ],
)
def test_judges_isolated_cpus(thresholds: dict[str, t.Any], faults: list[tuple[t.Any, ...]]) -> None:
    found = _quiet_results.faults(MEASURED, thresholds)
    assert [tuple(row.values())[:4] for row in found] == faults
    assert {row["reason"] for row in found} <= {"longer than the threshold"}


@pytest.mark.parametrize(
    ("not_measured", "cpus", "reason"),
    [
        pytest.param([], "", "no isolated CPU was measured", id="none-is-isolated"),
        pytest.param(
            [{"tool": "oslat", "kind": "isolated", "cpus": "2-3", "reason": "it is not installed"}],
            "2-3",
            "not measured: it is not installed",
            id="the-program-did-not-run",
        ),
        pytest.param(
            [{"tool": "oslat", "kind": "housekeeping", "cpus": "0-1", "reason": "it is not installed"}],
            "",
            "no isolated CPU was measured",
            id="it-did-not-run-elsewhere",
        ),
    ],
)
def test_a_threshold_that_nothing_was_compared_with_is_not_met(
    not_measured: list[dict[str, str]], cpus: str, reason: str
) -> None:
    found = _quiet_results.faults(results(not_measured=not_measured), {"oslat": 5})
    assert found == [{"cpus": cpus, "tool": "oslat", "max_us": None, "threshold_us": 5, "reason": reason}]


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        pytest.param(
            {"cyclic": 5}, "there is a threshold for 'cyclic'; give one for cyclictest, oslat, hwl", id="name"
        ),
        pytest.param({"oslat": "5"}, "the threshold for oslat is '5'; give a number", id="a-text"),
        pytest.param({"oslat": True}, "the threshold for oslat is True; give a number", id="true"),
        pytest.param({"oslat": 0}, "the threshold for oslat is 0; give a number", id="zero"),
        pytest.param([5], "the thresholds are [5]; give a dict", id="a-list"),
    ],
)
def test_refuses_thresholds(thresholds: t.Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        _quiet_results.faults(MEASURED, thresholds)


def test_the_summary_has_the_worst_of_each_program_and_kind() -> None:
    found = [tuple(row.values()) for row in _quiet_results.summary(MEASURED)]
    assert found == [
        ("isolated", "cyclictest", "2-3", "4", "12", 21, "3", ""),
        ("housekeeping", "cyclictest", "0", "4", "> 1023", 2000, "0", ""),
        ("isolated", "oslat", "2", "4", "6", 20, "2", ""),
        ("isolated", "hwlatdetect", "2-3", "", "", 14, "2-3", ""),
        ("housekeeping", "oslat", "0-1", "", "", "", "", "not measured: it ended with 1"),
    ]


@pytest.mark.parametrize(
    "other", [None, {}, {"measurements": []}, {"measurements": {}, "not_measured": []}, "x"]
)
def test_refuses_what_are_no_results(other: t.Any) -> None:
    with pytest.raises(ValueError, match=r"is not what detnet\.testbed\.quiet_cores returned; give that"):
        _quiet_results.checked(other)
