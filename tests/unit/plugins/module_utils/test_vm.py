# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM as a value: what is derived, and what the options say."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm
from vms import KEY, OF_ITS_OWN, OF_THE_CLOUD, PLACED, VM, with_net0

SHARED = {
    "image": "/images/1",
    "state_dir": "/state",
    "management_address": "127.0.0.11",
    "ssh_authorized_key": f"{KEY}\n",
    "backend": "libvirt",
    "accelerator": "tcg",
}


def options(vm: _vm.Vm) -> dict[str, t.Any]:
    """Return the options of the module vm that describe a VM."""
    described = dataclasses.asdict(vm)
    for name in (
        "image",
        "directory",
        "management_address",
        "authorized_keys_sha256",
        "backend",
        "accelerator",
    ):
        del described[name]
    user_data = "#cloud-config" if described.pop("user_data_sha256") else None
    return {**described, "interfaces": list(described["interfaces"]), "user_data": user_data}


@pytest.mark.parametrize(
    "vm",
    [
        pytest.param(VM, id="least"),
        pytest.param(PLACED, id="placed"),
        pytest.param(OF_ITS_OWN, id="all-options"),
        pytest.param(OF_THE_CLOUD, id="options-for-a-cloud-image"),
    ],
)
def test_options_make_a_vm(vm: _vm.Vm) -> None:
    assert _vm.from_params(options(vm), {**SHARED, "accelerator": vm.accelerator}) == vm


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param({"vcpu_cpus": ["5, 4", "x"]}, {"vcpu_cpus": ("4-5", "x")}, id="lists-of-cpus"),
        pytest.param({"emulator_cpus": "0,1,2"}, {"emulator_cpus": "0-2"}, id="emulator"),
        pytest.param(
            {"io_thread_cpus": "3-2"}, {"io_thread_cpus": "3-2"}, id="no-list-is-kept-for-the-message"
        ),
        pytest.param({"disk": None}, {"disk": _vm.Disk()}, id="no-disk-options"),
        pytest.param(
            {"host_devices": ["0000:0A:10.F"]}, {"host_devices": ("0000:0a:10.f",)}, id="device-of-the-host"
        ),
        pytest.param({"user_data": ""}, {"user_data_sha256": None}, id="no-user-data"),
    ],
)
def test_one_place_has_one_notation(given: dict[str, t.Any], kept: dict[str, t.Any]) -> None:
    vm = _vm.from_params({**options(VM), **given}, SHARED)
    assert {name: getattr(vm, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param({"mac": "02:00:00:00:00:AB"}, {"mac": "02:00:00:00:00:ab"}, id="mac"),
        pytest.param({"address": "10.0.0.1/255.255.255.0"}, {"address": "10.0.0.1/24"}, id="mask"),
        pytest.param(
            {"address": "10.0.0.1"}, {"address": "10.0.0.1"}, id="no-prefix-is-kept-for-the-message"
        ),
        pytest.param({"address": "x/24"}, {"address": "x/24"}, id="no-address-is-kept-for-the-message"),
        pytest.param({"address_v6": "FD20:0::1/64"}, {"address_v6": "fd20::1/64"}, id="ipv6"),
        pytest.param({"socket_server": "qemu"}, {"reconnect_s": 0}, id="a-server-does-not-connect"),
    ],
)
def test_one_interface_has_one_notation(given: dict[str, t.Any], kept: dict[str, t.Any]) -> None:
    entry = options(VM)
    entry["interfaces"][0].update(given)
    (interface,) = _vm.from_params(entry, SHARED).interfaces
    assert {name: getattr(interface, name) for name in kept} == kept


def test_an_existing_vm_needs_all_options() -> None:
    entry = {"id": 1, "name": "alpha-vm-01", "memory_mib": None, "vcpus": None, "disk": None}
    with pytest.raises(_vm.VmError, match="VM alpha-vm-01 lacks memory_mib, vcpus"):
        _vm.from_params(entry, {})


def test_who_knows_no_newer_options_may_leave_them_out() -> None:
    entry = {
        key: value
        for key, value in options(VM).items()
        if key not in ("firmware", "host_devices", "user_data")
    }
    assert _vm.from_params(entry, SHARED) == VM


def test_management_is_derived() -> None:
    assert VM.management_port == 20001
    assert VM.management_mac == "06:00:00:00:00:01"
    assert with_net0(mac="06:00:00:00:00:01").management_mac == "02:00:00:00:00:01"


def test_a_vm_without_data_interfaces_has_a_management_address_of_its_own() -> None:
    assert dataclasses.replace(VM, id=0x123, interfaces=()).management_mac == "06:00:00:00:01:23"


def test_a_line_end_does_not_make_other_keys() -> None:
    assert _vm.digest(f"{KEY}\n") == _vm.digest(KEY) != _vm.digest("")
