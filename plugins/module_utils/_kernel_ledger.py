# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of borrowed values: what each file showed before the first change, in the order of the changes."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_values, _ledger_file

WITHOUT = "restart the machine, which gives its values back, too"


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
    return _ledger_file.load(path, functools.partial(_ledger, boot_id=boot_id), WITHOUT) or Ledger()


def store(path: str, ledger: Ledger, boot_id: str) -> None:
    """Have the ledger on the disk; remove one with nothing in it. Raises LedgerError."""
    values = [{"path": file, **dataclasses.asdict(entry)} for file, entry in ledger.entries.items()]
    refused = [
        {"path": file, "value": value, "reason": reason} for (file, value), reason in ledger.refused.items()
    ]
    document = {"boot_id": boot_id, "values": values, "refused": refused}
    _ledger_file.store(path, document if values or refused else None)


def _ledger(document: t.Any, boot_id: str) -> Ledger:
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
