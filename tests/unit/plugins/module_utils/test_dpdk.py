# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of DPDK, found in a file system that the test writes."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _dpdk
from ansible_collections.detnet.testbed.plugins.module_utils._dpdk import Installation, PkgConfig
from host_trees import write

if t.TYPE_CHECKING:
    from pathlib import Path

PC = """prefix={prefix}
includedir=${{prefix}}/include
libdir=${{prefix}}/{libdir}

Name: DPDK
Version: {version}
Requires: libdpdk-libs, libbsd
Cflags: -I${{includedir}}
"""
BASE = "opt/detnet-testbed/dpdk"
EVERY_LIBRARY = (
    "librte_eal.so.23",
    "librte_net.a",
    "librte_net_virtio.so.23.0",
    "librte_net_virtio.a",
    "libc.so.6",
)


def release(prefix: str, version: str = "22.11.11", libdir: str = "lib", note: str = "") -> dict[str, str]:
    files = {f"{prefix}/{libdir}/{library}": "" for library in EVERY_LIBRARY}
    files[f"{prefix}/{libdir}/pkgconfig/libdpdk.pc"] = PC.format(
        prefix=f"/{prefix}", libdir=libdir, version=version
    )
    return files | ({f"{prefix}/{_dpdk.NOTE}": note} if note else {})


def status(**packages: str) -> dict[str, str]:
    """Return dpkg's list of these packages, with _ for - in their names."""
    entries = [
        f"Package: {name.replace('_', '-')}\nStatus: {state}\nMaintainer: x <x@y>\nArchitecture: all\n"
        f"Version: 1:22.11.11-0+deb12u1\nDescription: x\n"
        for name, state in packages.items()
    ]
    return {"var/lib/dpkg/status": "\n".join(entries), "var/lib/dpkg/info/format": "1\n"}


@pytest.mark.parametrize(
    ("text", "config"),
    [
        pytest.param(
            PC.format(prefix="/usr", libdir="lib/x", version="22.11"),
            PkgConfig("22.11", "/usr/lib/x"),
            id="resolves",
        ),
        pytest.param("", PkgConfig(None, None), id="empty-file"),
        pytest.param("\x00\xff=:\n==\nVersion:\nlibdir=", PkgConfig(None, None), id="garbage"),
        pytest.param(
            "libdir=${nowhere}/lib\nVersion: 24.11.1", PkgConfig("24.11.1", None), id="unknown-variable"
        ),
    ],
)
def test_reads_a_pc_file(text: str, config: PkgConfig) -> None:
    assert _dpdk.parse_pkg_config(text) == config


@pytest.mark.parametrize(
    ("libraries", "drivers"),
    [
        pytest.param(
            ["librte_net_virtio.so.23.0", "librte_net_virtio.so", "librte_net_virtio.a"],
            ["net/virtio"],
            id="once",
        ),
        pytest.param(["librte_net.so", "librte_ip_frag.so", "librte_eventdev.a"], [], id="core-libraries"),
        pytest.param(["librte_net_e1000.a", "librte_bus_pci.so"], ["bus/pci", "net/e1000"], id="in-order"),
        pytest.param(["librte_crypto_ipsec_mb.so.24"], ["crypto/ipsec_mb"], id="a-name-of-two-parts"),
        pytest.param(["librte_net_virtio.so.old", "librte_net_null.pc"], [], id="other-files"),
    ],
)
def test_tells_drivers_by_libraries(libraries: list[str], drivers: list[str]) -> None:
    assert list(_dpdk.drivers_of(libraries)) == drivers


@pytest.mark.parametrize(
    ("note", "state", "built"),
    [
        pytest.param(None, "foreign", None, id="no-note"),
        pytest.param(
            '{"state": "complete", "key": "1"}', "complete", {"state": "complete", "key": "1"}, id="complete"
        ),
        pytest.param('{"state": "building"}', "incomplete", {"state": "building"}, id="interrupted"),
        pytest.param("", "incomplete", None, id="empty-after-a-power-cut"),
        pytest.param('{"state": "comp', "incomplete", None, id="cut-off"),
        pytest.param('"complete"', "incomplete", None, id="not-an-object"),
    ],
)
def test_state_of_a_prefix(note: str | None, state: str, built: dict[str, str] | None) -> None:
    assert _dpdk.state_of(note) == (state, built)


@pytest.mark.parametrize(
    ("listed", "package", "version"),
    [
        pytest.param("", None, None, id="none"),
        pytest.param(
            "librte-eal23\t22.11.11-0+x\tinstalled\n", "librte-eal23 22.11.11-0+x", "22.11.11", id="libraries"
        ),
        pytest.param(
            "librte-eal23\t22.11.11-0\tinstalled\nlibdpdk-dev\t1:22.11.11-0\tinstalled\n",
            "libdpdk-dev 1:22.11.11-0",
            "22.11.11",
            id="headers-first",
        ),
        pytest.param(
            "libdpdk-dev\t22.11\tconfig-files\nlibrte-eal22\t\tnot-installed\n", None, None, id="removed"
        ),
        pytest.param("garbage\n\t\n", None, None, id="garbage"),
    ],
)
def test_package(listed: str, package: str | None, version: str | None) -> None:
    assert (_dpdk.package_of(listed), _dpdk.upstream_version(package)) == (package, version)


def test_finds_all_releases_and_how_to_compile_for_each(tmp_path: Path) -> None:
    note = {"state": "complete", "key": "0123"}
    root = write(
        tmp_path,
        {
            **release("usr", libdir="lib/x86_64-linux-gnu"),
            **release("usr/local", version="25.03.0", libdir="lib64"),
            **release(f"{BASE}/24.11.1-0123", version="24.11.1", note=json.dumps(note)),
            **release(f"{BASE}/24.11.1-4567", version="24.11.1", note='{"state": "building"}'),
            **release(f"{BASE}/mine", version="23.11.2"),
            f"{BASE}/24.11.1-89ab/{_dpdk.NOTE}": '{"state": "building"}',  # its build was interrupted early
            f"{BASE}/README": "a file among the prefixes",
            **status(libdpdk_dev="install ok installed", librte_eal23="install ok installed"),
        },
    )
    drivers = ("net/virtio",)
    assert _dpdk.read(root=root) == [
        Installation(
            "22.11.11",
            "distribution",
            "/usr",
            "/usr/lib/x86_64-linux-gnu/pkgconfig",
            "complete",
            drivers,
            "libdpdk-dev 1:22.11.11-0+deb12u1",
            None,
        ),
        Installation(
            "25.03.0", "local", "/usr/local", "/usr/local/lib64/pkgconfig", "complete", drivers, None, None
        ),
        Installation(
            "24.11.1",
            "prefix",
            f"/{BASE}/24.11.1-0123",
            f"/{BASE}/24.11.1-0123/lib/pkgconfig",
            "complete",
            drivers,
            None,
            note,
        ),
        Installation(
            "24.11.1",
            "prefix",
            f"/{BASE}/24.11.1-4567",
            f"/{BASE}/24.11.1-4567/lib/pkgconfig",
            "incomplete",
            drivers,
            None,
            {"state": "building"},
        ),
        Installation(
            "23.11.2",
            "prefix",
            f"/{BASE}/mine",
            f"/{BASE}/mine/lib/pkgconfig",
            "foreign",
            drivers,
            None,
            None,
        ),
    ]


def test_libraries_alone_run_programs_and_compile_none(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "usr/lib/x86_64-linux-gnu/librte_eal.so.23": "",
            "usr/lib/x86_64-linux-gnu/librte_net_memif.so.23": "",
            **status(libdpdk_dev="deinstall ok config-files", librte_eal23="install ok installed"),
        },
    )
    package = "librte-eal23 1:22.11.11-0+deb12u1"
    assert _dpdk.read(root=root) == [
        Installation("22.11.11", "distribution", "/usr", None, "complete", ("net/memif",), package, None)
    ]


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert _dpdk.read(root=write(tmp_path, status(adduser="install ok installed"))) == []


def test_lib64_that_is_a_link_counts_once(tmp_path: Path) -> None:
    root = write(tmp_path, release("usr"))
    (tmp_path / "usr/lib64").symlink_to("lib")
    assert len(_dpdk.read(root=root)) == 1


def test_a_directory_in_place_of_the_pc_file(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/pkgconfig/libdpdk.pc").mkdir(parents=True)
    (installation,) = _dpdk.read(root=str(tmp_path))
    assert (installation.version, installation.drivers) == (None, ())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FileNotFoundError("dpkg-query"), id="there-is-no-dpkg"),
        pytest.param(PermissionError("dpkg-query"), id="it-may-not-run"),
        pytest.param(subprocess.TimeoutExpired("dpkg-query", 10), id="it-hangs"),
    ],
)
def test_without_dpkg_the_pc_files_still_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_args: t.Any, **_options: t.Any) -> t.NoReturn:
        raise error

    monkeypatch.setattr(subprocess, "run", refuse)
    (installation,) = _dpdk.read(root=write(tmp_path, release("usr")))
    assert (installation.version, installation.package) == ("22.11.11", None)
