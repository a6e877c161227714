# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugepages of a host by node and size: what is asked for, whether it can be, and where each is reserved and mounted.

Source: Documentation/admin-guide/mm/hugetlbpage.rst of Linux.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._host_state import value_at
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Document,
    Part,
    Value,
    merged,
    nested,
)

MIB = 1024  # KiB
WHOLE = "/sys/kernel/mm/hugepages"
NODES = "/sys/devices/system/node"
MOUNTED_BY_SYSTEMD = "/dev/hugepages"
MOUNT_POINT = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
UNESCAPED = re.compile(r"[^A-Za-z0-9_./]")  # what a unit's name has in another form
UNITS = {1 << 20: "G", 1 << 10: "M"}
NODES_AT_BOOT_SINCE = (5, 16)  # hugepages=NODE:PAGES (kernel-parameters.txt)
GIGANTIC_KIB = 1 << 20

Pages = dict[tuple[int, int], int]  # by node and size in KiB


def wanted_pages(asked: t.Sequence[Document], plan: Document) -> Pages:
    """Return the pages that were asked for, or else those of the plan."""
    pages: Pages = {}
    for row in asked or plan["hugepages"]:
        key = int(row["node"]), int(row["page_size_kib"])
        pages[key] = pages.get(key, 0) + int(row["pages"])
    return pages


def faults(pages: Pages, plan: Document, topology: Document, reserve_mib: int) -> t.Iterator[str]:
    """Yield what of the pages cannot be, with the sum and the way out."""
    nodes = {node["node"]: node["memory_mib"] for node in topology["nodes"]}
    sizes = topology["page_sizes_kib"]
    for (node, size), count in sorted(pages.items()):
        if node not in nodes:
            yield f"hugepages are asked for on node {node}; this host has {_listed(nodes)}"
        if size not in sizes:
            hint = "; its processor has no pdpe1gb" if size == GIGANTIC_KIB else ""
            yield f"hugepages of {size} KiB are asked for{hint}; this host has pages of {_listed(sizes)} KiB"
        if count < 0:
            yield f"{count} hugepages are asked for on node {node}; give 0 or more"
    for node in sorted({node for node, _size in pages} & set(nodes)):
        needed = sum(size * count for (on, size), count in pages.items() if on == node) // MIB
        if needed and needed + reserve_mib > nodes[node]:
            yield (
                f"{needed} MiB of hugepages are asked for on node {node}, which has {nodes[node]} MiB, "
                f"{reserve_mib} of them kept for everything else; ask for less, or add memory"
            )
    for row in plan["hugepages"]:
        have = pages.get((row["node"], row["page_size_kib"]), 0)
        if have < row["pages"]:
            yield (
                f"switch and VMs need {row['pages']} pages of {row['page_size_kib']} KiB on node {row['node']}, "
                f"and host_tuning_hugepages has {have} there; ask for as many, or leave it to the plan"
            )


def available_fault(pages: Pages, state: Document, available_mib: int | None) -> t.Iterator[str]:
    """Yield that the running kernel has not enough memory for what is missing, if nothing reserves it at boot."""
    missing = sum(size * max(count - _total(state, node, size), 0) for (node, size), count in pages.items())
    if available_mib is not None and missing // MIB > available_mib:
        yield (
            f"hugepages that are missing take {missing // MIB} MiB more, and {available_mib} MiB are available; "
            "end what uses the memory, ask for fewer, or reserve them at boot (host_tuning_hugepages_at_boot)"
        )


def part_of(pages: Pages, topology: Document, state: Document, at_boot: bool) -> Part:
    """Return the part. A host that has more pages keeps them; what is reserved at boot may fail while it runs."""
    part = Part()
    one_node = len(topology["nodes"]) == 1
    for (node, size), count in sorted(pages.items()):
        place = WHOLE if one_node else f"{NODES}/node{node}/hugepages"
        path = f"{place}/hugepages-{size}kB/nr_hugepages"
        total = max(count, _total(state, node, size))
        at_boot_by_file = at_boot and not line_takes_nodes(topology, state)
        part.values.append(Value(path, str(total), at_boot, path if at_boot_by_file else None))
        keys = ("memory", "nodes", str(node), "hugepages_by_size_kib", str(size), "total")
        part.wanted = merged(part.wanted, nested(keys, total))
    return part


def line_takes_nodes(topology: Document, state: Document) -> bool:
    """Return whether the kernel's line can say on which nodes pages are."""
    release = re.match(r"(\d+)\.(\d+)", state["kernel"]["release"] or "")
    version = (int(release[1]), int(release[2])) if release else (0, 0)
    return len(topology["nodes"]) == 1 or version >= NODES_AT_BOOT_SINCE


def parameters(pages: Pages, topology: Document) -> list[str]:
    """Return what reserves the pages from the kernel's line: each size, then how many of it on which node."""
    words = []
    for size in sorted({size for (_node, size), count in pages.items() if count}):
        of_size = {node: count for (node, kib), count in sorted(pages.items()) if kib == size and count}
        if len(topology["nodes"]) == 1:
            said = str(sum(of_size.values()))
        else:
            said = ",".join(f"{node}:{count}" for node, count in of_size.items())
        words += [f"hugepagesz={_unit(size)}", f"hugepages={said}"]
    return words


def mounts(pages: Pages, paths: t.Mapping[t.Any, str], state: Document) -> tuple[list[Document], list[str]]:
    """Return the mounts of the sizes in use, each with whether it is there, and what is in the way."""
    by_size = {int(size): path for size, path in paths.items()}
    has = value_at(state, ("memory", "hugetlbfs_mounts"))
    rows: list[Document] = []
    wrong: list[str] = []
    for size in sorted({size for (_node, size), count in pages.items() if count}):
        path = by_size.get(size)
        if path is None:
            wrong.append(f"host_tuning_hugetlbfs names no mount point for pages of {size} KiB; name one")
            continue
        if not MOUNT_POINT.fullmatch(path):
            wrong.append(
                f"host_tuning_hugetlbfs has {path!r}; give an absolute path of letters, digits and any of _.-"
            )
            continue
        mounted = has.get(path)
        if mounted is not None and mounted["page_size_kib"] != size:
            wrong.append(
                f"{path} has pages of {mounted['page_size_kib']} KiB mounted; name another path for those of {size} "
                "KiB in host_tuning_hugetlbfs"
            )
        rows.append(
            {
                "path": path,
                "page_size_kib": size,
                "size": _unit(size),
                "mounted": mounted is not None,
                "unit": mount_unit(path),
            }
        )
    return rows, wrong


def mount_unit(path: str) -> str | None:
    """Return the name that systemd has for a mount point; None for the one that it mounts by itself.

    Source: systemd.unit(5), "string escaping for inclusion in unit names".
    """
    if path == MOUNTED_BY_SYSTEMD:
        return None
    return f"{re.sub(UNESCAPED, _escape, path.strip('/')).replace('/', '-')}.mount"


def _escape(letter: re.Match[str]) -> str:
    return f"\\x{ord(letter[0]):02x}"


def _total(state: Document, node: int, size: int) -> int:
    keys = ("memory", "nodes", str(node), "hugepages_by_size_kib", str(size), "total")
    return value_at(state, keys) or 0


def _unit(size_kib: int) -> str:
    for unit, letter in UNITS.items():
        if size_kib % unit == 0:
            return f"{size_kib // unit}{letter}"
    return f"{size_kib}K"


def _listed(numbers: t.Iterable[t.Any]) -> str:
    return ", ".join(map(str, sorted(numbers)))
