# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a VM: its disk, keys and console log, and what libvirt and QEMU leave behind."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import stat
import subprocess

from ansible_collections.detnet.testbed.plugins.module_utils import _vm_image, _vm_seed
from ansible_collections.detnet.testbed.plugins.module_utils._domain_xml import DISK, DISK_FORMATS, SEED
from ansible_collections.detnet.testbed.plugins.module_utils._vagrant import VAGRANTFILE
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Image, Vm, VmError

HOST_KEY = "ssh_host_ed25519_key"
AUTHORIZED_KEYS = "ssh_authorized_keys"
CONSOLE = "console.log"
SEED_PROGRAM = "xorrisofs"
LIBVIRT_LOGS = "/var/log/libvirt/qemu"
COMMAND_TIMEOUT_S = 60
TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48 control sequences


def create(vm: Vm, image: Image, keys: str, user_data: str) -> None:
    """Write the files of vm anew, its disk as an overlay on the image; a host key that exists is kept.

    keys and user_data are as for write_guest_files. Raises VmError if a command fails, OSError if a file cannot be
    written.
    """
    os.makedirs(vm.directory, exist_ok=True)
    # QEMU has to pass through, nobody has to look in; libvirt hands it each file.
    os.chmod(vm.directory, 0o711)  # noqa: S103
    _create_host_key(os.path.join(vm.directory, HOST_KEY), vm.name)
    write_guest_files(vm, image, keys, user_data)
    _delete_logs(os.path.join(vm.directory, CONSOLE))
    disk = os.path.join(vm.directory, DISK)
    backing_format = DISK_FORMATS[os.path.splitext(image.root)[1]]
    size = [] if vm.disk.size_mib is None else [f"{vm.disk.size_mib}M"]
    _run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image.root, "-F", backing_format, disk, *size])


def write_guest_files(vm: Vm, image: Image, keys: str, user_data: str) -> None:
    """Write what the guest gets with its next start: the public keys that may log in, or all that cloud-init is told.

    user_data is the user's part of the latter. Raises VmError, OSError.
    """
    if image.boot == "firmware":
        _write_seed(vm, keys, user_data)
    else:
        _write_private(os.path.join(vm.directory, AUTHORIZED_KEYS), keys.strip() + "\n")


def _write_seed(vm: Vm, keys: str, user_data: str) -> None:
    key = os.path.join(vm.directory, HOST_KEY)
    work = os.path.join(vm.directory, f"{SEED}.new")
    tree, seed = os.path.join(work, "files"), os.path.join(work, SEED)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(work)  # what was interrupted
    os.mkdir(work, mode=0o700)
    os.mkdir(tree)
    for name, text in _vm_seed.files(vm, keys, _text(key), _text(f"{key}.pub"), user_data).items():
        _write_private(os.path.join(tree, name), text)
    _run([SEED_PROGRAM, "-quiet", "-volid", _vm_seed.LABEL, "-rational-rock", "-output", seed, tree])
    os.replace(seed, os.path.join(vm.directory, SEED))
    shutil.rmtree(work)


def grow_disk(vm: Vm) -> None:
    """Give the disk of a VM that is stopped the size that is wanted. Raises VmError."""
    size_mib = vm.disk.size_mib
    if size_mib is not None and (disk_size_mib(vm.directory) or 0) < size_mib:
        _run(["qemu-img", "resize", "-q", "-f", "qcow2", os.path.join(vm.directory, DISK), f"{size_mib}M"])


def disk_size_mib(directory: str) -> int | None:
    """Return the size of a VM's disk as its guest sees it, None if there is none."""
    try:
        size = _vm_image.qcow2_bytes(os.path.join(directory, DISK))
    except OSError:
        return None
    return None if size is None else size >> 20


def delete(name: str, directory: str) -> None:
    """Delete the files of the VM name in its directory, and libvirt's log of it."""
    if os.path.isdir(directory):
        shutil.rmtree(directory)
    _delete_logs(os.path.join(LIBVIRT_LOGS, f"{name}.log"))


def backend(directory: str) -> str:
    """Return who made the domain of a VM: "vagrant" if it has a Vagrantfile, else "libvirt"."""
    return "vagrant" if os.path.exists(os.path.join(directory, VAGRANTFILE)) else "libvirt"


def host_key(directory: str) -> str | None:
    """Return a VM's public SSH host key, "ssh-ed25519 AAAA…" without comment; None if it has none yet."""
    try:
        with open(os.path.join(directory, f"{HOST_KEY}.pub"), encoding="ascii") as key:
            return " ".join(key.read().split()[:2])
    except FileNotFoundError:
        return None


def known_hosts(address: str | None, port: int, key: str | None) -> str | None:
    """Return the line of known_hosts for the SSH server at address:port; None if something is not known."""
    return f"[{address}]:{port} {key}" if address and key else None


def console_tail(directory: str, lines: int, max_bytes: int = 1 << 16) -> list[str]:
    """Return the last lines of a VM's console, from its last max_bytes; empty if there is no console yet.

    Empty lines are left out, and what could command a terminal: the guest wrote this.
    """
    try:
        with open(os.path.join(directory, CONSOLE), "rb") as console:
            console.seek(max(0, os.fstat(console.fileno()).st_size - max_bytes))
            text = console.read(max_bytes).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = [line for line in map(_printable, text.splitlines()) if line]
    return found[-lines:] if lines > 0 else []


def is_socket(path: str) -> bool:
    """Return whether there is a socket at path."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _printable(line: str) -> str:
    return "".join(filter(str.isprintable, TERMINAL_SEQUENCE.sub("", line))).rstrip()


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write_private(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=_open_private) as file:
        file.write(text)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _delete_logs(path: str) -> None:
    # virtlogd rotates: console.log, console.log.0, …
    for log in glob.glob(f"{glob.escape(path)}*"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)


def _create_host_key(path: str, comment: str) -> None:
    if os.path.exists(f"{path}.pub"):
        return
    # ssh-keygen writes the public half last, and asks before it overwrites a half-done pair.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, umask=0o077
        )
    except FileNotFoundError as exc:
        raise VmError(f"{command[0]} is not installed; run the role detnet.testbed.hypervisor") from exc
    except subprocess.TimeoutExpired as exc:
        raise VmError(f"{command[0]} took longer than {COMMAND_TIMEOUT_S} s; look for disk errors") from exc
    except subprocess.CalledProcessError as exc:
        raise VmError(f"{' '.join(command)} failed: {exc.stderr.strip()}") from exc
