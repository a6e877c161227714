# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether network interfaces can send and hear LLDP, and what to do where they cannot."""

from __future__ import annotations

import errno
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

ETHERNET = 1  # ARPHRD_ETHER
UP = 1  # IFF_UP
PCI_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
# No program of the kernel's network stack can use what one of these drives.
DPDK_DRIVERS = ("vfio-pci", "igb_uio", "uio_pci_generic")
REASONS = {
    errno.EPERM: "it takes CAP_NET_RAW; become root",
    errno.EACCES: "it takes CAP_NET_RAW; become root",
    errno.ENODEV: "an interface is gone",
    errno.ENETDOWN: "an interface went down; is its cable loose?",
}


def problems(interfaces: t.Sequence[str], root: str = "/") -> list[str]:
    """Return what keeps interfaces, given by their names or PCI addresses, from LLDP."""
    return [why for interface in interfaces if (why := problem(interface, root))]


def problem(interface: str, root: str = "/") -> str | None:
    if PCI_ADDRESS.fullmatch(interface):
        device = os.path.join(root, "sys/bus/pci/devices", interface)
        driver = os.path.basename(os.path.realpath(os.path.join(device, "driver")))
        if driver in DPDK_DRIVERS:
            return f"{interface} is bound to {driver}, so only the switch that has it sends and hears there"
        return f"{interface} is a PCI address; name its interface"
    place = os.path.join("sys/class/net", interface)
    if not re.fullmatch(r"[^/\s]{1,15}", interface) or not os.path.exists(os.path.join(root, place)):
        return f"there is no interface {interface}; ip link shows those there are"
    if _sysfs.number(root, f"{place}/type") != ETHERNET:
        return f"{interface} is no Ethernet interface"
    if not int(_sysfs.text(root, f"{place}/flags") or "0", 16) & UP:
        return f"{interface} is down; ip link set dev {interface} up"
    return None


def port(interface: str, root: str = "/") -> dict[str, int | None]:
    """Return the MTU and the speed of an interface, None for what it does not tell."""
    mbps = _sysfs.number(root, f"sys/class/net/{interface}/speed") or 0
    return {
        "mtu": _sysfs.number(root, f"sys/class/net/{interface}/mtu"),
        "speed_bps": mbps * 10**6 if mbps > 0 else None,
    }


def mac(interface: str, root: str = "/") -> str:
    """Return the MAC address of an interface, empty if there is none."""
    return _sysfs.text(root, f"sys/class/net/{interface}/address") or ""


def explained(error: OSError) -> str:
    """Return the cause of an error of a packet socket, and the way out where there is one."""
    reason = REASONS.get(error.errno or 0)
    return f"{error.strerror} ({reason})" if reason else str(error)
