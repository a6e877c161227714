# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about quiet cores."""

from __future__ import annotations

import re
import typing as t
from html.parser import HTMLParser

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_report import report
from core_topologies import machine
from quiet_results import gaps, results, row

HISTOGRAMS = "<svg/>"


class Page(HTMLParser):
    """The texts, headings and rows of tables of a page; each tag has to be closed."""

    VOID = ("meta", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, _attributes: t.Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1].append(data)


def test_has_all_that_was_measured_and_where() -> None:
    page = Page(report(results(row(), gaps(max_us=14)), HISTOGRAMS))
    assert page.headings == [
        "Quiet cores of alpha",
        "The worst of each kind",
        "Histograms",
        "Each CPU",
        "The host",
    ]
    assert ["isolated", "cyclictest", "2", "4", "6", "9", "2", "-"] in page.rows
    assert ["isolated", "cyclictest", "2", "1000", "1", "2.5", "4", "6", "9", "0"] in page.rows
    assert ["isolated", "hwlatdetect", "2-3", "1", "-", "-", "-", "-", "14", "0"] in page.rows
    text = "\n".join(page.texts)
    for words in (
        "CPU: a <small> one",
        "3f0c9a7d52e81b64",
        "rt-tests 2.40",
        "60 s for each",
        "Isolated: 2-3.",
    ):
        assert words in text


def test_needs_nothing_else() -> None:
    text = report(results(row()), HISTOGRAMS)
    assert re.findall(r'(?:src|href)="([^"]{0,26})', text) == ["data:image/svg+xml;base64,"]
    assert "PHN2Zy8+" in text


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({}, "No thresholds were set, so nothing is judged.", id="no-thresholds"),
        pytest.param(
            {"threshold_us": {"oslat": 20, "cyclictest": None}},
            "All isolated CPUs are within their thresholds: oslat 20 us.",
            id="met",
        ),
        pytest.param(
            {
                "threshold_us": {"oslat": 7.5},
                "faults": [
                    {"cpus": "2", "tool": "oslat", "max_us": 9, "threshold_us": 7.5, "reason": "longer"}
                ],
            },
            "Isolated CPUs are not within their thresholds: oslat 7.5 us.",
            id="not-met",
        ),
    ],
)
def test_says_whether_thresholds_are_met(values: dict[str, t.Any], says: str) -> None:
    page = Page(report(results(row(), **values), HISTOGRAMS))
    assert says in page.texts
    shown = [fault for fault in page.rows if fault == ["2", "oslat", "9", "7.5", "longer"]]
    assert len(shown) == len(values.get("faults", []))


def test_says_that_nothing_was_measured() -> None:
    left_out = [{"tool": "oslat", "kind": "isolated", "cpus": "2-3", "reason": "it is not installed"}]
    page = Page(report(results(not_measured=left_out), HISTOGRAMS))
    assert "Nothing was measured." in page.texts
    assert "not measured: it is not installed" in page.texts


def test_shows_the_plan_if_there_is_one() -> None:
    topology = machine(cores=4)
    core_plan = {
        "topology": _topology.to_document(topology),
        "plan": plan_document(make_plan(topology, Request())),
    }
    page = Page(report(results(row()), HISTOGRAMS, core_plan))
    assert "The plan" in page.headings
    assert "CPU 2: the switch" in page.texts


def test_refuses_what_is_no_plan() -> None:
    with pytest.raises(ValueError, match=r"is not what detnet\.testbed\.core_plan returned"):
        report(results(row()), HISTOGRAMS, {"plan": {}})


def test_refuses_results_without_a_host() -> None:
    with pytest.raises(KeyError, match="host"):
        report({"measurements": [], "not_measured": []}, HISTOGRAMS)
