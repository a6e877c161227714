# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's files as texts: our drop-in, what other files set, and what a generated configuration boots."""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import Conflict, conflicts_in

DROP_IN = "/etc/default/grub.d/95-detnet-testbed.cfg"
VARIABLE = "GRUB_CMDLINE_LINUX_DEFAULT"
FOLDER_IS_OURS = "# The folder of this file was made for it, and goes with it."
OS_PROBER = "30_os-prober"

LINUX = re.compile(r"^\s*linux(?:efi|16)?\s+(\S+)\s*(.*?)\s*$")
SECTION = re.compile(r"^### (BEGIN|END) (\S+) ###$")
ASSIGNMENT = re.compile(rf"^\s*(?:export\s+)?({VARIABLE}|GRUB_CMDLINE_LINUX)(\+?)=(.*)$")
OURS = re.compile(rf'^{VARIABLE}="\${VARIABLE} (.*)"$', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of grub.cfg that boots a Linux kernel, and the script of /etc/grub.d that wrote it."""

    kernel: str
    words: Words
    section: str


@dataclasses.dataclass(frozen=True)
class Assignment:
    """A line of a settings file. appends: it keeps what earlier files have set, in front of its own."""

    variable: str
    value: str
    keeps: bool
    appends: bool


def drop_in(words: Words, folder_is_ours: bool) -> str:
    """Return the file that appends our words to the user's."""
    lines = [
        "# Written by detnet.testbed, which writes it anew and takes it away. Put your own settings into another file.",
        *([FOLDER_IS_OURS] if folder_is_ours else []),
        f'{VARIABLE}="${VARIABLE} {" ".join(words)}"',
    ]
    return "".join(f"{line}\n" for line in lines)


def drop_in_words(text: str) -> Words:
    """Return our words in a drop-in; none if it is not as we write it."""
    found = OURS.findall(text)
    return tuple(found[0].split()) if len(found) == 1 else ()


def assignments(text: str) -> list[Assignment]:
    """Return what a settings file does to the command line, as far as one can tell without running it."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        match = ASSIGNMENT.match(line)
        if match is None:
            continue
        variable, plus, value = match.groups()
        try:
            value = next(iter(shlex.split(value, comments=True)), "")
        except ValueError:  # a quote over several lines
            value = value.strip("\"'")
        itself = re.search(rf"\$(?:{variable}\b|\{{{variable}\b[^}}]*\}})", value)
        keeps = bool(plus or itself)
        found.append(Assignment(variable, value, keeps, bool(plus or (itself and itself.start() == 0))))
    return found


def conflicts(files: t.Iterable[tuple[str, str]], names: t.Container[str]) -> list[Conflict]:
    """Return who else sets parameters with these names, or our variable anew; files in the order they are read."""
    found, after_ours = [], False
    for path, text in files:
        if path == DROP_IN:
            after_ours = True
            continue
        for assignment in assignments(text):
            later = after_ours and assignment.variable == VARIABLE
            if later and not assignment.keeps:
                found.append(Conflict(VARIABLE, assignment.value, path, wins=True))
            wins = later and (assignment.appends or not assignment.keeps)
            found += conflicts_in(_kernel_line.split(assignment.value), names, path, wins)
    return found


def entries(text: str) -> list[Entry]:
    """Return the entries of a grub.cfg, in their order."""
    found, section = [], ""
    for line in text.splitlines():
        if match := SECTION.match(line):
            section = match[2] if match[1] == "BEGIN" else ""
        elif match := LINUX.match(line):
            found.append(Entry(match[1], _kernel_line.split(match[2]), section))
    return found


def next_line(text: str, words: Words) -> Words:
    """Return what the kernel gets: of the first entry with our words, or of the first one at all."""
    found = entries(text)
    ours = [entry for entry in found if _kernel_line.carries(entry.words, words)]
    return next((entry.words for entry in ours or found), ())


def faults(new: str, old: str, words: Words, is_installed: t.Callable[[str], bool]) -> list[str]:
    """Return what is wrong with a generated grub.cfg that is to replace the old one.

    is_installed tells whether the kernel of an old entry can still be booted from this system.
    """
    found = []
    boots = entries(new)
    open_sections = [section for section in _sections(new, "BEGIN") if section not in _sections(new, "END")]
    if open_sections:
        found.append(f"it ends within {', '.join(open_sections)}")
    if not boots:
        found.append("it has no entry that boots Linux")
    elif not any(_kernel_line.carries(entry.words, words) for entry in boots):
        found.append(f"no entry of it has {' '.join(words)}")
    there = {entry.kernel for entry in boots}
    for entry in dict.fromkeys(entries(old)):
        if entry.kernel not in there and (OS_PROBER in entry.section or is_installed(entry.kernel)):
            there.add(entry.kernel)  # one sentence for each
            found.append(f"it has lost the kernel {entry.kernel}, which the old one boots")
    return found


def _sections(text: str, mark: str) -> list[str]:
    matches = map(SECTION.match, text.splitlines())
    return [match[2] for match in matches if match and match[1] == mark]
