# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways through a fabric, by hand and beside networkx."""

from __future__ import annotations

import math
import typing as t

import networkx
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric, Port, parse_links
from ansible_collections.detnet.testbed.plugins.module_utils._flow_disjoint import disjoint_ways
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Ways
from hypothesis import given
from hypothesis import strategies as st

Pairs = list[tuple[str, str]]
SWITCHES = [f"s{number}" for number in range(1, 8)]


def cabled(pairs: t.Sequence[tuple[str, str]], *hosts: tuple[str, str]) -> Fabric:
    """Return a fabric with a link for each pair of network switches, by the next free ports, and for each host."""
    used: dict[str, int] = {}

    def port(node: str) -> str:
        used[node] = used.get(node, 0) + 1
        return f"{node}:{used[node]}"

    links = [[f"{host}:0", port(node)] for host, node in hosts]
    links += [[port(one), port(other)] for one, other in pairs]
    nodes = {**{host: False for host, _node in hosts}, **dict.fromkeys(SWITCHES, True), "gamma": False}
    fabric, faults = parse_links(links, nodes)
    assert faults == []
    return fabric


def shown(way: tuple[Port, ...] | None) -> str:
    return "none" if way is None else " ".join(map(str, way))


ENDS = (("alpha", "s1"), ("beta", "s2"))
# s1 and s2 are linked directly, by a second link, and by s3.
TRIANGLE = [("s1", "s2"), ("s1", "s2"), ("s1", "s3"), ("s3", "s2")]


@pytest.mark.parametrize(
    ("destination", "options", "way"),
    [
        pytest.param("beta", {}, "alpha:0 s1:2 s2:1", id="the-shortest-by-the-lowest-port"),
        pytest.param("beta", {"via": ["s3"]}, "alpha:0 s1:4 s3:2 s2:1", id="by-a-switch-to-pass"),
        pytest.param(
            "beta", {"via": ["s1", "s3", "s2"]}, "alpha:0 s1:4 s3:2 s2:1", id="by-all-that-it-passes"
        ),
        pytest.param("beta", {"via": ["s2", "s3"]}, "alpha:0 s1:2 s2:4 s3:1 s1:2 s2:1", id="twice-by-a-link"),
        pytest.param("beta", {"avoid": {Port("s1", 2)}}, "alpha:0 s1:3 s2:1", id="by-the-parallel-link"),
        pytest.param(
            "beta",
            {"avoid": {Port("s1", 2), Port("s1", 3)}},
            "alpha:0 s1:4 s3:2 s2:1",
            id="around-what-it-avoids",
        ),
        pytest.param(
            "beta", {"avoid": {Port("s1", 2), Port("s1", 3)}, "most_links": 1}, "none", id="not-by-more-links"
        ),
        pytest.param("beta", {"via": ["s4"]}, "none", id="not-by-a-switch-without-links"),
        pytest.param("gamma", {}, "none", id="to-nowhere"),
        pytest.param("alpha", {"via": ["s3"]}, "alpha:0 s1:4 s3:2 s2:2 s1:1", id="around-a-circle"),
    ],
)
def test_finds_a_way(destination: str, options: dict[str, t.Any], way: str) -> None:
    assert shown(Ways(cabled(TRIANGLE, *ENDS)).find("alpha", destination, **options)) == way


def test_takes_the_cheapest_way_though_it_is_longer_and_the_shortest_of_the_cheapest() -> None:
    ways = Ways(cabled(TRIANGLE, *ENDS))
    full = {Port("s1", 2): 1.0, Port("s1", 3): 0.7}
    costs = full.copy()
    assert (
        shown(ways.find("alpha", "beta", cost=lambda port: costs.get(port, 0.5))) == "alpha:0 s1:4 s3:2 s2:1"
    )
    costs = full | {Port("s3", 2): 0.7}
    assert shown(ways.find("alpha", "beta", cost=lambda port: costs.get(port, 0.5))) == "alpha:0 s1:3 s2:1"


def test_a_frame_does_not_go_back_by_the_link_by_which_it_came() -> None:
    dead_end = [("s1", "s2"), ("s1", "s3")]
    assert Ways(cabled(dead_end, *ENDS)).find("alpha", "beta", via=["s3"]) is None
    again = [*dead_end, ("s1", "s3")]
    assert (
        shown(Ways(cabled(again, *ENDS)).find("alpha", "beta", via=["s3"])) == "alpha:0 s1:3 s3:2 s1:2 s2:1"
    )


def test_end_hosts_that_are_linked_with_each_other_need_no_switch() -> None:
    fabric, _faults = parse_links([["alpha:0", "beta:0"]], {"alpha": False, "beta": False, "s1": True})
    ways = Ways(fabric)
    assert shown(ways.find("alpha", "beta")) == "alpha:0"
    assert ways.find("alpha", "beta", via=["s1"]) is None
    assert ways.find("alpha", "gamma") is None


def test_no_way_leads_through_an_end_host() -> None:
    fabric, _faults = parse_links(
        [["alpha:0", "beta:0"], ["gamma:0", "s1:1"]],
        {"alpha": False, "beta": False, "gamma": False, "s1": True},
    )
    assert Ways(fabric).find("alpha", "gamma") is None


switches = st.sampled_from(SWITCHES)
cablings = st.lists(st.tuples(switches, switches).filter(lambda pair: pair[0] != pair[1]), max_size=14)


def graph_of(fabric: Fabric) -> networkx.MultiGraph:
    graph = networkx.MultiGraph()
    graph.add_nodes_from(fabric.nodes)
    graph.add_edges_from((link.ends[0].node, link.ends[1].node) for link in fabric.links)
    return graph


@given(cablings)
def test_a_way_is_as_short_as_that_of_networkx_and_its_tags_lead_along_it(pairs: Pairs) -> None:
    fabric = cabled(pairs, *ENDS)
    way = Ways(fabric).find("alpha", "beta")
    graph = graph_of(fabric)
    if way is None:
        assert not networkx.has_path(graph, "alpha", "beta")
        return
    assert len(way) == networkx.shortest_path_length(graph, "alpha", "beta")
    nodes, left, end = fabric.follow("alpha", [*(port.number * 10 + 3 for port in way[1:]), 1])
    assert (nodes, left, end) == ([*(port.node for port in way), "beta"], [1], None)


@given(cablings, st.lists(switches, max_size=2, unique=True))
def test_a_way_passes_in_order_what_it_shall(pairs: Pairs, via: list[str]) -> None:
    fabric = cabled(pairs, *ENDS)
    way = Ways(fabric).find("alpha", "beta", via=via, most_links=math.inf)
    if way is None:
        return
    passed = iter(port.node for port in way[1:])
    assert all(node in passed for node in via)
    _nodes, left, end = fabric.follow("alpha", [*(port.number * 10 for port in way[1:]), 1])
    assert (left, end) == ([1], None)


@given(cablings, st.lists(st.integers(0, 4), min_size=64, max_size=64))
def test_no_way_is_cheaper(pairs: Pairs, drawn: list[int]) -> None:
    """The cheapest is the least cost up to which links have to be used so that there is a way."""
    fabric = cabled(pairs, *ENDS)
    ports = [
        port for port in sorted(fabric.peers) if port.node in SWITCHES and fabric.peers[port].node in SWITCHES
    ]
    costs = dict(zip(ports, map(float, drawn), strict=False))
    way = Ways(fabric).find("alpha", "beta", cost=costs.__getitem__)

    def shortest(most: float) -> float:
        graph = networkx.DiGraph()
        graph.add_nodes_from(["s1", "s2"])
        graph.add_edges_from((port.node, fabric.peers[port].node) for port in ports if costs[port] <= most)
        return (
            networkx.shortest_path_length(graph, "s1", "s2")
            if networkx.has_path(graph, "s1", "s2")
            else math.inf
        )

    if way is None:
        assert shortest(9) == math.inf
        return
    cost = max(costs[port] for port in way[1:-1])
    assert len(way) - 2 == shortest(cost)
    assert shortest(cost - 1) == math.inf


@given(cablings, st.integers(1, 3))
def test_finds_as_many_disjoint_ways_as_there_are(pairs: Pairs, count: int) -> None:
    fabric = cabled(pairs, *ENDS)
    ways = disjoint_ways(Ways(fabric), "s1", "s2", count)
    graph = networkx.Graph()
    graph.add_nodes_from(["s1", "s2"])
    for link in fabric.links:
        graph.add_edges_from(
            (end.node, link.ends) for end in link.ends
        )  # a link is a node, for there are parallel ones
    assert len(ways) == (count if networkx.edge_connectivity(graph, "s1", "s2") >= count else 0)
    used = [frozenset((port, fabric.peers[port])) for way in ways for port in way]
    assert len(used) == len(set(used))
    for way in ways:
        nodes = ["s1", *(fabric.peers[port].node for port in way)]
        assert nodes[:-1] == [port.node for port in way]
        assert (nodes[-1], len(nodes)) == ("s2", len(set(nodes)))
