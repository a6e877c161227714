# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network interfaces that have a device, and the network devices that are without an interface."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _dpdk_devices, _ethtool
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

INTERFACES = "sys/class/net"
PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
QUEUE_FILES = {"rx": "rps_cpus", "tx": "xps_cpus"}


def read(root: str = "/", ask: _ethtool.Ask = _ethtool.ask) -> dict[str, t.Any]:
    """Return the state; drivers are asked by ask, for they cannot be asked by files."""
    return {
        "interfaces": {
            name: interface(root, name, ask)
            for name in files.names(root, INTERFACES)
            if os.path.exists(os.path.join(root, f"{INTERFACES}/{name}/device"))
        },
        "devices_without_interface": devices_without_interface(root),
    }


def interface(root: str, name: str, ask: _ethtool.Ask) -> dict[str, t.Any]:
    place = f"{INTERFACES}/{name}"
    address = pci_address(root, name)
    pci = f"{_dpdk_devices.DEVICES}/{address}" if address else f"{place}/device"
    return {
        "driver": files.link(root, f"{place}/device/driver"),
        **_ethtool.versions(name, ask),
        "pci_address": address,
        "driver_override": files.word(root, f"{pci}/driver_override"),
        "node": files.node_of(root, pci),
        "virtual_functions": files.number(root, f"{pci}/sriov_numvfs"),
        "mtu_bytes": files.number(root, f"{place}/mtu"),
        "speed_mbps": speed_mbps(root, place),
        "rings": _ethtool.rings(name, ask),
        "pause": _ethtool.pause(name, ask),
        "energy_efficient": _ethtool.energy_efficient(name, ask),
        "queues": queues(root, place),
    }


def pci_address(root: str, name: str) -> str | None:
    """Return the PCI address of an interface's device; a virtio device's is that of its parent."""
    way = os.path.realpath(os.path.join(root, f"{INTERFACES}/{name}/device")).split(os.sep)
    addresses = [step for step in way if PCI_ADDRESS.fullmatch(step)]
    return addresses[-1] if addresses else None


def speed_mbps(root: str, place: str) -> int | None:
    found = files.number(root, f"{place}/speed")
    return found if found is not None and found > 0 else None  # -1: the driver does not know


def queues(root: str, place: str) -> dict[str, dict[str, str | None]]:
    """Return for each queue the CPUs to which it hands received packets, or from which it takes packets to send."""
    found: dict[str, dict[str, str | None]] = {}
    for name in files.names(root, f"{place}/queues"):
        file = QUEUE_FILES.get(name.partition("-")[0])
        if file:
            found[name] = {file: files.cpus_of_mask(root, f"{place}/queues/{name}/{file}")}
    return found


def devices_without_interface(root: str) -> dict[str, dict[str, t.Any]]:
    """Return the network devices on PCI that have no driver, or one that hands them to a program such as DPDK."""
    found = {}
    for address in _dpdk_devices.addresses(root):
        device = f"{_dpdk_devices.DEVICES}/{address}"
        driver = files.link(root, f"{device}/driver")
        if driver is None or driver in _dpdk_devices.HAND_OVER:
            found[address] = {
                "driver": driver,
                "driver_override": files.word(root, f"{device}/driver_override"),
                "node": files.node_of(root, device),
            }
    return found
