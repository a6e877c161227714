# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set of a network interface by its driver: rings, pause frames, Energy-Efficient Ethernet."""

from __future__ import annotations

import errno
import functools

from ansible_collections.detnet.testbed.plugins.module_utils import _ethtool
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Value
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import (
    Host,
    Setting,
    has_keys,
    is_count,
)

PAUSE = ("autonegotiate", "rx", "tx")


class Ring(Setting):
    """How many packets the rings of one direction hold."""

    def __init__(self, host: Host, direction: str) -> None:
        self.host, self.direction = host, direction

    def valid(self, value: Value) -> bool:
        return is_count(value)

    def real(self, nic: Nic) -> int | None:
        found = self._rings(nic)
        return found[f"{self.direction}_packets"] if found else None

    def lack(self, nic: Nic) -> str:
        return _lack(nic, "rings that can be set")

    def faults(self, nic: Nic, _real: Value, goal: Value) -> list[str]:
        most = (self._rings(nic) or {}).get(f"{self.direction}_packets_max", 0)
        if 1 <= goal <= most:
            return []
        return [
            f"the {self.direction} ring of {nic} cannot hold {goal} packets: its driver takes 1 to {most}"
        ]

    def write(self, nic: Nic, _real: Value, goal: Value) -> None:
        now = {
            name: packets for name, packets in (self._rings(nic) or {}).items() if not name.endswith("max")
        }
        _ethtool.set_rings(
            nic.interface or "", **now | {f"{self.direction}_packets": goal}, ask=self.host.ask
        )

    def reached(self, before: Value, after: Value, goal: Value) -> bool:
        return bool(after == goal or after != before)  # drivers round

    def _rings(self, nic: Nic) -> dict[str, int] | None:
        return _ethtool.rings(nic.interface, self.host.ask) if nic.interface else None


class Pause(Setting):
    """Whether pause frames are obeyed and sent."""

    def valid(self, value: Value) -> bool:
        return has_keys(value, PAUSE) and all(isinstance(flag, bool) for flag in value.values())

    def goal(self, asked: bool) -> dict[str, bool]:
        # What is negotiated is the partner's decision too, and drivers tell of it only once the link is up.
        return {"autonegotiate": False, "rx": asked, "tx": asked}

    def real(self, nic: Nic) -> dict[str, bool] | None:
        return _ethtool.pause(nic.interface, self.host.ask) if nic.interface else None

    def lack(self, nic: Nic) -> str:
        return _lack(nic, "pause frames that can be set")

    def write(self, nic: Nic, real: Value, goal: Value) -> None:
        set_pause = functools.partial(_ethtool.set_pause, nic.interface or "", ask=self.host.ask)
        try:
            set_pause(**goal)
        except OSError as exc:
            # ice and i40e want the negotiation of pause frames to be as that of the speed.
            if (
                exc.errno not in (errno.EINVAL, errno.EOPNOTSUPP)
                or goal["autonegotiate"] == real["autonegotiate"]
            ):
                raise
            set_pause(**goal | {"autonegotiate": real["autonegotiate"]})

    def reached(self, _before: Value, after: Value, goal: Value) -> bool:
        if goal["autonegotiate"]:
            return bool(after["autonegotiate"])  # the rest is agreed with the partner, some time later
        return bool(after["rx"] == goal["rx"] and after["tx"] == goal["tx"])


class EnergyEfficient(Setting):
    """Whether Energy-Efficient Ethernet is on."""

    def valid(self, value: Value) -> bool:
        return isinstance(value, bool)

    def real(self, nic: Nic) -> bool | None:
        return _ethtool.energy_efficient(nic.interface, self.host.ask) if nic.interface else None

    def lack(self, nic: Nic) -> str:
        return _lack(nic, "Energy-Efficient Ethernet")

    def write(self, nic: Nic, _real: Value, goal: Value) -> None:
        _ethtool.set_energy_efficient(nic.interface or "", goal, self.host.ask)


def _lack(nic: Nic, what: str) -> str:
    if nic.interface is None:
        return f"{nic} has no interface, so no {what}; have its own driver drive it, or leave that out"
    return f"the driver of {nic.interface} has no {what}; leave that out, or make it optional"
