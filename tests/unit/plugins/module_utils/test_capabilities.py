# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from what a machine is."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _capabilities, _machine
from ansible_collections.detnet.testbed.plugins.module_utils._machine import Machine, Nic, Pages

LAB = Machine(
    distribution="Debian GNU/Linux 12 (bookworm)",
    families=("debian",),
    architecture="x86_64",
    root=True,
    cpus=16,
    isolated_cpus="2-15",
    memory_mib=64000,
    available_mib=60000,
    pages=(Pages(2048, 4096, 4096),),
    hugetlbfs=("/dev/hugepages",),
    kvm_device=True,
    kvm_runs=True,
    iommu_groups=40,
    vfio=True,
    nics=(Nic("ens1f0", "ixgbe", 10000),),
    cgroups="v2",
    init="systemd",
    runtimes=("podman", "runc"),
    missing_programs=(),
    disk_path="/var/cache",
    disk_free_mib=100000,
    apt_error=None,
)


def test_a_lab_server_is_good_at_everything() -> None:
    assert {finding.status for finding in _capabilities.assess(LAB)} == {"good"}


@pytest.mark.parametrize(
    ("changes", "capability", "status", "says"),
    [
        pytest.param({"families": ("fedora",)}, "system", "blocking", "Debian", id="another-distribution"),
        pytest.param({"architecture": "aarch64"}, "system", "blocking", "x86_64", id="another-architecture"),
        pytest.param({"root": False}, "system", "blocking", "become root", id="not-root"),
        pytest.param({"apt_error": "x"}, "packages", "limited", "new images", id="no-mirror-all-installed"),
        pytest.param(
            {"apt_error": "x", "missing_programs": ("meson",)},
            "packages",
            "blocking",
            "meson",
            id="no-mirror",
        ),
        pytest.param({"isolated_cpus": ""}, "processors", "limited", "isolcpus", id="nothing-isolated"),
        pytest.param({"cpus": 1}, "processors", "blocking", "2 CPUs", id="one-cpu"),
        pytest.param(
            {"available_mib": 1000, "pages": (Pages(2048, 4, 4),)},
            "memory",
            "blocking",
            "3072 MiB",
            id="no-memory",
        ),
        pytest.param({"pages": ()}, "hugepages", "blocking", "hugetlbfs", id="kernel-without-hugepages"),
        pytest.param(
            {"pages": (Pages(2048, 0, 0),)}, "hugepages", "limited", "host_tuning", id="none-reserved"
        ),
        pytest.param({"hugetlbfs": ()}, "hugepages", "limited", "no place", id="not-mounted"),
        pytest.param({"kvm_device": False, "kvm_runs": False}, "KVM", "limited", "firmware", id="no-kvm"),
        pytest.param({"kvm_runs": False}, "KVM", "limited", "does not run under it", id="kvm-only-opens"),
        pytest.param({"kvm_runs": None}, "KVM", "limited", "install qemu", id="kvm-not-tried"),
        pytest.param({"iommu_groups": 0}, "IOMMU", "limited", "intel_iommu", id="no-iommu"),
        pytest.param({"vfio": False}, "IOMMU", "limited", "vfio-pci", id="no-vfio"),
        pytest.param({"nics": (Nic("eth0", "virtio_net", None),)}, "NICs", "limited", "ixgbe", id="no-vmdq"),
        pytest.param({"nics": ()}, "NICs", "limited", "none", id="no-nic"),
        pytest.param({"cgroups": "hybrid"}, "cgroups", "limited", "runc", id="hybrid-cgroups"),
        pytest.param({"init": "runit"}, "services", "limited", "PID 1 is runit", id="no-systemd"),
        pytest.param({"runtimes": ("runc",)}, "containers", "limited", "podman", id="no-container-runtime"),
        pytest.param({"disk_free_mib": 4095}, "disk", "blocking", "testbed_cache_dir", id="disk-full"),
    ],
)
def test_assess(changes: dict[str, t.Any], capability: str, status: str, says: str) -> None:
    findings = _capabilities.assess(dataclasses.replace(LAB, **changes))
    (finding,) = [finding for finding in findings if finding.status != "good"]
    assert (finding.capability, finding.status) == (capability, status)
    assert finding.consequence
    assert finding.remedy
    assert says in f"{finding.found} {finding.consequence} {finding.remedy}"
    assert _capabilities.pocket_possible(findings) is (status != "blocking")


def test_reserved_pages_count_as_memory() -> None:
    machine = dataclasses.replace(LAB, available_mib=1000, pages=(Pages(2048, 1100, 1100),))
    assert _capabilities.memory(machine).status == "good"


def test_vmdq_is_said_of_the_nics_that_have_it() -> None:
    nics = (Nic("a", "i40e", 40000), Nic("b", "e1000e", None))
    finding = _capabilities.nics(dataclasses.replace(LAB, nics=nics))
    assert finding.found == "a (i40e, 40000 Mbit/s, VMDq), b (e1000e, speed unknown)"


def test_the_table_keeps_its_width_and_columns() -> None:
    machine = dataclasses.replace(LAB, kvm_runs=False, init="runit")
    text = _capabilities.table(_capabilities.assess(machine), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "KVM         limited   /dev/kvm is there, but a guest does not run under it\n" in text
    assert "                      way out: boot with systemd" in text


def test_reads_a_machine_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machine, "_apt_error", lambda: None)
    files = {
        "etc/os-release": 'PRETTY_NAME="Some Linux"\nID=some\nID_LIKE="ubuntu debian"\n',
        "proc/meminfo": "MemTotal:  2048000 kB\nMemAvailable:  1024000 kB\nHugePages_Total:  7\n",
        "proc/self/mounts": "a /sys/fs/cgroup/cpu cgroup rw 0 0\nb /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        "c /dev/hugepages hugetlbfs rw 0 0\n",
        "proc/1/comm": "runit\n",
        "sys/devices/system/cpu/isolated": "1-3\n",
        "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "1\n",
        "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "0\n",
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "8\n",
        "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "6\n",
        "sys/kernel/iommu_groups/0/type": "",
        "sys/class/net/lo/speed": "",
        "sys/class/net/eth0/speed": "-1\n",
        "sys/class/net/eth0/device/class": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sys/class/net/eth0/device/driver").symlink_to("../drivers/driver")
    machine = _machine.read(str(tmp_path / "not" / "yet"), root=str(tmp_path))
    assert machine.families == ("some", "ubuntu", "debian")
    assert (machine.memory_mib, machine.available_mib) == (2000, 1000)
    assert machine.pages == (Pages(2048, 8, 6), Pages(1048576, 1, 0))
    assert machine.hugetlbfs == ("/dev/hugepages",)
    assert (machine.cgroups, machine.init, machine.isolated_cpus) == ("hybrid", "runit", "1-3")
    assert (machine.kvm_device, machine.kvm_runs, machine.vfio, machine.iommu_groups) == (
        False,
        False,
        False,
        1,
    )
    assert machine.nics == (Nic("eth0", "driver", None),)
    assert machine.disk_path == str(tmp_path)
