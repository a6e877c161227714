# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host_tuning does on a host: from its options, the core plan and the host's state to one document."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _host_state,
    _kernel_line,
    _tuning_pages,
    _tuning_placement,
    _tuning_running,
)
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Document,
    Home,
    Part,
    Value,
    merged,
    nested,
)

# What TuneD sets in place of this role, where it runs: the rest would fail there, or is not a matter of a profile.
TUNED_SYSFS, TUNED_SYSCTL = "/sys/", "/proc/sys/"


def tuning(
    options: Document, cores: Document, state: Document, available_mib: int | None = None
) -> dict[str, t.Any]:
    """Return the document that the filter tuning_plan describes. Raises StateError for what is no state document."""
    state = _host_state.checked(state)
    plan, topology = cores["plan"], cores["topology"]
    home = _home(plan, topology)
    pages = _tuning_pages.wanted_pages(options["hugepages"], plan)
    mounts, faults = _tuning_pages.mounts(pages, options["hugetlbfs"], state)
    faults += _tuning_pages.faults(pages, plan, topology, options["memory_reserve_mib"])
    if not options["hugepages_at_boot"]:
        faults += _tuning_pages.available_fault(pages, state, available_mib)

    groups, wrong = _cache_groups(options["cache"], plan)
    faults += wrong

    part = _tuning_pages.part_of(pages, topology, state, options["hugepages_at_boot"])
    for mount in mounts:
        keys = ("memory", "hugetlbfs_mounts", mount["path"], "page_size_kib")
        part.add(Part(wanted=nested(keys, mount["page_size_kib"])))
    if options["run_time"]:
        part.add(_tuning_placement.of_host(home, state))
        part.add(_tuning_running.of_host(options, home, state))
    parameters = _parameters(options, cores, pages, state)
    try:
        words = _kernel_line.of_parameters(parameters, options["kernel_parameters_unknown"])
    except _kernel_line.WordsError as exc:
        faults += exc.faults
        words = ()
    tuned = bool(options["run_time"] and state["services"]["tuned"]["running"])
    return {
        "faults": [*faults, *part.faults],
        "kernel_parameters": list(words),
        "values": [_value(value) for value in part.values if not (tuned and tuned_sets(value))],
        "boot_values": _boot_values(part.values, tuned),
        "tuned": _tuned(part.values) if tuned else None,
        "mounts": mounts,
        "cache_groups": groups,
        "isolated_cpus": _cpu_list.text(plan["isolated"]),
        "wanted": part.wanted,
        "wanted_after_boot": merged(part.wanted, _wanted_kernel(words, plan)),
        "skipped": part.skipped,
    }


def _home(plan: Document, topology: Document) -> Home:
    cpus = tuple(cpu["cpu"] for cpu in topology["cpus"])
    return Home(cpus, tuple(plan["interrupts"]), tuple(plan["isolated"]))


def _parameters(
    options: Document, cores: Document, pages: _tuning_pages.Pages, state: Document
) -> list[t.Any]:
    """Return what is to be on the kernel's line, in its order."""
    found: list[t.Any] = [dict(cores["kernel_parameters"])]
    if options["hugepages_at_boot"] and _tuning_pages.line_takes_nodes(cores["topology"], state):
        found += _tuning_pages.parameters(pages, cores["topology"])
    if options["iommu"]:
        intel = {} if "AMD" in (state["processor"]["model"] or "") else {"intel_iommu": "on"}  # AMD's is on
        found.append({**intel, "iommu": "pt"})
    if options["max_cstate"] is not None:
        states = str(options["max_cstate"])
        found.append({"processor.max_cstate": states, "intel_idle.max_cstate": states})
    found += [{name: options[name]} for name in ("tsc", "mitigations") if options[name] is not None]
    return [*(one for one in found if one), *options["kernel_parameters"]]


def _cache_groups(asked: t.Sequence[Document], plan: Document) -> tuple[list[Document], list[str]]:
    """Return the groups with the CPUs of those that they are for, as the module cache_groups takes them."""
    vms = {vm["vm"]: vm["vcpus"] for vm in plan["vms"]}
    own = {
        "housekeeping": plan["housekeeping"],
        "switch": sorted(
            {*plan["switch"]["control"], *plan["switch"]["workers"]} - set(plan["housekeeping"])
        ),
    }
    groups: list[Document] = []
    faults: list[str] = []
    for group in asked:
        name, of_vms = group["group"], group.get("vms") or []
        unknown = [vm for vm in of_vms if vm not in vms]
        if unknown:
            faults.append(
                f"host_tuning_cache has VM {unknown[0]} in {name}, which is not planned; name planned ones"
            )
        elif not of_vms and name not in own:
            faults.append(
                f"host_tuning_cache has the group {name} without VMs; name its VMs, or call it {' or '.join(own)}"
            )
        else:
            cpus = [cpu for vm in of_vms for cpu in vms[vm]] or own[name]
            groups.append({"group": name, "cpus": _cpu_list.text(cpus), "ways": group["ways"]})
    return groups, faults


def _wanted_kernel(words: t.Sequence[str], plan: Document) -> Document:
    """Return what the kernel must say of its line, and make of it."""
    wanted: dict[str, t.Any] = {"command_line": list(words)} if words else {}
    if plan["isolated"]:
        isolated = _cpu_list.text(plan["isolated"])
        wanted |= {"isolated_cpus": isolated, "nohz_full_cpus": isolated}
    return {"kernel": wanted} if wanted else {}


def _value(value: Value) -> dict[str, t.Any]:
    return {"path": value.path, "value": value.value, "optional": value.optional}


def tuned_sets(value: Value) -> bool:
    """Return whether TuneD can set a value and give it back; it has no plugin for interrupts that are there already."""
    return value.at_boot == value.path and value.path.startswith((TUNED_SYSFS, TUNED_SYSCTL))


def _tuned(values: t.Iterable[Value]) -> dict[str, list[dict[str, t.Any]]]:
    own = [value for value in values if tuned_sets(value)]
    return {
        "sysfs": [
            {"name": value.path, "value": value.value}
            for value in own
            if not value.path.startswith(TUNED_SYSCTL)
        ],
        "sysctl": [
            {"name": value.path.removeprefix(TUNED_SYSCTL).replace("/", "."), "value": value.value}
            for value in own
            if value.path.startswith(TUNED_SYSCTL)
        ],
    }


def _boot_values(values: t.Iterable[Value], tuned: bool) -> list[dict[str, str]]:
    """Return the values of the next boot, each path once."""
    found = {
        value.at_boot: value.value for value in values if value.at_boot and not (tuned and tuned_sets(value))
    }
    return [{"path": path, "value": value} for path, value in found.items()]
