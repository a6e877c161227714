# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a cabling: the cables that there are, compared with the links of the description.

A fault is a row: fault, its kind; where; described and found, as people write it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling import (
    Cable,
    Cabling,
    Ends,
    ends_of,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import (
    NETWORK_SWITCH,
    UNKNOWN,
    End,
    Values,
    clean,
    listed,
    order,
    some,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_swaps import swaps

Fault = dict[str, str]
PREFIXES = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


class Judged(t.NamedTuple):
    """The faults as rows; what is no fault, but to be told; and the kinds of faults by the ends of their cables."""

    faults: list[Fault]
    notes: list[str]
    by_ends: dict[Ends, list[str]]


class Described(t.NamedTuple):
    """A link of the description."""

    ends: Ends
    speed_bps: int | None
    mtu: int | None


def shown(ends: Ends) -> str:
    return f"{ends[0]} - {ends[1]}"


def rate(speed_bps: int) -> str:
    """Return a speed as people write it."""
    factor, prefix = next(((of, name) for of, name in PREFIXES if speed_bps >= of), (1, ""))
    return f"{speed_bps / factor:g} {prefix}bit/s"


QUANTITIES: dict[str, tuple[str, t.Callable[[int], str], t.Callable[[int, int], bool]]] = {
    "speed_bps": ("speed", rate, lambda has, wanted: has == wanted),
    # A port that takes longer frames than are sent does no harm.
    "mtu": ("MTU", "{} bytes".format, lambda has, wanted: has >= wanted),
}


def described(links: t.Iterable[Values]) -> dict[Ends, Described]:
    """Return the links of a compiled testbed by their ends."""
    found = {}
    for link in links:
        one, other = (End(*end.rpartition(":")[::2]) for end in link["ends"])
        found[ends_of(one, other)] = Described(ends_of(one, other), link.get("speed_bps"), link.get("mtu"))
    return found


def as_found(cabling: Cabling) -> dict[Ends, Described]:
    """Return a description that says what was found, for whoever has none."""
    return {ends: Described(ends, None, None) for ends in cabling.cables}


def judge(cabling: Cabling, wanted: t.Mapping[Ends, Described]) -> Judged:
    """Compare a cabling with the description."""
    found = _Judge(cabling, wanted)
    found.silent()
    found.crowds()
    found.chassis()
    found.links()
    found.cables()
    return Judged(found.faults, sorted(found.notes), found.by_ends)


class _Judge:
    def __init__(self, cabling: Cabling, wanted: t.Mapping[Ends, Described]) -> None:
        self.cabling = cabling
        self.wanted = wanted
        self.faults: list[Fault] = []
        self.notes: list[str] = []
        self.by_ends: dict[Ends, list[str]] = {}
        self.crowded = {end for end, speakers in cabling.speakers.items() if len(speakers) > 1}

    def fault(self, kind: str, where: str, wanted: str, found: str, *cables: Ends) -> None:
        self.faults.append({"fault": kind, "where": where, "described": wanted, "found": found})
        for ends in cables:
            self.by_ends.setdefault(ends, []).append(kind)

    def silent(self) -> None:
        """Note the nodes that nobody asked."""
        names = [
            node
            for node, kind in sorted(self.cabling.kinds.items())
            if kind != UNKNOWN and node not in self.cabling.observed
        ]
        if names:
            self.notes.append(f"Not asked: {listed(names)}. Cables there are known from the other end alone")

    def crowds(self) -> None:
        """Find ports with several neighbours, and ports that are heard at several places."""
        for end in sorted(self.crowded, key=order):
            heard = [other_end(cable, end) for cable in self.cabling.at(end) if cable.hears(end)]
            count = len(self.cabling.speakers[end])
            found = f"{count}: {some(list(map(str, heard)), count)}"
            cables = [ends_of(end, one) for one in heard]
            self.fault("several neighbours", str(end), "one neighbour", found, *cables)
        heard_at: dict[End, list[End]] = {}
        for cable in self.cabling.cables.values():
            for hearing in {(one.by, one.said) for one in cable.evidence}:
                heard_at.setdefault(hearing[1], []).append(hearing[0])
        for said, places in sorted(heard_at.items(), key=lambda item: order(item[0])):
            if len(places) > 1:
                where = sorted(places, key=order)
                cables = [ends_of(said, place) for place in where]
                found = f"heard at {some(list(map(str, where)))}"
                self.fault("duplicate", str(said), "at one port", found, *cables)

    def chassis(self) -> None:
        for chassis, names in sorted(self.cabling.chassis.items()):
            if len(names) > 1:
                found = f"{len(names)}: {some(sorted(names))}"
                self.fault("duplicate chassis id", clean(chassis), "one node", found)

    def links(self) -> None:
        """Find the links that are not there, and the cables that are there instead."""
        absent, surplus = self.absent(), self.surplus()
        switches = {node for node, kind in self.cabling.kinds.items() if kind == NETWORK_SWITCH}
        explained: set[Ends] = set()
        for swap in swaps(absent, surplus, switches):
            wanted = some([shown(ends) for ends in sorted(swap.missing, key=by_order)])
            self.fault("swapped", swap.where(), wanted, str(swap), *swap.missing, *swap.unexpected)
            explained |= {*swap.missing, *swap.unexpected}
        for ends in absent:
            if ends not in explained:
                self.fault("missing", shown(ends), "linked", "; ".join(map(self.hears, ends)), ends)
        for ends in surplus:
            if ends not in explained:
                loop = ends[0].node == ends[1].node
                found = f"{ends[0].node} is linked with itself" if loop else "linked"
                self.fault("loop" if loop else "unexpected", shown(ends), "not linked", found, ends)

    def absent(self) -> list[Ends]:
        """Return the links that somebody should hear, and nobody does; note the others that are not there."""
        found = []
        for ends in self.wanted.keys() - self.cabling.cables.keys():
            elsewhere = any(map(self.cabling.at, ends))
            if elsewhere or not self.cabling.observed.isdisjoint(end.node for end in ends):
                found.append(ends)
            else:
                self.notes.append(f"{shown(ends)}: neither {ends[0].node} nor {ends[1].node} can be asked")
        return sorted(found, key=by_order)

    def surplus(self) -> list[Ends]:
        """Return the cables that no link describes; note those to unknown nodes, where no port is of a link."""
        ports = {end for ends in self.wanted for end in ends}
        found = []
        for ends in self.cabling.cables.keys() - self.wanted.keys():
            unknown = any(self.cabling.kinds[end.node] == UNKNOWN for end in ends)
            if unknown and not self.crowded.isdisjoint(ends):
                continue  # told with its port
            if unknown and ports.isdisjoint(ends):
                self.notes.append(f"{shown(ends)}: no link of the description, and no node of it at one end")
            else:
                found.append(ends)
        return sorted(found, key=by_order)

    def hears(self, end: End) -> str:
        """Say what is known of an end whose link is missing."""
        heard = [str(other_end(cable, end)) for cable in self.cabling.at(end)]
        if heard:
            return f"{end} is linked with {some(heard)}"
        if end.node not in self.cabling.observed:
            return f"{end.node} cannot be asked"
        return (
            f"{end} hears nobody"
            if end in self.cabling.ports
            else f"{end.node} has no port {end.port} that is up"
        )

    def cables(self) -> None:
        """Find what is wrong with cables that are there."""
        for ends, cable in sorted(self.cabling.cables.items(), key=lambda item: by_order(item[0])):
            deaf = self.cabling.one_sided(cable)
            if deaf and ends not in self.by_ends:
                other = other_end(cable, deaf)
                self.fault("one-sided", shown(ends), "both hear", f"{deaf} does not hear {other}", ends)
            link = self.wanted.get(ends)
            for name, (called, write, suits) in QUANTITIES.items():
                wanted = getattr(link, name, None)
                values = {end: self.cabling.value(cable, end, name) for end in ends}
                wrong = {
                    end: has
                    for end, has in values.items()
                    if wanted is not None and has is not None and not suits(has, wanted)
                }
                if wanted is not None and wrong:
                    found = ", ".join(f"{end} {write(has)}" for end, has in wrong.items())
                    self.fault(f"wrong {called}", shown(ends), write(wanted), found, ends)


def other_end(cable: Cable, end: End) -> End:
    return cable.ends[0] if cable.ends[1] == end else cable.ends[1]


def by_order(ends: Ends) -> tuple[t.Any, ...]:
    return order(ends[0]), order(ends[1])


def adopted(cabling: Cabling) -> list[dict[str, t.Any]]:
    """Return the cables that a description can have, in its form: between known nodes, by ports that have one each."""
    found = []
    for ends, cable in sorted(cabling.cables.items(), key=lambda item: by_order(item[0])):
        usable = all(
            cabling.kinds[end.node] != UNKNOWN and end.port.isdecimal() and len(cabling.at(end)) == 1
            for end in ends
        )
        if not usable or ends[0].node == ends[1].node or cabling.one_sided(cable):
            continue
        link: dict[str, t.Any] = {"ends": [str(end) for end in ends]}
        for name in QUANTITIES:
            values = [has for end in ends if (has := cabling.value(cable, end, name)) is not None]
            if values:
                link[name] = min(values)
        found.append(link)
    return found
