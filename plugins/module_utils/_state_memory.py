# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of each node, its hugepages, where they are mounted, and what else moves pages."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _hugepages
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

WHOLE = "sys/kernel/mm"
KIB = {"K": 1, "M": 1 << 10, "G": 1 << 20}
BLOCK_BYTES = "sys/devices/system/memory/block_size_bytes"  # hexadecimal


def read(root: str = "/") -> dict[str, t.Any]:
    return {
        "nodes": nodes(root),
        "transparent_hugepages": {
            "enabled": files.chosen(root, f"{WHOLE}/transparent_hugepage/enabled"),
            "defrag": files.chosen(root, f"{WHOLE}/transparent_hugepage/defrag"),
        },
        "ksm_run": files.number(root, f"{WHOLE}/ksm/run"),
        "hugetlbfs_mounts": {
            path: {"page_size_kib": page_size_kib(options)}
            for path, options in sorted(files.mounts(root, "hugetlbfs"))
        },
    }


def nodes(root: str) -> dict[str, dict[str, t.Any]]:
    """Return the nodes by number; a kernel that knows no nodes has one, 0."""
    numbers = files.numbered(root, _hugepages.NODES, "node")
    meminfo = {number: f"{_hugepages.NODES}/node{number}/meminfo" for number in numbers} or {
        0: "proc/meminfo"
    }
    pages = _hugepages.read(root)
    return {
        str(number): {
            "memory_mib": installed_mib(root, number) or files.memory_mib(root, path),
            "hugepages_by_size_kib": {
                str(of.size_kib): {"total": of.total, "free": of.free} for of in pages if of.node == number
            },
        }
        for number, path in meminfo.items()
    }


def installed_mib(root: str, node: int) -> int:
    """Return the memory of a node in the kernel's blocks, 0 where it does not tell.

    MemTotal is less by what the kernel itself takes, which each boot puts on another node.
    """
    blocks = files.numbered(root, f"{_hugepages.NODES}/node{node}", "memory")
    size = files.text(root, BLOCK_BYTES) or ""
    return len(blocks) * (int(size, 16) >> 20) if re.fullmatch("[0-9a-f]{1,16}", size) else 0


def available_mib(root: str = "/") -> int | None:
    """Return how much memory programs could have now."""
    found = re.search(r"^MemAvailable:\s+([0-9]+) kB$", files.text(root, "proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) // 1024 if found else None


def page_size_kib(options: str) -> int | None:
    """Return the page size of a mounted hugetlbfs: "rw,relatime,pagesize=1024M"."""
    found = re.search(r"(?:^|,)pagesize=([0-9]{1,9})([KMG])(?:,|$)", options)
    return int(found[1]) * KIB[found[2]] if found else None
