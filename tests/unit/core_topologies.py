# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded machines for the tests of the core plan, and small ones made up on the spot."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _topology
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Cpu, Node, Topology

RECORDINGS = sorted(Path(__file__).with_name("topologies").glob("*.json"))
NAMES = [path.stem for path in RECORDINGS]
MEMORY_MIB = 65536


def recorded(name: str) -> Topology:
    path = Path(__file__).with_name("topologies") / f"{name}.json"
    return _topology.from_document(json.loads(path.read_text())["topology"])


def machine(nodes: int = 1, cores: int = 8, threads: int = 1, cores_per_cache: int | None = None) -> Topology:
    """Return a machine of one package per node whose CPUs are numbered core by core, thread after thread."""
    total, behind = nodes * cores, cores_per_cache or cores
    cpus = {}
    for core in range(total):
        node, place = divmod(core, cores)
        siblings = tuple(core + thread * total for thread in range(threads))
        cache = node * cores + place // behind * behind
        cpus.update({cpu: Cpu(cpu, node, node, 0, cache, siblings) for cpu in siblings})
    made = {
        node: Node(node, MEMORY_MIB, {other: 10 if other == node else 21 for other in range(nodes)})
        for node in range(nodes)
    }
    return Topology(dict(sorted(cpus.items())), made, (), (), (2048, 1048576))
