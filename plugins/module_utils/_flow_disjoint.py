# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways between two network switches that share no link, as many as are wanted, whenever there are so many.

One after the other they may not be found, because the first one may be in the way of every second one. So each next way
may go back over links of those before, whose frames then go on by its end: an augmenting path (L. Ford, D. Fulkerson,
Maximal Flow through a Network, 1956), the one with the fewest links.
"""

from __future__ import annotations

import collections

from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Port
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Ways


def disjoint_ways(ways: Ways, start: str, goal: str, count: int) -> list[list[Port]]:
    """Return so many ways from start to goal, as ports by which they leave; none if there are not so many."""
    used: set[Port] = set()
    for _number in range(count):
        comes_by = _augmenting(ways, start, goal, used)
        if goal not in comes_by:
            return []
        node = goal
        while node != start:
            out = comes_by[node]
            if (into := ways.fabric.peers[out]) in used:
                used.remove(into)
            else:
                used.add(out)
            node = out.node
    return [_taken(ways, start, goal, used) for _number in range(count)]


def _augmenting(ways: Ways, start: str, goal: str, used: set[Port]) -> dict[str, Port]:
    """Return by which port each node is come to first, from start on until goal is reached."""
    comes_by: dict[str, Port] = {}
    todo = collections.deque([start])
    while todo and goal not in comes_by:
        for out, into in ways.exits[todo.popleft()]:
            if out not in used and into.node not in comes_by and into.node != start:
                comes_by[into.node] = out
                todo.append(into.node)
    return comes_by


def _taken(ways: Ways, start: str, goal: str, used: set[Port]) -> list[Port]:
    """Return a way by ports in use, and take these. What only leads in a circle is left out."""
    way: list[Port] = []
    node = start
    while node != goal:
        out = next(port for port, _into in ways.exits[node] if port in used)
        used.remove(out)
        way.append(out)
        node = ways.fabric.peers[out].node
        visited = [port.node for port in way]
        if node in visited:
            del way[visited.index(node) :]
    return way
