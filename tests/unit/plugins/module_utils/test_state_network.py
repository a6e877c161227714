# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces with a device, and network devices without an interface."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _state_network
from host_trees import NET, PCI, ask, write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_network(tmp_path: Path) -> None:
    assert _state_network.read(write_host(tmp_path), ask) == {
        "interfaces": {
            "eth0": {
                "driver": "ice",
                "driver_version": "1.12.7",
                "firmware_version": "4.40 0x8001c7d4",
                "pci_address": "0000:00:01.0",
                "driver_override": None,
                "node": 1,
                "virtual_functions": 4,
                "mtu_bytes": 9000,
                "speed_mbps": 25000,
                "rings": {
                    "rx_packets": 512,
                    "rx_packets_max": 4096,
                    "tx_packets": 1024,
                    "tx_packets_max": 8192,
                },
                "pause": {"autonegotiate": True, "rx": False, "tx": True},
                "energy_efficient": None,
                "queues": {
                    "rx-0": {"rps_cpus": ""},
                    "rx-9": {"rps_cpus": "0-1"},
                    "rx-10": {"rps_cpus": "0-1"},
                    "tx-0": {"xps_cpus": "0"},
                },
            }
        },
        "devices_without_interface": {
            "0000:00:02.0": {"driver": "vfio-pci", "driver_override": "vfio-pci", "node": None}
        },
    }


def test_a_machine_without_network(tmp_path: Path) -> None:
    assert _state_network.read(str(tmp_path), ask) == {"interfaces": {}, "devices_without_interface": {}}


def test_a_virtio_interface_has_its_parent_s_address(tmp_path: Path) -> None:
    files = {
        f"{PCI}/0000:00:03.0/virtio2/net/eth1/speed": "-1",
        f"{PCI}/0000:00:03.0/virtio2/net/eth1/queues/tx-0/xps_cpus": "garbage",
        f"{PCI}/0000:00:03.0/virtio2/net/eth1/queues/odd/x": "",
        f"{PCI}/0000:00:03.0/numa_node": "0",
    }
    links = {
        f"{NET}/eth1": "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth1",
        f"{PCI}/0000:00:03.0/virtio2/net/eth1/device": "../../../virtio2",
        f"{PCI}/0000:00:03.0/virtio2/driver": "../../../../bus/virtio/drivers/virtio_net",
        "sys/bus/pci/devices/0000:00:03.0": "../../../devices/pci0000:00/0000:00:03.0",
    }
    interface = _state_network.read(write(tmp_path, files, links), ask)["interfaces"]["eth1"]
    assert (interface["driver"], interface["pci_address"], interface["node"]) == (
        "virtio_net",
        "0000:00:03.0",
        0,
    )
    assert (interface["speed_mbps"], interface["mtu_bytes"], interface["rings"]) == (None, None, None)
    assert interface["queues"] == {"tx-0": {"xps_cpus": None}}


def test_a_nic_behind_a_bridge_has_its_own_address(tmp_path: Path) -> None:
    nic = f"{PCI}/0000:00:04.0/0000:41:00.1"
    links = {f"{NET}/eth2": f"../../../{nic}/net/eth2", f"{nic}/net/eth2/device": "../.."}
    root = write(tmp_path, {f"{nic}/net/eth2/mtu": "1500", f"{nic}/class": "0x020000"}, links)
    assert _state_network.pci_address(root, "eth2") == "0000:41:00.1"


def test_a_nic_without_a_driver_is_named(tmp_path: Path) -> None:
    root = write_host(tmp_path)
    (tmp_path / PCI / "0000:00:02.0/driver").unlink()
    devices = _state_network.read(root, ask)["devices_without_interface"]
    assert devices == {"0000:00:02.0": {"driver": None, "driver_override": "vfio-pci", "node": None}}
