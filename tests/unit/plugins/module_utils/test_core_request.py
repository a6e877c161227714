# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are wrong, whatever the plan would be."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    PlanError,
    Request,
    Vm,
    check,
)
from core_topologies import machine, recorded

MACHINE = dataclasses.replace(machine(nodes=2, cores=4, threads=2), offline=(16, 17), page_sizes_kib=(2048,))


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        pytest.param(Request(housekeeping=0), "housekeeping is 0; give 1 or more", id="no-housekeeping"),
        pytest.param(Request(switch_workers=-1), "switch_workers is -1; give 0 or more", id="below-zero"),
        pytest.param(
            Request(siblings="all"), "siblings is 'all'; give empty, same_owner or any", id="siblings"
        ),
        pytest.param(Request(span="rack"), "span is 'rack'; give node, package or machine", id="span"),
        pytest.param(Request(vms=(Vm(1, 1), Vm(1, 2))), "VM 1 is described 2 times", id="a-vm-twice"),
        pytest.param(Request(vms=(Vm(1, 0),)), "VM 1 has 0 vCPUs", id="no-vcpu"),
        pytest.param(
            Request(vms=(Vm(1, 2, cpus=(1,)),)), "VM 1 has 2 vCPUs and 1 named CPUs", id="a-cpu-for-each-vcpu"
        ),
        pytest.param(
            Request(vms=(Vm(1, 1, memory_mib=-2),)), "memory_mib of VM 1 is -2", id="memory-below-zero"
        ),
        pytest.param(
            Request(vms=(Vm(1, 1, io_threads=-1),)), "io_threads of VM 1 is -1", id="io-threads-below-zero"
        ),
        pytest.param(
            Request(nic_node=3),
            "the NIC is to be on node 3, which is not there; the nodes are 0-1",
            id="nic-node",
        ),
        pytest.param(
            Request(vms=(Vm(1, 1, node=5),)), "VM 1 is to be on node 5, which is not there", id="vm-node"
        ),
        pytest.param(
            Request(vms=(Vm(1, 1, memory_mib=1024, page_size_kib=1048576),)),
            "VM 1 wants pages of 1048576 KiB, this machine has 2048 KiB; a CPU without the flag pdpe1gb has none",
            id="gigantic-pages-that-the-cpu-has-not",
        ),
        pytest.param(
            Request(switch_memory_mib=3),
            "the switch wants 3 MiB, which is not a whole number of pages of 2048 KiB",
            id="half-a-page",
        ),
        pytest.param(
            Request(switch_worker_cpus=(16,)),
            "CPU 16 for the switch is offline; name another",
            id="offline",
        ),
        pytest.param(
            Request(switch_worker_cpus=(99,)),
            "CPU 99 for the switch is not there; this machine has 0-15",
            id="not-there",
        ),
        pytest.param(
            Request(housekeeping_cpus=(0, 1), switch_worker_cpus=(1,)),
            "CPU 1 is named for housekeeping and for the switch; name it once",
            id="two-owners",
        ),
        pytest.param(Request(housekeeping_cpus=()), "no CPU is named for housekeeping", id="all-isolated"),
        pytest.param(
            Request(switch_worker_cpus=(1,), vms=(Vm(1, 1, cpus=(9,)),)),
            "CPU 1 for the switch and CPU 9 for VM 1 are threads of one core; "
            "name CPUs of two cores, or set siblings to any",
            id="threads-of-one-core",
        ),
        pytest.param(
            Request(housekeeping_cpus=(0, 8, 9), switch_worker_cpus=(1,)),
            "CPU 1 for the switch and CPU 9 for housekeeping are threads of one core",
            id="housekeeping-beside-the-switch",
        ),
        pytest.param(
            Request(vms=(Vm(1, 2, cpus=(1, 9)),)),
            "CPU 1 for VM 1 and CPU 9 for VM 1 are threads of one core; "
            "name CPUs of two cores, or set siblings to same_owner",
            id="threads-of-one-core-of-one-vm",
        ),
    ],
)
def test_refuses(request_: Request, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        check(MACHINE, request_)
    assert len(refused.value.faults) == 1
    assert says in refused.value.faults[0]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request(), id="the-defaults"),
        pytest.param(Request(vms=(Vm(1, 2, cpus=(1, 9)),), siblings="same_owner"), id="threads-of-one-owner"),
        pytest.param(
            Request(switch_worker_cpus=(1,), vms=(Vm(1, 1, cpus=(9,)),), siblings="any"), id="any-threads"
        ),
        pytest.param(
            Request(housekeeping_cpus=(0, 8), emulator_cpus=(1, 9)), id="threads-that-may-be-disturbed"
        ),
        pytest.param(
            Request(isolate=False, switch_worker_cpus=(1,), vms=(Vm(1, 1, cpus=(9,)),)),
            id="nothing-is-isolated",
        ),
    ],
)
def test_takes(request_: Request) -> None:
    check(MACHINE, request_)


def test_says_all_faults_at_once() -> None:
    with pytest.raises(PlanError) as refused:
        check(recorded("laptop"), Request(housekeeping=0, nic_node=7, switch_memory_mib=2))
    assert len(refused.value.faults) == 3
