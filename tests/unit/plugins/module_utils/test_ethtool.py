# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver answers, and does not."""

from __future__ import annotations

import errno
import struct
import typing as t

import host_trees
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _ethtool

NOTHING: dict[str, str | None] = {"driver_version": None, "firmware_version": None}


def test_reads_what_the_driver_says() -> None:
    assert _ethtool.rings("eth0", host_trees.ask) == {
        "rx_packets": 512,
        "rx_packets_max": 4096,
        "tx_packets": 1024,
        "tx_packets_max": 8192,
    }
    assert _ethtool.pause("eth0", host_trees.ask) == {"autonegotiate": True, "rx": False, "tx": True}
    assert _ethtool.energy_efficient("eth0", host_trees.ask) is None
    assert _ethtool.versions("eth0", host_trees.ask) == {
        "driver_version": "1.12.7",
        "firmware_version": "4.40 0x8001c7d4",
    }


def test_reads_energy_efficient_ethernet() -> None:
    # command, supported, advertised, of the partner, active, enabled, ...
    answer = b"".join(number.to_bytes(4, "little") for number in (0x44, 1, 1, 1, 0, 1, 0, 0, 0, 0))
    assert _ethtool.energy_efficient("eth0", lambda _interface, _request: answer) is True


@pytest.mark.parametrize(
    "number", [errno.EOPNOTSUPP, errno.EPERM, errno.ENODEV, errno.EIO], ids=errno.errorcode.get
)
def test_a_driver_that_refuses(number: int) -> None:
    def refuse(_interface: str, _request: bytes) -> t.NoReturn:
        raise OSError(number, "refused")

    assert (_ethtool.rings("x", refuse), _ethtool.pause("x", refuse)) == (None, None)
    assert (_ethtool.energy_efficient("x", refuse), _ethtool.versions("x", refuse)) == (None, NOTHING)


@pytest.mark.parametrize("answer", [b"", b"\0\0\0", b"\xff" * 5], ids=["nothing", "cut-short", "garbage"])
def test_an_answer_of_another_size(answer: bytes) -> None:
    def garbled(_interface: str, _request: bytes) -> bytes:
        return answer

    assert (_ethtool.rings("x", garbled), _ethtool.versions("x", garbled)) == (None, NOTHING)


@pytest.mark.parametrize("name", ["detnet-none", "a-name-longer-than-sixteen", "\udcff"], ids=ascii)
def test_the_real_kernel_knows_no_such_interface(name: str) -> None:
    assert _ethtool.rings(name) is None
    assert _ethtool.versions(name) == NOTHING


def test_the_real_kernel_answers_for_the_loopback() -> None:
    assert _ethtool.rings("lo") is None
    assert _ethtool.versions("lo").keys() == NOTHING.keys()


class Driver:
    """Keeps what was set, by the number of the request that gets it."""

    def __init__(self) -> None:
        self.has = {
            0x10: [4096, 16, 8, 8192, 512, 2, 1, 1024],
            0x12: [1, 1, 0],
            0x44: [6, 4, 2, 1, 1, 1, 17, 0, 0],
        }

    def ask(self, _interface: str, request: bytes) -> bytes:
        command, *numbers = struct.unpack(f"={len(request) // 4}I", request)
        if command & 1:
            self.has[command - 1] = numbers
            return request
        return struct.pack(f"={len(request) // 4}I", command, *self.has[command])


def test_sets_what_is_asked_and_nothing_beside() -> None:
    driver = Driver()
    _ethtool.set_rings("eth0", 2048, 256, driver.ask)
    _ethtool.set_pause("eth0", False, True, False, driver.ask)
    _ethtool.set_energy_efficient("eth0", False, driver.ask)
    assert driver.has == {
        0x10: [4096, 16, 8, 8192, 2048, 2, 1, 256],
        0x12: [0, 1, 0],
        0x44: [6, 4, 2, 1, 0, 1, 17, 0, 0],
    }


def test_the_real_kernel_refuses_what_an_interface_does_not_have() -> None:
    for setter in (
        lambda: _ethtool.set_rings("lo", 1, 1),
        lambda: _ethtool.set_pause("lo", False, False, False),
        lambda: _ethtool.set_energy_efficient("lo", False),
    ):
        with pytest.raises(OSError, match=r"not supported|not permitted") as caught:
            setter()
        assert caught.value.errno in (errno.EOPNOTSUPP, errno.EPERM)
