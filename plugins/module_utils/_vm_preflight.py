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
    _vm_image,
    _vm_placement,
)
from ansible_collections.detnet.testbed.plugins.module_utils._accelerator import QEMU
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm, VmError

DISK_MIB_PER_VM = 256  # what a guest that only boots and runs experiments writes stays well below
SERVED_TIMEOUT_S = 2.0
LIBVIRT_FOR_TCG = (8, 2)  # the first with qemu:override; older ones drop it in silence


def missing_programs() -> list[str]:
    """Return a message if there is no QEMU."""
    if shutil.which(QEMU):
        return []
    return [f"{QEMU} is not installed; run the role detnet.testbed.hypervisor"]


def image_problems(vms: t.Iterable[Vm], root: str = "/") -> list[str]:
    """Return what is wrong with the images of vms, what does not go with them, and what they need besides."""
    by_image: dict[str, list[Vm]] = {}
    for vm in vms:
        by_image.setdefault(vm.image, []).append(vm)
    messages = []
    for directory, of_image in sorted(by_image.items()):
        try:
            image = _vm_image.read(directory)
        except VmError as exc:
            messages.append(str(exc))
            continue
        messages += [f"VM {vm.name}: {fault}" for vm in of_image for fault in _vm_image.faults(vm, image)]
        if image.boot == "firmware" and not shutil.which(_vm_files.SEED_PROGRAM):
            messages.append(
                f"the image {directory} takes a seed for cloud-init, and {_vm_files.SEED_PROGRAM}, which makes it,"
                " is not installed; run the role detnet.testbed.hypervisor"
            )
        if any(vm.firmware == "uefi" for vm in of_image) and not _vm_image.has_uefi(root):
            messages.append(
                "firmware=uefi takes a UEFI firmware for QEMU, and none is installed; run the role"
                " detnet.testbed.hypervisor, which installs the package ovmf"
            )
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


def old_libvirt(vms: t.Iterable[Vm], version: tuple[int, int]) -> list[str]:
    """Return a message for each of vms, whose accelerators are chosen, that this version of libvirt cannot run."""
    if version >= LIBVIRT_FOR_TCG:
        return []
    has, needed = (".".join(map(str, each)) for each in (version, LIBVIRT_FOR_TCG))
    return [
        f"VM {vm.name}: without KVM it takes libvirt {needed} or later, and this is libvirt {has}, which would drop"
        " what keeps QEMU from crashing; install a later one, or have KVM and accelerator=kvm"
        for vm in vms
        if vm.accelerator == "tcg"
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


def missing_devices(vms: t.Iterable[Vm], root: str = "/") -> list[str]:
    """Return a message for each PCI device of vms that the host cannot give away."""
    messages = []
    for vm in vms:
        for device in vm.host_devices:
            place = os.path.join(root, "sys/bus/pci/devices", device)
            if not os.path.isdir(place):
                messages.append(
                    f"VM {vm.name}: the host has no PCI device {device}; choose one of lspci -D, and create virtual"
                    " functions before the VM"
                )
            elif not os.path.exists(os.path.join(place, "iommu_group")):
                messages.append(
                    f"VM {vm.name}: the PCI device {device} is in no IOMMU group, so the host would not be safe from"
                    " it; switch the IOMMU on in the host's firmware and by intel_iommu=on on its kernel command line"
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
