# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host has the hugepages that VMs want, by their size and, where a VM names one, by NUMA node."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _hugepages,
    _state_memory,
    _sysfs,
)
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm

DEFAULT_SIZE = re.compile(r"^Hugepagesize: +([0-9]{1,9}) kB$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class HostPages:
    """The hugepages of a host."""

    default_kib: int  # the size that a VM gets which names none; 0: the kernel has no hugepages
    rows: t.Sequence[_hugepages.Pages]
    reserved: t.Mapping[int, int]  # by size: free, but promised; the kernel does not tell on which node
    mounted_kib: t.Collection[int]  # the sizes of which a hugetlbfs is mounted

    @property
    def nodes(self) -> list[int]:
        return sorted({row.node for row in self.rows})

    @property
    def sizes_kib(self) -> list[int]:
        return sorted({row.size_kib for row in self.rows})

    def free(self, size_kib: int, node: int | None) -> int:
        """Return how many pages can be claimed on a node, or on all of them together."""
        free = sum(
            row.free or 0 for row in self.rows if row.size_kib == size_kib and node in (None, row.node)
        )
        return free if node is not None else free - self.reserved.get(size_kib, 0)


def read(root: str = "/") -> HostPages:
    """Return the hugepages of this host."""
    default = DEFAULT_SIZE.search(_sysfs.text(root, "proc/meminfo") or "")
    return HostPages(
        default_kib=int(default[1]) if default else 0,
        rows=_hugepages.read(root),
        reserved={
            size: _sysfs.number(root, f"{_hugepages.WHOLE}/hugepages-{size}kB/resv_hugepages") or 0
            for size in _hugepages.sizes_kib(root)
        },
        mounted_kib={
            size
            for _path, options in _sysfs.mounts(root, "hugetlbfs")
            if (size := _state_memory.page_size_kib(options)) is not None
        },
    )


def problems(vms: t.Sequence[Vm], released: t.Sequence[Vm], host: HostPages) -> list[str]:
    """Return what is wrong with the hugepages for vms, if those of the released ones are given back first."""
    if not vms:
        return []
    if not host.default_kib:
        return ["this kernel has no hugepages; boot one that has"]
    unsuited = [f"VM {vm.name}: {problem}" for vm in vms for problem in _faults(vm, host)]
    # Who asks for pages that this host cannot have is named already.
    return unsuited or [
        shortage for size in host.sizes_kib for shortage in _shortages(vms, released, host, size)
    ]


def _faults(vm: Vm, host: HostPages) -> t.Iterator[str]:
    size = _size_kib(vm, host)
    sizes = ", ".join(map(str, host.sizes_kib))
    if vm.memory_node is not None and vm.memory_node not in host.nodes:
        nodes = _cpu_list.text(host.nodes)
        yield f"memory_node={vm.memory_node} is no NUMA node of this host, whose nodes are {nodes}; choose one"
    if size not in host.sizes_kib:
        yield f"page_size_kib={size} is no size of this host's hugepages, which are {sizes}; choose one"
    elif vm.memory_mib * 1024 % size:
        yield f"memory_mib={vm.memory_mib} is no multiple of the {size} KiB of a page; round up"
    elif size not in host.mounted_kib:
        yield (
            f"no hugetlbfs with pages of {size} KiB is mounted, where libvirt takes them from; run the roles"
            " detnet.testbed.host_tuning, which mounts it, and detnet.testbed.hypervisor"
        )


def _shortages(vms: t.Sequence[Vm], released: t.Sequence[Vm], host: HostPages, size_kib: int) -> list[str]:
    """Return a message for each node, or else for the whole host, that has too few pages of a size."""
    wanted = [vm for vm in vms if _size_kib(vm, host) == size_kib]
    returned = [vm for vm in released if _size_kib(vm, host) == size_kib]
    named = sorted({vm.memory_node for vm in wanted if vm.memory_node is not None})
    short = [message for node in named for message in _shortage(wanted, returned, host, size_kib, node)]
    return short or list(_shortage(wanted, returned, host, size_kib, None))


def _shortage(
    wanted: t.Sequence[Vm],
    returned: t.Sequence[Vm],
    host: HostPages,
    size_kib: int,
    node: int | None,
) -> t.Iterator[str]:
    there = [vm for vm in wanted if node in (None, vm.memory_node)]
    needed = sum(vm.memory_mib for vm in there) * 1024 // size_kib
    # Pages of a VM without a node may come back on any: only the start tells then.
    coming_mib = sum(vm.memory_mib for vm in returned if node is None or vm.memory_node in (None, node))
    free = host.free(size_kib, node) + coming_mib * 1024 // size_kib
    if needed > free:
        where = "" if node is None else f" on node {node}"
        yield (
            f"VMs {', '.join(vm.name for vm in there)} need {needed} hugepages of {size_kib} KiB{where},"
            f" {free} are free; raise host_tuning_hugepages, or give the VMs less memory_mib"
        )


def _size_kib(vm: Vm, host: HostPages) -> int:
    return host.default_kib if vm.page_size_kib is None else vm.page_size_kib
