# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's command line by GRUB on Debian and Ubuntu: a drop-in of ours, and grub.cfg generated anew."""

from __future__ import annotations

import contextlib
import glob
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _grub
from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line_loader as base
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words, carries
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import (
    Conflict,
    Found,
    LineError,
)

CONFIGURATION = "boot/grub/grub.cfg"
SETTINGS = "etc/default/grub"
GENERATOR = "grub-mkconfig"
CHECKER = "grub-script-check"
PACKAGE = "grub-common"
TOLD_ROOM_KIB = 1024  # a grub.cfg is far smaller, so less than that may be why its generation failed


def is_there(root: str = "/") -> bool:
    """Return whether the machine is started by GRUB as Debian sets it up."""
    return os.path.exists(os.path.join(root, CONFIGURATION))


class Grub:
    """GRUB's side of the command line, of the machine whose files are at root."""

    name = "grub"
    path = _grub.DROP_IN

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self.drop_in = os.path.join(root, _grub.DROP_IN.lstrip("/"))
        folder, name = os.path.split(self.drop_in)
        # The drop-in as it was, empty if there was none. Its name is not one that GRUB reads. As long as it is
        # there, grub.cfg may not be what the drop-in says: a power cut leaves it behind.
        self.before = os.path.join(folder, f".{name}.before")
        self.configuration = os.path.realpath(os.path.join(root, CONFIGURATION))
        self.generated = f"{self.configuration}.detnet-new"

    def read(self) -> Found:
        text = base.read_text(self.drop_in)
        words = None if text is None else _grub.drop_in_words(text)
        booted = base.read_text(self.configuration) or ""
        settled = not os.path.exists(self.before) and self._boots(booted, words or ())
        if words == () or (words is not None and text != self._text(words)):
            settled = False  # somebody has edited it
        return Found(words, text or "", _grub.next_line(booted, words or ()), settled)

    def text(self, words: Words) -> str:
        return self._text(words) if words else ""

    def conflicts(self, names: t.Container[str]) -> list[Conflict]:
        drop_ins = sorted({*glob.glob(os.path.join(os.path.dirname(self.drop_in), "*.cfg")), self.drop_in})
        files = [os.path.join(self.root, SETTINGS), *drop_ins]
        texts = [("/" + os.path.relpath(path, self.root), base.read_text(path) or "") for path in files]
        return _grub.conflicts(texts, names)

    def check(self, _words: Words) -> None:
        for program in (GENERATOR, CHECKER):
            if base.program(program) is None:
                raise LineError(f"{program} is not installed; install {PACKAGE}")

    def apply(self, words: Words, found: Found) -> None:
        new = self.text(words)
        had_folder, was_settled = os.path.isdir(os.path.dirname(self.drop_in)), found.settled
        try:
            self._put(new)
            self._generate(words)
        except (LineError, OSError) as exc:
            why = str(exc) if isinstance(exc, LineError) else self._file_error(exc)
            kept = f"{self.configuration} is as it was"
            try:
                self._restore(found.words is not None, was_settled, had_folder)
            except OSError as again:
                raise LineError(f"{why}; {kept}, and on the way back: {self._file_error(again)}") from exc
            raise LineError(f"{why}; {kept}, and so is {self.drop_in}") from exc
        self._forget_before(with_folder=not new)

    def _text(self, words: Words) -> str:
        noted = base.read_text(self.drop_in) or base.read_text(self.before) or ""
        had_folder = os.path.isdir(os.path.dirname(self.drop_in))
        return _grub.drop_in(words, _grub.FOLDER_IS_OURS in noted or not had_folder)

    def _boots(self, configuration: str, words: Words) -> bool:
        return not words or any(carries(entry.words, words) for entry in _grub.entries(configuration))

    def _put(self, text: str) -> None:
        """Keep the drop-in aside, and write the new one if it has a text. Raises OSError."""
        try:
            os.rename(self.drop_in, self.before)  # takes no room, and neither does its way back
        except FileNotFoundError:
            if not os.path.exists(self.before):
                _durable_file.write_text(
                    self.before, _grub.FOLDER_IS_OURS if _grub.FOLDER_IS_OURS in text else ""
                )
        _durable_file.sync_folder(self.before)
        if text:
            _durable_file.write_text(self.drop_in, text)

    def _restore(self, had: bool, was_settled: bool, had_folder: bool) -> None:
        """Have the drop-in as it was, and nothing of ours beside grub.cfg. Raises OSError."""
        self._remove_generated()
        if not had:
            _durable_file.remove(self.drop_in)
        elif os.path.exists(self.before):
            os.rename(self.before, self.drop_in)
            _durable_file.sync_folder(self.drop_in)
        if was_settled:
            _durable_file.remove(self.before)
        elif not os.path.exists(self.before):
            _durable_file.write_text(self.before, "")
        if not had_folder:
            self._remove_folder()

    def _generate(self, words: Words) -> None:
        """Generate grub.cfg beside the old one, check it, and put it in its place. Raises LineError, OSError."""
        self._remove_generated()  # what a power cut left takes room
        try:
            base.run([GENERATOR, "-o", self.generated], PACKAGE)
            base.run([CHECKER, self.generated], PACKAGE)
        except LineError as exc:
            raise LineError(f"{exc}{self._room()}") from exc
        new, old = base.read_text(self.generated), base.read_text(self.configuration)
        if faults := _grub.faults(new or "", old or "", words, self._is_installed):
            raise LineError(
                f"the configuration that {GENERATOR} made is not used: {'; '.join(faults)}{self._hint(words)}"
            )
        if old is not None:
            status = os.stat(self.configuration)
            os.chmod(self.generated, status.st_mode & 0o7777)
            os.chown(self.generated, status.st_uid, status.st_gid)
        _durable_file.adopt(self.generated, self.configuration)

    def _hint(self, words: Words) -> str:
        """Return who may have taken our words out of the line, and what to do."""
        anew = [conflict.file for conflict in self.conflicts(()) if conflict.parameter == _grub.VARIABLE]
        if words and anew:
            return f"; {', '.join(anew)} sets {_grub.VARIABLE} anew after {_grub.DROP_IN}: append to it there"
        return f"; see /etc/grub.d and {SETTINGS}, and run update-grub by hand if this is what you want{self._room()}"

    def _room(self) -> str:
        status = os.statvfs(os.path.dirname(self.configuration))
        free_kib = status.f_bavail * status.f_frsize // 1024
        told = f"; {os.path.dirname(self.configuration)} has {free_kib} KiB free, make room there"
        return told if free_kib < TOLD_ROOM_KIB else ""

    def _is_installed(self, kernel: str) -> bool:
        # grub.cfg names it from the root of its own file system, which may be that of /boot.
        places = (kernel.lstrip("/"), f"boot/{os.path.basename(kernel)}")
        return any(os.path.exists(os.path.join(self.root, place)) for place in places)

    def _remove_generated(self) -> None:
        # grub-mkconfig writes into the second one first.
        for path in (self.generated, f"{self.generated}.new"):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _forget_before(self, with_folder: bool) -> None:
        """Say that grub.cfg is what the drop-in says; remove the folder, too, if it was made for the drop-in."""
        ours = _grub.FOLDER_IS_OURS in (base.read_text(self.before) or "")
        try:
            _durable_file.remove(self.before)
        except OSError as exc:
            raise LineError(f"{self._file_error(exc)}, and run the task again") from exc
        if with_folder and ours:
            self._remove_folder()

    def _remove_folder(self) -> None:
        with contextlib.suppress(OSError):  # somebody else uses it by now
            os.rmdir(os.path.dirname(self.drop_in))

    @staticmethod
    def _file_error(exc: OSError) -> str:
        return f"{exc.filename or 'a file'} cannot be written: {exc.strerror}; make room, or become root"
