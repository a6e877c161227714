# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
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
TERMS: Rule = {"tags": [21, 21, 1], "rate_bps": 1000, "burst_bits": 12000}
# What a rule is by default is listed, and need not be asked for.
LISTED: Rule = {
    "priority": 0,
    "tpid": "802.1Q",
    "mode": "shape",
    "queue_packets": 1024,
    "queue_bytes": 1048576,
}
SENT = {"mode": "shape"}

UDP = MATCH | TERMS
FASTER = UDP | {"rate_bps": 2000}
ICMP_MATCH = MATCH | {"protocol": 1, "source_port": 0, "destination_port": 0}
ICMP = ICMP_MATCH | TERMS
OTHER_VM = UDP | {"vm": 2}


def listed(rules: t.Iterable[Rule]) -> list[Rule]:
    return [rule | LISTED for rule in rules]


def sent(method: str, *rules: Rule, **params: t.Any) -> tuple[str, dict[str, t.Any]]:
    return method, {"rules": [rule | SENT if "tags" in rule else rule for rule in rules], **params}


@pytest.mark.parametrize(
    ("has", "rules", "state", "changes", "after"),
    [
        pytest.param(
            [], [UDP, ICMP], "present", sent("rule.set", ICMP, UDP), [ICMP, UDP], id="sets-all-at-once"
        ),
        pytest.param([UDP], [UDP], "present", None, [UDP], id="idempotent"),
        pytest.param([UDP], [UDP | {"protocol": "udp"}], "present", None, [UDP], id="a-protocol-by-name"),
        pytest.param([UDP], [FASTER], "present", sent("rule.set", FASTER), [FASTER], id="updates"),
        pytest.param(
            [UDP], [UDP, ICMP], "present", sent("rule.set", ICMP), [ICMP, UDP], id="sets-what-is-missing"
        ),
        pytest.param(
            [UDP], [ICMP], "present", sent("rule.set", ICMP), [ICMP], id="present-leaves-others-alone"
        ),
        pytest.param([UDP, ICMP], [UDP], "absent", sent("rule.delete", MATCH), [], id="deletes"),
        pytest.param(
            [UDP], [MATCH], "absent", sent("rule.delete", MATCH), [], id="deletes-by-the-match-alone"
        ),
        pytest.param([ICMP], [UDP], "absent", None, [], id="absent-is-idempotent"),
        pytest.param(
            [ICMP], [UDP], "exact", sent("rule.replace", UDP), [UDP], id="exact-replaces-in-one-step"
        ),
        pytest.param([ICMP, UDP], [UDP, ICMP], "exact", None, [ICMP, UDP], id="exact-is-idempotent"),
        pytest.param(
            [ICMP, UDP], [], "exact", sent("rule.replace"), [], id="exact-without-rules-deletes-all"
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
    changes: t.Any,
    after: list[Rule],
    check_mode: bool,
) -> None:
    switch.rules = listed(has)
    result = run(switch_rule.main, check_mode=check_mode, socket=switch.path, rules=rules, state=state)
    assert switch.changes == ([changes] if changes and not check_mode else [])
    assert result["changed"] == bool(changes)
    assert result["rules"] == listed(after)
    assert result["generation"] == 7 + len(switch.changes)


def test_replaces_the_rules_of_one_vm_only(switch: t.Any, run: t.Any) -> None:
    switch.rules = listed([ICMP, OTHER_VM])
    result = run(switch_rule.main, socket=switch.path, rules=[UDP], state="exact", vm=1)
    assert switch.changes == [sent("rule.replace", UDP, vm=1)]
    assert "vm 2" not in result["diff"]["before"]


@pytest.mark.parametrize("state", ["present", "absent", "exact"])
def test_looks_again_if_another_writer_was_faster(switch: t.Any, run: t.Any, state: str) -> None:
    switch.rules = listed([ICMP])
    switch.other_writers = 9
    result = run(
        switch_rule.main, socket=switch.path, rules=[ICMP if state == "absent" else UDP], state=state
    )
    assert result["changed"]
    assert len(switch.changes) == 1
    assert [method for method, _params in switch.questions] == ["switch.info", "rule.list"] * 10


def test_gives_up_after_some_attempts(switch: t.Any, run: t.Any) -> None:
    switch.other_writers = 1000
    result = run(switch_rule.main, socket=switch.path, rules=[UDP])
    assert result["msg"].endswith("the switch has changed meanwhile")
    assert len(switch.questions) == 20
    assert switch.changes == []


def test_shows_the_difference_only(switch: t.Any, run: t.Any) -> None:
    switch.rules = listed([ICMP, UDP])
    assert run(switch_rule.main, socket=switch.path, rules=[FASTER, ICMP], state="exact")["diff"] == {
        "before": "vm 1 udp 10.0.0.1:5000 > 10.0.0.2:6000 tags 21,21,1 rate 1000 bit/s burst 12000 bit\n",
        "after": "vm 1 udp 10.0.0.1:5000 > 10.0.0.2:6000 tags 21,21,1 rate 2000 bit/s burst 12000 bit\n",
    }


def test_shows_deleted_rules_as_gone(switch: t.Any, run: t.Any) -> None:
    switch.rules = listed([ICMP])
    assert run(switch_rule.main, socket=switch.path, rules=[], state="exact")["diff"] == {
        "before": "vm 1 icmp 10.0.0.1 > 10.0.0.2 tags 21,21,1 rate 1000 bit/s burst 12000 bit\n",
        "after": "",
    }


def test_shows_a_thousand_changed_rules_and_counts_the_others(switch: t.Any, run: t.Any) -> None:
    switch.rules = listed(UDP | {"source_port": port} for port in range(600))
    wanted = [UDP | {"source_port": port} for port in range(600, 1203)]
    difference = run(switch_rule.main, socket=switch.path, rules=wanted, state="exact")["diff"]
    before, after = (difference[side].splitlines() for side in ("before", "after"))
    assert (len(before), before[0].split()[3], before[-1]) == (
        601,
        "10.0.0.1:0",
        "and 203 more changed rules",
    )
    assert (len(after), after[0].split()[3], after[-1]) == (401, "10.0.0.1:600", "and 203 more changed rules")


def test_a_hundred_thousand_rules_are_one_request_that_the_switch_reads(switch: t.Any, run: t.Any) -> None:
    """Two tags and ten-digit rates: the size is what counts, so a thousandth is sent and multiplied."""
    rules = [
        UDP
        | {
            "source_ip": f"203.0.113.{n}",
            "destination_ip": "203.0.113.254",
            "source_port": 50000,
            "rate_bps": 10**9,
            "burst_bits": 10**6,
        }
        for n in range(100)
    ]
    assert run(switch_rule.main, socket=switch.path, rules=rules, state="exact")["changed"]
    [(_method, params)] = switch.changes
    assert len(json.dumps(params["rules"], separators=(",", ":"))) * 1000 < 32 << 20


@pytest.mark.parametrize(
    ("rules", "options", "fault"),
    [
        pytest.param([UDP | {"tags": [0]}], {}, "rules[0]: tags[0] is 0; choose 1 to 4094", id="a-value"),
        pytest.param(
            [UDP, FASTER],
            {},
            "rules[1]: matches the same frames as rules[0]; keep one of them",
            id="the-same-match-twice",
        ),
        pytest.param(
            [MATCH | {"tags": [1], "rate_bps": 1}],
            {},
            "rules[0]: burst_bits is None; choose 1 to 9223372036854775807",
            id="a-missing-value",
        ),
        pytest.param(
            [ICMP | {"source_port": 7}, UDP | {"vm": -1}],
            {},
            "rules[0]: source_port is 7, but protocol icmp has no ports; leave it out; "
            "rules[1]: vm is -1; choose 0 to 4094",
            id="all-faults-at-once",
        ),
        pytest.param(
            [UDP, OTHER_VM],
            {"vm": 1, "state": "exact"},
            "rules[1]: its VM is 2, and only rules of VM 1 are replaced; correct one of them",
            id="another-vm",
        ),
        pytest.param(
            [UDP],
            {"vm": 1},
            "vm is 1, but the state is present; leave vm out, or use state=exact",
            id="a-vm-without-exact",
        ),
        pytest.param(
            [UDP | {"vm": -1}] * 101,
            {},
            "; ".join(f"rules[{n}]: vm is -1; choose 0 to 4094" for n in range(100)) + "; and 1 more",
            id="very-many-faults",
        ),
    ],
)
def test_refuses_before_any_request(
    run: t.Any, rules: list[Rule], options: dict[str, t.Any], fault: str
) -> None:
    result = run(switch_rule.main, socket="/nowhere", rules=rules, **options)
    state = options.get("state", "present")
    assert result["msg"] == f"Cannot make the rules {state} on the switch at /nowhere: {fault}"


def test_off_is_no_boolean(switch: t.Any, run: t.Any) -> None:
    """Unquoted in YAML, it comes as false."""
    run(switch_rule.main, socket=switch.path, rules=[{"vm": 1, "mode": False}])
    assert switch.changes == [("rule.set", {"rules": [{"vm": 1, "tags": [], "mode": "off"}]})]


def test_hands_on_what_the_switch_refuses(switch: t.Any, run: t.Any) -> None:
    switch.error = {
        "code": -32001,
        "message": "rules[0]: VM 1 has no port; add it first",
        "data": {"index": 0},
    }
    result = run(switch_rule.main, socket=switch.path, rules=[UDP])
    assert result["failed"]
    assert result["msg"].endswith("rules[0]: VM 1 has no port; add it first")
    assert len(switch.changes) == 1
