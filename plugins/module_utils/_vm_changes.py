# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a VM differs from what is wanted, and what each change takes: nothing, a restart, or another VM.

Nothing here touches the machine.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm

LIVE = "live"  # the running VM takes it
REBOOT = "reboot"  # it takes it with its next start
RECREATE = "recreate"  # only another VM has it; what is on the disk is lost
NEVER = "never"  # it is what makes it this VM
REACH = (LIVE, REBOOT, RECREATE, NEVER)  # each goes further than the one before it

# All other settings are read by QEMU, or by the guest's kernel, when they start.
APPLIES = {
    "vcpu_cpus": LIVE,
    "emulator_cpus": LIVE,
    "io_thread_cpus": LIVE,
    "backend": LIVE,
    "image": RECREATE,
    "firmware": RECREATE,  # what it boots is noted in the firmware's variables and on the disk
    "user_data_sha256": RECREATE,  # cloud-init does it once; what it did is on the disk
    "directory": RECREATE,
    "id": NEVER,
}


@dataclasses.dataclass(frozen=True)
class Change:
    """One setting of a VM that is not as wanted."""

    setting: str  # such as "interfaces[0].queue_size"
    before: t.Any
    after: t.Any
    apply: str  # LIVE, REBOOT, RECREATE or NEVER
    configured: bool = False  # whether the next start has it already


def changes(wanted: Vm, observed: Observed) -> list[Change]:
    """Return what has to change until the VM runs, or would run, as wanted; the order is that of Vm's fields.

    A VM that has it configured, but still runs with the old setting, differs by what it runs with.
    """
    configured = _differences(wanted, observed.configured)
    # What runs is what people see, so what it has is what changes.
    both = configured | _differences(wanted, observed.running)
    return [
        Change(setting, before, after, _apply(setting, before, after), setting not in configured)
        for setting in dict.fromkeys((*settings(wanted), *both))
        if setting in both
        for before, after in [both[setting]]
    ]


def furthest(found: t.Iterable[Change]) -> str | None:
    """Return how far all changes together go, None if there is none."""
    return max((change.apply for change in found), key=REACH.index, default=None)


def settings(vm: Vm) -> dict[str, t.Any]:
    """Return all settings of a VM, flat, by name."""
    return dict(_flat("", dataclasses.asdict(vm)))


def _differences(wanted: Vm, has: Vm | None) -> dict[str, tuple[t.Any, t.Any]]:
    """Return what a VM has and what is wanted, for each setting in which they differ."""
    if has is None:
        return {}
    after, before = settings(wanted), settings(has)
    return {
        setting: (before.get(setting), after.get(setting))
        for setting in {**after, **before}
        if after.get(setting) != before.get(setting) and not _content(setting, after.get(setting))
    }


def _content(setting: str, wanted: t.Any) -> bool:
    """Return whether a VM may have any value of a setting."""
    return (setting, wanted) in (("accelerator", "auto"), ("disk.size_mib", None))


def _apply(setting: str, before: t.Any, after: t.Any) -> str:
    if setting == "disk.size_mib" and before is not None and after < before:
        return RECREATE  # what was beyond is lost
    apply = APPLIES.get(setting, REBOOT)
    # A thread that has, or had, all CPUs is not told so while it runs.
    return REBOOT if apply == LIVE and None in (before, after) else apply


def _flat(prefix: str, value: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, part)
    elif prefix == "interfaces":
        for number, part in enumerate(value):
            yield from _flat(f"{prefix}[{number}]", part)
    else:
        yield prefix, list(value) if isinstance(value, tuple) else value
