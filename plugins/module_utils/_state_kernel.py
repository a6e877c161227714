# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel that runs: its release and command line, what it made of them, and its settings."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
# The kernel's own names; intervals are in seconds.
SYSCTLS = (
    "kernel.hung_task_timeout_secs",
    "kernel.nmi_watchdog",
    "kernel.numa_balancing",
    "kernel.printk",
    "kernel.sched_rt_runtime_us",
    "kernel.timer_migration",
    "kernel.watchdog",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.ipv4.tcp_fastopen",
    "vm.dirty_background_ratio",
    "vm.dirty_ratio",
    "vm.stat_interval",
    "vm.swappiness",
)


def read(root: str = "/") -> dict[str, t.Any]:
    return {
        "release": files.word(root, "proc/sys/kernel/osrelease"),
        "realtime": files.switch(root, "sys/kernel/realtime") or False,  # only PREEMPT_RT has the file
        "command_line": list(_kernel_line.split(files.text(root, "proc/cmdline") or "")),
        "isolated_cpus": files.cpus(root, f"{CPU}/isolated"),
        "nohz_full_cpus": files.cpus(root, f"{CPU}/nohz_full"),
        "watchdog_cpus": files.cpus(root, "proc/sys/kernel/watchdog_cpumask"),
        "clocksource": files.word(root, CLOCK),
        "sysctls": {name: sysctl(root, name) for name in SYSCTLS},
    }


def sysctl(root: str, name: str) -> int | str | None:
    """Return a setting's number, or its numbers as a text."""
    words = (files.text(root, f"proc/sys/{name.replace('.', '/')}") or "").split()
    return int(words[0]) if len(words) == 1 and files.INTEGER.fullmatch(words[0]) else " ".join(words) or None


def values_of(line: t.Iterable[str], name: str) -> list[str]:
    """Return what the line says for a parameter, as often as it says it; a flag without a value is empty."""
    return [
        word.partition("=")[2] for word in line if _kernel_line.name_of(word) == _kernel_line.name_of(name)
    ]
