# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the hugepages that VMs want are there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_pages
from ansible_collections.detnet.testbed.plugins.module_utils._hugepages import Pages
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm_pages import HostPages

MIB2, GIB1 = 2048, 1048576
VM = Vm(1, "a-vm-01", 256, 1, "/i", "/d/vm-01", "127.0.0.1", "")
SMALL = dataclasses.replace(VM, name="a-vm-02", memory_mib=2)
LARGE = dataclasses.replace(VM, memory_mib=1024, page_size_kib=GIB1)
ON_1 = dataclasses.replace(VM, memory_node=1)
NO_PAGES = HostPages(0, [], {}, set())


def host(free_0: int, free_1: int = 0, gib_1: int = 0, reserved: int = 0) -> HostPages:
    """Two nodes with free pages of 2 MiB, the second with some of 1 GiB."""
    free = {(0, MIB2): free_0, (0, GIB1): 0, (1, MIB2): free_1, (1, GIB1): gib_1}
    rows = [Pages(node, size, 4096, pages, 0) for (node, size), pages in free.items()]
    return HostPages(MIB2, rows, {MIB2: reserved, GIB1: 0}, {MIB2, GIB1})


@pytest.mark.parametrize(
    ("vms", "released", "machine"),
    [
        pytest.param([], [], NO_PAGES, id="no-vm-needs-no-page"),
        pytest.param([VM], [], host(128), id="exactly-enough"),
        pytest.param([VM], [], host(64, 64), id="of-both-nodes-together"),
        pytest.param([VM], [VM], host(0), id="a-replaced-vm-gives-back-first"),
        pytest.param([ON_1], [], host(0, 128), id="on-its-node"),
        pytest.param([ON_1], [ON_1], host(0), id="given-back-on-its-node"),
        pytest.param([ON_1], [VM], host(0), id="given-back-on-whichever-node"),
        pytest.param([LARGE, VM], [], host(128, 0, 1), id="each-size-by-itself"),
        pytest.param([LARGE], [LARGE], host(0), id="given-back-of-its-size"),
    ],
)
def test_takes(vms: list[Vm], released: list[Vm], machine: HostPages) -> None:
    assert _vm_pages.problems(vms, released, machine) == []


@pytest.mark.parametrize(
    ("vms", "released", "machine", "says"),
    [
        pytest.param([VM], [], NO_PAGES, "this kernel has no hugepages", id="no-hugepages"),
        pytest.param(
            [VM], [], host(127), "VMs a-vm-01 need 128 hugepages of 2048 KiB, 127 are free; raise "
            "host_tuning_hugepages, or give the VMs less memory_mib", id="one-too-few"
        ),
        pytest.param([VM], [], host(128, reserved=1), "need 128 hugepages of 2048 KiB, 127 are", id="promised"),
        pytest.param([VM, SMALL], [], host(128), "VMs a-vm-01, a-vm-02 need 129", id="all-together"),
        pytest.param(
            [VM, ON_1], [], host(0, 128), "VMs a-vm-01, a-vm-01 need 256 hugepages of 2048 KiB, 128 are",
            id="enough-on-the-node-and-too-few-for-all"
        ),
        pytest.param(
            [ON_1, SMALL], [], host(500, 127), "VMs a-vm-01 need 128 hugepages of 2048 KiB on node 1, 127 are",
            id="too-few-on-the-node-and-enough-beside"
        ),
        pytest.param(
            [ON_1], [dataclasses.replace(VM, memory_node=0)], host(0), "on node 1, 0 are free",
            id="given-back-on-another-node"
        ),
        pytest.param(
            [LARGE], [dataclasses.replace(VM, memory_mib=1024)], host(600), "need 1 hugepages of 1048576 KiB, 0 are",
            id="given-back-of-another-size"
        ),
        pytest.param(
            [dataclasses.replace(LARGE, memory_mib=256)], [], host(0, 0, 1),
            "VM a-vm-01: memory_mib=256 is no multiple of the 1048576 KiB of a page; round up", id="part-of-a-page"
        ),
        pytest.param(
            [dataclasses.replace(VM, memory_node=2)], [], host(500),
            "VM a-vm-01: memory_node=2 is no NUMA node of this host, whose nodes are 0-1; choose one", id="no-such-node"
        ),
        pytest.param(
            [dataclasses.replace(VM, page_size_kib=0)], [], host(500),
            "VM a-vm-01: page_size_kib=0 is no size of this host's hugepages, which are 2048, 1048576; choose one",
            id="no-such-size"
        ),
        pytest.param(
            [LARGE], [], dataclasses.replace(host(0, 0, 1), mounted_kib={MIB2}),
            "VM a-vm-01: no hugetlbfs with pages of 1048576 KiB is mounted", id="not-mounted"
        ),
        pytest.param(
            [VM], [], dataclasses.replace(host(0), rows=[Pages(0, MIB2, None, None, None)]), "0 are free",
            id="a-kernel-that-does-not-tell"
        ),
    ],
)  # fmt: skip
def test_refuses(vms: list[Vm], released: list[Vm], machine: HostPages, says: str) -> None:
    (problem,) = _vm_pages.problems(vms, released, machine)
    assert says in problem


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_reads_a_machine(tmp_path: Path) -> None:
    whole = "sys/kernel/mm/hugepages/hugepages-2048kB"
    node = "sys/devices/system/node/node1/hugepages/hugepages-2048kB"
    root = write(
        tmp_path,
        {
            "proc/meminfo": "MemTotal: 1 kB\nHugepagesize:       2048 kB\n",
            "proc/self/mounts": (
                "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\ntmpfs /run tmpfs rw 0 0\n"
            ),
            f"{whole}/resv_hugepages": "3\n",
            f"{node}/nr_hugepages": "8\n",
            f"{node}/free_hugepages": "7\n",
            f"{node}/surplus_hugepages": "0\n",
        },
    )
    assert _vm_pages.read(root) == HostPages(2048, [Pages(1, 2048, 8, 7, 0)], {2048: 3}, {2048})


def test_reads_a_machine_without_hugepages(tmp_path: Path) -> None:
    assert _vm_pages.read(write(tmp_path, {"proc/meminfo": "MemTotal: 1 kB\n"})) == HostPages(
        0, [], {}, set()
    )
