# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a VM and what is wanted, and what each change takes."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_changes
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Interface, Observed, Vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm_changes import Change
from vms import NET0, OF_ITS_OWN, PLACED, VM, with_net0

SIZED = dataclasses.replace(VM, disk=Disk(size_mib=2048))


def found(wanted: Vm, configured: Vm, running: Vm | None = None) -> list[Change]:
    return _vm_changes.changes(
        wanted, Observed("running" if running else "stopped", "uuid", configured, running)
    )


@pytest.mark.parametrize("vm", [VM, PLACED, OF_ITS_OWN])
def test_what_is_as_wanted_does_not_change(vm: Vm) -> None:
    assert found(vm, vm, vm) == []


@pytest.mark.parametrize(
    ("wanted", "has", "change"),
    [
        pytest.param(
            dataclasses.replace(PLACED, vcpu_cpus=("4", "7")),
            PLACED,
            Change("vcpu_cpus", ["4", "5-6"], ["4", "7"], "live"),
            id="pin-of-a-vcpu",
        ),
        pytest.param(
            dataclasses.replace(PLACED, emulator_cpus="0"),
            PLACED,
            Change("emulator_cpus", "0-1,8", "0", "live"),
            id="pin-of-the-emulator",
        ),
        pytest.param(
            dataclasses.replace(VM, emulator_cpus="0"),
            VM,
            Change("emulator_cpus", None, "0", "reboot"),
            id="first-pin",
        ),
        pytest.param(
            dataclasses.replace(PLACED, emulator_cpus=None),
            PLACED,
            Change("emulator_cpus", "0-1,8", None, "reboot"),
            id="no-pin-any-more",
        ),
        pytest.param(
            dataclasses.replace(VM, memory_mib=512), VM, Change("memory_mib", 256, 512, "reboot"), id="memory"
        ),
        pytest.param(
            with_net0(queue_size=256),
            VM,
            Change("interfaces[0].queue_size", 1024, 256, "reboot"),
            id="ring",
        ),
        pytest.param(
            dataclasses.replace(VM, disk=Disk(cache="none")),
            VM,
            Change("disk.cache", None, "none", "reboot"),
            id="cache-of-the-disk",
        ),
        pytest.param(
            dataclasses.replace(VM, disk=Disk(size_mib=4096)),
            SIZED,
            Change("disk.size_mib", 2048, 4096, "reboot"),
            id="larger-disk",
        ),
        pytest.param(
            dataclasses.replace(VM, disk=Disk(size_mib=1024)),
            SIZED,
            Change("disk.size_mib", 2048, 1024, "recreate"),
            id="smaller-disk",
        ),
        pytest.param(
            dataclasses.replace(VM, image="/images/2"),
            VM,
            Change("image", "/images/1", "/images/2", "recreate"),
            id="image",
        ),
        pytest.param(
            dataclasses.replace(VM, firmware="uefi"),
            VM,
            Change("firmware", "bios", "uefi", "recreate"),
            id="firmware",
        ),
        pytest.param(
            dataclasses.replace(VM, user_data_sha256="b"),
            dataclasses.replace(VM, user_data_sha256="a"),
            Change("user_data_sha256", "a", "b", "recreate"),
            id="user-data",
        ),
        pytest.param(
            dataclasses.replace(VM, host_devices=("0000:03:10.0",)),
            VM,
            Change("host_devices", [], ["0000:03:10.0"], "reboot"),
            id="device-of-the-host",
        ),
        pytest.param(dataclasses.replace(VM, id=2), VM, Change("id", 1, 2, "never"), id="id"),
        pytest.param(
            dataclasses.replace(VM, accelerator="kvm"),
            VM,
            Change("accelerator", "tcg", "kvm", "reboot"),
            id="accelerator",
        ),
    ],
)
def test_change(wanted: Vm, has: Vm, change: Change) -> None:
    assert found(wanted, has, has) == [change]


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        pytest.param(dataclasses.replace(VM, accelerator="auto"), VM, id="any-accelerator"),
        pytest.param(VM, SIZED, id="any-size-of-the-disk"),
    ],
)
def test_content_with_what_it_has(wanted: Vm, has: Vm) -> None:
    assert found(wanted, has) == []


def test_an_interface_more_is_told_by_its_options() -> None:
    more = dataclasses.replace(VM, interfaces=(NET0, Interface("02:00:00:00:00:09", "/run/9.sock")))
    added = found(more, VM)
    assert {change.apply for change in added} == {"reboot"}
    assert Change("interfaces[1].mac", None, "02:00:00:00:00:09", "reboot") in added
    assert Change("interfaces[1].mac", "02:00:00:00:00:09", None, "reboot") in found(VM, more)


def test_what_waits_for_a_restart_still_differs() -> None:
    wanted = dataclasses.replace(VM, memory_mib=512)
    assert found(wanted, wanted, VM) == [Change("memory_mib", 256, 512, "reboot", configured=True)]


def test_a_change_is_told_by_what_runs() -> None:
    wanted, configured = (dataclasses.replace(VM, memory_mib=mib) for mib in (512, 384))
    assert found(wanted, configured, VM) == [Change("memory_mib", 256, 512, "reboot")]


def test_what_was_changed_by_hand_for_the_next_start_only_differs() -> None:
    by_hand = dataclasses.replace(VM, memory_mib=512)
    assert found(VM, by_hand, VM) == [Change("memory_mib", 512, 256, "reboot")]


def test_changes_are_in_the_order_of_the_settings() -> None:
    wanted = dataclasses.replace(with_net0(mtu=9000), memory_mib=512, image="/images/2")
    assert [change.setting for change in found(wanted, VM)] == ["memory_mib", "image", "interfaces[0].mtu"]


@pytest.mark.parametrize(
    ("classes", "furthest"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param(["live", "reboot", "live"], "reboot", id="restart"),
        pytest.param(["recreate", "never", "reboot"], "never", id="never"),
    ],
)
def test_furthest(classes: list[str], furthest: str | None) -> None:
    assert _vm_changes.furthest(Change("x", 1, 2, apply) for apply in classes) == furthest


def test_each_setting_is_one_of_a_vm() -> None:
    known: dict[str, t.Any] = _vm_changes.settings(OF_ITS_OWN)
    assert set(_vm_changes.APPLIES) <= set(known)
