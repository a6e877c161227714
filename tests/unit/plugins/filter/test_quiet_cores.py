# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters about quiet cores."""

from __future__ import annotations

import re
import sys
import typing as t
from xml.etree import ElementTree as ET

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter import (
    quiet_cores_faults,
    quiet_cores_report,
    quiet_cores_summary,
    quiet_cores_svg,
)
from quiet_results import gaps, results, row

FILTERS = {
    name: function
    for plugin in (quiet_cores_faults, quiet_cores_report, quiet_cores_summary, quiet_cores_svg)
    for name, function in plugin.FilterModule().filters().items()
}
SVG = "{http://www.w3.org/2000/svg}"
MEASURED = results(
    row(cpus="2"),
    row(cpus="3", max_us=12),
    row(kind="housekeeping", cpus="0", max_us=2000),
    row("oslat", cpus="2", max_us=46888),
    gaps(max_us=14),
    threshold_us={"cyclictest": 20},
)


def texts(image: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(image).iter(f"{SVG}text")]  # noqa: S314


def test_draws_a_panel_for_each_program() -> None:
    shown = texts(FILTERS["quiet_cores_svg"](MEASURED))
    titles = [text for text in shown if re.match(r"(cyclictest|oslat|hwlatdetect): ", text)]
    assert [title.split(":")[0] for title in titles] == ["cyclictest", "oslat", "hwlatdetect"]
    assert shown.count("isolated CPUs, x the longest of each") == 3
    assert shown.count("housekeeping CPUs, x the longest of each") == 1


def test_draws_the_threshold_of_the_program_that_has_one() -> None:
    shown = texts(FILTERS["quiet_cores_svg"](MEASURED, {"cyclictest": 20, "oslat": None}))
    assert [text for text in shown if "threshold" in text] == ["threshold 20 us"]


def test_the_same_results_make_the_same_image() -> None:
    assert FILTERS["quiet_cores_svg"](MEASURED) == FILTERS["quiet_cores_svg"](MEASURED)


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        pytest.param(results(), "Nothing was measured.", id="nothing"),
        pytest.param(
            results(gaps()),
            "hwlatdetect: what firmware and hardware take",
            id="no-gap-at-all-is-an-empty-panel",
        ),
        pytest.param(
            results(row(max_us=0, histogram={"0": 1000})),
            "cyclictest: how late a thread wakes up",
            id="no-wait-at-all",
        ),
        pytest.param(
            results(row(max_us=9000, histogram={}, overflows=1000)),
            "cyclictest: how late a thread wakes up",
            id="all-beyond-the-histogram",
        ),
    ],
)
def test_draws_what_there_is(measured: dict[str, t.Any], says: str) -> None:
    assert says in texts(FILTERS["quiet_cores_svg"](measured))


def test_says_that_matplotlib_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(AnsibleFilterError, match=r"matplotlib.*; install matplotlib"):
        FILTERS["quiet_cores_svg"](MEASURED)


def test_judges() -> None:
    (fault,) = FILTERS["quiet_cores_faults"](MEASURED, {"cyclictest": 10})
    assert fault == {
        "cpus": "3",
        "tool": "cyclictest",
        "max_us": 12,
        "threshold_us": 10,
        "reason": "longer than the threshold",
    }


def test_says_the_worst() -> None:
    assert [row["max_us"] for row in FILTERS["quiet_cores_summary"](MEASURED)] == [12, 2000, 46888, 14]


def test_makes_a_page_with_the_image() -> None:
    page = FILTERS["quiet_cores_report"](MEASURED, FILTERS["quiet_cores_svg"](MEASURED))
    assert page.startswith("<!DOCTYPE html>\n<html")
    assert 'src="data:image/svg+xml;base64,' in page


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        pytest.param(
            "quiet_cores_faults", ("x", {}), "Cannot judge how quiet the CPUs are: 'x' is not", id="faults"
        ),
        pytest.param("quiet_cores_faults", (MEASURED, {"os": 1}), "a threshold for 'os'", id="threshold"),
        pytest.param(
            "quiet_cores_summary", ({},), "Cannot say how quiet the CPUs are: '{}' is not", id="summary"
        ),
        pytest.param("quiet_cores_svg", (None,), "Cannot draw histograms: 'None' is not", id="svg"),
        pytest.param(
            "quiet_cores_svg",
            (MEASURED, {"oslat": -1}),
            "Cannot draw histograms: the thr",
            id="svg-threshold",
        ),
        pytest.param("quiet_cores_report", ([], ""), "Cannot make a page of how quiet", id="report"),
        pytest.param(
            "quiet_cores_report", (MEASURED, "", {"plan": 1}), "not what detnet.testbed.core_plan", id="plan"
        ),
    ],
)
def test_refuses(name: str, arguments: tuple[t.Any, ...], says: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        FILTERS[name](*arguments)
    assert says in str(caught.value)
