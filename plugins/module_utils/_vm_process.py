# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the QEMU process of a VM has of its host: CPUs of its threads, pages of its guest's memory, its start.

The process may end at any moment, so each function then has nothing to tell, and never an error.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

PID_FILES = "run/libvirt/qemu"
# QEMU's names of its threads, of which libvirt sees to it that they are set.
VCPU = re.compile(r"CPU ([0-9]{1,4})/")
ALL_VCPUS = "ALL CPUs/"  # TCG with one thread for all of them
IO_THREAD = re.compile(r"IO iothread([0-9]{1,4})")
# QEMU's and libvirt's names of the objects that back a guest's memory are in the names of their files.
BACKING = re.compile(r"file=\S*(pc\.ram|ram-node[0-9]|dimm[0-9])")
HUGE = "huge"  # so numa_maps marks pages of a hugetlbfs, which QEMU has for nothing else
PAGE_SIZE = re.compile(r"kernelpagesize_kB=([0-9]{1,9})")
ON_NODE = re.compile(r"N([0-9]{1,4})=([0-9]{1,15})")
START_FIELD = 22  # of /proc/PID/stat, proc_pid_stat(5): starttime
BOOT = re.compile(r"^btime ([0-9]{1,15})$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Thread:
    """A thread of QEMU. At most one of vcpu and io_thread is a number."""

    id: int
    name: str
    cpus: str | None  # on which it may run; None: unreadable
    vcpu: int | None = None
    io_thread: int | None = None


@dataclasses.dataclass(frozen=True, order=True)
class Pages:
    """How many pages of one size a guest has of a NUMA node."""

    node: int
    size_kib: int
    pages: int


@dataclasses.dataclass(frozen=True)
class Process:
    """A QEMU process; None is for what could not be read."""

    pid: int
    threads: t.Sequence[Thread]
    pages: t.Sequence[Pages] | None
    started: datetime.datetime | None
    uptime_s: float | None


def read(name: str, vcpus: int, root: str = "/") -> Process | None:
    """Return the process of the VM name; None if none runs."""
    pid = find(name, root)
    if pid is None:
        return None
    numa_maps = _sysfs.text(root, f"proc/{pid}/numa_maps")
    started, uptime_s = age(pid, root)
    return Process(
        pid=pid,
        threads=threads(pid, vcpus, root),
        pages=None if numa_maps is None else guest_pages(numa_maps),
        started=started,
        uptime_s=uptime_s,
    )


def find(name: str, root: str = "/") -> int | None:
    """Return the id of the VM's process, by libvirt's note of it."""
    pid = _sysfs.number(root, f"{PID_FILES}/{name}.pid")
    words = (_sysfs.text(root, f"proc/{pid}/cmdline") or "").split("\0") if pid else []
    # A note may outlive its process, and the number be another's by now.
    return pid if any(f"{word},".startswith(f"guest={name},") for word in words) else None


def threads(pid: int, vcpus: int, root: str = "/") -> list[Thread]:
    """Return the threads of a process; one that serves all vCPUs is there for each."""
    found: list[Thread] = []
    for number in map(int, _sysfs.names(root, f"proc/{pid}/task")):
        status = fields(_sysfs.text(root, f"proc/{pid}/task/{number}/status") or "")
        if "Name" not in status:
            continue  # it has ended
        thread = Thread(number, status["Name"], _sysfs.cpu_list(status.get("Cpus_allowed_list", "-")))
        if thread.name.startswith(ALL_VCPUS):
            found += [dataclasses.replace(thread, vcpu=vcpu) for vcpu in range(vcpus)]
        elif vcpu := VCPU.match(thread.name):
            found.append(dataclasses.replace(thread, vcpu=int(vcpu[1])))
        elif io_thread := IO_THREAD.match(thread.name):
            found.append(dataclasses.replace(thread, io_thread=int(io_thread[1])))
        else:
            found.append(thread)
    return found


def own_cpus(root: str = "/") -> str | None:
    """Return the CPUs of the process that asks: what this host gives to a process that nobody pins."""
    return _sysfs.cpu_list(fields(_sysfs.text(root, "proc/self/status") or "").get("Cpus_allowed_list", "-"))


def fields(status: str) -> dict[str, str]:
    """Return the fields of /proc/PID/status."""
    return {
        name: value.strip() for name, _colon, value in (line.partition(":") for line in status.splitlines())
    }


def guest_pages(numa_maps: str) -> list[Pages]:
    """Return the pages that back a guest's memory, of all that a QEMU process has mapped."""
    found: dict[tuple[int, int], int] = {}
    for line in numa_maps.splitlines():
        size = PAGE_SIZE.search(line)
        if size and (HUGE in line.split() or BACKING.search(line)):
            for node, pages in ON_NODE.findall(line):
                place = int(node), int(size[1])
                found[place] = found.get(place, 0) + int(pages)
    return sorted(Pages(node, size_kib, pages) for (node, size_kib), pages in found.items())


def age(pid: int, root: str = "/") -> tuple[datetime.datetime | None, float | None]:
    """Return when a process was started, and how many seconds ago."""
    # The program's name is in parentheses, and may have some of its own.
    after_name = (_sysfs.text(root, f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    now = re.match(r"[0-9]{1,15}(\.[0-9]{1,9})?", _sysfs.text(root, "proc/uptime") or "")
    boot = BOOT.search(_sysfs.text(root, "proc/stat") or "")
    start = after_name[START_FIELD - 3 : START_FIELD - 2]  # the first two fields are before
    if not start or not start[0].isdecimal():
        return None, None
    start_s = int(start[0]) / os.sysconf("SC_CLK_TCK")
    started = datetime.datetime.fromtimestamp(int(boot[1]) + start_s, datetime.UTC) if boot else None
    return started, round(max(0.0, float(now[0]) - start_s), 2) if now else None
