# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine has room for VMs."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_preflight
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface, Vm

VM = Vm(1, "a-vm-01", 256, 1, "/i", "/d/vm-01", "127.0.0.1", "")
SMALL = dataclasses.replace(VM, name="a-vm-02", memory_mib=2)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A machine of which the CPUs 0 to 2 and 4 are online."""
    (tmp_path / "sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/online").write_text("0-2,4\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        pytest.param({}, None, id="a-vm-without-a-place"),
        pytest.param({"vcpu_cpus": ("4",), "emulator_cpus": "0-2"}, None, id="all-online"),
        pytest.param({"vcpu_cpus": ("3",)}, "vcpu_cpus[0] has CPU 3, and online", id="offline"),
        pytest.param({"vcpu_cpus": ("2-9",)}, "vcpu_cpus[0] has CPU 3,5-9, and online", id="partly-unknown"),
        pytest.param({"emulator_cpus": "8"}, "emulator_cpus has CPU 8, and online", id="of-the-emulator"),
    ],
)
def test_a_cpu_that_is_not_online_is_named(root: str, place: dict[str, t.Any], says: str | None) -> None:
    problems = _vm_preflight.offline_cpus([SMALL, dataclasses.replace(VM, **place)], root)
    if says is None:
        assert problems == []
    else:
        (problem,) = problems
        assert problem == (
            f"VM a-vm-01: {says} on this host are 0-2,4; name some of those, or bring it online"
        )


@pytest.mark.parametrize(
    ("accelerator", "version", "refused"),
    [
        pytest.param("tcg", (7, 0), True, id="does-not-know-the-cpu-model"),
        pytest.param("tcg", (8, 1), True, id="drops-what-keeps-qemu-alive"),
        pytest.param("tcg", (8, 2), False, id="the-first-that-does"),
        pytest.param("tcg", (10, 0), False, id="a-later-one"),
        pytest.param("kvm", (7, 0), False, id="kvm-does-not-need-it"),
    ],
)
def test_without_kvm_an_old_libvirt_is_refused(
    accelerator: str, version: tuple[int, int], refused: bool
) -> None:
    vm = dataclasses.replace(VM, accelerator=accelerator)
    problems = _vm_preflight.old_libvirt([vm], version)
    assert [problem.startswith("VM a-vm-01: without KVM it takes libvirt 8.2") for problem in problems] == [
        True
    ] * refused


def test_a_machine_that_tells_of_no_cpu_has_none(tmp_path: Path) -> None:
    (problem,) = _vm_preflight.offline_cpus([dataclasses.replace(VM, vcpu_cpus=["0"])], str(tmp_path))
    assert "online on this host are none" in problem


def pci(root: str, device: str, *files: str) -> None:
    place = Path(root) / "sys/bus/pci/devices" / device
    place.mkdir(parents=True)
    for name in files:
        (place / name).touch()


def test_a_device_that_the_host_cannot_give_away_is_named(root: str) -> None:
    pci(root, "0000:03:10.0", "iommu_group")
    pci(root, "0000:03:10.2")
    devices = ("0000:03:10.0", "0000:03:10.2", "0000:03:10.4")
    problems = _vm_preflight.missing_devices([dataclasses.replace(VM, host_devices=devices), SMALL], root)
    assert [problem.partition(",")[0].partition(";")[0] for problem in problems] == [
        "VM a-vm-01: the PCI device 0000:03:10.2 is in no IOMMU group",
        "VM a-vm-01: the host has no PCI device 0000:03:10.4",
    ]


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 300 << 20})
    monkeypatch.setattr(_vm_preflight.shutil, "disk_usage", lambda _place: usage)
    assert _vm_preflight.missing_space([VM]) == []
    (problem,) = _vm_preflight.missing_space([VM, SMALL])
    assert problem == "/ has 300 MiB free, 2 VMs need 512 MiB; free some, or choose another state_dir"


def test_an_address_of_another_machine_is_named() -> None:
    (problem,) = _vm_preflight.taken_ports([dataclasses.replace(VM, management_address="192.0.2.1")])
    assert problem.startswith("VM a-vm-01: its management port 192.0.2.1:20001 cannot be bound: ")


def test_qemu_as_server_needs_the_directory_only() -> None:
    def serves(path: str) -> Vm:
        return dataclasses.replace(VM, interfaces=(Interface("", path, socket_server="qemu"),))

    assert _vm_preflight.missing_sockets([serves("/usr/new.sock")]) == []
    (problem,) = _vm_preflight.missing_sockets([serves("/missing/new.sock")])
    assert "the directory of /missing/new.sock is missing" in problem
