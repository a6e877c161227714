# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set of a network device on PCI: its driver, by driverctl, and its virtual functions."""

from __future__ import annotations

import os
import re

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _dpdk_devices,
    _kernel_files,
    _nic_command,
    _nic_device,
    _sysfs,
)
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Value
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import (
    Setting,
    has_keys,
    is_count,
    shown,
)

DEVICES = _dpdk_devices.DEVICES
DRIVER = re.compile(r"[A-Za-z0-9_-]{1,64}")
BINDING = ("driver", "override", "at_boot")


class Binding(Setting):
    """The driver, by driverctl, now and at each boot."""

    driver_may_lack_it = False

    def valid(self, value: Value) -> bool:
        return has_keys(value, BINDING) and all(
            name is None or (isinstance(name, str) and DRIVER.fullmatch(name)) for name in value.values()
        )

    def goal(self, asked: str) -> dict[str, str]:
        return {"driver": asked, "override": asked, "at_boot": asked}

    def real(self, nic: Nic) -> dict[str, str | None] | None:
        return _nic_device.binding(self.host.root, nic.address) if nic.address else None

    def lack(self, nic: Nic) -> str:
        return f"{nic} is not a network device on PCI, and only those are bound; leave out driver"

    def faults(self, nic: Nic, real: Value, goal: Value) -> list[str]:
        address, driver, root = nic.label, goal["driver"], self.host.root
        found = [_nic_command.missing("driverctl"), self.host.obstacle(address)]
        if driver and driver != real["driver"]:
            found.append(self._unbindable(address, driver))
        if count := _sysfs.number(root, f"{DEVICES}/{address}/sriov_numvfs"):
            found.append(f"it would lose its {count} virtual functions; set virtual_functions to 0 first")
        if real["driver"] in _dpdk_devices.HAND_OVER and (users := _nic_device.users(root, address)):
            found.append(f"{', '.join(users)} has it; end that first")
        to = f"bound to {driver}" if driver else "released from its driver"
        return [f"{nic} cannot be {to}: {fault}" for fault in found if fault]

    def _unbindable(self, address: str, driver: str) -> str | None:
        root = self.host.root
        if not DRIVER.fullmatch(driver):
            return f"{driver!r} is not the name of a driver"
        if not _dpdk_devices.has_driver(root, driver, _dpdk_devices.loadable(root)):
            return f"this kernel has no driver {driver}; name one of 'ls /sys/bus/pci/drivers', or install its module"
        no_iommu = _sysfs.text(root, _dpdk_devices.NO_IOMMU) == "Y"
        in_a_group = os.path.exists(os.path.join(root, DEVICES, address, "iommu_group"))
        if driver == _dpdk_devices.VFIO and not (in_a_group or no_iommu or self.host.iommu_awaited):
            return (
                "it is in no IOMMU group, so the IOMMU is off; switch it on in the firmware and on the kernel's line "
                "(host_tuning_iommu) and restart, or use uio_pci_generic, which protects nothing from the device"
            )
        return None

    def write(self, nic: Nic, _real: Value, goal: Value) -> None:
        root, address = self.host.root, nic.label
        driver, at_boot = goal["driver"], goal["at_boot"]
        if at_boot:
            self._driverctl([] if driver else ["--noprobe"], "set-override", address, at_boot)
        elif driver is None or driver in _dpdk_devices.HAND_OVER:
            self._driverctl(
                ["--noprobe"], "unset-override", address
            )  # without a restriction, none of these probes
        else:
            self._driverctl([], "unset-override", address)
        if driver and _nic_device.binding(root, address)["driver"] != driver:
            self._driverctl(["--nosave"], "set-override", address, driver)
        if _nic_device.binding(root, address)["override"] != goal["override"]:
            release(os.path.join(root, DEVICES, address, "driver_override"), goal["override"])
        after = _nic_device.binding(root, address)
        if after != goal:
            raise NicError(f"{nic} was to have {shown(goal)}, and has {shown(after)}; dmesg may tell why")

    def _driverctl(self, options: list[str], *words: str) -> None:
        self.host.run(["driverctl", *options, *words])


class VirtualFunctions(Setting):
    """How many virtual functions a device has."""

    driver_may_lack_it = False

    def valid(self, value: Value) -> bool:
        return is_count(value)

    def real(self, nic: Nic) -> int | None:
        return _sysfs.number(self.host.root, f"{DEVICES}/{nic.address}/sriov_numvfs") if nic.address else None

    def lack(self, nic: Nic) -> str:
        return (
            f"{nic} has no virtual functions: the device knows no SR-IOV, or the firmware has it off; leave out "
            f"virtual_functions"
        )

    def faults(self, nic: Nic, real: Value, goal: Value) -> list[str]:
        root = self.host.root
        most = _sysfs.number(root, f"{DEVICES}/{nic.address}/sriov_totalvfs") or 0
        found = [self.host.obstacle(nic.label)]
        if not 0 <= goal <= most:
            found.append(f"the device has 0 to {most}; ask for as many")
        for address in _nic_device.virtual_functions(root, nic.label):
            driver = _sysfs.link(root, f"{DEVICES}/{address}/driver")
            if driver in _dpdk_devices.HAND_OVER and address not in self.host.released:
                found.append(
                    f"{address}, one of its {real}, is in use: it is bound to {driver}; give that back first"
                )
        return [f"{nic} cannot have {goal} virtual functions: {fault}" for fault in found if fault]

    def write(self, nic: Nic, real: Value, goal: Value) -> None:
        # The kernel goes from one number to another only over none.
        for count in (0, goal) if real and goal else (goal,):
            try:
                _kernel_files.write(virtual_functions_path(nic.label), str(count), self.host.root)
            except _kernel_files.RefusedError as exc:
                raise NicError(f"{exc}; dmesg may tell more") from exc


def virtual_functions_path(address: str) -> str:
    return f"/{DEVICES}/{address}/sriov_numvfs"


def release(path: str, override: str | None) -> None:
    """Restrict a device to a driver, or to none, without binding it anew."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{override or ''}\n")
    except OSError as exc:
        raise NicError(f"{path} cannot be written: {exc.strerror}; become root") from exc
