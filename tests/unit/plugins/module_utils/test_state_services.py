# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TuneD, irqbalance, resctrl and the packages."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _state_services
from host_trees import write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_services(tmp_path: Path) -> None:
    assert _state_services.read(write_host(tmp_path)) == {
        "tuned": {"active_profile": "detnet-testbed", "running": True},
        "irqbalance": {"running": False, "banned_cpus": "2-7"},
        "resctrl": {
            "groups": {
                "/": {"cpus": "0-1", "schemata": {"L3": "0=7ff;1=7ff", "MB": "0=100;1=100"}},
                "switch": {"cpus": "2-3", "schemata": {"L3": "0=700;1=700", "MB": "0=100;1=100"}},
            }
        },
        "packages": {"dpdk": "22.11.7-1~deb12u1", "tuned": "2.20.0-1"},
        "systemd": True,
    }


def test_a_machine_without_services(tmp_path: Path) -> None:
    assert _state_services.read(str(tmp_path)) == {
        "tuned": {"active_profile": None, "running": False},
        "irqbalance": {"running": False, "banned_cpus": None},
        "resctrl": None,
        "packages": {},
        "systemd": False,
    }


FILE = "etc/default/irqbalance"


@pytest.mark.parametrize(
    ("files", "banned"),
    [
        pytest.param({FILE: "IRQBALANCE_BANNED_CPUS=fc"}, "2-7", id="a-mask"),
        pytest.param(
            {FILE: "IRQBALANCE_BANNED_CPUS=fc\nIRQBALANCE_BANNED_CPULIST=2"}, "2", id="the-list-counts"
        ),
        pytest.param({FILE: "#IRQBALANCE_BANNED_CPULIST=2-7"}, None, id="a-comment"),
        pytest.param({FILE: "IRQBALANCE_BANNED_CPULIST=x"}, None, id="garbage"),
        pytest.param({FILE: "IRQBALANCE_BANNED_CPULIST=-"}, None, id="a-word-for-nothing"),
        pytest.param({"etc/sysconfig/irqbalance": "IRQBALANCE_BANNED_CPULIST='2-3'"}, "2-3", id="red-hat"),
        pytest.param(
            {FILE: "IRQBALANCE_BANNED_CPULIST=2", "proc/9/environ": "A=b\0IRQBALANCE_BANNED_CPULIST=4-5\0"},
            "4-5",
            id="what-it-was-started-with",
        ),
    ],
)
def test_cpus_that_irqbalance_leaves_alone(tmp_path: Path, files: dict[str, str], banned: str | None) -> None:
    root = write(tmp_path, {"proc/9/comm": "irqbalance", **files})
    assert _state_services.irqbalance(root) == {"running": True, "banned_cpus": banned}


def test_resctrl_whose_files_are_garbage(tmp_path: Path) -> None:
    mounts = "resctrl /r resctrl rw 0 0"
    root = write(
        tmp_path, {"proc/self/mounts": mounts, "r/schemata": "L3\n:::\n", "r/cpus_list": "x", "r/tasks": "1"}
    )
    assert _state_services.resctrl(root) == {"groups": {"/": {"cpus": None, "schemata": {}}}}


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(FileNotFoundError(2, "dpkg-query"), id="no-dpkg"),
        pytest.param(PermissionError(13, "dpkg-query"), id="not-allowed"),
        pytest.param(subprocess.TimeoutExpired("dpkg-query", 10), id="no-answer"),
    ],
)
def test_no_packages_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
        raise failure

    monkeypatch.setattr(_state_services.subprocess, "run", fail)
    assert _state_services.packages(write_host(tmp_path)) == {}


def test_a_damaged_database_has_no_packages(tmp_path: Path) -> None:
    root = write_host(tmp_path)
    (tmp_path / "var/lib/dpkg/status").write_bytes(b"\xff\0garbage")
    assert _state_services.packages(root) == {}
