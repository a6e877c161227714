# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cables there are, from what the nodes of a testbed heard by LLDP.

An observation is what one node heard: node, its name; kind, end_host or network_switch; ports, its own by name, each
with speed_bps and mtu, which may be None; neighbors, as the module lldp_neighbors returns them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import (
    CablingError,
    Directory,
    End,
    Values,
    clean,
    order,
)

SPEAKERS_MAX = 8  # of one port; a cable has one. More are counted
Ends = tuple[End, End]


@dataclasses.dataclass(frozen=True)
class Hearing:
    """That a port heard another; speed_bps: what the other says of itself."""

    by: End
    said: End
    at: str | None
    speed_bps: int | None


@dataclasses.dataclass
class Cable:
    """What joins two ports, and who heard whom on it. The ends are the same where a port hears itself."""

    ends: Ends
    evidence: list[Hearing] = dataclasses.field(default_factory=list)

    def hears(self, end: End) -> bool:
        return any(hearing.by == end for hearing in self.evidence)


@dataclasses.dataclass
class Cabling:
    """All cables, by their ends in order.

    by_port: the same cables by each of their ends. ports: those of the nodes that listened. speakers: whom each of
    them heard. chassis: names by the chassis id that they say to have. system_names: of nodes that are not known.
    """

    kinds: dict[str, str]
    observed: set[str]
    ports: dict[End, Values]
    cables: dict[Ends, Cable]
    by_port: dict[End, list[Cable]]
    speakers: dict[End, set[End]]
    chassis: dict[str, set[str]]
    system_names: dict[str, str]

    def one_sided(self, cable: Cable) -> End | None:
        """Return the end that does not hear the other one, though its node listened."""
        if cable.ends[0] == cable.ends[1]:
            return None
        return next((end for end in cable.ends if end.node in self.observed and not cable.hears(end)), None)

    def at(self, end: End) -> list[Cable]:
        return self.by_port.get(end, [])

    def value(self, cable: Cable, end: End, name: str) -> int | None:
        """Return the speed_bps or mtu of an end: what its own node knows, else what it says of itself."""
        own = self.ports.get(end, {}).get(name)
        if own is None and name == "speed_bps":
            own = next((one.speed_bps for one in cable.evidence if one.said == end and one.speed_bps), None)
        return own


def ends_of(one: End, other: End) -> Ends:
    first, second = sorted((one, other), key=order)
    return first, second


def cabling(observations: t.Sequence[Values], nodes: t.Mapping[str, Values]) -> Cabling:
    """Return the cables that were heard; nodes: those of the description. Raises CablingError."""
    if not observations:
        raise CablingError("nobody listened; give what at least one node heard")
    try:
        return _merged(observations, nodes)
    except (KeyError, TypeError, AttributeError) as exc:
        raise CablingError(
            f"a neighbour is not as detnet.testbed.lldp_neighbors returns it ({exc!r}); give that unchanged"
        ) from exc


def _merged(observations: t.Sequence[Values], nodes: t.Mapping[str, Values]) -> Cabling:
    known = {**{one["node"]: {"kind": one["kind"]} for one in observations}, **nodes}
    directory = Directory(known, [said for one in observations for said in one["neighbors"]])
    found = Cabling(
        kinds={name: node["kind"] for name, node in known.items()},
        observed={one["node"] for one in observations},
        ports={},
        cables={},
        by_port={},
        speakers={},
        chassis={value: names for (_subtype, value), names in directory.names.items()},
        system_names={},
    )
    for one in observations:
        for interface, port in one["ports"].items():
            found.ports.setdefault(directory.own_end(one["node"], interface), port)
        for said in one["neighbors"]:
            _hear(found, directory, directory.own_end(one["node"], said["interface"]), said)
    return found


def _hear(found: Cabling, directory: Directory, by: End, said: Values) -> None:
    speaker = directory.end(said)
    speakers = found.speakers.setdefault(by, set())
    speakers.add(speaker)
    if len(speakers) > SPEAKERS_MAX:
        return
    if speaker.node not in found.kinds:
        found.kinds[speaker.node] = directory.kind(speaker.node)
        found.system_names[speaker.node] = clean(said.get("system_name") or "")
    ends = ends_of(by, speaker)
    if ends not in found.cables:
        found.cables[ends] = Cable(ends)
        for end in set(ends):
            found.by_port.setdefault(end, []).append(found.cables[ends])
    found.cables[ends].evidence.append(Hearing(by, speaker, said.get("heard_at"), said.get("speed_bps")))
