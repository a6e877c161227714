# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans groups of CPUs that have ways of their caches for themselves."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cache_ways, _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import Cache, Group, Masks
from ansible_collections.detnet.testbed.plugins.module_utils._state_services import WHOLE_MACHINE

PREFIX = "detnet-"  # of the directories that are ours
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Groups = dict[str, Group]
Row = t.Mapping[str, t.Any]


class GroupsError(Exception):
    """The groups cannot be had; faults say why and the way out."""

    def __init__(self, faults: t.Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A group as asked for, with the name of its directory."""

    name: str
    cpus: tuple[int, ...]
    ways: int


def wanted(rows: t.Sequence[Row], online: t.Sequence[int]) -> list[Wanted]:
    """Return the groups of the options. Raises GroupsError; the caches are not looked at."""
    found: list[Wanted] = []
    faults: list[str] = []
    owners: dict[int, str] = {}
    for row in rows:
        name: str = row["group"]
        cpus: tuple[int, ...] = ()
        try:
            cpus = _cpu_list.parse(row["cpus"])
            faults += _row_faults(row, cpus, online)
        except ValueError as exc:
            faults.append(f"the CPUs of the group {name} cannot be read: {exc}")
        if PREFIX + name in {group.name for group in found}:
            faults.append(f"the group {name} is asked for twice; give it once, with all of its CPUs")
        faults += [
            f"CPU {cpu} is in the groups {owners[cpu]} and {name}; leave it in one of them"
            for cpu in cpus
            if owners.setdefault(cpu, name) != name
        ]
        found.append(Wanted(PREFIX + name, cpus, row["ways"]))
    if faults:
        raise GroupsError(faults)
    return found


def planned(groups: t.Sequence[Wanted], cache: Cache, before: Masks, there: Groups) -> Groups:
    """Return the default group and ours as they are to be. Raises GroupsError.

    before has the masks of the default group without us, there all groups that there are. Of a cache that none of its
    CPUs uses, a group gets what the default one has.
    """
    others = {name: group for name, group in there.items() if foreign(name)}
    faults = [*_owner_faults(groups, others), *_number_faults(groups, cache, others)]
    default = {resource: dict(before[resource]) for resource in cache.resources}
    shares: dict[str, dict[int, int]] = {group.name: {} for group in groups}
    for number, cpus in cache.domains.items():
        here = [group for group in groups if not set(cpus).isdisjoint(group.cpus)]
        if not here:
            continue
        have = _common(before, cache, number)
        taken = {name: _any(group.masks, number) for name, group in others.items()}
        faults += _room_faults(here, cache, number, have)
        masks = _cache_ways.allot(
            have, _union(taken.values()), cache.hardware, [group.ways for group in here]
        )
        if masks is None:
            faults += _taken_faults(cache, number, have, taken)
            continue
        for resource in cache.resources:
            default[resource][number] &= ~_union(masks)
        for group, mask in zip(here, masks, strict=True):
            shares[group.name][number] = mask
    if faults:
        raise GroupsError(faults)
    have_cpus = {cpu for name, group in there.items() if not foreign(name) for cpu in group.cpus}
    left = have_cpus.difference(*(group.cpus for group in groups))
    return {
        WHOLE_MACHINE: Group(tuple(sorted(left)), default),
        **{
            group.name: Group(
                group.cpus, {resource: default[resource] | shares[group.name] for resource in cache.resources}
            )
            for group in groups
        },
    }


def foreign(name: str) -> bool:
    """Return whether a group is somebody else's."""
    return name != WHOLE_MACHINE and not name.startswith(PREFIX)


def _row_faults(row: Row, cpus: tuple[int, ...], online: t.Sequence[int]) -> t.Iterator[str]:
    name, runs = row["group"], _cpu_list.text(online)
    unknown = _cpu_list.text(set(cpus) - set(online))
    if not NAME.fullmatch(name):
        yield f"{name!r} is no name of a group; take small letters, digits, - and _"
    if not cpus:
        yield f"the group {name} has no CPU; name some of {runs}"
    if unknown:
        yield f"the group {name} has CPU {unknown}, and this host runs {runs}; name some of these"
    if row["ways"] < 1:
        yield f"the group {name} has {row['ways']} ways; give it 1 or more"


def _owner_faults(groups: t.Iterable[Wanted], others: Groups) -> t.Iterator[str]:
    for group in groups:
        for name, other in others.items():
            shared = _cpu_list.text(set(group.cpus) & set(other.cpus))
            if shared:
                yield (
                    f"CPU {shared} of {group.name} is in the group {name} of somebody else; take another, or remove "
                    "that group"
                )


def _number_faults(groups: t.Sequence[Wanted], cache: Cache, others: Groups) -> t.Iterator[str]:
    needed = len(groups) + len(others) + 1
    if needed > cache.groups:
        yield (
            f"{len(groups)} groups are asked for, and with {len(others)} of somebody else and the default one there "
            f"would be {needed} of the {cache.groups} that this processor can have; ask for fewer"
        )


def _room_faults(here: t.Sequence[Wanted], cache: Cache, number: int, have: int) -> t.Iterator[str]:
    for group in here:
        if group.ways < cache.keep:
            yield (
                f"{group.ways} of the ways are asked for {group.name}; a share of an L{cache.level} cache has "
                f"{cache.keep} or more"
            )
    total = sum(group.ways for group in here)
    if total + cache.keep > have.bit_count():
        yield (
            f"{' and '.join(f'{group.ways} for {group.name}' for group in here)}: {total} ways are asked of "
            f"L{cache.level} cache {number}, which has {max(0, have.bit_count() - cache.keep)} after {cache.keep} for "
            "everything else; ask for fewer"
        )


def _taken_faults(cache: Cache, number: int, have: int, taken: t.Mapping[str, int]) -> t.Iterator[str]:
    for name, mask in taken.items():
        if mask & have:
            yield (
                f"the group {name} of somebody else has the ways {mask:x} of L{cache.level} cache {number}, of "
                f"{have:x} that there are; give it fewer, or remove it"
            )


def _common(masks: Masks, cache: Cache, number: int) -> int:
    """Return the bits that all resources have of a cache."""
    common = cache.full
    for resource in cache.resources:
        common &= masks[resource].get(number, 0)
    return common


def _any(masks: Masks, number: int) -> int:
    return _union(of_caches.get(number, 0) for of_caches in masks.values())


def _union(masks: t.Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
