# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM that a libvirt domain is set to, read from its XML. Nothing here touches libvirt.

What _domain_xml writes is read back as the same value, also after libvirt has put it into its own words.
"""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils._domain_xml import (
    DOMAIN_TYPES,
    KEYS,
    METADATA,
    NETWORK,
    QEMU,
    USER_DATA,
)
from ansible_collections.detnet.testbed.plugins.module_utils._vm import (
    MANAGEMENT_PORT_BASE,
    Disk,
    Interface,
    Vm,
    shortest,
)

ACCELERATORS = {kind: accelerator for accelerator, kind in DOMAIN_TYPES.items()}
BACKING = "devices/disk/backingStore/source"
KIB = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20}
FORWARD = re.compile(r"hostfwd=tcp:([0-9.]*):([0-9]+)-:22")
# What _domain_xml.kernel_command_line tells of an interface.
INTERFACE_WORD = re.compile(
    r"ip=(?:(?P<v4>[0-9.]+):::(?P<mask>[0-9.]+)::(?P<name4>net[0-9]+):none:(?P<mtu4>[0-9]+)"
    r"|\[(?P<v6>[0-9a-f:]+)\]:::(?P<length>[0-9]+)::(?P<name6>net[0-9]+):none:(?P<mtu6>[0-9]+)"
    r"|(?P<name0>net[0-9]+):off:(?P<mtu0>[0-9]+))"
)


def vm(xml: str) -> Vm | None:
    """Return the VM that a domain is set to, None for a domain that is not ours.

    What somebody took out of the XML by hand is as if it were not set.
    """
    domain = _parse(xml)
    metadata = domain.find(f"metadata/{METADATA}")
    if metadata is None:
        return None
    management_address, management_port = _management(domain)
    return Vm(
        id=management_port - MANAGEMENT_PORT_BASE,
        name=domain.findtext("name", ""),
        memory_mib=_kib(domain.find("memory")) // 1024,
        vcpus=int(domain.findtext("vcpu", "1")),
        image=os.path.dirname(domain.findtext("os/kernel") or _attribute(domain, BACKING, "file") or ""),
        directory=os.path.dirname(_attribute(domain, "devices/disk/source", "file") or ""),
        management_address=management_address,
        authorized_keys_sha256=metadata.get(KEYS, ""),
        interfaces=tuple(_interfaces(domain, domain.findtext("os/cmdline", metadata.get(NETWORK, "")))),
        disk=_disk(domain),
        cpu_model=domain.findtext("cpu[@mode='custom']/model"),
        vcpu_cpus=_vcpu_cpus(domain),
        emulator_cpus=_cpus(domain, "cputune/emulatorpin"),
        io_thread_cpus=_cpus(domain, "cputune/iothreadpin"),
        memory_node=_number(_attribute(domain, "numatune/memory", "nodeset")),
        page_size_kib=_page_size_kib(domain),
        firmware=_firmware(domain),
        host_devices=tuple(_host_devices(domain)),
        user_data_sha256=metadata.get(USER_DATA),
        accelerator=ACCELERATORS.get(domain.get("type", ""), domain.get("type", "")),
    )


def _parse(xml: str) -> ET.Element:
    return ET.fromstring(xml)  # noqa: S314  libvirt wrote it


def _attribute(domain: ET.Element, path: str, name: str) -> str | None:
    element = domain.find(path)
    return None if element is None else element.get(name)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _kib(element: ET.Element | None) -> int:
    if element is None:
        return 0
    return int(element.text or "0") * KIB[element.get("unit", "KiB")]


def _management(domain: ET.Element) -> tuple[str, int]:
    for word in domain.iter(f"{QEMU}arg"):
        if found := FORWARD.search(word.get("value", "")):
            return found[1], int(found[2])
    return "", MANAGEMENT_PORT_BASE


def _interfaces(domain: ET.Element, words: str) -> t.Iterator[Interface]:
    told = _told(words)
    for number, element in enumerate(domain.iterfind("devices/interface[@type='vhostuser']")):
        source, driver = element.find("source"), element.find("driver")
        of_source = source.attrib if source is not None else {}
        of_driver = driver.attrib if driver is not None else {}
        reconnect = source.find("reconnect[@enabled='yes']") if source is not None else None
        yield Interface(
            mac=_attribute(element, "mac", "address") or "",
            socket=of_source.get("path", ""),
            socket_server="switch" if of_source.get("mode") == "client" else "qemu",
            reconnect_s=int(reconnect.get("timeout", "0")) if reconnect is not None else 0,
            queues=int(of_driver.get("queues", "1")),
            queue_size=int(of_driver.get("rx_queue_size", "256")),
            packed=of_driver.get("packed") == "on",
            mergeable_buffers=_attribute(element, "driver/host", "mrg_rxbuf") != "off",
            offloads=_attribute(element, "driver/guest", "csum") != "off",
            **t.cast(dict[str, t.Any], told.get(f"net{number}", {})),
        )


def _told(words: str) -> dict[str, dict[str, str | int]]:
    """Return what a guest is told of addresses and MTU, in the words of a kernel's command line, by interface."""
    told: dict[str, dict[str, str | int]] = {}
    for word in words.split():
        if found := INTERFACE_WORD.fullmatch(word):
            has = told.setdefault(found["name4"] or found["name6"] or found["name0"], {})
            has["mtu"] = int(found["mtu4"] or found["mtu6"] or found["mtu0"])
            if found["v4"]:
                has["address"] = str(ipaddress.IPv4Interface(f"{found['v4']}/{found['mask']}"))
            if found["v6"]:
                has["address_v6"] = str(ipaddress.IPv6Interface(f"{found['v6']}/{found['length']}"))
    return told


def _disk(domain: ET.Element) -> Disk:
    driver = domain.find("devices/disk/driver")
    has = driver.attrib if driver is not None else {}
    return Disk(cache=has.get("cache"), discard=has.get("discard") == "unmap")


def _cpus(domain: ET.Element, path: str) -> str | None:
    cpus = _attribute(domain, path, "cpuset")
    return None if cpus is None else shortest(cpus)


def _vcpu_cpus(domain: ET.Element) -> tuple[str, ...] | None:
    pins = {
        int(pin.get("vcpu", "0")): shortest(pin.get("cpuset", ""))
        for pin in domain.iterfind("cputune/vcpupin")
    }
    return tuple(pins[number] for number in sorted(pins)) or None


def _firmware(domain: ET.Element) -> str:
    # libvirt 9 says of a domain that runs only which file it has chosen.
    uefi = ("os[@firmware='efi']", "os/loader[@type='pflash']")
    return "bios" if all(domain.find(path) is None for path in uefi) else "uefi"


def _host_devices(domain: ET.Element) -> t.Iterator[str]:
    for address in domain.iterfind("devices/hostdev[@type='pci']/source/address"):
        pci, bus, slot, function = (
            int(address.get(name, "0"), 16) for name in ("domain", "bus", "slot", "function")
        )
        yield f"{pci:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _page_size_kib(domain: ET.Element) -> int | None:
    page = domain.find("memoryBacking/hugepages/page")
    return None if page is None else int(page.get("size", "0")) * KIB[page.get("unit", "KiB")]
