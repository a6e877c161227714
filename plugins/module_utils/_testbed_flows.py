# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flows of a testbed: for each the way, the tags, the rule and the longest delay that follow from what it asks for.

A flow is a rule without tags. _flow_paths finds its way through the network switches, and the tags follow from that.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _flow_bounds, _rule, _rule_faults
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import UPLINK, Fabric, Port
from ansible_collections.detnet.testbed.plugins.module_utils._flow_bounds import Network, Stream, network_of
from ansible_collections.detnet.testbed.plugins.module_utils._flow_faults import flow_faults
from ansible_collections.detnet.testbed.plugins.module_utils._flow_paths import Loads, Paths, Request
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Way, Ways
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_rules import switch_form
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import Variables
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm

Compiled = dict[str, t.Any]

UPLINK_QUEUE = 0  # an uplink has one for all
VLAN_IDS_PER_PORT = 10
MAX_TAG = _rule_faults.LIMITS["tag"][1]


class Asked(t.NamedTuple):
    """A flow without a fault by itself, and what follows from its ends."""

    where: str  # its place in the description, for people
    flow: Variables
    source: Vm
    destination: Vm
    rule: _rule.Rule  # yet without tags


class Flows(t.NamedTuple):
    """What comes of flows: themselves with their ways and bounds, and their rules as compile_rules() returns them."""

    flows: list[Compiled]
    rules: list[Compiled]


def compile_flows(
    flows: t.Sequence[t.Any],
    vms: t.Mapping[str, Vm],
    fabric: Fabric,
    rules: t.Sequence[_rule.Rule],
    place: str = "testbed_flows",
) -> tuple[Flows, list[str]]:
    """Return what comes of flows beside the compiled rules that there are already; and the faults.

    place is what the flows are called in the faults. With a fault, what is returned is of no use.
    """
    asked, faults = read_flows(
        {f"{place}[{number}]": flow for number, flow in enumerate(flows)}, vms, fabric, rules
    )
    remote = {name: flow for name, flow in asked.items() if flow.source["host"] != flow.destination["host"]}
    others = [rule_stream(rule, vms, fabric) for rule in rules if rule["tags"]]
    loads = Loads()
    for other in others:
        for port in other.way:
            loads[port] += other.rate_bps or 0
    paths = Paths(Ways(fabric), [request(flow, remote) for flow in remote.values()], loads)
    paths.find()
    faults += [f"{asked[name].where}: {fault}" for name, fault in paths.faults.items()]

    streams = {name: flow_stream(remote[name], way) for name, way in paths.found.items()}
    network = network_of(fabric, list(streams.values()), others)
    faults += [f"{place}: {fault}" for fault in network.full.values()]
    faults += [
        f"{asked[name].where}: {fault}"
        for name, stream in streams.items()
        for fault in way_faults(asked[name], stream, network)
    ]
    placed = {
        name: (flow, streams.get(name))
        for name, flow in asked.items()
        if name in streams or name not in remote
    }
    return Flows(
        [described(flow, stream, network) for flow, stream in placed.values()],
        [compiled_rule(flow, stream) for flow, stream in placed.values()],
    ), faults


def read_flows(
    flows: t.Mapping[str, t.Any], vms: t.Mapping[str, Vm], fabric: Fabric, rules: t.Sequence[_rule.Rule]
) -> tuple[dict[str, Asked], list[str]]:
    """Return of flows by their places those without a fault, by name, and the faults of the others."""
    asked: dict[str, Asked] = {}
    faults: list[str] = []
    switches = [node for node, is_switch in fabric.nodes.items() if is_switch]
    names = {
        str(flow["name"])
        for flow in flows.values()
        if isinstance(flow, dict) and flow.get("name") is not None
    }
    first: dict[t.Any, str] = {
        (rule["host"], *_rule.identity(rule)): f"the rule {_rule.match_line(rule)} of {rule['host']}"
        for rule in rules
    }
    for place, flow in flows.items():
        named = isinstance(flow, dict) and flow.get("name") is not None
        where = f"{place} ({flow['name']})" if named else place
        wrong = flow_faults(flow, vms, switches, names)
        if named and (same := first.setdefault(str(flow["name"]), where)) != where:
            wrong.append(f"its name is also that of {same}; give each flow its own")
        source, destination = ({}, {}) if wrong else (vms[str(flow["from"])], vms[str(flow["to"])])
        if "ip" in source and "ip" in destination:  # else a fault of the VM
            rule = switch_form(flow, source, destination)
            same = first.setdefault((source["host"], *_rule.identity(rule)), where)
            if same == where:
                asked[flow["name"]] = Asked(where, flow, source, destination, rule)
            else:
                wrong.append(f"it matches the same frames as {same}; keep one of them")
        faults += [f"{where}: {fault}" for fault in wrong]
    return asked, faults


def request(flow: Asked, flows: t.Collection[str]) -> Request:
    """Return what a flow between two end hosts wants of its way; of the other flows, those that have one."""
    return Request(
        name=flow.flow["name"],
        source=flow.source["host"],
        destination=flow.destination["host"],
        rate_bps=flow.flow["rate_bps"],
        via=tuple(flow.flow.get("via") or ()),
        disjoint_from=tuple(name for name in flow.flow.get("disjoint_from") or () if name in flows),
        least_loaded=flow.flow.get("path") == "least_loaded",
    )


def flow_stream(flow: Asked, way: Way) -> Stream:
    queues = (UPLINK_QUEUE, *(queue_of(flow) for _port in way[1:]))
    terms = flow.flow["rate_bps"], flow.flow["burst_bits"]
    return Stream(flow.flow["name"], way, queues, flow.source["mtu"], *terms)


def rule_stream(rule: Compiled, vms: t.Mapping[str, Vm], fabric: Fabric) -> Stream:
    """Return what a compiled rule with tags sends, along its tags."""
    way = [Port(rule["host"], UPLINK)]
    for tag in rule["tags"][:-1]:
        way.append(Port(fabric.peers[way[-1]].node, tag // VLAN_IDS_PER_PORT))
    queues = (UPLINK_QUEUE, *(tag % VLAN_IDS_PER_PORT for tag in rule["tags"][:-1]))
    name = f"the rule {_rule.match_line(rule)} of {rule['host']}"
    terms = rule.get("rate_bps"), rule.get("burst_bits", 0)
    return Stream(name, tuple(way), queues, vms[rule["from"]]["mtu"], *terms)


def queue_of(flow: Asked) -> int:
    return flow.flow.get("queue") or 0


def tags_of(flow: Asked, stream: Stream | None) -> list[int]:
    """Return a tag for each network switch, and the VM's; none between VMs of one end host."""
    if stream is None:
        return []
    ports = [port.number * VLAN_IDS_PER_PORT + queue_of(flow) for port in stream.way[1:]]
    return [*ports, flow.destination["id"]]


def way_faults(flow: Asked, stream: Stream, network: Network) -> list[str]:
    """Return what is wrong with the way of a flow, but for links that are full."""
    queue, deadline_us = queue_of(flow), flow.flow.get("deadline_us")
    faults = [
        f"{port} has no queue {queue}, for {MAX_TAG} is the last tag; choose a lower queue, or link another port"
        for port in stream.way[1:]
        if port.number * VLAN_IDS_PER_PORT + queue > MAX_TAG
    ]
    if deadline_us is not None and not network.full.keys() & set(stream.way):
        late = network.late(stream, deadline_us)
        faults += [late] if late else []
    return faults


def compiled_rule(flow: Asked, stream: Stream | None) -> Compiled:
    """Return the rule of a flow as compile_rules() does."""
    ends = {"from": flow.source["name"], "to": flow.destination["name"], "host": flow.source["host"]}
    return {**ends, **flow.rule, "tags": tags_of(flow, stream)}


def described(flow: Asked, stream: Stream | None, network: Network) -> Compiled:
    """Return what came of a flow. Between VMs of one end host it passes no link."""
    way, delays = (stream.way, network.delays[stream.name]) if stream else ((), ())
    return {
        "name": flow.flow["name"],
        "from": flow.source["name"],
        "to": flow.destination["name"],
        "queue": queue_of(flow),
        "rate_bps": flow.flow["rate_bps"],
        "burst_bits": flow.flow["burst_bits"],
        "path": [str(port) for port in way],
        "tags": tags_of(flow, stream),
        "links": [
            {
                "link": network.fabric.direction(port),
                "load": network.arithmetic(port),
                "load_bps": network.load_bps(port),
                "speed_bps": network.fabric.speeds_bps[port],
                "delay_us": _flow_bounds.microseconds(delay),
            }
            for port, delay in zip(way, delays, strict=True)
        ],
        "delay_bound_us": _flow_bounds.microseconds(sum(delays)),
        "deadline_us": flow.flow.get("deadline_us"),
    }
