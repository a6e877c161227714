# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dpdk_info on this machine, whatever that has."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.modules import dpdk_info

if t.TYPE_CHECKING:
    from pathlib import Path

Run = t.Callable[..., dict[str, t.Any]]


@pytest.mark.parametrize("check_mode", [pytest.param(False, id="a-run"), pytest.param(True, id="check-mode")])
def test_tells_of_a_prefix_and_changes_nothing(run: Run, tmp_path: Path, check_mode: bool) -> None:
    libraries = tmp_path / "24.11.1-0123" / "lib"
    (libraries / "pkgconfig").mkdir(parents=True)
    (libraries / "pkgconfig" / "libdpdk.pc").write_text(f"libdir={libraries}\nVersion: 24.11.1\n")
    (libraries / "librte_net_tap.so.25").touch()
    result = run(dpdk_info.main, check_mode=check_mode, prefix_dir=str(tmp_path))
    assert result["changed"] is False
    assert [found for found in result["installations"] if found["origin"] == "prefix"] == [
        {
            "version": "24.11.1",
            "origin": "prefix",
            "prefix": str(libraries.parent),
            "pkg_config_path": str(libraries / "pkgconfig"),
            "state": "foreign",
            "drivers": ["net/tap"],
            "package": None,
            "built": None,
        }
    ]


def test_tells_of_a_machine_without_any_prefix(run: Run, tmp_path: Path) -> None:
    result = run(dpdk_info.main, prefix_dir=str(tmp_path / "nowhere"))
    assert {found["origin"] for found in result["installations"]} <= {"distribution", "local"}
    assert set(result["kernel_drivers"]) == {"vfio-pci", "uio_pci_generic", "igb_uio"}
    assert all(pages["size_kib"] > 0 for pages in result["hugepages"])
    assert all(device["address"] for device in result["devices"])
