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

from ansible_collections.detnet.testbed.plugins.module_utils._domain_xml import DISK, DISK_FORMATS
from ansible_collections.detnet.testbed.plugins.module_utils._vagrant import VAGRANTFILE
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm, VmError

BOOT_FILES = ("vmlinuz", "initrd.img")
ROOT_FILES = tuple(f"root{suffix}" for suffix in DISK_FORMATS)
HOST_KEY = "ssh_host_ed25519_key"
AUTHORIZED_KEYS = "ssh_authorized_keys"
CONSOLE = "console.log"
BUILDER = "the role detnet.testbed.base_image"
LIBVIRT_LOGS = "/var/log/libvirt/qemu"
COMMAND_TIMEOUT_S = 60
QCOW2_MAGIC = b"QFI\xfb"
TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # ECMA-48 control sequences


def root_image(image: str) -> str:
    """Return the root file system image in the directory image. Raises VmError if a file is missing there."""
    missing = [name for name in BOOT_FILES if not os.path.isfile(os.path.join(image, name))]
    roots = [path for name in ROOT_FILES if os.path.isfile(path := os.path.join(image, name))]
    if not roots:
        missing.append(" or ".join(ROOT_FILES))
    if missing:
        raise VmError(f"the image {image} lacks {', '.join(missing)}; build it with {BUILDER}")
    return roots[0]


def create(vm: Vm, root: str, keys: str) -> None:
    """Write the files of vm anew, its disk as an overlay on root; a host key that exists is kept.

    keys are the public keys that may log in. Raises VmError if a command fails, OSError if a file cannot be written.
    """
    os.makedirs(vm.directory, exist_ok=True)
    # QEMU has to pass through, nobody has to look in; libvirt hands it each file.
    os.chmod(vm.directory, 0o711)  # noqa: S103
    write_keys(vm, keys)
    _create_host_key(os.path.join(vm.directory, HOST_KEY), vm.name)
    _delete_logs(os.path.join(vm.directory, CONSOLE))
    disk = os.path.join(vm.directory, DISK)
    backing_format = DISK_FORMATS[os.path.splitext(root)[1]]
    size = [] if vm.disk.size_mib is None else [f"{vm.disk.size_mib}M"]
    _run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", root, "-F", backing_format, disk, *size])


def write_keys(vm: Vm, keys: str) -> None:
    """Write the public keys that may log in after the next start."""
    path = os.path.join(vm.directory, AUTHORIZED_KEYS)
    with open(path, "w", encoding="utf-8", opener=_open_private) as file:
        file.write(keys.strip() + "\n")


def grow_disk(vm: Vm) -> None:
    """Give the disk of a VM that is stopped the size that is wanted. Raises VmError."""
    size_mib = vm.disk.size_mib
    if size_mib is not None and (disk_size_mib(vm.directory) or 0) < size_mib:
        _run(["qemu-img", "resize", "-q", "-f", "qcow2", os.path.join(vm.directory, DISK), f"{size_mib}M"])


def disk_size_mib(directory: str) -> int | None:
    """Return the size of a VM's disk as its guest sees it, None if there is none.

    Big-endian, bytes 24 to 31 of the image: https://www.qemu.org/docs/master/interop/qcow2.html
    """
    try:
        with open(os.path.join(directory, DISK), "rb") as disk:
            header = disk.read(32)
    except OSError:
        return None
    return int.from_bytes(header[24:32], "big") >> 20 if header.startswith(QCOW2_MAGIC) else None


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
