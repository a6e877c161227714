# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module core_plan: from options to a result."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _topology
from ansible_collections.detnet.testbed.plugins.modules import core_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
SNC2 = json.loads((TOPOLOGIES / "two_sockets_snc2_smt.json").read_text())["topology"]


Run = t.Callable[..., dict[str, t.Any]]


def test_plans_for_a_given_machine(run: Run) -> None:
    vms = [{"vm": 1, "vcpus": 2, "memory_mib": 2048, "io_threads": 1}, {"vm": 2, "cpus": "34-35", "vcpus": 2}]
    result = run(core_plan.main, topology=SNC2, nic_node=2, switch_workers=2, switch_memory_mib=1024, vms=vms)
    assert result["plan"] == {
        "housekeeping": [0, 64],
        "interrupts": [0, 64],
        "switch": {"control": [0, 64], "workers": [32, 33], "memory_node": 2},
        "emulators": [],
        "vms": [
            {
                "vm": 1,
                "vcpus": [36, 37],
                "emulator": [0, 64],
                "io_threads": [[0]],
                "node": 2,
                "memory_node": 2,
                "page_size_kib": 2048,
                "pages": 1024,
            },
            {
                "vm": 2,
                "vcpus": [34, 35],
                "emulator": [0, 64],
                "io_threads": [],
                "node": 2,
                "memory_node": 2,
                "page_size_kib": 2048,
                "pages": 0,
            },
        ],
        "isolated": [*range(1, 64), *range(65, 128)],
        "empty": [*range(96, 102)],
        "spare": [*range(1, 32), *range(38, 64), *range(65, 96), *range(102, 128)],
        "masks": {
            "housekeeping": "00000001,00000000,00000001",
            "isolated": "ffffffff,fffffffe,ffffffff,fffffffe",
        },
        "hugepages": [{"node": 2, "page_size_kib": 2048, "pages": 1536}],
    }
    assert result["kernel_parameters"]["irqaffinity"] == "0,64"
    assert result["topology"] == SNC2
    assert result["picture"].startswith("node 0: 128000 MiB\n")
    assert result["changed"] is False


def test_without_smt_the_plan_is_the_same_before_and_after_threads_are_switched_off(run: Run) -> None:
    options: dict[str, t.Any] = {
        "smt": False,
        "nic_node": 2,
        "switch_workers": 2,
        "vms": [{"vm": 1, "vcpus": 4}],
    }
    before = run(core_plan.main, topology=SNC2, **options)
    assert [cpu["cpu"] for cpu in before["topology"]["cpus"]] == list(range(64))
    assert before["topology"]["offline"] == list(range(64, 128))
    assert before["plan"]["empty"] == []
    after = run(core_plan.main, topology=before["topology"], **options)
    assert (after["plan"], after["picture"]) == (before["plan"], before["picture"])


def test_plans_for_this_machine(run: Run) -> None:
    result = run(core_plan.main, isolate=False)
    assert result["plan"]["housekeeping"]
    assert _topology.from_document(result["topology"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(
            {"housekeeping_cpus": "0-1,1", "switch_worker_cpus": "x"},
            "housekeeping_cpus: CPU 1 is in '0-1,1' twice; name it once; switch_worker_cpus: 'x' in 'x' is neither",
            id="cpu-lists",
        ),
        pytest.param(
            {"vms": [{"vm": 3, "cpus": "4-"}]}, "cpus of VM 3: '4-' in '4-' is neither", id="a-vm-s-cpus"
        ),
        pytest.param(
            {"topology": {"cpus": []}}, "topology is not one that core_plan returned", id="no-topology"
        ),
        pytest.param(
            {"nic": "eth99"}, "there is neither a network interface nor a PCI device eth99", id="nic"
        ),
        pytest.param(
            {"topology": SNC2, "nic_node": 4}, "node 4, which is not there; the nodes are 0-3", id="node"
        ),
    ],
)
def test_refuses(run: Run, options: dict[str, t.Any], says: str) -> None:
    result = run(core_plan.main, **options)
    assert result["failed"] is True
    assert result["msg"].startswith("Cannot plan the CPUs: ")
    assert says in result["msg"]
