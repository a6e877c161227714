# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of borrowed values: what each file showed before the first change, in the order of the changes."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _kernel_values

VERSION = 1


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says why and the way out."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file's value before our first change, and the one that we wrote last."""

    before: str
    written: str


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Entries by path without links, the first change first. An older entry is never replaced by a younger one.

    refused has what files refused since the machine was started, by path and value: a check run does not predict
    it again.
    """

    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    refused: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    there: bool = False

    def noted(self, path: str, before: str, written: str) -> Ledger:
        """Return the ledger with one more change."""
        first = self.entries.get(path)
        entry = Entry(before, written) if first is None else Entry(first.before, written)
        return dataclasses.replace(self, entries={**self.entries, path: entry})


def load(path: str, boot_id: str) -> Ledger:
    """Return the ledger at path, an empty one if there is none. Raises LedgerError for what is no ledger."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return Ledger()
    except OSError as exc:
        raise LedgerError(f"the ledger {path} cannot be read: {exc.strerror}; become root") from exc
    except ValueError as exc:
        raise LedgerError(_spoilt(path, f"it is not JSON ({exc})")) from exc
    try:
        return _ledger(document, boot_id)
    except (KeyError, TypeError, AttributeError) as exc:
        raise LedgerError(_spoilt(path, f"it is not a ledger ({exc!r})")) from exc
    except ValueError as exc:
        raise LedgerError(_spoilt(path, str(exc))) from exc


def store(path: str, ledger: Ledger, boot_id: str) -> None:
    """Have the ledger on the disk; remove one with nothing in it. Raises LedgerError."""
    document = {
        "version": VERSION,
        "boot_id": boot_id,
        "values": [{"path": file, **dataclasses.asdict(entry)} for file, entry in ledger.entries.items()],
        "refused": [
            {"path": file, "value": value, "reason": reason}
            for (file, value), reason in ledger.refused.items()
        ],
    }
    try:
        if ledger.entries or ledger.refused:
            _durable_file.write_text(path, json.dumps(document, indent=1) + "\n")
        else:
            _durable_file.remove(path)
    except OSError as exc:
        raise LedgerError(
            f"the ledger {path} cannot be written: {exc.strerror}; make room, or name another place with ledger"
        ) from exc


def _ledger(document: t.Any, boot_id: str) -> Ledger:
    if document["version"] != VERSION:
        raise ValueError(f"its version is {document['version']!r}, this module knows {VERSION}")
    entries = {row["path"]: Entry(_text(row["before"]), _text(row["written"])) for row in document["values"]}
    faults = [fault for path in entries if (fault := _kernel_values.path_fault(path))]
    if faults:
        raise ValueError("; ".join(faults))
    rows = document["refused"] if document["boot_id"] == boot_id else []
    return Ledger(entries, {(row["path"], row["value"]): _text(row["reason"]) for row in rows}, there=True)


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _spoilt(path: str, why: str) -> str:
    return (
        f"the ledger {path} cannot be used: {why}; put back a good copy, or move it away and restart the machine, "
        f"which gives its values back, too"
    )
