# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The libvirt domain of a VM: its XML, made from values and read back. Nothing here touches libvirt.

https://libvirt.org/formatdomain.html says what each element means.
"""

from __future__ import annotations

import ipaddress
import json
import os
import xml.etree.ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Description, Observed, Vm

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
METADATA = "{urn:detnet:testbed:vm}vm"

# The guest's systemd reads its credentials from here: https://systemd.io/CREDENTIALS
CREDENTIALS = "opt/io.systemd.credentials"

DISK_FORMATS = {".ext4": "raw", ".qcow2": "qcow2"}
DOMAIN_TYPES = {"kvm": "kvm", "tcg": "qemu"}
ACCELERATORS = {kind: accelerator for accelerator, kind in DOMAIN_TYPES.items()}

DATA_ALIAS = "ua-net0"  # libvirt keeps aliases that begin with "ua-"

# Above what libvirt gives out by itself.
MANAGEMENT_SLOT = "0x10"


def domain_xml(vm: Vm, accelerator: str, root: str) -> str:
    """Return the XML of the domain of vm under accelerator ("kvm" or "tcg"), with the root image root."""
    domain = ET.Element("domain", {"type": DOMAIN_TYPES[accelerator]})
    _add(domain, "name", vm.name)
    metadata = _add(domain, "metadata")
    _add(metadata, METADATA, json.dumps(vm.description, sort_keys=True))
    _add(domain, "memory", str(vm.memory_mib), unit="MiB")
    _add_memory(domain, vm)
    _add(domain, "vcpu", str(vm.vcpus))
    _add_placement(domain, vm)
    _add_credentials(domain, vm)
    _add_boot(domain, vm)
    _add(_add(domain, "features"), "acpi")
    _add_cpu(domain, vm, accelerator)
    devices = _add(domain, "devices")
    _add_disk(devices, vm, root)
    _add(devices, "controller", type="usb", model="none")
    _add_data_interface(devices, vm)
    console = _add(devices, "serial", type="pty")
    _add(console, "log", file=os.path.join(vm.directory, "console.log"), append="on")
    _add(devices, "memballoon", model="none")
    _add_management_interface(domain, vm)
    if accelerator == "tcg":
        _add_interrupt_workaround(domain)
    return ET.tostring(domain, encoding="unicode")


def kernel_command_line(vm: Vm) -> str:
    """Return what the guest's kernel is told: its disk, console, name, and interfaces by MAC address."""
    address = ipaddress.IPv4Interface(vm.address)
    addresses = [f"{address.ip}:::{address.netmask}"]
    if vm.address_v6:
        address_v6 = ipaddress.IPv6Interface(vm.address_v6)
        addresses.append(f"[{address_v6.ip}]:::{address_v6.network.prefixlen}")
    return " ".join((
        "root=/dev/vda rw console=ttyS0",
        f"systemd.hostname={vm.name}",
        f"ifname=net0:{vm.mac}",
        *(f"ip={address}::net0:none:{vm.mtu}" for address in addresses),
        f"ifname=mgmt0:{vm.management_mac} ip=mgmt0:dhcp",
    ))  # fmt: skip


def observed(xml: str, state: str) -> Observed:
    """Return what the XML of a domain in state says about it."""
    domain = ET.fromstring(xml)  # noqa: S314  libvirt wrote it
    return Observed(
        state=state,
        accelerator=ACCELERATORS.get(domain.get("type", ""), domain.get("type", "")),
        description=_description(domain),
    )


def _description(domain: ET.Element) -> Description | None:
    text = domain.findtext("metadata/" + METADATA)
    if text is None:
        return None
    try:
        description = json.loads(text)
    except ValueError:  # edited by hand: ours, but not what is wanted
        return {}
    return description if isinstance(description, dict) else {}


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _add_memory(domain: ET.Element, vm: Vm) -> None:
    # The switch maps the guest's memory: it must be shared, and in pages that DPDK likes.
    backing = _add(domain, "memoryBacking")
    pages = _add(backing, "hugepages")
    if vm.page_size_kib is not None:
        _add(pages, "page", size=str(vm.page_size_kib), unit="KiB")
    _add(backing, "access", mode="shared")


def _add_placement(domain: ET.Element, vm: Vm) -> None:
    """Say which CPUs and which node of the host the VM has; nothing where it has all of them."""
    if vm.vcpu_cpus is not None or vm.emulator_cpus is not None:
        tune = _add(domain, "cputune")
        for number, cpus in enumerate(vm.vcpu_cpus or []):
            _add(tune, "vcpupin", vcpu=str(number), cpuset=cpus)
        if vm.emulator_cpus is not None:
            _add(tune, "emulatorpin", cpuset=vm.emulator_cpus)
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


def _add_boot(domain: ET.Element, vm: Vm) -> None:
    boot = _add(domain, "os")
    _add(boot, "type", "hvm", arch="x86_64", machine="q35")
    _add(boot, "kernel", os.path.join(vm.image, "vmlinuz"))
    _add(boot, "initrd", os.path.join(vm.image, "initrd.img"))
    _add(boot, "cmdline", kernel_command_line(vm))


def _add_cpu(domain: ET.Element, vm: Vm, accelerator: str) -> None:
    cpu = _add(domain, "cpu", mode="host-passthrough" if accelerator == "kvm" else "maximum")
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
    _add(disk, "driver", name="qemu", type="qcow2", discard="unmap")
    _add(disk, "source", file=os.path.join(vm.directory, "disk.qcow2"))
    # The chain is spelled out: nobody has to read the image to find its format, and its owner stays.
    backing = _add(disk, "backingStore", type="file")
    _add(backing, "format", type=DISK_FORMATS[os.path.splitext(root)[1]])
    _add(_add(backing, "source", file=root), "seclabel", model="dac", relabel="no")
    _add(backing, "backingStore")
    _add(disk, "target", dev="vda", bus="virtio")


def _add_data_interface(devices: ET.Element, vm: Vm) -> None:
    interface = _add(devices, "interface", type="vhostuser")
    _add(interface, "mac", address=vm.mac)
    mode = "client" if vm.socket_server == "switch" else "server"
    source = _add(interface, "source", type="unix", path=vm.socket, mode=mode)
    if mode == "client":
        _add(source, "reconnect", enabled="yes", timeout="1")
    _add(interface, "model", type="virtio")
    size = str(vm.queue_size)
    _add(interface, "driver", rx_queue_size=size, tx_queue_size=size)
    _add(interface, "alias", name=DATA_ALIAS)


def _add_management_interface(domain: ET.Element, vm: Vm) -> None:
    # restrict: the guest reaches neither the host nor what the host reaches; only SSH comes in.
    netdev = f"user,id=mgmt,restrict=on,hostfwd=tcp:{vm.management_address}:{vm.management_port}-:22"
    device = f"virtio-net-pci,netdev=mgmt,mac={vm.management_mac},addr={MANAGEMENT_SLOT},romfile="
    command_line = _add(domain, QEMU + "commandline")
    for word in ("-netdev", netdev, "-device", device):
        _add(command_line, QEMU + "arg", value=word)


def _add_interrupt_workaround(domain: ET.Element) -> None:
    """Take MSI-X from net0: with it, QEMU 7.2 under TCG crashes on a vhost-user device."""
    device = _add(_add(domain, QEMU + "override"), QEMU + "device", alias=DATA_ALIAS)
    _add(_add(device, QEMU + "frontend"), QEMU + "property", name="vectors", type="unsigned", value="0")


# libvirt knows these elements by their namespaces; the prefixes are for people.
ET.register_namespace("qemu", QEMU.strip("{}"))
ET.register_namespace("detnet", METADATA[1:].partition("}")[0])
