# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that VMs boot from, as it lies on the host, and what does not go with it."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._domain_xml import DISK_FORMATS
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Image, Vm, VmError

DESCRIPTION = "image.json"
QCOW2_MAGIC = b"QFI\xfb"
KERNEL_FILES = ("vmlinuz", "initrd.img")
ROOT_FILES = tuple(f"root{suffix}" for suffix in DISK_FORMATS)
BUILDER = "the role detnet.testbed.base_image"
# Each says of a firmware for QEMU what it is, for libvirt to choose one: qemu/docs/interop/firmware.json
FIRMWARES = ("usr/share/qemu/firmware/*.json", "etc/qemu/firmware/*.json")


def read(directory: str) -> Image:
    """Return the image in a directory. Raises VmError if it is none, OSError if it cannot be read."""
    boot = _boot(directory)
    kernel = [name for name in KERNEL_FILES if os.path.isfile(os.path.join(directory, name))]
    if boot == "firmware" and kernel:
        raise VmError(
            f"the image {directory} has {', '.join(kernel)}, and its {DESCRIPTION} says that it boots by firmware;"
            f" build it anew with {BUILDER}"
        )
    missing = [name for name in KERNEL_FILES if boot != "firmware" and name not in kernel]
    roots = [path for name in ROOT_FILES if os.path.isfile(path := os.path.join(directory, name))]
    if not roots:
        missing.append(" or ".join(ROOT_FILES))
    if boot is None and not kernel:
        missing.append(f"an {DESCRIPTION} by which it boots by firmware")
    if missing:
        raise VmError(f"the image {directory} lacks {', '.join(missing)}; build it with {BUILDER}")
    return Image(roots[0], boot or "kernel")


def faults(vm: Vm, image: Image) -> t.Iterator[str]:
    """Yield what of a VM does not go with its image. Raises OSError if the image cannot be read."""
    size = qcow2_bytes(image.root)
    has_mib = -(-(os.path.getsize(image.root) if size is None else size) >> 20)
    if vm.disk.size_mib is not None and vm.disk.size_mib < has_mib:
        yield f"disk.size_mib={vm.disk.size_mib} is less than the {has_mib} of its image; raise it"
    if image.boot == "firmware":
        return
    way_out = f"leave it out, or choose an image that boots by itself than {vm.image}"
    if vm.user_data_sha256 is not None:
        yield f"user_data is for cloud-init, which an image whose kernel QEMU starts does not have; {way_out}"
    if vm.firmware != "bios":
        yield f"firmware={vm.firmware} is for what boots from the disk, and QEMU starts this image's kernel; {way_out}"


def qcow2_bytes(path: str) -> int | None:
    """Return the size of a disk as its guest sees it, None if the file is no qcow2 image. Raises OSError.

    Big-endian, bytes 24 to 31: https://www.qemu.org/docs/master/interop/qcow2.html
    """
    with open(path, "rb") as disk:
        header = disk.read(32)
    return int.from_bytes(header[24:32], "big") if header.startswith(QCOW2_MAGIC) else None


def has_uefi(root: str = "/") -> bool:
    """Return whether a UEFI firmware for QEMU is installed."""
    for path in (path for places in FIRMWARES for path in glob.glob(os.path.join(root, places))):
        # What is garbage or unreadable, libvirt cannot choose.
        with (
            contextlib.suppress(OSError, ValueError, KeyError, TypeError),
            open(path, encoding="utf-8") as file,
        ):
            if "uefi" in json.load(file)["interface-types"]:
                return True
    return False


def _boot(directory: str) -> str | None:
    """Return how an image says that it boots, None if it says nothing."""
    path = os.path.join(directory, DESCRIPTION)
    try:
        with open(path, encoding="utf-8") as file:
            boot = json.load(file)["boot"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as exc:
        raise VmError(
            f"{path} does not say how the image boots: {exc!r}; build it anew with {BUILDER}"
        ) from exc
    if boot not in ("kernel", "firmware"):
        raise VmError(f"{path} says that the image boots by {boot!r}; build it anew with {BUILDER}")
    return str(boot)
