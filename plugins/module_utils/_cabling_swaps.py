# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cables that were plugged into each other's place: which, from those that are missing and those that are there."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling import Ends
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import End, order, some

try:
    import networkx as nx

    HAS_NETWORKX = True
except ImportError:
    HAS_NETWORKX = False


class Swap(t.NamedTuple):
    """Some ends that have exchanged their places; plugs[i] belongs to places[i].

    missing and unexpected: the cables that this explains.
    """

    plugs: list[End]
    places: list[End]
    missing: list[Ends]
    unexpected: list[Ends]

    def __str__(self) -> str:
        return f"{some(list(map(str, self.plugs)))} are swapped at {self.where()}"

    def where(self) -> str:
        if len({place.node for place in self.places}) == 1:
            return f"{self.places[0].node} ports {some([place.port for place in self.places])}"
        return some(list(map(str, self.places)))


def swaps(missing: t.Iterable[Ends], unexpected: t.Iterable[Ends], switches: t.Container[str]) -> list[Swap]:
    """Return the permutations of cables among those that are missing and those that are there instead.

    Where each port has one cable of both kinds, they make a ring in which the kinds alternate, and every second port
    has got the cable of another one. Rings are the components of a graph in which each port has two edges.
    """
    graph = nx.MultiGraph()
    graph.add_edges_from((*ends, "missing") for ends in missing)
    graph.add_edges_from((*ends, "unexpected") for ends in unexpected)
    return [
        _swap(graph.subgraph(ports), switches)
        for ports in sorted(nx.connected_components(graph), key=lambda ports: min(map(order, ports)))
        if all(sorted(kind for *_ends, kind in graph.edges(port, keys=True)) == KINDS for port in ports)
    ]


KINDS = ["missing", "unexpected"]


def _swap(ring: t.Any, switches: t.Container[str]) -> Swap:
    edges = {kind: [ends for *ends, key in ring.edges(keys=True) if key == kind] for kind in KINDS}
    partner = {
        kind: {one: other for pair in pairs for one, other in (pair, pair[::-1])}
        for kind, pairs in edges.items()
    }
    # Along the ring, a port that is missed by its partner alternates with that partner.
    one = min(ring, key=order)
    plugs = [one]
    while (one := partner["unexpected"][partner["missing"][one]]) != plugs[0]:
        plugs.append(one)
    places = [partner["missing"][plug] for plug in plugs]
    if _at(plugs, switches) > _at(places, switches):
        plugs, places = places, plugs
    pairs = sorted(zip(places, plugs, strict=True), key=lambda pair: order(pair[0]))
    return Swap(
        [plug for _place, plug in pairs],
        [place for place, _plug in pairs],
        *([_ends(pair) for pair in edges[kind]] for kind in KINDS),
    )


def _at(ports: list[End], switches: t.Container[str]) -> tuple[bool, int]:
    """Return how well ports are said to be the place of a swap: best those of one node, then of network switches."""
    return len({port.node for port in ports}) == 1, sum(port.node in switches for port in ports)


def _ends(pair: t.Sequence[End]) -> Ends:
    first, second = sorted(pair, key=order)
    return first, second
