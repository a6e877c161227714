# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that draws how quiet CPUs are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quiet_cores_svg
short_description: Histograms of quiet CPUs as an image
version_added: 0.3.0
description:
  - Draws what M(detnet.testbed.quiet_cores) returns - for each program a histogram of each CPU, isolated ones and those
    of housekeeping in two colors, with logarithmic counts, a mark for the longest wait of each CPU, and the threshold.
author: The detnet.testbed authors (@detnet)
requirements:
  - matplotlib, on the controller
options:
  _input:
    description: The result of M(detnet.testbed.quiet_cores).
    type: dict
    required: true
  threshold_us:
    description: As with P(detnet.testbed.quiet_cores_faults#filter).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Draw the histograms
  ansible.builtin.copy:
    content: "{{ quiet | detnet.testbed.quiet_cores_svg({'cyclictest': 20}) }}"
    dest: "{{ playbook_dir }}/histograms.svg"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the SVG file.
  type: str
"""

import io
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_results
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_cores import HOUSEKEEPING, ISOLATED

if t.TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {
    "cyclictest": "cyclictest: how late a thread wakes up",
    "oslat": "oslat: for how long a loop is away",
    "hwlatdetect": "hwlatdetect: what firmware and hardware take",
}
COLORS = {
    HOUSEKEEPING: "tab:orange",
    ISOLATED: "tab:blue",
}  # isolated ones are drawn last, so above the others
# Text stays text, and the same results make the same file.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "detnet", "font.size": 10}
LEAST = 0.6  # of the axis of counts, so that one sample can be seen


def quiet_cores_svg(results: t.Any, threshold_us: t.Any = None) -> str:
    """Return the image. Raises AnsibleFilterError for what are no results, and without matplotlib."""
    try:
        rows = _quiet_results.checked(results)["measurements"]
        thresholds = _quiet_results.checked_thresholds(threshold_us or {})
        return drawn(rows, thresholds)
    except ImportError as exc:
        raise AnsibleFilterError(
            f"Cannot draw histograms: {exc}; install matplotlib for the Python of ansible-playbook"
        ) from exc
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"Cannot draw histograms: {exc}") from exc


def drawn(rows: t.Sequence[_quiet_results.Row], thresholds: t.Mapping[str, float]) -> str:
    # Not above: to find one filter, each task on each host loads all of a collection, and matplotlib takes 0.3 s.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    tools = [tool for tool in TITLES if any(row["tool"] == tool for row in rows)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 1 + 3 * max(1, len(tools))), layout="constrained")
        for place, tool in enumerate(tools, start=1):
            axes = figure.add_subplot(len(tools), 1, place)
            draw(axes, tool, [row for row in rows if row["tool"] == tool], thresholds.get(tool))
        if not tools:
            figure.text(0.5, 0.5, "Nothing was measured.", ha="center")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": "How quiet the CPUs are"})
    return file.getvalue()


def draw(axes: Axes, tool: str, rows: t.Sequence[_quiet_results.Row], threshold: float | None) -> None:
    from matplotlib.ticker import ScalarFormatter  # noqa: PLC0415

    axes.set_title(TITLES[tool], loc="left")
    for kind, color in COLORS.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        for row in of_kind:
            draw_row(axes, row, color)
        if of_kind:
            axes.plot([], [], color=color, label=f"{kind} CPUs, x the longest of each")
    if threshold is not None:
        axes.axvline(threshold, color="tab:red", linestyle="--", label=f"threshold {threshold:g} us")
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)  # a wait can be 0
    axes.set_yscale("log")
    axes.set_xlim(0, 1.5 * max(10, *(row["max_us"] for row in rows)))
    axes.set_ylim(LEAST, 3 * max(10, *(max(row["histogram"].values(), default=0) for row in rows)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("us")
    axes.set_ylabel("samples")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")


def draw_row(axes: Axes, row: _quiet_results.Row, color: str) -> None:
    found = {int(bucket): count for bucket, count in row["histogram"].items()}
    if found:
        first, last = min(found), max(found)
        counts = [found.get(bucket, 0) for bucket in range(first, last + 1)]
        axes.stairs(counts, range(first, last + 2), baseline=LEAST, color=color, alpha=0.7)
    if row["max_us"]:
        axes.plot(row["max_us"], 1, marker="x", color=color, clip_on=False)


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"quiet_cores_svg": quiet_cores_svg}
