# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands for a controller remember of a VM: its folder below /vagrant, and who works on what now.

The folder is there from before a VM is begun until after it is gone, with one file that says whether the VM is
complete. A command that was killed leaves it incomplete, and so the next one knows. Functions raise OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file

VAGRANT = "/vagrant"  # where a controller looks for it
FILE = "vm.json"
POLL_S = 0.05


class BusyError(Exception):
    """Another command works on the same; the message names it."""


class ForeignFolderError(Exception):
    """A folder is in the place of ours that somebody else made; the message says what to do."""


def folder(vm_id: int) -> str:
    return os.path.join(VAGRANT, str(vm_id))


def is_incomplete(vm_id: int) -> bool:
    """Return whether a command began to make or to remove the VM, and did not end."""
    try:
        with open(os.path.join(folder(vm_id), FILE), encoding="utf-8") as file:
            return bool(json.load(file)["complete"] is False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (ValueError, KeyError, TypeError):
        return False  # somebody edited it: nothing is removed on the ground of that


def refuse_foreign(vm_id: int) -> None:
    """Raise ForeignFolderError if there are files in the VM's folder, and none of ours."""
    path = folder(vm_id)
    try:
        files = os.listdir(path)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        files = [path]
    if files and FILE not in files:
        raise ForeignFolderError(
            f"{path} has files that these commands did not make ({', '.join(sorted(files)[:3])}); move them away"
        )


def begin(vm_id: int) -> None:
    """Note that a VM is incomplete from now on. The folder is never seen without the note."""
    path = folder(vm_id)
    if os.path.exists(os.path.join(path, FILE)):
        _write(path, {"id": vm_id, "complete": False})
        return
    beside = _beside(vm_id)
    os.makedirs(beside)
    _write(beside, {"id": vm_id, "complete": False})
    os.rename(beside, path)  # also over an empty folder
    _durable_file.sync_folder(path)


def complete(vm_id: int, found: t.Mapping[str, t.Any]) -> None:
    """Note that a VM is complete, and what was found of it."""
    _write(folder(vm_id), {"id": vm_id, "complete": True, **found})


def remove(vm_id: int) -> None:
    """Remove the folder of a VM; none is no error. Raises ForeignFolderError."""
    refuse_foreign(vm_id)
    beside = _beside(vm_id)
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder(vm_id), beside)
        shutil.rmtree(beside)


@contextlib.contextmanager
def alone(run_dir: str, name: str, command: str, patience_s: float = 0.0) -> t.Iterator[int]:
    """Have what is called name for the command alone; yield the lock, which a process that is given it holds, too.

    Raises BusyError if another one has it, and does not end within patience_s seconds.
    """
    path = os.path.join(run_dir, "controller", f"{name}.lock")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # The file stays: who has it open needs no second look at whether it is still the same.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience_s
    try:
        while not _locked(descriptor):
            if time.monotonic() >= deadline:
                owner = os.pread(descriptor, 100, 0).decode(errors="replace") or "another command"
                raise BusyError(f"{owner} is working on it; try again when that has ended")
            time.sleep(POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{command} (process {os.getpid()})".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Return whether a file could be locked, which nobody else has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _beside(vm_id: int) -> str:
    """Return the path at which a folder is made and ends, where ls does not show it; nothing is there."""
    path = os.path.join(VAGRANT, f".{vm_id}.detnet-new")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
    return path


def _write(path: str, document: t.Mapping[str, t.Any]) -> None:
    _durable_file.write_text(os.path.join(path, FILE), json.dumps(document, indent=2) + "\n", 0o600)
