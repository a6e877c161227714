# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbours of a tagging switch: what it heard on its uplink, which only it can hear."""

from __future__ import annotations

import math
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_hearing import Hearing
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_socket import ANNOUNCE_S
from ansible_collections.detnet.testbed.plugins.module_utils._switch import CONFLICT, Switch, SwitchError

UPLINK = "uplink"
POLL_S = 0.1
COUNTS = ("frames", "malformed", "left_out")


def hear(switch: Switch, seconds: float, expected: int, announce: bool) -> tuple[Hearing, dict[str, t.Any]]:
    """Return what comes in within a time, until there are as many neighbours as expected; and what its answer was.

    seconds: 0 for all that the switch knows, at once. announce: let it send, too. Raises SwitchError.
    """
    began = time.monotonic()
    due = -math.inf
    while True:
        now = time.monotonic()
        if announce and now >= due:
            tell(switch)
            due = now + ANNOUNCE_S
        answer = switch.call("lldp.neighbors")
        elapsed = time.monotonic() - began
        hearing = heard(answer, expected, elapsed if seconds else math.inf)
        if hearing.enough() or elapsed >= seconds:
            break
        time.sleep(POLL_S)
    if announce:
        tell(switch)  # for whoever was heard, and did not listen before
    return hearing, answer


def tell(switch: Switch) -> None:
    """Let the switch send, unless its link is down, which nobody at the other end hears either. Raises SwitchError."""
    try:
        switch.call("lldp.announce")
    except SwitchError as exc:
        if exc.code != CONFLICT:
            raise


def heard(answer: dict[str, t.Any], expected: int, newer_than_s: float) -> Hearing:
    """Return those neighbours of an answer of lldp.neighbors that were heard within so many seconds."""
    hearing = Hearing([UPLINK], expected)
    for neighbor in answer["neighbors"]:
        age_s = neighbor["age_ms"] / 1000
        if age_s <= newer_than_s:
            hearing.take(UPLINK, bytes.fromhex(neighbor["frame_hex"]), _lldp_neighbor.instant(age_s))
    return hearing


def interfaces(answer: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Return what the switch counted, and what its uplink is."""
    counts = {count: answer[count] for count in COUNTS}
    return {UPLINK: {"mtu": answer["port"]["mtu"], "speed_bps": answer["port"]["speed_bps"], **counts}}
