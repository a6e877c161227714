# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where interrupts and the kernel's unbound work may run, and where interrupts really go."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

IRQS = "proc/irq"
WORKQUEUES = "sys/devices/virtual/workqueue"
# What stands behind the counts: chip, number at the chip, trigger, and who listens.
# " PCI-MSIX-0000:00:05.0   1-edge      virtio4-input", "ITS-MSI 524288 Edge      nvme0q0".
LISTENERS = re.compile(r"\S+(?: \S+)*? +\d+(?:-\S*| +(?:Level|Edge)\b)?(?: +(.*))?")


def read(root: str = "/") -> dict[str, t.Any]:
    workqueues = [
        name
        for name in files.names(root, WORKQUEUES)
        if files.text(root, f"{WORKQUEUES}/{name}/cpumask") is not None
    ]
    return {
        "default_cpus": files.cpus_of_mask(root, f"{IRQS}/default_smp_affinity"),
        "irqs": irqs(root),
        "unbound_workqueue_cpus": files.cpus_of_mask(root, f"{WORKQUEUES}/cpumask"),
        "workqueues": {
            name: {"cpus": files.cpus_of_mask(root, f"{WORKQUEUES}/{name}/cpumask")} for name in workqueues
        },
    }


def irqs(root: str) -> dict[str, dict[str, t.Any]]:
    """Return the interrupts that somebody listens to, by the listeners' names.

    Numbers change with each boot, names do not; a name's second interrupt is "name #2".
    """
    found: dict[str, dict[str, t.Any]] = {}
    for irq, name in listeners(files.text(root, "proc/interrupts") or ""):
        label, count = name, 1
        while label in found:
            count += 1
            label = f"{name} #{count}"
        found[label] = {
            "irq": irq,
            "asked_cpus": files.cpus(root, f"{IRQS}/{irq}/smp_affinity_list"),
            "effective_cpus": files.cpus(root, f"{IRQS}/{irq}/effective_affinity_list"),
            "writable": writable(root, f"{IRQS}/{irq}/smp_affinity_list"),
        }
    return {label: found[label] for label in sorted(found, key=files.natural)}


def listeners(table: str) -> list[tuple[int, str]]:
    """Return number and listeners of each interrupt of /proc/interrupts that has one, by number."""
    lines = table.splitlines()
    cpus = len(lines[0].split()) if lines else 0
    found = []
    for line in lines[1:]:
        number, *_counts, rest = line.split(None, cpus + 1) if len(line.split()) > cpus + 1 else ("", "")
        name = listener(rest) if re.fullmatch(r"[0-9]{1,9}:", number) else ""  # not NMI:, LOC: and the like
        if name:
            found.append((int(number[:-1]), name))
    return sorted(found)


def listener(rest: str) -> str:
    match = LISTENERS.fullmatch(rest.strip())
    if match:
        return (match[1] or "").strip()
    # A chip that does not number its interrupts, such as Xen's: the listener comes after a gap.
    parts = re.split(r" {2,}", rest.strip())
    return parts[-1] if len(parts) > 1 else ""


def writable(root: str, path: str) -> bool | None:
    """Return whether the kernel lets anybody write the affinity; old kernels always say so."""
    try:
        return bool(os.stat(os.path.join(root, path)).st_mode & stat.S_IWUSR)
    except OSError:
        return None
