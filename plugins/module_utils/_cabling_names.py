# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a neighbour is, and which port of it: from what it says by LLDP to the names of a testbed's description.

A neighbour is not to be trusted, so that of its text only a short part that can be printed is kept.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp_neighbor

Values = t.Mapping[str, t.Any]

END_HOST, NETWORK_SWITCH, VM, UNKNOWN = "end_host", "network_switch", "vm", "unknown"
UPLINK = "0"  # the port of an end host
TEXT_MAX = 40
NAMED_MAX = 8  # of many
LAST_NUMBER = re.compile(r"(?<!\d)0*([1-9]\d{0,2})$", re.ASCII)


class CablingError(Exception):
    """What was heard tells nothing of a cabling; the message names object, cause and way out."""


class End(t.NamedTuple):
    """An end of a cable; port: its number, or what its node calls it where that has none."""

    node: str
    port: str

    def __str__(self) -> str:
        return f"{self.node}:{self.port}"


def order(end: End) -> tuple[str, int, str]:
    """Sort by node, and by number of the port."""
    return end.node, int(end.port) if is_number(end.port) else 10**9, end.port


def is_number(port: str) -> bool:
    return port.isascii() and port.isdecimal()


def clean(text: t.Any) -> str:
    """Return text on one line, short, in which what no terminal should get is escaped."""
    shown = _lldp_neighbor.escaped(str(text)[: TEXT_MAX + 1])
    return shown if len(shown) <= TEXT_MAX else f"{shown[: TEXT_MAX - 3]}..."


def listed(names: t.Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def some(names: t.Sequence[str], count: int = 0) -> str:
    """Return the first of names, and how many more there are of them, or of count."""
    first = list(names[:NAMED_MAX])
    more = max(count, len(names)) - len(first)
    return listed([*first, f"{more} more"] if more else first)


def port_of(kind: str, names: t.Iterable[str | None], numbers: t.Mapping[str, int]) -> str:
    """Return which port of a node is called by one of these names.

    numbers: those that the description has for names of ports. Else it is the number in which the name ends, such as 2
    for 2, s1-2 and Ethernet2, if the description has no other name for that.
    """
    if kind == END_HOST:
        return UPLINK
    known = [name for name in names if name]
    for name in known:
        if name in numbers:
            return str(numbers[name])
    if known and (found := LAST_NUMBER.search(known[0])) and int(found[1]) not in numbers.values():
        return found[1]
    return clean(known[0]) if known else "?"


class Directory:
    """The nodes that are known: nodes of the description, and those that heard somebody.

    nodes: by name, each with its kind, and maybe with chassis_id, management_address and ports.
    """

    def __init__(self, nodes: t.Mapping[str, Values], neighbors: t.Iterable[Values]) -> None:
        self.nodes = nodes
        self.names: dict[tuple[str, str], set[str]] = {}  # who says to have a chassis id
        own = {"chassis_id": "mac_address", "management_address": "network_address"}
        self.owners: dict[tuple[str, str], set[str]] = {
            (subtype, node[key]): {name}
            for name, node in nodes.items()
            for key, subtype in own.items()
            if node.get(key)
        }
        for neighbor in neighbors:
            if said := neighbor.get("system_name"):
                name = self.known(said)
                self.names.setdefault(chassis_of(neighbor), set()).add(name or clean(said))
                if name:
                    self.owners.setdefault(chassis_of(neighbor), set()).add(name)

    def known(self, system_name: str) -> str | None:
        """Return the node of a system's name, with or without its domain."""
        short = system_name.partition(".")[0]
        return next((name for name in (system_name, short) if name in self.nodes), None)

    def kind(self, node: str) -> str:
        return str(self.nodes[node]["kind"]) if node in self.nodes else UNKNOWN

    def numbers(self, node: str) -> t.Mapping[str, int]:
        return self.nodes.get(node, {}).get("ports") or {}

    def own_end(self, node: str, interface: str) -> End:
        return End(node, port_of(self.kind(node), [interface], self.numbers(node)))

    def end(self, neighbor: Values) -> End:
        """Return which port of which node speaks."""
        name = self.known(neighbor.get("system_name") or "")
        owners = self.owners.get(chassis_of(neighbor), set())
        if name is None and len(owners) == 1:
            (name,) = owners
        port_id, description = neighbor["port_id"], neighbor.get("port_description")
        if port_id["subtype"] == "mac_address":  # its last digits count nothing
            called = [description, port_id["value"]] if description else []
        else:
            called = [port_id["value"], description]
        if name is None:
            return End(f"unknown {clean(chassis_of(neighbor)[1])}", clean(port_id["value"]))
        return End(name, port_of(self.kind(name), called, self.numbers(name)))


def chassis_of(neighbor: Values) -> tuple[str, str]:
    return neighbor["chassis_id"]["subtype"], neighbor["chassis_id"]["value"]
