"""The builder of the guest image: what it asks mmdebstrap for, and what it refuses to publish."""

from __future__ import annotations

import io
import os
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
    "packages": ["tcpdump"],
    "size_mib": 64,
    "guest_files": {"etc/inetd.conf": "echo dgram udp wait root internal\n"},
}


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
        pytest.param({"root/.ssh/authorized_keys": ""}, ["root/.ssh/authorized_keys"], id="a-way-in"),
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
    assert {*build_image.SYSTEM_PACKAGES, "tcpdump"} == set(include.removeprefix("--include=").split(","))


def test_guest_configuration_belongs_to_root_and_masks_units() -> None:
    files = INPUTS["guest_files"] | {"usr/bin/command": "#!/usr/bin/python3\n"}
    with tarfile.open(fileobj=io.BytesIO(build_image.guest_tar(files))) as tar:
        members = {member.name: member for member in tar}
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert members["etc/inetd.conf"].mode == 0o644
    assert members["usr/bin/command"].mode == 0o755
    assert members["etc/systemd/system/getty.target"].linkname == "/dev/null"


def test_boot_file_leaves_the_tree_with_its_version(tree: Path) -> None:
    assert build_image.take_boot_file(tree, "vmlinuz", tree / "taken") == "6.1"
    assert (tree / "taken").read_text() == "kernel"
    assert not list(tree.glob("boot/vmlinuz-*"))


def test_second_kernel_is_refused(tree: Path) -> None:
    (tree / "boot/vmlinuz-6.12").touch()
    with pytest.raises(build_image.BuildError, match="2 files boot/vmlinuz-"):
        build_image.take_boot_file(tree, "vmlinuz", tree / "taken")


def make_nothing(inputs: build_image.Inputs, work: Path, lock: int) -> Path:
    (work / "image").mkdir()
    return work / "image"


def make_half(inputs: build_image.Inputs, work: Path, lock: int) -> Path:
    make_nothing(inputs, work, lock)
    raise build_image.BuildError("mmdebstrap ended with 25:\nno mirror")


def test_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_image, "make_image", make_nothing)
    target = tmp_path / "images/abc"
    assert [build_image.build(INPUTS, target) for _run in range(2)] == [{"changed": True}, {"changed": False}]


def test_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_image, "make_image", make_half)
    with pytest.raises(build_image.BuildError):
        build_image.build(INPUTS, tmp_path / "images/abc")
    assert os.listdir(tmp_path / "images") == [".lock"]


def test_interrupted_build_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_image, "make_image", make_nothing)
    (tmp_path / ".build-stale/root").mkdir(parents=True)
    build_image.build(INPUTS, tmp_path / "abc")
    assert sorted(os.listdir(tmp_path)) == [".lock", "abc"]


def test_lock_is_kept_by_the_command_of_a_killed_builder(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        inherited = f"/proc/self/fd/{lock.fileno()}"
        printed = build_image.run(["readlink", inherited], tmp_path, lock.fileno())
    assert printed == f"{tmp_path}/lock\n"


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
