# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The libvirt domain of a VM: its XML, made from values. Nothing here touches libvirt.

https://libvirt.org/formatdomain.html says what each element means.
"""

from __future__ import annotations

import ipaddress
import os
import re
import xml.etree.ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Image, Interface, Vm

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
METADATA = "{urn:detnet:testbed:vm}vm"
# Attributes of the metadata.
KEYS = "authorized_keys_sha256"
USER_DATA = "user_data_sha256"
NETWORK = "network"  # what a guest whose kernel has another command line is told of its interfaces

# The guest's systemd reads its credentials from here: https://systemd.io/CREDENTIALS
CREDENTIALS = "opt/io.systemd.credentials"

DISK = "disk.qcow2"
SEED = "seed.iso"  # for cloud-init, where the guest boots by firmware
DISK_FORMATS = {".ext4": "raw", ".qcow2": "qcow2"}
DOMAIN_TYPES = {"kvm": "kvm", "tcg": "qemu"}
CPU_MODES = {"kvm": "host-passthrough", "tcg": "maximum"}  # where no model is wanted

# An emulated processor does not speculate: what Linux does about that mends nothing and costs time. A line on the
# console for each unit costs as well, both together a sixth of a boot; what goes wrong is told all the same. Where the
# host is busy, its timer's ticks come late, and Linux panics ("IO-APIC + timer doesn't work!") unless told not to count
# them; under KVM it knows.
DISK_AND_CONSOLE = ("root=/dev/vda", "rw", "console=ttyS0")
KERNEL_WORDS = {
    "kvm": DISK_AND_CONSOLE,
    "tcg": (*DISK_AND_CONSOLE, "mitigations=off", "no_timer_check", "systemd.show_status=auto"),
}

# Above what libvirt gives out by itself.
MANAGEMENT_SLOT = "0x10"

# What QEMU may keep of the guest's code that it translated: at least this, or this part of what the guest's kernel
# leaves of its memory. Without a bound, it is up to 1 GiB for each VM. A boot translates 160 MiB, and takes longer
# the less is kept.
TCG_CACHE_MIB, TCG_CACHE_SHARE, KERNEL_MIB = 22, 3, 32

OFFLOADS_OF_HOST = ("csum", "gso", "tso4", "tso6", "ecn", "ufo")
OFFLOADS_OF_GUEST = ("csum", "tso4", "tso6", "ecn", "ufo")


def domain_xml(vm: Vm, image: Image, uuid: str | None = None) -> str:
    """Return the XML of the domain of vm, whose accelerator is "kvm" or "tcg", with an image.

    uuid is that of the domain which it takes the place of.
    """
    domain = ET.Element("domain", {"type": DOMAIN_TYPES[vm.accelerator]})
    _add(domain, "name", vm.name)
    if uuid:
        _add(domain, "uuid", uuid)
    _add_metadata(domain, vm, image)
    _add(domain, "memory", str(vm.memory_mib), unit="MiB")
    _add_memory(domain, vm)
    _add(domain, "vcpu", str(vm.vcpus))
    _add_placement(domain, vm)
    if image.boot == "kernel":
        _add_credentials(domain, vm)
    _add_boot(domain, vm, image)
    _add_features(domain, vm)
    _add_cpu(domain, vm)
    devices = _add(domain, "devices")
    _add_disk(devices, vm, image.root)
    if image.boot == "firmware":
        _add_seed(devices, vm)
    _add(devices, "controller", type="usb", model="none")
    for number, interface in enumerate(vm.interfaces):
        _add_data_interface(devices, interface, alias(number))
    for device in vm.host_devices:
        _add_host_device(devices, device)
    console = _add(devices, "serial", type="pty")
    _add(console, "log", file=os.path.join(vm.directory, "console.log"), append="on")
    _add(devices, "memballoon", model="none")
    _add_management_interface(domain, vm)
    if vm.accelerator == "tcg":
        _add_interrupt_workaround(domain, len(vm.interfaces))
    return ET.tostring(domain, encoding="unicode")


def kernel_command_line(vm: Vm) -> str:
    """Return what the guest's kernel is told: its disk, console, name, and interfaces by MAC address."""
    return " ".join((
        *KERNEL_WORDS[vm.accelerator],
        f"systemd.hostname={vm.name}",
        *_interface_words(vm),
        f"ifname=mgmt0:{vm.management_mac} ip=mgmt0:dhcp",
    ))  # fmt: skip


def tcg_cache_mib(memory_mib: int) -> int:
    """Return how much translated code QEMU may keep of a guest with so much memory."""
    return max(TCG_CACHE_MIB, (memory_mib - KERNEL_MIB) // TCG_CACHE_SHARE)


def alias(number: int) -> str:
    """Return what libvirt calls a data interface; it keeps aliases that begin with "ua-"."""
    return f"ua-net{number}"


def _interface_words(vm: Vm) -> list[str]:
    return [
        word
        for number, interface in enumerate(vm.interfaces)
        for word in _of_interface(f"net{number}", interface)
    ]


def _of_interface(name: str, interface: Interface) -> list[str]:
    words = [f"ifname={name}:{interface.mac}"]
    if interface.address:
        address = ipaddress.IPv4Interface(interface.address)
        words.append(f"ip={address.ip}:::{address.netmask}::{name}:none:{interface.mtu}")
    if interface.address_v6:
        address_v6 = ipaddress.IPv6Interface(interface.address_v6)
        words.append(f"ip=[{address_v6.ip}]:::{address_v6.network.prefixlen}::{name}:none:{interface.mtu}")
    if len(words) == 1:
        words.append(f"ip={name}:off:{interface.mtu}")
    return words


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _add_metadata(domain: ET.Element, vm: Vm, image: Image) -> None:
    metadata = _add(_add(domain, "metadata"), METADATA, **{KEYS: vm.authorized_keys_sha256})
    if vm.user_data_sha256 is not None:
        metadata.set(USER_DATA, vm.user_data_sha256)
    if image.boot == "firmware":
        metadata.set(NETWORK, " ".join(_interface_words(vm)))


def _add_memory(domain: ET.Element, vm: Vm) -> None:
    # The switch maps the guest's memory: it must be shared, and in pages that DPDK likes.
    backing = _add(domain, "memoryBacking")
    pages = _add(backing, "hugepages")
    if vm.page_size_kib is not None:
        _add(pages, "page", size=str(vm.page_size_kib), unit="KiB")
    _add(backing, "access", mode="shared")


def _add_placement(domain: ET.Element, vm: Vm) -> None:
    """Say which CPUs and which node of the host the VM has; nothing where it has all of them."""
    if vm.io_thread_cpus is not None:
        _add(domain, "iothreads", "1")
    if vm.vcpu_cpus is not None or vm.emulator_cpus is not None or vm.io_thread_cpus is not None:
        tune = _add(domain, "cputune")
        for number, cpus in enumerate(vm.vcpu_cpus or ()):
            _add(tune, "vcpupin", vcpu=str(number), cpuset=cpus)
        if vm.emulator_cpus is not None:
            _add(tune, "emulatorpin", cpuset=vm.emulator_cpus)
        if vm.io_thread_cpus is not None:
            _add(tune, "iothreadpin", iothread="1", cpuset=vm.io_thread_cpus)
    if vm.memory_node is not None:
        # strict: memory of another node would be slow without anybody being told.
        _add(_add(domain, "numatune"), "memory", mode="strict", nodeset=str(vm.memory_node))


def _add_credentials(domain: ET.Element, vm: Vm) -> None:
    # Files, not values: what is on a command line or in a log is no secret.
    sysinfo = _add(domain, "sysinfo", type="fwcfg")
    for credential, name in (
        ("ssh.authorized_keys.root", "ssh_authorized_keys"),
        ("ssh_host_ed25519_key", "ssh_host_ed25519_key"),
    ):
        _add(sysinfo, "entry", name=f"{CREDENTIALS}/{credential}", file=os.path.join(vm.directory, name))


def _add_boot(domain: ET.Element, vm: Vm, image: Image) -> None:
    boot = _add(domain, "os")
    _add(boot, "type", "hvm", arch="x86_64", machine="q35")
    if vm.firmware == "uefi":
        boot.set("firmware", "efi")  # libvirt finds one that is installed
        # Nobody signs the guests' boot loaders. libvirt 9.0 takes no <loader secure="no"> here.
        _add(_add(boot, "firmware"), "feature", enabled="no", name="secure-boot")
    if image.boot == "kernel":
        _add(boot, "kernel", os.path.join(vm.image, "vmlinuz"))
        _add(boot, "initrd", os.path.join(vm.image, "initrd.img"))
        _add(boot, "cmdline", kernel_command_line(vm))


def _add_features(domain: ET.Element, vm: Vm) -> None:
    features = _add(domain, "features")
    _add(features, "acpi")
    if vm.accelerator == "tcg":
        _add(_add(features, "tcg"), "tb-cache", str(tcg_cache_mib(vm.memory_mib)), unit="MiB")


def _add_cpu(domain: ET.Element, vm: Vm) -> None:
    if vm.cpu_model is None:
        cpu = _add(domain, "cpu", mode=CPU_MODES[vm.accelerator])
    else:
        cpu = _add(domain, "cpu", mode="custom", match="exact")
        _add(cpu, "model", vm.cpu_model)
    _add(
        _add(cpu, "numa"),
        "cell",
        id="0",
        cpus=f"0-{vm.vcpus - 1}",
        memory=str(vm.memory_mib),
        unit="MiB",
        memAccess="shared",
    )


def _add_disk(devices: ET.Element, vm: Vm, root: str) -> None:
    disk = _add(devices, "disk", type="file", device="disk")
    driver = _add(disk, "driver", name="qemu", type="qcow2", discard="unmap" if vm.disk.discard else "ignore")
    if vm.disk.cache is not None:
        driver.set("cache", vm.disk.cache)
    if vm.io_thread_cpus is not None:
        driver.set("iothread", "1")
    _add(disk, "source", file=os.path.join(vm.directory, DISK))
    # The chain is spelled out: nobody has to read the image to find its format, and its owner stays.
    backing = _add(disk, "backingStore", type="file")
    _add(backing, "format", type=DISK_FORMATS[os.path.splitext(root)[1]])
    _add(_add(backing, "source", file=root), "seclabel", model="dac", relabel="no")
    _add(backing, "backingStore")
    _add(disk, "target", dev="vda", bus="virtio")


def _add_seed(devices: ET.Element, vm: Vm) -> None:
    # A virtio disk: not every cloud kernel drives an emulated CD-ROM.
    disk = _add(devices, "disk", type="file", device="disk")
    _add(disk, "driver", name="qemu", type="raw")
    _add(disk, "source", file=os.path.join(vm.directory, SEED))
    _add(disk, "target", dev="vdb", bus="virtio")
    _add(disk, "readonly")


def _add_host_device(devices: ET.Element, device: str) -> None:
    # managed: libvirt takes it from the host's driver at the start, and gives it back at the end.
    element = _add(devices, "hostdev", mode="subsystem", type="pci", managed="yes")
    domain, bus, slot, function = re.split("[:.]", device)
    numbers = {"domain": domain, "bus": bus, "slot": slot, "function": function}
    _add(_add(element, "source"), "address", **{name: f"0x{number}" for name, number in numbers.items()})


def _add_data_interface(devices: ET.Element, interface: Interface, name: str) -> None:
    element = _add(devices, "interface", type="vhostuser")
    _add(element, "mac", address=interface.mac)
    mode = "client" if interface.socket_server == "switch" else "server"
    source = _add(element, "source", type="unix", path=interface.socket, mode=mode)
    if mode == "client" and interface.reconnect_s:
        _add(source, "reconnect", enabled="yes", timeout=str(interface.reconnect_s))
    _add(element, "model", type="virtio")
    size = str(interface.queue_size)
    driver = _add(element, "driver", rx_queue_size=size, tx_queue_size=size)
    if interface.queues > 1:
        driver.set("queues", str(interface.queues))
    if interface.packed:
        driver.set("packed", "on")
    host = dict.fromkeys(OFFLOADS_OF_HOST, "off") if not interface.offloads else {}
    if not interface.mergeable_buffers:
        host["mrg_rxbuf"] = "off"
    if host:
        _add(driver, "host", **host)
    if not interface.offloads:
        _add(driver, "guest", **dict.fromkeys(OFFLOADS_OF_GUEST, "off"))
    _add(element, "alias", name=name)


def _add_management_interface(domain: ET.Element, vm: Vm) -> None:
    # restrict: the guest reaches neither the host nor what the host reaches; only SSH comes in.
    netdev = f"user,id=mgmt,restrict=on,hostfwd=tcp:{vm.management_address}:{vm.management_port}-:22"
    device = f"virtio-net-pci,netdev=mgmt,mac={vm.management_mac},addr={MANAGEMENT_SLOT},romfile="
    command_line = _add(domain, QEMU + "commandline")
    for word in ("-netdev", netdev, "-device", device):
        _add(command_line, QEMU + "arg", value=word)


def _add_interrupt_workaround(domain: ET.Element, interfaces: int) -> None:
    """Take MSI-X from the data interfaces: with it, QEMU 7.2 under TCG crashes on a vhost-user device."""
    if not interfaces:
        return
    override = _add(domain, QEMU + "override")
    for number in range(interfaces):
        frontend = _add(_add(override, QEMU + "device", alias=alias(number)), QEMU + "frontend")
        _add(frontend, QEMU + "property", name="vectors", type="unsigned", value="0")


# libvirt knows these elements by their namespaces; the prefixes are for people.
ET.register_namespace("qemu", QEMU.strip("{}"))
ET.register_namespace("detnet", METADATA[1:].partition("}")[0])
