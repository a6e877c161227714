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


def picture(topology: Topology, plan: Plan) -> str:
    """Return the picture, with a line for each last cache and a legend of what is in it."""
    lines: list[str] = []
    for node in sorted(topology.nodes):
        lines.append(_node_line(topology, plan, node))
        caches = sorted({cpu.l3 for cpu in topology.on_node(node)})
        for cache in caches:
            lines += _cache_lines(topology, plan, node, cache)
    if topology.offline:
        lines.append(f"offline: {', '.join(map(str, topology.offline))}")
    return "\n".join([*lines, _legend(plan)])


def _node_line(topology: Topology, plan: Plan, node: int) -> str:
    pages = [f"{count} pages of {size // MIB} MiB" for size, count in plan.hugepages.get(node, {}).items()]
    return ", ".join([f"node {node}: {topology.nodes[node].memory_mib} MiB", *pages])


def _cache_lines(topology: Topology, plan: Plan, node: int, cache: int) -> list[str]:
    cpus = [cpu for cpu in topology.on_node(node) if cpu.l3 == cache]
    cores = sorted({cpu.siblings for cpu in cpus})
    cells = ["\N{NO-BREAK SPACE}".join(_threads(plan, core)) for core in cores]
    margin = " " * INDENT
    wrapped = textwrap.wrap(" | ".join(cells), WIDTH, initial_indent=margin, subsequent_indent=margin)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]


def _threads(plan: Plan, core: t.Iterable[int]) -> t.Iterator[str]:
    return itertools.chain.from_iterable((str(cpu), _symbol(plan.owners[cpu])) for cpu in core)


def _symbol(owner: str) -> str:
    return SYMBOLS.get(owner) or owner.replace("VM ", "v")


def _legend(plan: Plan) -> str:
    there = dict.fromkeys(plan.owners.values())
    named = [f"{symbol} {owner}" for owner, symbol in SYMBOLS.items() if owner in there]
    if any(owner.startswith("VM ") for owner in there):
        named.append("vN VM N")
    return "a core has its threads side by side; " + ", ".join(named)
