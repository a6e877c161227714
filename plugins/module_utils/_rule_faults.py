# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a rule of a tagging switch: one sentence for each fault, with the value and the way out."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    ADDRESSES,
    DEFAULTS,
    ETHER_TYPE_NAMES,
    ETHER_TYPES,
    FAMILIES,
    MODES,
    PORTS,
    PROTOCOL_NAMES,
    PROTOCOLS,
    PROTOCOLS_WITH_PORTS,
    QUEUE,
    SHAPER,
    TPIDS,
    Network,
    ether_type_number,
    mode_of,
    network,
    protocol_number,
)

Fields = t.Mapping[str, t.Any]

MAX_TAGS = 10
LIMITS = {
    "vm": (0, 4094),
    "priority": (0, 65535),
    "ether_type": (0x0600, 0xFFFF),
    "protocol": (0, 255),
    "source_port": (0, 65535),
    "destination_port": (0, 65535),
    "tag": (1, 4094),
    "destination_vm": (0, 4094),
    "rate_bps": (1, 400 * 10**9),
    "burst_bits": (1, 2**63 - 1),
    "queue_packets": (1, 65535),
    "queue_bytes": (1, 2**32 - 1),
}
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def is_number(value: t.Any, low: int, high: int) -> bool:
    # A bool is an int in Python.
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number_faults(field: str, value: t.Any, limit: str | None = None) -> list[str]:
    """Return what is wrong with value as the field (with the named limit, if not its own)."""
    low, high = LIMITS[limit or field]
    return [] if is_number(value, low, high) else [f"{field} is {value!r}; choose {low} to {high}"]


def given_faults(rule: Fields, *fields: str) -> list[str]:
    """Return what is wrong with those of the number fields that a rule has."""
    return [
        fault
        for field in fields
        if rule.get(field) is not None
        for fault in number_faults(field, rule[field])
    ]


def protocol_faults(protocol: t.Any) -> list[str]:
    """Return what is wrong with the protocol of a rule."""
    if number_faults("protocol", protocol_number(protocol)):
        return [f"protocol is {protocol!r}; choose {', '.join(PROTOCOLS)} or a number from 0 to 255"]
    return []


def ether_type_faults(ether_type: t.Any) -> list[str]:
    """Return what is wrong with the EtherType of a rule."""
    number = ether_type_number(ether_type)
    if number_faults("ether_type", number):
        return [
            f"ether_type is {ether_type!r}; choose {', '.join(ETHER_TYPES)} or a number from 0x0600 to 0xffff"
        ]
    if number in VLAN_TYPES:
        return [
            f"ether_type is {ether_type!r}, but frames that a VM tagged are dropped; match what they carry"
        ]
    return []


def address_faults(field: str, value: t.Any) -> list[str]:
    """Return what is wrong with an address or prefix of a rule."""
    try:
        if isinstance(value, str) and "%" not in value:  # an interface's name means nothing to a switch
            network(value)
            return []
    except ValueError as exc:
        if "has host bits set" in str(exc):
            return [
                f"{field} is {value!r}, which has bits behind its prefix; clear them, or leave out the prefix"
            ]
    return [f"{field} is {value!r}; give an address such as 10.20.0.11, or a prefix such as 10.20.0.0/16"]


def match_faults(rule: Fields) -> list[str]:
    """Return what is wrong with the identity of a rule: which frames of which VM it matches."""
    faults = number_faults("vm", rule.get("vm"))
    mac = rule.get("destination_mac")
    if mac is not None and not MAC.fullmatch(str(mac).lower()):
        faults.append(f"destination_mac is {mac!r}; give an address such as 01:1b:19:00:00:00")
    layers = [
        fault
        for field, look in (("ether_type", ether_type_faults), ("protocol", protocol_faults))
        if rule.get(field) is not None
        for fault in look(rule[field])
    ]
    layers += [
        fault
        for field in ADDRESSES
        if rule.get(field) is not None
        for fault in address_faults(field, rule[field])
    ]
    return faults + (layers or family_faults(rule)) + port_faults(rule)


def family_faults(rule: Fields) -> list[str]:
    """Return where the EtherType, the protocol and the addresses of a rule, each without a fault, disagree."""
    given: list[Network] = [network(rule[field]) for field in ADDRESSES if rule.get(field) is not None]
    families = {FAMILIES[prefix.version] for prefix in given}
    if len(families) > 1:
        return ["source_ip and destination_ip are of two versions of IP; give addresses of one"]
    if rule.get("ether_type") is None:
        return []
    number = ether_type_number(rule["ether_type"])
    name = ETHER_TYPE_NAMES.get(number, f"0x{number:04x}")
    if families and number not in families:
        return [f"ether_type is {name}, but the addresses are of another; leave ether_type out"]
    carried = [field for field in ("protocol", *PORTS) if rule.get(field) is not None]
    if carried and number not in FAMILIES.values():
        return [f"ether_type is {name}, which has no {' and no '.join(carried)}; leave one of them out"]
    return []


def port_faults(rule: Fields) -> list[str]:
    """Return what is wrong with the ports of a rule."""
    faults = []
    protocol = protocol_number(rule.get("protocol"))
    if rule.get("protocol") is not None and protocol_faults(protocol):
        return []
    for field in PORTS:
        port = rule.get(field)
        if port is None:
            continue
        faults += number_faults(field, port)
        if port and rule.get("protocol") is not None and protocol not in PROTOCOLS_WITH_PORTS:
            name = PROTOCOL_NAMES.get(protocol, protocol)
            faults.append(f"{field} is {port!r}, but protocol {name} has no ports; leave it out")
    return faults


def tags_faults(rule: Fields) -> list[str]:
    """Return what is wrong with the tags of a rule and where it leads."""
    tags = [] if rule.get("tags") is None else rule["tags"]
    if not isinstance(tags, list):
        return [f"tags is {tags!r}; give a list"]
    faults = []
    if len(tags) > MAX_TAGS:
        faults.append(f"tags has {len(tags)} tags; choose a path with at most {MAX_TAGS}")
    for index, tag in enumerate(tags):
        faults += number_faults(f"tags[{index}]", tag, limit="tag")
    if rule.get("tpid") not in (None, *TPIDS):
        faults.append(f"tpid is {rule['tpid']!r}; choose {' or '.join(TPIDS)}")
    elif not tags and rule.get("tpid") not in (None, DEFAULTS["tpid"]):
        faults.append(f"tpid is {rule['tpid']!r}, but it has no tags; leave tpid out")
    faults += given_faults(rule, "destination_vm")
    if rule.get("destination_vm") is not None and rule["destination_vm"] == rule.get("vm"):
        faults.append(f"destination_vm is {rule['destination_vm']!r}, its own VM; choose another")
    if tags and rule.get("destination_vm") is not None:
        faults.append(
            "it has tags and a destination_vm, and a VM of the same switch needs none; give one of them"
        )
    return faults


def shaper_faults(rule: Fields) -> list[str]:
    """Return what is wrong with the rate, the burst and the queue of a rule."""
    mode = mode_of(rule)
    if mode not in MODES:
        return [f"mode is {mode!r}; choose {', '.join(MODES)}"]
    if mode != "off":
        faults = [fault for field in SHAPER for fault in number_faults(field, rule.get(field))]
        faults += (
            given_faults(rule, *QUEUE) if mode == "shape" else unused_faults(rule, QUEUE, "nothing waits in")
        )
        return faults
    return unused_faults(rule, (*SHAPER, *QUEUE), "there is no rate in")


def unused_faults(rule: Fields, fields: t.Iterable[str], why: str) -> list[str]:
    """Return which of the fields a rule has though its mode has no use for them."""
    given = [field for field in fields if rule.get(field) is not None]
    if rule.get("mode") is None:
        return [f"{field} is {rule[field]!r}, but rate_bps is not given; add it" for field in given]
    return [f"{field} is {rule[field]!r}, but {why} mode {mode_of(rule)}; leave it out" for field in given]


def action_faults(rule: Fields) -> list[str]:
    """Return what is wrong with what a rule does: priority, tags, destination, rate, burst, queue."""
    return given_faults(rule, "priority") + tags_faults(rule) + shaper_faults(rule)
