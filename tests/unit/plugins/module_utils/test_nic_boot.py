# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and values that set a device again after a restart."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._nic_boot import boot_commands, boot_values

FORCED = {"autonegotiate": False, "rx": False, "tx": False}


@pytest.mark.parametrize(
    ("settings", "commands"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(
            {"rx_ring_packets": 4096, "tx_ring_packets": 512},
            ["ethtool -G eth1 rx 4096 tx 512"],
            id="both-rings-by-one-command",
        ),
        pytest.param({"tx_ring_packets": 512}, ["ethtool -G eth1 tx 512"], id="one-ring"),
        pytest.param({"pause": FORCED}, ["ethtool -A eth1 autoneg off rx off tx off"], id="pause-frames-off"),
        pytest.param(
            {"pause": FORCED | {"autonegotiate": True, "tx": True}},
            ["ethtool -A eth1 autoneg on rx off tx on"],
            id="pause-frames-as-the-driver-took-them",
        ),
        pytest.param({"energy_efficient": False}, ["ethtool --set-eee eth1 eee off"], id="energy"),
        pytest.param({"virtual_functions": 4, "driver": {"driver": "vfio-pci"}}, [], id="what-others-keep"),
    ],
)
def test_commands(settings: dict[str, t.Any], commands: list[str]) -> None:
    assert boot_commands("eth1", settings) == [command.split() for command in commands]


def test_values() -> None:
    path = "/sys/bus/pci/devices/0000:41:00.1/sriov_numvfs"
    assert boot_values("0000:41:00.1", {"virtual_functions": 4, "pause": FORCED}) == [
        {"path": path, "value": "4"}
    ]
    assert boot_values("0000:41:00.1", {"pause": FORCED}) == []
