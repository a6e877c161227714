# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine has for DPDK: network devices on PCI, and kernel drivers that hand them over."""

from __future__ import annotations

import dataclasses
import os
import re

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

DEVICES = "sys/bus/pci/devices"
DRIVERS = "sys/bus/pci/drivers"
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


def bindable_by(available: dict[str, bool], iommu_group: int | None, no_iommu: bool) -> tuple[str, ...]:
    """Return the drivers that could hand a device over: vfio-pci with an IOMMU, or where doing without is allowed.

    uio asks for no IOMMU, and so protects nothing from the device.
    """
    vfio = available[VFIO] and (iommu_group is not None or no_iommu)
    return (*([VFIO] if vfio else []), *(driver for driver in UIO if available[driver]))


def loadable(root: str = "/", release: str | None = None) -> set[str]:
    """Return the kernel's modules, loaded or not, with _ in their names: the kernel takes - and _ for the same."""
    modules = f"lib/modules/{release or os.uname().release}"
    listed = "\n".join(
        _sysfs.text(root, f"{modules}/{file}") or "" for file in ("modules.dep", "modules.builtin")
    )
    return {name.replace("-", "_") for name in re.findall(r"^\S*?([\w-]+)\.ko", listed, re.MULTILINE)}


def has_driver(root: str, driver: str, modules: set[str]) -> bool:
    """Return whether the kernel has a driver of PCI devices, be it as a module not yet loaded."""
    return os.path.isdir(os.path.join(root, DRIVERS, driver)) or driver.replace("-", "_") in modules


def read_drivers(root: str = "/", release: str | None = None) -> dict[str, bool]:
    """Return for each driver that hands devices over whether the kernel has it."""
    modules = loadable(root, release)
    return {driver: has_driver(root, driver, modules) for driver in HAND_OVER}


def addresses(root: str = "/") -> list[str]:
    """Return the addresses of the network devices on PCI."""
    listed = sorted(_sysfs.names(root, DEVICES))
    return [at for at in listed if (_sysfs.text(root, f"{DEVICES}/{at}/class") or "").startswith(NETWORK)]


def interfaces(root: str, address: str) -> tuple[str, ...]:
    """Return the interfaces of a device, and not those of its virtual functions, to which links lead.

    Some buses are between a PCI device and its interfaces: virtio's is.
    """
    device = f"{DEVICES}/{address}"
    inner = [
        name for name in _sysfs.names(root, device) if not os.path.islink(os.path.join(root, device, name))
    ]
    places = [f"{device}/net", *(f"{device}/{name}/net" for name in inner if name != "net")]
    return tuple(sorted(name for place in places for name in _sysfs.names(root, place)))


def read_devices(root: str = "/", release: str | None = None) -> list[Device]:
    """Return the network devices on PCI of the machine whose file system is at root, by address."""
    available = read_drivers(root, release)
    no_iommu = _sysfs.text(root, NO_IOMMU) == "Y"
    return [_device(root, address, available, no_iommu) for address in addresses(root)]


def _device(root: str, address: str, available: dict[str, bool], no_iommu: bool) -> Device:
    device = f"{DEVICES}/{address}"
    driver, group = _sysfs.link(root, f"{device}/driver"), _sysfs.link(root, f"{device}/iommu_group")
    iommu_group = int(group) if group and group.isdigit() else None
    return Device(
        address=address,
        vendor_id=_sysfs.text(root, f"{device}/vendor") or "",
        device_id=_sysfs.text(root, f"{device}/device") or "",
        driver=driver,
        driver_override=_sysfs.word(root, f"{device}/driver_override"),
        node=_sysfs.node_of(root, device),
        iommu_group=iommu_group,
        interfaces=interfaces(root, address),
        bound=driver in HAND_OVER,
        bindable_by=bindable_by(available, iommu_group, no_iommu),
    )
