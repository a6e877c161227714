# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways flows take beside each other."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric, parse_links
from ansible_collections.detnet.testbed.plugins.module_utils._flow_paths import Loads, Paths, Request
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Ways
from hypothesis import given
from hypothesis import strategies as st

HOSTS = {"alpha": "s1", "beta": "s2", "gamma": "s3", "delta": "s4"}
SWITCHES = [f"s{number}" for number in range(1, 7)]
MBPS = 10**6


def cabled(*pairs: str, speeds: dict[int, int] | None = None) -> Fabric:
    """Return a fabric with a link for each pair such as s1-s2, by the next free ports; port 1 is for an end host."""
    used = dict.fromkeys(SWITCHES, 1)

    def port(node: str) -> str:
        used[node] += 1
        return f"{node}:{used[node]}"

    links: list[object] = [[f"{host}:0", f"{node}:1"] for host, node in HOSTS.items()]
    for number, pair in enumerate(pairs):
        one, other = pair.split("-")
        links.append({"ends": [port(one), port(other)], "speed_bps": (speeds or {}).get(number)})
    fabric, faults = parse_links(links, {**dict.fromkeys(HOSTS, False), **dict.fromkeys(SWITCHES, True)})
    assert faults == []
    return fabric


def flow(name: str, rate: int = 10, ends: str = "alpha beta", **options: object) -> Request:
    source, destination = ends.split()
    return Request(name, source, destination, rate * MBPS, **options)  # type: ignore[arg-type]


def placed(fabric: Fabric, *requests: Request, loads: Loads | None = None) -> Paths:
    paths = Paths(Ways(fabric), requests, Loads() if loads is None else loads)
    paths.find()
    return paths


def shown(paths: Paths) -> dict[str, str]:
    """Return the ports of the network switches on each way."""
    return {name: " ".join(map(str, way[1:-1])) for name, way in paths.found.items()}


def test_shortest_ways_are_the_same_whatever_is_on_them() -> None:
    paths = placed(cabled("s1-s2", "s1-s2"), flow("a"), flow("b"))
    assert shown(paths) == {"a": "s1:2", "b": "s1:2"}
    assert {str(port): load for port, load in paths.loads.items()} == {
        "alpha:0": 20 * MBPS,
        "s1:2": 20 * MBPS,
        "s2:1": 20 * MBPS,
    }


@pytest.mark.parametrize(
    ("fabric", "flows", "ways"),
    [
        pytest.param(
            cabled("s1-s2", "s1-s2"),
            [flow("a", least_loaded=True), flow("b", least_loaded=True)],
            {"a": "s1:3", "b": "s1:2"},
            id="share-parallel-links",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2"),
            [flow("a", 600), flow("b", 600, least_loaded=True)],
            {"a": "s1:2", "b": "s1:3 s3:3"},
            id="go-a-longer-way-around-a-flow-that-stays",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2", speeds={0: 10_000 * MBPS, 1: 100 * MBPS, 2: 100 * MBPS}),
            [flow("a", 600), flow("b", 60, least_loaded=True)],
            {"a": "s1:2", "b": "s1:2"},
            id="compare-with-the-speed",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s2", speeds={1: 1000 * MBPS}),
            [flow("a", 600), flow("b", 600, ends="alpha beta", least_loaded=True)],
            {"a": "s1:2", "b": "s1:3"},
            id="hold-a-link-without-speed-for-as-fast-as-the-fastest",
        ),
    ],
)
def test_least_loaded_ways(fabric: Fabric, flows: list[Request], ways: dict[str, str]) -> None:
    assert shown(placed(fabric, *flows)) == ways


def test_what_is_there_already_counts() -> None:
    fabric = cabled("s1-s2", "s1-s2")
    (port,) = [port for port in fabric.peers if str(port) == "s1:2"]
    loads = Loads({port: 1})
    assert shown(placed(fabric, flow("a", least_loaded=True), loads=loads)) == {"a": "s1:3"}


@pytest.mark.parametrize(
    ("fabric", "flows", "ways"),
    [
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2"),
            [flow("a"), flow("b", disjoint_from=("a",))],
            {"a": "s1:2", "b": "s1:3 s3:3"},
            id="one-after-the-other",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2"),
            [flow("a", disjoint_from=("b",)), flow("b")],
            {"a": "s1:2", "b": "s1:3 s3:3"},
            id="whichever-says-so",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2"),
            [flow("a"), flow("b", ends="beta alpha", disjoint_from=("a",))],
            {"a": "s1:2", "b": "s2:3 s3:2"},
            id="in-both-directions-of-a-cable",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3", "s3-s2"),
            [
                flow("a", least_loaded=True),
                flow("c", 50),
                flow("b", least_loaded=True, disjoint_from=("a",)),
            ],
            {"a": "s1:2", "c": "s1:2", "b": "s1:3 s3:3"},
            id="least-loaded-as-far-as-that-goes",
        ),
    ],
)
def test_disjoint_ways(fabric: Fabric, flows: list[Request], ways: dict[str, str]) -> None:
    paths = placed(fabric, *flows)
    assert paths.faults == {}
    assert shown(paths) == ways


def cables(paths: Paths, name: str) -> set[frozenset[object]]:
    return {frozenset((port, paths.ways.fabric.peers[port])) for port in paths.found[name][1:-1]}


# The shortest way by the lowest ports, s1 - s5 - s6 - s2, uses a link of each other way, and yet two are disjoint.
TRAP = ("s1-s5", "s5-s6", "s6-s2", "s5-s4", "s4-s2", "s1-s3", "s3-s6")


@pytest.mark.parametrize(
    ("ends", "ways"),
    [
        pytest.param("alpha beta", {"a": "s1:3 s3:3 s6:3", "b": "s1:2 s5:4 s4:3"}, id="there"),
        pytest.param("beta alpha", {"a": "s1:2 s5:4 s4:3", "b": "s2:2 s6:4 s3:2"}, id="back"),
    ],
)
def test_a_way_that_is_in_the_way_of_all_others_is_given_up(ends: str, ways: dict[str, str]) -> None:
    fabric = cabled(*TRAP)
    assert shown(placed(fabric, flow("a"))) == {"a": "s1:2 s5:3 s6:3"}
    paths = placed(fabric, flow("a"), flow("b", ends=ends, disjoint_from=("a",)))
    assert paths.faults == {}
    assert shown(paths) == ways
    last = {name: str(way[-1]) for name, way in paths.found.items()}
    assert last == {"a": "s2:1", "b": "s1:1" if ends == "beta alpha" else "s2:1"}
    assert sum(paths.loads.values()) == 2 * 5 * 10 * MBPS


def test_a_way_with_switches_to_pass_is_not_given_up() -> None:
    paths = placed(cabled(*TRAP), flow("a"), flow("b", via=("s4",), disjoint_from=("a",)))
    assert paths.faults["b"].startswith("no way is disjoint from a (alpha:0 > s1:2 > s5:3 > s6:3 > s2:1); ")


def test_a_way_that_keeps_apart_from_a_third_is_not_given_up() -> None:
    third = flow("c", ends="alpha gamma", disjoint_from=("a",))
    paths = placed(cabled(*TRAP), flow("a"), third, flow("b", disjoint_from=("a",)))
    assert set(paths.found) == {"a", "c"}
    assert set(paths.faults) == {"b"}


@pytest.mark.parametrize(
    ("fabric", "request_", "fault"),
    [
        pytest.param(
            cabled("s1-s2", "s2-s3"),
            flow("b", disjoint_from=("a",)),
            "no way is disjoint from a (alpha:0 > s1:2 > s2:1); add a link, or give them other network switches by via",
            id="no-disjoint-way",
        ),
        pytest.param(
            cabled("s1-s2"),
            flow("b", ends="alpha delta"),
            "no way leads from s1 to s4; link them by testbed_links",
            id="no-way",
        ),
        pytest.param(
            cabled("s1-s2"),
            flow("b", via=("s3",)),
            "no way leads from s1 to s3; change testbed_links or via",
            id="no-way-to-a-switch-to-pass",
        ),
        pytest.param(
            cabled("s1-s2", "s1-s3"),
            flow("b", via=("s3",)),
            "no way passes s3 without going back by the same link; change via",
            id="no-way-on-from-a-switch-to-pass",
        ),
        pytest.param(
            cabled("s1-s2"),
            flow("b", ends="alpha epsilon"),
            "epsilon has no link; give it one in testbed_links",
            id="a-host-without-a-link",
        ),
    ],
)
def test_says_why_there_is_no_way(fabric: Fabric, request_: Request, fault: str) -> None:
    paths = placed(fabric, flow("a"), request_)
    assert paths.faults == {"b": fault}
    assert list(paths.found) == ["a"]


@pytest.mark.parametrize(
    ("length", "fits"), [pytest.param(9, True, id="nine"), pytest.param(10, False, id="ten")]
)
def test_a_way_passes_nine_network_switches_at_most(length: int, fits: bool) -> None:
    nodes = [f"s{number}" for number in range(1, length + 1)]
    links = [[f"{one}:2", f"{other}:1"] for one, other in itertools.pairwise(nodes)]
    links += [["alpha:0", "s1:1"], [f"{nodes[-1]}:2", "beta:0"]]
    fabric, _faults = parse_links(links, {"alpha": False, "beta": False, **dict.fromkeys(nodes, True)})
    paths = placed(fabric, flow("a"))
    assert (len(paths.found) == 1) == fits
    assert paths.faults == (
        {}
        if fits
        else {
            "a": "its shortest way passes 10 network switches and would need 11 tags, of which there are 10 at most; "
            "link them more directly"
        }
    )


pairs = st.tuples(st.sampled_from(SWITCHES), st.sampled_from(SWITCHES)).filter(
    lambda pair: pair[0] != pair[1]
)
ends = st.permutations(list(HOSTS)).map(lambda hosts: " ".join(hosts[:2]))


@given(
    st.lists(pairs.map("-".join), max_size=12),
    st.lists(st.tuples(st.integers(1, 50), ends, st.booleans()), max_size=8),
)
def test_the_most_loaded_link_is_loaded_no_more_than_with_shortest_ways(
    cabling: list[str], drawn: list[tuple[int, str, bool]]
) -> None:
    fabric = cabled(*cabling)
    requests = [flow(f"f{n}", rate, at, least_loaded=free) for n, (rate, at, free) in enumerate(drawn)]
    shortest = [flow(f"f{n}", rate, at) for n, (rate, at, _free) in enumerate(drawn)]
    balanced, plain = placed(fabric, *requests), placed(fabric, *shortest)
    assert max(balanced.loads.values(), default=0) <= max(plain.loads.values(), default=0)
    assert balanced.found.keys() == plain.found.keys()
    counted = Loads()
    for name, way in balanced.found.items():
        for port in way:
            counted[port] += balanced.requests[name].rate_bps
    assert +counted == +balanced.loads
