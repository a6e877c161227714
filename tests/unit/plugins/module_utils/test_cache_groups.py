# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups of CPUs can have which ways, as values."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cache_groups import (
    Groups,
    GroupsError,
    planned,
    wanted,
)
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import Cache, Group

ONLINE = tuple(range(8))
CACHE = Cache(
    level=3,
    resources=("L3",),
    full=0x7FF,
    keep=1,
    hardware=0x600,
    groups=8,
    domains={0: (0, 1, 2, 3), 1: (4, 5, 6, 7)},
)
WHOLE = {0: 0x7FF, 1: 0x7FF}
NOBODY: Groups = {"/": Group(ONLINE, {"L3": WHOLE})}


def row(group: str, cpus: str, ways: int) -> dict[str, t.Any]:
    return {"group": group, "cpus": cpus, "ways": ways}


def plan(rows: list[dict[str, t.Any]], cache: Cache = CACHE, there: Groups | None = None) -> Groups:
    there = there or NOBODY
    return planned(wanted(rows, ONLINE), cache, there["/"].masks, there)


def test_a_group_has_ways_of_the_caches_of_its_cpus_and_shares_the_others() -> None:
    assert plan([row("switch", "2-3", 4), row("vms", "1,4-6", 3)]) == {
        "/": Group((0, 7), {"L3": {0: 0x780, 1: 0x7F8}}),
        "detnet-switch": Group((2, 3), {"L3": {0: 0x00F, 1: 0x7F8}}),
        "detnet-vms": Group((1, 4, 5, 6), {"L3": {0: 0x070, 1: 0x007}}),
    }


def test_code_and_data_get_the_same_ways() -> None:
    cache = dataclasses.replace(CACHE, resources=("L3CODE", "L3DATA"))
    there = {"/": Group(ONLINE, {"L3CODE": WHOLE, "L3DATA": {0: 0x7FC, 1: 0x7FF}})}
    made = plan([row("switch", "2-3", 4)], cache, there)
    assert made["detnet-switch"].masks == {"L3CODE": {0: 0x03C, 1: 0x7FF}, "L3DATA": {0: 0x03C, 1: 0x7FF}}
    assert made["/"].masks == {"L3CODE": {0: 0x7C3, 1: 0x7FF}, "L3DATA": {0: 0x7C0, 1: 0x7FF}}


def test_somebody_elses_group_keeps_its_ways() -> None:
    others = {"theirs": Group((7,), {"L3": {0: 0x00F, 1: 0x00F}})}
    there = NOBODY | {"/": Group(ONLINE[:7], {"L3": {0: 0x7F0, 1: 0x7F0}})} | others
    made = plan([row("switch", "2-3", 4)], there=there)
    assert made["detnet-switch"].masks["L3"] == {0: 0x0F0, 1: 0x7F0}
    assert "theirs" not in made


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        pytest.param(
            [row("Switch", "2", 1)], "'Switch' is no name of a group; take small letters", id="name"
        ),
        pytest.param([row("../x", "2", 1)], "'../x' is no name of a group", id="path-for-a-name"),
        pytest.param([row("a", "", 1)], "the group a has no CPU; name some of 0-7", id="no-cpu"),
        pytest.param([row("a", "3-1", 1)], "the CPUs of the group a cannot be read: '3-1'", id="no-list"),
        pytest.param(
            [row("a", "7-9", 1)], "the group a has CPU 8-9, and this host runs 0-7; name", id="unknown-cpu"
        ),
        pytest.param([row("a", "1", 0)], "the group a has 0 ways; give it 1 or more", id="no-way"),
        pytest.param(
            [row("a", "1", 1), row("a", "2", 1)], "the group a is asked for twice", id="the-same-name-twice"
        ),
        pytest.param(
            [row("a", "1-2", 1), row("b", "2-3", 1)],
            "CPU 2 is in the groups a and b; leave it in one of them",
            id="a-cpu-in-two-groups",
        ),
    ],
)
def test_refuses_without_a_look_at_the_caches(rows: list[dict[str, t.Any]], fault: str) -> None:
    with pytest.raises(GroupsError) as raised:
        wanted(rows, ONLINE)
    assert len(raised.value.faults) == 1
    assert raised.value.faults[0].startswith(fault)


def test_names_all_faults_at_once() -> None:
    with pytest.raises(GroupsError) as raised:
        wanted([row("A", "1", 0), row("b", "x", 1)], ONLINE)
    assert len(raised.value.faults) == 3


@pytest.mark.parametrize(
    ("rows", "cache", "others", "fault"),
    [
        pytest.param(
            [row("switch", "2-3", 8), row("vms", "1", 3)],
            {},
            {},
            "8 for detnet-switch and 3 for detnet-vms: 11 ways are asked of L3 cache 0, which has 10 after 1 for "
            "everything else; ask for fewer",
            id="more-ways-than-there-are-with-the-sum",
        ),
        pytest.param(
            [row("switch", "2-3", 10)],
            {"keep": 2},
            {},
            "10 for detnet-switch: 10 ways are asked of L3 cache 0, which has 9 after 2 for everything else; ask for",
            id="the-rest-too-small-for-this-processor",
        ),
        pytest.param(
            [row("switch", "2-3", 1)],
            {"keep": 2},
            {},
            "1 of the ways are asked for detnet-switch; a share of an L3 cache has 2 or more",
            id="a-share-too-small-for-this-processor",
        ),
        pytest.param(
            [row("switch", "2", 1), row("vms", "3", 1)],
            {"groups": 3},
            {"theirs": Group((), {"L3": {0: 0x400, 1: 0x400}})},
            "2 groups are asked for, and with 1 of somebody else and the default one there would be 4 of the 3",
            id="more-groups-than-the-processor-knows",
        ),
        pytest.param(
            [row("switch", "2-3", 1)],
            {},
            {"theirs": Group((3, 4), {"L3": {0: 0x400, 1: 0x400}})},
            "CPU 3 of detnet-switch is in the group theirs of somebody else; take another",
            id="a-cpu-of-somebody-elses-group",
        ),
        pytest.param(
            [row("switch", "2-3", 1)],
            {},
            {"theirs": Group((), {"L3": WHOLE})},
            "the group theirs of somebody else has the ways 7ff of L3 cache 0, of 7ff that there are; give it fewer",
            id="somebody-elses-group-has-all-ways",
        ),
    ],
)
def test_refuses_what_the_caches_do_not_have(
    rows: list[dict[str, t.Any]], cache: dict[str, t.Any], others: Groups, fault: str
) -> None:
    with pytest.raises(GroupsError) as raised:
        plan(rows, dataclasses.replace(CACHE, **cache), NOBODY | others)
    assert raised.value.faults[0].startswith(fault)


def test_a_cache_that_the_kernel_has_no_mask_for_has_no_ways() -> None:
    with pytest.raises(GroupsError, match="asked of L3 cache 1, which has 0 after 1"):
        plan([row("vms", "4", 1)], there={"/": Group(ONLINE, {"L3": {0: 0x7FF}})})
