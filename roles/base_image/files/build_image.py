# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the guest image: a directory with vmlinuz, initrd.img, root.ext4 and image.json.

    build_image.py room DIRECTORY
    BASE_IMAGE_INPUTS='{"suite": …}' build_image.py build DIRECTORY

`room` prints {"path", "free_mib", "needed_mib"} and changes nothing. `build` makes DIRECTORY, once: it is
written beside and renamed when everything is on the disk, so that it is either whole or not there.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

MIB = 1 << 20
KERNEL_PACKAGE = "linux-image-cloud-amd64"
# What makes the image boot and answer; tiny-initramfs loads the disk's modules and mounts it, nothing else.
SYSTEM_PACKAGES = (KERNEL_PACKAGE, "openssh-server", "systemd-sysv", "tiny-initramfs", "udev")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
# Measured 850: the tree, its packages until they are installed, the image, which is sparse.
NEEDED_MIB = 1024
STALE_PREFIX = ".build-"

# Started on every Debian, of no use to a guest that has no person, no second disk and no state to keep.
MASKED_UNITS = (
    "cryptsetup.target",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "integritysetup.target",
    "kmod-static-nodes.service",
    "proc-sys-fs-binfmt_misc.automount",
    "remote-fs.target",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-initctl.socket",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-repart.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
    "veritysetup.target",
)
MASKED_GENERATORS = (
    "cryptsetup",
    "debug",
    "fstab",
    "getty",
    "gpt-auto",
    "hibernate-resume",
    "integritysetup",
    "rc-local",
    "run",
    "system-update",
    "sysv",
    "veritysetup",
)

# Constants, because mmdebstrap gives them to a shell; "$1" is the guest's tree. The host
# keys would be everybody's, the names are those of the machine that builds.
CUSTOMIZE_HOOKS = (
    'chroot "$1" systemctl preset-all 2>&1',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf',
    ': > "$1"/etc/machine-id',
)


class BuildError(Exception):
    """The image cannot be built; the message says why and what to do."""


class Inputs(t.TypedDict):
    """What the image is made from, besides this file."""

    suite: str
    mirror: str  # empty: Debian's own, with its security updates
    packages: list[str]
    size_mib: int
    guest_files: dict[str, str]  # path below / to content


def room(directory: Path) -> dict[str, t.Any]:
    """Return how much the file system below directory has, and how much a build takes."""
    exists = next(parent for parent in directory.parents if parent.is_dir())
    return {
        "path": str(exists),
        "free_mib": shutil.disk_usage(exists).free // MIB,
        "needed_mib": NEEDED_MIB,
    }


def guest_tar(guest_files: t.Mapping[str, str]) -> bytes:
    """Return a tar archive of the guest's configuration, owned by root: the files, then the masks."""
    links = [f"etc/systemd/system/{unit}" for unit in MASKED_UNITS]
    links += [f"etc/systemd/system-generators/systemd-{name}-generator" for name in MASKED_GENERATORS]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, content in sorted(guest_files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            member.mode = 0o755 if content.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(content.encode()))
        for path in links:
            member = tarfile.TarInfo(path)
            member.type = tarfile.SYMTYPE
            member.linkname = "/dev/null"
            tar.addfile(member)
    return target.getvalue()


def mmdebstrap_command(inputs: Inputs) -> list[str]:
    """Return the command that makes the tree `root` from `guest.tar`, both in its working directory."""
    return [
        # Its mounts are seen by nobody else and end with it, however that ends.
        *("unshare", "--mount", "--"),
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(sorted({*SYSTEM_PACKAGES, *inputs['packages']}))}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        # Before the packages: their scripts heed the masks, and the kernel's makes the initrd.
        "--essential-hook=tar-in guest.tar /",
        *(f"--customize-hook={hook}" for hook in CUSTOMIZE_HOOKS),
        inputs["suite"],
        "root",
        *([inputs["mirror"]] if inputs["mirror"] else []),
    ]


def secrets_in(tree: Path) -> list[str]:
    """Return what in a guest's tree would let somebody in, or give two guests one identity."""
    found = [str(path.relative_to(tree)) for path in sorted(tree.glob("etc/ssh/ssh_host_*"))]
    found += [name for name in ("root/.ssh/authorized_keys",) if (tree / name).exists()]
    found += [name for name in ("etc/machine-id",) if (tree / name).read_text()]
    for line in (tree / "etc/shadow").read_text().splitlines():
        user, password = line.split(":")[:2]
        if not password.startswith(("*", "!")):
            found.append(f"etc/shadow: password of {user}")
    return found


def run(command: list[str], cwd: Path, lock: int | None = None) -> str:
    """Run command and return what it printed.

    It keeps the lock, if given, until it has ended, even if this process is killed. Raises BuildError.
    """
    try:
        done = subprocess.run(
            command,
            check=True,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=() if lock is None else (lock,),
        )
    except FileNotFoundError as exc:
        raise BuildError(f"{command[0]} is not installed; install Debian's package of it") from exc
    except subprocess.CalledProcessError as exc:
        raise BuildError(f"{command[0]} ended with {exc.returncode}:\n{exc.stdout[-4000:]}") from exc
    return done.stdout


def take_boot_file(tree: Path, name: str, target: Path) -> str:
    """Move the only boot/NAME-VERSION out of the tree, readable for QEMU; return VERSION.

    Raises BuildError.
    """
    found = sorted(tree.glob(f"boot/{name}-*"))
    if len(found) != 1:
        raise BuildError(f"{len(found)} files boot/{name}-* in place of 1; ask for no second kernel package")
    found[0].replace(target)
    target.chmod(0o644)
    return found[0].name.removeprefix(f"{name}-")


def make_image(inputs: Inputs, work: Path, lock: int) -> Path:
    """Make the image in the directory work/image and return that. Raises BuildError."""
    tree, image = work / "root", work / "image"
    image.mkdir()
    (work / "guest.tar").write_bytes(guest_tar(inputs["guest_files"]))
    run(mmdebstrap_command(inputs), work, lock)
    if found := secrets_in(tree):
        raise BuildError(f"it would carry secrets: {', '.join(found)}; leave out the package that makes them")
    kernel = take_boot_file(tree, "vmlinuz", image / "vmlinuz")
    take_boot_file(tree, "initrd.img", image / "initrd.img")
    show = ["--show", "--showformat=${Package}\t${Version}\n"]
    versions = run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", *show], work)
    # Initialized here and now, or each guest would do it in the background of its first minutes.
    options = ["-q", "-t", "ext4", "-L", "root", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    run(["mke2fs", *options, "-d", "root", "image/root.ext4", f"{inputs['size_mib']}M"], work, lock)
    description = {
        "inputs": inputs,
        "kernel_version": kernel,
        "packages": dict(sorted(line.split("\t") for line in versions.splitlines())),
        "sizes": {file.name: file.stat().st_size for file in sorted(image.iterdir())},
    }
    (image / "image.json").write_text(json.dumps(description, indent=2) + "\n")
    return image


def build(inputs: Inputs, directory: Path) -> dict[str, t.Any]:
    """Make directory, unless it is there; return {"changed": whether it was made}.

    Raises BuildError or OSError.
    """
    os.umask(0o022)
    images = directory.parent
    images.mkdir(parents=True, exist_ok=True)
    with (images / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in images.glob(f"{STALE_PREFIX}*"):
            shutil.rmtree(stale)
        if directory.exists():
            return {"changed": False}
        with tempfile.TemporaryDirectory(prefix=STALE_PREFIX, dir=images) as work:
            image = make_image(inputs, Path(work), lock.fileno())
            os.sync()
            image.rename(directory)
    return {"changed": True}


def inputs() -> dict[str, t.Any]:
    """Return what the image is made of, as the role says it."""
    said: dict[str, t.Any] = json.loads(os.environ["BASE_IMAGE_INPUTS"])
    return said


def main() -> int:
    """Do what the command line asks; print JSON, or on standard error what went wrong."""
    command, directory = sys.argv[1], Path(sys.argv[2])
    try:
        done = room(directory) if command == "room" else build(inputs(), directory)
    except (BuildError, OSError) as exc:
        print(f"Cannot build the guest image {directory}: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
