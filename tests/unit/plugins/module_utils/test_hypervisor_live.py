# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins in the XML of a domain."""

from __future__ import annotations

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor_live
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor_live import Pins

TUNE = """
<cputune>
  <shares>2048</shares>
  <vcpupin vcpu='1' cpuset='4-5,6'/>
  <emulatorpin cpuset='0-1'/>
  <iothreadpin iothread='1' cpuset='2'/>
</cputune>
"""


@pytest.mark.parametrize(
    ("inside", "pins", "first_two", "io_thread", "emulator"),
    [
        pytest.param("<vcpu>2</vcpu>", Pins({}, {}, None, None), [None, None], None, None, id="nothing-is-pinned"),
        pytest.param(
            f"<vcpu placement='static'>2</vcpu>{TUNE}",
            Pins({1: "4-6"}, {1: "2"}, "0-1", None),
            [None, "4-6"],
            "2",
            "0-1",
            id="one-of-two-vcpus-is-pinned",
        ),
        pytest.param(
            "<vcpu cpuset='7,0-3'>2</vcpu>",
            Pins({}, {}, None, "0-3,7"),
            ["0-3,7", "0-3,7"],
            "0-3,7",
            "0-3,7",
            id="all-threads-together",
        ),
    ],
)  # fmt: skip
def test_pins(
    inside: str, pins: Pins, first_two: list[str | None], io_thread: str | None, emulator: str | None
) -> None:
    found = _hypervisor_live.parse(f"<domain type='kvm' id='1'><name>a</name>{inside}</domain>")
    assert found == pins
    assert [found.of_vcpu(0), found.of_vcpu(1)] == first_two
    assert (found.of_io_thread(1), found.of_emulator) == (io_thread, emulator)
