# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a plan."""

from __future__ import annotations

import dataclasses
import re

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._core_picture import WIDTH, picture
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request, Vm
from core_topologies import NAMES, machine, recorded

SHOWN = """\
node 0: 65536 MiB, 256 pages of 2 MiB
    0 H 8 H | 1 W 9 -
    2 v1 10 - | 3 v1 11 -
node 1: 65536 MiB
    4 E 12 E | 5 v2 13 -
    6 . 14 . | 7 . 15 .
offline: 16
a core has its threads side by side; H housekeeping, W the switch, E emulators, - empty, . spare, vN VM N"""


def test_shows_nodes_caches_and_cores() -> None:
    topology = dataclasses.replace(machine(nodes=2, cores=4, threads=2, cores_per_cache=2), offline=(16,))
    request = Request(
        switch_worker_cpus=(1,),
        vms=(Vm(1, 2, memory_mib=512, node=0), Vm(2, 1, node=1)),
        emulator_cpus=(4, 12),
    )
    assert picture(topology, make_plan(topology, request)) == SHOWN


@pytest.mark.parametrize("name", NAMES)
def test_has_room_for_every_machine(name: str) -> None:
    topology = recorded(name)
    request = Request(isolate=len(topology.cpus) > 4, switch_workers=1)
    *shown, _legend = picture(topology, make_plan(topology, request)).splitlines()
    assert max(map(len, shown)) <= WIDTH
    cells = [cell for line in shown if line.startswith("    ") for cell in re.findall(r"(\d+) \S+", line)]
    assert sorted(map(int, cells)) == sorted(topology.cpus)
