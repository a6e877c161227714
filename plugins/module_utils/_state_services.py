# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that tune a machine, what they were told, and the versions of those that a testbed is made of."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

PACKAGES = (
    "dpdk",
    "driverctl",
    "irqbalance",
    "libvirt-daemon",
    "openvswitch-switch",
    "openvswitch-switch-dpdk",
    "podman",
    "qemu-system-x86",
    "tuned",
)
DPKG_TIMEOUT_S = 10
IRQBALANCE_FILES = ("etc/default/irqbalance", "etc/sysconfig/irqbalance")
# Directories of resctrl that are no groups.
RESCTRL_OWN = ("info", "mon_data", "mon_groups")
WHOLE_MACHINE = "/"  # the group of all that is in no other


def read(root: str = "/") -> dict[str, t.Any]:
    return {
        "tuned": {
            "active_profile": files.word(root, "etc/tuned/active_profile"),
            "running": process(root, "tuned") is not None,
        },
        "irqbalance": irqbalance(root),
        "resctrl": resctrl(root),
        "packages": packages(root),
        "systemd": os.path.isdir(os.path.join(root, "run/systemd/system")),  # as sd_booted(3) tells
    }


def process(root: str, name: str) -> str | None:
    """Return the number of the first process of a name."""
    for number in files.names(root, "proc"):
        if number.isdecimal() and files.text(root, f"proc/{number}/comm") == name:
            return number
    return None


def irqbalance(root: str) -> dict[str, t.Any]:
    """Return whether irqbalance runs, and the CPUs it was told to leave alone.

    What the running one was started with counts, else its file. Told nothing, it leaves the isolated ones alone.
    """
    number = process(root, "irqbalance")
    told = [(files.text(root, f"proc/{number}/environ") or "").split("\0")] if number else []
    told += [(files.text(root, path) or "").splitlines() for path in IRQBALANCE_FILES]
    banned = next(filter(lambda cpus: cpus is not None, map(banned_cpus, told)), None)
    return {"running": number is not None, "banned_cpus": banned}


def banned_cpus(settings: t.Iterable[str]) -> str | None:
    values = {}
    for setting in settings:
        name, _equals, value = setting.strip().removeprefix("export ").partition("=")
        values[name] = value.strip("\"' ")
    if values.get("IRQBALANCE_BANNED_CPULIST"):
        return files.cpu_list(values["IRQBALANCE_BANNED_CPULIST"])
    return files.mask_list(values.get("IRQBALANCE_BANNED_CPUS", ""))


def resctrl(root: str) -> dict[str, t.Any] | None:
    """Return the groups that share the caches, None if resctrl is not mounted."""
    mounted = files.mounts(root, "resctrl")
    if not mounted:
        return None
    top = mounted[0][0].lstrip("/")
    names = [name for name in files.names(root, top) if name not in RESCTRL_OWN]
    groups = [name for name in names if os.path.isdir(os.path.join(root, top, name))]
    return {
        "groups": {
            name: {
                "cpus": files.cpus(root, f"{top}/{name}/cpus_list"),
                "schemata": schemata(files.text(root, f"{top}/{name}/schemata") or ""),
            }
            for name in (WHOLE_MACHINE, *groups)
        }
    }


def schemata(text: str) -> dict[str, str]:
    """Return what a group has of each resource: {"L3": "0=ff;1=ff"}."""
    return dict(sorted(re.findall(r"^\s*(\w+):(\S+)\s*$", text, re.MULTILINE)))


def packages(root: str) -> dict[str, str]:
    """Return the versions of the packages that are installed; none without dpkg."""
    database = os.path.join(root, "var/lib/dpkg")
    form = "${Package} ${db:Status-Status} ${Version}\\n"
    command = ["dpkg-query", f"--admindir={database}", "--show", f"--showformat={form}", *PACKAGES]
    try:
        # It ends with 1 if one of them is unknown, but tells of the others.
        finished = subprocess.run(command, check=False, capture_output=True, timeout=DPKG_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    said = finished.stdout.decode(errors="replace")
    return dict(sorted(re.findall(r"^(\S+) installed (\S+)$", said, re.MULTILINE)))
