# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has a network device's settings again after a restart. Its driver is not in here: driverctl keeps that."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._nic_binding import virtual_functions_path
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Value
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import shown

RINGS = {"rx_ring_packets": "rx", "tx_ring_packets": "tx"}
PAUSE = {"autonegotiate": "autoneg", "rx": "rx", "tx": "tx"}


def boot_commands(interface: str, settings: t.Mapping[str, Value]) -> list[list[str]]:
    """Return the commands of ethtool for these settings."""
    commands = []
    rings = [(word, shown(settings[name])) for name, word in RINGS.items() if name in settings]
    if rings:
        commands.append(["ethtool", "-G", interface, *(word for pair in rings for word in pair)])
    if "pause" in settings:
        flags = [(word, shown(settings["pause"][name])) for name, word in PAUSE.items()]
        commands.append(["ethtool", "-A", interface, *(word for pair in flags for word in pair)])
    if "energy_efficient" in settings:
        commands.append(["ethtool", "--set-eee", interface, "eee", shown(settings["energy_efficient"])])
    return commands


def boot_values(address: str, settings: t.Mapping[str, Value]) -> list[dict[str, str]]:
    """Return the files of sysfs for these settings, each with its value."""
    if "virtual_functions" not in settings:
        return []
    return [{"path": virtual_functions_path(address), "value": str(settings["virtual_functions"])}]
