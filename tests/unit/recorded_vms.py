# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of whose domains tests/unit/domains has what libvirt makes of them, by the subject in a file's name."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Image, Interface, Vm

IMAGE = "/var/cache/detnet-testbed/images/1"
WITH_KERNEL = Image(f"{IMAGE}/root.ext4")
BY_FIRMWARE = Image(f"{IMAGE}/root.qcow2", boot="firmware")


def _interface(number: int, **options: t.Any) -> Interface:
    name = f"/run/detnet-testbed/vhost/vm-01-{number}.sock"
    return dataclasses.replace(Interface(f"02:00:00:00:00:{number:02x}", name), **options)


PLAIN = Vm(
    id=1,
    name="alpha-vm-01",
    memory_mib=256,
    vcpus=2,
    image=IMAGE,
    directory="/var/lib/detnet-testbed/vms/vm-01",
    management_address="127.0.0.11",
    authorized_keys_sha256="0123456789abcdef" * 4,
    interfaces=(_interface(1, address="10.20.0.11/24", address_v6="fd20::11/64"),),
    accelerator="tcg",
)
# No libvirt before 7.1 has the default CPU model of TCG.
KVM = dataclasses.replace(PLAIN, accelerator="kvm")
PLACED = dataclasses.replace(
    KVM,
    vcpu_cpus=("4", "5-6"),
    emulator_cpus="0-1,8",
    io_thread_cpus="9",
    memory_node=1,
    page_size_kib=1048576,
)
# Each interface has another option than the first one.
INTERFACES = dataclasses.replace(
    KVM,
    interfaces=(
        _interface(1),
        _interface(2, socket_server="qemu", reconnect_s=0),
        _interface(3, reconnect_s=0),
        _interface(4, reconnect_s=7),
        _interface(5, queues=2),
        _interface(6, queue_size=256),
        _interface(7, packed=True),
        _interface(8, mergeable_buffers=False),
        _interface(9, offloads=False),
        _interface(10, mergeable_buffers=False, offloads=False),
        _interface(11, address="10.20.0.11/24", mtu=9000),
        _interface(12, address_v6="fd20::11/64"),
    ),
)
SUBJECTS = {
    "tcg": (PLAIN, WITH_KERNEL),
    "tcg-cpu-model": (dataclasses.replace(PLAIN, cpu_model="qemu64"), WITH_KERNEL),
    "kvm": (KVM, WITH_KERNEL),
    "kvm-cpu-model": (dataclasses.replace(KVM, cpu_model="Skylake-Server"), WITH_KERNEL),
    "no-interface": (dataclasses.replace(KVM, interfaces=()), WITH_KERNEL),
    "interfaces": (INTERFACES, WITH_KERNEL),
    "placed": (PLACED, WITH_KERNEL),
    "disk": (dataclasses.replace(KVM, disk=Disk(cache="none", discard=False)), WITH_KERNEL),
    "host-devices": (
        dataclasses.replace(KVM, host_devices=("0000:03:10.0", "0001:af:1f.7")),
        WITH_KERNEL,
    ),
    "bios": (KVM, BY_FIRMWARE),
    "uefi": (
        dataclasses.replace(KVM, firmware="uefi", user_data_sha256="fedcba9876543210" * 4),
        BY_FIRMWARE,
    ),
}

# As small as can be started anywhere: the guest never runs.
SMALL = dataclasses.replace(
    PLAIN,
    memory_mib=32,
    vcpus=1,
    vcpu_cpus=("0",),
    emulator_cpus="0",
    io_thread_cpus="0",
    memory_node=0,
    page_size_kib=2048,
)
LIVE = {
    "live": (SMALL, WITH_KERNEL),
    "live-cpu-model": (dataclasses.replace(SMALL, cpu_model="qemu64"), WITH_KERNEL),
}
