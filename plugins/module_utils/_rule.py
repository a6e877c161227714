# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule of a tagging switch as a value: its limits, its identity, its one normal form.

A rule is a dict with the field names of the switch's control API; rate_bps is in bit/s, burst_bits in bit.
"""

from __future__ import annotations

import ipaddress
import typing as t

Rule = dict[str, t.Any]

IDENTITY = ("vm", "protocol", "source_ip", "destination_ip", "source_port", "destination_port")
ACTION = ("tags", "rate_bps", "burst_bits")

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
PROTOCOLS_WITH_PORTS = (PROTOCOLS["tcp"], PROTOCOLS["udp"])

MAX_TAGS = 10
LIMITS = {
    "vm": (0, 4094),
    "protocol": (0, 255),
    "source_port": (0, 65535),
    "destination_port": (0, 65535),
    "tag": (1, 4094),
    "rate_bps": (1, 400 * 10**9),
    "burst_bits": (1, 2**63 - 1),
}


def protocol_number(protocol: t.Any) -> t.Any:
    """Return the IP protocol number of a name or a number in digits; anything else as it is."""
    text = str(protocol).lower()
    return PROTOCOLS.get(text, int(text) if text.isdecimal() else protocol)


def number_faults(field: str, value: t.Any, limit: str | None = None) -> list[str]:
    """Return what is wrong with value as the field (with the named limit, if not its own)."""
    low, high = LIMITS[limit or field]
    # A bool is an int in Python.
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return []
    return [f"{field} is {value!r}; choose {low} to {high}"]


def protocol_faults(protocol: t.Any) -> list[str]:
    """Return what is wrong with the protocol of a rule."""
    if number_faults("protocol", protocol_number(protocol)):
        return [f"protocol is {protocol!r}; choose {', '.join(PROTOCOLS)} or a number from 0 to 255"]
    return []


def port_faults(rule: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the ports of a rule whose protocol has no fault."""
    protocol = protocol_number(rule.get("protocol"))
    faults = []
    for field in ("source_port", "destination_port"):
        port = rule.get(field) or 0
        faults += number_faults(field, port)
        if port and protocol not in PROTOCOLS_WITH_PORTS:
            name = PROTOCOL_NAMES.get(protocol, protocol)
            faults.append(f"{field} is {port!r}, but protocol {name} has no ports; leave it out")
    return faults


def action_faults(rule: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the tags, the rate and the burst of a rule."""
    tags = rule.get("tags")
    faults = []
    if not isinstance(tags, list) or not tags:
        faults.append(
            f"tags is {tags!r}; list one tag per network switch on the path, then the destination VM's id"
        )
    else:
        if len(tags) > MAX_TAGS:
            faults.append(f"tags has {len(tags)} tags; choose a path with at most {MAX_TAGS}")
        for index, tag in enumerate(tags):
            faults += number_faults(f"tags[{index}]", tag, limit="tag")
    for field in ("rate_bps", "burst_bits"):
        faults += number_faults(field, rule.get(field))
    return faults


def match_faults(rule: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the identity of a rule: which packets of which VM it matches."""
    faults = number_faults("vm", rule.get("vm"))
    for field in ("source_ip", "destination_ip"):
        try:
            ipaddress.IPv4Address(rule.get(field))
        except ValueError:
            faults.append(f"{field} is {rule.get(field)!r}; give one IPv4 address such as 10.20.0.11")
    return faults + (protocol_faults(rule.get("protocol")) or port_faults(rule))


def normal(rule: t.Mapping[str, t.Any]) -> Rule:
    """Return a faultless rule in the form in which the switch lists it; fields that it lacks stay away."""
    fields = {field: rule[field] for field in (*IDENTITY, *ACTION) if rule.get(field) is not None}
    fields["protocol"] = protocol_number(rule["protocol"])
    for field in ("source_ip", "destination_ip"):
        fields[field] = str(ipaddress.IPv4Address(rule[field]))
    for field in ("source_port", "destination_port"):
        fields[field] = rule.get(field) or 0
    return fields


def identity(rule: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """Return what tells a rule in normal form from every other; sorts as the switch lists its rules."""
    *head, source, destination, source_port, destination_port = (rule[field] for field in IDENTITY)
    return (
        *head,
        int(ipaddress.IPv4Address(source)),
        int(ipaddress.IPv4Address(destination)),
        source_port,
        destination_port,
    )


def one_line(rule: t.Mapping[str, t.Any]) -> str:
    """Return a rule in normal form as a line for people."""
    protocol = rule["protocol"]
    ends = [rule["source_ip"], rule["destination_ip"]]
    if protocol in PROTOCOLS_WITH_PORTS:
        ends = [f"{ends[0]}:{rule['source_port']}", f"{ends[1]}:{rule['destination_port']}"]
    line = f"vm {rule['vm']} {PROTOCOL_NAMES.get(protocol, f'protocol {protocol}')} {ends[0]} > {ends[1]}"
    if "tags" in rule:
        tags = ",".join(map(str, rule["tags"]))
        line += f" tags {tags} rate {rule['rate_bps']} bit/s burst {rule['burst_bits']} bit"
    return line
