"""The builder of the guest image: what it asks mmdebstrap for, and what it refuses to publish."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import struct
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.detnet.testbed.roles.base_image.files import build_image

ROLE = Path(build_image.__file__).parents[1]
INPUTS: build_image.Inputs = {
    "suite": "bookworm",
    "mirror": "",
    "kernel_package": "linux-image-cloud-amd64",
    "packages": ["tcpdump"],
    "size_mib": 64,
    "guest_files": {"etc/inetd.conf": "echo dgram udp wait root internal\n"},
    "files": [],
    "sums": {},
    "commands": [],
}
PROGRAM = b"\x7fELF program"


@pytest.fixture(name="tree")
def clean_tree(tmp_path: Path) -> Path:
    for name, content in {
        "etc/machine-id": "",
        "etc/shadow": "root:*:1::::::\nsshd:!:1::::::\n",
        "boot/vmlinuz-6.1": "kernel",
        "boot/initrd.img-6.1": "initrd",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, [], id="clean"),
        pytest.param(
            {"etc/ssh/ssh_host_rsa_key": "…"}, ["etc/ssh/ssh_host_rsa_key"], id="a-host-key-for-everybody"
        ),
        pytest.param(
            {"etc/credstore/ssh_host_ed25519_key": "…"},
            ["etc/credstore/ssh_host_ed25519_key"],
            id="a-host-key-that-a-command-left",
        ),
        pytest.param(
            {"etc/ssl/private/snakeoil.key": "…"},
            ["etc/ssl/private/snakeoil.key"],
            id="a-tls-key-for-everybody",
        ),
        pytest.param({"root/.ssh/authorized_keys": ""}, ["root/.ssh/authorized_keys"], id="a-way-in"),
        pytest.param(
            {"root/.ssh/id_ed25519": "…", "root/.ssh/known_hosts": "…"},
            ["root/.ssh/id_ed25519"],
            id="a-way-into-another-machine",
        ),
        pytest.param(
            {"home/user/.ssh/authorized_keys2": ""},
            ["home/user/.ssh/authorized_keys2"],
            id="a-way-in-for-a-user",
        ),
        pytest.param(
            {"var/lib/systemd/credential.secret": "…", "var/lib/systemd/random-seed": "…"},
            ["var/lib/systemd/credential.secret", "var/lib/systemd/random-seed"],
            id="what-systemd-draws-once",
        ),
        pytest.param(
            {"var/lib/dbus/machine-id": "abc\n"}, ["var/lib/dbus/machine-id"], id="one-id-on-the-bus"
        ),
        pytest.param({"etc/machine-id": "abc\n"}, ["etc/machine-id"], id="one-identity-for-all"),
        pytest.param(
            {"etc/shadow": "root::1::::::\n"}, ["etc/shadow: password of root"], id="empty-password"
        ),
        pytest.param(
            {"etc/shadow": "root:*:1:\nuser:$y$j9T$x:1:\n"}, ["etc/shadow: password of user"], id="password"
        ),
    ],
)
def test_secrets_are_found(tree: Path, change: dict[str, str], expected: list[str]) -> None:
    for name, content in change.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    assert build_image.secrets_in(tree) == expected


@pytest.mark.parametrize(
    ("mirror", "end"),
    [
        pytest.param("", ["bookworm", "root"], id="debian's-own-with-security-updates"),
        pytest.param("http://mirror/debian", ["bookworm", "root", "http://mirror/debian"], id="one-mirror"),
    ],
)
def test_mirror_is_the_last_argument(mirror: str, end: list[str]) -> None:
    assert build_image.mmdebstrap_command({**INPUTS, "mirror": mirror})[-len(end) :] == end


def test_packages_are_asked_for_with_what_boots_the_guest() -> None:
    include = next(arg for arg in build_image.mmdebstrap_command(INPUTS) if arg.startswith("--include="))
    assert set(include.removeprefix("--include=").split(",")) == {
        *build_image.SYSTEM_PACKAGES,
        "linux-image-cloud-amd64",
        "tcpdump",
    }


def test_guest_configuration_belongs_to_root_and_masks_units() -> None:
    files = INPUTS["guest_files"] | {"usr/bin/command": "#!/usr/bin/python3\n"}
    with tarfile.open(fileobj=io.BytesIO(build_image.guest_tar(files))) as tar:
        members = {member.name: member for member in tar}
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert members["etc/inetd.conf"].mode == 0o644
    assert members["usr/bin/command"].mode == 0o755
    assert members["etc/systemd/system/getty.target"].linkname == "/dev/null"
    assert members["etc/systemd/network/70-net0.network.d"].linkname == "90-net0.network.d"


def test_files_of_the_user_belong_to_root_and_have_their_modes(tmp_path: Path) -> None:
    digest = hashlib.sha256(PROGRAM).hexdigest()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / digest).write_bytes(PROGRAM)
    inputs: build_image.Inputs = {
        **INPUTS,
        "files": [{"path": "/etc/motd", "content": "Grüezi\n"}, {"path": "/opt/program", "mode": "4755"}],
        "sums": {"/etc/motd": "", "/opt/program": digest},
    }
    build_image.write_files_tar(inputs, tmp_path, tmp_path / "files.tar")
    with tarfile.open(tmp_path / "files.tar") as tar:
        assert [(file.name, file.mode, file.uid, file.gid) for file in tar] == [
            ("etc/motd", 0o644, 0, 0),
            ("opt/program", 0o4755, 0, 0),
        ]
        contents = [t.cast("t.IO[bytes]", tar.extractfile(name)).read() for name in tar.getnames()]
    assert contents == ["Grüezi\n".encode(), PROGRAM]


def test_commands_run_after_the_files_and_before_the_identity_is_forgotten() -> None:
    inputs: build_image.Inputs = {
        **INPUTS,
        "files": [{"path": "/a", "content": ""}],
        "commands": [["first"], ["second"]],
    }
    preset, files, first, second, *forget = build_image.hooks(inputs)
    assert (preset, files) == (build_image.PRESET_HOOK, "tar-in files.tar /")
    assert first.endswith(" first")
    assert second.endswith(" second")
    assert tuple(forget) == build_image.FORGET_HOOKS


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["printf", "%s", "a b"], id="a-space"),
        pytest.param(
            ["printf", "%s", "$(touch broken); `touch broken` > broken & 'x\""], id="what-a-shell-reads"
        ),
        pytest.param(["printf", "%s", ""], id="an-empty-word"),
        pytest.param(["printf", "%s", "two\nlines"], id="two-lines"),
    ],
)
def test_words_of_a_command_arrive_as_they_are(tmp_path: Path, words: list[str]) -> None:
    (hook,) = build_image.hooks({**INPUTS, "commands": [words]})[1:-2]
    # As mmdebstrap runs it, but for the root of the tree.
    shell = ["sh", "-c", hook.replace('chroot "$1" ', "exec "), "exec", str(tmp_path)]
    assert subprocess.run(shell, check=True, capture_output=True, cwd=tmp_path).stdout.decode() == words[-1]
    assert os.listdir(tmp_path) == []


def test_boot_file_leaves_the_tree_with_its_version(tree: Path) -> None:
    assert build_image.take_boot_file(tree, "vmlinuz", tree / "taken") == "6.1"
    assert (tree / "taken").read_text() == "kernel"
    assert not list(tree.glob("boot/vmlinuz-*"))


def test_second_kernel_is_refused(tree: Path) -> None:
    (tree / "boot/vmlinuz-6.12").touch()
    with pytest.raises(build_image.BuildError, match="2 files boot/vmlinuz-"):
        build_image.take_boot_file(tree, "vmlinuz", tree / "taken")


def make_nothing(inputs: build_image.Inputs, incoming: Path, work: Path, lock: int) -> Path:
    (work / "image").mkdir()
    return work / "image"


def test_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_image, "make_image", make_nothing)
    target = tmp_path / "images/abc"
    built = [build_image.build(INPUTS, target, tmp_path / "incoming") for _run in range(2)]
    assert built == [{"changed": True}, {"changed": False}]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(build_image.BuildError("mmdebstrap ended with 25:\nno mirror"), id="a-command-fails"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), id="the-disk-is-full"),
        pytest.param(KeyboardInterrupt(), id="somebody-interrupts-it"),
    ],
)
def test_failed_build_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def make_half(inputs: build_image.Inputs, incoming: Path, work: Path, lock: int) -> Path:
        make_nothing(inputs, incoming, work, lock)
        (work / "image/vmlinuz").touch()
        raise fault

    monkeypatch.setattr(build_image, "make_image", make_half)
    with pytest.raises(type(fault)):
        build_image.build(INPUTS, tmp_path / "images/abc", tmp_path)
    assert os.listdir(tmp_path / "images") == [".lock"]


def test_interrupted_build_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_image, "make_image", make_nothing)
    (tmp_path / ".build-stale/root").mkdir(parents=True)
    build_image.build(INPUTS, tmp_path / "abc", tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "abc"]


@pytest.fixture(name="programs")
def fake_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs first in PATH that do what mmdebstrap and its helpers do to files; return their directory."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in {
        "unshare": 'shift 2; exec "$@"',
        "mmdebstrap": """
            mkdir -p root/etc root/boot
            : > root/etc/machine-id
            echo 'root:*:1:' > root/etc/shadow
            echo kernel > root/boot/vmlinuz-6.1
            echo initrd > root/boot/initrd.img-6.1""",
        "dpkg-query": r"printf 'udev\t252\nbase-files\t12\n'",
        "mke2fs": 'while [ $# -gt 2 ]; do shift; done; echo disk > "$1"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_image_of_debian_says_what_is_in_it(tmp_path: Path, programs: Path) -> None:
    target = tmp_path / "images/abc"
    build_image.build(INPUTS, target, tmp_path)
    assert sorted(os.listdir(target)) == ["image.json", "initrd.img", "root.ext4", "vmlinuz"]
    assert json.loads((target / "image.json").read_text()) == {
        "inputs": INPUTS,
        "boot": "kernel",
        "kernel_version": "6.1",
        "packages": {"base-files": "12", "udev": "252"},
        "sizes": {"initrd.img": 7, "root.ext4": 5, "vmlinuz": 7},
        "sha256": {
            "initrd.img": sha256("initrd\n"),
            "root.ext4": sha256("disk\n"),
            "vmlinuz": sha256("kernel\n"),
        },
    }


@pytest.mark.parametrize(
    ("program", "script", "message"),
    [
        pytest.param(
            "mmdebstrap",
            "mkdir root; echo no such file: /opt/setup >&2; exit 1",
            "no such file: /opt/setup",
            id="a-command-in-the-tree-fails",
        ),
        pytest.param(
            "mmdebstrap",
            "echo 'W: GPG error: trixie InRelease: NO_PUBKEY 6ED0E7B82643E131'; exit 25",
            "upgrade the package debian-archive-keyring",
            id="keys-too-old-for-the-release",
        ),
        pytest.param(
            "mmdebstrap",
            "echo 'E: Failed to fetch http://mirror/debian/InRelease'; exit 25",
            "its mirror does not answer",
            id="mirror-that-is-gone",
        ),
        pytest.param(
            "mmdebstrap",
            "echo \"E: The repository 'http://mirror/debian trixie Release' does not have a Release file.\"; exit 25",
            "its mirror does not have this release",
            id="mirror-of-something-else",
        ),
        pytest.param(
            "mke2fs", "echo 'write: No space left on device'; exit 1", "the disk is full", id="disk-full"
        ),
        pytest.param(
            "mke2fs",
            "echo 'Could not allocate block in ext2 filesystem'; exit 1",
            "enlarge base_image_size_mib",
            id="image-too-small",
        ),
        pytest.param(
            "mmdebstrap",
            "mkdir -p root/etc; : > root/etc/machine-id; echo 'root::1:' > root/etc/shadow",
            "leave out the package, file or command",
            id="a-command-leaves-a-way-in",
        ),
    ],
)
def test_build_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, programs: Path, program: str, script: str, message: str
) -> None:
    (programs / program).write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(build_image.BuildError, match=message):
        build_image.build(INPUTS, tmp_path / "images/abc", tmp_path)
    assert os.listdir(tmp_path / "images") == [".lock"]


def test_killed_build_is_made_anew(tmp_path: Path, programs: Path) -> None:
    whole = (programs / "mmdebstrap").read_text()
    (programs / "mmdebstrap").write_text("#!/bin/sh\nmkdir -p root/etc\nkill -9 $PPID\n")
    command = ["python3", build_image.__file__, "build", str(tmp_path / "images/abc"), str(tmp_path)]
    environment = os.environ | {"BASE_IMAGE_INPUTS": json.dumps(INPUTS)}
    assert subprocess.run(command, check=False, env=environment).returncode == -9
    assert [name[:7] for name in sorted(os.listdir(tmp_path / "images"))] == [".build-", ".lock"]
    (programs / "mmdebstrap").write_text(whole)
    assert subprocess.run(command, check=False, env=environment).returncode == 0
    assert sorted(os.listdir(tmp_path / "images")) == [".lock", "abc"]


def qcow2(backing_at: int = 0, version: int = 3, features: int = 0) -> bytes:
    return struct.pack(">4sIQ", b"QFI\xfb", version, backing_at).ljust(72, b"\0") + struct.pack(
        ">QQ", features, 0
    )


@pytest.fixture(name="incoming")
def incoming_cloud_image(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming/root.qcow2").write_bytes(qcow2())
    return tmp_path / "incoming"


def test_cloud_image_is_taken_as_it_is(tmp_path: Path, incoming: Path) -> None:
    digest = hashlib.sha256(qcow2()).hexdigest()
    build_image.build({"cloud_image": digest}, tmp_path / "images/abc", incoming)
    assert (tmp_path / "images/abc/root.qcow2").read_bytes() == qcow2()
    assert json.loads((tmp_path / "images/abc/image.json").read_text()) == {
        "inputs": {"cloud_image": digest},
        "boot": "firmware",
        "sizes": {"root.qcow2": len(qcow2())},
        "sha256": {"root.qcow2": digest},
    }


def test_cloud_image_that_came_damaged_is_refused(tmp_path: Path, incoming: Path) -> None:
    with pytest.raises(build_image.BuildError, match="it came with the SHA-256"):
        build_image.build({"cloud_image": "0" * 64}, tmp_path / "images/abc", incoming)
    assert os.listdir(tmp_path / "images") == [".lock"]


def test_cloud_image_that_did_not_come_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        build_image.build({"cloud_image": "0" * 64}, tmp_path / "images/abc", tmp_path)
    assert os.listdir(tmp_path / "images") == [".lock"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(qcow2(), None, id="stands-alone"),
        pytest.param(qcow2(version=2, features=4), None, id="version-2-has-no-features"),
        pytest.param(b"\xeb\x63" + bytes(510), "not in the format qcow2", id="raw"),
        pytest.param(b"QFI\xfb", "not in the format qcow2", id="cut-off"),
        pytest.param(b"", "not in the format qcow2", id="empty"),
        pytest.param(qcow2(backing_at=104), "it needs another file", id="a-file-of-the-host-behind-it"),
        pytest.param(qcow2(features=4), "it needs another file", id="its-data-in-a-file-of-the-host"),
    ],
)
def test_only_an_image_that_stands_alone_is_taken(tmp_path: Path, content: bytes, fault: str | None) -> None:
    (tmp_path / "image").write_bytes(content)
    found = build_image.qcow2_fault(tmp_path / "image")
    assert found is None if fault is None else fault in (found or "")


def test_lock_is_kept_by_the_command_of_a_killed_builder(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        inherited = f"/proc/self/fd/{lock.fileno()}"
        printed = build_image.run(["readlink", inherited], tmp_path, lock.fileno())
    assert printed == f"{tmp_path}/lock\n"


def test_temporary_files_of_a_command_are_swept_with_the_build(tmp_path: Path) -> None:
    printed = build_image.run(["mktemp"], tmp_path)
    assert Path(printed.strip()).parent == tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param(
            ["sh", "-c", "echo no mirror >&2; exit 25"],
            "sh ended with 25:\nno mirror",
            id="evidence-on-failure",
        ),
        pytest.param(["mmdebstrap-is-not-here"], "is not installed", id="missing-program"),
    ],
)
def test_failed_command_explains_itself(tmp_path: Path, command: list[str], message: str) -> None:
    with pytest.raises(build_image.BuildError, match=message):
        build_image.run(command, tmp_path)


def test_room_is_measured_above_what_does_not_exist_yet(tmp_path: Path) -> None:
    measured = build_image.room(tmp_path / "cache/images/abc")
    assert measured["path"] == str(tmp_path)
    assert os.listdir(tmp_path) == []


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text())


def test_every_guest_file_is_an_input() -> None:
    guest = ROLE / "files/guest"
    present = sorted(str(path.relative_to(guest)) for path in guest.rglob("*") if path.is_file())
    assert load("vars/main.yml")["__base_image_guest_files"] == present
