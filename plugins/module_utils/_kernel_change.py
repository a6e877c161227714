# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets values of the running kernel and gives them back, with a ledger of what was there before."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _kernel_files,
    _kernel_ledger,
    _kernel_values,
)
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_files import RefusedError, UnusableError
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_ledger import Ledger
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError

Refused = dict[str, t.Any]


class ValuesError(Exception):
    """Values cannot be set or given back; faults say why, each by itself."""

    def __init__(self, faults: t.Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A value as asked for."""

    path: str
    value: str
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Change:
    """A file that shows another value than the wanted one. path is without links, given as it was asked for."""

    path: str
    given: str
    before: str
    after: str
    optional: bool = False


@dataclasses.dataclass
class Result:
    """What was done, or would be: the changed files, those that refused, and what was found on giving back."""

    changes: list[Change] = dataclasses.field(default_factory=list)
    refused: list[Refused] = dataclasses.field(default_factory=list)
    overridden: list[dict[str, str]] = dataclasses.field(default_factory=list)
    gone: list[str] = dataclasses.field(default_factory=list)
    ledger_removed: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.ledger_removed


class Values:
    """The values of one machine, whose files are at root, and their ledger."""

    def __init__(self, ledger: str, root: str = "/") -> None:
        self.ledger, self.root = ledger, root

    def set(self, wanted: t.Sequence[Wanted], check_mode: bool = False) -> Result:
        """Set all values, after all were checked. Raises ValuesError, LedgerError."""
        boot_id = _kernel_files.boot_id(self.root)
        ledger = _kernel_ledger.load(self.ledger, boot_id)
        changes, refused = self._survey(wanted)
        if check_mode:
            known = [change for change in changes if self._known(ledger, change)]
            refused += [_refused(change, ledger.refused[change.path, change.after]) for change in known]
            return Result([change for change in changes if change not in known], refused)
        if not changes:
            return Result(refused=refused)
        noted = ledger
        for change in changes:
            noted = noted.noted(change.path, change.before, change.after)
        if noted.entries != ledger.entries:
            _kernel_ledger.store(self.ledger, noted, boot_id)  # before the first write
        return self._write(changes, refused, ledger, noted, boot_id)

    def give_back(self, check_mode: bool = False) -> Result:
        """Restore all values of the ledger, the last change first, and remove it. Raises ValuesError, LedgerError."""
        boot_id = _kernel_files.boot_id(self.root)
        ledger = _kernel_ledger.load(self.ledger, boot_id)
        result, kept, faults = Result(ledger_removed=ledger.there), dict(ledger.entries), []
        for path, entry in reversed(ledger.entries.items()):
            try:
                real = self._there(path)
                if not _kernel_values.same(path, real, entry.before):
                    if not check_mode:
                        _kernel_files.write(path, entry.before, self.root)
                    result.changes.append(Change(path, path, real, entry.before))
                    if not _kernel_values.same(path, real, entry.written):
                        result.overridden.append({"path": path, "written": entry.written, "real": real})
            except _kernel_files.MissingError:
                result.gone.append(path)
            except (UnusableError, RefusedError) as exc:
                faults.append(str(exc))
                continue
            del kept[path]
        if not check_mode and ledger.there:
            _kernel_ledger.store(self.ledger, Ledger(kept), boot_id)
        if faults:
            raise ValuesError(
                [*faults, f"the ledger {self.ledger} keeps these; correct that and run it again"]
            )
        return result

    def _there(self, path: str) -> str:
        """Return what a file of the ledger shows. Raises MissingError if its CPU or device was removed."""
        inner = _kernel_files.resolve(path, self.root)
        if inner != path:
            raise UnusableError(f"{path} of the ledger is a link to {inner}; name that file there")
        return self._value(path)

    def _value(self, path: str) -> str:
        _kernel_files.check(path, self.root)
        return _kernel_files.read(path, self.root)

    def _survey(self, wanted: t.Sequence[Wanted]) -> tuple[list[Change], list[Refused]]:
        """Return what has to change and what cannot, before any write."""
        faults = [fault for value in wanted for fault in _faults(value)]
        if faults:
            raise ValuesError(faults)
        refused: list[Refused] = []
        found: dict[str, tuple[Wanted, str]] = {}
        for value in wanted:
            try:
                path = _kernel_files.resolve(value.path, self.root)
                earlier, _real = found.setdefault(path, (value, self._value(path)))
            except UnusableError as exc:
                if value.optional:
                    refused.append(_row(value.path, value.value, None, None, str(exc)))
                else:
                    faults.append(str(exc))
                continue
            if not _kernel_values.same(path, earlier.value, value.value):
                faults.append(
                    f"{value.path} is to be {value.value!r} and, as {earlier.path}, {earlier.value!r}; give one of them"
                )
        if faults:
            raise ValuesError(faults)
        return [
            Change(path, value.path, real, value.value, value.optional)
            for path, (value, real) in found.items()
            if not _kernel_values.same(path, real, value.value)
        ], refused

    def _write(
        self, changes: list[Change], refused: list[Refused], ledger: Ledger, noted: Ledger, boot_id: str
    ) -> Result:
        """Make the changes; the ledger then has those that were made, and what was refused."""
        tried = {change.path for change in changes}
        memory = {key: why for key, why in ledger.refused.items() if key[0] not in tried}
        done: list[Change] = []
        faults: list[str] = []
        for change in changes:
            try:
                _kernel_files.write(change.path, change.after, self.root)
                done.append(change)
            except RefusedError as exc:
                if not _kernel_values.same(change.path, exc.real, change.before):  # it took a part of it
                    done.append(dataclasses.replace(change, after=exc.real))
                if not change.optional:
                    faults = [f"{exc}; set another value, or make it optional", self._so_far(done, changes)]
                    break
                memory[change.path, change.after] = exc.reason
                refused.append(_row(change.given, exc.wanted, exc.real, exc.errno, exc.reason))
        made = dataclasses.replace(ledger, refused=memory)
        for change in done:
            made = made.noted(change.path, change.before, change.after)
        try:
            if made != noted:
                _kernel_ledger.store(self.ledger, made, boot_id)
        except LedgerError as exc:  # what was noted before the writes is on the disk, and is enough
            faults.append(str(exc))
        if faults:
            raise ValuesError(faults)
        return Result(done, refused)

    @staticmethod
    def _so_far(done: list[Change], changes: list[Change]) -> str:
        if not done:
            return "no value was changed"
        return f"{len(done)} of {len(changes)} values are changed already; state=returned gives them back"

    @staticmethod
    def _known(ledger: Ledger, change: Change) -> bool:
        return change.optional and (change.path, change.after) in ledger.refused


def _faults(value: Wanted) -> list[str]:
    found = [_kernel_values.path_fault(value.path), _kernel_values.value_fault(value.path, value.value)]
    return [fault for fault in found if fault]


def _refused(change: Change, reason: str) -> Refused:
    return _row(change.given, change.after, change.before, None, reason)


def _row(path: str, wanted: str, real: str | None, error: str | None, reason: str) -> Refused:
    return {"path": path, "wanted": wanted, "real": real, "errno": error, "reason": reason}
