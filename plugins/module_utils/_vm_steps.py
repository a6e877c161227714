# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done for a VM, in order, and what state that leaves it in.

Nothing here touches the machine.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed
from ansible_collections.detnet.testbed.plugins.module_utils._vm_changes import (
    LIVE,
    NEVER,
    REACH,
    REBOOT,
    RECREATE,
    Change,
    furthest,
)

# Each step: the state of the VM after it.
STEPS = {
    "remove": "absent",  # the domain
    "delete": "absent",  # its files
    "create": "stopped",  # its files, then the domain
    "define": None,  # the domain anew, with its disk
    "pin": None,  # the threads of a VM that runs
    "start": "running",
    "resume": "running",
    "pause": "paused",
    "stop": "stopped",
}
Steps = tuple[str, ...]

# From the state that a VM is in to the one that is wanted; present is whatever it was.
MOVES: dict[str, dict[str, Steps]] = {
    "running": {"paused": ("resume",), "stopped": ("start",)},
    "stopped": {"running": ("stop",), "paused": ("stop",)},
    "paused": {"running": ("pause",), "stopped": ("start", "pause")},
    "rebooted": {"running": ("stop", "start"), "paused": ("stop", "start"), "stopped": ("start",)},
    "recreated": {"stopped": ("start",)},
}


def steps(
    state: str, changes: t.Sequence[Change], observed: Observed | None, leftovers: bool, reach: str
) -> Steps:
    """Return what has to be done for one VM, in order, of STEPS.

    state is the wanted one; changes are its differences; observed is None if there is no domain; leftovers says
    whether files of the VM exist; reach is how far changes may go (LIVE, REBOOT or RECREATE): what takes a restart
    waits for the next one where that is not allowed.
    """
    if state == "absent":
        return (("remove",) if observed else ()) + (("delete",) if observed or leftovers else ())
    if observed is None:
        return ("create", *_moves(state, "stopped"))
    needs = RECREATE if state == "recreated" else furthest(changes)
    becomes = observed.state if state == "present" else state
    if needs == RECREATE:
        return ("remove", "create", *_moves(becomes, "stopped"))
    define: Steps = () if all(change.configured for change in changes) else ("define",)
    if needs == REBOOT and observed.active and reach != LIVE:
        return ("stop", *define, *_moves("running" if state == "rebooted" else becomes, "stopped"))
    if needs == LIVE and observed.active:
        define += ("pin",)
    return define + _moves(becomes, observed.state)


def _moves(wanted: str, state: str) -> Steps:
    return MOVES.get(wanted, {}).get(state, ())


def refused(changes: t.Iterable[Change], state: str, reach: str) -> list[str]:
    """Return why changes cannot be made, given how far they may go."""
    messages = []
    for change in changes:
        if change.apply == NEVER:
            messages.append(
                f"its {change.setting} is {change.before} and cannot become {change.after}: that is another VM;"
                " remove this one first"
            )
        elif change.apply == RECREATE and state != "recreated" and REACH.index(reach) < REACH.index(RECREATE):
            messages.append(
                f"its {change.setting} can change from {change.before} to {change.after} only if it is created anew,"
                " and then its disk is lost; allow that with apply=recreate, or set state=recreated"
            )
    return messages


def state_after(before: Observed | None, done: t.Iterable[str]) -> str:
    """Return the state of a VM after its steps: "absent", "stopped", "running" or "paused"."""
    state = before.state if before else "absent"
    for step in done:
        state = STEPS[step] or state
    return state
