# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accelerator runs guests on this machine: found out by running one.

A /dev/kvm that opens is no proof: under some hypervisors KVM only emulates, many times slower than TCG.
"""

from __future__ import annotations

import pwd
import subprocess
import tempfile

QEMU = "qemu-system-x86_64"
QEMU_USER = "libvirt-qemu"
PROBE_TIMEOUT_S = 5.0

# Half a second at most where the processor runs it, also nested; half a minute where KVM emulates it.
BOOT_SECTOR_CODE = bytes.fromhex(
    "66 b9 00000001"  # mov ecx, 0x01000000
    "66 49"  # again: dec ecx
    "75 fc"  # jnz again
    "ba f400"  # mov dx, 0xf4  the port of isa-debug-exit
    "b0 10"  # mov al, 0x10
    "ee"  # out dx, al
    "f4"  # hlt
)
DEBUG_EXIT_STATUS = (0x10 << 1) | 1  # what isa-debug-exit makes of 0x10

BOOT_SECTOR = BOOT_SECTOR_CODE.ljust(510, b"\0") + b"\x55\xaa"


def kvm_works(timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Return whether a guest under KVM executes its boot sector within timeout_s seconds.

    Raises OSError if QEMU cannot be started at all.
    """
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.write(BOOT_SECTOR)
        disk.flush()
        try:
            probe = subprocess.run(
                _probe_command(disk.name),
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:  # run has ended it
            return False
    return probe.returncode == DEBUG_EXIT_STATUS


def choose(wanted: str) -> str:
    """Return "kvm" or "tcg" for a wanted "auto", "kvm" or "tcg". Raises OSError as kvm_works does."""
    if wanted != "auto":
        return wanted
    return "kvm" if kvm_works() else "tcg"


def _probe_command(disk: str) -> list[str]:
    command = [QEMU, "-accel", "kvm", "-machine", "pc", "-m", "16"]
    command += ["-nodefaults", "-no-user-config", "-display", "none"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    command += ["-drive", f"if=floppy,format=raw,readonly=on,file={disk}"]
    try:
        pwd.getpwnam(QEMU_USER)
    except KeyError:
        return command
    return [*command, "-runas", QEMU_USER]
