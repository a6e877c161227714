# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cables from what nodes heard, also from what hostile ones say."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cabling import (
    SPEAKERS_MAX,
    Cabling,
    cabling,
    ends_of,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import CablingError, End
from cablings import AT, Observation, compiled, observations, said

NODES = compiled(("alpha:0", "s1:1"), ("s1:2", "s2:1"))["nodes"]
HERE, THERE = End("s1", "2"), End("s2", "1")
BETWEEN = ends_of(HERE, THERE)


def of(*args: t.Any, **options: t.Any) -> Cabling:
    return cabling(observations(*args, **options), NODES)


def test_both_ends_are_evidence_of_one_cable() -> None:
    (cable,) = of(("s1:2", "s2:1")).cables.values()
    assert cable.ends == BETWEEN
    assert {(str(one.by), str(one.said), one.at) for one in cable.evidence} == {
        ("s1:2", "s2:1", AT),
        ("s2:1", "s1:2", AT),
    }


def test_a_cable_is_one_sided_if_an_end_that_listens_hears_nothing() -> None:
    found = of(("s1:2", "s2:1"), deaf=["s2:1"])
    assert found.one_sided(found.cables[BETWEEN]) == THERE


def test_a_cable_to_a_node_that_nobody_asked_is_not_one_sided() -> None:
    found = of(("s1:2", "s2:1"), away=["s2"])
    assert found.one_sided(found.cables[BETWEEN]) is None


def test_a_port_that_hears_itself_is_linked_with_itself() -> None:
    found = cabling([{**observations(("s1:2", "s2:1"))[0], "neighbors": [said("s1:2", "s1:2")]}], NODES)
    (cable,) = found.cables.values()
    assert cable.ends == (HERE, HERE)
    assert found.one_sided(cable) is None
    assert found.at(HERE) == [cable]


def test_the_speed_is_what_the_own_node_knows_before_what_the_port_says() -> None:
    heard = observations(("s1:2", "s2:1"), away=["s2"])
    heard[0]["neighbors"][0]["speed_bps"] = 10**9
    found = cabling(heard, NODES)
    (cable,) = found.cables.values()
    assert found.value(cable, HERE, "speed_bps") == 10**10
    assert found.value(cable, THERE, "speed_bps") == 10**9
    assert found.value(cable, THERE, "mtu") is None


def test_a_hostile_neighbour_with_64_names_is_counted_and_bounded() -> None:
    heard = observations(("alpha:0", "s1:1"), deaf=["s1:1"])
    heard[1]["neighbors"] = [
        said("s1:1", "s9:1", system_name=f"evil{number}")
        | {"chassis_id": {"subtype": "local", "value": str(number)}}
        for number in range(64)
    ]
    found = cabling(heard, NODES)
    assert len(found.speakers[End("s1", "1")]) == 64
    assert len(found.at(End("s1", "1"))) == SPEAKERS_MAX + 1  # and alpha, which hears s1
    assert len(found.kinds) == len(NODES) + SPEAKERS_MAX


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        pytest.param([], "nobody listened", id="no observation at all"),
        pytest.param(
            [{"node": "s1", "kind": "network_switch", "ports": {}, "neighbors": [{"interface": "s1-1"}]}],
            "give that unchanged",
            id="a neighbour without an id",
        ),
        pytest.param(
            [{"node": "s1", "kind": "network_switch", "ports": {}, "neighbors": ["alpha"]}],
            "give that unchanged",
            id="a neighbour that is a text",
        ),
    ],
)
def test_refuses(heard: list[Observation], why: str) -> None:
    with pytest.raises(CablingError, match=why):
        cabling(heard, NODES)
