# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a testbed: between which VMs, along which path, and in which form for the switch.

A rule is for the IP packets between the addresses of two VMs, of one protocol or all, or for the frames of one
EtherType, whatever they carry.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _rule, _rule_faults
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Ways
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import (
    Variables,
    did_you_mean,
    key_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm

REQUIRED = ("from", "to")
MATCH = ("destination_mac", "ether_type", "protocol", *_rule.PORTS)
ACTION = tuple(field for field in _rule.ACTION if field != "destination_vm")  # follows from the ends
KEYS = (*REQUIRED, "family", *MATCH, *ACTION)

FAMILIES = {"ipv4": ("address", "ip", "network"), "ipv6": ("address_v6", "ip_v6", "network_v6")}
TAGS_WAY_OUT = "list one tag per network switch on the path, then the destination VM's id"


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
            faults.append(f"{where}: it matches the same frames as {same}; keep one of them")
        compiled.append({"from": source["name"], "to": destination["name"], "host": source["host"], **form})
    return compiled, faults


def family_of(rule: Variables) -> t.Any:
    return rule.get("family") or "ipv4"


def switch_form(rule: Variables, source: Vm, destination: Vm) -> _rule.Rule:
    """Return the rule as the switch of its source knows it."""
    ends: dict[str, t.Any] = {"vm": source["id"]}
    if rule.get("ether_type") is None:
        _address, ip, _network = FAMILIES[family_of(rule)]
        ends |= {"source_ip": source[ip], "destination_ip": destination[ip]}
    if source["host"] == destination["host"]:
        ends["destination_vm"] = destination["id"]
    return _rule.normal({**rule, **ends})


def rule_faults(rule: Variables, vms: t.Mapping[str, Vm], fabric: Fabric) -> list[str]:
    faults = key_faults(rule, REQUIRED, KEYS) + unknown_vm_faults(rule, vms) + match_faults(rule)
    action = _rule_faults.action_faults({key: rule.get(key) for key in ACTION})
    faults += action
    source, destination = vms.get(str(rule.get("from"))), vms.get(str(rule.get("to")))
    if source is None or destination is None:
        return faults
    faults += ends_faults(rule, source, destination)
    if source is not destination and not any(fault.startswith("tags") for fault in action):
        faults += path_faults(source, destination, rule.get("tags") or [], fabric)
    return faults


def unknown_vm_faults(rule: Variables, vms: t.Mapping[str, Vm]) -> list[str]:
    return [
        f"{key} is {rule[key]!r}, which is no VM; {did_you_mean(str(rule[key]), vms)}"
        for key in REQUIRED
        if rule.get(key) is not None and str(rule[key]) not in vms
    ]


def match_faults(rule: Variables) -> list[str]:
    """Return what is wrong with the match, whose addresses follow from the ends."""
    if family_of(rule) not in list(FAMILIES):  # whatever it is: a dict takes no list
        return [f"family is {rule['family']!r}; choose {' or '.join(FAMILIES)}"]
    faults = _rule_faults.match_faults({"vm": 0, **{key: rule.get(key) for key in MATCH}})
    if not faults and rule.get("ether_type") is not None and rule.get("family") is not None:
        faults.append(
            f"ether_type is {rule['ether_type']!r}, so no address is matched; leave out family or ether_type"
        )
    return faults


def ends_faults(rule: Variables, source: Vm, destination: Vm) -> list[str]:
    if source is destination:
        return ["it leads from a VM to itself; choose another VM as one of its ends"]
    faults = []
    if destination["id"] == 0 and source["host"] != destination["host"]:
        faults.append("no tag stands for VM 0, so no rule leads to it; choose a destination with another id")
    if rule.get("ether_type") is not None or family_of(rule) not in list(FAMILIES):
        return faults
    address, ip, network = FAMILIES[family_of(rule)]
    faults += [
        f"{vm['name']} has no {address}, which a rule for {family_of(rule)} needs; give it one"
        for vm in (source, destination)
        if vm.get(ip) == ""
    ]
    if source.get(ip) and destination.get(ip) and source[network] != destination[network]:
        faults.append(
            f"its ends {source[address]} and {destination[address]} are in different networks; "
            "give both VMs addresses of one network"
        )
    return faults


def path_faults(source: Vm, destination: Vm, tags: list[int], fabric: Fabric) -> list[str]:
    """Return where a path does not lead to the destination; between VMs of one end host it has no tags."""
    vm_id, host = destination["id"], destination["host"]
    if source["host"] == host:
        local = f"both VMs are on {host}, whose tagging switch delivers between them; leave the tags out"
        return [f"tags is {tags}, but {local}"] if tags else []
    if not tags:
        return [f"tags is {tags}; {TAGS_WAY_OUT}"]
    faults = []
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
    way = Ways(fabric).find(source, destination, most_links=math.inf)
    if way is None:
        return f"link {source} with {destination} by testbed_links"
    return f"{destination} is reached by {', '.join(map(str, way[1:]))} (tag = port * 10 + queue)"
