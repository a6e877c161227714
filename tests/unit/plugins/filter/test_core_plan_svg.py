# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that draws what the module core_plan returns."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter.core_plan_svg import FilterModule
from ansible_collections.detnet.testbed.plugins.module_utils import _topology
from ansible_collections.detnet.testbed.plugins.modules import core_plan
from core_topologies import machine

Run = t.Callable[..., dict[str, t.Any]]
core_plan_svg = FilterModule().filters()["core_plan_svg"]


def test_draws_what_the_module_returned(run: Run) -> None:
    topology = _topology.to_document(machine(cores=4))
    result = run(core_plan.main, topology=topology, vms=[{"vm": 1, "vcpus": 1}])
    image = core_plan_svg(json.loads(json.dumps(result)), title="alpha", nic_node=0)
    assert image.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    for words in ("alpha", "CPU 2: the switch", "CPU 3: VM 1, vCPU 0", ">NIC<"):
        assert words in image


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({}, id="nothing"),
        pytest.param("a plan", id="a-text"),
        pytest.param({"topology": {"cpus": []}, "plan": {}}, id="half-a-topology"),
        pytest.param({"topology": None, "plan": None}, id="null"),
    ],
)
def test_refuses_what_is_no_plan(result: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"is not what detnet[.]testbed[.]core_plan returned"):
        core_plan_svg(result)
