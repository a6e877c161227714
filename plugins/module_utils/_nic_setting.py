# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that can be set of a network device, and the host on which that is done."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _ethtool,
    _nic_carrier,
    _nic_command,
    _nic_device,
)
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Value


class Host:
    """The machine whose files are at root, whose drivers answer ask, and whose programs run runs."""

    iommu_awaited = False  # whether a restart that is due brings the IOMMU

    def __init__(self, root: str, ask: _ethtool.Ask, run: _nic_command.Run) -> None:
        self.root, self.ask, self.run = root, ask, run
        self.released: set[str] = set()  # addresses of devices that a check run would have given back by now

    @functools.cached_property
    def ways(self) -> list[_nic_carrier.Way]:
        return _nic_carrier.read(self.root, self.run)

    def obstacle(self, address: str) -> str | None:
        """Return why a device may not be taken from this host, None if it may. Raises NicError."""
        interfaces = _nic_device.all_interfaces(self.root, address)
        return _nic_carrier.obstacle(self.ways, interfaces, _nic_device.is_idle(self.root, address))


class Setting:
    """One thing that can be set."""

    driver_may_lack_it = True

    def __init__(self, host: Host) -> None:
        self.host = host

    def valid(self, value: Value) -> bool:
        """Return whether a value of the ledger is one that real() could have returned."""
        raise NotImplementedError

    def goal(self, asked: Value) -> Value:
        """Return what real() shows once it is as asked."""
        return asked

    def real(self, nic: Nic) -> Value:
        """Return the value now, None if the device does not have it."""
        raise NotImplementedError

    def lack(self, nic: Nic) -> str:
        """Return why real() is None."""
        raise NotImplementedError

    def faults(self, _nic: Nic, _real: Value, _goal: Value) -> list[str]:
        """Return why the goal cannot be reached, as far as that is known before. Raises NicError."""
        return []

    def write(self, nic: Nic, real: Value, goal: Value) -> None:
        """Have the goal. Raises OSError if the driver refuses, NicError for all else."""
        raise NotImplementedError

    def reached(self, _before: Value, after: Value, goal: Value) -> bool:
        """Return whether what the device has after a write may count as the goal."""
        return bool(after == goal)


def shown(value: Value) -> str:
    """Return a value in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(inner)}" for name, inner in value.items())
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def is_count(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def has_keys(value: Value, keys: t.Collection[str]) -> bool:
    return isinstance(value, dict) and value.keys() == set(keys)
