# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that cannot send and hear LLDP."""

from __future__ import annotations

import errno
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp_interface

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Make a sysfs with interfaces, and two PCI devices of which DPDK has one."""
    for name, kind, flags in (("eth2", "1", "0x1003"), ("eth3", "1", "0x1002"), ("lo", "772", "0x9")):
        place = tmp_path / "sys/class/net" / name
        place.mkdir(parents=True)
        (place / "type").write_text(f"{kind}\n")
        (place / "flags").write_text(f"{flags}\n")
    for address, driver in (("0000:3b:00.0", "vfio-pci"), ("0000:3b:00.1", "ixgbe")):
        place = tmp_path / "sys/bus/pci/devices" / address
        place.mkdir(parents=True)
        drivers = tmp_path / "sys/bus/pci/drivers" / driver
        drivers.mkdir(parents=True)
        (place / "driver").symlink_to(drivers)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("interface", "why"),
    [
        pytest.param("eth4", "there is no interface eth4", id="unknown"),
        pytest.param("../eth2", "there is no interface", id="a-path"),
        pytest.param("", "there is no interface", id="empty"),
        pytest.param("a" * 16, "there is no interface", id="too-long"),
        pytest.param("eth3", "ip link set dev eth3 up", id="down"),
        pytest.param("lo", "no Ethernet interface", id="loopback"),
        pytest.param("0000:3b:00.0", "bound to vfio-pci", id="of-dpdk"),
        pytest.param("0000:3b:00.1", "name its interface", id="of-the-kernel"),
    ],
)
def test_interfaces_that_cannot(root: str, interface: str, why: str) -> None:
    assert why in (_lldp_interface.problem(interface, root) or "")


def test_one_that_can(root: str) -> None:
    assert _lldp_interface.problems(["eth2"], root) == []


def test_all_that_is_wrong_is_told_at_once(root: str) -> None:
    assert len(_lldp_interface.problems(["eth2", "eth3", "eth4"], root)) == 2


def test_an_error_of_the_kernel_has_its_way_out() -> None:
    assert "become root" in _lldp_interface.explained(OSError(errno.EPERM, "Operation not permitted"))
    assert _lldp_interface.explained(OSError(errno.EIO, "I/O error")) == "[Errno 5] I/O error"


@pytest.mark.parametrize(
    ("speed", "speed_bps"),
    [("10000\n", 10**10), ("-1\n", None), (None, None)],
    ids=["told", "unknown", "unreadable"],
)
def test_what_a_port_is(root: str, tmp_path: Path, speed: str | None, speed_bps: int | None) -> None:
    place = tmp_path / "sys/class/net/eth2"
    (place / "mtu").write_text("9000\n")
    if speed:
        (place / "speed").write_text(speed)
    assert _lldp_interface.port("eth2", root) == {"mtu": 9000, "speed_bps": speed_bps}
