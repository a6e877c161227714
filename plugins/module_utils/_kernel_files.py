# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes the kernel's files below /sys, /proc/sys and /proc/irq, and says why one refuses a value."""

from __future__ import annotations

import errno
import os
import stat

from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_values

REASONS = {
    errno.EINVAL: "the kernel does not take this value here",
    errno.EPERM: "it is not permitted; the kernel may be locked down, or this is a container",
    errno.EACCES: "it is not permitted; become root",
    errno.EROFS: "its file system is read-only, as in a container",
    errno.EBUSY: "it is in use",
    errno.EIO: "the device or its driver refused",
    errno.ENODEV: "the device is gone",
    errno.ENOSPC: "there is no room for it",
    errno.ERANGE: "it is beyond the range",
}
INTERRUPT_REASONS = {
    errno.EIO: "managed interrupt: the kernel alone chooses its CPUs",
    errno.EPERM: "managed interrupt: the kernel alone chooses its CPUs",
    errno.ENOSPC: "these CPUs have no free interrupt vector",
    errno.EINVAL: "none of these CPUs is online",
}


class UnusableError(Exception):
    """A file cannot be set and given back; the message says why and the way out."""


class MissingError(UnusableError):
    """A file is not there."""


class RefusedError(Exception):
    """A file did not take a value, though it could be opened before."""

    def __init__(self, path: str, wanted: str, real: str, number: int | None) -> None:
        self.path, self.wanted, self.real = path, wanted, real
        self.errno = None if number is None else errno.errorcode.get(number, str(number))
        self.reason = reason(path, number)
        said = f" ({self.errno})" if self.errno else ""
        super().__init__(f"{path}: wanted {wanted!r}, real {real!r}, reason: {self.reason}{said}")


def reason(path: str, number: int | None) -> str:
    """Return in words why a write failed; None is a write that went well and changed nothing."""
    if number is None:
        return "the kernel took it and shows another value"
    if path.startswith("/proc/irq/") and number in INTERRUPT_REASONS:
        return INTERRUPT_REASONS[number]
    return REASONS.get(number, os.strerror(number))


def resolve(path: str, root: str = "/") -> str:
    """Return path without links, as the machine's. Raises MissingError; UnusableError if it leads out."""
    top = os.path.realpath(root)
    real = os.path.realpath(_at(top, path))
    inner = "/" + os.path.relpath(real, top)
    if not _kernel_values.inside(inner):
        raise UnusableError(
            f"{path} leads to {inner}, out of the kernel's files; name a file that stays there"
        )
    if not os.path.exists(real):
        raise MissingError(f"{path} is not there; this kernel or machine does not have it")
    return inner


def check(path: str, root: str = "/") -> None:
    """Raise UnusableError unless the resolved path can be read and written."""
    place = _at(root, path)
    mode = os.stat(place).st_mode
    if not stat.S_ISREG(mode):
        raise UnusableError(f"{path} is not a file; name a file")
    if not mode & 0o444:
        raise UnusableError(f"{path} cannot be read, so it could not be given back; leave it out")
    if not mode & 0o222 or not os.access(place, os.W_OK):
        raise UnusableError(
            f"{path} cannot be written; become root, or leave it out if the kernel only shows it"
        )


def read(path: str, root: str = "/") -> str:
    """Return the value that a resolved path shows. Raises UnusableError."""
    try:
        with open(_at(root, path), encoding="utf-8") as file:
            return _kernel_values.shown(file.read())
    except OSError as exc:
        raise UnusableError(f"{path} cannot be read, so it could not be given back: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UnusableError(f"{path} is not text, so it could not be given back; leave it out") from exc


def write(path: str, value: str, root: str = "/") -> str:
    """Write a value to a resolved path, and return what it shows then. Raises RefusedError if that is another."""
    number = None
    try:
        # The path has no links. One that has come since is not followed.
        descriptor = os.open(_at(root, path), os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as exc:
        number = exc.errno
    try:
        real = read(path, root)
    except UnusableError:
        real = "unreadable"
    if number is not None or not _kernel_values.same(path, value, real):
        raise RefusedError(path, value, real, number)
    return real


def boot_id(root: str = "/") -> str:
    """Return the name of this start of the machine, empty where the kernel has none."""
    try:
        with open(_at(root, "/proc/sys/kernel/random/boot_id"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _at(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))
