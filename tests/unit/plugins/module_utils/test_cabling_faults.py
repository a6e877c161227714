# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a cabling: none where it is as described, and each by its name where it is not."""

from __future__ import annotations

import random
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cabling import cabling
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_faults import (
    Judged,
    adopted,
    described,
    judge,
)
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import parse_links
from cablings import AT, Observation, Testbed, compiled, observations, said
from hypothesis import given
from hypothesis import strategies as st

LINKS = (("alpha:0", "s1:1"), ("s1:2", "s2:1"), ("s2:2", "beta:0"))
POCKET = compiled(*LINKS)
LEAF = compiled(("alpha:0", "leaf1:1"), ("beta:0", "leaf1:2"), ("gamma:0", "leaf1:3"))


def judged(heard: list[Observation], testbed: Testbed = POCKET) -> Judged:
    return judge(cabling(heard, testbed["nodes"]), described(testbed["links"]))


def faults(
    *cables: tuple[str, str], testbed: Testbed = POCKET, **options: t.Any
) -> list[tuple[str, str, str]]:
    rows = judged(observations(*cables, **options), testbed).faults
    return [(row["fault"], row["where"], row["found"]) for row in rows]


@pytest.mark.parametrize(
    ("cables", "found"),
    [
        pytest.param(LINKS, [], id="as described"),
        pytest.param([link[::-1] for link in LINKS], [], id="as described, the ends the other way round"),
        pytest.param(
            [LINKS[0], LINKS[2]],
            [("missing", "s1:2 - s2:1", "s1 has no port 2 that is up; s2 has no port 1 that is up")],
            id="a cable is cut",
        ),
        pytest.param(
            [*LINKS, ("s1:3", "s2:3")], [("unexpected", "s1:3 - s2:3", "linked")], id="a cable is doubled"
        ),
        pytest.param(
            [LINKS[0], ("s1:2", "s2:3"), LINKS[2]],
            [
                ("missing", "s1:2 - s2:1", "s1:2 is linked with s2:3; s2 has no port 1 that is up"),
                ("unexpected", "s1:2 - s2:3", "linked"),
            ],
            id="a plug is in the next port",
        ),
        pytest.param(
            [("alpha:0", "s2:2"), LINKS[1], ("s1:1", "beta:0")],
            [("swapped", "s1:1 and s2:2", "alpha:0 and beta:0 are swapped at s1:1 and s2:2")],
            id="two cables are swapped",
        ),
        pytest.param(
            [*LINKS, ("s1:3", "s1:4")], [("loop", "s1:3 - s1:4", "s1 is linked with itself")], id="a loop"
        ),
    ],
)
def test_cables(cables: list[tuple[str, str]], found: list[tuple[str, str, str]]) -> None:
    assert faults(*cables) == found


@pytest.mark.parametrize(
    ("cables", "found"),
    [
        pytest.param(
            [("alpha:0", "leaf1:2"), ("beta:0", "leaf1:1"), ("gamma:0", "leaf1:3")],
            [("swapped", "leaf1 ports 1 and 2", "alpha:0 and beta:0 are swapped at leaf1 ports 1 and 2")],
            id="two ports of one network switch",
        ),
        pytest.param(
            [("alpha:0", "leaf1:2"), ("beta:0", "leaf1:3"), ("gamma:0", "leaf1:1")],
            [
                (
                    "swapped",
                    "leaf1 ports 1, 2 and 3",
                    "alpha:0, beta:0 and gamma:0 are swapped at leaf1 ports 1, 2 and 3",
                )
            ],
            id="three in a ring",
        ),
    ],
)
def test_swaps_are_told_by_where_they_can_be_mended(
    cables: list[tuple[str, str]], found: list[tuple[str, str, str]]
) -> None:
    assert faults(*cables, testbed=LEAF) == found


def test_a_cable_that_one_end_hears_alone_is_one_sided() -> None:
    assert faults(*LINKS, deaf=["s1:2"]) == [("one-sided", "s1:2 - s2:1", "s1:2 does not hear s2:1")]


def test_a_link_that_nobody_at_either_end_can_hear_is_no_fault_but_said() -> None:
    result = judged(observations(LINKS[0], away=["s1"]), compiled(("alpha:0", "s1:1"), ("s1:2", "s2:1")))
    assert result.faults == []
    assert result.notes == [
        "Not asked: s1 and s2. Cables there are known from the other end alone",
        "s1:2 - s2:1: neither s1 nor s2 can be asked",
    ]


def test_a_link_of_silent_nodes_is_missing_if_its_port_is_heard_elsewhere() -> None:
    testbed = compiled(("alpha:0", "s1:1"), ("s1:2", "s2:1"))
    result = judged(observations(("alpha:0", "s1:2"), away=["s1"]), testbed)
    assert [(row["fault"], row["where"]) for row in result.faults] == [
        ("missing", "alpha:0 - s1:1"),
        ("missing", "s1:2 - s2:1"),
        ("unexpected", "alpha:0 - s1:2"),
    ]


@pytest.mark.parametrize(
    ("link", "found"),
    [
        pytest.param({"speed_bps": 10**10, "mtu": 9216}, [], id="as described"),
        pytest.param({"mtu": 1500}, [], id="longer frames than described do no harm"),
        pytest.param(
            {"speed_bps": 25 * 10**9},
            [("wrong speed", "alpha:0 10 Gbit/s, s1:1 10 Gbit/s")],
            id="another speed",
        ),
        pytest.param({"mtu": 9217}, [("wrong MTU", "alpha:0 9216 bytes, s1:1 9216 bytes")], id="too short"),
    ],
)
def test_what_a_link_is_meant_to_be(link: dict[str, int], found: list[tuple[str, str]]) -> None:
    testbed = compiled({"ends": ["alpha:0", "s1:1"], **link})
    rows = judged(observations(("alpha:0", "s1:1")), testbed).faults
    assert [(row["fault"], row["found"]) for row in rows] == found


def test_an_end_that_tells_no_speed_is_not_wrong() -> None:
    heard = observations(("alpha:0", "s1:1"))
    heard[0]["ports"]["uplink"]["speed_bps"] = None
    testbed = compiled({"ends": ["alpha:0", "s1:1"], "speed_bps": 10**10})
    assert judged(heard, testbed).faults == []


def test_two_hosts_with_one_chassis_id() -> None:
    heard = observations(*LINKS)
    for one in heard:
        for neighbor in one["neighbors"]:
            if neighbor["system_name"] in ("alpha", "beta"):
                neighbor["chassis_id"] = {"subtype": "mac_address", "value": "02:00:00:00:00:01"}
    (row,) = judged(heard).faults
    assert row == {
        "fault": "duplicate chassis id",
        "where": "02:00:00:00:00:01",
        "described": "one node",
        "found": "2: alpha and beta",
    }


def test_two_hosts_that_say_the_same_of_themselves() -> None:
    heard = observations(*LINKS)
    by_s2 = next(one for one in heard if one["node"] == "s2")
    by_s2["ports"]["s2-5"] = {"speed_bps": None, "mtu": None}
    by_s2["neighbors"].append(said("s2:5", "alpha:0"))
    rows = judged(heard).faults
    assert [(row["fault"], row["where"], row["found"]) for row in rows] == [
        ("duplicate", "alpha:0", "heard at s1:1 and s2:5"),
        ("unexpected", "alpha:0 - s2:5", "linked"),
    ]


def test_a_port_that_hears_its_own_frames() -> None:
    heard = observations(LINKS[1], LINKS[2], ("alpha:0", "s1:1"), deaf=["alpha:0", "s1:1"])
    next(one for one in heard if one["node"] == "alpha")["neighbors"] = [said("alpha:0", "alpha:0")]
    assert [(row["fault"], row["where"]) for row in judged(heard).faults] == [
        ("missing", "alpha:0 - s1:1"),
        ("loop", "alpha:0 - alpha:0"),
    ]


def test_a_port_that_speaks_in_two_shapes_is_one_neighbour() -> None:
    heard = observations(*LINKS)
    address = {"subtype": "network_address", "value": POCKET["nodes"]["alpha"]["management_address"]}
    chameleon = said("s1:1", "alpha:0", system_name=None, chassis_id=address)
    next(one for one in heard if one["node"] == "s1")["neighbors"].append(chameleon)
    assert judged(heard).faults == []


def test_a_hostile_neighbour_with_64_names_is_one_fault() -> None:
    heard = observations(*LINKS)
    by_s1 = next(one for one in heard if one["node"] == "s1")
    by_s1["neighbors"] += [
        said("s1:1", "s9:1", system_name=f"\x1b[2Jevil{number}" * 10)
        | {"chassis_id": {"subtype": "local", "value": f"\x07{number}" * 200}}
        for number in range(63)
    ]
    (row,) = judged(heard).faults
    assert (row["fault"], row["where"]) == ("several neighbours", "s1:1")
    assert row["found"].startswith("64: alpha:0, unknown ")
    assert row["found"].endswith(" and 56 more")
    assert row["found"].isprintable()


@pytest.mark.parametrize(
    ("by", "is_fault"),
    [
        pytest.param("s1:1", True, id="at a port of the description"),
        pytest.param("s1:7", False, id="at another port it is said"),
    ],
)
def test_an_unknown_neighbour(by: str, is_fault: bool) -> None:
    stranger = said(by, "s9:1", chassis_id={"subtype": "local", "value": "stranger"})
    heard = observations(*LINKS, deaf=[by])
    next(one for one in heard if one["node"] == "s1")["neighbors"].append(stranger)
    result = judged(heard)
    kinds = [row["fault"] for row in result.faults]
    assert ("unexpected" in kinds) == is_fault
    assert any("stranger" in note for note in result.notes) != is_fault


NAMES = ("alpha", "beta", "gamma", "delta", "leaf1", "leaf2", "s1", "s2")


@st.composite
def fabrics(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw links: end hosts by their uplink, network switches by as many ports as it takes."""
    ports = [f"{name}:0" for name in NAMES[:4]] + [
        f"{name}:{port}" for name in NAMES[4:] for port in range(1, 1 + draw(st.integers(1, 4)))
    ]
    draw(st.randoms(use_true_random=False)).shuffle(ports)
    pairs = zip(ports[::2], ports[1::2], strict=False)
    return [pair for pair in pairs if len({end.partition(":")[0] for end in pair}) == 2] or [LINKS[0]]


@given(fabrics())
def test_what_is_as_described_has_no_fault(links: list[tuple[str, str]]) -> None:
    assert judged(observations(*links), compiled(*links)) == Judged([], [], {})


@given(fabrics(), st.randoms(use_true_random=False))
def test_any_permutation_of_cables_is_told_as_swaps_alone(
    links: list[tuple[str, str]], chance: random.Random
) -> None:
    plugs = [link[1] for link in links]
    chance.shuffle(plugs)
    cables = list(zip((link[0] for link in links), plugs, strict=True))
    wrong = {frozenset(cable) for cable in cables} - {frozenset(link) for link in links}
    result = judged(observations(*cables), compiled(*links))
    assert {row["fault"] for row in result.faults} == ({"swapped"} if wrong else set())
    told = {frozenset(map(str, ends)) for ends, kinds in result.by_ends.items() if kinds == ["swapped"]}
    assert wrong <= told


@given(fabrics())
def test_what_is_adopted_is_a_description_without_faults(links: list[tuple[str, str]]) -> None:
    found = adopted(cabling(observations(*links), compiled(*links)["nodes"]))
    nodes = {name: node["kind"] == "network_switch" for name, node in compiled(*links)["nodes"].items()}
    fabric, wrong = parse_links(found, nodes)
    assert wrong == []
    testbed = compiled(*(link.described() for link in fabric.links))
    assert judged(observations(*links), testbed).faults == []
    assert len(found) == len(links)


def test_what_no_description_can_have_is_not_adopted() -> None:
    heard = observations(*LINKS, ("s1:3", "s1:4"), ("s1:5", "s2:5"), deaf=["s2:5"])
    stranger = said("s1:7", "s9:1", chassis_id={"subtype": "local", "value": "stranger"}, heard_at=AT)
    next(one for one in heard if one["node"] == "s1")["neighbors"] += [stranger, said("s1:2", "beta:0")]
    found = adopted(cabling(heard, POCKET["nodes"]))
    assert [link["ends"] for link in found] == [["alpha:0", "s1:1"]]
