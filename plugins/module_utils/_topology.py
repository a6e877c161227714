# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processors and the memory of a machine: which CPUs share a core, a cache, a NUMA node, a package.

Source: Documentation/admin-guide/cputopology.rst and Documentation/ABI/stable/sysfs-devices-node of Linux.
"""

from __future__ import annotations

import dataclasses
import typing as t

Document = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Cpu:
    """An online CPU of the kernel, which is a hardware thread of a core."""

    cpu: int
    node: int
    package: int
    die: int
    l3: int  # the lowest CPU that shares its last cache
    siblings: tuple[int, ...]  # the online CPUs of its core, itself among them
    efficient: bool = False  # of a hybrid processor: the kind of core that saves power


@dataclasses.dataclass(frozen=True)
class Node:
    """A NUMA node; it may have no CPU, or no memory."""

    node: int
    memory_mib: int
    distances: dict[int, int]  # to each node, 10 to itself (ACPI SLIT)


@dataclasses.dataclass(frozen=True)
class Topology:
    """A machine. CPUs that are not in cpus are offline, or do not exist."""

    cpus: dict[int, Cpu]
    nodes: dict[int, Node]
    offline: tuple[int, ...]  # there, but switched off
    isolated: tuple[int, ...]  # from the kernel's scheduler, now
    page_sizes_kib: tuple[int, ...]  # of hugepages

    def on_node(self, node: int) -> list[Cpu]:
        return [cpu for cpu in self.cpus.values() if cpu.node == node]

    def distance(self, one: int, other: int) -> int:
        """Return how far a node is from another; nodes whose distance the firmware does not say are far."""
        far = 255
        return self.nodes[one].distances.get(other, far) if one in self.nodes else far


def without_threads(topology: Topology) -> Topology:
    """Return the machine with one thread for each core, the lowest, as it is once SMT is switched off."""
    first = {cpu.siblings[0] for cpu in topology.cpus.values()}
    gone = set(topology.cpus) - first
    return dataclasses.replace(
        topology,
        cpus={
            cpu: dataclasses.replace(of, siblings=(cpu,)) for cpu, of in topology.cpus.items() if cpu in first
        },
        offline=tuple(sorted({*topology.offline, *gone})),
    )


def from_document(document: Document) -> Topology:
    """Return a topology from what to_document made of it."""
    return Topology(
        cpus={cpu["cpu"]: Cpu(**{**cpu, "siblings": tuple(cpu["siblings"])}) for cpu in document["cpus"]},
        nodes={
            node["node"]: Node(
                node["node"], node["memory_mib"], {int(to): far for to, far in node["distances"].items()}
            )
            for node in document["nodes"]
        },
        offline=tuple(document["offline"]),
        isolated=tuple(document["isolated"]),
        page_sizes_kib=tuple(document["page_sizes_kib"]),
    )


def to_document(topology: Topology) -> Document:
    """Return a topology as JSON has it, in a stable order."""
    return {
        "cpus": [_cpu_document(topology.cpus[cpu]) for cpu in sorted(topology.cpus)],
        "nodes": [_node_document(topology.nodes[node]) for node in sorted(topology.nodes)],
        "offline": list(topology.offline),
        "isolated": list(topology.isolated),
        "page_sizes_kib": list(topology.page_sizes_kib),
    }


def _cpu_document(cpu: Cpu) -> Document:
    return {**dataclasses.asdict(cpu), "siblings": list(cpu.siblings)}


def _node_document(node: Node) -> Document:
    distances = {str(to): node.distances[to] for to in sorted(node.distances)}
    return {"node": node.node, "memory_mib": node.memory_mib, "distances": distances}
