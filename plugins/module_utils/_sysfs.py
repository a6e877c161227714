# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the small files of procfs and sysfs, each of which may be absent, unreadable or odd: then None or nothing."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

INTEGER = re.compile(r"-?[0-9]{1,19}")  # no longer than the kernel's own
MASK = re.compile(r"[0-9a-f]{1,8}(,[0-9a-f]{8})*", re.IGNORECASE)
MASK_BITS = 32 * 256  # CONFIG_NR_CPUS is at most 8192
UNSET = "(null)"  # so the kernel prints a string or a mask that was never set


def text(root: str, path: str) -> str | None:
    """Return a file's text without white space around it, None if it cannot be read."""
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except (OSError, ValueError):  # a path with a zero byte is a ValueError
        return None


def word(root: str, path: str) -> str | None:
    """Return a file's text, None also where it is empty or was never set."""
    found = text(root, path)
    return None if found in ("", UNSET) else found


def number(root: str, path: str) -> int | None:
    found = text(root, path) or ""
    return int(found) if INTEGER.fullmatch(found) else None


def switch(root: str, path: str) -> bool | None:
    """Return what a file with 0 or 1 says."""
    return {"0": False, "1": True}.get(text(root, path) or "")


def cpus(root: str, path: str) -> str | None:
    """Return the list of CPUs in a file, in the shortest notation."""
    found = text(root, path)
    return None if found is None else cpu_list(found)


def cpu_list(found: str) -> str | None:
    """Return a list of CPUs in the shortest notation, empty for none; None for what is no list."""
    if found == UNSET:
        return ""
    try:
        return _cpu_list.text(_cpu_list.parse(found))
    except ValueError:
        return None


def cpus_of_mask(root: str, path: str) -> str | None:
    """Return the CPUs of a mask in a file as a list."""
    found = text(root, path)
    return None if found is None else mask_list(found)


def mask_list(mask: str) -> str | None:
    """Return the CPUs of a mask as a list; None for what is no mask."""
    if not MASK.fullmatch(mask):
        return None
    bits = int(mask.replace(",", ""), 16)
    if bits.bit_length() > MASK_BITS:
        return None
    return _cpu_list.text(bit for bit in range(bits.bit_length()) if bits >> bit & 1)


def chosen(root: str, path: str) -> str | None:
    """Return the word in brackets: "always [madvise] never"."""
    found = re.search(r"\[([^\]]*)\]", text(root, path) or "")
    return found[1] if found else None


def link(root: str, path: str) -> str | None:
    """Return the last name of what a symbolic link leads to."""
    try:
        return os.path.basename(os.readlink(os.path.join(root, path)))
    except (OSError, ValueError):  # a path with a zero byte is a ValueError
        return None


def names(root: str, path: str) -> list[str]:
    """Return the names in a directory, 10 after 9; none if it cannot be read."""
    try:
        return sorted(os.listdir(os.path.join(root, path)), key=natural)
    except (OSError, ValueError):  # a path with a zero byte is a ValueError
        return []


def numbered(root: str, path: str, prefix: str) -> list[int]:
    """Return N of the names prefixN in a directory, in order."""
    return [
        int(name[len(prefix) :]) for name in names(root, path) if re.fullmatch(prefix + r"[0-9]{1,9}", name)
    ]


def node_of(root: str, device: str) -> int | None:
    """Return the NUMA node of a device's directory; None where the firmware does not say, which is -1."""
    found = number(root, f"{device}/numa_node")
    return found if found is not None and found >= 0 else None


def memory_mib(root: str, path: str) -> int | None:
    """Return the memory in /proc/meminfo, or in the meminfo of a node."""
    total = re.search(r"MemTotal: +([0-9]{1,19}) kB", text(root, path) or "")
    return int(total[1]) // 1024 if total else None


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as people do: rx-9 before rx-10."""
    parts = re.findall(r"[0-9]{1,19}|[^0-9]+", name)
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]


def grouped(values: t.Mapping[int, str | None]) -> dict[str, str]:
    """Return each value with the list of CPUs that have it; CPUs without a value are in none."""
    groups: dict[str, list[int]] = {}
    for cpu, value in values.items():
        if value is not None:
            groups.setdefault(value, []).append(cpu)
    return {value: _cpu_list.text(groups[value]) for value in sorted(groups, key=natural)}


def mounts(root: str, kind: str) -> list[tuple[str, str]]:
    """Return mount point and options of each mounted file system of a kind."""
    found = []
    for line in (text(root, "proc/self/mounts") or "").splitlines():
        fields = line.split(" ")
        if len(fields) >= 4 and fields[2] == kind:
            found.append((unescaped(fields[1]), fields[3]))
    return found


def unescaped(path: str) -> str:
    """Return a path of /proc/self/mounts, in which the kernel writes white space as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
