# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule of a tagging switch as a value: its one normal form, and what tells it from another.

A rule is a dict with the field names of the switch's control API; rate_bps is in bit/s, burst_bits in bit. A field
that is None is not given. _rule_faults says what is wrong with one.
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t

Rule = dict[str, t.Any]
Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007  # ansible-test reads it as an operation

ADDRESSES = ("source_ip", "destination_ip")
PORTS = ("source_port", "destination_port")
MATCH = ("destination_mac", "ether_type", "protocol", *ADDRESSES, *PORTS)
MATCH_OPTIONS = {field: {"type": "int" if field in PORTS else "str"} for field in MATCH}  # of a module
IDENTITY = ("vm", *MATCH)
SHAPER = ("rate_bps", "burst_bits")
QUEUE = ("queue_packets", "queue_bytes")
ACTION = ("priority", "tags", "tpid", "mode", "destination_vm", *SHAPER, *QUEUE)

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
PROTOCOLS_WITH_PORTS = (PROTOCOLS["tcp"], PROTOCOLS["udp"])

# Of the IEEE's registry, those that matter to a deterministic network.
ETHER_TYPES = {
    "ipv4": 0x0800,
    "arp": 0x0806,
    "ipv6": 0x86DD,
    "profinet": 0x8892,
    "ethercat": 0x88A4,
    "goose": 0x88B8,
    "sampled-values": 0x88BA,
    "ptp": 0x88F7,
}
ETHER_TYPE_NAMES = {number: name for name, number in ETHER_TYPES.items()}
FAMILIES = {4: ETHER_TYPES["ipv4"], 6: ETHER_TYPES["ipv6"]}  # by version of IP

TPIDS = ("802.1Q", "802.1ad")
MODES = ("shape", "police", "off")
DEFAULTS = {"priority": 0, "tpid": "802.1Q", "queue_packets": 1024, "queue_bytes": 1048576}


def protocol_number(protocol: t.Any) -> t.Any:
    """Return the IP protocol number of a name or a number in digits; anything else as it is."""
    text = str(protocol).lower()
    return PROTOCOLS.get(text, int(text) if text.isdecimal() else protocol)


def ether_type_number(ether_type: t.Any) -> t.Any:
    """Return the EtherType of a name, a number in digits, or one after 0x; anything else as it is."""
    text = str(ether_type).lower()
    if text in ETHER_TYPES:
        return ETHER_TYPES[text]
    try:
        return int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        return ether_type


@functools.lru_cache(maxsize=1 << 18)
def network(text: str) -> Network:
    """Return an address, or a prefix without bits behind it, as a network; raise ValueError."""
    return ipaddress.ip_network(text)


def mode_of(rule: t.Mapping[str, t.Any]) -> t.Any:
    """Return what a rule does about its rate, which is to shape if it has one."""
    if rule.get("mode") is None:
        return "off" if rule.get("rate_bps") is None else "shape"
    return "off" if rule["mode"] is False else rule["mode"]  # what YAML makes of off


def normal_match(rule: t.Mapping[str, t.Any]) -> Rule:
    """Return the VM and the match of a faultless rule in the form in which the switch lists it."""
    fields = {field: rule[field] for field in IDENTITY if rule.get(field) is not None}
    family = None
    for field in ADDRESSES:
        if field in fields:
            prefix = network(fields.pop(field))
            family = FAMILIES[prefix.version]
            if prefix.prefixlen == prefix.max_prefixlen:
                fields[field] = str(prefix.network_address)
            elif prefix.prefixlen:
                fields[field] = str(prefix)
    if "ether_type" in fields or family:
        fields["ether_type"] = family or ether_type_number(fields["ether_type"])
    if any(field in fields for field in ADDRESSES):
        del fields["ether_type"]  # they say it
    if "destination_mac" in fields:
        fields["destination_mac"] = fields["destination_mac"].lower()
    if "protocol" in fields:
        fields["protocol"] = protocol_number(fields["protocol"])
        if fields["protocol"] not in PROTOCOLS_WITH_PORTS:
            _set_no_ports(fields)
    return {field: fields[field] for field in IDENTITY if field in fields}


def _set_no_ports(fields: Rule) -> None:
    """Show the ports of a protocol without ports as the switch does: 0 between two addresses."""
    exact = all(field in fields and "/" not in fields[field] for field in ADDRESSES)
    for field in PORTS:
        fields.pop(field, None)
        if exact:
            fields[field] = 0


def normal(rule: t.Mapping[str, t.Any]) -> Rule:
    """Return a faultless rule in the form in which the switch lists it, less the slot of a control frame."""
    mode = mode_of(rule)
    names = [*SHAPER, *QUEUE] if mode == "shape" else [*SHAPER] if mode == "police" else []
    match = normal_match(rule)
    fields = {"vm": match.pop("vm"), "priority": rule.get("priority") or DEFAULTS["priority"], **match}
    fields |= {"tags": rule.get("tags") or [], "tpid": rule.get("tpid") or DEFAULTS["tpid"], "mode": mode}
    if rule.get("destination_vm") is not None:
        fields["destination_vm"] = rule["destination_vm"]
    for name in names:
        fields[name] = DEFAULTS[name] if rule.get(name) is None else rule[name]
    return fields


def identity(rule: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """Return what tells a rule in normal form from every other."""
    return tuple(rule.get(field) for field in IDENTITY)


def order(rule: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """Return what sorts rules in normal form for people: by VM, then by match, addresses as numbers."""
    addresses = (network(rule[field]) if field in rule else None for field in ADDRESSES)
    return (
        rule["vm"],
        rule.get("destination_mac", ""),
        *(rule.get(field, -1) for field in ("ether_type", "protocol")),
        *((n.version, int(n.network_address), n.prefixlen) if n else (0, 0, 0) for n in addresses),
        *(rule.get(field, -1) for field in PORTS),
    )


def match_line(rule: t.Mapping[str, t.Any]) -> str:
    """Return the VM and the match of a rule in normal form for people."""
    words = [f"vm {rule['vm']}"]
    if "destination_mac" in rule:
        words.append(f"to {rule['destination_mac']}")
    if "ether_type" in rule:
        words.append(ETHER_TYPE_NAMES.get(rule["ether_type"], f"0x{rule['ether_type']:04x}"))
    if "protocol" in rule:
        words.append(PROTOCOL_NAMES.get(rule["protocol"], f"protocol {rule['protocol']}"))
    if any(field in rule for field in (*ADDRESSES, *PORTS)):
        words.append(" > ".join(_end(rule, *fields) for fields in zip(ADDRESSES, PORTS, strict=True)))
    return " ".join(words) if len(words) > 1 else f"{words[0]} any frame"


def _end(rule: t.Mapping[str, t.Any], address: str, port: str) -> str:
    name = str(rule.get(address, "any"))
    portless = "protocol" in rule and rule["protocol"] not in PROTOCOLS_WITH_PORTS
    if portless or port not in rule:
        return name
    return f"[{name}]:{rule[port]}" if ":" in name else f"{name}:{rule[port]}"


def one_line(rule: t.Mapping[str, t.Any]) -> str:
    """Return a rule in normal form as a line for people; what is by default is not shown."""
    words = [match_line(rule)]
    if rule["priority"] != DEFAULTS["priority"]:
        words.append(f"priority {rule['priority']}")
    if "destination_vm" in rule:
        words.append(f"to vm {rule['destination_vm']}")
    elif rule["tpid"] != DEFAULTS["tpid"]:
        words.append(rule["tpid"])
    words.append(f"tags {','.join(map(str, rule['tags']))}" if rule["tags"] else "no tags")
    if rule["mode"] == "police":
        words.append("police")
    words.append(
        f"rate {rule['rate_bps']} bit/s burst {rule['burst_bits']} bit" if "rate_bps" in rule else "no rate"
    )
    if any(rule.get(field, DEFAULTS[field]) != DEFAULTS[field] for field in QUEUE):
        words.append(f"queue {rule['queue_packets']} packets {rule['queue_bytes']} bytes")
    return " ".join(words)
