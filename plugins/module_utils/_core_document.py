# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A core plan's request from a module's options, and the plan as its result."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import SPARE, PlacedVm, Plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    PlanError,
    Request,
    Vm,
)

Document = dict[str, t.Any]

OPTIONS = {field.name for field in dataclasses.fields(Request)} - {"nic_node"}
# By the name of a list of CPUs, the number that it takes the place of.
COUNTS = {
    "housekeeping_cpus": "housekeeping",
    "switch_worker_cpus": "switch_workers",
    "switch_control_cpus": "switch_control",
    "emulator_cpus": "emulators",
}


def request_of(options: Document, nic_node: int | None) -> Request:
    """Return the request that the options of the module core_plan make. Raises PlanError for a wrong CPU list."""
    faults: list[str] = []

    def cpus(name: str, text: str | None) -> tuple[int, ...] | None:
        try:
            return None if text is None else _cpu_list.parse(text)
        except ValueError as exc:
            faults.append(f"{name}: {exc}")
            return None

    request: Document = {name: options[name] for name in OPTIONS}
    for name, count in COUNTS.items():
        request[name] = cpus(name, options[name])
        if request[name] is not None:
            request[count] = len(request[name])
    request["vms"] = tuple(
        Vm(**{**vm, "cpus": cpus(f"cpus of VM {vm['vm']}", vm["cpus"])}) for vm in options["vms"]
    )
    if faults:
        raise PlanError(faults)
    return Request(**request, nic_node=nic_node)


def plan_document(plan: Plan) -> Document:
    """Return a plan as JSON has it: CPUs as numbers in order, and as the kernel's masks."""
    return {
        "housekeeping": list(plan.of(HOUSEKEEPING)),
        "interrupts": list(plan.of(HOUSEKEEPING)),
        "switch": {
            "control": list(plan.switch_control),
            "workers": list(plan.switch_workers),
            "memory_node": plan.switch_memory_node,
        },
        "emulators": list(plan.of(EMULATORS)),
        "vms": [_vm_document(vm) for vm in plan.vms],
        "isolated": list(plan.isolated),
        "empty": list(plan.of(CorePool.EMPTY)),
        "spare": list(plan.of(SPARE)),
        "masks": {
            "housekeeping": _cpu_list.mask(plan.of(HOUSEKEEPING)),
            "isolated": _cpu_list.mask(plan.isolated),
        },
        "hugepages": [
            {"node": node, "page_size_kib": size, "pages": pages}
            for node, sizes in plan.hugepages.items()
            for size, pages in sizes.items()
        ],
    }


def _vm_document(vm: PlacedVm) -> Document:
    document = dataclasses.asdict(vm)
    return {
        **document,
        "vcpus": list(vm.vcpus),
        "emulator": list(vm.emulator),
        "io_threads": [list(cpus) for cpus in vm.io_threads],
    }
