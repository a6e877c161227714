# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's resctrl file system: what the caches can be divided into, the groups there are, and changes of them.

Source: Documentation/filesystems/resctrl.rst of Linux, up to 6.15 arch/x86/resctrl.rst, and fs/resctrl/*.c.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files
from ansible_collections.detnet.testbed.plugins.module_utils._state_services import (
    RESCTRL_OWN,
    WHOLE_MACHINE,
    schemata,
)

MOUNT_POINT = "/sys/fs/resctrl"
MOUNT = ["mount", "-t", "resctrl", "resctrl", MOUNT_POINT]
CPUS = "sys/devices/system/cpu"
LEVELS = (3, 2)
# With code and data prioritization a cache has two masks; the same ways are given to both.
RESOURCES = ("L{}",), ("L{}CODE", "L{}DATA")
TIMEOUT_S = 30

Masks = dict[str, dict[int, int]]  # by resource and number of the cache


class ResctrlError(Exception):
    """The kernel did not do it; the message says what, why and the way out."""


@dataclasses.dataclass(frozen=True)
class Cache:
    """The caches that can be divided. hardware has the ways that devices write to as well; domains has their CPUs."""

    level: int
    resources: tuple[str, ...]
    full: int
    keep: int
    hardware: int
    groups: int
    domains: dict[int, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Group:
    """CPUs, and the masks of those caches that matter."""

    cpus: tuple[int, ...]
    masks: Masks


class Resctrl:
    """The file system of the machine whose files are at root."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    @property
    def mounted(self) -> str | None:
        found = files.mounts(self.root, "resctrl")
        return found[0][0] if found else None

    def missing(self) -> str | None:
        """Return why caches cannot be divided here, as far as the kernel says so without the file system."""
        flags = set(re.findall(r"\w+", self._processor_flags()))
        if "resctrl" not in (files.text(self.root, "proc/filesystems") or "").split():
            if "rdt_a" in flags:
                return "this kernel has no resctrl; boot one that was built with CONFIG_X86_CPU_RESCTRL"
            return "this processor cannot divide its caches (it has neither Intel's RDT nor AMD's QoS)"
        if not self.mounted and flags and not flags & {"cat_l3", "cat_l2"}:
            return (
                "this processor can watch its caches, but not divide them (it has neither cat_l3 nor cat_l2)"
            )
        return None

    def mount(self) -> None:
        self._run(MOUNT)

    def unmount(self) -> None:
        self._run(["umount", self.mounted or MOUNT_POINT])

    def online(self) -> tuple[int, ...]:
        return _cpu_list.parse(files.cpus(self.root, f"{CPUS}/online") or "")

    def cache(self) -> Cache | None:
        """Return the last caches that can be divided, None if there are none."""
        for level in LEVELS:
            for pattern in RESOURCES:
                names = tuple(name.format(level) for name in pattern)
                full = self._mask(names[0], "cbm_mask")
                if full:
                    return Cache(
                        level,
                        names,
                        full,
                        max(1, files.number(self.root, self._at("info", names[0], "min_cbm_bits")) or 0),
                        self._mask(names[0], "shareable_bits"),
                        self._most_groups(),
                        self._domains(level),
                    )
        return None

    def groups(self, cache: Cache) -> dict[str, Group]:
        """Return all groups, among them the default one, which has all CPUs that are in no other."""
        names = [name for name in files.names(self.root, self._at()) if name not in RESCTRL_OWN]
        return {
            name: self.group(name, cache)
            for name in (WHOLE_MACHINE, *names)
            if os.path.isdir(os.path.join(self.root, self._at(name)))
        }

    def group(self, name: str, cache: Cache) -> Group:
        cpus = files.cpus(self.root, self._at(name, "cpus_list"))
        masks = files.text(self.root, self._at(name, "schemata"))
        return Group(_cpu_list.parse(cpus or ""), masks_of(masks or "", cache.resources))

    def make(self, name: str) -> None:
        self._do(f"make the group {name}", lambda: os.mkdir(os.path.join(self.root, self._at(name))))

    def remove(self, name: str) -> None:
        """Remove a group; its CPUs go to the default one."""
        self._do(f"remove the group {name}", lambda: os.rmdir(os.path.join(self.root, self._at(name))))

    def set_cpus(self, name: str, cpus: t.Sequence[int]) -> None:
        listed = _cpu_list.text(cpus)
        self._write(f"give the CPUs {listed} to the group {name}", self._at(name, "cpus_list"), f"{listed}\n")

    def set_masks(self, name: str, wanted: Masks) -> None:
        """Set the masks of some caches; the others stay as they are."""
        lines = [f"{resource}:{text(of_caches)}" for resource, of_caches in wanted.items()]
        what = f"give {' '.join(lines)} to the group {name}"
        self._write(what, self._at(name, "schemata"), "".join(f"{line}\n" for line in lines))

    def _at(self, *names: str) -> str:
        parts = [name for name in names if name != WHOLE_MACHINE]
        return os.path.join(self.mounted or MOUNT_POINT, *parts).lstrip("/")

    def _mask(self, resource: str, name: str) -> int:
        found = files.text(self.root, self._at("info", resource, name)) or ""
        return int(found, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]{1,16}", found) else 0

    def _most_groups(self) -> int:
        """Return how many groups there can be, the default one included: the kernel takes the smallest number."""
        numbers = [
            files.number(self.root, self._at("info", name, "num_closids"))
            for name in files.names(self.root, self._at("info"))
        ]
        return min((number for number in numbers if number is not None), default=1)

    def _domains(self, level: int) -> dict[int, tuple[int, ...]]:
        found: dict[int, list[int]] = {}
        for cpu in self.online():
            for index in files.numbered(self.root, f"{CPUS}/cpu{cpu}/cache", "index"):
                cache = f"{CPUS}/cpu{cpu}/cache/index{index}"
                number = files.number(self.root, f"{cache}/id")
                if number is not None and files.number(self.root, f"{cache}/level") == level:
                    found.setdefault(number, []).append(cpu)
        return {number: tuple(cpus) for number, cpus in sorted(found.items())}

    def _processor_flags(self) -> str:
        found = re.search(r"^flags\s*:(.*)$", files.text(self.root, "proc/cpuinfo") or "", re.MULTILINE)
        return found[1] if found else ""

    def _write(self, what: str, path: str, command: str) -> None:
        self._do(what, lambda: put(os.path.join(self.root, path), command))

    def _do(self, what: str, act: t.Callable[[], None]) -> None:
        try:
            act()
        except OSError as exc:
            why = files.text(self.root, self._at("info", "last_cmd_status"))
            told = f": {why}" if why and why != "ok" else ""
            raise ResctrlError(f"the kernel did not {what} ({exc.strerror}{told})") from exc

    @staticmethod
    def _run(command: list[str]) -> None:
        line = " ".join(command)
        try:
            done = subprocess.run(command, check=False, capture_output=True, timeout=TIMEOUT_S, text=True)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise ResctrlError(f"{line} cannot be run: {exc}") from exc
        if done.returncode:
            raise ResctrlError(
                f"{line} ended with {done.returncode}: {done.stderr.strip() or 'without a word'}"
            )


def masks_of(found: str, resources: t.Sequence[str]) -> Masks:
    """Return the masks of a schemata file; those that are not set, as of a group about to be locked, are left out."""
    lines = schemata(found)
    return {
        resource: {
            int(number): int(mask, 16)
            for number, mask in re.findall(r"(\d+)=\s*([0-9a-fA-F]+)", lines.get(resource, ""))
        }
        for resource in resources
    }


def text(of_caches: t.Mapping[int, int]) -> str:
    """Return masks as they are in a schemata file, without zeros in front."""
    return ";".join(f"{number}={mask:x}" for number, mask in sorted(of_caches.items()))


def said(group: Group) -> str:
    """Return a group in a line."""
    masks = [f"{resource} {text(of_caches)}" for resource, of_caches in group.masks.items()]
    return ", ".join([f"CPUs {_cpu_list.text(group.cpus) or 'none'}", *masks])


def put(path: str, command: str) -> None:
    """Write to a file of the kernel, which takes it as one command."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, command.encode())
    finally:
        os.close(descriptor)
