# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be free and present on the machine before VMs are created or started.

Each check returns messages, which name the value, the cause and the way out.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _sysfs,
    _vm_files,
    _vm_placement,
)
from ansible_collections.detnet.testbed.plugins.module_utils._accelerator import QEMU
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm, VmError

DISK_MIB_PER_VM = 256  # what a guest that only boots and runs experiments writes stays well below
SERVED_TIMEOUT_S = 2.0


def missing_programs() -> list[str]:
    """Return a message if there is no QEMU."""
    if shutil.which(QEMU):
        return []
    return [f"{QEMU} is not installed; run the role detnet.testbed.hypervisor"]


def missing_image(vms: t.Iterable[Vm]) -> list[str]:
    """Return a message for each image of vms of which a file is missing."""
    messages = []
    for image in sorted({vm.image for vm in vms}):
        try:
            _vm_files.root_image(image)
        except VmError as exc:
            messages.append(str(exc))
    return messages


def missing_space(vms: t.Sequence[Vm]) -> list[str]:
    """Return a message if the file system of the VMs' files is too full for the disks of vms."""
    if not vms:
        return []
    place = os.path.dirname(vms[0].directory)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    free = shutil.disk_usage(place).free >> 20
    needed = len(vms) * DISK_MIB_PER_VM
    if free >= needed:
        return []
    return [
        f"{place} has {free} MiB free, {len(vms)} VMs need {needed} MiB;"
        " free some, or choose another state_dir"
    ]


def offline_cpus(vms: t.Iterable[Vm], root: str = "/") -> list[str]:
    """Return a message for each list of CPUs of vms that has one which is not online."""
    online = _sysfs.cpus(root, "sys/devices/system/cpu/online") or ""
    has = set(_cpu_list.parse(online))
    messages = []
    for vm in vms:
        for name, cpus in _vm_placement.cpus(vm).items():
            if offline := set(cpus) - has:
                messages.append(
                    f"VM {vm.name}: {name} has CPU {_cpu_list.text(offline)}, and online on this host are"
                    f" {online or 'none'}; name some of those, or bring it online"
                )
    return messages


def taken_ports(vms: t.Iterable[Vm]) -> list[str]:
    """Return a message for each management port of vms that cannot be bound."""
    messages = []
    for vm in vms:
        where = f"VM {vm.name}: its management port {vm.management_address}:{vm.management_port}"
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As QEMU does: connections that are just ending are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((vm.management_address, vm.management_port))
            except OSError as exc:
                if exc.errno == errno.EADDRINUSE:
                    messages.append(f"{where} is taken by another process; end that, or choose another id")
                else:
                    messages.append(
                        f"{where} cannot be bound: {exc.strerror}; use an address of this machine"
                    )
    return messages


def missing_sockets(vms: t.Iterable[Vm]) -> list[str]:
    """Return a message for each vhost-user socket of vms that the other side has not prepared."""
    return [
        f"VM {vm.name}: {message}"
        for vm in vms
        for interface in vm.interfaces
        if (message := _missing_socket(interface.socket, interface.socket_server))
    ]


def _missing_socket(path: str, server: str) -> str | None:
    if server == "qemu":
        there = os.path.isdir(os.path.dirname(path))
        return None if there else f"the directory of {path} is missing; deploy the switch first"
    if not _vm_files.is_socket(path):
        return f"the socket {path} is missing; add its port to the switch first"
    return None if _served(path) else f"nobody serves the socket {path}; start the switch first"


def _served(path: str) -> bool:
    """Return whether somebody listens on a socket; QEMU may hang if nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(SERVED_TIMEOUT_S)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
