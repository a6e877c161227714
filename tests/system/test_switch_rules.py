"""Rules by the control socket: what is set, listed, replaced, deleted and refused."""

from __future__ import annotations

import itertools
import json
import time
import typing as t

import pytest
from switch_fixtures import RpcError, Switch, running
from switch_rules import identity, normal, rule

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from conftest import Figures

NOT_FOUND, NO_CAPACITY, OTHER_GENERATION, INVALID_PARAMS = -32001, -32003, -32005, -32602
MANY = 100_000
BULK_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def quiet_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A switch without uplink and guests, with the ports 1 and 2."""
    with running(Switch(tmp_path_factory.mktemp("rules"))) as switch:
        switch.add_port(1)
        switch.add_port(2)
        yield switch


@pytest.fixture
def switch(quiet_switch: Switch) -> Switch:
    quiet_switch.call("rule.replace", rules=[])
    return quiet_switch


def listed(switch: Switch, **params: t.Any) -> list[dict[str, t.Any]]:
    rules: list[dict[str, t.Any]] = switch.call("rule.list", **params)["rules"]
    return rules


def generation(switch: Switch) -> int:
    now: int = switch.call("switch.info")["state"]["generation"]
    return now


def at(port: int, vm: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    return rule(vm, source_port=port, **changes)


FORMS: dict[str, dict[str, t.Any]] = {
    "of-version-1": rule(),
    "for-every-frame": {"vm": 1},
    "with-everything": rule(
        priority=65535, tags=list(range(1, 11)), tpid="802.1ad", mode="shape", queue_packets=1, queue_bytes=1
    ),
    "that-polices": rule(mode="police"),
    "for-a-prefix": {"vm": 1, "destination_ip": "10.0.0.0/8", "tags": [7]},
    "for-ipv6": {"vm": 1, "source_ip": "fd20::/64", "destination_ip": "fd20::1", "protocol": 58},
    "for-an-ether-type": {"vm": 1, "ether_type": 0x88F7},
    "for-a-destination-mac": {"vm": 1, "destination_mac": "01:1b:19:00:00:00", "tags": [7]},
    "to-a-vm-of-this-host": {"vm": 1, "protocol": 6, "destination_vm": 2},
    "to-a-vm-that-has-no-port": {"vm": 1, "protocol": 1, "destination_vm": 4094},
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_in_normal_form_a_rule(switch: Switch, form: str) -> None:
    wanted = FORMS[form]
    assert switch.call("rule.set", rules=[wanted])["changed"] == 1
    assert listed(switch) == [normal(wanted)]
    assert switch.call("rule.set", rules=[normal(wanted)])["changed"] == 0
    assert switch.call("rule.delete", rules=[identity(wanted)])["deleted"] == 1


def test_sets_and_counts_what_changed(switch: Switch) -> None:
    assert switch.call("rule.set", rules=[at(3), at(1, 2), at(2)])["changed"] == 3
    assert listed(switch, vm=1) == [normal(at(3)), normal(at(2))]
    assert switch.call("rule.set", rules=[at(2), at(3, tags=[9])])["changed"] == 1
    assert listed(switch, vm=1) == [normal(at(3, tags=[9])), normal(at(2))]
    assert listed(switch, vm=2) == [normal(at(1, 2))]
    assert len(listed(switch)) == 3
    assert switch.call("rule.set", rules=[])["changed"] == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tags": [9]}, id="tags"),
        pytest.param({"tpid": "802.1ad"}, id="tpid"),
        pytest.param({"priority": 1}, id="priority"),
        pytest.param({"mode": "police"}, id="mode"),
        pytest.param({"rate_bps": 7}, id="rate"),
        pytest.param({"burst_bits": 7}, id="burst"),
        pytest.param({"queue_packets": 7}, id="queue-in-packets"),
        pytest.param({"queue_bytes": 7}, id="queue-in-bytes"),
        pytest.param({"tags": [], "destination_vm": 2}, id="destination"),
    ],
)
def test_another_value_is_a_change(switch: Switch, change: dict[str, t.Any]) -> None:
    switch.call("rule.set", rules=[rule()])
    assert switch.call("rule.set", rules=[rule(**change)])["changed"] == 1
    assert listed(switch) == [normal(rule(**change))]


def test_deletes_and_ignores_absent_and_repeated_ones(switch: Switch) -> None:
    switch.call("rule.set", rules=[at(2), at(3)])
    gone = [identity(at(2)), identity(at(9)), identity(at(2)), {"vm": 7}]
    assert switch.call("rule.delete", rules=gone)["deleted"] == 1
    assert listed(switch) == [normal(at(3))]


def test_replaces_all_rules(switch: Switch) -> None:
    switch.call("rule.set", rules=[at(1), at(2), at(3), at(1, 2)])
    answer = switch.call("rule.replace", rules=[at(4), at(3, tags=[9]), at(2)])
    assert (answer["set"], answer["deleted"]) == (2, 2)
    assert listed(switch) == [normal(at(2)), normal(at(3, tags=[9])), normal(at(4))]


def test_replaces_the_rules_of_one_vm(switch: Switch) -> None:
    switch.call("rule.set", rules=[at(1), at(2), at(1, 2)])
    answer = switch.call("rule.replace", vm=1, rules=[at(2)])
    assert (answer["set"], answer["deleted"]) == (0, 1)
    assert listed(switch) == [normal(at(2)), normal(at(1, 2))]
    assert switch.call("rule.replace", vm=1, rules=[])["deleted"] == 1
    assert listed(switch) == [normal(at(1, 2))]


def test_the_rules_of_a_port_go_with_it(switch: Switch) -> None:
    switch.call("rule.set", rules=[at(1), at(1, 2)])
    assert switch.call("port.remove", vm=2) == {"removed": True}
    assert switch.call("port.remove", vm=2) == {"removed": False}
    switch.add_port(2)
    assert listed(switch) == [normal(at(1))]


def test_a_change_counts_a_generation_and_nothing_else_does(switch: Switch) -> None:
    before = generation(switch)
    changes: list[tuple[str, dict[str, t.Any], int]] = [
        ("rule.set", {"rules": [at(1), at(2)]}, 1),
        ("rule.set", {"rules": [at(1)]}, 1),
        ("rule.delete", {"rules": [identity(at(9))]}, 1),
        ("rule.delete", {"rules": [identity(at(2))]}, 2),
        ("rule.replace", {"rules": [at(1)]}, 2),
        ("rule.replace", {"rules": []}, 3),
    ]
    for method, params, changed in changes:
        assert switch.call(method, **params)["generation"] == before + changed
    assert generation(switch) == before + 3


@pytest.mark.parametrize("method", ["rule.set", "rule.delete", "rule.replace"])
def test_refuses_a_change_of_another_generation(switch: Switch, method: str) -> None:
    now = switch.call("rule.set", rules=[at(1)])["generation"]
    wanted = [identity(at(1))] if method == "rule.delete" else [at(2)]
    for other in (now - 1, now + 1):
        with pytest.raises(
            RpcError, match=f"the generation is {now}, not {other}: .*; list the rules again"
        ) as error:
            switch.call(method, rules=wanted, if_generation=other)
        assert error.value.code == OTHER_GENERATION
    assert listed(switch) == [normal(at(1))]
    assert switch.call(method, rules=wanted, if_generation=now)["generation"] == now + 1


REFUSED: dict[str, tuple[t.Any, int, str]] = {
    "a-vm-without-a-port": (rule(9), NOT_FOUND, "VM 9 has no port; add it first"),
    "the-same-match-twice": (
        at(1, tags=[9]),
        INVALID_PARAMS,
        r"rules\[0\] and rules\[1\] are for the same match",
    ),
    "eleven-tags": (rule(tags=list(range(1, 12))), INVALID_PARAMS, "tags is .*; give a list of 0 to 10"),
    "a-reserved-tag": (
        rule(tags=[7, 4095]),
        INVALID_PARAMS,
        r"tags\[1\] is 4095; give an integer from 1 to 4094",
    ),
    "a-port-where-there-is-none": (
        rule(protocol=1),
        INVALID_PARAMS,
        "only TCP .* have ports; leave the ports out",
    ),
    "no-rate": (rule(rate_bps=0), INVALID_PARAMS, "rate_bps is 0; give an integer from 1 to 400000000000"),
    "a-rate-that-is-no-integer": (rule(rate_bps=1e6), INVALID_PARAMS, "rate_bps is 1000000.0; give"),
    "half-an-address": (
        rule(source_ip="10.20.0"),
        INVALID_PARAMS,
        'source_ip is "10.20.0"; give an address like',
    ),
    "bits-behind-a-prefix": (rule(source_ip="10.20.0.1/16"), INVALID_PARAMS, 'give "10.20.0.0/16"'),
    "two-families": (rule(source_ip="fd20::1"), INVALID_PARAMS, "of two families; give both"),
    "its-own-vm": ({"vm": 1, "destination_vm": 1}, INVALID_PARAMS, "the rule's own VM; give another"),
    "tags-within-the-host": (
        rule(destination_vm=2),
        INVALID_PARAMS,
        "tags have no meaning with a destination_vm",
    ),
    "a-slot": (rule(slot=3), INVALID_PARAMS, "slot is not known here; leave it out"),
    "an-unknown-member": (rule(color="red"), INVALID_PARAMS, "color is not known here; leave it out"),
    "no-vm": ({"protocol": 17}, INVALID_PARAMS, "vm is missing; give an integer from 0 to 4094"),
    "no-object": ("rule", INVALID_PARAMS, "this is no object; give one"),
}


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        pytest.param(*pair, id="-".join(pair))
        for pair in itertools.product(("rule.set", "rule.replace"), REFUSED)
    ],
)
def test_one_wrong_rule_refuses_all(switch: Switch, method: str, wrong: str) -> None:
    item, code, message = REFUSED[wrong]
    verb = method.split(".")[1]
    switch.call("rule.set", rules=[at(7)])
    with pytest.raises(RpcError, match=rf"^Cannot {verb} rules: .*{message}") as error:
        switch.call(method, rules=[at(1), item])
    assert (error.value.code, error.value.index) == (code, 1)
    assert listed(switch) == [normal(at(7))]


def test_refuses_rules_of_another_vm_than_the_one_replaced(switch: Switch) -> None:
    with pytest.raises(
        RpcError, match="the rule is of VM 2, but the table of VM 1 is to be replaced"
    ) as error:
        switch.call("rule.replace", vm=1, rules=[at(1), at(1, 2)])
    assert error.value.index == 1
    assert listed(switch) == []


def test_stats_name_every_vm_and_rule(switch: Switch) -> None:
    switch.call("rule.set", rules=[at(1, 2), at(1)])
    stats = switch.call("stats.get")
    nothing = {"packets": 0, "bytes": 0}
    assert [(vm["vm"], vm["from_vm"], vm["to_vm"]) for vm in stats["vms"]] == [
        (1, nothing, nothing),
        (2, nothing, nothing),
    ]
    counted = {**nothing, "queue": nothing, "delay": {"count": 0, "max_ns": 0, "buckets": []}}
    by_vm = {of["vm"]: of for of in stats["rules"]}
    for vm in (1, 2):
        assert by_vm[vm] == {**identity(at(1, vm)), **counted, "drops": by_vm[vm]["drops"]}
    assert [of["vm"] for of in switch.call("stats.get", vm=2)["rules"]] == [2]
    assert [vm["vm"] for vm in switch.call("stats.get", vm=2)["vms"]] == [2]
    assert "rules" not in switch.call("stats.get", rules=False)
    assert [core["core"] for core in stats["cores"]] == [1]
    assert stats["buffers"]["in_use"] == 0
    assert switch.call("stats.reset") == {}


def in_bulk(switch: Switch, method: str, **params: t.Any) -> dict[str, t.Any]:
    """Call with more than a description is checked against in reasonable time."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    with switch.connect() as client, client.makefile("rb") as answers:
        client.settimeout(BULK_PATIENCE_S)
        client.sendall(json.dumps(request).encode() + b"\n")
        result: dict[str, t.Any] = json.loads(answers.readline())["result"]
    return result


def test_a_hundred_thousand_rules(switch: Switch, figures: Figures) -> None:
    """In one request each; a rule takes at most 256 bytes of the data path's memory."""
    many = [rule(1 + n % 2, destination_ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(MANY)]
    start = time.monotonic()
    assert in_bulk(switch, "rule.set", rules=many)["changed"] == MANY
    figures.add("100 000 rules set in one request, as its client sees it", time.monotonic() - start, "s")
    info = switch.call("switch.info")
    assert info["rules"] == MANY
    assert info["rules_bytes"] <= 256 * MANY
    assert in_bulk(switch, "rule.list", vm=1)["rules"] == [normal(of) for of in many[::2]]
    assert len(in_bulk(switch, "stats.get")["rules"]) == MANY
    assert in_bulk(switch, "rule.set", rules=many)["changed"] == 0
    answer = in_bulk(switch, "rule.replace", rules=[*many[:-1], at(1)])
    assert (answer["set"], answer["deleted"]) == (1, 1)
    assert in_bulk(switch, "rule.replace", rules=[])["deleted"] == MANY
    assert switch.call("switch.info")["rules"] == 0


def test_more_forms_of_match_than_a_vm_may_have(switch: Switch) -> None:
    """32 different lengths of a prefix are 32 masks; the next one is refused, and nothing changes."""
    forms = [{"vm": 1, "source_ip": f"fd00::/{bits}"} for bits in range(8, 40)]
    assert switch.call("rule.set", rules=forms)["changed"] == 32
    with pytest.raises(RpcError, match=r"^Cannot set rules: .*32.*; ") as error:
        switch.call("rule.set", rules=[{"vm": 1, "source_ip": "fd00::/41"}])
    assert error.value.code == NO_CAPACITY
    assert len(listed(switch)) == 32
    assert switch.call("rule.set", rules=[{"vm": 2, "source_ip": "fd00::/41"}])["changed"] == 1


def test_rules_outlive_the_switch_in_their_order(tmp_path: pathlib.Path) -> None:
    with running(Switch(tmp_path)) as switch:
        switch.add_port(1)
        switch.add_port(2)
        distinct = [form for form in FORMS if form not in {"that-polices", "with-everything"}]
        switch.call("rule.set", rules=[FORMS[form] for form in distinct])
        before = (listed(switch), generation(switch), switch.call("port.list"))
        switch.end()
        switch.start()
        assert (listed(switch), generation(switch), switch.call("port.list")) == before
