# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way each flow takes, so that they keep apart where they shall and share the load where they may.

Each flow first gets a shortest way. Then each that may take another is taken off the network, one after the other, and
put back on the way whose most loaded link is loaded least. Its old way is one of those, and links that it leaves are
loaded less, so the most loaded link of all is never loaded more than with the shortest ways.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import math
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._fabric import UPLINK, Port
from ansible_collections.detnet.testbed.plugins.module_utils._flow_disjoint import disjoint_ways
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import (
    MOST_LINKS,
    Cost,
    Way,
    Ways,
    nothing,
)
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import MAX_TAGS

Loads = collections.Counter[Port]  # bits per second that leave by a port


@dataclasses.dataclass(frozen=True)
class Request:
    """What decides on the way of a flow between two end hosts."""

    name: str
    source: str
    destination: str
    rate_bps: int
    via: tuple[str, ...] = ()  # network switches, in this order
    disjoint_from: tuple[str, ...] = ()  # names of flows
    least_loaded: bool = False


class Paths:
    """The ways of flows, by name, and why some have none."""

    def __init__(self, ways: Ways, requests: t.Sequence[Request], loads: Loads) -> None:
        self.ways, self.loads = ways, loads
        self.requests = {request.name: request for request in requests}
        self.found: dict[str, Way] = {}
        self.faults: dict[str, str] = {}
        speeds = [speed for speed in ways.fabric.speeds_bps.values() if speed]
        self.unknown_speed_bps = max(speeds, default=1)  # links without a speed are as fast as the fastest
        self.apart: dict[str, set[str]] = {name: set() for name in self.requests}
        for request in requests:
            for other in request.disjoint_from:
                self.apart[request.name].add(other)
                self.apart[other].add(request.name)

    def find(self) -> None:
        """Find a way for each request."""
        for request in self.requests.values():
            way = self._way(request)
            if way is not None:
                self._put(request, way)
            elif not self._put_together(request):
                self.faults[request.name] = self._why_none(request)
        for request in self.requests.values():
            if request.least_loaded and request.name in self.found:
                before = self._take(request)
                self._put(
                    request, self._way(request, functools.partial(self._share, request.rate_bps)) or before
                )

    def _way(self, request: Request, cost: Cost = nothing) -> Way | None:
        avoid = {
            end
            for other in self.apart[request.name] & self.found.keys()
            for port in self.found[other]
            for end in (port, self.ways.fabric.peers[port])
        }
        return self.ways.find(request.source, request.destination, via=request.via, avoid=avoid, cost=cost)

    def _share(self, rate_bps: int, port: Port) -> float:
        """Return how much of a link would be in use if so much more left by the port."""
        speed = self.ways.fabric.speeds_bps[port] or self.unknown_speed_bps
        return (self.loads.get(port, 0) + rate_bps) / speed

    def _put(self, request: Request, way: Way) -> None:
        self.found[request.name] = way
        for port in way:
            self.loads[port] += request.rate_bps

    def _take(self, request: Request) -> Way:
        way = self.found.pop(request.name)
        for port in way:
            self.loads[port] -= request.rate_bps
        return way

    def _put_together(self, request: Request) -> bool:
        """Find ways anew for a request and those before it from which it has to keep apart; return whether it could.

        Only between the same two network switches can that be told for sure, and without places to pass.
        """
        group = [request, *(self.requests[name] for name in self.found if name in self.apart[request.name])]
        names = {member.name for member in group}
        ends = {frozenset(self._ends(member)) for member in group}
        if len(ends) > 1 or any(
            member.via or self.apart[member.name] & self.found.keys() - names for member in group
        ):
            return False
        start, goal = self._ends(request)
        found = disjoint_ways(self.ways, start, goal, len(group)) if start and goal else []
        if not found or max(map(len, found)) > MOST_LINKS:
            return False
        for member, between in zip(group, found, strict=True):
            if member is not request:
                self._take(member)
            there = self._ends(member) == (start, goal)
            ports = between if there else [self.ways.fabric.peers[port] for port in reversed(between)]
            last = self.ways.fabric.peers[Port(member.destination, UPLINK)]
            self._put(member, (Port(member.source, UPLINK), *ports, last))
        return True

    def _ends(self, request: Request) -> tuple[str, ...]:
        """Return the network switches of a request's end hosts, empty texts where there is none."""
        ports = (
            self.ways.fabric.peers.get(Port(host, UPLINK)) for host in (request.source, request.destination)
        )
        return tuple(port.node if port and port.node in self.ways.exits else "" for port in ports)

    def _why_none(self, request: Request) -> str:
        ends = request.source, request.destination
        for host in ends:
            if Port(host, UPLINK) not in self.ways.fabric.peers:
                return f"{host} has no link; give it one in testbed_links"
        any_way = self.ways.find(*ends, via=request.via, most_links=math.inf)
        if any_way is None:
            return self._why_unlinked(request)
        if self.ways.find(*ends, via=request.via) is None:
            return (
                f"its shortest way passes {len(any_way) - 1} network switches and would need {len(any_way)} tags, "
                f"of which there are {MAX_TAGS} at most; link them more directly"
            )
        others = [name for name in self.requests if name in self.apart[request.name] & self.found.keys()]
        taken = ", ".join(f"{name} ({' > '.join(map(str, self.found[name]))})" for name in others)
        return f"no way is disjoint from {taken}; add a link, or give them other network switches by via"

    def _why_unlinked(self, request: Request) -> str:
        start, goal = self._ends(request)
        stops = (start or request.source, *request.via, goal or request.destination)
        for here, there in itertools.pairwise(stops):
            if {here, there} - self.ways.exits.keys() or here not in self.ways.distances(there):
                what = "change testbed_links or via" if request.via else "link them by testbed_links"
                return f"no way leads from {here} to {there}; {what}"
        return f"no way passes {', '.join(request.via)} without going back by the same link; change via"
