# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note about which words are ours, for boot loaders without drop-ins."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import LineError, read_text

PATH = "/var/lib/detnet-testbed/kernel_line.json"


@dataclasses.dataclass(frozen=True)
class Note:
    """Our words. pending has those of a change that was begun: the entries may have words of both."""

    loader: str
    words: Words = ()
    pending: Words | None = None

    @property
    def all_words(self) -> Words:
        """Each word as often as one of the two has it."""
        both = collections.Counter(self.words) | collections.Counter(self.pending or ())
        return tuple(both.elements())


def text(loader: str, words: Words) -> str:
    """Return the note's file for these words, empty for none."""
    return _text(Note(loader, words)) if words else ""


def load(root: str, loader: str) -> Note | None:
    """Return the note, None if nothing is ours. Raises LineError."""
    path = _at(root)
    written = read_text(path)
    if written is None:
        return None
    try:
        document = json.loads(written)
        pending = document["pending"]
        note = Note(
            document["loader"], _words(document["words"]), None if pending is None else _words(pending)
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise LineError(
            f"{path} is no note of kernel parameters ({exc!r}); put back a good copy, or take our parameters off the "
            f"boot entries by hand and remove it"
        ) from exc
    if note.loader != loader:
        raise LineError(f"{path} has words for {note.loader}, not for {loader}; set loader={note.loader}")
    return note


def replace(
    root: str, note: Note, words: Words, act: t.Callable[[], None], undo: t.Callable[[], None]
) -> None:
    """Have other words as ours: noted as begun, then act, then noted as done.

    Raises LineError, and then undo has put everything back, unless the message says otherwise.
    """
    _store(root, Note(note.loader, note.words, words))
    try:
        act()
    except LineError as exc:
        try:
            undo()
            _store(root, note)
        except LineError as again:
            raise LineError(f"{exc}; and on the way back: {again}; run the task again") from exc
        raise LineError(f"{exc}; the boot entries are as they were") from exc
    _store(root, Note(note.loader, words))


def _store(root: str, note: Note) -> None:
    """Have the note on the disk, or none if nothing is ours. Raises LineError."""
    try:
        if note.words or note.pending is not None:
            _durable_file.write_text(_at(root), _text(note))
        else:
            _durable_file.remove(_at(root))
    except OSError as exc:
        raise LineError(f"the note {PATH} cannot be written: {exc.strerror}; make room there") from exc


def _text(note: Note) -> str:
    return json.dumps(dataclasses.asdict(note), indent=1) + "\n"


def _words(value: object) -> Words:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{value!r} is not a list of words")
    return tuple(value)


def _at(root: str) -> str:
    return os.path.join(root, PATH.lstrip("/"))
