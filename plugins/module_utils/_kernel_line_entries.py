# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's command line by systemd-boot: the "options" of its entries, and /etc/kernel/cmdline for later kernels.

Source: the Boot Loader Specification of the UAPI group, and kernel-install(8). Where there is no /etc/kernel/cmdline,
kernel-install takes the running line for a new kernel, and so does not need ours in a file.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _durable_file,
    _kernel_line,
    _kernel_line_note,
)
from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line_loader as base
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import (
    Conflict,
    Found,
    LineError,
)
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_note import Note

FOLDERS = ("boot", "efi", "boot/efi")  # where the boot partition may be mounted
CMDLINE = "etc/kernel/cmdline"
OPTIONS = re.compile(r"^options\s+(.*)$")


def is_there(root: str = "/") -> bool:
    """Return whether systemd-boot starts the machine by entries of its own."""
    return any(os.path.isfile(os.path.join(root, folder, "loader/loader.conf")) for folder in FOLDERS)


class SystemdBoot:
    """systemd-boot's side of the command line, of the machine whose files are at root."""

    name = "systemd_boot"
    path = _kernel_line_note.PATH

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def read(self) -> Found:
        note = _kernel_line_note.load(self.root, self.name)
        words = None if note is None else note.words
        texts = self._texts()
        lines = [line_of(path, text) for path, text in texts.items()]
        settled = all(_kernel_line.carries(line, words or ()) for line in lines)
        settled = settled and (note is None or note.pending is None)
        # Later names are of later kernels; all of them have our words in any case.
        entries = [line for path, line in zip(texts, lines, strict=True) if path.endswith(".conf")]
        return Found(words, self.text(words or ()), entries[-1] if entries else (), settled)

    def text(self, words: Words) -> str:
        return _kernel_line_note.text(self.name, words)

    def conflicts(self, names: t.Container[str]) -> list[Conflict]:
        note = _kernel_line_note.load(self.root, self.name) or Note(self.name)
        found = []
        for path, text in self._texts().items():
            line = _kernel_line.without(line_of(path, text), note.all_words)
            found += base.conflicts_in(line, names, "/" + os.path.relpath(path, self.root), wins=False)
        return found

    def check(self, words: Words) -> None:
        if words and not any(path.endswith(".conf") for path in self._texts()):
            raise LineError(
                "systemd-boot has no entries with options, and the line of a unified kernel image is a part of it; "
                "set the parameters where that image is built"
            )
        for theirs in self.conflicts(_kernel_line.names_of(words)):
            word = theirs.parameter if theirs.value is None else f"{theirs.parameter}={theirs.value}"
            if word in words:  # ours and theirs could not be told apart later
                raise LineError(
                    f"{theirs.file} has {word} already; take it out there, or leave it to the user's line"
                )

    def apply(self, words: Words, _found: Found) -> None:
        note = _kernel_line_note.load(self.root, self.name) or Note(self.name)
        old = self._texts()
        new = {path: changed(path, text, note, words) for path, text in old.items()}
        for path, text in new.items():
            if not _kernel_line.carries(line_of(path, text), words):
                raise LineError(
                    f"{path} has '--' in its line, and the kernel reads nothing behind it; take it out"
                )
        _kernel_line_note.replace(
            self.root, note, words, act=lambda: self._write(new), undo=lambda: self._write(old)
        )

    def _texts(self) -> dict[str, str]:
        """Return the files with command lines: entries that boot Linux, and the line for later kernels."""
        paths = [
            path
            for folder in FOLDERS
            for path in sorted(glob.glob(os.path.join(self.root, folder, "loader/entries/*.conf")))
        ]
        texts = {path: base.read_text(path) or "" for path in [*paths, os.path.join(self.root, CMDLINE)]}
        return {path: text for path, text in texts.items() if line_of(path, text)}

    def _write(self, texts: dict[str, str]) -> None:
        for path, text in texts.items():
            if text == base.read_text(path):
                continue
            try:
                _durable_file.write_text(path, text, os.stat(path).st_mode & 0o7777)
            except OSError as exc:
                raise LineError(f"{path} cannot be written: {exc.strerror}; make room there") from exc


def line_of(path: str, text: str) -> Words:
    """Return the command line in an entry, or in the file of a line for later kernels."""
    if not path.endswith(".conf"):
        return _kernel_line.split(" ".join(text.split("\n")))
    parts = [match[1] for match in map(OPTIONS.match, text.splitlines()) if match]
    return _kernel_line.split(" ".join(parts))


def changed(path: str, text: str, note: Note, new: Words) -> str:
    """Return a file's text with the new words at the end of its line, and none of those that are noted.

    Where the line ends with noted words as we have put them there, its blanks stay as they are.
    """
    lines = text.split("\n")
    entry = path.endswith(".conf")
    places = [index for index, line in enumerate(lines) if (OPTIONS.match(line) if entry else line.strip())]
    last = places[-1]
    for words in filter(None, (note.pending, note.words)):
        if lines[last].endswith(_suffix(words)):
            lines[last] = lines[last].removesuffix(_suffix(words))
            break
    else:
        rest = note.all_words
        for index in reversed(places):
            lines[index], rest = _cut(lines[index], rest)
    lines[last] += _suffix(new)
    return "\n".join(lines)


def _suffix(words: Words) -> str:
    return "".join(f" {word}" for word in words)


def _cut(line: str, words: Words) -> tuple[str, Words]:
    """Return a line without these words, and those that it did not have."""
    have = tuple(_kernel_line.WORD.findall(line))
    left = _kernel_line.without(have, words)
    if left == have:
        return line, words
    return " ".join(left), _kernel_line.without(words, _kernel_line.without(have, left))
