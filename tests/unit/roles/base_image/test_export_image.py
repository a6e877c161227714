"""What is made of an image: a disk for libvirt's pool and a Vagrant box, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.roles.base_image.files import export_image


@pytest.fixture(name="image")
def image_of_debian(tmp_path: Path) -> Path:
    image = tmp_path / "images/abc"
    image.mkdir(parents=True)
    for name in ("vmlinuz", "initrd.img"):
        (image / name).write_text(name)
    with (image / "root.ext4").open("wb") as disk:
        disk.truncate((1 << 30) + 1)
    return image


@pytest.fixture(name="qemu_img")
def fake_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a qemu-img first in PATH that writes what it was called with; return its path."""
    program = tmp_path / "programs/qemu-img"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1 $2 $3 $4 $5 $(basename "$6")" > "$7"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


@pytest.mark.parametrize(
    ("disk", "call"),
    [
        pytest.param("root.ext4", "convert -f raw -O qcow2 root.ext4\n", id="image-of-debian"),
        pytest.param("root.qcow2", "convert -f qcow2 -O qcow2 root.qcow2\n", id="cloud-image"),
    ],
)
def test_disk_is_converted_once(tmp_path: Path, qemu_img: Path, disk: str, call: str) -> None:
    (tmp_path / disk).touch()
    target = tmp_path / "pool/volume.qcow2"
    made = [export_image.export("disk", tmp_path, target) for _run in range(2)]
    assert made == [{"changed": True}, {"changed": False}]
    assert target.read_text() == call
    assert os.listdir(target.parent) == ["volume.qcow2"]


def test_box_is_what_vagrant_takes(tmp_path: Path, image: Path, qemu_img: Path) -> None:
    export_image.export("box", image, tmp_path / "boxes/abc.box")
    with tarfile.open(tmp_path / "boxes/abc.box") as box:
        members = box.getmembers()
        content = {
            member.name: t.cast("t.IO[bytes]", box.extractfile(member)).read().decode() for member in members
        }
    assert {(member.uid, member.uname, member.mode) for member in members} == {(0, "root", 0o644)}
    assert json.loads(content["metadata.json"]) == {
        "provider": "libvirt",
        "format": "qcow2",
        "virtual_size": 2,
    }
    assert f'libvirt.kernel = "{image}/vmlinuz"' in content["Vagrantfile"]
    assert f'libvirt.initrd = "{image}/initrd.img"' in content["Vagrantfile"]
    assert '"#{key}.pub"' in content["Vagrantfile"]
    assert 'sudo_command = "%c"' in content["Vagrantfile"]
    assert content["box.img"].startswith("convert")


def test_box_has_no_key_that_somebody_else_knows() -> None:
    assert "insecure" not in export_image.VAGRANTFILE
    assert "ssh-rsa" not in export_image.VAGRANTFILE
    assert "insert_key = false" in export_image.VAGRANTFILE


@pytest.mark.parametrize(
    ("kind", "script", "message"),
    [
        pytest.param("disk", "echo half > $7; exit 1", "qemu-img ended with 1", id="disk-interrupted"),
        pytest.param("box", "echo half > $7; exit 1", "qemu-img ended with 1", id="box-interrupted"),
        pytest.param(
            "disk", "echo No space left on device >&2; exit 1", "No space left on device", id="disk-full"
        ),
    ],
)
def test_failure_says_why_and_leaves_nothing(
    tmp_path: Path, image: Path, qemu_img: Path, kind: str, script: str, message: str
) -> None:
    qemu_img.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(export_image.ExportError, match=message):
        export_image.export(kind, image, tmp_path / "made/target")
    assert os.listdir(tmp_path / "made") == []


def test_missing_program_is_named(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(export_image.ExportError, match="install the package qemu-utils"):
        export_image.export("disk", image, tmp_path / "made/target")


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        pytest.param("disk", [], "there is no image in", id="no-image"),
        pytest.param(
            "box", ["root.qcow2"], "only an image made by mmdebstrap has a box", id="box-of-a-cloud-image"
        ),
    ],
)
def test_image_that_does_not_do_is_refused(tmp_path: Path, kind: str, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(export_image.ExportError, match=message):
        export_image.export(kind, tmp_path, tmp_path / "made/target")
    assert os.listdir(tmp_path / "made") == []


def test_killed_export_is_made_anew(tmp_path: Path, image: Path, qemu_img: Path) -> None:
    whole = qemu_img.read_text()
    qemu_img.write_text('#!/bin/sh\necho half > "$7"\nkill -9 $PPID\n')
    command = [sys.executable, export_image.__file__, "disk", str(image), str(tmp_path / "pool/volume")]
    assert subprocess.run(command, check=False).returncode == -9
    assert [name[:8] for name in os.listdir(tmp_path / "pool")] == [".export-"]
    qemu_img.write_text(whole)
    assert subprocess.run(command, check=False, capture_output=True).stdout == b'{"changed": true}\n'
    assert os.listdir(tmp_path / "pool") == ["volume"]
