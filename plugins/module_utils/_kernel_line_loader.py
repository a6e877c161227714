# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every boot loader's side of the kernel's command line has in common."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _kernel_line
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not in everybody's PATH
COMMAND_TIMEOUT_S = 600  # grub-mkconfig may look for other systems on every disk
STDERR_TOLD = 6  # lines

# Names of our parameters that were configured since the machine was started, one of which the running kernel may
# still have. It is gone after a restart, and so is the need for one.
SINCE_BOOT = "run/detnet-testbed/kernel_line.json"


class LineError(Exception):
    """The command line cannot be read or changed; the message says why and the way out."""


@dataclasses.dataclass(frozen=True)
class Conflict:
    """A word of somebody else with a name of ours. wins: it comes after ours, or takes ours out of the line."""

    parameter: str
    value: str | None
    file: str
    wins: bool


@dataclasses.dataclass(frozen=True)
class Found:
    """How a boot loader is set now.

    words are ours, None if nothing of ours is noted. text is the file that notes them. line is what the next start
    gives the kernel. settled: the line follows from the words; it does not after a power cut between the two.
    """

    words: Words | None
    text: str
    line: Words
    settled: bool


def conflicts_in(line: Words, names: t.Container[str], file: str, wins: bool) -> list[Conflict]:
    """Return the words of somebody else's line with these names."""
    found = []
    for word in _kernel_line.named(line, names):
        _name, equals, value = word.partition("=")
        found.append(Conflict(_kernel_line.name_of(word), value if equals else None, file, wins))
    return found


class Loader(t.Protocol):
    """One way to have words of ours on the kernel's command line beside the user's."""

    name: str
    path: str  # of the file that notes our words

    def __init__(self, root: str = "/") -> None: ...

    def read(self) -> Found:
        """Return how the loader is set. Raises LineError."""

    def text(self, words: Words) -> str:
        """Return what the noting file has for these words, empty for no file."""

    def conflicts(self, names: t.Container[str]) -> list[Conflict]:
        """Return who else sets parameters with these names."""

    def check(self, words: Words) -> None:
        """Raise LineError for words that this loader cannot have, before anything changes."""

    def apply(self, words: Words, found: Found) -> None:
        """Have these words, and none of our earlier ones, given what read() found.

        Raises LineError, and then all is as it was.
        """


def program(name: str) -> str | None:
    """Return the path of a program, None if it is not installed."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def run(command: list[str], package: str) -> str:
    """Return what a command prints. Raises LineError with the end of its complaint."""
    path = program(command[0])
    if path is None:
        raise LineError(f"{command[0]} is not installed; install {package}")
    environment = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), *SBIN])}
    try:
        finished = subprocess.run(
            [path, *command[1:]],
            check=True,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            env=environment,
        )
    except subprocess.TimeoutExpired as exc:
        raise LineError(
            f"{' '.join(command)} took longer than {COMMAND_TIMEOUT_S} s; look for disk errors"
        ) from exc
    except subprocess.CalledProcessError as exc:
        said = " / ".join(filter(None, exc.stderr.splitlines()[-STDERR_TOLD:])) or "it says nothing"
        raise LineError(f"{' '.join(command)} failed with {exc.returncode}: {said}; run it by hand") from exc
    except OSError as exc:
        raise LineError(
            f"{' '.join(command)} cannot be run: {exc.strerror}; install {package} again"
        ) from exc
    return finished.stdout


def read_text(path: str) -> str | None:
    """Return a file's text, None if there is no such file. Raises LineError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LineError(f"{path} cannot be read: {exc.strerror}; become root") from exc


def names_since_boot(root: str) -> set[str]:
    """Return the names of our parameters that were configured since the machine was started."""
    try:
        names = json.loads(read_text(os.path.join(root, SINCE_BOOT)) or "[]")
    except ValueError:  # whoever wrote into it: the names of this run are known still
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def note_since_boot(root: str, names: set[str]) -> None:
    """Note these names, too. Raises LineError."""
    path, noted = os.path.join(root, SINCE_BOOT), names_since_boot(root)
    if names <= noted:
        return
    try:
        _durable_file.write_text(path, json.dumps(sorted(names | noted)) + "\n")
    except OSError as exc:
        raise LineError(f"{path} cannot be written: {exc.strerror}; make room there") from exc
