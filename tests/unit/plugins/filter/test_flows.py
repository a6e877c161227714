# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows beside those of a testbed, and flows as a table."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter.flow_rules import FilterModule as Rules
from ansible_collections.detnet.testbed.plugins.filter.flow_table import FilterModule as Table
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import compile_testbed

flow_rules, flow_table = Rules().filters()["flow_rules"], Table().filters()["flow_table"]

GROUPS = {"machines": ["pocket"], "end_hosts": ["alpha", "beta"], "network_switches": ["s1"]}
VIDEO: dict[str, t.Any] = {
    "name": "video",
    "from": "alpha-vm-01",
    "to": "beta-vm-02",
    "protocol": "udp",
    "destination_port": 5004,
    "rate_bps": 600_000_000,
    "burst_bits": 100_000,
}
BULK = VIDEO | {
    "name": "bulk",
    "protocol": "tcp",
    "family": "ipv6",
    "rate_bps": 300_000_000,
    "deadline_us": 2000,
}


def compiled(*flows: dict[str, t.Any]) -> dict[str, t.Any]:
    shared = {
        "testbed_name": "pocket",
        "testbed_links": [
            {"ends": [f"{host}:0", f"s1:{port}"], "speed_bps": 10**9}
            for host, port in (("alpha", 1), ("beta", 2))
        ],
        "testbed_flows": list(flows),
    }
    own = {
        host: {
            "testbed_vms": [
                {"id": number, "address": f"10.20.0.{number}/24", "address_v6": f"fd20::{number}/64"}
            ],
            "testbed_management_address": f"127.0.0.{number}",
        }
        for number, host in enumerate(["alpha", "beta"], start=1)
    }
    return compile_testbed(
        {host: copy.deepcopy(shared | own.get(host, {})) for host in ("alpha", "beta", "s1", "pocket")},
        GROUPS,
    )


def test_flows_beside_those_of_a_testbed_are_as_if_they_were_its_own() -> None:
    alone, whole = compiled(VIDEO), compiled(VIDEO, BULK)
    # Ansible hands on what it has read as JSON.
    found = flow_rules([BULK], json.loads(json.dumps(alone)))
    assert found["rules"] == {"alpha": [whole["end_hosts"]["alpha"]["rules"][1]], "beta": []}
    (flow,) = found["flows"]
    assert {**flow, "links": []} == {**whole["flows"][1], "links": []}
    assert [hop["load"] for hop in flow["links"]] == ["300 Mbit/s + 600 Mbit/s = 900 Mbit/s"] * 2


@pytest.mark.parametrize(
    ("flows", "change", "message"),
    [
        pytest.param(VIDEO, {}, r"Cannot find paths for {'name'.*; give a list of flows", id="no-list"),
        pytest.param(
            [VIDEO], {"links": None}, "without links; give what compile_testbed returns", id="no-testbed"
        ),
        pytest.param(
            [BULK | {"rate_bps": 500_000_000}, BULK | {"name": "x", "queue": 17}],
            {},
            r"Correct this:\n- flows\[1\] \(x\): queue is 17; .*\n- flows: bulk, the rule .*= 1100 Mbit/s on ",
            id="all-faults-at-once",
        ),
        pytest.param(
            [VIDEO],
            {},
            r"flows\[0\] \(video\): it matches the same frames as the rule vm 1 udp",
            id="there-already",
        ),
    ],
)
def test_refuses_what_cannot_be(flows: t.Any, change: dict[str, None], message: str) -> None:
    testbed = {key: value for key, value in compiled(VIDEO).items() if key not in change}
    with pytest.raises(AnsibleFilterError, match=message):
        flow_rules(flows, testbed)


def test_flows_are_a_table() -> None:
    late = BULK | {"deadline_us": None}
    assert flow_table(compiled(VIDEO | {"deadline_us": 700.5}, late)["flows"]).splitlines() == [
        "flow   from         to          path            tags  rate        at most (us)  deadline (us)",
        "----   ----         --          ----            ----  ----        ------------  -------------",
        "video  alpha-vm-01  beta-vm-02  alpha:0 > s1:2  20 2  600 Mbit/s  582.61        700.5",
        "bulk   alpha-vm-01  beta-vm-02  alpha:0 > s1:2  20 2  300 Mbit/s  582.61        -",
    ]
    assert flow_table([]) == ""
