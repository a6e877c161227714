# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of a machine whose sysfs the test writes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _dpdk_devices
from ansible_collections.detnet.testbed.plugins.module_utils._dpdk_devices import Device
from host_trees import write

if t.TYPE_CHECKING:
    from pathlib import Path

PCI = "sys/bus/pci/devices"
NIC = "0000:41:00.0"
RELEASE = "6.1.0"
DEP = f"lib/modules/{RELEASE}/modules.dep"
BUILTIN = f"lib/modules/{RELEASE}/modules.builtin"
VFIO_MODULE = {DEP: "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n"}


def nic(
    root: Path, address: str = NIC, driver: str | None = None, group: int | None = None, **files: str
) -> None:
    given = {"class": "0x020000\n", "vendor": "0x8086\n", "device": "0x1572\n", "numa_node": "1\n"} | files
    write(root, {f"{PCI}/{address}/{name}": text for name, text in given.items()})
    for name, target in (("driver", driver), ("iommu_group", group)):
        if target is not None:
            (root / PCI / address / name).symlink_to(f"../../../somewhere/{target}")


def test_reads_a_device(tmp_path: Path) -> None:
    nic(tmp_path, driver="i40e", group=26, driver_override="(null)\n")
    write(tmp_path, {f"{PCI}/{NIC}/net/enp65s0f0/mtu": "1500\n", **VFIO_MODULE})
    assert _dpdk_devices.read_devices(str(tmp_path), RELEASE) == [
        Device(
            NIC,
            "0x8086",
            "0x1572",
            "i40e",
            None,
            1,
            26,
            ("enp65s0f0",),
            bound=False,
            bindable_by=("vfio-pci",),
        )
    ]


def test_only_network_devices_in_order_of_their_addresses(tmp_path: Path) -> None:
    nic(tmp_path, "0000:81:00.0")
    nic(tmp_path, "0000:03:00.0", **{"class": "0x028000\n"})
    nic(tmp_path, "0000:02:00.0", **{"class": "0x010802\n"})
    assert [device.address for device in _dpdk_devices.read_devices(str(tmp_path), RELEASE)] == [
        "0000:03:00.0",
        "0000:81:00.0",
    ]


def test_an_interface_behind_virtio(tmp_path: Path) -> None:
    nic(tmp_path, driver="virtio-pci")
    write(tmp_path, {f"{PCI}/{NIC}/virtio2/net/eth0/mtu": "1500\n"})
    (device,) = _dpdk_devices.read_devices(str(tmp_path), RELEASE)
    assert device.interfaces == ("eth0",)


@pytest.mark.parametrize(
    ("driver", "override", "bound"),
    [
        pytest.param("vfio-pci", "vfio-pci\n", True, id="given-to-programs-and-reserved"),
        pytest.param("igb_uio", "", True, id="given-to-programs-by-hand"),
        pytest.param("i40e", "vfio-pci\n", False, id="reserved-but-not-bound"),
        pytest.param(None, "", False, id="no-driver"),
    ],
)
def test_what_a_device_is_bound_to(tmp_path: Path, driver: str | None, override: str, bound: bool) -> None:
    nic(tmp_path, driver=driver, driver_override=override)
    (device,) = _dpdk_devices.read_devices(str(tmp_path), RELEASE)
    assert (device.driver, device.driver_override, device.bound) == (driver, override.strip() or None, bound)


@pytest.mark.parametrize(
    ("files", "group", "bindable_by"),
    [
        pytest.param({}, 3, (), id="the-kernel-has-no-such-driver"),
        pytest.param(VFIO_MODULE, 3, ("vfio-pci",), id="vfio-as-a-module"),
        pytest.param(
            {BUILTIN: "kernel/drivers/vfio/pci/vfio-pci.ko\n"}, 3, ("vfio-pci",), id="vfio-built-in"
        ),
        pytest.param({"sys/bus/pci/drivers/vfio-pci/new_id": ""}, 3, ("vfio-pci",), id="vfio-loaded"),
        pytest.param(VFIO_MODULE, None, (), id="vfio-without-iommu"),
        pytest.param(
            {**VFIO_MODULE, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode": "Y\n"},
            None,
            ("vfio-pci",),
            id="vfio-told-to-do-without",
        ),
        pytest.param(
            {DEP: "updates/dkms/igb_uio.ko: kernel/uio.ko\n"}, None, ("igb_uio",), id="uio-asks-for-no-iommu"
        ),
        pytest.param(
            {DEP: "a/vfio-pci.ko:\na/uio_pci_generic.ko.zst: a/uio.ko\n"},
            3,
            ("vfio-pci", "uio_pci_generic"),
            id="both",
        ),
        pytest.param({DEP: "a/xe-vfio-pci.ko: a/vfio-pci.ko\n"}, 3, (), id="another-module-that-names-it"),
        pytest.param({DEP: "\x00\xff garbage"}, 3, (), id="garbage"),
    ],
)
def test_who_could_hand_it_over(
    tmp_path: Path, files: dict[str, str], group: int | None, bindable_by: tuple[str, ...]
) -> None:
    nic(tmp_path, group=group)
    (device,) = _dpdk_devices.read_devices(write(tmp_path, files), RELEASE)
    assert device.bindable_by == bindable_by


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-1\n", id="the-firmware-does-not-know"),
        pytest.param("", id="empty"),
        pytest.param("x", id="garbage"),
    ],
)
def test_a_node_that_is_not_known(tmp_path: Path, text: str) -> None:
    nic(tmp_path, numa_node=text)
    (device,) = _dpdk_devices.read_devices(str(tmp_path), RELEASE)
    assert device.node is None


def test_a_machine_without_pci(tmp_path: Path) -> None:
    assert _dpdk_devices.read_devices(str(tmp_path), RELEASE) == []


def test_a_device_and_its_virtual_function_have_their_own_interfaces(tmp_path: Path) -> None:
    function = "0000:41:02.0"
    nic(tmp_path)
    nic(tmp_path, function)
    files = {f"{PCI}/{NIC}/net/eth1/mtu": "1500\n", f"{PCI}/{function}/net/eth1v0/mtu": "1500\n"}
    links = {f"{PCI}/{NIC}/virtfn0": f"../{function}", f"{PCI}/{function}/physfn": f"../{NIC}"}
    write(tmp_path, files, links)
    found = _dpdk_devices.read_devices(str(tmp_path), RELEASE)
    assert [device.interfaces for device in found] == [("eth1",), ("eth1v0",)]
