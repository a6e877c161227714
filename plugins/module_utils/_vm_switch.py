# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tagging switch and the guests of its host have agreed on. A switch that does not answer is a result too."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _state_network, _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._switch import NOT_FOUND, Switch, SwitchError


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the switch says: of itself, and of its ports by the path of their sockets."""

    about: dict[str, t.Any]
    ports: t.Mapping[str, dict[str, t.Any]]


def ask(switch: Switch, sockets: t.Collection[str], root: str = "/") -> Answer:
    """Ask for the ports that have one of sockets."""
    try:
        info, found = switch.call("switch.info"), ports(switch, sockets)
    except SwitchError as exc:
        return Answer({"error": str(exc), "mtu": None, "uplink": None}, {})
    return Answer({"error": None, "mtu": info["mtu"], "uplink": uplink(info["uplink"], root)}, found)


def ports(switch: Switch, sockets: t.Collection[str]) -> dict[str, dict[str, t.Any]]:
    found = {}
    for port in switch.call("port.list")["ports"]:
        if port["socket"] in sockets:
            try:
                told = switch.call("port.features", vm=port["vm"])
            except SwitchError as exc:
                if exc.code != NOT_FOUND:
                    raise
                continue  # it was removed meanwhile
            found[port["socket"]] = {"connected": told["connected"], "negotiated": told["features"]}
    return found


def uplink(told: dict[str, t.Any] | None, root: str = "/") -> dict[str, t.Any] | None:
    """Return what the switch says of its uplink, and its speed where the kernel has it as an interface."""
    return told and {**told, "speed_mbps": speed_mbps(told["mac"], root)}


def speed_mbps(mac: str, root: str = "/") -> int | None:
    for name in _sysfs.names(root, _state_network.INTERFACES):
        place = f"{_state_network.INTERFACES}/{name}"
        # Interfaces without a device, such as bridges, borrow the addresses of others.
        if _sysfs.text(root, f"{place}/address") == mac and os.path.exists(
            os.path.join(root, place, "device")
        ):
            return _state_network.speed_mbps(root, place)
    return None
