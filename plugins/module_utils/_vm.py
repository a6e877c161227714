# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM of an end host as a value: what is wanted of it, and what libvirt shows of it.

Nothing here touches the machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

MANAGEMENT_PORT_BASE = 20000
# Another locally administered prefix than the data interfaces': no two interfaces of a guest are alike.
MANAGEMENT_BIT = 0x04
# Options that a VM may do without.
OPTIONAL = (
    "cpu_model",
    "emulator_cpus",
    "io_thread_cpus",
    "memory_node",
    "page_size_kib",
    "user_data",
    "vcpu_cpus",
)

Options = t.Mapping[str, t.Any]


class VmError(Exception):
    """Something about one VM or its host cannot be done; the message says what, why and the way out."""


@dataclasses.dataclass(frozen=True)
class Image:
    """What the disks of VMs are layers of."""

    root: str  # the file
    boot: str = (
        "kernel"  # QEMU starts the kernel beside it; "firmware": it boots by itself, and has cloud-init
    )


@dataclasses.dataclass(frozen=True)
class Interface:
    """A data interface: a vhost-user device; the guest calls the first one net0, the next net1."""

    mac: str
    socket: str  # the vhost-user socket
    socket_server: str = "switch"  # who listens on it: "switch" or "qemu"
    reconnect_s: int = 1  # how often QEMU tries to reach a switch that is gone; 0: never
    queues: int = 1  # pairs of rings
    queue_size: int = 1024  # entries of each ring
    packed: bool = False  # the ring's format of virtio 1.1
    mergeable_buffers: bool = True
    offloads: bool = True  # of checksums and segmentation
    address: str = ""  # with the prefix length: "10.20.0.11/24"; empty: none
    address_v6: str = ""  # the same: "fd20::11/64"
    mtu: int = 1500  # in bytes


@dataclasses.dataclass(frozen=True)
class Disk:
    """The disk, a layer of its own on the image."""

    size_mib: int | None = None  # None: the image's
    cache: str | None = None  # None: QEMU's default
    discard: bool = True


@dataclasses.dataclass(frozen=True)
class Vm:
    """What is wanted of one VM, or what its domain is set to."""

    id: int
    name: str
    memory_mib: int
    vcpus: int
    image: str  # the image's directory
    directory: str  # the VM's own files
    management_address: str  # of the end host, where the guest's SSH is reached
    authorized_keys_sha256: str  # of the public keys that may log in
    interfaces: tuple[Interface, ...] = ()
    disk: Disk = Disk()
    cpu_model: str | None = None  # as QEMU names it; None: all that the accelerator offers
    vcpu_cpus: tuple[str, ...] | None = None  # for each vCPU its CPUs of the host, in the kernel's notation
    emulator_cpus: str | None = None  # the same for QEMU's other threads
    io_thread_cpus: str | None = None  # the same for a thread that serves the disk; None: there is none
    memory_node: int | None = None  # NUMA node of the host for its hugepages
    page_size_kib: int | None = None  # of its hugepages; None: the host's default
    firmware: str = "bios"  # or "uefi"
    host_devices: tuple[str, ...] = ()  # PCI devices of the host: "0000:03:10.0"
    user_data_sha256: str | None = None  # of what cloud-init is told; None: nothing
    backend: str = "libvirt"  # or "vagrant"
    accelerator: str = "auto"  # "auto", "kvm" or "tcg"; never "auto" in what libvirt shows

    @property
    def management_port(self) -> int:
        return MANAGEMENT_PORT_BASE + self.id

    @property
    def management_mac(self) -> str:
        """Return the MAC address of mgmt0, derived from net0's, or from the id where there is none."""
        mac = (
            self.interfaces[0].mac
            if self.interfaces
            else f"02:00:00:00:{self.id >> 8:02x}:{self.id & 0xFF:02x}"
        )
        return f"{int(mac[:2], 16) ^ MANAGEMENT_BIT:02x}{mac[2:]}"


@dataclasses.dataclass(frozen=True)
class Observed:
    """What libvirt shows of a domain."""

    state: str  # "running", "stopped" or "paused"
    uuid: str
    configured: Vm | None  # what its next start has; None for a domain that is not ours
    running: Vm | None = None  # what its QEMU was started with; None if it is stopped, or not ours

    @property
    def active(self) -> bool:
        return self.state != "stopped"


def directory(state_dir: str, vm_id: int) -> str:
    """Return where the files of a VM are."""
    return os.path.join(state_dir, f"vm-{vm_id:02d}")


def digest(text: str) -> str:
    """Return what tells two texts apart whatever white space is around them, and shows neither."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def from_params(entry: Options, shared: Options) -> Vm:
    """Return the VM that an entry of the option vms and the options shared by all describe.

    Raises VmError if the entry lacks an option that an existing VM needs.
    """
    missing = sorted(key for key, value in entry.items() if value is None and key not in (*OPTIONAL, "disk"))
    if missing:
        raise VmError(f"VM {entry['name']} lacks {', '.join(missing)}; only state=absent does without")
    return Vm(
        **{key: entry[key] for key in ("id", "name", "memory_mib", "vcpus")},
        image=os.path.realpath(shared["image"]),
        directory=directory(shared["state_dir"], entry["id"]),
        management_address=shared["management_address"],
        authorized_keys_sha256=digest(shared["ssh_authorized_key"]),
        interfaces=tuple(map(_interface, entry["interfaces"])),
        disk=Disk(**(entry.get("disk") or {})),
        cpu_model=entry.get("cpu_model"),
        vcpu_cpus=None if entry.get("vcpu_cpus") is None else tuple(map(shortest, entry["vcpu_cpus"])),
        emulator_cpus=_shortest_if_any(entry.get("emulator_cpus")),
        io_thread_cpus=_shortest_if_any(entry.get("io_thread_cpus")),
        memory_node=entry.get("memory_node"),
        page_size_kib=entry.get("page_size_kib"),
        firmware=entry.get("firmware") or "bios",
        host_devices=tuple(device.lower() for device in entry.get("host_devices") or ()),
        user_data_sha256=digest(entry["user_data"]) if entry.get("user_data") else None,
        backend=shared["backend"],
        accelerator=shared["accelerator"],
    )


def _interface(options: Options) -> Interface:
    """Return a data interface, in the one notation that is compared."""
    return Interface(**{
        **options,
        "mac": options["mac"].lower(),
        "address": _canonical(ipaddress.IPv4Interface, options["address"]),
        "address_v6": _canonical(ipaddress.IPv6Interface, options["address_v6"]),
        # Only who connects can connect again.
        "reconnect_s": options["reconnect_s"] if options["socket_server"] == "switch" else 0,
    })  # fmt: skip


def _canonical(kind: t.Callable[[str], t.Any], address: str) -> str:
    """Return an address in its usual notation; what is none, or has no prefix, stays, for the faults to name."""
    try:
        return str(kind(address)) if "/" in address else address
    except ValueError:
        return address


def shortest(cpus: str) -> str:
    """Return a list of CPUs in its shortest notation; what is no list stays, for the faults to name."""
    try:
        return _cpu_list.text(_cpu_list.parse(cpus))
    except ValueError:
        return cpus


def _shortest_if_any(cpus: str | None) -> str | None:
    return None if cpus is None else shortest(cpus)
