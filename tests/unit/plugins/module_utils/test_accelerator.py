# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe of KVM, with a QEMU of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _accelerator


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "qemu-system-x86_64"


@pytest.mark.parametrize(
    ("script", "works"),
    [
        pytest.param("exit 33", True, id="the-guest-wrote-to-the-port"),
        pytest.param("exit 1", False, id="kvm-cannot-be-opened"),
        pytest.param("exit 0", False, id="ended-without-the-guest"),
        pytest.param("exec /bin/sleep 10", False, id="too-slow"),
    ],
)
def test_probe(qemu: Path, script: str, works: bool) -> None:
    qemu.write_text(f"#!/bin/sh\n{script}\n")
    qemu.chmod(0o755)
    assert _accelerator.kvm_works(timeout_s=1) is works


def test_a_wanted_accelerator_is_not_probed(qemu: Path) -> None:
    assert not qemu.exists()
    assert _accelerator.choose("kvm") == "kvm"
    assert _accelerator.choose("tcg") == "tcg"


def test_the_boot_sector_is_one() -> None:
    assert len(_accelerator.BOOT_SECTOR) == 512
    assert _accelerator.BOOT_SECTOR.endswith(b"\x55\xaa")
