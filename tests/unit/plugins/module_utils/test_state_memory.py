# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and hugepages of each node."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _state_memory
from host_trees import NODE, write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_memory(tmp_path: Path) -> None:
    node = {
        "memory_mib": 64000,
        "hugepages_by_size_kib": {"2048": {"total": 512, "free": 500}, "1048576": {"total": 0, "free": 0}},
    }
    state = _state_memory.read(write_host(tmp_path))
    assert state == {
        "nodes": {"0": node, "1": node},
        "transparent_hugepages": {"enabled": "never", "defrag": "madvise"},
        "ksm_run": 0,
        "hugetlbfs_mounts": {"/dev/huge pages": {"page_size_kib": 2048}},
    }
    assert list(state["nodes"]["0"]["hugepages_by_size_kib"]) == ["2048", "1048576"]


@pytest.mark.parametrize(
    ("size", "memory_mib"),
    [
        pytest.param("8000000", 384, id="blocks-do-not-change-with-a-boot"),
        pytest.param("garbage", 64000, id="without-their-size-the-total-counts"),
    ],
)
def test_the_memory_of_a_node(size: str, memory_mib: int, tmp_path: Path) -> None:
    root = write_host(tmp_path)
    blocks = {f"{NODE}/node1/memory{block}/online": "1" for block in (8, 9, 12)}
    write(tmp_path, {"sys/devices/system/memory/block_size_bytes": size, **blocks})
    found = _state_memory.read(root)["nodes"]
    assert (found["0"]["memory_mib"], found["1"]["memory_mib"]) == (64000, memory_mib)


def test_a_kernel_without_nodes_has_one(tmp_path: Path) -> None:
    pages = "sys/kernel/mm/hugepages/hugepages-2048kB"
    files = {
        "proc/meminfo": "MemTotal:       2048000 kB",
        f"{pages}/nr_hugepages": "7",
        f"{pages}/free_hugepages": "garbage",
    }
    node = {"memory_mib": 2000, "hugepages_by_size_kib": {"2048": {"total": 7, "free": None}}}
    assert _state_memory.read(write(tmp_path, files))["nodes"] == {"0": node}


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    assert _state_memory.read(str(tmp_path)) == {
        "nodes": {"0": {"memory_mib": None, "hugepages_by_size_kib": {}}},
        "transparent_hugepages": {"enabled": None, "defrag": None},
        "ksm_run": None,
        "hugetlbfs_mounts": {},
    }


def test_nodes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = {f"{NODE}/{name}/meminfo": "" for name in ("node10", "node2", "nodes", "node2x")}
    assert list(_state_memory.read(write(tmp_path, files))["nodes"]) == ["2", "10"]


@pytest.mark.parametrize(
    ("options", "size_kib"),
    [
        pytest.param("rw,relatime,pagesize=2M", 2048, id="mib"),
        pytest.param("rw,pagesize=1024M,mode=1770", 1048576, id="a-gib-in-mib"),
        pytest.param("pagesize=1G", 1048576, id="gib"),
        pytest.param("pagesize=64K", 64, id="kib"),
        pytest.param("rw", None, id="none"),
        pytest.param("pagesize=2Q", None, id="garbage"),
        pytest.param("xpagesize=2M", None, id="another-option"),
    ],
)
def test_page_size_of_a_mount(options: str, size_kib: int | None) -> None:
    assert _state_memory.page_size_kib(options) == size_kib
