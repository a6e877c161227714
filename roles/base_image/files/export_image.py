# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one file of a finished image: a disk in the format qcow2, or a Vagrant box that boots it.

    export_image.py disk IMAGE TARGET
    export_image.py box IMAGE TARGET

TARGET is made once. It is written beside and renamed when it is on the disk, so that it is either whole or not there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

FORMATS = {"root.ext4": "raw", "root.qcow2": "qcow2"}
BOOT_FILES = {"kernel": "vmlinuz", "initrd": "initrd.img"}
STALE_PREFIX = ".export-"
GIB = 1 << 30

# QEMU is not let into root's home, where Vagrant unpacks boxes: the kernel is started from where the image is.
# json.dumps writes the paths as Ruby reads them.
VAGRANTFILE = """\
# Made by the role detnet.testbed.base_image from {image}, whose kernel it starts.
# The guest lets in the owner of the key BASE_BOX_KEY, by default ~/.ssh/id_ed25519; if that is empty, nobody.
name = ENV.fetch("BASE_BOX_KEY", "~/.ssh/id_ed25519")
key = name.empty? ? nil : File.expand_path(name)

Vagrant.configure("2") do |config|
  config.ssh.username = "root"
  config.ssh.sudo_command = "%c" # root needs none, and the guests have none
  config.ssh.insert_key = false
  config.ssh.private_key_path = key if key
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider :libvirt do |libvirt|
    libvirt.kernel = {kernel}
    libvirt.initrd = {initrd}
    libvirt.cmd_line = "root=/dev/vda rw console=ttyS0 no_timer_check ip=dhcp" # for busy hosts without KVM
    libvirt.disk_bus = "virtio"
    if key && File.file?("#{{key}}.pub")
      public_key = File.read("#{{key}}.pub").split.first(2).join(" ")
      libvirt.qemuargs value: "-fw_cfg"
      libvirt.qemuargs value: "name=opt/io.systemd.credentials/ssh.authorized_keys.root,string=#{{public_key}}"
    end
  end
end
"""


class ExportError(Exception):
    """The file cannot be made; the message says why and what to do."""


def root_disk(image: Path) -> Path:
    """Return the disk of the image in the directory. Raises ExportError."""
    for name in FORMATS:
        if (image / name).is_file():
            return image / name
    raise ExportError(f"there is no image in {image}; run the role detnet.testbed.base_image")


def convert(disk: Path, target: Path, lock: int) -> None:
    """Write the disk in the format qcow2. Raises ExportError."""
    command = ["qemu-img", "convert", "-f", FORMATS[disk.name], "-O", "qcow2", str(disk), str(target)]
    try:
        # It keeps the lock until it has ended, even if this process is killed.
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=(lock,)
        )
    except FileNotFoundError as exc:
        raise ExportError("qemu-img is not installed; install the package qemu-utils") from exc
    except subprocess.CalledProcessError as exc:
        raise ExportError(f"qemu-img ended with {exc.returncode}: {exc.stderr.strip()}") from exc


def vagrantfile(image: Path) -> str:
    """Return what a box of the image says to Vagrant."""
    paths = {name: json.dumps(str(image / file)) for name, file in BOOT_FILES.items()}
    return VAGRANTFILE.format(image=image, **paths)


def make_disk(image: Path, work: Path, lock: int) -> Path:
    """Make the disk in the directory work and return its path. Raises ExportError."""
    made = work / "disk"
    convert(root_disk(image), made, lock)
    return made


def make_box(image: Path, work: Path, lock: int) -> Path:
    """Make the box in the directory work and return its path. Raises ExportError or OSError."""
    missing = [name for name in BOOT_FILES.values() if not (image / name).is_file()]
    if missing:
        raise ExportError(
            f"{image} has no {' and no '.join(missing)}; only an image made by mmdebstrap has a box"
        )
    disk = root_disk(image)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": -(-disk.stat().st_size // GIB)}
    (work / "metadata.json").write_text(json.dumps(metadata) + "\n")
    (work / "Vagrantfile").write_text(vagrantfile(image))
    convert(disk, work / "box.img", lock)
    made = work / "box"
    with tarfile.open(made, mode="w") as tar:
        for name in ("metadata.json", "Vagrantfile", "box.img"):
            tar.add(work / name, arcname=name, filter=_owned_by_root)
    return made


MAKERS = {"disk": make_disk, "box": make_box}


def export(kind: str, image: Path, target: Path) -> dict[str, t.Any]:
    """Make target of the image, unless it is there; return {"changed": whether it was made}.

    Raises ExportError or OSError.
    """
    os.umask(0o022)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in target.parent.glob(f"{STALE_PREFIX}*"):
            shutil.rmtree(stale)
        if target.exists():
            return {"changed": False}
        with tempfile.TemporaryDirectory(prefix=STALE_PREFIX, dir=target.parent) as work:
            made = MAKERS[kind](image, Path(work), lock)
            os.sync()
            made.rename(target)
    finally:
        os.close(lock)
    return {"changed": True}


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def main() -> int:
    """Do what the command line asks; print JSON, or on standard error what went wrong."""
    kind, image, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    try:
        done = export(kind, image, target)
    except (ExportError, OSError) as exc:
        print(f"Cannot make {target} of the guest image: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
