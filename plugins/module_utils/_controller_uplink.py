# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The uplink of a server's tagging switch: found by what a controller calls it, taken for the switch, given back.

A NIC changes its driver for the switch, by the module nic's library and with its ledger. A kernel interface stays the
kernel's, in the server's own network namespace or in the switch's.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _dpdk_devices,
    _nic_carrier,
    _nic_device,
)
from ansible_collections.detnet.testbed.plugins.module_utils._nic_change import Setter
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_return import Returner
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Work

NAMESPACES = "run/netns"
INTERFACE_WAIT_S = 10.0
POLL_S = 0.1


@dataclasses.dataclass(frozen=True)
class Uplink:
    """The uplink, as the role tagging_switch was told of it; one of pci and interface at most is not empty."""

    pci: str
    interface: str
    network_namespace: str  # of the interface; empty: the server's own
    vfio_group: str  # the device by which the switch reaches the NIC, empty without one
    user: str  # that the switch runs as

    def __str__(self) -> str:
        where = f" in the network namespace {self.network_namespace}" if self.network_namespace else ""
        return f"{self.pci or self.interface}{where}"


def find(uplink: Uplink, given: str, work: Work) -> Nic:
    """Return the device with the given PCI address or interface. Raises NicError unless it is the uplink."""
    if uplink.network_namespace:
        link(uplink, given, work)
        nic = Nic(None, given)
    else:
        nic = _nic_device.find(work.root, given, work.load().nics())
    if not (uplink.pci or uplink.interface):
        raise NicError(
            "the switch of this server has no uplink; set tagging_switch_uplink_pci, and run the role tagging_switch"
        )
    if (uplink.pci.lower() != nic.address) if uplink.pci else (uplink.interface != nic.interface):
        raise NicError(
            f"the uplink of this server's switch is {uplink}; name that, or set tagging_switch_uplink_pci and run the"
            " role tagging_switch"
        )
    return nic


def take(uplink: Uplink, nic: Nic, work: Work) -> None:
    """Have the uplink ready for a switch that does not run. Raises NicError if somebody else needs it."""
    if not uplink.pci:
        _refuse_used_interface(uplink, work)
        return
    address = nic.label
    if _is_handed_over(work, address) and (users := _nic_device.users(work.root, address)):
        raise NicError(f"{', '.join(users)} has {nic}; end that first")
    Setter(work).set(address, {"driver": _dpdk_devices.VFIO})
    # The group's device comes anew with the driver, and belongs to root then.
    place = os.path.join(work.root, uplink.vfio_group.lstrip("/"))
    try:
        os.chown(place, pwd.getpwnam(uplink.user).pw_uid, -1)
        os.chmod(place, 0o600)
    except (OSError, KeyError) as exc:
        raise NicError(
            f"the switch cannot be let at {uplink.vfio_group}: {exc}; run the role tagging_switch again"
        ) from exc


def give_back(uplink: Uplink, nic: Nic, work: Work) -> None:
    """Have the uplink with the kernel again, and up. Raises NicError."""
    if uplink.pci:
        Returner(work, check_mode=False).give_back(nic.label)
        # Somebody bound it before the ledger began: its own driver takes it once nothing else is said.
        if _is_handed_over(work, nic.label):
            work.host.run(["driverctl", "unset-override", nic.label])
    for interface in _interfaces(uplink, nic, work):
        work.host.run([*_inside(uplink), "link", "set", "dev", interface, "up"])


def link(uplink: Uplink, interface: str, work: Work) -> dict[str, t.Any]:
    """Return what ip tells of an interface beside the uplink. Raises NicError."""
    namespace = uplink.network_namespace
    if namespace and not os.path.exists(namespace_file(namespace, work.root)):
        raise NicError(f"there is no network namespace {namespace}; run the role detnet.testbed.fabric")
    rows = _nic_carrier.answer([*_inside(uplink), "-json", "link", "show"], work.host.run)
    found = next((row for row in rows if row["ifname"] == interface), None)
    if not found:
        there = ", ".join(row["ifname"] for row in rows)
        where = f" in the network namespace {namespace}" if namespace else ""
        raise NicError(f"there is no interface {interface}{where}; name one of {there}")
    return found


def namespace_file(namespace: str, root: str = "/") -> str:
    return os.path.join(root, NAMESPACES, namespace)


def _refuse_used_interface(uplink: Uplink, work: Work) -> None:
    if master := link(uplink, uplink.interface, work).get("master"):
        raise NicError(f"{uplink.interface} is a port of {master}; take it out of that first")
    if not uplink.network_namespace:
        # The kernel keeps the interface, so one that may carry a connection, and may not, is no obstacle.
        obstacle = _nic_carrier.obstacle(work.host.ways, [uplink.interface], idle=True)
        if obstacle:
            raise NicError(obstacle)


def _interfaces(uplink: Uplink, nic: Nic, work: Work) -> t.Sequence[str]:
    """Return the interfaces of the uplink. udev gives a NIC its own a moment after the driver."""
    if not uplink.pci:
        return [uplink.interface]
    end = time.monotonic() + INTERFACE_WAIT_S
    while not (found := _dpdk_devices.interfaces(work.root, nic.label)):
        if time.monotonic() > end:
            driver = _nic_device.binding(work.root, nic.label)["driver"] or "none"
            raise NicError(f"{nic} has the driver {driver} and no interface; dmesg may tell why")
        time.sleep(POLL_S)
    return found


def _is_handed_over(work: Work, address: str) -> bool:
    return _nic_device.binding(work.root, address)["driver"] in _dpdk_devices.HAND_OVER


def _inside(uplink: Uplink) -> list[str]:
    return ["ip", *(["-netns", uplink.network_namespace] if uplink.network_namespace else [])]
