# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CPU does what: from a topology and a request to a plan in which no CPU has two owners.

The same topology and request give the same plan. It does not depend on what is isolated now, so that it stays the
same after the reboot that makes it real.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool, Slot, capacity
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    MIB,
    SWITCH_CONTROL,
    SWITCH_WORKERS,
    PlanError,
    Request,
    Vm,
    check,
    is_latency,
    vm_owner,
)
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

SPARE = "spare"


@dataclasses.dataclass(frozen=True)
class PlacedVm:
    """Where a VM runs: vcpus[n] is the CPU of its vCPU n, io_threads[n] those of its I/O thread n."""

    vm: int
    vcpus: tuple[int, ...]
    emulator: tuple[int, ...]
    io_threads: tuple[tuple[int, ...], ...]
    node: int
    memory_node: int
    page_size_kib: int
    pages: int

    @property
    def owner(self) -> str:
        return vm_owner(self.vm)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Who has which CPU, and how many hugepages each node needs by their size in KiB.

    owners has every online CPU. Where nothing is isolated all are housekeeping's, and switch and VMs run there.
    """

    owners: dict[int, str]
    switch_control: tuple[int, ...]
    switch_workers: tuple[int, ...]
    switch_memory_node: int
    vms: tuple[PlacedVm, ...]
    isolated: tuple[int, ...]
    hugepages: dict[int, dict[int, int]]

    def of(self, owner: str) -> tuple[int, ...]:
        return tuple(cpu for cpu in sorted(self.owners) if self.owners[cpu] == owner)

    @property
    def housekeeping(self) -> tuple[int, ...]:
        return self.of(HOUSEKEEPING)


def make_plan(topology: Topology, request: Request) -> Plan:
    """Return the plan. Raises PlanError: the request is wrong, or this machine is too small for it."""
    check(topology, request)
    return _Planner(topology, request).plan()


class _Planner:
    def __init__(self, topology: Topology, request: Request) -> None:
        self.topology = topology
        self.request = request
        self.pool = CorePool(topology, request.siblings)
        self.boot_cpu = min(topology.cpus)
        self.home = -1  # the node of the switch, known once housekeeping has its CPUs

    def plan(self) -> Plan:
        if self.request.isolate:
            self.isolate()
        else:
            self.pool.give(sorted(self.topology.cpus), HOUSEKEEPING)
            self.home = self.find_home()
        turn = itertools.cycle(self.pool.of(HOUSEKEEPING))
        plan = Plan(
            owners=dict(sorted(self.pool.owners.items())),
            switch_control=self.pool.of(SWITCH_CONTROL) or self.pool.of(HOUSEKEEPING),
            switch_workers=self.cpus_of(SWITCH_WORKERS, self.request.switch_workers, turn),
            switch_memory_node=self.memory_node(self.home),
            vms=tuple(self.placed(vm, turn) for vm in self.request.vms),
            isolated=self.isolated(),
            hugepages={},
        )
        pages = self.hugepages(plan)
        self.check_memory(plan, pages)
        return dataclasses.replace(plan, hugepages=pages)

    def cpus_of(self, owner: str, count: int, turn: t.Iterator[int]) -> tuple[int, ...]:
        """Return an owner's CPUs; where nothing is isolated, the next ones of housekeeping's in turn."""
        if self.request.isolate:
            return self.pool.of(owner)
        named = self.request.manual().get(owner)
        return named if named is not None else tuple(itertools.islice(turn, count))

    # Processors

    def isolate(self) -> None:
        """Give each CPU an owner: first what was named, then by how little choice there is."""
        for owner, cpus in self.request.manual().items():
            self.pool.give_named(cpus, owner)
        self.check_boot_cpu()
        if self.request.housekeeping_cpus is None:
            self.take_cores(HOUSEKEEPING, self.request.housekeeping, self.topology.cpus[self.boot_cpu].node)
        self.home = self.find_home()

        if self.request.emulator_cpus is None and self.request.emulators:
            self.take_cores(EMULATORS, self.request.emulators, self.home)

        wanted = self.wanted()
        self.check_cores(wanted)
        for owner, (count, nodes) in sorted(wanted.items(), key=lambda item: len(item[1][1])):
            self.take_slots(owner, count, nodes)
        self.pool.give(sorted(set(self.topology.cpus) - set(self.pool.owners)), SPARE)

    def check_boot_cpu(self) -> None:
        owner = self.pool.owners.get(self.boot_cpu)
        if owner is None and self.request.housekeeping_cpus is None:
            return
        if owner is None or is_latency(owner):
            raise PlanError([
                f"CPU {self.boot_cpu}, which boots the machine, is to be "
                f"{'isolated' if owner is None else f'for {owner}'}; "
                "the kernel keeps its clock there: name it for housekeeping"
            ])  # fmt: skip

    def take_cores(self, owner: str, count: int, near: int) -> None:
        """Give whole cores, all threads of them: the boot CPU's first, else small ones near a node."""

        def rank(core: tuple[int, ...]) -> tuple[bool, int, bool, tuple[int, ...]]:
            first = self.topology.cpus[core[0]]
            return (
                self.boot_cpu not in core,
                self.topology.distance(near, first.node),
                not first.efficient,
                core,
            )

        cores = sorted(self.pool.cores(), key=rank)
        while len(self.pool.of(owner)) < count:
            if not cores:
                raise PlanError([
                    f"{owner} needs {count} CPUs, this machine has {len(self.pool.of(owner))} left; take fewer"
                ])  # fmt: skip
            self.pool.give(cores.pop(0), owner)

    def find_home(self) -> int:
        """Return the node of the switch: the NIC's, or the next one to it that has CPUs, or that with most room."""
        if self.request.switch_worker_cpus:
            return self.topology.cpus[self.request.switch_worker_cpus[0]].node
        with_cpus = sorted({cpu.node for cpu in self.topology.cpus.values()})
        if self.request.nic_node is not None:
            near = self.request.nic_node
            return min(with_cpus, key=lambda node: (self.topology.distance(near, node), node))
        room = {
            node: (capacity(self.pool.slots([node])), len(self.topology.on_node(node))) for node in with_cpus
        }
        return max(with_cpus, key=lambda node: (room[node], -node))

    def span(self) -> list[int]:
        """Return the nodes where a VM may be, the nearest to the switch first."""
        home = self.home
        package = {cpu.package for cpu in self.topology.on_node(home)}
        nodes = sorted(
            {cpu.node for cpu in self.topology.cpus.values()},
            key=lambda node: (node != home, self.topology.distance(home, node), node),
        )
        if self.request.span == "node":
            return nodes[:1]
        if self.request.span == "machine":
            return nodes
        return [node for node in nodes if {cpu.package for cpu in self.topology.on_node(node)} & package]

    def wanted(self) -> dict[str, tuple[int, list[int]]]:
        """Return how many CPUs each owner is still to get, and on which nodes."""
        manual, home = self.request.manual(), [self.home]
        wanted = {
            SWITCH_WORKERS: (self.request.switch_workers, home),
            SWITCH_CONTROL: (self.request.switch_control, home),
            **{
                vm.owner: (vm.vcpus, self.span() if vm.node is None else [vm.node]) for vm in self.request.vms
            },
        }
        return {owner: want for owner, want in wanted.items() if owner not in manual and want[0] > 0}

    def slots_needed(self, count: int) -> int:
        if self.request.siblings != "same_owner":
            return count
        threads = max(len(cpu.siblings) for cpu in self.topology.cpus.values())
        return -(-count // threads)

    def check_cores(self, wanted: dict[str, tuple[int, list[int]]]) -> None:
        """Refuse what cannot fit, with the sum: for each group of nodes, what has to be within it."""
        groups = sorted({tuple(sorted(nodes)) for _count, nodes in wanted.values()})
        faults = []
        for group in groups:
            inside = {owner: count for owner, (count, nodes) in wanted.items() if set(nodes) <= set(group)}
            needed = sum(map(self.slots_needed, inside.values()))
            there = len(self.pool.slots(group))
            if needed > there:
                faults.append(self.shortage(group, inside, needed, there))
        if faults:
            raise PlanError(faults)

    def shortage(self, group: tuple[int, ...], inside: t.Iterable[str], needed: int, there: int) -> str:
        what = ("CPU" if self.request.siblings == "any" else "core") + "s" * (needed != 1)
        where = f"node{'s' * (len(group) > 1)} {_cpu_list.text(group)}"
        kept = len(
            [core for core in self.cores_of(HOUSEKEEPING) if self.topology.cpus[core[0]].node in group]
        )
        ways = ["take fewer or smaller VMs"]
        if self.request.span != "machine":
            ways.append("name another node for some, or widen span")
        if self.request.siblings == "empty" and any(len(c.siblings) > 1 for c in self.topology.cpus.values()):
            ways.append("let siblings be of the same_owner")
        return (
            f"{_need(inside)} {needed} isolated {what} on {where}, which "
            f"{'have' if len(group) > 1 else 'has'} {there} after {kept} for housekeeping; {', '.join(ways)}"
        )

    def cores_of(self, owner: str) -> set[tuple[int, ...]]:
        return {self.topology.cpus[cpu].siblings for cpu in self.pool.of(owner)}

    def take_slots(self, owner: str, count: int, nodes: list[int]) -> None:
        """Give isolated CPUs on one node, behind one cache if that can be, that of the switch if it can."""
        for node in nodes:
            slots = self.pool.slots([node])
            if capacity(slots) >= count:
                self.pool.take(self.behind_one_cache(slots, count), count, owner)
                return
        raise PlanError([
            f"no single node of {_cpu_list.text(nodes)} has {count} CPUs left for {owner}, though all together do; "
            "name its node, or describe large VMs first"
        ])  # fmt: skip

    def behind_one_cache(self, slots: list[Slot], count: int) -> list[Slot]:
        groups = collections.defaultdict(list)
        for slot in slots:
            groups[slot.l3].append(slot)
        switch = {self.topology.cpus[cpu].l3 for cpu in self.pool.of(SWITCH_WORKERS)}
        fitting = [group for group in groups.values() if capacity(group) >= count]
        if not fitting:
            return slots
        if not switch:  # it goes where most room is left beside it
            return max(fitting, key=lambda group: (len(group), -group[0].l3))
        return min(fitting, key=lambda group: (group[0].l3 not in switch, len(group), group[0].l3))

    def isolated(self) -> tuple[int, ...]:
        """Return the CPUs to take from the scheduler: those of the switch and of vCPUs, and who would disturb them."""
        if not self.request.isolate:
            return ()
        ordinary = (
            {HOUSEKEEPING, EMULATORS} if self.request.spare_isolated else {HOUSEKEEPING, EMULATORS, SPARE}
        )
        return tuple(
            cpu
            for cpu, owner in sorted(self.pool.owners.items())
            if owner not in ordinary
            and not (owner == CorePool.EMPTY and self.beside(cpu) & {HOUSEKEEPING, EMULATORS})
        )

    def beside(self, cpu: int) -> set[str]:
        return {self.pool.owners[sibling] for sibling in self.topology.cpus[cpu].siblings}

    # VMs and memory

    def placed(self, vm: Vm, turn: t.Iterator[int]) -> PlacedVm:
        vcpus = self.cpus_of(vm.owner, vm.vcpus, turn)
        emulator = self.pool.of(EMULATORS) or self.pool.of(HOUSEKEEPING)
        each = itertools.cycle(emulator)
        node = vm.node if vm.node is not None else self.topology.cpus[vcpus[0]].node
        return PlacedVm(
            vm=vm.vm,
            vcpus=vcpus,
            emulator=emulator,
            io_threads=tuple((next(each),) for _thread in range(vm.io_threads)),
            node=node,
            memory_node=self.memory_node(node),
            page_size_kib=vm.page_size_kib,
            pages=vm.memory_mib * MIB // vm.page_size_kib,
        )

    def memory_node(self, near: int) -> int:
        """Return the node itself, or if it has no memory the nearest one that has."""
        with_memory = [node.node for node in self.topology.nodes.values() if node.memory_mib > 0]
        return min(
            with_memory or [near], key=lambda node: (node != near, self.topology.distance(near, node), node)
        )

    def hugepages(self, plan: Plan) -> dict[int, dict[int, int]]:
        pages: dict[int, dict[int, int]] = {}
        size_kib = self.request.switch_page_size_kib
        switch = (plan.switch_memory_node, size_kib, self.request.switch_memory_mib * MIB // size_kib)
        for node, size, count in [switch, *((vm.memory_node, vm.page_size_kib, vm.pages) for vm in plan.vms)]:
            if count:
                sizes = pages.setdefault(node, {})
                sizes[size] = sizes.get(size, 0) + count
        return {node: dict(sorted(pages[node].items())) for node in sorted(pages)}

    def check_memory(self, plan: Plan, pages: dict[int, dict[int, int]]) -> None:
        faults = []
        for node, sizes in pages.items():
            needed = sum(size * count for size, count in sizes.items()) // MIB
            there = self.topology.nodes[node].memory_mib
            if needed + self.request.memory_reserve_mib > there:
                users = [vm.owner for vm in plan.vms if vm.memory_node == node and vm.pages]
                if plan.switch_memory_node == node and self.request.switch_memory_mib:
                    users.insert(0, SWITCH_WORKERS)
                faults.append(
                    f"{_need(users)} {needed} MiB of hugepages on node {node}, which has {there} MiB, "
                    f"{self.request.memory_reserve_mib} of them kept for everything else; "
                    "take less memory, or name another node for some"
                )
        if faults:
            raise PlanError(faults)


def _need(names: t.Iterable[str]) -> str:
    listed = list(names)
    if len(listed) == 1:
        return f"{listed[0]} needs"
    return f"{', '.join(listed[:-1])} and {listed[-1]} need"


def kernel_parameters(plan: Plan) -> dict[str, str]:
    """Return what isolates the plan's CPUs from the kernel's line; nothing where none is isolated.

    Source: Documentation/admin-guide/kernel-parameters.txt of Linux.
    """
    if not plan.isolated:
        return {}
    isolated = _cpu_list.text(plan.isolated)
    return {
        "isolcpus": f"managed_irq,domain,{isolated}",
        "nohz_full": isolated,
        "rcu_nocbs": isolated,
        "irqaffinity": _cpu_list.text(plan.housekeeping),
    }
