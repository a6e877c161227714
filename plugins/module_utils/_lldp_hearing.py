# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbours that were heard, by interface: bounded, whatever a hostile one sends."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_neighbor import Neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import LldpError

NEIGHBORS_MAX = 64  # of one interface; a cable has one, a hub some
MALFORMED_KEPT = 4


@dataclasses.dataclass
class Heard:
    """What came in by one interface; neighbors by chassis and port id, in the order in which they came."""

    frames: int = 0
    malformed: int = 0
    left_out: int = 0  # frames of neighbours that had no place any more
    reasons: list[str] = dataclasses.field(default_factory=list)
    neighbors: dict[tuple[object, object], Neighbor] = dataclasses.field(default_factory=dict)


class Hearing:
    """Takes frames as they come. expected: neighbours of each interface after which all is heard, 0 for no end."""

    def __init__(self, interfaces: t.Iterable[str], expected: int) -> None:
        self.expected = expected
        self.heard = {interface: Heard() for interface in interfaces}

    def take(self, interface: str, data: bytes, heard_at: str) -> None:
        """Take a frame that came in by an interface at a time, in ISO 8601."""
        heard = self.heard[interface]
        heard.frames += 1
        try:
            frame = _lldp.decode(data)
        except LldpError as exc:
            heard.malformed += 1
            if len(heard.reasons) < MALFORMED_KEPT:
                heard.reasons.append(f"from {data[6:12].hex(':')}: {exc}")
            return
        key = (frame.tlvs[0], frame.tlvs[1])
        if key not in heard.neighbors and len(heard.neighbors) >= NEIGHBORS_MAX:
            heard.left_out += 1
            return
        found = _lldp_neighbor.neighbor(interface, frame, heard_at)
        if found["ttl_s"]:
            heard.neighbors[key] = found
        else:
            heard.neighbors.pop(key, None)  # it said that it goes away

    def enough(self) -> bool:
        return self.expected > 0 and all(
            len(heard.neighbors) >= self.expected for heard in self.heard.values()
        )

    def neighbors(self) -> list[Neighbor]:
        return [found for heard in self.heard.values() for found in heard.neighbors.values()]

    def warnings(self) -> list[str]:
        """Return what a user has to know of frames that are in no result."""
        told = []
        for interface, heard in self.heard.items():
            if heard.malformed:
                told.append(
                    f"{interface}: {heard.malformed} malformed LLDP frames, the first {'; '.join(heard.reasons)}"
                )
            if heard.left_out:
                told.append(
                    f"{interface}: more than {NEIGHBORS_MAX} neighbours; {heard.left_out} frames of others were left"
                    " out. Somebody there makes up neighbours, or this is no cable"
                )
        return told
