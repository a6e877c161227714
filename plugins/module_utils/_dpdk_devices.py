# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine has for DPDK: network devices on PCI, kernel drivers that hand them over, and hugepages."""

from __future__ import annotations

import dataclasses
import glob
import os
import re

DEVICES = "sys/bus/pci/devices"
DRIVERS = "sys/bus/pci/drivers"
NODES = "sys/devices/system/node"
PAGES = "sys/kernel/mm/hugepages"
NO_IOMMU = "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

NETWORK = "0x02"  # the first byte of a device's class
VFIO = "vfio-pci"
UIO = ("uio_pci_generic", "igb_uio")
HAND_OVER = (VFIO, *UIO)


@dataclasses.dataclass(frozen=True)
class Device:
    """A network device; bindable_by has the drivers that could hand it to a DPDK program, best first."""

    address: str
    vendor_id: str
    device_id: str
    driver: str | None
    driver_override: str | None
    node: int | None  # None: the firmware does not say
    iommu_group: int | None
    interfaces: tuple[str, ...]
    bound: bool
    bindable_by: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Pages:
    """The hugepages of one size on one node; None is a number that the kernel does not tell."""

    node: int
    size_kib: int
    total: int | None
    free: int | None
    surplus: int | None


def bindable_by(available: dict[str, bool], iommu_group: int | None, no_iommu: bool) -> tuple[str, ...]:
    """Return the drivers that could hand a device over: vfio-pci with an IOMMU, or where doing without is allowed.

    uio asks for no IOMMU, and so protects nothing from the device.
    """
    vfio = available[VFIO] and (iommu_group is not None or no_iommu)
    return (*([VFIO] if vfio else []), *(driver for driver in UIO if available[driver]))


def read_drivers(root: str = "/", release: str | None = None) -> dict[str, bool]:
    """Return for each driver that hands devices over whether the kernel has it, be it as a module not yet loaded."""
    modules = os.path.join(root, "lib/modules", release or os.uname().release)
    listed = _text(os.path.join(modules, "modules.dep")) + _text(os.path.join(modules, "modules.builtin"))
    # The kernel takes - and _ in a module's name for the same.
    loadable = {name.replace("-", "_") for name in re.findall(r"^\S*?([\w-]+)\.ko", listed, re.MULTILINE)}
    return {
        driver: os.path.isdir(os.path.join(root, DRIVERS, driver)) or driver.replace("-", "_") in loadable
        for driver in HAND_OVER
    }


def read_devices(root: str = "/", release: str | None = None) -> list[Device]:
    """Return the network devices on PCI of the machine whose file system is at root, by address."""
    available = read_drivers(root, release)
    no_iommu = _text(os.path.join(root, NO_IOMMU)).strip() == "Y"
    return [
        _device(directory, available, no_iommu)
        for directory in sorted(glob.glob(os.path.join(root, DEVICES, "*")))
        if _text(os.path.join(directory, "class")).startswith(NETWORK)
    ]


def _device(directory: str, available: dict[str, bool], no_iommu: bool) -> Device:
    driver, override = _link(directory, "driver"), _text(os.path.join(directory, "driver_override")).strip()
    node, group = _number(os.path.join(directory, "numa_node")), _link(directory, "iommu_group")
    iommu_group = int(group) if group and group.isdigit() else None
    # Some buses are between a PCI device and its interfaces: virtio's is.
    places = [os.path.join(glob.escape(directory), place) for place in ("net/*", "*/net/*")]
    interfaces = sorted({os.path.basename(path) for place in places for path in glob.glob(place)})
    return Device(
        address=os.path.basename(directory),
        vendor_id=_text(os.path.join(directory, "vendor")).strip(),
        device_id=_text(os.path.join(directory, "device")).strip(),
        driver=driver,
        driver_override=None if override in {"", "(null)"} else override,
        node=node if node is not None and node >= 0 else None,
        iommu_group=iommu_group,
        interfaces=tuple(interfaces),
        bound=driver in HAND_OVER,
        bindable_by=bindable_by(available, iommu_group, no_iommu),
    )


def read_hugepages(root: str = "/") -> list[Pages]:
    """Return the hugepages of each node and size; a kernel without nodes has all of them on node 0."""
    found = [
        _pages(directory, int(node))
        for place in glob.glob(os.path.join(root, NODES, "node*"))
        if (node := os.path.basename(place).removeprefix("node")).isdigit()
        for directory in glob.glob(os.path.join(glob.escape(place), "hugepages/hugepages-*kB"))
    ]
    if not found:
        found = [_pages(directory, 0) for directory in glob.glob(os.path.join(root, PAGES, "hugepages-*kB"))]
    return sorted((pages for pages in found if pages), key=lambda pages: (pages.node, pages.size_kib))


def _pages(directory: str, node: int) -> Pages | None:
    size = os.path.basename(directory).removeprefix("hugepages-").removesuffix("kB")
    if not size.isdigit():
        return None
    total, free, surplus = (
        _number(os.path.join(directory, f"{name}_hugepages")) for name in ("nr", "free", "surplus")
    )
    return Pages(node, int(size), total, free, surplus)


def _link(directory: str, name: str) -> str | None:
    try:
        return os.path.basename(os.readlink(os.path.join(directory, name)))
    except OSError:
        return None


def _number(path: str) -> int | None:
    text = _text(path).strip()
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _text(path: str) -> str:
    """Return a file's text, empty where there is none, or none for us."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
