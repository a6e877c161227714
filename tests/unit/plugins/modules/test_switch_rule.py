# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.modules import switch_rule

Rule = dict[str, t.Any]

MATCH: Rule = {
    "vm": 1,
    "protocol": 17,
    "source_ip": "10.0.0.1",
    "destination_ip": "10.0.0.2",
    "source_port": 5000,
    "destination_port": 6000,
}
UDP: Rule = MATCH | {"tags": [21, 21, 1], "rate_bps": 1000, "burst_bits": 12000}
FASTER: Rule = UDP | {"rate_bps": 2000}
ICMP: Rule = UDP | {"protocol": 1, "source_port": 0, "destination_port": 0}
ICMP_MATCH: Rule = MATCH | {"protocol": 1, "source_port": 0, "destination_port": 0}


def set_(*rules: Rule) -> tuple[str, dict[str, t.Any]]:
    return "rule.set", {"rules": list(rules)}


def delete(*matches: Rule) -> tuple[str, dict[str, t.Any]]:
    return "rule.delete", {"rules": list(matches)}


@pytest.mark.parametrize(
    ("has", "rules", "state", "changes", "after"),
    [
        pytest.param(
            [], [UDP, ICMP], "present", [set_(ICMP, UDP)], [ICMP, UDP], id="sets-all-by-one-request"
        ),
        pytest.param([UDP], [UDP], "present", [], [UDP], id="idempotent"),
        pytest.param([UDP], [UDP | {"protocol": "udp"}], "present", [], [UDP], id="a-protocol-by-name"),
        pytest.param([UDP], [FASTER], "present", [set_(FASTER)], [FASTER], id="updates"),
        pytest.param([UDP], [UDP, ICMP], "present", [set_(ICMP)], [ICMP, UDP], id="sets-what-is-missing"),
        pytest.param([UDP], [ICMP], "present", [set_(ICMP)], [ICMP], id="present-leaves-others-alone"),
        pytest.param([UDP, ICMP], [UDP], "absent", [delete(MATCH)], [], id="deletes"),
        pytest.param([UDP], [MATCH], "absent", [delete(MATCH)], [], id="deletes-by-the-match-alone"),
        pytest.param([ICMP], [UDP], "absent", [], [], id="absent-is-idempotent"),
        pytest.param(
            [ICMP],
            [UDP],
            "exact",
            [set_(UDP), delete(ICMP_MATCH)],
            [UDP],
            id="exact-sets-first-and-deletes-then",
        ),
        pytest.param([ICMP, UDP], [UDP, ICMP], "exact", [], [ICMP, UDP], id="exact-is-idempotent"),
        pytest.param(
            [ICMP, UDP], [], "exact", [delete(ICMP_MATCH, MATCH)], [], id="exact-without-rules-deletes-all"
        ),
    ],
)
@pytest.mark.parametrize(
    "check_mode", [pytest.param(False, id="acting"), pytest.param(True, id="predicting")]
)
def test_makes_the_rules_as_asked(
    *,
    switch: t.Any,
    run: t.Any,
    has: list[Rule],
    rules: list[Rule],
    state: str,
    changes: list[t.Any],
    after: list[Rule],
    check_mode: bool,
) -> None:
    switch.rules = has
    result = run(switch_rule.main, check_mode=check_mode, socket=switch.path, rules=rules, state=state)
    assert switch.changes == ([] if check_mode else changes)
    assert result["changed"] == bool(changes)
    assert result["rules"] == after


def test_shows_the_difference_only(switch: t.Any, run: t.Any) -> None:
    switch.rules = [ICMP, UDP]
    assert run(switch_rule.main, socket=switch.path, rules=[FASTER, ICMP], state="exact")["diff"] == {
        "before": "vm 1 udp 10.0.0.1:5000 > 10.0.0.2:6000 tags 21,21,1 rate 1000 bit/s burst 12000 bit\n",
        "after": "vm 1 udp 10.0.0.1:5000 > 10.0.0.2:6000 tags 21,21,1 rate 2000 bit/s burst 12000 bit\n",
    }


def test_shows_deleted_rules_as_gone(switch: t.Any, run: t.Any) -> None:
    switch.rules = [ICMP]
    assert run(switch_rule.main, socket=switch.path, rules=[], state="exact")["diff"] == {
        "before": "vm 1 icmp 10.0.0.1 > 10.0.0.2 tags 21,21,1 rate 1000 bit/s burst 12000 bit\n",
        "after": "",
    }


def test_sends_no_request_that_is_longer_than_the_switch_reads(switch: t.Any, run: t.Any) -> None:
    longest = UDP | {
        "vm": 4094,
        "source_ip": "255.255.255.255",
        "destination_ip": "255.255.255.255",
        "tags": [4094] * 10,
        "rate_bps": 400 * 10**9,
        "burst_bits": 2**63 - 1,
    }
    rules = [longest | {"source_port": 10000 + n, "destination_port": 10000} for n in range(5000)]
    assert run(switch_rule.main, socket=switch.path, rules=rules)["changed"]
    assert [len(params["rules"]) for _method, params in switch.changes] == [2000, 2000, 1000]


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        pytest.param([UDP | {"tags": [0]}], "rules[0]: tags[0] is 0; choose 1 to 4094", id="a-value"),
        pytest.param(
            [UDP, FASTER],
            "rules[1]: matches the same packets as rules[0]; keep one of them",
            id="the-same-match-twice",
        ),
        pytest.param(
            [MATCH | {"tags": [1], "rate_bps": 1}],
            "rules[0]: burst_bits is None; choose 1 to 9223372036854775807",
            id="a-missing-value",
        ),
        pytest.param(
            [ICMP | {"source_port": 7}, UDP | {"vm": -1}],
            "rules[0]: source_port is 7, but protocol icmp has no ports; leave it out; "
            "rules[1]: vm is -1; choose 0 to 4094",
            id="all-faults-at-once",
        ),
    ],
)
def test_refuses_before_any_request(run: t.Any, rules: list[Rule], fault: str) -> None:
    result = run(switch_rule.main, socket="/nowhere", rules=rules)
    assert result["msg"] == f"Cannot make the rules present on the switch at /nowhere: {fault}"


def test_hands_on_what_the_switch_refuses(switch: t.Any, run: t.Any) -> None:
    switch.error = {
        "code": -32001,
        "message": "rules[0]: VM 1 has no port; add it first",
        "data": {"index": 0},
    }
    result = run(switch_rule.main, socket=switch.path, rules=[UDP])
    assert result["failed"]
    assert result["msg"].endswith("rules[0]: VM 1 has no port; add it first")
