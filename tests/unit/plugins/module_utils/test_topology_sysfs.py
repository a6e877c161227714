# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine read from a sysfs that the test writes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _topology, _topology_sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Cpu, Node
from core_topologies import NAMES, recorded
from host_trees import write

if t.TYPE_CHECKING:
    from pathlib import Path

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


def cpu_files(cpu: int, **of: str) -> dict[str, str]:
    return {f"{CPU}/cpu{cpu}/{name.replace('__', '/')}": text for name, text in of.items()}


TWO_NODES = {
    f"{CPU}/online": "0-1,3",
    f"{CPU}/present": "0-3",
    f"{CPU}/isolated": "3",
    **cpu_files(0, topology__core_cpus_list="0,2", topology__physical_package_id="0", topology__die_id="1"),
    **cpu_files(1, topology__core_cpus_list="1,3", topology__physical_package_id="1"),
    **cpu_files(3, topology__core_cpus_list="1,3", topology__physical_package_id="1"),
    **cpu_files(1, cache__index2__level="2", cache__index2__shared_cpu_list="1"),
    **cpu_files(1, cache__index3__level="3", cache__index3__shared_cpu_list="1,3"),
    **cpu_files(3, cache__index3__level="3", cache__index3__shared_cpu_list="1,3"),
    f"{NODE}/node0/cpulist": "0,2",
    f"{NODE}/node0/meminfo": "Node 0 MemTotal:       2048000 kB\nNode 0 MemFree:  1 kB",
    f"{NODE}/node0/distance": "10 21",
    f"{NODE}/node4/cpulist": "1,3",
    f"{NODE}/node4/meminfo": "Node 4 MemTotal:       1024 kB",
    f"{NODE}/node4/distance": "21 10",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "0",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0",
}


def test_reads_cores_caches_and_nodes(tmp_path: Path) -> None:
    topology = _topology_sysfs.read(write(tmp_path, TWO_NODES))
    assert topology.cpus == {
        0: Cpu(0, node=0, package=0, die=1, l3=0, siblings=(0,)),  # its sibling 2 is offline
        1: Cpu(1, node=4, package=1, die=0, l3=1, siblings=(1, 3)),
        3: Cpu(3, node=4, package=1, die=0, l3=1, siblings=(1, 3)),
    }
    assert topology.nodes == {0: Node(0, 2000, {0: 10, 4: 21}), 4: Node(4, 1, {0: 21, 4: 10})}
    assert (topology.offline, topology.isolated) == ((2,), (3,))
    assert topology.page_sizes_kib == (2048, 1048576)


def test_without_numa_all_is_one_node(tmp_path: Path) -> None:
    root = write(tmp_path, {f"{CPU}/online": "0-1", "proc/meminfo": "MemTotal:       4096000 kB"})
    topology = _topology_sysfs.read(root)
    assert topology.nodes == {0: Node(0, 4000, {0: 10})}
    assert {cpu.node for cpu in topology.cpus.values()} == {0}


def test_threads_share_a_cache_where_nothing_tells_of_caches(tmp_path: Path) -> None:
    siblings = {cpu: cpu_files(cpu, topology__core_cpus_list="0-1") for cpu in (0, 1)}
    topology = _topology_sysfs.read(write(tmp_path, {f"{CPU}/online": "0-1", **siblings[0], **siblings[1]}))
    assert [cpu.l3 for cpu in topology.cpus.values()] == [0, 0]


def test_a_node_without_directory_has_no_memory(tmp_path: Path) -> None:
    files = {f"{CPU}/online": "0-1", f"{NODE}/node1/cpulist": "1", f"{NODE}/node1/distance": "10"}
    topology = _topology_sysfs.read(write(tmp_path, files))
    assert {node.node: node.memory_mib for node in topology.nodes.values()} == {0: 0, 1: 0}


@pytest.mark.parametrize(
    ("files", "efficient"),
    [
        pytest.param({}, [], id="the-machine-does-not-say"),
        pytest.param({"sys/devices/cpu_atom/cpus": "1"}, [1], id="intel-names-them"),
        pytest.param(
            {**cpu_files(0, cpu_capacity="1024"), **cpu_files(1, cpu_capacity="400")}, [1], id="capacity"
        ),
        pytest.param(
            {**cpu_files(0, acpi_cppc__nominal_perf="14"), **cpu_files(1, acpi_cppc__nominal_perf="20")},
            [0],
            id="nominal-performance",
        ),
        pytest.param(
            {**cpu_files(0, cpu_capacity="1000"), **cpu_files(1, cpu_capacity="1024")},
            [],
            id="nearly-the-same",
        ),
        pytest.param(
            {**cpu_files(0, acpi_cppc__highest_perf="166"), **cpu_files(1, acpi_cppc__highest_perf="236")},
            [],
            id="ranked-silicon",
        ),
    ],
)
def test_tells_small_cores(tmp_path: Path, files: dict[str, str], efficient: list[int]) -> None:
    topology = _topology_sysfs.read(write(tmp_path, {f"{CPU}/online": "0-1", **files}))
    assert [cpu.cpu for cpu in topology.cpus.values() if cpu.efficient] == efficient


@pytest.mark.parametrize(
    ("device", "files", "node"),
    [
        pytest.param("eth2", {"sys/class/net/eth2/device/numa_node": "1"}, 1, id="interface"),
        pytest.param(
            "0000:41:00.0", {"sys/bus/pci/devices/0000:41:00.0/numa_node": "0"}, 0, id="pci-address"
        ),
        pytest.param(
            "eth2", {"sys/class/net/eth2/device/numa_node": "-1"}, None, id="the-firmware-does-not-know"
        ),
        pytest.param("veth0", {"sys/class/net/veth0/mtu": "1500"}, None, id="no-device-behind-it"),
    ],
)
def test_node_of_a_device(tmp_path: Path, device: str, files: dict[str, str], node: int | None) -> None:
    assert _topology_sysfs.device_node(device, write(tmp_path, files)) == node


def test_refuses_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="neither a network interface nor a PCI device eth9"):
        _topology_sysfs.device_node("eth9", str(tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_a_document_says_all(name: str) -> None:
    topology = recorded(name)
    assert _topology.from_document(_topology.to_document(topology)) == topology
