# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CPUs of their host VMs have: what is wrong with the lists, each by itself and beside the other VMs'.

Nothing here touches the machine. Messages name the VM, the cause and the way out.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm


def problems(vms: t.Sequence[Vm]) -> list[str]:
    """Return what is wrong with the CPUs of the VMs of one end host; empty if nothing is."""
    return [f"VM {vm.name}: {problem}" for vm in vms for problem in _faults(vm)] or _shared(vms)


def cpus(vm: Vm) -> dict[str, tuple[int, ...]]:
    """Return the CPUs of each list of a VM without faults, by what messages call the list."""
    return {name: _cpu_list.parse(text) for name, text in _lists(vm)}


def _lists(vm: Vm) -> t.Iterator[tuple[str, str]]:
    for number, text in enumerate(vm.vcpu_cpus or ()):
        yield f"vcpu_cpus[{number}]", text
    if vm.emulator_cpus is not None:
        yield "emulator_cpus", vm.emulator_cpus
    if vm.io_thread_cpus is not None:
        yield "io_thread_cpus", vm.io_thread_cpus


def _faults(vm: Vm) -> t.Iterator[str]:
    if vm.vcpu_cpus is not None and len(vm.vcpu_cpus) != vm.vcpus:
        yield f"vcpu_cpus has {len(vm.vcpu_cpus)} lists for vcpus={vm.vcpus}; give one for each vCPU"
    for name, text in _lists(vm):
        try:
            if not _cpu_list.parse(text):
                yield f"{name} is empty; name a CPU, or leave the option out"
        except ValueError as exc:
            yield f"{name} is no list of CPUs: {exc}"


def _shared(vms: t.Sequence[Vm]) -> list[str]:
    owners = collections.defaultdict(list)
    for vm in vms:
        for cpu in sorted({cpu for text in vm.vcpu_cpus or () for cpu in _cpu_list.parse(text)}):
            owners[cpu].append(vm.name)
    return [
        f"VMs {', '.join(names)} have the same CPU {cpu} in vcpu_cpus; give each its own"
        for cpu, names in sorted(owners.items())
        if len(names) > 1
    ]
