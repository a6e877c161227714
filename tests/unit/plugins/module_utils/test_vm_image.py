# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: what a directory holds, and what does not go with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_image
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Image, VmError
from vms import OF_THE_CLOUD, VM

KERNEL = ("vmlinuz", "initrd.img", "root.ext4")
CLOUD = ("root.qcow2",)


def image(place: Path, files: tuple[str, ...], description: str | bytes | None) -> str:
    for name in files:
        (place / name).touch()
    if description is not None:
        data = description if isinstance(description, bytes) else description.encode()
        (place / "image.json").write_bytes(data)
    return str(place)


@pytest.mark.parametrize(
    ("files", "description", "found"),
    [
        pytest.param(KERNEL, '{"boot": "kernel"}', Image("root.ext4"), id="kernel"),
        pytest.param(KERNEL, None, Image("root.ext4"), id="kernel-without-description"),
        pytest.param(
            ("vmlinuz", "initrd.img", "root.qcow2"), None, Image("root.qcow2"), id="kernel-with-qcow2"
        ),
        pytest.param(CLOUD, '{"boot": "firmware"}', Image("root.qcow2", "firmware"), id="cloud-image"),
    ],
)
def test_an_image_is_one_or_the_other(
    tmp_path: Path, files: tuple[str, ...], description: str | None, found: Image
) -> None:
    read = _vm_image.read(image(tmp_path, files, description))
    assert read == dataclasses.replace(found, root=str(tmp_path / found.root))


@pytest.mark.parametrize(
    ("files", "description", "says"),
    [
        pytest.param(
            (),
            None,
            "lacks vmlinuz, initrd.img, root.ext4 or root.qcow2, an image.json by which it boots by firmware; build",
            id="empty",
        ),
        pytest.param(CLOUD, None, "lacks vmlinuz, initrd.img, an image.json by which", id="neither"),
        pytest.param(CLOUD, '{"boot": "kernel"}', "lacks vmlinuz, initrd.img; build", id="no-kernel"),
        pytest.param(("vmlinuz", "root.ext4"), None, "lacks initrd.img; build", id="half-a-kernel"),
        pytest.param((), '{"boot": "firmware"}', "lacks root.ext4 or root.qcow2; build", id="no-disk"),
        pytest.param(
            (*KERNEL, *CLOUD), '{"boot": "firmware"}', "has vmlinuz, initrd.img, and its", id="both"
        ),
        pytest.param(CLOUD, '{"boot": ["firmware"]}', "boots by ['firmware']; build", id="unknown-boot"),
        pytest.param(CLOUD, "{", "does not say how the image boots: JSONDecodeError", id="no-json"),
        pytest.param(CLOUD, b"\xff", "does not say how the image boots: UnicodeDecodeError", id="no-text"),
        pytest.param(CLOUD, "[]", "does not say how the image boots: TypeError", id="json-of-another-kind"),
        pytest.param(CLOUD, "{}", "does not say how the image boots: KeyError", id="without-boot"),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, files: tuple[str, ...], description: str | bytes | None, says: str
) -> None:
    with pytest.raises(VmError) as refusal:
        _vm_image.read(image(tmp_path, files, description))
    assert says in str(refusal.value)
    assert str(refusal.value).endswith("anew with the role detnet.testbed.base_image") or str(
        refusal.value
    ).endswith("build it with the role detnet.testbed.base_image")


@pytest.fixture
def kernel_image(tmp_path: Path) -> Image:
    """An image of 3 MiB and a byte."""
    with (tmp_path / "root.ext4").open("wb") as file:
        file.truncate((3 << 20) + 1)
    return Image(str(tmp_path / "root.ext4"))


@pytest.fixture
def cloud_image(tmp_path: Path) -> Image:
    """An image in which a guest sees 3 MiB and a byte."""
    (tmp_path / "root.qcow2").write_bytes(b"QFI\xfb".ljust(24, b"\0") + ((3 << 20) + 1).to_bytes(8, "big"))
    return Image(str(tmp_path / "root.qcow2"), "firmware")


def test_an_image_that_boots_by_itself_takes_all_options(cloud_image: Image) -> None:
    assert list(_vm_image.faults(OF_THE_CLOUD, cloud_image)) == []
    assert list(_vm_image.faults(VM, cloud_image)) == []


@pytest.mark.parametrize("kind", ["kernel_image", "cloud_image"])
@pytest.mark.parametrize(("size_mib", "taken"), [(3, False), (4, True)], ids=["smaller", "as-large"])
def test_a_disk_has_room_for_its_image(
    request: pytest.FixtureRequest, kind: str, size_mib: int, taken: bool
) -> None:
    vm = dataclasses.replace(VM, disk=Disk(size_mib=size_mib))
    found = list(_vm_image.faults(vm, request.getfixturevalue(kind)))
    assert found == ([] if taken else ["disk.size_mib=3 is less than the 4 of its image; raise it"])


def test_an_image_whose_kernel_is_started_has_neither_cloud_init_nor_a_boot_loader(
    kernel_image: Image,
) -> None:
    assert list(_vm_image.faults(VM, kernel_image)) == []
    first, second = _vm_image.faults(OF_THE_CLOUD, kernel_image)
    assert first.startswith(
        "user_data is for cloud-init, which an image whose kernel QEMU starts does not have;"
    )
    assert second.startswith("firmware=uefi is for what boots from the disk")


@pytest.mark.parametrize(
    ("descriptors", "there"),
    [
        pytest.param({}, False, id="none"),
        pytest.param({"50-bios.json": '{"interface-types": ["bios"]}'}, False, id="another-firmware"),
        pytest.param({"60-x.json": '{"interface-types": ["uefi"]}'}, True, id="uefi"),
        pytest.param(
            {"10-x.json": "{", "20-x.json": "[]", "60-x.json": '{"interface-types": ["uefi"]}'},
            True,
            id="uefi-beside-garbage",
        ),
    ],
)
def test_a_firmware_is_found_by_its_description(
    tmp_path: Path, descriptors: dict[str, str], there: bool
) -> None:
    place = tmp_path / "usr/share/qemu/firmware"
    place.mkdir(parents=True)
    for name, text in descriptors.items():
        (place / name).write_text(text)
    assert _vm_image.has_uefi(str(tmp_path)) is there
