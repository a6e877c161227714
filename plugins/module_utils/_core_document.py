# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A core plan's request from a module's options, the plan as its result, and the plan of such a result."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import SPARE, PlacedVm, Plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    SWITCH_CONTROL,
    SWITCH_WORKERS,
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


def plan_of(document: Document) -> Plan:
    """Return a plan from what plan_document made of it. Raises KeyError, TypeError or AttributeError for others."""
    switch, vms = document["switch"], [_vm_of(vm) for vm in document["vms"]]
    return Plan(
        owners=_owners_of(document, vms),
        switch_control=tuple(switch["control"]),
        switch_workers=tuple(switch["workers"]),
        switch_memory_node=switch["memory_node"],
        vms=tuple(vms),
        isolated=tuple(document["isolated"]),
        hugepages=_hugepages_of(document),
    )


def _vm_of(document: Document) -> PlacedVm:
    return PlacedVm(
        **{
            **document,
            "vcpus": tuple(document["vcpus"]),
            "emulator": tuple(document["emulator"]),
            "io_threads": tuple(map(tuple, document["io_threads"])),
        }
    )


def _owners_of(document: Document, vms: t.Iterable[PlacedVm]) -> dict[int, str]:
    # Housekeeping comes last, because whoever has no CPU of its own runs there.
    lists = [
        *((vm.owner, vm.vcpus) for vm in vms),
        (SWITCH_WORKERS, document["switch"]["workers"]),
        (SWITCH_CONTROL, document["switch"]["control"]),
        (EMULATORS, document["emulators"]),
        (CorePool.EMPTY, document["empty"]),
        (SPARE, document["spare"]),
        (HOUSEKEEPING, document["housekeeping"]),
    ]
    owners = {cpu: owner for owner, cpus in lists for cpu in cpus}
    return dict(sorted(owners.items()))


def _hugepages_of(document: Document) -> dict[int, dict[int, int]]:
    pages: dict[int, dict[int, int]] = {}
    for row in document["hugepages"]:
        pages.setdefault(row["node"], {})[row["page_size_kib"]] = row["pages"]
    return pages
