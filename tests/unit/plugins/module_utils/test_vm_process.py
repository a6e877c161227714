# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU process in a small /proc: its threads, its guest's pages and its age."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_process
from ansible_collections.detnet.testbed.plugins.module_utils._vm_process import Pages, Thread
from hypothesis import given
from hypothesis import strategies as st

# Lines of QEMU 7.2 under Linux 6.18, and what libvirt 9.0 had it map for its guest.
PROGRAM = """\
5649e71b8000 default file=/usr/bin/qemu-system-x86_64 mapped=312 N0=312 kernelpagesize_kB=4
564a19ad1000 default heap anon=2086 dirty=2086 active=0 N0=2086 kernelpagesize_kB=4
7f40afc00000 default anon=85504 dirty=85504 active=0 N0=85504 kernelpagesize_kB=4
7f3a3ffff000 default
7ffd8f7d2000 default stack:4117 anon=4 dirty=4 N0=4 kernelpagesize_kB=4
"""
PLACE = "file=/dev/hugepages/libvirt/qemu/1-a-vm-01"
HUGE = f"7f3a40000000 bind:0 {PLACE}/qemu_back_mem._objects_ram-node0.QkG8Ws\\040(deleted) huge dirty=128"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def thread(root: Path, number: int, name: str, cpus: str = "0-1", pid: int = 70) -> None:
    text = f"Name:\t{name}\nUmask:\t0022\nCpus_allowed:\t3\nCpus_allowed_list:\t{cpus}\n"
    write(root, f"proc/{pid}/task/{number}/status", text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a host on which the VM a-vm-01 runs as process 70."""
    write(tmp_path, "run/libvirt/qemu/a-vm-01.pid", "70\n")
    write(tmp_path, "proc/70/cmdline", "qemu-system-x86_64\0-name\0guest=a-vm-01,debug-threads=on\0-S\0")
    write(tmp_path, "proc/70/numa_maps", f"{PROGRAM}{HUGE} N0=128 kernelpagesize_kB=2048\n")
    start = 100 * os.sysconf("SC_CLK_TCK")
    write(tmp_path, "proc/70/stat", f"70 (CPU (0) qemu) S {' '.join('0' * 18)} {start} 461 467 1 2\n")
    write(tmp_path, "proc/stat", "cpu  1 2 3\nbtime 1795260908\nprocesses 7\n")
    write(tmp_path, "proc/uptime", "160.48 27043.03\n")
    thread(tmp_path, 70, "qemu-system-x86")
    thread(tmp_path, 71, "CPU 0/KVM", "4")
    thread(tmp_path, 72, "IO iothread1", "2-3")
    return tmp_path


def test_all_of_a_process(root: Path) -> None:
    process = _vm_process.read("a-vm-01", 1, str(root))
    assert process == _vm_process.Process(
        pid=70,
        threads=[
            Thread(70, "qemu-system-x86", "0-1"),
            Thread(71, "CPU 0/KVM", "4", vcpu=0),
            Thread(72, "IO iothread1", "2-3", io_thread=1),
        ],
        pages=[Pages(node=0, size_kib=2048, pages=128)],
        started=datetime.datetime.fromtimestamp(1795261008, datetime.UTC),
        uptime_s=60.48,
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("run/libvirt/qemu/a-vm-01.pid", None, id="no-note"),
        pytest.param("run/libvirt/qemu/a-vm-01.pid", "", id="an-empty-note"),
        pytest.param("run/libvirt/qemu/a-vm-01.pid", "seventy", id="a-note-of-something-else"),
        pytest.param("proc/70/cmdline", None, id="a-process-that-has-ended"),
        pytest.param("proc/70/cmdline", "", id="a-process-that-is-ending"),
        pytest.param("proc/70/cmdline", "sleep\09\0", id="a-number-that-is-anothers-now"),
        pytest.param(
            "proc/70/cmdline",
            "qemu\0-name\0guest=a-vm-011,debug-threads=on\0",
            id="another-vm-of-a-longer-name",
        ),
    ],
)
def test_no_process(root: Path, path: str, text: str | None) -> None:
    (root / path).unlink()
    if text is not None:
        (root / path).write_text(text)
    assert _vm_process.read("a-vm-01", 1, str(root)) is None


def test_what_ends_or_is_refused_while_it_is_read_is_unknown(root: Path) -> None:
    for path in ("numa_maps", "stat", "task/70/status"):
        (root / "proc/70" / path).unlink()
    thread(root, 71, "CPU 0/KVM", "")
    (root / "proc/70/task/72/status").write_text("Name:\tIO iothread1\n")
    process = _vm_process.read("a-vm-01", 1, str(root))
    assert process is not None
    assert (process.pages, process.started, process.uptime_s) == (None, None, None)
    assert [(of.id, of.cpus) for of in process.threads] == [(71, ""), (72, None)]


def test_a_machine_that_does_not_tell_the_time(root: Path) -> None:
    for path in ("proc/stat", "proc/uptime"):
        (root / path).write_text("garbage")
    assert _vm_process.age(70, str(root)) == (None, None)


def test_one_thread_of_tcg_serves_all_vcpus(tmp_path: Path) -> None:
    thread(tmp_path, 70, "qemu-system-x86")
    thread(tmp_path, 80, "ALL CPUs/TCG", "1")
    found = _vm_process.threads(70, 2, str(tmp_path))
    assert [(of.id, of.vcpu, of.cpus) for of in found] == [(70, None, "0-1"), (80, 0, "1"), (80, 1, "1")]


def test_threads_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, name in ((1000, "CPU 1/TCG"), (999, "CPU 0/TCG"), (70, "worker")):
        thread(tmp_path, number, name)
    assert [of.vcpu for of in _vm_process.threads(70, 2, str(tmp_path))] == [None, 0, 1]


@pytest.mark.parametrize(
    ("numa_maps", "pages"),
    [
        pytest.param("", [], id="none"),
        pytest.param(PROGRAM, [], id="memory-of-qemu-itself"),
        pytest.param(
            f"{HUGE} N0=100 N1=28 kernelpagesize_kB=2048\n", [Pages(0, 2048, 100), Pages(1, 2048, 28)], id="two-nodes"
        ),
        pytest.param(
            f"{HUGE} N1=1 kernelpagesize_kB=1048576\n{HUGE} N1=2 kernelpagesize_kB=1048576\n",
            [Pages(1, 1 << 20, 3)],
            id="two-mappings",
        ),
        pytest.param(
            "7f3a40000000 default file=/memfd:pc.ram\\040(deleted) dirty=300 N0=300 kernelpagesize_kB=4\n",
            [Pages(0, 4, 300)],
            id="small-pages-of-a-memfd",
        ),
        pytest.param(
            "7f3a40000000 default file=/var/lib/libvirt/qemu/ram/1-a/ram-node0 dirty=3 N0=3 kernelpagesize_kB=4\n",
            [Pages(0, 4, 3)],
            id="small-pages-of-a-file",
        ),
        pytest.param("7f3a40000000 default file=/anon_hugepage\\040(deleted) huge\n", [], id="nothing-used-yet"),
        pytest.param("garbage\n\n=\nhuge N0= kernelpagesize_kB=\n", [], id="garbage"),
    ],
)  # fmt: skip
def test_pages_of_the_guest(numa_maps: str, pages: list[Pages]) -> None:
    assert _vm_process.guest_pages(numa_maps) == pages


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    _vm_process.guest_pages(text)
    _vm_process.fields(text)


def test_what_a_process_gets_that_nobody_pins(tmp_path: Path) -> None:
    assert _vm_process.own_cpus(str(tmp_path)) is None
    write(tmp_path, "proc/self/status", "Name:\tpython3\nCpus_allowed_list:\t0-3,8\n")
    assert _vm_process.own_cpus(str(tmp_path)) == "0-3,8"
