# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that compares VMs with what was asked for."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter.difference_table import difference_table
from ansible_collections.detnet.testbed.plugins.filter.vm_differences import FilterModule

UPLINK = {"link_up": True, "speed_mbps": 10000}
REAL: dict[str, t.Any] = {
    "vms": [],
    "host": {"cpus": "0-1", "page_size_kib": 2048},
    "switch": {"error": None, "mtu": 1500, "uplink": UPLINK},
}
WANTED = [{"name": "a-vm-01", "memory_mib": 256, "vcpus": 1}]


def test_becomes_a_table() -> None:
    vm_differences = FilterModule().filters()["vm_differences"]
    assert difference_table(vm_differences(WANTED, REAL, uplink_speed_mbps=25000)).splitlines() == [
        "vm       setting                 wanted   real    reason",
        "--       -------                 ------   ----    ------",
        "a-vm-01  state                   running  absent  there is no such VM of ours on this host; run",
        "                                                  create_vms.yml",
        "all      uplink speed in Mbit/s  25000    10000   the two ends of the cable agreed on it; see the",
        "                                                  port at its other end",
    ]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        pytest.param(7, "what is wanted are no VMs", id="no-vms"),
        pytest.param([{**WANTED[0], "vcpu_cpus": ["x"]}], "'x' in 'x' is neither a CPU", id="no-cpus"),
    ],
)
def test_refuses(wanted: t.Any, says: str) -> None:
    vm = {"name": "a-vm-01", "state": "running", "vcpus": 1, "memory_mib": 256, "pid": 7, "vcpu_pins": []}
    with pytest.raises(AnsibleFilterError, match="Cannot compare VMs with what was asked for") as caught:
        FilterModule().filters()["vm_differences"](wanted, REAL | {"vms": [vm]})
    assert says in str(caught.value)
