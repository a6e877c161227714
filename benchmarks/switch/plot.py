"""The figure: rate over the number of rules, and what each stage costs."""

from __future__ import annotations

import typing as t

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from benchmarks.switch.plan import HEADLINE_TRAFFIC, PAIR, TESTPMD_IO, Case
from benchmarks.switch.spread import spread
from benchmarks.switch.stages import TIME

if t.TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.switch.results import Results

MEGA = 1e6
TOGETHER = "match_shape_tag_"
# Label, marker and color by contender and whether it shapes.
LINES = {
    ("ours", False): ("dpdk-tagging", "o", "tab:blue"),
    ("ours", True): ("dpdk-tagging, shaping", "s", "tab:cyan"),
    ("ovs", False): ("Open vSwitch", "^", "tab:orange"),
    ("ovs", True): ("Open vSwitch, meters", "v", "tab:red"),
    ("reference", True): ("the reference's algorithm", "D", "tab:gray"),
}


def plot(results: Results, name: Path) -> None:
    """Write the figure as SVG and as PNG."""
    figure, (path, stages) = pyplot.subplots(1, 2, figsize=(13, 5), layout="constrained")
    draw_path(path, results)
    draw_stages(stages, results)
    for suffix in (".svg", ".png"):
        figure.savefig(name.with_suffix(suffix), dpi=150)
    pyplot.close(figure)


def draw_path(axes: Axes, results: Results) -> None:
    axes.set_title(f"vhost → {PAIR} tags → sink on one core, {HEADLINE_TRAFFIC}: median, min, max")
    for (contender, shaping), (label, marker, color) in LINES.items():
        points = {
            case.setup.rules: spread([rate / MEGA for rate in results.rates(case).values()])
            for case in sorted(results.samples)
            if case.traffic == HEADLINE_TRAFFIC
            and (case.setup.contender, case.setup.tags, case.setup.shaping) == (contender, PAIR, shaping)
        }
        medians = [point.median for point in points.values()]
        below = [point.median - point.minimum for point in points.values()]
        above = [point.maximum - point.median for point in points.values()]
        if points:
            axes.errorbar(
                list(points), medians, [below, above], label=label, marker=marker, color=color, capsize=3
            )
    if rates := results.rates(Case(TESTPMD_IO, HEADLINE_TRAFFIC)):
        io = spread([rate / MEGA for rate in rates.values()])
        axes.axhspan(io.minimum, io.maximum, color="tab:green", alpha=0.2)
        axes.axhline(io.median, label="testpmd io: no rules, no tags", color="tab:green")
    axes.set_xscale("log")
    axes.set_xlabel("rules")
    axes.set_ylabel("Mpps")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def draw_stages(axes: Axes, results: Results) -> None:
    """Draw what the stages cost together, over the number of rules, and with each number of tags."""
    axes.set_title("match + shape + tag alone, 64 B: median, min, max")
    costs = {
        name.removesuffix(TIME).removeprefix(TOGETHER).replace("_", " "): spread(list(rounds.values()))
        for name, rounds in results.stages.items()
        if name.startswith(TOGETHER) and name.endswith(TIME)
    }
    medians = [cost.median for cost in costs.values()]
    below = [cost.median - cost.minimum for cost in costs.values()]
    above = [cost.maximum - cost.median for cost in costs.values()]
    axes.barh(list(costs), medians, xerr=[below, above], capsize=3)
    axes.set_xlabel("ns per packet")
    axes.invert_yaxis()
