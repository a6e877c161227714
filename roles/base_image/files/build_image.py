# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the guest image: a directory with image.json, and vmlinuz, initrd.img, root.ext4 or a cloud image's root.qcow2.

    build_image.py room DIRECTORY
    BASE_IMAGE_INPUTS='{"suite": …}' build_image.py build DIRECTORY INCOMING

`room` prints {"path", "free_mib"} and changes nothing. `build` makes DIRECTORY, once: it is written beside and
renamed when everything is on the disk, so that it is either whole or not there. INCOMING has what the controller
sent: files/SHA-256 for each of the inputs' files, or root.qcow2.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

MIB = 1 << 20
# What makes the image boot, answer and end, besides a kernel; tiny-initramfs loads modules and mounts the disk,
# nothing else.
SYSTEM_PACKAGES = ("acpid", "openssh-server", "systemd-sysv", "tiny-initramfs", "udev")
LEFT_OUT = (
    "/lib/udev/hwdb.d/*",
    "/usr/lib/udev/hwdb.d/*",  # as of Debian 13
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)
STALE_PREFIX = ".build-"

# Started on every Debian, of no use to a guest that has no person, no second disk and no state to keep.
MASKED_UNITS = (
    "cryptsetup.target",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "integritysetup.target",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "proc-sys-fs-binfmt_misc.automount",
    "remote-fs.target",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-creds.socket",
    "systemd-firstboot.service",
    "systemd-hibernate-clear.service",
    "systemd-hostnamed.socket",
    "systemd-hwdb-update.service",
    "systemd-initctl.socket",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrextend.socket",
    "systemd-pcrlock.socket",
    "systemd-pcrmachine.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-repart.service",
    "systemd-sysext.socket",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tpm2-setup-early.service",
    "systemd-tpm2-setup.service",
    "systemd-udev-load-credentials.service",
    "systemd-update-done.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
    "tmp.mount",
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
    "ssh",
    "system-update",
    "sysv",
    "tpm2",
    "veritysetup",
)

# Links of the guest, besides the masks. systemd-network-generator names its files 90-… in Debian 12, 70-… in Debian 13.
LINKS = {f"etc/systemd/network/70-{name}.network.d": f"90-{name}.network.d" for name in ("mgmt0", "net0")}

# mmdebstrap gives its hooks to a shell; "$1" is the guest's tree.
PRESET_HOOK = 'chroot "$1" systemctl preset-all 2>&1'
# The host keys would be everybody's, the names are those of the machine that builds.
FORGET_HOOKS = (
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/lib/dbus/machine-id',
    ': > "$1"/etc/machine-id',
)
# Commands find what root finds, whoever runs the builder.
COMMAND_ENVIRONMENT = (
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)

# What would let somebody in, or be the same in each guest though each has its own.
SECRETS = (
    "etc/credstore/*",
    "etc/ssh/ssh_host_*",
    "etc/ssl/private/*",
    "home/*/.ssh/authorized_keys*",
    "home/*/.ssh/id_*",
    "root/.ssh/authorized_keys*",
    "root/.ssh/id_*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
)

# What a failed command says, and the way out.
HINTS = {
    "Failed to fetch": "its mirror does not answer: look at this machine's network, or choose another mirror",
    "does not have a Release file": "its mirror does not have this release: correct base_image_mirror",
    "into data and signature failed": "what answers is no mirror of Debian: correct base_image_mirror",
    "NO_PUBKEY": "its keys are not here: upgrade the package debian-archive-keyring",
    "No space left on device": "the disk is full: free some, or use another base_image_cache_dir",
    "in ext2 filesystem": "the files do not fit into the image: enlarge base_image_size_mib",
}

# The start of a qcow2 image, up to the name of the file behind it, and the features that not every reader knows.
QCOW2_MAGIC = b"QFI\xfb"
QCOW2_START = struct.Struct(">4sIQ")
QCOW2_FEATURES = struct.Struct(">Q")
QCOW2_FEATURES_AT = 72
QCOW2_DATA_ELSEWHERE = 1 << 2


class BuildError(Exception):
    """The image cannot be built; the message says why and what to do."""


class GuestFile(t.TypedDict):
    """A file that the user asked for."""

    path: str
    content: t.NotRequired[str]  # without it, INCOMING has the file
    mode: t.NotRequired[str]


@t.final
class Inputs(t.TypedDict):
    """What an image is made from by mmdebstrap, besides this file."""

    suite: str
    mirror: str  # empty: Debian's own, with its security updates
    kernel_package: str
    packages: list[str]
    size_mib: int
    guest_files: dict[str, str]  # path below / to content
    files: list[GuestFile]
    sums: dict[str, str]  # path to the SHA-256 of a file that INCOMING has
    commands: list[list[str]]


@t.final
class CloudInputs(t.TypedDict):
    """What an image is made from that somebody else built."""

    cloud_image: str  # its SHA-256


def room(directory: Path) -> dict[str, t.Any]:
    """Return how much the file system below directory has."""
    exists = next(parent for parent in directory.parents if parent.is_dir())
    return {"path": str(exists), "free_mib": shutil.disk_usage(exists).free // MIB}


def guest_tar(guest_files: t.Mapping[str, str]) -> bytes:
    """Return a tar archive of the guest's configuration, owned by root: the files, then the links."""
    masks = [f"etc/systemd/system/{unit}" for unit in MASKED_UNITS]
    masks += [f"etc/systemd/system-generators/systemd-{name}-generator" for name in MASKED_GENERATORS]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, content in sorted(guest_files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            member.mode = 0o755 if content.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(content.encode()))
        for path, linkname in (LINKS | dict.fromkeys(masks, "/dev/null")).items():
            member = tarfile.TarInfo(path)
            member.type = tarfile.SYMTYPE
            member.linkname = linkname
            tar.addfile(member)
    return target.getvalue()


def write_files_tar(inputs: Inputs, incoming: Path, target: Path) -> None:
    """Write a tar archive of the files that the user asked for, owned by root. Raises OSError."""
    with tarfile.open(target, mode="w") as tar:
        for file in inputs["files"]:
            member = tarfile.TarInfo(file["path"].lstrip("/"))
            member.mode = int(file.get("mode", "0644"), 8)
            if "content" in file:
                content = file["content"].encode()
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                continue
            with (incoming / "files" / inputs["sums"][file["path"]]).open("rb") as sent:
                member.size = os.fstat(sent.fileno()).st_size
                tar.addfile(member, sent)


def hooks(inputs: Inputs) -> list[str]:
    """Return what is done in the tree after its packages are installed, in this order."""
    files = ["tar-in files.tar /"] if inputs["files"] else []
    commands = [f'chroot "$1" {shlex.join([*COMMAND_ENVIRONMENT, *words])}' for words in inputs["commands"]]
    return [PRESET_HOOK, *files, *commands, *FORGET_HOOKS]


def mmdebstrap_command(inputs: Inputs) -> list[str]:
    """Return the command that makes the tree `root` from `guest.tar` and `files.tar`, in its working directory."""
    packages = {*SYSTEM_PACKAGES, inputs["kernel_package"], *inputs["packages"]}
    return [
        # Its mounts are seen by nobody else and end with it, however that ends.
        *("unshare", "--mount", "--"),
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(sorted(packages))}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        # Before the packages: their scripts heed the masks, and the kernel's makes the initrd.
        "--essential-hook=tar-in guest.tar /",
        *(f"--customize-hook={hook}" for hook in hooks(inputs)),
        inputs["suite"],
        "root",
        *([inputs["mirror"]] if inputs["mirror"] else []),
    ]


def secrets_in(tree: Path) -> list[str]:
    """Return what in a guest's tree would let somebody in, or give two guests one identity."""
    found = [str(path.relative_to(tree)) for pattern in SECRETS for path in sorted(tree.glob(pattern))]
    if (tree / "etc/machine-id").read_text():
        found.append("etc/machine-id")
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
            # What it leaves there if it is killed is swept away with the rest.
            env=os.environ | {"TMPDIR": str(cwd)},
            pass_fds=() if lock is None else (lock,),
        )
    except FileNotFoundError as exc:
        raise BuildError(f"{command[0]} is not installed; install Debian's package of it") from exc
    except subprocess.CalledProcessError as exc:
        hints = [f"\n{hint}" for sign, hint in HINTS.items() if sign in exc.stdout]
        raise BuildError(
            f"{command[0]} ended with {exc.returncode}:\n{exc.stdout[-4000:]}{''.join(hints)}"
        ) from exc
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


def make_by_mmdebstrap(inputs: Inputs, incoming: Path, work: Path, lock: int) -> dict[str, t.Any]:
    """Make the image's files in work/image; return what there is to say of them. Raises BuildError or OSError."""
    tree, image = work / "root", work / "image"
    (work / "guest.tar").write_bytes(guest_tar(inputs["guest_files"]))
    write_files_tar(inputs, incoming, work / "files.tar")
    run(mmdebstrap_command(inputs), work, lock)
    if found := secrets_in(tree):
        raise BuildError(
            f"it would carry secrets: {', '.join(found)}; leave out the package, file or command that makes them,"
            " or remove them by the last of base_image_commands"
        )
    kernel = take_boot_file(tree, "vmlinuz", image / "vmlinuz")
    take_boot_file(tree, "initrd.img", image / "initrd.img")
    show = ["--show", "--showformat=${Package}\t${Version}\n"]
    versions = run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", *show], work)
    # Initialized here and now, or each guest would do it in the background of its first minutes.
    options = ["-q", "-t", "ext4", "-L", "root", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    run(["mke2fs", *options, "-d", "root", "image/root.ext4", f"{inputs['size_mib']}M"], work, lock)
    return {
        "boot": "kernel",
        "kernel_version": kernel,
        "packages": dict(sorted(line.split("\t") for line in versions.splitlines())),
    }


def qcow2_fault(path: Path) -> str | None:
    """Return why the file is no image that can stand alone; None if it is one. Raises OSError."""
    with path.open("rb") as image:
        start = image.read(QCOW2_FEATURES_AT + QCOW2_FEATURES.size)
    if len(start) < QCOW2_FEATURES_AT + QCOW2_FEATURES.size or not start.startswith(QCOW2_MAGIC):
        return "it is not in the format qcow2; convert it with qemu-img convert -O qcow2"
    _magic, version, backing_at = QCOW2_START.unpack_from(start)
    (features,) = QCOW2_FEATURES.unpack_from(start, QCOW2_FEATURES_AT)
    # Either would let a guest read a file of the host that the image names.
    if backing_at or (version > 2 and features & QCOW2_DATA_ELSEWHERE):
        return "it needs another file; make it whole with qemu-img convert -O qcow2"
    return None


def take_cloud_image(inputs: CloudInputs, incoming: Path, work: Path) -> dict[str, t.Any]:
    """Move the incoming image to work/image; return what there is to say of it. Raises BuildError or OSError."""
    taken = work / "image" / "root.qcow2"
    (incoming / taken.name).replace(taken)
    taken.chmod(0o644)
    if (found := sha256(taken)) != inputs["cloud_image"]:
        raise BuildError(
            f"it came with the SHA-256 {found} in place of {inputs['cloud_image']}; run this again"
        )
    if fault := qcow2_fault(taken):
        raise BuildError(fault)
    return {"boot": "firmware"}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_image(inputs: Inputs | CloudInputs, incoming: Path, work: Path, lock: int) -> Path:
    """Make the image in the directory work/image and return that. Raises BuildError or OSError."""
    image = work / "image"
    image.mkdir()
    if "cloud_image" in inputs:
        made = take_cloud_image(inputs, incoming, work)
    else:
        made = make_by_mmdebstrap(inputs, incoming, work, lock)
    files = sorted(image.iterdir())
    description = {
        "inputs": inputs,
        **made,
        "sizes": {file.name: file.stat().st_size for file in files},
        "sha256": {file.name: sha256(file) for file in files},
    }
    (image / "image.json").write_text(json.dumps(description, indent=2) + "\n")
    return image


def build(inputs: Inputs | CloudInputs, directory: Path, incoming: Path) -> dict[str, t.Any]:
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
            image = make_image(inputs, incoming, Path(work), lock.fileno())
            os.sync()
            image.rename(directory)
    return {"changed": True}


def inputs() -> t.Any:
    """Return what the image is made of, as the role says it."""
    return json.loads(os.environ["BASE_IMAGE_INPUTS"])


def main() -> int:
    """Do what the command line asks; print JSON, or on standard error what went wrong."""
    command, directory = sys.argv[1], Path(sys.argv[2])
    try:
        done = room(directory) if command == "room" else build(inputs(), directory, Path(sys.argv[3]))
    except (BuildError, OSError) as exc:
        print(f"Cannot build the guest image {directory}: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
