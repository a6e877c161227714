# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: what holds for each of them, on each recorded machine, and what single ones look like."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import (
    SPARE,
    Plan,
    kernel_parameters,
    make_plan,
)
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    SIBLINGS,
    SPANS,
    SWITCH_CONTROL,
    SWITCH_WORKERS,
    PlanError,
    Request,
    Vm,
)
from core_topologies import NAMES, machine, recorded
from hypothesis import event, given, settings
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

EXAMPLES = 60


@st.composite
def requests(draw: st.DrawFn, topology: Topology) -> Request:
    """Requests that often fit the machine, and often do not."""
    nodes = st.sampled_from(sorted(topology.nodes))
    largest = max(2, len(topology.cpus) // 4)
    memory = st.sampled_from([0, 0, 2, 512, 4096]) if 2048 in topology.page_sizes_kib else st.just(0)
    count = draw(st.integers(0, 5))
    vms = tuple(
        Vm(
            vm=vm,
            vcpus=draw(st.integers(1, largest)),
            memory_mib=draw(memory),
            io_threads=draw(st.integers(0, 2)),
            node=draw(st.none() | nodes),
        )
        for vm in range(1, count + 1)
    )
    return Request(
        isolate=draw(st.sampled_from([True, True, True, False])),
        housekeeping=draw(st.integers(1, 4)),
        switch_workers=draw(st.integers(0, 3)),
        switch_control=draw(st.integers(0, 1)),
        switch_memory_mib=draw(memory),
        emulators=draw(st.integers(0, 2)),
        vms=vms,
        nic_node=draw(st.none() | nodes),
        siblings=draw(st.sampled_from(SIBLINGS)),
        span=draw(st.sampled_from(SPANS)),
        spare_isolated=draw(st.booleans()),
    )


def counts(request: Request) -> dict[str, int]:
    """Return how many CPUs each owner asked for, of those that ask for an exact number."""
    asked = {SWITCH_WORKERS: request.switch_workers, SWITCH_CONTROL: request.switch_control}
    return {**asked, **{vm.owner: vm.vcpus for vm in request.vms}}


def check_owners(topology: Topology, request: Request, plan: Plan) -> None:
    assert set(plan.owners) == set(topology.cpus), "every CPU has one owner, and there are no others"
    assert len(plan.housekeeping) >= min(request.housekeeping, len(topology.cpus))
    for owner, count in counts(request).items():
        assert len(plan.of(owner)) == count, owner
    assert min(topology.cpus) in plan.housekeeping, "the CPU that boots the machine stays the kernel's"


def check_isolation(topology: Topology, request: Request, plan: Plan) -> None:
    ordinary = {HOUSEKEEPING, EMULATORS}
    latency = {cpu for cpu, owner in plan.owners.items() if owner in counts(request)}
    assert latency <= set(plan.isolated)
    assert not {cpu for cpu in plan.isolated if plan.owners[cpu] in ordinary}
    assert (set(plan.of(SPARE)) <= set(plan.isolated)) == (request.spare_isolated or not plan.of(SPARE))
    if request.siblings == "any":
        return
    for cpu in latency:
        beside = {plan.owners[sibling] for sibling in topology.cpus[cpu].siblings if sibling != cpu}
        allowed = {CorePool.EMPTY} | ({plan.owners[cpu]} if request.siblings == "same_owner" else set())
        assert beside <= allowed, f"CPU {cpu} is disturbed by {beside - allowed}"


def check_places(topology: Topology, request: Request, plan: Plan) -> None:
    def nodes_of(cpus: t.Iterable[int]) -> set[int]:
        return {topology.cpus[cpu].node for cpu in cpus}

    home = nodes_of(plan.of(SWITCH_WORKERS) + plan.of(SWITCH_CONTROL))
    assert len(home) <= 1
    if request.nic_node in nodes_of(topology.cpus):
        assert home <= {request.nic_node}
    for vm, placed in zip(request.vms, plan.vms, strict=True):
        assert nodes_of(placed.vcpus) == {placed.node}
        assert vm.node in (None, placed.node)
        if vm.node is None and request.span == "node" and home:
            assert {placed.node} == home
        assert not {cpu for cpu in placed.vcpus if topology.cpus[cpu].efficient} or all(
            cpu.efficient for cpu in topology.cpus.values()
        )


def check_memory(topology: Topology, request: Request, plan: Plan) -> None:
    asked = request.switch_memory_mib + sum(vm.memory_mib for vm in request.vms)
    given_mib = 0
    for node, sizes in plan.hugepages.items():
        there = sum(size * pages for size, pages in sizes.items()) // 1024
        assert there + request.memory_reserve_mib <= topology.nodes[node].memory_mib
        given_mib += there
    assert given_mib == asked


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_plan_keeps_every_promise(name: str, data: st.DataObject) -> None:
    topology = recorded(name)
    request = data.draw(requests(topology))
    try:
        plan = make_plan(topology, request)
    except PlanError:
        event("refused")
        return
    event("planned")
    assert make_plan(topology, request) == plan
    assert make_plan(dataclasses.replace(topology, isolated=plan.isolated), request) == plan
    check_memory(topology, request, plan)
    if not request.isolate:
        assert set(plan.owners.values()) == {HOUSEKEEPING}
        assert (plan.isolated, kernel_parameters(plan)) == ((), {})
        return
    check_owners(topology, request, plan)
    check_isolation(topology, request, plan)
    check_places(topology, request, plan)


@pytest.mark.parametrize("name", NAMES)
def test_each_machine_takes_what_fits_it(name: str) -> None:
    """A switch and as many VMs of one vCPU as there are cores left; with one more it is refused."""
    topology = recorded(name)
    fast = {cpu.siblings for cpu in topology.cpus.values() if not cpu.efficient}
    small = {cpu.siblings for cpu in topology.cpus.values() if cpu.efficient}
    boot = topology.cpus[min(topology.cpus)].siblings
    room = len(fast - {boot}) - 1  # without that for housekeeping, and the switch's
    request = Request(housekeeping=1, switch_workers=1, span="machine")
    assert fast, "a machine has cores that are not small"
    assert boot in fast | small

    fits = dataclasses.replace(request, vms=tuple(Vm(vm, 1) for vm in range(room)))
    if room >= 0:
        assert len(make_plan(topology, fits).vms) == room
    more = dataclasses.replace(request, vms=tuple(Vm(vm, 1) for vm in range(room + 1)))
    with pytest.raises(PlanError, match=r"isolated cores? on node"):
        make_plan(topology, more)


def test_puts_switch_and_vms_on_the_nic_s_node() -> None:
    request = Request(switch_workers=2, vms=(Vm(1, 3), Vm(2, 2)), nic_node=1, switch_memory_mib=1024)
    plan = make_plan(machine(nodes=2, cores=8), request)
    assert plan.housekeeping == (0, 1)
    assert plan.switch_workers == (8, 9)
    assert [vm.vcpus for vm in plan.vms] == [(10, 11, 12), (13, 14)]
    assert plan.isolated == (*range(2, 16),)
    assert plan.hugepages == {1: {2048: 512}}
    assert kernel_parameters(plan) == {
        "isolcpus": "managed_irq,domain,2-15",
        "nohz_full": "2-15",
        "rcu_nocbs": "2-15",
        "irqaffinity": "0-1",
    }


def test_keeps_a_vm_behind_one_cache() -> None:
    """Caches 0-3, 4-7, 8-11: the switch takes the first that is whole, VM 1 fits beside it, VM 2 does not."""
    request = Request(housekeeping=1, switch_workers=1, vms=(Vm(1, 3), Vm(2, 4)))
    plan = make_plan(machine(cores=12, cores_per_cache=4), request)
    assert plan.switch_workers == (4,)
    assert [vm.vcpus for vm in plan.vms] == [(5, 6, 7), (8, 9, 10, 11)]


@pytest.mark.parametrize(
    ("siblings", "workers", "vcpus", "empty"),
    [
        pytest.param("empty", (1, 2), (3, 4), (9, 10, 11, 12), id="empty"),
        pytest.param("same_owner", (1, 9), (2, 10), (), id="same-owner"),
        pytest.param("any", (1, 2), (3, 4), (), id="any"),
    ],
)
def test_siblings(
    siblings: str, workers: tuple[int, ...], vcpus: tuple[int, ...], empty: tuple[int, ...]
) -> None:
    request = Request(switch_workers=2, vms=(Vm(1, 2),), siblings=siblings)
    plan = make_plan(machine(cores=8, threads=2), request)
    assert plan.housekeeping == (0, 8)
    assert plan.switch_workers == workers
    assert plan.vms[0].vcpus == vcpus
    assert plan.of(CorePool.EMPTY) == empty


def test_small_cores_keep_the_house() -> None:
    plan = make_plan(recorded("hybrid"), Request(housekeeping=4, switch_workers=1))
    assert (plan.housekeeping, plan.switch_workers) == ((0, 1, 2, 3), (4,))


def test_memory_comes_from_the_nearest_node_that_has_some() -> None:
    request = Request(vms=(Vm(1, 1, memory_mib=1024, node=0),), nic_node=0)
    plan = make_plan(recorded("first_cpus_offline"), request)
    assert (plan.vms[0].node, plan.vms[0].memory_node, plan.hugepages) == (0, 1, {1: {2048: 512}})


def test_a_nic_on_a_node_without_cpus_gets_the_next_one() -> None:
    plan = make_plan(recorded("holes_and_memory_only_nodes"), Request(nic_node=254))
    assert recorded("holes_and_memory_only_nodes").cpus[plan.switch_workers[0]].node in (0, 8)


def test_emulators_and_io_threads_share_their_own_cpus() -> None:
    plan = make_plan(machine(cores=8), Request(emulators=2, vms=(Vm(1, 1, io_threads=3), Vm(2, 1))))
    assert plan.of(EMULATORS) == (2, 3)
    assert [vm.emulator for vm in plan.vms] == [(2, 3), (2, 3)]
    assert plan.vms[0].io_threads == ((2,), (3,), (2,))
    assert not set(plan.isolated) & {2, 3}


def test_without_isolation_all_run_in_turn() -> None:
    request = Request(isolate=False, housekeeping=1, switch_workers=1, vms=(Vm(1, 2, 256), Vm(2, 1, 256)))
    plan = make_plan(recorded("two_core_vm"), request)
    assert (plan.housekeeping, plan.switch_workers) == ((0, 1), (0,))
    assert [vm.vcpus for vm in plan.vms] == [(1, 0), (1,)]
    assert plan.hugepages == {0: {2048: 256}}


def test_named_cpus_are_used_as_they_are() -> None:
    request = Request(
        housekeeping_cpus=(0, 8),
        switch_workers=1,
        switch_worker_cpus=(7,),
        vms=(Vm(1, 2, cpus=(4, 6)), Vm(2, 1)),
    )
    plan = make_plan(machine(cores=8, threads=2), request)
    assert (plan.housekeeping, plan.switch_workers) == ((0, 8), (7,))
    assert [vm.vcpus for vm in plan.vms] == [(4, 6), (1,)]
    assert plan.of(CorePool.EMPTY) == (9, 12, 14, 15)


def test_beside_housekeeping_nothing_is_isolated() -> None:
    plan = make_plan(machine(cores=4, threads=2), Request(housekeeping_cpus=(0,)))
    assert plan.of(CorePool.EMPTY) == (4, 5)
    assert set(plan.isolated) == {1, 2, 3, 5, 6, 7}


@pytest.mark.parametrize(
    ("topology", "request_", "says"),
    [
        pytest.param(
            machine(nodes=2, cores=14),
            Request(switch_workers=2, vms=tuple(Vm(vm, 4) for vm in (1, 2, 3)), nic_node=0),
            "the switch, VM 1, VM 2 and VM 3 need 14 isolated cores on node 0, which has 12 after 2 for "
            "housekeeping",
            id="too-many-on-the-nic-s-node",
        ),
        pytest.param(
            machine(nodes=2, cores=4),
            Request(vms=(Vm(1, 5),), span="machine"),
            "no single node of 0-1 has 5 CPUs left for VM 1",
            id="no-node-is-large-enough",
        ),
        pytest.param(
            machine(cores=2),
            Request(),
            "the switch needs 1 isolated core on node 0, which has 0 after 2 for housekeeping",
            id="all-is-housekeeping",
        ),
        pytest.param(
            machine(cores=4),
            Request(housekeeping=5),
            "housekeeping needs 5 CPUs, this machine has 4 left",
            id="more-housekeeping-than-cpus",
        ),
        pytest.param(
            machine(),
            Request(vms=(Vm(1, 1, memory_mib=65536),), switch_memory_mib=512),
            "the switch and VM 1 need 66048 MiB of hugepages on node 0, which has 65536 MiB, 1024 of them kept",
            id="more-pages-than-memory",
        ),
        pytest.param(
            machine(),
            Request(switch_memory_mib=64514),
            "the switch needs 64514 MiB of hugepages on node 0, which has 65536 MiB, 1024 of them kept",
            id="pages-of-what-everything-else-needs",
        ),
        pytest.param(
            machine(),
            Request(switch_worker_cpus=(0,), switch_workers=1),
            "CPU 0, which boots the machine, is to be for the switch",
            id="the-boot-cpu-for-the-switch",
        ),
        pytest.param(
            machine(),
            Request(housekeeping_cpus=(1, 2)),
            "CPU 0, which boots the machine, is to be isolated",
            id="housekeeping-without-the-boot-cpu",
        ),
    ],
)
def test_refuses_with_the_sum(topology: Topology, request_: Request, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        make_plan(topology, request_)
    assert says in str(refused.value)
    assert "; " in str(refused.value), "the way out"
