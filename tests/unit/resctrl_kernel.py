# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's resctrl without the kernel: a tree of files, and who takes or refuses what is done to it.

It refuses what fs/resctrl/*.c of Linux refuses, with the same words in info/last_cmd_status.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _resctrl

TOP = "sys/fs/resctrl"


class Kernel:
    """Two processors of four CPUs, each with a cache of eleven ways; devices write to the upper two."""

    def __init__(self, root: Path, **machine: t.Any) -> None:
        self.root = root
        self.level: int = machine.get("level", 3)
        self.domains: dict[int, tuple[int, ...]] = machine.get("domains", {0: (0, 1, 2, 3), 1: (4, 5, 6, 7)})
        self.resources: tuple[str, ...] = machine.get("resources", ("L3",))
        self.full: int = machine.get("full", 0x7FF)
        self.least: int = machine.get("least", 1)
        self.hardware: int = machine.get("hardware", 0x600)
        self.most: int = machine.get("most", 8)
        self.divides: bool = machine.get("divides", True)
        self.done: list[str] = []
        self.refusals: dict[str, int] = {}  # errors by the beginning of what is done
        self.deaf: set[str] = set()  # what is taken and changes nothing
        self.mounted = False
        self.groups: dict[str, dict[str, t.Any]] = {}
        self.write("proc/filesystems", "nodev\tsysfs\nnodev\tresctrl\n\text4\n")
        self.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu rdt_a cat_l3 cdp_l3 mba\n")
        self.write("proc/sys/kernel/random/boot_id", "first\n")
        self.write("sys/devices/system/cpu/online", _cpu_list.text(self.cpus()) + "\n")
        for number, cpus in self.domains.items():
            for cpu in cpus:
                caches = f"sys/devices/system/cpu/cpu{cpu}/cache"
                self.write(f"{caches}/index0/level", "1\n")
                self.write(f"{caches}/index0/id", f"{cpu}\n")
                self.write(f"{caches}/index1/level", f"{self.level}\n")
                self.write(f"{caches}/index1/id", f"{number}\n")
        self.unmount()

    def cpus(self) -> list[int]:
        return sorted(cpu for cpus in self.domains.values() for cpu in cpus)

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def text(self, path: str) -> str:
        return (self.root / TOP / path).read_text()

    def state(self) -> dict[str, str]:
        """Return all groups, each in a line."""
        return {
            name: f"{_cpu_list.text(group['cpus'])} {' '.join(self.lines(group))}"
            for name, group in self.groups.items()
        }

    def lines(self, group: dict[str, t.Any]) -> list[str]:
        width = (self.full.bit_length() + 3) // 4
        return [
            f"{resource}:{';'.join(f'{number}={mask:0{width}x}' for number, mask in masks.items())}"
            for resource, masks in group["masks"].items()
        ]

    # What is done to it.

    def run(self, command: list[str], **_named: t.Any) -> subprocess.CompletedProcess[str]:
        self.done.append(" ".join(command))
        refusal = self.refusal()
        if refusal:
            return subprocess.CompletedProcess(command, 32, "", f"{command[0]}: {os.strerror(refusal)}")
        if command[0] == "mount":
            self.mount()
        else:
            self.unmount()
        return subprocess.CompletedProcess(command, 0, "", "")

    def start(self, commands: list[list[str]], values: list[dict[str, str]]) -> None:
        """Start the machine as systemd does: commands, then what systemd-tmpfiles writes."""
        for command in commands:
            if command[0] == "mkdir":
                self.make(os.path.basename(command[-1]))
            else:
                self.run(command)
        for row in values:
            self.put(f"{self.root}{row['path']}", row["value"].replace(r"\n", "\n"))

    def mount(self) -> None:
        self.mounted = True
        self.groups = {"/": self.group(set(self.cpus()))}
        self.write("proc/self/mounts", "resctrl /sys/fs/resctrl resctrl rw,relatime 0 0\n")
        self.write(f"{TOP}/info/last_cmd_status", "ok\n")
        self.write(f"{TOP}/info/L3_MON/num_rmids", "32\n")
        self.write(f"{TOP}/info/MB/num_closids", f"{self.most}\n")
        for resource in self.resources if self.divides else ():
            for name, text in {
                "cbm_mask": f"{self.full:x}",
                "min_cbm_bits": str(self.least),
                "shareable_bits": f"{self.hardware:x}",
                "num_closids": str(2 * self.most),
            }.items():
                self.write(f"{TOP}/info/{resource}/{name}", f"{text}\n")
        self.show()

    def unmount(self) -> None:
        self.mounted, self.groups = False, {}
        self.write("proc/self/mounts", "sysfs /sys sysfs rw 0 0\n")
        shutil.rmtree(self.root / TOP, ignore_errors=True)
        (self.root / TOP).mkdir(parents=True)

    def group(self, cpus: set[int]) -> dict[str, t.Any]:
        return {
            "cpus": cpus,
            "masks": {resource: dict.fromkeys(self.domains, self.full) for resource in self.resources},
        }

    def make(self, name: str) -> None:
        self.do(f"mkdir {name}")
        if len(self.groups) >= self.most:
            self.refuse(errno.ENOSPC, "Out of CLOSIDs")
        self.groups[name] = self.group(set())
        self.show()

    def remove(self, name: str) -> None:
        self.do(f"rmdir {name}")
        self.groups["/"]["cpus"] |= self.groups.pop(name)["cpus"]
        shutil.rmtree(self.root / TOP / name)
        self.show()

    def put(self, path: str, command: str) -> None:
        inner = os.path.relpath(path, self.root / TOP)
        name, file = os.path.split(inner)
        self.do(f"{name or '/'} {file} {' '.join(command.split())}")
        if self.done[-1] in self.deaf:
            return
        if not command.endswith("\n"):
            self.refuse(errno.EINVAL, "Missing newline")
        if file == "schemata":
            self.set_masks(self.groups[name or "/"], command)
        else:
            self.set_cpus(name or "/", set(_cpu_list.parse(command)))
        self.show()

    def set_masks(self, group: dict[str, t.Any], command: str) -> None:
        staged = []
        for line in command.splitlines():
            resource, _colon, values = line.strip().partition(":")
            if resource not in group["masks"]:
                self.refuse(errno.EINVAL, f"Unknown or unsupported resource name '{resource}'")
            for value in values.split(";"):
                number, _equals, digits = value.partition("=")
                mask = int(digits, 16)
                if int(number) not in self.domains:
                    self.refuse(errno.EINVAL, "")
                if not 0 < mask <= self.full:
                    self.refuse(errno.EINVAL, "Mask out of range")
                if not re.fullmatch("0*1+0*", f"{mask:b}"):
                    self.refuse(errno.EINVAL, f"The mask {mask:x} has non-consecutive 1-bits")
                if mask.bit_count() < self.least:
                    self.refuse(errno.EINVAL, f"Need at least {self.least} bits in the mask")
                staged.append((resource, int(number), mask))
        for resource, number, mask in staged:
            group["masks"][resource][number] = mask

    def set_cpus(self, name: str, cpus: set[int]) -> None:
        if not cpus <= set(self.cpus()):
            self.refuse(errno.EINVAL, "Can only assign online CPUs")
        if name == "/" and not self.groups["/"]["cpus"] <= cpus:
            self.refuse(errno.EINVAL, "Can't drop CPUs from default group")
        self.groups["/"]["cpus"] |= self.groups[name]["cpus"]
        for group in self.groups.values():
            group["cpus"] -= cpus
        self.groups[name]["cpus"] = cpus

    def do(self, what: str) -> None:
        self.done.append(what)
        self.write(f"{TOP}/info/last_cmd_status", "ok\n")
        refusal = self.refusal()
        if refusal:
            raise OSError(refusal, os.strerror(refusal))

    def refusal(self) -> int | None:
        return next(
            (error for start, error in self.refusals.items() if self.done[-1].startswith(start)), None
        )

    def refuse(self, error: int, status: str) -> t.NoReturn:
        self.write(f"{TOP}/info/last_cmd_status", f"{status}\n")
        raise OSError(error, os.strerror(error))

    def show(self) -> None:
        for name, group in self.groups.items():
            place = TOP if name == "/" else f"{TOP}/{name}"
            lines = [f"    {line}\n" for line in self.lines(group)] if self.divides else []
            self.write(f"{place}/schemata", "".join(["    MB:0=100;1=100\n", *lines]))
            self.write(f"{place}/cpus_list", f"{_cpu_list.text(group['cpus'])}\n")
            self.write(f"{place}/tasks", "")


class Os:
    """The module os, with the directories of groups made and removed by a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def mkdir(self, path: str) -> None:
        self.kernel.make(os.path.basename(path))

    def rmdir(self, path: str) -> None:
        self.kernel.remove(os.path.basename(path))

    def __getattr__(self, name: str) -> t.Any:
        return getattr(os, name)


def install(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a kernel do what the module asks for."""
    monkeypatch.setattr(_resctrl, "os", Os(kernel))
    monkeypatch.setattr(_resctrl, "put", kernel.put)
    monkeypatch.setattr(_resctrl.subprocess, "run", kernel.run)
