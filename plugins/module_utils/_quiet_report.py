# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How quiet the CPUs of a host are, as one page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import typing as t
from xml.etree import ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_results, _state_table
from ansible_collections.detnet.testbed.plugins.module_utils._core_svg import image_of
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import PERCENTILES
from ansible_collections.detnet.testbed.plugins.module_utils._svg_block import element

STYLE = """
body { font-family: system-ui, 'DejaVu Sans', sans-serif; color: #1f2328; }
body { max-width: 1540px; margin: 2em auto; padding: 0 1em; }
h1, h2 { font-weight: 600; } h2 { margin-top: 2em; }
svg, img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.9em; }
.wide { overflow-x: auto; }
th, td { padding: 0.25em 0.75em; border-bottom: 1px solid #d0d7de; text-align: right; }
th { background: #f6f8fa; } th, td.text { text-align: left; }
pre { background: #f6f8fa; padding: 1em; overflow-x: auto; }
.met { color: #116329; } .missed { color: #b42318; }
"""
TEXT = ("kind", "tool", "cpus", "on_cpus", "note", "reason")
COLUMNS = ("kind", "tool", "cpus", "samples", "min_us", "avg_us", *PERCENTILES, "max_us", "overflows")
HEADINGS = {
    "cpus": "CPUs",
    "on_cpus": "on CPU",
    "min_us": "shortest, us",
    "avg_us": "mean, us",
    "p99_9_us": "99.9 %, us",
    "p99_99_us": "99.99 %, us",
    "max_us": "longest, us",
    "threshold_us": "threshold, us",
}

Results = t.Mapping[str, t.Any]


def report(results: Results, histograms: str, core_plan: t.Any = None) -> str:
    """Return the page. Raises KeyError for what the results lack, and ValueError for what is no core plan."""
    title = f"Quiet cores of {results['host']}"
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("title", text=title),
            element("style", text=STYLE),
        ),
        element(
            "body",
            element("h1", text=title),
            element("p", text=_about(results)),
            *_verdict(results),
            element("h2", text="The worst of each kind"),
            _table(_quiet_results.summary(results)),
            *_plan(core_plan),
            element("h2", text="Histograms"),
            _image(histograms),
            element("h2", text="Each CPU"),
            _table(list(map(_cells, results["measurements"]))),
            element("h2", text="The host"),
            element("pre", text=_host(results)),
        ),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def _about(results: Results) -> str:
    return (
        f"Measured from {results['started']} on, {results['duration_s']} s for each program and kind of CPU. "
        f"Isolated: {results['isolated_cpus'] or 'none'}. Housekeeping: {results['housekeeping_cpus'] or 'none'}."
    )


def _verdict(results: Results) -> list[ET.Element]:
    thresholds = _quiet_results.checked_thresholds(results["threshold_us"])
    if not thresholds:
        return [element("p", text="No thresholds were set, so nothing is judged.")]
    limits = ", ".join(f"{tool} {threshold:g} us" for tool, threshold in thresholds.items())
    if not results["faults"]:
        return [element("p", text=f"All isolated CPUs are within their thresholds: {limits}.", class_="met")]
    said = f"Isolated CPUs are not within their thresholds: {limits}."
    return [element("p", text=said, class_="missed"), _table(results["faults"])]


def _plan(core_plan: t.Any) -> list[ET.Element]:
    if not core_plan:
        return []
    return [element("h2", text="The plan"), image_of(core_plan, "Who has which CPU")]


def _image(svg: str) -> ET.Element:
    coded = base64.b64encode(svg.encode()).decode()
    said = "For each program, how often each CPU waited for how long; the tables above and below say the most of it."
    return element("img", src=f"data:image/svg+xml;base64,{coded}", alt=said)


def _cells(row: Results) -> dict[str, t.Any]:
    shown = {name: _quiet_results.percentile_text([row], name) for name in PERCENTILES}
    return {name: shown.get(name, row[name]) for name in COLUMNS}


def _table(rows: t.Sequence[Results]) -> ET.Element:
    if not rows:
        return element("p", text="Nothing was measured.")
    head = element("tr", *(element("th", text=HEADINGS.get(name, name), scope="col") for name in rows[0]))
    body = [element("tr", *(_cell(name, row[name]) for name in rows[0])) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="wide")


def _cell(name: str, value: t.Any) -> ET.Element:
    attributes = {"class_": "text"} if name in TEXT else {}
    return element("td", text=_state_table.cell(value), **attributes)


def _host(results: Results) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"{results['summary']}\nFingerprint: {results['fingerprint']}\nVersions: {versions}"
