# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tracer of hardware latencies, in a small tree."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _hwlat
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import QuietError, ToolError

# As a kernel has them before hwlatdetect runs, and after that was killed (seen on Debian's real-time kernel 6.1).
BEFORE = {"current_tracer": "nop", "tracing_thresh": "0", "tracing_cpumask": "3", "tracing_on": "1"}
AFTER = {"current_tracer": "hwlat", "tracing_thresh": "1", "tracing_cpumask": "2", "tracing_on": "0"}


@pytest.fixture
def tracing(tmp_path: Path) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text("none /sys/kernel/debug debugfs rw 0 0\n")
    place = tmp_path / "sys/kernel/debug/tracing"
    (place / "hwlat_detector").mkdir(parents=True)
    write(place, BEFORE)
    return place


def write(place: Path, values: dict[str, str]) -> None:
    for name, value in values.items():
        (place / name).write_text(f"{value}\n")


def read(place: Path) -> dict[str, str]:
    return {name: (place / name).read_text().strip() for name in BEFORE}


def test_finds_the_tracer(tmp_path: Path, tracing: Path) -> None:
    assert _hwlat.place(str(tmp_path)) == str(tracing)


def no_debugfs(root: Path) -> None:
    (root / "proc/self/mounts").write_text("tracefs /sys/kernel/tracing tracefs rw 0 0\n")


def no_tracer(root: Path) -> None:
    (root / "sys/kernel/debug/tracing/hwlat_detector").rmdir()


def in_use(root: Path) -> None:
    (root / "sys/kernel/debug/tracing/current_tracer").write_text("function\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(no_debugfs, "debugfs is not mounted; mount it on /sys/kernel/debug", id="no-debugfs"),
        pytest.param(no_tracer, "the kernel has no tracer hwlat", id="a-kernel-without-it"),
        pytest.param(in_use, "the kernel's tracer function is in use", id="somebody-else-traces"),
    ],
)
def test_says_why_it_cannot_be_used(
    tmp_path: Path, tracing: Path, spoil: t.Callable[[Path], None], says: str
) -> None:
    spoil(tmp_path)
    with pytest.raises(ToolError) as caught:
        _hwlat.place(str(tmp_path))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="after-a-run"),
        pytest.param(KeyboardInterrupt, id="after-an-interrupt"),
        pytest.param(QuietError, id="after-a-run-that-did-not-end"),
    ],
)
def test_gives_the_settings_back(tracing: Path, fault: type[BaseException] | None) -> None:
    def use() -> None:
        with _hwlat.borrowed(str(tracing)):
            write(tracing, AFTER)
            if fault:
                raise fault

    if fault:
        with pytest.raises(fault):
            use()
    else:
        use()
    assert read(tracing) == BEFORE


def test_writes_nothing_that_has_not_changed(tracing: Path) -> None:
    times = {name: (tracing / name).stat().st_mtime_ns for name in BEFORE}
    with _hwlat.borrowed(str(tracing)):
        write(tracing, {"tracing_on": "0"})
    assert read(tracing) == BEFORE
    assert {name: (tracing / name).stat().st_mtime_ns for name in BEFORE if name != "tracing_on"} == {
        name: time for name, time in times.items() if name != "tracing_on"
    }


def test_says_what_it_cannot_give_back(tracing: Path) -> None:
    def use() -> None:
        with _hwlat.borrowed(str(tracing)):
            (tracing / "current_tracer").unlink()
            (tracing / "current_tracer").mkdir()

    with pytest.raises(QuietError, match=r"cannot give .*/current_tracer its value nop back: Is a directory"):
        use()
