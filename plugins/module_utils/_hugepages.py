# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hugepages of each NUMA node, by their size."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

NODES = "sys/devices/system/node"
WHOLE = "sys/kernel/mm/hugepages"
SIZE = re.compile(r"hugepages-([0-9]{1,9})kB")


@dataclasses.dataclass(frozen=True)
class Pages:
    """The hugepages of one size on one node; None is a number that the kernel does not tell."""

    node: int
    size_kib: int
    total: int | None
    free: int | None
    surplus: int | None


def read(root: str = "/") -> list[Pages]:
    """Return the hugepages by node and size; a kernel without nodes has all of them on node 0."""
    found = [
        pages
        for node in _sysfs.numbered(root, NODES, "node")
        for pages in _in_directory(root, f"{NODES}/node{node}/hugepages", node)
    ]
    return found or _in_directory(root, WHOLE, 0)


def sizes_kib(root: str = "/") -> list[int]:
    """Return the sizes of pages that the kernel has."""
    return sorted(int(size[1]) for name in _sysfs.names(root, WHOLE) if (size := SIZE.fullmatch(name)))


def _in_directory(root: str, directory: str, node: int) -> list[Pages]:
    found = []
    for name in _sysfs.names(root, directory):
        if size := SIZE.fullmatch(name):
            counters = (f"{directory}/{name}/{counter}_hugepages" for counter in ("nr", "free", "surplus"))
            total, free, surplus = (_sysfs.number(root, path) for path in counters)
            found.append(Pages(node, int(size[1]), total, free, surplus))
    return found
