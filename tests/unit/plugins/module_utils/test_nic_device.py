# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices found by name and address, and who uses them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _nic_device
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from nic_host import DEVICES, DISK, ETH0, ETH1, NET, NicHost

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> NicHost:
    return NicHost(tmp_path)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param("eth1", Nic(ETH1, "eth1"), id="by-interface"),
        pytest.param(ETH1, Nic(ETH1, "eth1"), id="by-address"),
        pytest.param("lo", Nic(None, "lo"), id="an-interface-without-device"),
    ],
)
def test_finds_a_device(host: NicHost, given: str, found: Nic) -> None:
    assert _nic_device.find(str(host.root), given) == found


def test_an_address_in_capital_letters(host: NicHost) -> None:
    host.add("0000:4a:00.0", "eth4")
    assert _nic_device.find(str(host.root), "0000:4A:00.0") == Nic("0000:4a:00.0", "eth4")


def test_a_virtio_device_has_its_interface_below_another_bus(host: NicHost) -> None:
    host.add("0000:44:00.0", None, "virtio-pci")
    host.write(f"{DEVICES}/0000:44:00.0/virtio1/net/eth3/flags", "0x1003")
    host.link(f"{DEVICES}/0000:44:00.0/virtio1/net/eth3/device", "../../../virtio1")
    host.link(f"{NET}/eth3", "../../bus/pci/devices/0000:44:00.0/virtio1/net/eth3")
    assert _nic_device.find(str(host.root), "eth3") == Nic("0000:44:00.0", "eth3")


def test_a_nic_on_usb_is_not_its_controller(host: NicHost) -> None:
    controller = f"{DEVICES}/0000:00:14.0"
    host.write(f"{controller}/class", "0x0c0330")
    host.link(f"{controller}/usb1/net/enx0/device", "../..")
    host.link(f"{NET}/enx0", "../../bus/pci/devices/0000:00:14.0/usb1/net/enx0")
    assert _nic_device.find(str(host.root), "enx0") == Nic(None, "enx0")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("eth9", "no interface eth9; name one of eth0, eth1, eth2, lo", id="no-such-interface"),
        pytest.param("..", "no interface ..;", id="a-way-out-of-the-folder"),
        pytest.param("../eth0", "no interface ../eth0;", id="a-path"),
        pytest.param("41:00.1", "an address that 'lspci -D' shows", id="an-address-without-domain"),
        pytest.param("0000:99:00.0", "is not a network device on PCI", id="no-such-address"),
        pytest.param(DISK, f"those are: {ETH0}", id="a-disk"),
    ],
)
def test_what_is_no_network_device(host: NicHost, given: str, said: str) -> None:
    with pytest.raises(NicError) as caught:
        _nic_device.find(str(host.root), given)
    assert said in str(caught.value)


def test_a_device_with_two_interfaces_wants_a_name(host: NicHost) -> None:
    host.write(f"{DEVICES}/{ETH1}/net/eth1b/flags", "0x1002")
    with pytest.raises(NicError, match=r"has the interfaces eth1, eth1b; name one"):
        _nic_device.find(str(host.root), ETH1)


def test_an_interface_that_is_gone_is_found_by_the_ledger(host: NicHost) -> None:
    host.bind(ETH1, "vfio-pci")
    assert _nic_device.find(str(host.root), "eth1", [Nic(ETH1, "eth1")]) == Nic(ETH1, None)


def test_a_name_that_went_to_another_device_is_not_guessed(host: NicHost) -> None:
    host.bind(ETH0, "vfio-pci")
    host.names[ETH1] = "eth0"
    host.bind(ETH1, "ice")
    with pytest.raises(
        NicError, match=rf"eth0 was {ETH0} when it was changed, and is {ETH1} now; name the PCI"
    ):
        _nic_device.find(str(host.root), "eth0", [Nic(ETH0, "eth0")])


@pytest.mark.parametrize(
    ("file", "driver"),
    [
        pytest.param("/dev/vfio/10", "vfio-pci", id="an-IOMMU-group"),
        pytest.param("/dev/vfio/noiommu-10", "vfio-pci", id="a-group-without-IOMMU"),
        pytest.param("/dev/vfio/devices/vfio0", "vfio-pci", id="a-device-of-vfio"),
        pytest.param("/dev/uio3", "uio_pci_generic", id="a-device-of-uio"),
    ],
)
def test_who_uses_a_device(host: NicHost, file: str, driver: str) -> None:
    host.bind(ETH0, driver)
    host.write(f"{DEVICES}/{ETH0}/vfio-dev/vfio0/dev", "")
    host.write(f"{DEVICES}/{ETH0}/uio/uio3/dev", "")
    host.process(800, "dpdk-testpmd", opened=["/dev/null", file])
    host.process(801, "other", opened=["/dev/vfio/11"])
    assert _nic_device.users(str(host.root), ETH0) == ["dpdk-testpmd (process 800)"]


@pytest.mark.parametrize(
    ("driver", "flags", "idle"),
    [
        pytest.param("ice", "0x1002", True, id="its-interface-is-down"),
        pytest.param("ice", "0x1003", False, id="its-interface-is-up"),
        pytest.param("ice", "odd", False, id="nobody-knows"),
        pytest.param("ice", None, False, id="its-interface-is-elsewhere"),
        pytest.param("vfio-pci", None, True, id="handed-over"),
        pytest.param(None, None, True, id="no-driver"),
    ],
)
def test_what_is_idle(host: NicHost, driver: str | None, flags: str | None, idle: bool) -> None:
    if flags is None:
        del host.names[ETH1]
        host.remove(ETH1)
        host.add(ETH1, None)
        host.bind(ETH1, driver)
    else:
        host.write(f"{DEVICES}/{ETH1}/net/eth1/flags", flags)
    assert _nic_device.is_idle(str(host.root), ETH1) is idle
