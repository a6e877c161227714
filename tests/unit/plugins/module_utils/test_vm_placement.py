# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs of VMs: what is refused, by itself and beside other VMs."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_placement
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm

VM = Vm(1, "a-vm-01", 256, 2, "/i", "/d/vm-01", "127.0.0.1", "")
PLACED = dataclasses.replace(VM, vcpu_cpus=("4", "5-6"), emulator_cpus="0-1", io_thread_cpus="8")


def named(number: int, *cpus: str) -> Vm:
    return dataclasses.replace(VM, name=f"a-vm-{number:02d}", vcpus=len(cpus), vcpu_cpus=cpus)


@pytest.mark.parametrize(
    "vms",
    [
        pytest.param([VM, VM], id="vms-without-a-place-share-all-cpus"),
        pytest.param([PLACED, named(2, "7")], id="each-its-own"),
        pytest.param([named(1, "4-5", "4-5")], id="the-vcpus-of-one-vm-may-share"),
        pytest.param(
            [PLACED, dataclasses.replace(named(2, "7"), emulator_cpus="0-1")], id="emulators-may-share"
        ),
    ],
)
def test_takes(vms: list[Vm]) -> None:
    assert _vm_placement.problems(vms) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(
            {"vcpu_cpus": ("4",)},
            "vcpu_cpus has 1 lists for vcpus=2; give one for each vCPU",
            id="fewer-lists-than-vcpus",
        ),
        pytest.param(
            {"vcpu_cpus": ()}, "vcpu_cpus has 0 lists for vcpus=2; give one for each vCPU", id="no-list"
        ),
        pytest.param(
            {"vcpu_cpus": ("4", "5,x")},
            "vcpu_cpus[1] is no list of CPUs: 'x' in '5,x' is neither a CPU nor a range; write it as 0-3,8",
            id="malformed",
        ),
        pytest.param(
            {"vcpu_cpus": ("", "5")},
            "vcpu_cpus[0] is empty; name a CPU, or leave the option out",
            id="empty-list",
        ),
        pytest.param(
            {"emulator_cpus": "1-0"},
            "emulator_cpus is no list of CPUs: '1-0' in '1-0' ends before it begins",
            id="emulator-malformed",
        ),
        pytest.param(
            {"emulator_cpus": ""},
            "emulator_cpus is empty; name a CPU, or leave the option out",
            id="emulator-empty",
        ),
    ],
)
def test_refuses(changes: dict[str, t.Any], says: str) -> None:
    assert _vm_placement.problems([dataclasses.replace(PLACED, **changes)]) == [f"VM a-vm-01: {says}"]


def test_a_cpu_of_two_vms_is_named_with_both() -> None:
    assert _vm_placement.problems([PLACED, named(2, "6-7"), named(3, "7", "8")]) == [
        "VMs a-vm-01, a-vm-02 have the same CPU 6 in vcpu_cpus; give each its own",
        "VMs a-vm-02, a-vm-03 have the same CPU 7 in vcpu_cpus; give each its own",
    ]


def test_lists_have_names() -> None:
    assert _vm_placement.cpus(PLACED) == {
        "vcpu_cpus[0]": (4,),
        "vcpu_cpus[1]": (5, 6),
        "emulator_cpus": (0, 1),
        "io_thread_cpus": (8,),
    }
