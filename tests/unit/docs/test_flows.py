# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/flows.md is what comes of its description."""

from __future__ import annotations

import copy
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.detnet.testbed.plugins.filter.flow_table import flow_table
from ansible_collections.detnet.testbed.plugins.module_utils._flow_faults import KEYS
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import TestbedError, compile_testbed

PAGE = (Path(__file__).parents[3] / "docs/flows.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DESCRIPTION: dict[str, t.Any] = yaml.safe_load(BLOCKS[0])
HOSTS, SWITCHES = ["alpha", "beta", "gamma"], ["s1", "s2", "s3"]
GROUPS = {"machines": ["m"], "end_hosts": HOSTS, "network_switches": SWITCHES}


def compiled(**changes: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the testbed of the page, with flows of it changed."""
    variables = copy.deepcopy({"testbed_name": "example", **DESCRIPTION})
    for flow in variables["testbed_flows"]:
        flow.update(changes.get(flow["name"], {}))
    hostvars: dict[str, t.Any] = dict.fromkeys([*SWITCHES, "m"], variables)
    for number, host in enumerate(HOSTS, start=11):
        own = {"testbed_vms": [{"id": 1, "address": f"10.20.0.{number}/24"}]}
        hostvars[host] = variables | own | {"testbed_management_address": f"127.0.0.{number}"}
    return compile_testbed(hostvars, GROUPS)


def hops(name: str) -> str:
    """Return what a flow waits on each link."""
    (flow,) = [flow for flow in compiled()["flows"] if flow["name"] == name]
    return "\n".join(f"{hop['link']:<14}  {hop['delay_us']:>7} us   {hop['load']}" for hop in flow["links"])


FAULTY: list[dict[str, dict[str, t.Any]]] = [
    {"bulk": {"rate_bps": 950_000_000}},
    {"control": {"deadline_us": 200}},
    {"spare": {"disjoint_from": ["video", "control"]}},
    {"video": {"via": ["s4"]}},
]


def told(changes: dict[str, dict[str, t.Any]]) -> str:
    with pytest.raises(TestbedError) as caught:
        compiled(**changes)
    return caught.value.faults[0]


def test_the_table() -> None:
    assert BLOCKS[1].rstrip("\n") == flow_table(compiled()["flows"])


def test_the_waits_of_a_flow() -> None:
    assert BLOCKS[2].rstrip("\n") == hops("control")


def test_the_faults() -> None:
    assert BLOCKS[3].splitlines() == [told(changes) for changes in FAULTY]


def test_every_key_is_explained() -> None:
    keys = [
        key for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(keys) == sorted(KEYS)
