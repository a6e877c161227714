# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cores of a machine that nobody has yet, and who takes them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology


@dataclasses.dataclass(frozen=True)
class Slot:
    """What one owner takes at least: its CPUs, and those that have to stay empty beside them."""

    cpus: tuple[int, ...]
    empty: tuple[int, ...]
    node: int
    l3: int


class CorePool:
    """Who has which CPU. Nobody has a CPU that is not in owners."""

    EMPTY = "empty"

    def __init__(self, topology: Topology, siblings: str) -> None:
        self.topology = topology
        self.siblings = siblings
        self.has_fast_cores = not all(cpu.efficient for cpu in topology.cpus.values())
        self.owners: dict[int, str] = {}

    def give(self, cpus: t.Iterable[int], owner: str) -> None:
        for cpu in cpus:
            if cpu in self.owners:
                raise ValueError(f"CPU {cpu} is {self.owners[cpu]}'s already")
            self.owners[cpu] = owner

    def give_named(self, cpus: t.Iterable[int], owner: str) -> None:
        """Give CPUs that a person named; what nobody has named beside them on their cores stays empty."""
        self.give(cpus, owner)
        if self.siblings == "any":
            return
        for cpu in cpus:
            beside = self.topology.cpus[cpu].siblings
            self.give([sibling for sibling in beside if sibling not in self.owners], self.EMPTY)

    def of(self, owner: str) -> tuple[int, ...]:
        return tuple(sorted(cpu for cpu, has in self.owners.items() if has == owner))

    def cores(self) -> list[tuple[int, ...]]:
        """Return the cores of which nobody has a thread."""
        groups = {cpu.siblings for cpu in self.topology.cpus.values()}
        return sorted(core for core in groups if not any(cpu in self.owners for cpu in core))

    def slots(self, nodes: t.Iterable[int]) -> list[Slot]:
        """Return what can be taken on these nodes, in their order, cache by cache."""
        order = {node: place for place, node in enumerate(nodes)}
        made = [slot for core in self.cores() for slot in self._of_core(core) if slot.node in order]
        return sorted(made, key=lambda slot: (order[slot.node], slot.l3, slot.cpus))

    def _of_core(self, core: tuple[int, ...]) -> list[Slot]:
        first = self.topology.cpus[core[0]]
        node, l3 = first.node, first.l3
        if first.efficient and self.has_fast_cores:
            return []
        if self.siblings == "empty":
            return [Slot(core[:1], core[1:], node, l3)]
        if self.siblings == "same_owner":
            return [Slot(core, (), node, l3)]
        return [Slot((cpu,), (), node, l3) for cpu in core]

    def take(self, slots: t.Iterable[Slot], count: int, owner: str) -> tuple[int, ...]:
        """Give an owner this many CPUs of the first slots; the rest of the last one stays empty."""
        taken: list[int] = []
        for slot in slots:
            if len(taken) >= count:
                break
            own = slot.cpus[: count - len(taken)]
            self.give(own, owner)
            self.give((*slot.cpus[len(own) :], *slot.empty), self.EMPTY)
            taken += own
        return tuple(taken)


def capacity(slots: t.Iterable[Slot]) -> int:
    """Return how many CPUs an owner of all these slots has."""
    return sum(len(slot.cpus) for slot in slots)
