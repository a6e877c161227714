# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of divided caches: who mounted resctrl, and what the default group had before."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import Masks

VERSION = 1


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says why and the way out."""


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Whether we mounted resctrl, and the masks of the default group before our first change.

    boot_id is the start of the machine in which that was. The next one gives everything back, unless the groups are
    made again.
    """

    mounted: bool
    masks: Masks
    boot_id: str


def load(path: str) -> Ledger | None:
    """Return the ledger at path, None if there is none. Raises LedgerError."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LedgerError(f"the ledger {path} cannot be read: {exc.strerror}; become root") from exc
    except ValueError as exc:
        raise LedgerError(_spoilt(path, f"it is not JSON ({exc})")) from exc
    try:
        if document["version"] != VERSION:
            raise ValueError(f"its version is {document['version']!r}, this module knows {VERSION}")
        return Ledger(bool(document["mounted"]), _masks(document["masks"]), str(document["boot_id"]))
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise LedgerError(_spoilt(path, f"it is not a ledger of this module ({exc})")) from exc


def store(path: str, ledger: Ledger) -> None:
    """Have the ledger on the disk. Raises LedgerError."""
    masks = {
        resource: {str(number): f"{mask:x}" for number, mask in of_caches.items()}
        for resource, of_caches in ledger.masks.items()
    }
    document = {"version": VERSION, "boot_id": ledger.boot_id, "mounted": ledger.mounted, "masks": masks}
    try:
        _durable_file.write_text(path, json.dumps(document, indent=1) + "\n")
    except OSError as exc:
        raise LedgerError(
            f"the ledger {path} cannot be written: {exc.strerror}; make room, or name another place with ledger"
        ) from exc


def remove(path: str) -> None:
    """Remove the ledger. Raises LedgerError."""
    try:
        _durable_file.remove(path)
    except OSError as exc:
        raise LedgerError(f"the ledger {path} cannot be removed: {exc.strerror}; remove it") from exc


def _masks(document: t.Any) -> Masks:
    return {
        resource: {int(number): int(mask, 16) for number, mask in of_caches.items()}
        for resource, of_caches in document.items()
    }


def _spoilt(path: str, why: str) -> str:
    return (
        f"the ledger {path} cannot be used: {why}; put back a good copy, or move it away and restart the machine, "
        "which gives the caches back, too"
    )
