# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has, measured by what the role host_tuning wanted: what is wrong, accepted, or waits for a restart."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _state_differences, _state_reasons
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import Document

Row = dict[str, t.Any]

LOST: Row = {
    "setting": "the next start's line",
    "wanted": "our parameters",
    "real": None,
    "reason": "the boot loader's configuration has lost or not got them; run the role again",
}


def verdict(tuning: Document, line: Document, state: Document, managed_accepted: bool) -> dict[str, t.Any]:
    """Return the document that the filter tuning_verdict describes. Raises StateError and WantedError."""
    wanted = tuning["wanted" if line["reboot_needed"] else "wanted_after_boot"]
    overridden = [_overridden(conflict) for conflict in line["conflicts"] if conflict["wins"]]
    rows = _state_differences.differences(wanted, state)
    accepted = [
        row for row in rows if managed_accepted and row["reason"].startswith(_state_reasons.MANAGED_INTERRUPT)
    ]
    waits = waiting(tuning, line)
    return {
        "overridden": overridden,
        "wrong": [
            *overridden,
            *([LOST] if line["changed"] else []),
            *(row for row in rows if row not in accepted),
        ],
        "accepted": accepted,
        "waiting": waits,
        "report": list(report(tuning, accepted, waits)),
    }


def waiting(tuning: Document, line: Document) -> list[str]:
    """Return what a restart of the host brings, word by word."""
    if not line["reboot_needed"]:
        return []
    running = line["running"].split()
    coming = [
        word for word in tuning["kernel_parameters"] if word in line["configured"] and word not in running
    ]
    return coming or ["parameters of an earlier run that are still on the running kernel's line go"]


def _overridden(conflict: Document) -> Row:
    parameter, value = conflict["parameter"], conflict["value"]
    return {
        "setting": f"the next start's line, {parameter}",
        "wanted": "as planned",
        "real": value,
        "reason": f"{conflict['file']} has the last word; remove it there, or leave it out of the plan",
    }


def report(tuning: Document, accepted: t.Sequence[Row], waits: t.Sequence[str]) -> t.Iterator[str]:
    """Yield what people should know, one line for each."""
    for skipped in tuning["skipped"]:
        yield f"{skipped['setting']} is left alone: {skipped['reason']}"
    for row in accepted:
        yield f"{row['setting']} is accepted: wanted {row['wanted']}, {row['real']}, {row['reason']}"
    if waits:
        yield f"These wait for a restart of the host: {' '.join(waits)}"
