# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of a testbed, and where a tag stack leads on them.

A link joins two ports, each written node:port. An end host has one port, its uplink 0. A network switch pops
the outermost tag of a frame and sends it out of port tag // 10, to queue tag % 10.
"""

from __future__ import annotations

import typing as t

UPLINK = 0
MAX_PORT = 409  # 4094 is the last tag
QUANTITIES = {"speed_bps": "bits per second", "mtu": "bytes"}
MAX_INTERFACE_NAME = 15  # IFNAMSIZ without its final zero

Nodes = t.Mapping[str, bool]  # name of a node: whether it is a network switch


class Port(t.NamedTuple):
    """One end of a link."""

    node: str
    number: int

    def __str__(self) -> str:
        return f"{self.node}:{self.number}"


class Link(t.NamedTuple):
    """A cable, and what it is meant to be: bits per second and bytes, None for whatever there is."""

    ends: tuple[Port, Port]
    speed_bps: int | None = None
    mtu: int | None = None

    def described(self) -> dict[str, t.Any]:
        """Return the link in the long form of testbed_links, with all keys."""
        return {"ends": [str(end) for end in self.ends], "speed_bps": self.speed_bps, "mtu": self.mtu}


class Fabric:
    """The links between nodes, readable from both ends."""

    def __init__(self, nodes: Nodes, links: t.Sequence[Link]) -> None:
        self.nodes = nodes
        self.links = links
        self.peers = {one: other for link in links for one, other in (link.ends, link.ends[::-1])}
        self.speeds_bps = {port: link.speed_bps for link in links for port in link.ends}

    def direction(self, port: Port) -> str:
        """Return a link with the direction in which frames leave by a port, for people."""
        return f"{port} > {self.peers[port]}"

    def follow(self, source: str, tags: t.Sequence[int]) -> tuple[list[str], list[int], str | None]:
        """Return where a frame with tags goes from the end host source.

        That is the nodes that it comes to, the tags that it has at the last of them, and why it ends there if
        that is no end host.
        """
        out, left, way = Port(source, UPLINK), list(tags), [source]
        while out in self.peers:
            into = self.peers[out]
            way.append(into.node)
            if not self.nodes[into.node]:
                return way, left, None
            if len(left) == 1:
                return way, left, f"{into.node} is a network switch, and the last tag is not for it"
            out = Port(into.node, left.pop(0) // 10)
            if out == into:
                return way, left, f"{into.node} sends no frame back out of the port {out} that it came in by"
        return way, left, f"{out} has no link"


def parse_port(text: t.Any, nodes: Nodes) -> tuple[Port | None, str]:
    """Return the port that is written as node:port and no fault; or none, and what is wrong."""
    node, _colon, digits = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not (node and digits.isdecimal()):
        return None, f"{text!r} is no end of a link; write node:port, such as s1:2"
    if node not in nodes:
        return None, f"{text!r} names no node; choose one of {', '.join(nodes) or 'none'}"
    port = Port(node, int(digits))
    fault = ""
    if not nodes[node] and port.number != UPLINK:
        fault = f"{text!r}: an end host has one port; write {node}:{UPLINK}"
    elif nodes[node] and not 1 <= port.number <= MAX_PORT:
        fault = f"{text!r}: a network switch has the ports 1 to {MAX_PORT}; choose one of them"
    elif nodes[node] and len(name := f"{node}-{port.number}") > MAX_INTERFACE_NAME:
        fault = (
            f"{text!r}: the interface name {name} has {len(name)} characters; "
            f"choose a name for the network switch that leaves at most {MAX_INTERFACE_NAME}"
        )
    return (None, fault) if fault else (port, "")


def parse_link(link: t.Any, nodes: Nodes) -> tuple[Link | None, list[str]]:
    """Return a link from one of its two forms and no fault; or none, and what is wrong."""
    form: t.Any = {"ends": link} if isinstance(link, list) else link
    ends = form.get("ends") if isinstance(form, dict) else None
    if not isinstance(ends, list) or len(ends) != 2:
        return None, [f'{link!r} is no link; write its two ends, such as ["s1:2", "s2:1"]']
    faults = [
        f"unknown key {key!r}; choose from {', '.join(Link._fields)}"
        for key in form
        if key not in Link._fields
    ]
    numbers: dict[str, t.Any] = {key: form[key] for key in QUANTITIES if form.get(key) is not None}
    faults += [
        f"{key} is {value!r}; give {QUANTITIES[key]} above 0"
        for key, value in numbers.items()
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0
    ]
    (one, wrong), (other, wrong_too) = (parse_port(text, nodes) for text in ends)
    faults += [fault for fault in (wrong, wrong_too) if fault]
    if one is not None and one == other:
        faults.append(f"{one} is linked with itself; name the other end")
    if faults or one is None or other is None:
        return None, faults
    return Link((one, other), **numbers), []


def parse_links(links: t.Sequence[t.Any], nodes: Nodes) -> tuple[Fabric, list[str]]:
    """Return the fabric of all links without a fault, and the faults of the others."""
    faults: list[str] = []
    kept: list[Link] = []
    used: dict[Port, Port] = {}
    for index, text in enumerate(links):
        where = f"testbed_links[{index}]"
        link, wrong = parse_link(text, nodes)
        faults += [f"{where}: {fault}" for fault in wrong]
        if link is None:
            continue
        one, other = link.ends
        if taken := [port for port in link.ends if port in used]:
            faults += [f"{where}: {port} is linked with {used[port]} too; use another port" for port in taken]
        else:
            used |= {one: other, other: one}
            kept.append(link)
    return Fabric(nodes, kept), faults
