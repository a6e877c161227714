# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's command line by grubby, in the boot entries of the RHEL family.

grubby keeps one value of each parameter and replaces the one that is there, so what the user has set is refused.
Source: grubby(8) and the script grubby-bls of Fedora.
"""

from __future__ import annotations

import collections
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line, _kernel_line_note
from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line_loader as base
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import (
    Conflict,
    Found,
    LineError,
)
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_note import Note

ENTRIES = "boot/loader/entries"
PROGRAM = "grubby"
KERNEL = re.compile(r'^kernel="?([^"\n]*)"?$', re.MULTILINE)
ARGS = re.compile(r'^args="(.*)"$', re.MULTILINE)


def is_there(root: str = "/") -> bool:
    """Return whether the machine's boot entries are grubby's."""
    return os.path.isdir(os.path.join(root, ENTRIES)) and base.program(PROGRAM) is not None


class Bls:
    """grubby's side of the command line, of the machine whose note is at root."""

    name = "bls"
    path = _kernel_line_note.PATH

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def read(self) -> Found:
        note = _kernel_line_note.load(self.root, self.name)
        entries = self._entries("ALL")
        line = next(iter(self._entries("DEFAULT").values()), ())
        words = None if note is None else note.words
        carried = all(_carries(entry, words or ()) for entry in entries.values())
        settled = carried and (note is None or note.pending is None)
        return Found(words, self.text(words or ()), line, settled)

    def text(self, words: Words) -> str:
        return _kernel_line_note.text(self.name, words)

    def conflicts(self, names: t.Container[str]) -> list[Conflict]:
        note = _kernel_line_note.load(self.root, self.name) or Note(self.name)
        found = []
        for kernel, line in self._entries("ALL").items():
            theirs = _kernel_line.without(line, note.all_words)
            found += base.conflicts_in(theirs, names, f"/{ENTRIES} (kernel {kernel})", wins=True)
        return found

    def check(self, words: Words) -> None:
        count = collections.Counter(map(_kernel_line.name_of, words))
        if twice := [name for name, times in count.items() if times > 1]:
            raise LineError(
                f"{PROGRAM} keeps one value of {' and of '.join(twice)}, and they are given several times; "
                f"reserve pages of the other size while the machine runs"
            )
        if theirs := self.conflicts(set(count)):
            names = ", ".join(sorted({conflict.parameter for conflict in theirs}))
            raise LineError(
                f"the boot entries have {names} already, which {PROGRAM} would replace; take it out there, "
                f"or leave it to the user's line"
            )

    def apply(self, words: Words, _found: Found) -> None:
        note = _kernel_line_note.load(self.root, self.name) or Note(self.name)
        _kernel_line_note.replace(
            self.root,
            note,
            words,
            act=lambda: self._change(note.all_words, words),
            undo=lambda: self._change(words, note.words),
        )

    def _change(self, old: Words, new: Words) -> None:
        """Take old words off all entries, put new ones onto them, and look whether they are there."""
        if old:
            self._update("--remove-args", old)
        if new:
            self._update("--args", new)
        for kernel, line in self._entries("ALL").items():
            if not _carries(line, new):
                raise LineError(f"{PROGRAM} left the entry of {kernel} with {' '.join(line)}; see {ENTRIES}")

    def _update(self, option: str, words: Words) -> None:
        # The user's /etc/default/grub stays as it is.
        base.run(
            [PROGRAM, "--update-kernel=ALL", f"{option}={' '.join(words)}", "--no-etc-grub-update"], PROGRAM
        )

    def _entries(self, which: str) -> dict[str, Words]:
        """Return the lines of the boot entries by their kernels."""
        blocks = re.split(r"^(?=index=)", base.run([PROGRAM, f"--info={which}"], PROGRAM), flags=re.MULTILINE)
        found = {}
        for block in blocks:
            kernel, args = KERNEL.search(block), ARGS.search(block)
            if kernel:
                found[kernel[1]] = _kernel_line.split(args[1]) if args else ()
        return found


def _carries(line: Words, words: Words) -> bool:
    return set(words) <= set(line)  # grubby puts a word where an older value of it was
