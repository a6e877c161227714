# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs of an end host: what is refused."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_faults
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Vm
from vms import KEY, NET0, OTHER, VM, with_net0


def of(changes: dict[str, t.Any]) -> Vm:
    """Return VM with options of its own, or of its first interface."""
    own = {name: value for name, value in changes.items() if hasattr(VM, name)}
    return with_net0(dataclasses.replace(VM, **own), **{k: v for k, v in changes.items() if k not in own})


def test_vms_without_faults_are_taken() -> None:
    assert _vm_faults.problems([VM, OTHER]) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"id": -1}, "the id -1 is outside 0..4094", id="id-negative"),
        pytest.param({"id": 4095}, "the id 4095 is outside 0..4094", id="id-no-vlan-id"),
        pytest.param({"name": "Alpha_1"}, "no host name", id="name-with-other-characters"),
        pytest.param({"name": "a" * 64}, "no host name", id="name-too-long"),
        pytest.param({"name": "alpha\n"}, "no host name", id="name-with-newline"),
        pytest.param({"memory_mib": 0}, "memory_mib=0", id="no-memory"),
        pytest.param({"vcpus": 0}, "vcpus=0", id="no-processor"),
        pytest.param({"queue_size": 2048}, "queue_size=2048", id="ring-longer-than-qemu-takes"),
        pytest.param({"mac": "02:00:00:00:00"}, "not of the form", id="mac-too-short"),
        pytest.param({"mac": "03:00:00:00:00:01"}, "a group address", id="mac-of-a-group"),
        pytest.param({"mac": "00:1b:21:00:00:01"}, "not locally administered", id="mac-of-a-manufacturer"),
        pytest.param({"address": "10.20.0.11"}, "no prefix length", id="address-without-prefix"),
        pytest.param({"address": "10.20.0.0/24"}, "the network's", id="address-of-the-network"),
        pytest.param({"address": "10.20.0.255/24"}, "broadcast", id="address-of-all"),
        pytest.param({"address": "fd00::1/64"}, "not of the form", id="address-of-another-family"),
        pytest.param({"address_v6": "10.20.0.11/24"}, "not of the form", id="ipv4-as-ipv6"),
        pytest.param({"address_v6": "fd20::11"}, "no prefix length", id="ipv6-without-prefix"),
        pytest.param({"mtu": 9001}, "mtu=9001 is outside 1280..9000", id="mtu-too-large"),
        pytest.param({"socket": "vm.sock"}, "no absolute path", id="socket-path-relative"),
        pytest.param({"socket": "/" + "s" * 107}, "longer than 107 bytes", id="socket-path-too-long"),
        pytest.param({"image": "/a\nb"}, "no absolute path", id="image-path-with-newline"),
        pytest.param({"management_address": "::1"}, "no IPv4 address", id="management-by-ipv6"),
        pytest.param({"management_address": "1.2.3.4,x=y"}, "no IPv4 address", id="management-with-option"),
        pytest.param({"cpu_model": "a b"}, "no name of a processor model", id="cpu-model-with-a-space"),
        pytest.param({"disk": Disk(size_mib=0)}, "disk.size_mib=0", id="no-disk"),
        pytest.param({"queues": 9}, "queues=9 is outside 1..8", id="more-rings-than-the-switch-serves"),
        pytest.param(
            {"host_devices": ("03:10.0",)}, "host_devices has '03:10.0', no PCI", id="pci-without-domain"
        ),
        pytest.param({"host_devices": ("0000:03:20.0",)}, "no PCI address", id="pci-slot-too-large"),
        pytest.param({"host_devices": ("../../x",)}, "no PCI address", id="pci-address-that-is-a-path"),
        pytest.param({"reconnect_s": -1}, "reconnect_s=-1 is negative", id="time-that-is-negative"),
    ],
)
def test_refuses(changes: dict[str, t.Any], says: str) -> None:
    problems = _vm_faults.problems([of(changes)])
    assert len(problems) == 1
    assert problems[0].startswith(f"VM {changes.get('name', 'alpha-vm-01')}: ")
    assert says in problems[0]


def test_the_longest_socket_path_is_taken() -> None:
    assert _vm_faults.problems([with_net0(socket="/" + "s" * 106)]) == []


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("", id="none"),
        pytest.param(f"{KEY}\nssh-rsa", id="one-of-two-is-half"),
        pytest.param(
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
            id="private",
        ),
    ],
)
def test_what_is_no_public_key_is_refused_without_being_shown(keys: str) -> None:
    (problem,) = _vm_faults.key_problems(keys)
    assert "no list of OpenSSH public keys" in problem
    assert "b3BlbnNz" not in problem


def test_two_public_keys_are_taken() -> None:
    assert _vm_faults.key_problems(f"{KEY}\n{KEY}\n") == []


@pytest.mark.parametrize(
    "user_data", [None, "", "#cloud-config\n", "\n#!/bin/sh", "Content-Type: multipart/mixed;"]
)
def test_what_cloud_init_may_know_is_taken(user_data: str | None) -> None:
    assert _vm_faults.user_data_problems(user_data) == []


def test_what_cloud_init_would_ignore_is_refused_without_being_shown() -> None:
    (problem,) = _vm_faults.user_data_problems("password: s3cret")
    assert "begin it with a line such as #cloud-config" in problem
    assert "s3cret" not in problem


def test_a_device_that_one_vm_has_twice_is_refused() -> None:
    (problem,) = _vm_faults.problems([of({"host_devices": ("0000:03:10.0", "0000:03:10.0")})])
    assert "have the same PCI device 0000:03:10.0" in problem


@pytest.mark.parametrize(
    ("field", "what"),
    [
        pytest.param("id", "id", id="id"),
        pytest.param("name", "name", id="name"),
        pytest.param("mac", "MAC address", id="mac"),
        pytest.param("address", "IP address", id="address"),
        pytest.param("address_v6", "IPv6 address", id="ipv6-address"),
        pytest.param("socket", "socket", id="socket"),
        pytest.param("host_devices", "PCI device", id="device-of-the-host"),
    ],
)
def test_refuses_two_vms_with_the_same(field: str, what: str) -> None:
    first = of({"host_devices": ("0000:03:10.0",)})
    if hasattr(VM, field):
        second = dataclasses.replace(OTHER, **{field: getattr(first, field)})
    else:
        second = with_net0(OTHER, **{field: getattr(NET0, field)})
    (problem,) = _vm_faults.problems([first, second])
    assert problem.startswith(f"VMs {VM.name}, {second.name} have the same {what}")


def test_two_vms_without_an_ipv6_address_are_taken() -> None:
    assert _vm_faults.problems([with_net0(vm, address_v6="") for vm in (VM, OTHER)]) == []


def test_the_same_address_with_another_prefix_is_the_same_address() -> None:
    assert len(_vm_faults.problems([VM, with_net0(OTHER, address="10.20.0.11/16")])) == 1


def test_two_interfaces_of_one_vm_are_two() -> None:
    twice = dataclasses.replace(VM, interfaces=(NET0, NET0))
    assert len(_vm_faults.problems([twice])) == 4
