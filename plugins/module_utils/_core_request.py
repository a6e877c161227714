# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a core plan is asked for, and what is wrong with that before any planning."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

SIBLINGS = ("empty", "same_owner", "any")
SPANS = ("node", "package", "machine")
MIB = 1024  # KiB

HOUSEKEEPING = "housekeeping"
SWITCH_CONTROL = "the switch's control"
SWITCH_WORKERS = "the switch"
EMULATORS = "emulators"


class PlanError(Exception):
    """There is no such plan; faults say why and the way out, each by itself."""

    def __init__(self, faults: t.Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclasses.dataclass(frozen=True)
class Vm:
    """What a VM needs. cpus names its CPUs, node its NUMA node; None leaves the choice to the plan."""

    vm: int
    vcpus: int
    memory_mib: int = 0
    page_size_kib: int = 2048
    io_threads: int = 0
    node: int | None = None
    cpus: tuple[int, ...] | None = None

    @property
    def owner(self) -> str:
        return vm_owner(self.vm)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a machine is to carry. A tuple of CPUs in place of None names them, and the count is its length.

    siblings says what the other threads of a core with an isolated CPU may do: nothing, the work of the same
    owner, or any. span says how far from the NIC a VM may be. Without isolate nothing is isolated: all run on
    housekeeping's CPUs, in turn.
    """

    isolate: bool = True
    housekeeping: int = 2
    housekeeping_cpus: tuple[int, ...] | None = None
    switch_workers: int = 1
    switch_worker_cpus: tuple[int, ...] | None = None
    switch_control: int = 0  # 0: on housekeeping's CPUs
    switch_control_cpus: tuple[int, ...] | None = None
    switch_memory_mib: int = 0
    switch_page_size_kib: int = 2048
    emulators: int = 0  # CPUs for the emulator and I/O threads of all VMs; 0: on housekeeping's CPUs
    emulator_cpus: tuple[int, ...] | None = None
    vms: tuple[Vm, ...] = ()
    nic_node: int | None = None  # None: there is no NIC, or it does not say
    siblings: str = "empty"
    span: str = "node"
    spare_isolated: bool = True
    memory_reserve_mib: int = 1024  # of each node, for everything else

    def manual(self) -> dict[str, tuple[int, ...]]:
        """Return the named CPUs by their owner."""
        named = {
            HOUSEKEEPING: self.housekeeping_cpus,
            SWITCH_CONTROL: self.switch_control_cpus,
            SWITCH_WORKERS: self.switch_worker_cpus,
            EMULATORS: self.emulator_cpus,
            **{vm.owner: vm.cpus for vm in self.vms},
        }
        return {owner: cpus for owner, cpus in named.items() if cpus is not None}


def check(topology: Topology, request: Request) -> None:
    """Raise PlanError for a request that no machine, or not this one, can be asked."""
    faults = [
        *_count_faults(request),
        *_vm_faults(request),
        *_node_faults(topology, request),
        *_page_faults(topology, request),
        *_manual_faults(topology, request),
    ]
    if faults:
        raise PlanError(faults)


def _count_faults(request: Request) -> t.Iterator[str]:
    least = {"housekeeping": 1, "switch_workers": 0, "switch_control": 0, "emulators": 0}
    for name, smallest in least.items():
        count = getattr(request, name)
        if count < smallest:
            yield f"{name} is {count}; give {smallest} or more"
    if request.siblings not in SIBLINGS:
        yield f"siblings is {request.siblings!r}; give {', '.join(SIBLINGS[:-1])} or {SIBLINGS[-1]}"
    if request.span not in SPANS:
        yield f"span is {request.span!r}; give {', '.join(SPANS[:-1])} or {SPANS[-1]}"


def _vm_faults(request: Request) -> t.Iterator[str]:
    for number, times in collections.Counter(vm.vm for vm in request.vms).items():
        if times > 1:
            yield f"VM {number} is described {times} times; describe it once"
    for vm in request.vms:
        if vm.vcpus < 1:
            yield f"{vm.owner} has {vm.vcpus} vCPUs; give it 1 or more"
        if vm.cpus is not None and len(vm.cpus) != vm.vcpus:
            yield f"{vm.owner} has {vm.vcpus} vCPUs and {len(vm.cpus)} named CPUs; name one for each"
        for name in ("memory_mib", "io_threads"):
            if getattr(vm, name) < 0:
                yield f"{name} of {vm.owner} is {getattr(vm, name)}; give 0 or more"


def _node_faults(topology: Topology, request: Request) -> t.Iterator[str]:
    wanted = [("the NIC", request.nic_node), *((vm.owner, vm.node) for vm in request.vms)]
    for what, node in wanted:
        if node is not None and node not in topology.nodes:
            nodes = _cpu_list.text(topology.nodes)
            yield f"{what} is to be on node {node}, which is not there; the nodes are {nodes}"


def _page_faults(topology: Topology, request: Request) -> t.Iterator[str]:
    sizes = {"the switch": (request.switch_memory_mib, request.switch_page_size_kib)}
    sizes.update({vm.owner: (vm.memory_mib, vm.page_size_kib) for vm in request.vms})
    for what, (memory_mib, size_kib) in sizes.items():
        if not memory_mib:
            continue
        if size_kib not in topology.page_sizes_kib:
            there = ", ".join(f"{size} KiB" for size in topology.page_sizes_kib) or "none"
            hint = "; a CPU without the flag pdpe1gb has none of 1 GiB" if size_kib == MIB * MIB else ""
            yield f"{what} wants pages of {size_kib} KiB, this machine has {there}{hint}"
        elif memory_mib * MIB % size_kib:
            yield f"{what} wants {memory_mib} MiB, which is not a whole number of pages of {size_kib} KiB"


def _manual_faults(topology: Topology, request: Request) -> t.Iterator[str]:
    """What is wrong with named CPUs, each by itself and beside each other."""
    owners: dict[int, str] = {}
    for owner, cpus in request.manual().items():
        for cpu in cpus:
            if cpu in topology.offline:
                yield f"CPU {cpu} for {owner} is offline; name another one, or switch it on"
            elif cpu not in topology.cpus:
                there = _cpu_list.text(topology.cpus)
                yield f"CPU {cpu} for {owner} is not there; this machine has {there}"
            if cpu in owners:
                twice = f"for {owner} twice" if owners[cpu] == owner else f"for {owners[cpu]} and for {owner}"
                yield f"CPU {cpu} is named {twice}; name it once"
            owners[cpu] = owner
        if not cpus and owner == HOUSEKEEPING:
            yield "no CPU is named for housekeeping; something has to run everything else"
    if request.isolate and request.siblings != "any":
        yield from _sibling_faults(topology, request, owners)


def _sibling_faults(topology: Topology, request: Request, owners: dict[int, str]) -> t.Iterator[str]:
    for cpu, owner in sorted(owners.items()):
        if cpu not in topology.cpus or not is_latency(owner):
            continue
        for sibling in topology.cpus[cpu].siblings:
            other = owners.get(sibling)
            if sibling == cpu or other is None or (other == owner and request.siblings == "same_owner"):
                continue
            if is_latency(other) and sibling < cpu:
                continue  # said already
            yield (
                f"CPU {cpu} for {owner} and CPU {sibling} for {other} are threads of one core; "
                f"name CPUs of two cores, or set siblings to {'same_owner' if other == owner else 'any'}"
            )


def vm_owner(vm: int) -> str:
    return f"VM {vm}"


def is_latency(owner: str) -> bool:
    """Return whether an owner's CPUs are isolated: they run one thread each, and poll or wait for packets."""
    return owner not in (HOUSEKEEPING, EMULATORS)
