# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the two programs that tell of network devices and bind them: ip and driverctl."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

PACKAGES = {"driverctl": "driverctl", "ip": "iproute2"}  # the same on Debian; iproute on the RHEL family
SBIN = ("/usr/sbin", "/sbin")  # not on the PATH of every login
TIMEOUT_S = 60

# Runs a command and returns what it prints; raises CommandError.
Run = t.Callable[[list[str]], str]


class NicError(Exception):
    """A network device cannot be read, bound or set; the message says why and the way out."""


class CommandError(NicError):
    """A command failed."""


def path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), *SBIN])


def missing(program: str) -> str | None:
    """Return what to do about a program that is not installed, None if it is."""
    if shutil.which(program, path=path()):
        return None
    return f"{program} is not installed; install the package {PACKAGES[program]}"


def run(command: list[str]) -> str:
    if fault := missing(command[0]):
        raise CommandError(fault)
    shown = " ".join(command)
    try:
        finished = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env={"PATH": path(), "LC_ALL": "C"},  # driverctl obeys SUBSYSTEM and DEVPATH, whoever set them
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandError(
            f"{shown} took longer than {TIMEOUT_S} s; look for a program that still uses the device, and into dmesg"
        ) from exc
    except OSError as exc:
        raise CommandError(f"{shown} cannot be run: {exc.strerror}") from exc
    if finished.returncode:
        said = " / ".join(finished.stderr.split("\n")).strip(" /") or "it says nothing"
        raise CommandError(f"{shown} failed with {finished.returncode}: {said}; dmesg may tell more")
    return finished.stdout
