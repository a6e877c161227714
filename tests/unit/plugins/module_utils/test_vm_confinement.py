# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process in a small /proc is confined, and this one in the real /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_confinement
from ansible_collections.detnet.testbed.plugins.module_utils._vm_confinement import Confinement

CONFINED = "Name:\tqemu\nUid:\t64055\t64055\t64055\t64055\nCapEff:\t0000000000000000\nSeccomp:\t2\n"
FREE = "Name:\tqemu\nUid:\t64055\t0\t0\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n"
UNKNOWN = Confinement(None, None, None, None, None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a host whose process 70 has mounts of its own."""
    for pid, mounts in (("70", 4026532406), ("self", 4026531832)):
        (tmp_path / "proc" / pid / "ns").mkdir(parents=True)
        (tmp_path / "proc" / pid / "ns/mnt").symlink_to(f"mnt:[{mounts}]")
    (tmp_path / "proc/70/attr").mkdir()
    return tmp_path


def test_a_process_that_is_confined(root: Path) -> None:
    (root / "proc/70/status").write_text(CONFINED)
    (root / "proc/70/attr/current").write_text("libvirt-0e1f (enforce)\n")
    expected = Confinement(64055, 0, system_call_filter=True, own_mounts=True, label="libvirt-0e1f (enforce)")
    assert _vm_confinement.read(70, str(root)) == expected
    assert list(_vm_confinement.differences(vars(expected))) == []


def test_a_process_that_is_free(root: Path) -> None:
    (root / "proc/70/status").write_text(FREE)
    (root / "proc/70/attr/current").write_text("unconfined\n")
    (root / "proc/70/ns/mnt").unlink()
    (root / "proc/70/ns/mnt").symlink_to("mnt:[4026531832]")
    found = _vm_confinement.read(70, str(root))
    assert found == Confinement(
        0, 0x1FFFFFFFFFF, system_call_filter=False, own_mounts=False, label="unconfined"
    )
    settings = [setting for setting, _wanted, _real, _why in _vm_confinement.differences(vars(found))]
    assert settings == ["user", "capabilities", "system_call_filter", "own_mounts", "label"]


@pytest.mark.parametrize("status", [None, "", "garbage", "Uid:\nCapEff:\nSeccomp:\n"])
def test_a_process_that_has_ended_or_is_ending(tmp_path: Path, status: str | None) -> None:
    if status is not None:
        (tmp_path / "proc/70").mkdir(parents=True)
        (tmp_path / "proc/70/status").write_text(status)
    assert _vm_confinement.read(70, str(tmp_path)) == UNKNOWN
    assert list(_vm_confinement.differences(vars(UNKNOWN))) == []


def test_this_process() -> None:
    found = _vm_confinement.read(os.getpid())
    assert (found.user_id, found.own_mounts) == (os.geteuid(), False)
