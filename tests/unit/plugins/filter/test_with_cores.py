# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that get their CPUs from a core plan."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter import with_cores as module
from ansible_collections.detnet.testbed.plugins.filter.with_cores import with_cores
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _core_document,
    _core_plan,
    _vm,
    _vm_placement,
)
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Vm as VmRequest
from core_topologies import machine

VMS = [{"id": 2, "name": "a-vm-02", "memory_mib": 4}, {"id": 1, "name": "a-vm-01", "memory_mib": 2}]


def place(vm: int, vcpus: list[int]) -> dict[str, t.Any]:
    return {
        "vm": vm, "vcpus": vcpus, "emulator": [0, 1, 8], "io_threads": [], "node": 1, "memory_node": 0,
        "page_size_kib": 2048, "pages": 1,
    }  # fmt: skip


def plan(*places: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"isolated": [4, 5, 6], "vms": list(places)}


def test_each_vm_gets_its_own_place_and_keeps_its_options_and_order() -> None:
    assert with_cores(VMS, plan(place(1, [6]), place(2, [5, 4]))) == [
        {
            **VMS[0],
            "vcpu_cpus": ["5", "4"],
            "emulator_cpus": "0-1,8",
            "memory_node": 0,
            "page_size_kib": 2048,
        },
        {**VMS[1], "vcpu_cpus": ["6"], "emulator_cpus": "0-1,8", "memory_node": 0, "page_size_kib": 2048},
    ]


def test_without_isolation_all_share_all_cpus() -> None:
    assert with_cores(VMS, {"isolated": [], "vms": [place(1, [6])]}) == VMS


def test_a_vm_that_the_plan_lacks_is_named_with_the_way_out() -> None:
    with pytest.raises(AnsibleFilterError) as failure:
        with_cores(VMS, plan(place(1, [6])))
    assert str(failure.value) == (
        "Cannot place the VMs: the core plan has VM 1 and lacks VM 2 (a-vm-02); name it in the vms of "
        "detnet.testbed.core_plan, which the role host_tuning has in host_tuning_cores.vms"
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="something-else"),
        pytest.param(None, id="nothing"),
        pytest.param(plan({"vm": 1, "vcpus": [4]}), id="a-place-without-its-parts"),
    ],
)
def test_what_is_no_plan_is_refused(given: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"is no core plan .*; give the unchanged plan of"):
        with_cores(VMS, given)


def test_the_places_of_a_real_plan_are_what_the_vms_may_have() -> None:
    request = Request(vms=(VmRequest(1, 2, memory_mib=256), VmRequest(2, 3, memory_mib=256)))
    made = _core_plan.make_plan(machine(nodes=2, threads=2), request)
    vms = [
        {"memory_mib": 256, "interfaces": [], "id": number, "name": f"a-vm-{number:02d}", "vcpus": vcpus}
        for number, vcpus in ((1, 2), (2, 3))
    ]
    shared = {
        "image": "/i",
        "state_dir": "/d",
        "management_address": "",
        "ssh_authorized_key": "",
        "backend": "libvirt",
        "accelerator": "kvm",
    }
    placed = [_vm.from_params(entry, shared) for entry in with_cores(vms, _core_document.plan_document(made))]
    assert _vm_placement.problems(placed) == []
    owned = [int(cpu) for vm in placed for cpu in vm.vcpu_cpus or []]
    assert len(set(owned)) == 5
    assert set(owned) <= set(made.isolated)


def test_the_filter_has_its_name() -> None:
    assert module.FilterModule().filters() == {"with_cores": with_cores}
