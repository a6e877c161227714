"""The check of an image: it finds whatever differs from what the builder noted."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.roles.base_image.files import check_image

FILES = {"vmlinuz": b"kernel", "initrd.img": b"initrd", "root.ext4": b"disk"}


def write_image(directory: Path, boot: str, files: dict[str, bytes]) -> Path:
    description = {
        "boot": boot,
        "sizes": {name: len(content) for name, content in files.items()},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in {**files, "image.json": json.dumps(description).encode()}.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture(name="image")
def image_of_debian(tmp_path: Path) -> Path:
    return write_image(tmp_path, "kernel", FILES)


def without(name: str) -> Callable[[Path], t.Any]:
    return lambda image: (image / name).unlink()


def write(name: str, content: str) -> Callable[[Path], t.Any]:
    return lambda image: (image / name).write_text(content)


@pytest.mark.parametrize("sums", [pytest.param(True, id="sums"), pytest.param(False, id="sizes")])
def test_whole_image_has_no_faults(image: Path, sums: bool) -> None:
    assert check_image.faults(image, sums) == []


def test_whole_cloud_image_has_no_faults(tmp_path: Path) -> None:
    assert check_image.faults(write_image(tmp_path, "firmware", {"root.qcow2": b"disk"}), sums=True) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        pytest.param(without("root.ext4"), "root.ext4 cannot be read: No such file", id="file-missing"),
        pytest.param(write("root.ext4", "dis"), "root.ext4 has 3 bytes in place of 4", id="file-cut-off"),
        pytest.param(without("image.json"), "its image.json does not describe it", id="no-description"),
        pytest.param(
            write("image.json", "{"), "its image.json does not describe it", id="description-cut-off"
        ),
        pytest.param(
            write("image.json", "[]"), "its image.json does not describe it", id="other-description"
        ),
        pytest.param(
            write("image.json", '{"boot": "tape", "sizes": {}, "sha256": {}}'),
            "its image.json does not describe it",
            id="boots-in-no-way-that-is-known",
        ),
        pytest.param(
            write("image.json", '{"boot": "kernel", "sizes": {}, "sha256": {}}'),
            "names other files than those that boot",
            id="description-of-nothing",
        ),
    ],
)
@pytest.mark.parametrize("sums", [pytest.param(True, id="sums"), pytest.param(False, id="sizes")])
def test_damage_is_found(image: Path, damage: Callable[[Path], t.Any], fault: str, sums: bool) -> None:
    damage(image)
    (found,) = check_image.faults(image, sums)
    assert fault in found


def test_other_content_of_the_same_size_is_found_by_its_sum(image: Path) -> None:
    (image / "root.ext4").write_text("dust")
    assert check_image.faults(image, sums=False) == []
    assert check_image.faults(image, sums=True) == ["root.ext4 has another content than it was made with"]


def test_program_prints_its_faults_and_changes_nothing(image: Path) -> None:
    (image / "vmlinuz").unlink()
    before = sorted(os.listdir(image))
    command = [sys.executable, check_image.__file__, "sizes", str(image)]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    assert json.loads(printed) == {"faults": ["vmlinuz cannot be read: No such file or directory"]}
    assert sorted(os.listdir(image)) == before
