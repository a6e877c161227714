# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measurements of quiet CPUs mean: the worst of each kind, and what is beyond its threshold."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_cores import ISOLATED
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import BUCKETS, PERCENTILES, TOOLS

Row = t.Mapping[str, t.Any]
Results = t.Mapping[str, t.Any]


def checked(results: t.Any) -> Results:
    """Return the results of the module quiet_cores. Raises ValueError for something else."""
    lists = ("measurements", "not_measured")
    if not isinstance(results, t.Mapping) or not all(isinstance(results.get(name), list) for name in lists):
        raise ValueError(f"{str(results)[:40]!r} is not what detnet.testbed.quiet_cores returned; give that")
    return results


def checked_thresholds(threshold_us: t.Any) -> dict[str, float]:
    """Return the thresholds that are set. Raises ValueError for one that is none."""
    if not isinstance(threshold_us, t.Mapping):
        raise ValueError(f"the thresholds are {threshold_us!r}; give a dict of {', '.join(TOOLS)}")
    for tool, threshold in threshold_us.items():
        if tool not in TOOLS:
            raise ValueError(f"there is a threshold for {tool!r}; give one for {', '.join(TOOLS)}")
        number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
        if threshold is not None and not (number and threshold > 0):
            raise ValueError(
                f"the threshold for {tool} is {threshold!r}; give a number of microseconds, or null for none"
            )
    return {tool: threshold for tool, threshold in threshold_us.items() if threshold is not None}


def faults(results: Results, threshold_us: t.Any) -> list[dict[str, t.Any]]:
    """Return a row for each isolated CPU that waited for longer than the threshold, or that nobody measured."""
    found: list[dict[str, t.Any]] = []
    for tool, threshold in checked_thresholds(threshold_us).items():
        rows = [row for row in results["measurements"] if (row["tool"], row["kind"]) == (tool, ISOLATED)]
        found += [
            _fault(row, threshold, "longer than the threshold") for row in rows if row["max_us"] > threshold
        ]
        if not rows:
            found.append(_not_measured(results, tool, threshold))
    return found


def _fault(row: Row, threshold: float, reason: str) -> dict[str, t.Any]:
    return {
        "cpus": row["cpus"],
        "tool": row["tool"],
        "max_us": row.get("max_us"),
        "threshold_us": threshold,
        "reason": reason,
    }


def _not_measured(results: Results, tool: str, threshold: float) -> dict[str, t.Any]:
    """A threshold that nothing was compared with is not met."""
    for row in results["not_measured"]:
        if (row["tool"], row["kind"]) == (tool, ISOLATED):
            return _fault(row, threshold, f"not measured: {row['reason']}")
    return _fault({"cpus": "", "tool": tool}, threshold, "no isolated CPU was measured")


def summary(results: Results) -> list[dict[str, t.Any]]:
    """Return the worst of each program and kind of CPU."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in results["measurements"]:
        groups.setdefault((row["kind"], row["tool"]), []).append(row)
    found = [_worst(kind, tool, rows) for (kind, tool), rows in groups.items()]
    return [*found, *map(_left_out, results["not_measured"])]


def _worst(kind: str, tool: str, rows: t.Sequence[Row]) -> dict[str, t.Any]:
    worst = max(rows, key=lambda row: row["max_us"])
    return {
        "kind": kind,
        "tool": tool,
        "cpus": _cpu_list.text(cpu for row in rows for cpu in _cpu_list.parse(row["cpus"])),
        **{name: percentile_text(rows, name) for name in PERCENTILES},
        "max_us": worst["max_us"],
        "on_cpus": worst["cpus"],
        "note": "",
    }


def _left_out(row: Row) -> dict[str, t.Any]:
    found = dict.fromkeys(("kind", "tool", "cpus", *PERCENTILES, "max_us", "on_cpus"), "")
    return {
        **found,
        **{key: row[key] for key in ("kind", "tool", "cpus")},
        "note": f"not measured: {row['reason']}",
    }


def percentile_text(rows: t.Iterable[Row], name: str) -> str:
    """Return the largest of a percentile, for people. Where it is missing, it is beyond the histogram."""
    values = [row[name] for row in rows if row["min_us"] is not None]  # hwlatdetect has only what is long
    if None in values:
        return f"> {BUCKETS - 1}"
    return str(max(values)) if values else ""
