# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a machine's topology, and the node of a device, from sysfs."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _hugepages, _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._hugepages import NODES
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Cpu, Node, Topology

CPUS = "sys/devices/system/cpu"
ATOM = "sys/devices/cpu_atom/cpus"  # Intel's hybrid processors name their small cores here
SMALL = 0.8  # of the largest capacity: what is below is another kind of core, not a better piece of silicon
LAST_CACHES = (3, 2)  # levels; where there is no third one, the second is the last


def read(root: str = "/") -> Topology:
    """Return the topology of the machine whose file system is at root. Raises OSError without sysfs."""
    return _Reader(root).topology()


def device_node(device: str, root: str = "/") -> int | None:
    """Return the NUMA node of a network interface, or of a PCI address; None where the machine does not say.

    Raises LookupError if there is no such device.
    """
    for there, directory in (
        (f"sys/class/net/{device}", f"sys/class/net/{device}/device"),
        (f"sys/bus/pci/devices/{device}", f"sys/bus/pci/devices/{device}"),
    ):
        if os.path.exists(os.path.join(root, there)):
            return _sysfs.node_of(root, directory)
    raise LookupError(f"there is neither a network interface nor a PCI device {device}")


class _Reader:
    def __init__(self, root: str) -> None:
        self.root = root

    def topology(self) -> Topology:
        with open(os.path.join(self.root, CPUS, "online"), encoding="utf-8") as file:
            online = _cpu_list.parse(file.read())
        node_of = self.node_of_cpus(online)
        small = self.efficient(online)
        return Topology(
            cpus={cpu: self.cpu(cpu, node_of[cpu], set(online), cpu in small) for cpu in online},
            nodes=self.nodes(set(node_of.values())),
            offline=tuple(cpu for cpu in self.cpu_list(f"{CPUS}/present") if cpu not in online),
            isolated=self.cpu_list(f"{CPUS}/isolated"),
            page_sizes_kib=tuple(_hugepages.sizes_kib(self.root)),
        )

    def number(self, path: str) -> int:
        """Return a number, 0 where there is none or where the firmware did not know it."""
        return max(0, _sysfs.number(self.root, path) or 0)

    def cpu_list(self, path: str) -> tuple[int, ...]:
        return _cpu_list.parse(_sysfs.cpus(self.root, path) or "")

    def cpu(self, cpu: int, node: int, online: set[int], efficient: bool) -> Cpu:
        topology = f"{CPUS}/cpu{cpu}/topology"
        siblings = self.cpu_list(f"{topology}/core_cpus_list") or self.cpu_list(
            f"{topology}/thread_siblings_list"
        )
        package, die = (self.number(f"{topology}/{name}") for name in ("physical_package_id", "die_id"))
        # The threads of a core share a cache, whatever else the machine says.
        shares = {*(self.last_cache(cpu) or self.cpu_list(f"{topology}/package_cpus_list")), *siblings, cpu}
        return Cpu(
            cpu=cpu,
            node=node,
            package=package,
            die=die,
            l3=min(shares & online),
            siblings=tuple(sorted({*siblings, cpu} & online)),
            efficient=efficient,
        )

    def last_cache(self, cpu: int) -> tuple[int, ...]:
        caches = f"{CPUS}/cpu{cpu}/cache"
        levels = {
            self.number(f"{caches}/index{index}/level"): index
            for index in _sysfs.numbered(self.root, caches, "index")
        }
        for level in LAST_CACHES:
            if level in levels:
                return self.cpu_list(f"{caches}/index{levels[level]}/shared_cpu_list")
        return ()

    def efficient(self, online: t.Iterable[int]) -> set[int]:
        named = set(self.cpu_list(ATOM))
        capacity = {cpu: self.capacity(cpu) for cpu in online}
        largest = max(capacity.values(), default=0)
        return named | {cpu for cpu, size in capacity.items() if 0 < size < SMALL * largest}

    def capacity(self, cpu: int) -> int:
        """Return how much a CPU gets done, in a unit that only compares; 0 where the machine does not say.

        Not the highest performance of ACPI: there the processors of AMD rank pieces of silicon of one kind.
        """
        place = f"{CPUS}/cpu{cpu}"
        return self.number(f"{place}/cpu_capacity") or self.number(f"{place}/acpi_cppc/nominal_perf")

    def node_of_cpus(self, online: t.Iterable[int]) -> dict[int, int]:
        found = dict.fromkeys(online, 0)
        for node in _sysfs.numbered(self.root, NODES, "node"):
            found.update(dict.fromkeys(self.cpu_list(f"{NODES}/node{node}/cpulist"), node))
        return found

    def nodes(self, of_cpus: t.Iterable[int]) -> dict[int, Node]:
        numbers = _sysfs.numbered(self.root, NODES, "node")
        if not numbers:
            return {0: Node(0, _sysfs.memory_mib(self.root, "proc/meminfo") or 0, {0: 10})}
        # A node whose memory was taken offline has no directory, though its CPUs run.
        bare = {node: Node(node, 0, {node: 10}) for node in of_cpus}
        return {**bare, **{node: self.node(node, numbers) for node in numbers}}

    def node(self, node: int, numbers: t.Sequence[int]) -> Node:
        # A distance for each node that is there, in their order.
        distances = map(int, (_sysfs.text(self.root, f"{NODES}/node{node}/distance") or "").split())
        memory_mib = _sysfs.memory_mib(self.root, f"{NODES}/node{node}/meminfo") or 0
        return Node(node, memory_mib, dict(zip(numbers, distances, strict=False)))
