# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One network device: found by its interface or PCI address, its driver, and who uses it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _dpdk_devices, _state_network, _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError

INTERFACES = _state_network.INTERFACES
INTERFACE = re.compile(r"(?!\.{1,2}$)[^/\s]{1,15}")
SAVED = "etc/driverctl.d"  # where driverctl keeps what it binds at boot
UP = 1  # IFF_UP


@dataclasses.dataclass(frozen=True)
class Nic:
    """A network device. address is None where it is not one on PCI, interface where it has none now."""

    address: str | None
    interface: str | None

    @property
    def label(self) -> str:
        return self.address or self.interface or ""

    def __str__(self) -> str:
        return f"{self.address} ({self.interface})" if self.address and self.interface else self.label


def find(root: str, given: str, known: t.Iterable[Nic] = ()) -> Nic:
    """Return the device of an interface or PCI address. Raises NicError.

    known has the devices of the ledger: one that was handed over has no interface any more, by which it was named.
    """
    if _state_network.PCI_ADDRESS.fullmatch(given.lower()):
        return _on_pci(root, given.lower())
    earlier = next((nic for nic in known if nic.address and nic.interface == given), None)
    if not is_interface(root, given):
        if earlier and earlier.address:
            return _on_pci(root, earlier.address)
        there = ", ".join(_sysfs.names(root, INTERFACES)) or "none"
        raise NicError(
            f"there is no interface {given}; name one of {there}, or an address that 'lspci -D' shows"
        )
    address = pci_address(root, given)
    if earlier and earlier.address != address:
        raise NicError(
            f"{given} was {earlier.address} when it was changed, and is {address or 'not on PCI'} now; name the PCI "
            f"address that is meant"
        )
    return Nic(address, given)


def is_interface(root: str, name: str) -> bool:
    return bool(INTERFACE.fullmatch(name)) and os.path.isdir(os.path.join(root, INTERFACES, name))


def pci_address(root: str, interface: str) -> str | None:
    """Return the PCI address of a network device; a NIC on USB has its controller's in its path, which is none."""
    address = _state_network.pci_address(root, interface)
    return address if address in _dpdk_devices.addresses(root) else None


def _on_pci(root: str, address: str) -> Nic:
    if address not in _dpdk_devices.addresses(root):
        there = ", ".join(_dpdk_devices.addresses(root)) or "none"
        raise NicError(f"{address} is not a network device on PCI; those are: {there}")
    interfaces = _dpdk_devices.interfaces(root, address)
    if len(interfaces) > 1:
        raise NicError(f"{address} has the interfaces {', '.join(interfaces)}; name one of them")
    return Nic(address, interfaces[0] if interfaces else None)


def binding(root: str, address: str) -> dict[str, str | None]:
    """Return the driver of a device, the only one that it takes if it is so restricted, and the one at boot."""
    device = f"{_dpdk_devices.DEVICES}/{address}"
    return {
        "driver": _sysfs.link(root, f"{device}/driver"),
        "override": _sysfs.word(root, f"{device}/driver_override"),
        "at_boot": _sysfs.word(root, saved(address)),
    }


def saved(address: str) -> str:
    return f"{SAVED}/pci-{address}"


def virtual_functions(root: str, address: str) -> list[str]:
    """Return the addresses of a device's virtual functions."""
    device = f"{_dpdk_devices.DEVICES}/{address}"
    links = [name for name in _sysfs.names(root, device) if name.startswith("virtfn")]
    return [to for name in links if (to := _sysfs.link(root, f"{device}/{name}"))]


def all_interfaces(root: str, address: str) -> list[str]:
    """Return the interfaces of a device and of its virtual functions: all go with it."""
    devices = [address, *virtual_functions(root, address)]
    return [name for device in devices for name in _dpdk_devices.interfaces(root, device)]


def is_idle(root: str, address: str) -> bool:
    """Return whether a device surely carries nothing of this host: nobody drives it, or its interfaces are down."""
    if _sysfs.link(root, f"{_dpdk_devices.DEVICES}/{address}/driver") in (None, *_dpdk_devices.HAND_OVER):
        return True
    interfaces = all_interfaces(root, address)
    return bool(interfaces) and not any(is_up(root, interface) for interface in interfaces)


def is_up(root: str, interface: str) -> bool:
    try:
        return bool(int(_sysfs.text(root, f"{INTERFACES}/{interface}/flags") or "", 16) & UP)
    except ValueError:
        return True  # nobody knows


def users(root: str, address: str) -> list[str]:
    """Return the programs that have a device which was handed over. Its driver waits for them before it lets go."""
    device = f"{_dpdk_devices.DEVICES}/{address}"
    group = _sysfs.link(root, f"{device}/iommu_group")
    files = {
        *([f"/dev/vfio/{group}", f"/dev/vfio/noiommu-{group}"] if group else []),
        *(f"/dev/vfio/devices/{name}" for name in _sysfs.names(root, f"{device}/vfio-dev")),
        *(f"/dev/{name}" for name in _sysfs.names(root, f"{device}/uio")),
    }
    found = []
    for pid in filter(str.isdigit, _sysfs.names(root, "proc")):
        if not files.isdisjoint(open_files(root, int(pid))):
            found.append(f"{_sysfs.text(root, f'proc/{pid}/comm')} (process {pid})")
    return found


def open_files(root: str, pid: int) -> list[str]:
    """Return what the open files of a process lead to. Raises NicError."""
    folder = os.path.join(root, f"proc/{pid}/fd")
    found = []
    try:
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                found.append(os.readlink(os.path.join(folder, name)))
    except PermissionError as exc:
        raise NicError(f"process {pid} does not show its open files; become root") from exc
    except OSError:  # the process has ended
        return []
    return found
