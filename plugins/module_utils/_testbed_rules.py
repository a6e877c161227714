# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a testbed: between which VMs, along which path, and in which form for the switch."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _rule
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import (
    Variables,
    did_you_mean,
    key_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm

PORTS = ("source_port", "destination_port")
REQUIRED = ("from", "to", "protocol")
KEYS = (*REQUIRED, *PORTS, *_rule.ACTION)


def compile_rules(
    rules: t.Sequence[t.Any], vms: t.Mapping[str, Vm], fabric: Fabric
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Return the rules without a fault, in switch form with the names of their ends; and the faults."""
    compiled: list[dict[str, t.Any]] = []
    faults: list[str] = []
    first: dict[tuple[t.Any, ...], str] = {}
    for index, rule in enumerate(rules):
        where = f"testbed_rules[{index}]"
        if not isinstance(rule, dict):
            faults.append(f"{where}: {rule!r} is no mapping; give {', '.join(KEYS)}")
            continue
        where += f" ({rule.get('from')} > {rule.get('to')})"
        wrong = rule_faults(rule, vms, fabric)
        faults += [f"{where}: {fault}" for fault in wrong]
        source, destination = vms.get(str(rule.get("from")), {}), vms.get(str(rule.get("to")), {})
        if wrong or "ip" not in source or "ip" not in destination:
            continue
        form = switch_form(rule, source, destination)
        same = first.setdefault((source["host"], *_rule.identity(form)), where)
        if same != where:
            faults.append(f"{where}: it matches the same packets as {same}; keep one of them")
        compiled.append({"from": source["name"], "to": destination["name"], "host": source["host"], **form})
    return compiled, faults


def switch_form(rule: Variables, source: Vm, destination: Vm) -> _rule.Rule:
    """Return the rule as the switch of its source knows it."""
    ends = {"vm": source["id"], "source_ip": source["ip"], "destination_ip": destination["ip"]}
    return _rule.normal({**rule, **ends})


def rule_faults(rule: Variables, vms: t.Mapping[str, Vm], fabric: Fabric) -> list[str]:
    faults = key_faults(rule, REQUIRED, KEYS)
    for key in ("from", "to"):
        if rule.get(key) is not None and str(rule[key]) not in vms:
            faults.append(f"{key} is {rule[key]!r}, which is no VM; {did_you_mean(str(rule[key]), vms)}")
    if rule.get("protocol") is not None:
        faults += _rule.protocol_faults(rule["protocol"]) or ports_faults(rule)
    action = _rule.action_faults(rule)
    faults += action
    source, destination = vms.get(str(rule.get("from"))), vms.get(str(rule.get("to")))
    if source is None or destination is None:
        return faults
    faults += ends_faults(source, destination)
    if source is not destination and not any(fault.startswith("tags") for fault in action):
        faults += tags_faults(source, destination, rule["tags"], fabric)
    return faults


def ports_faults(rule: Variables) -> list[str]:
    with_ports = _rule.protocol_number(rule["protocol"]) in _rule.PROTOCOLS_WITH_PORTS
    missing = [key for key in PORTS if with_ports and rule.get(key) is None]
    faults = [f"{key} is missing; a rule for {rule['protocol']} needs it" for key in missing]
    return faults + _rule.port_faults(rule)


def ends_faults(source: Vm, destination: Vm) -> list[str]:
    if source is destination:
        return ["it leads from a VM to itself; choose another VM as one of its ends"]
    faults = []
    if destination["id"] == 0:
        faults.append("no tag stands for VM 0, so no rule leads to it; choose a destination with another id")
    networks = source.get("network"), destination.get("network")
    if None not in networks and networks[0] != networks[1]:
        faults.append(
            f"its ends {source['address']} and {destination['address']} are in different networks; "
            "give both VMs addresses of one network"
        )
    return faults


def tags_faults(source: Vm, destination: Vm, tags: list[int], fabric: Fabric) -> list[str]:
    faults = []
    vm_id, host = destination["id"], destination["host"]
    if tags[-1] != vm_id and vm_id > 0:
        faults.append(
            f"the last tag is {tags[-1]}, but {destination['name']} has the id {vm_id}; end the tags with it"
        )
    way, left, end = fabric.follow(source["host"], tags)
    if end is None and way[-1] != host:
        end = f"{way[-1]} is not the destination's end host"
    elif end is None and len(left) > 1:
        end = f"{host} gets the tags {left}, and only the last is for it"
    if end:
        faults.append(
            f"the tags {tags} lead along {' > '.join(way)}: {end}; {way_out(source['host'], host, fabric)}"
        )
    return faults


def way_out(source: str, destination: str, fabric: Fabric) -> str:
    if source == destination:
        return "the tagging switch delivers nothing between VMs of one end host yet; choose VMs of two"
    ports = fabric.route(source, destination)
    if not ports:
        return f"link {source} with {destination} by testbed_links"
    return f"{destination} is reached by {', '.join(map(str, ports))} (tag = port * 10 + queue)"
