# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs to test with."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Image, Interface, Vm

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmVsC4tuRfvthwRGOKGezKNXMOxKs6C8WB80kNPp3mB me"
ROOT = "/images/1/root.ext4"
KERNEL_IMAGE = Image(ROOT)
CLOUD_IMAGE = Image("/images/1/root.qcow2", "firmware")
NET0 = Interface(
    mac="02:00:00:00:00:01",
    socket="/run/vm-01.sock",
    address="10.20.0.11/24",
    address_v6="fd20::11/64",
)
VM = Vm(
    id=1,
    name="alpha-vm-01",
    memory_mib=256,
    vcpus=2,
    image="/images/1",
    directory="/state/vm-01",
    management_address="127.0.0.11",
    authorized_keys_sha256=_vm.digest(KEY),
    interfaces=(NET0,),
    accelerator="tcg",
)
OTHER = dataclasses.replace(
    VM,
    id=2,
    name="alpha-vm-02",
    interfaces=(
        dataclasses.replace(
            NET0,
            mac="02:00:00:00:00:02",
            address="10.20.0.12/24",
            address_v6="fd20::12/64",
            socket="/run/vm-02.sock",
        ),
    ),
)
PLACED = dataclasses.replace(
    VM,
    vcpu_cpus=("4", "5-6"),
    emulator_cpus="0-1,8",
    io_thread_cpus="9",
    memory_node=1,
    page_size_kib=1048576,
)
# Each setting is another one than VM's.
OF_ITS_OWN = dataclasses.replace(
    PLACED,
    accelerator="kvm",
    cpu_model="Skylake-Server",
    disk=Disk(cache="none", discard=False),
    host_devices=("0000:03:10.0", "ffff:ff:1f.7"),
    interfaces=(
        Interface("02:00:00:00:01:01", "/run/a.sock", reconnect_s=7, queues=2, queue_size=256, packed=True),
        Interface(
            "02:00:00:00:01:02",
            "/run/b.sock",
            socket_server="qemu",
            reconnect_s=0,
            queue_size=512,
            mergeable_buffers=False,
            offloads=False,
            address_v6="fd20::1/64",
            mtu=9000,
        ),
    ),
)
# With what only an image that boots by itself takes.
OF_THE_CLOUD = dataclasses.replace(
    OF_ITS_OWN,
    firmware="uefi",
    user_data_sha256=_vm.digest("#cloud-config"),
)


def with_net0(vm: Vm = VM, **options: t.Any) -> Vm:
    """Return a VM whose first interface has other options."""
    first, *others = vm.interfaces
    return dataclasses.replace(vm, interfaces=(dataclasses.replace(first, **options), *others))
