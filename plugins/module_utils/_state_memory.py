# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of each node, its hugepages, where they are mounted, and what else moves pages."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _state_files as files

NODES = "sys/devices/system/node"
WHOLE = "sys/kernel/mm"
KIB = {"K": 1, "M": 1 << 10, "G": 1 << 20}


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
    numbers = [name[4:] for name in files.names(root, NODES) if re.fullmatch(r"node[0-9]+", name)]
    if not numbers:
        return {"0": node(root, "proc/meminfo", f"{WHOLE}/hugepages")}
    return {
        number: node(root, f"{NODES}/node{number}/meminfo", f"{NODES}/node{number}/hugepages")
        for number in numbers
    }


def node(root: str, meminfo: str, hugepages: str) -> dict[str, t.Any]:
    total = re.search(r"MemTotal: +([0-9]{1,19}) kB", files.text(root, meminfo) or "")
    sizes = (re.fullmatch(r"hugepages-([0-9]+)kB", name) for name in files.names(root, hugepages))
    return {
        "memory_mib": int(total[1]) // 1024 if total else None,
        "hugepages_by_size_kib": {
            size[1]: {
                "total": files.number(root, f"{hugepages}/{size[0]}/nr_hugepages"),
                "free": files.number(root, f"{hugepages}/{size[0]}/free_hugepages"),
            }
            for size in sizes
            if size
        },
    }


def page_size_kib(options: str) -> int | None:
    """Return the page size of a mounted hugetlbfs: "rw,relatime,pagesize=1024M"."""
    found = re.search(r"(?:^|,)pagesize=([0-9]{1,9})([KMG])(?:,|$)", options)
    return int(found[1]) * KIB[found[2]] if found else None
