# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways from one end host to another through the network switches of a fabric.

A way is the ports by which frames leave the nodes that they pass, the uplink of the source first. It has a tag for each
network switch, and one for the destination.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
import operator
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._fabric import UPLINK, Fabric, Port
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import MAX_TAGS

MOST_LINKS = MAX_TAGS - 2  # between network switches, of which there are MAX_TAGS - 1 at most

Way = tuple[Port, ...]
Cost = t.Callable[[Port], float]  # of leaving by a port; a way costs what its dearest port does
Trail = tuple[Port, t.Any]  # the last port of a way, and the trail before it or None


def nothing(_port: Port) -> float:
    """Return what a link costs where only the number of links counts."""
    return 0.0


class Ways:
    """The ways of a fabric. What is known of one destination serves all flows that go there."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        # Of each network switch: by which port to which port of another one.
        self.exits: dict[str, list[tuple[Port, Port]]] = {
            node: [] for node, is_switch in fabric.nodes.items() if is_switch
        }
        for out, into in sorted(fabric.peers.items()):
            if out.node in self.exits and into.node in self.exits:
                self.exits[out.node].append((out, into))
        # Sets of network switches are the bits of numbers, which are joined a machine word at a time.
        self._bits = {node: 1 << number for number, node in enumerate(self.exits)}
        self._neighbours = {
            node: functools.reduce(operator.or_, (self._bits[into.node] for _out, into in exits), 0)
            for node, exits in self.exits.items()
        }
        self._distances: dict[str, dict[str, int]] = {}

    def distances(self, goal: str) -> dict[str, int]:
        """Return how many links each network switch is from the one that is the goal, if it is linked with it."""
        if goal not in self._distances:
            found: dict[str, int] = {}
            seen = level = self._bits[goal]
            for links in itertools.count():
                if not level:
                    break
                nodes = self._members(level)
                found.update(dict.fromkeys(nodes, links))
                level = functools.reduce(operator.or_, map(self._neighbours.__getitem__, nodes)) & ~seen
                seen |= level
            self._distances[goal] = found
        return self._distances[goal]

    def _members(self, bits: int) -> list[str]:
        ones = f"{bits:b}".encode()[::-1].translate(bytes.maketrans(b"01", b"\0\1"))
        return list(itertools.compress(self.exits, ones))

    def find(
        self,
        source: str,
        destination: str,
        *,
        via: t.Sequence[str] = (),
        avoid: t.Collection[Port] = (),
        cost: Cost = nothing,
        most_links: float = MOST_LINKS,
    ) -> Way | None:
        """Return the cheapest way between two end hosts, of these one with the fewest links; None if there is none.

        It passes the network switches via in this order, and uses no port of avoid and not more than most_links between
        network switches. Only these links cost: an end host has no choice. Of ways that are as good the one by the
        lower port numbers is taken.
        """
        uplink = Port(source, UPLINK)
        first, last = self.fabric.peers.get(uplink), self.fabric.peers.get(Port(destination, UPLINK))
        if first is None or last is None:
            return None
        if first.node == destination and not via:
            return (uplink,)
        if first.node not in self.exits or last.node not in self.exits:
            return None
        search = _Search(self, (*via, last.node), avoid, cost, most_links)
        between = search.run(first)
        return None if between is None else (uplink, *between, last)


class _Search:
    """One search, the cheapest and shortest first (label setting for two criteria: E. Martins, EJOR 16, 1984).

    How many links are left at the least is known from the distances, so it goes straight where nothing is in the way
    (A*: P. Hart, N. Nilsson, B. Raphael, 1968). A node that was left after fewer links is not left again. Where there
    are places to pass, a frame may come twice to a node, and the port by which it comes counts: it cannot go back.
    """

    def __init__(
        self, ways: Ways, goals: t.Sequence[str], avoid: t.Collection[Port], cost: Cost, most_links: float
    ) -> None:
        self.ways, self.avoid, self.cost, self.most_links = ways, avoid, cost, most_links
        self.goals = [goal for goal, _same in itertools.groupby(goals)]
        # How far it is to each goal, and from there by the others to the last one.
        self.legs: list[tuple[dict[str, int], float]] = []
        for number, goal in reversed(list(enumerate(self.goals))):
            distances, after = self.legs[0] if self.legs else ({goal: 0}, 0)
            self.legs.insert(0, (ways.distances(self.goals[number]), distances.get(goal, math.inf) + after))
        self.fewest: dict[tuple[t.Hashable, int], int] = {}

    def run(self, first: Port) -> list[Port] | None:
        """Return the ports between network switches from the port first on, by which frames come to the first one."""
        number = itertools.count()
        # What it costs, how many links it has in all, with those further on first, and then in the order of the ports.
        heap: list[tuple[float, float, int, int, Port, int, Trail | None]] = [
            (self.least(first.node), 0, 0, next(number), first, int(first.node == self.goals[0]), None)
        ]
        while heap:
            worst, _links, done, _number, come, passed, trail = heapq.heappop(heap)
            if passed == len(self.goals):
                return ports_of(trail)
            if not self.is_news(come, passed, -done):
                continue
            goal, (distances, after) = self.goals[passed], self.legs[passed]
            for out, into in self.ways.exits[come.node]:
                links = 1 - done + distances.get(into.node, math.inf) + after
                if links <= self.most_links and out != come and out not in self.avoid:
                    label = max(worst, self.cost(out)), links, done - 1, next(number)
                    heapq.heappush(heap, (*label, into, passed + (into.node == goal), (out, trail)))
        return None

    def is_news(self, come: Port, passed: int, links: int) -> bool:
        """Return whether it is left for the first time after so few links, and note that."""
        key = (come if len(self.goals) > 1 else come.node, passed)
        news = links < self.fewest.get(key, math.inf)
        if news:
            self.fewest[key] = links
        return news

    def least(self, start: str) -> float:
        """Return what any way costs at the least, for it has to leave the start and to come to the last goal."""
        goal = self.goals[-1]
        if start == goal:
            return 0.0
        leaving = [self.cost(out) for out, _into in self.ways.exits[start] if out not in self.avoid]
        coming = [self.cost(into) for _out, into in self.ways.exits[goal] if into not in self.avoid]
        return max(min(leaving, default=0.0), min(coming, default=0.0))


def ports_of(trail: Trail | None) -> list[Port]:
    """Return the ports of a trail in the order of the way."""
    ports = []
    while trail is not None:
        port, trail = trail
        ports.append(port)
    return ports[::-1]
