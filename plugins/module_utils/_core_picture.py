# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A core plan as a text that shows the machine: its nodes, caches and cores, and who has which CPU."""

from __future__ import annotations

import itertools
import textwrap
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import SPARE, Plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    MIB,
    SWITCH_CONTROL,
    SWITCH_WORKERS,
)
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

SYMBOLS = {
    HOUSEKEEPING: "H",
    SWITCH_CONTROL: "C",
    SWITCH_WORKERS: "W",
    EMULATORS: "E",
    CorePool.EMPTY: "-",
    SPARE: ".",
}
WIDTH = 100
INDENT = 4

Core = tuple[int, ...]  # its threads


def picture(topology: Topology, plan: Plan) -> str:
    """Return the picture, with a line for each last cache and a legend of what is in it."""
    lines: list[str] = []
    for node in sorted(topology.nodes):
        lines.append(node_title(topology, plan, node))
        for cores in caches(topology, node):
            lines += _cache_lines(plan, cores)
    if topology.offline:
        lines.append(f"offline: {', '.join(map(str, topology.offline))}")
    return "\n".join([*lines, _legend(plan)])


def node_title(topology: Topology, plan: Plan, node: int) -> str:
    """Return a node's memory, and the hugepages that the plan needs there."""
    pages = [f"{count} pages of {size // MIB} MiB" for size, count in plan.hugepages.get(node, {}).items()]
    return ", ".join([f"node {node}: {topology.nodes[node].memory_mib} MiB", *pages])


def caches(topology: Topology, node: int) -> list[list[Core]]:
    """Return the cores of a node, those behind one last cache together."""
    behind: dict[int, set[Core]] = {}
    for cpu in topology.on_node(node):
        behind.setdefault(cpu.l3, set()).add(cpu.siblings)
    return [sorted(behind[cache]) for cache in sorted(behind)]


def symbol(owner: str) -> str:
    """Return what stands for an owner beside its CPU."""
    return SYMBOLS.get(owner) or owner.replace("VM ", "v")


def _cache_lines(plan: Plan, cores: t.Iterable[Core]) -> list[str]:
    cells = ["\N{NO-BREAK SPACE}".join(_threads(plan, core)) for core in cores]
    margin = " " * INDENT
    wrapped = textwrap.wrap(" | ".join(cells), WIDTH, initial_indent=margin, subsequent_indent=margin)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]


def _threads(plan: Plan, core: Core) -> t.Iterator[str]:
    return itertools.chain.from_iterable((str(cpu), symbol(plan.owners[cpu])) for cpu in core)


def _legend(plan: Plan) -> str:
    there = dict.fromkeys(plan.owners.values())
    named = [f"{sign} {owner}" for owner, sign in SYMBOLS.items() if owner in there]
    if any(owner.startswith("VM ") for owner in there):
        named.append("vN VM N")
    return "a core has its threads side by side; " + ", ".join(named)
