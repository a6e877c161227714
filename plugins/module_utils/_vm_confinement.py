# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds a guest that has taken over its QEMU: read from the process itself, not from libvirt's configuration."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._vm_process import fields

FILTER = "2"  # SECCOMP_MODE_FILTER of prctl(2)
UNCONFINED = "unconfined"  # what AppArmor says of a process without a profile
QEMU_CONF = "/etc/libvirt/qemu.conf"

Difference = tuple[str, t.Any, t.Any, str]  # setting, wanted, real, reason


@dataclasses.dataclass(frozen=True)
class Confinement:
    """How a process is confined; None is for what could not be read."""

    user_id: int | None
    capabilities: int | None  # the mask of the effective ones
    system_call_filter: bool | None
    own_mounts: bool | None  # whether it has a mount namespace of its own
    label: str | None  # its AppArmor profile or SELinux context; None also where the kernel has neither


def read(pid: int, root: str = "/") -> Confinement:
    """Return how a process is confined; one that has ended has nothing to tell."""
    status = fields(_sysfs.text(root, f"proc/{pid}/status") or "")
    users = status.get("Uid", "").split()[1:2]  # the effective one
    mask, seccomp = status.get("CapEff"), status.get("Seccomp")
    mounts, of_host = (_sysfs.link(root, f"proc/{who}/ns/mnt") for who in (pid, "self"))
    return Confinement(
        user_id=int(users[0]) if users else None,
        capabilities=int(mask, 16) if mask else None,
        system_call_filter=seccomp == FILTER if seccomp else None,
        own_mounts=mounts != of_host if mounts and of_host else None,
        label=(_sysfs.text(root, f"proc/{pid}/attr/current") or "").strip("\0") or None,
    )


def differences(real: t.Mapping[str, t.Any]) -> t.Iterator[Difference]:
    """Yield what does not confine a VM; real is a Confinement as a dict."""
    if real["user_id"] == 0:
        yield "user", "not root", "root", f"{QEMU_CONF} has user; give it an unprivileged one"
    if real["capabilities"]:
        mask = f"{real['capabilities']:#x}"
        yield "capabilities", "none", mask, f"{QEMU_CONF} has clear_emulator_capabilities = 0; remove that"
    if real["system_call_filter"] is False:
        yield "system_call_filter", True, False, f"{QEMU_CONF} has seccomp_sandbox = 0; remove that"
    if real["own_mounts"] is False:
        yield "own_mounts", True, False, f'{QEMU_CONF} has namespaces without "mount"; remove that'
    if real["label"] == UNCONFINED:
        yield "label", "a profile", UNCONFINED, f'{QEMU_CONF} has security_driver = "none"; remove that'
