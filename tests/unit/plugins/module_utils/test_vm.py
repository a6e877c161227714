# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM as a value: what is refused, and what has to be done for it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm

VM = Vm(
    id=1,
    name="alpha-vm-01",
    memory_mib=256,
    vcpus=1,
    mac="02:00:00:00:00:01",
    address="10.20.0.11/24",
    socket="/run/detnet-testbed/alpha/vhost/vm-01.sock",
    socket_server="switch",
    queue_size=1024,
    image="/images/1",
    directory="/state/vm-01",
    management_address="127.0.0.11",
    ssh_authorized_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmVsC4tuRfvthwRGOKGezKNXMOxKs6C8WB80kNPp3mB me",
    address_v6="fd20::11/64",
)
OTHER = dataclasses.replace(
    VM,
    id=2,
    name="alpha-vm-02",
    mac="02:00:00:00:00:02",
    address="10.20.0.12/24",
    address_v6="fd20::12/64",
    socket="/run/2.sock",
)

RUNNING = Observed("running", "tcg", VM.description)
STOPPED = Observed("stopped", "tcg", VM.description)
PAUSED = Observed("paused", "tcg", VM.description)
OUTDATED = Observed("running", "tcg", {**VM.description, "memory_mib": 512})
OUTDATED_STOPPED = Observed("stopped", "tcg", {**VM.description, "memory_mib": 512})

AGAIN = ("remove", "create", "start")


def test_vms_without_faults_are_taken() -> None:
    assert _vm.problems([VM, OTHER]) == []


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
        pytest.param({"ssh_authorized_key": ""}, "no list of OpenSSH public keys", id="no-key"),
    ],
)
def test_refuses(changes: dict[str, t.Any], says: str) -> None:
    problems = _vm.problems([dataclasses.replace(VM, **changes)])
    assert len(problems) == 1
    assert problems[0].startswith(f"VM {changes.get('name', 'alpha-vm-01')}: ")
    assert says in problems[0]


def test_the_longest_socket_path_is_taken() -> None:
    assert _vm.problems([dataclasses.replace(VM, socket="/" + "s" * 106)]) == []


def test_a_private_key_is_refused_without_being_shown() -> None:
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
    (problem,) = _vm.problems([dataclasses.replace(VM, ssh_authorized_key=private)])
    assert "b3BlbnNz" not in problem


@pytest.mark.parametrize(
    ("field", "what"),
    [
        pytest.param("id", "id", id="id"),
        pytest.param("name", "name", id="name"),
        pytest.param("mac", "MAC address", id="mac"),
        pytest.param("address", "IP address", id="address"),
        pytest.param("address_v6", "IPv6 address", id="ipv6-address"),
        pytest.param("socket", "socket", id="socket"),
    ],
)
def test_refuses_two_vms_with_the_same(field: str, what: str) -> None:
    second = dataclasses.replace(OTHER, **{field: getattr(VM, field)})
    (problem,) = _vm.problems([VM, second])
    assert problem.startswith(f"VMs {VM.name}, {second.name} have the same {what}")


def test_two_vms_without_an_ipv6_address_are_taken() -> None:
    assert _vm.problems([dataclasses.replace(vm, address_v6="") for vm in (VM, OTHER)]) == []


def test_the_same_address_with_another_prefix_is_the_same_address() -> None:
    assert len(_vm.problems([VM, dataclasses.replace(OTHER, address="10.20.0.11/16")])) == 1


@pytest.mark.parametrize(
    ("state", "observed", "leftovers", "steps"),
    [
        pytest.param("running", None, False, ("create", "start"), id="creates-and-starts"),
        pytest.param("running", None, True, ("create", "start"), id="repeats-a-half-done-creation"),
        pytest.param("running", RUNNING, True, (), id="running-stays"),
        pytest.param("running", STOPPED, True, ("start",), id="starts-again"),
        pytest.param("running", PAUSED, True, ("resume",), id="resumes"),
        pytest.param("running", OUTDATED, True, AGAIN, id="recreates-what-differs"),
        pytest.param("present", None, False, ("create",), id="present-creates-only"),
        pytest.param("present", RUNNING, True, (), id="present-leaves-running"),
        pytest.param("present", STOPPED, True, (), id="present-leaves-stopped"),
        pytest.param("present", OUTDATED, True, AGAIN, id="present-recreates-and-runs-what-ran"),
        pytest.param("present", OUTDATED_STOPPED, True, ("remove", "create"), id="present-recreates-stopped"),
        pytest.param("stopped", None, False, ("create",), id="stopped-creates-only"),
        pytest.param("stopped", RUNNING, True, ("stop",), id="stops"),
        pytest.param("stopped", PAUSED, True, ("stop",), id="stops-what-is-paused"),
        pytest.param("stopped", STOPPED, True, (), id="stopped-stays"),
        pytest.param("stopped", OUTDATED, True, ("remove", "create"), id="stopped-recreates-without-start"),
    ],
)
def test_steps(state: str, observed: Observed | None, leftovers: bool, steps: tuple[str, ...]) -> None:
    assert _vm.steps(state, VM, observed, leftovers) == steps


@pytest.mark.parametrize(
    ("observed", "leftovers", "steps"),
    [
        pytest.param(None, False, (), id="nothing-to-remove"),
        pytest.param(None, True, ("delete",), id="removes-what-a-half-done-creation-left"),
        pytest.param(RUNNING, True, ("remove", "delete"), id="removes"),
        pytest.param(STOPPED, False, ("remove", "delete"), id="removes-a-domain-without-files"),
    ],
)
def test_steps_to_absent(observed: Observed | None, leftovers: bool, steps: tuple[str, ...]) -> None:
    assert _vm.steps("absent", None, observed, leftovers) == steps


@pytest.mark.parametrize(
    ("wanted", "has", "differs"),
    [
        pytest.param("auto", "tcg", False, id="auto-is-content"),
        pytest.param("kvm", "kvm", False, id="the-same"),
        pytest.param("kvm", "tcg", True, id="another"),
    ],
)
def test_accelerator_of_an_existing_vm(wanted: str, has: str, differs: bool) -> None:
    vm = dataclasses.replace(VM, accelerator=wanted)
    assert _vm.differs(vm, Observed("running", has, vm.description)) is differs


@pytest.mark.parametrize(
    ("before", "done", "state"),
    [
        pytest.param(None, [], "absent", id="nothing-was-and-nothing-done"),
        pytest.param(RUNNING, [], "running", id="unchanged"),
        pytest.param(None, ["create"], "stopped", id="created"),
        pytest.param(RUNNING, ["remove"], "absent", id="failed-after-removal"),
        pytest.param(RUNNING, ["remove", "create", "start"], "running", id="recreated"),
        pytest.param(RUNNING, ["remove", "delete"], "absent", id="removed"),
        pytest.param(RUNNING, ["stop"], "stopped", id="stopped"),
        pytest.param(PAUSED, ["resume"], "running", id="resumed"),
    ],
)
def test_state_after(before: Observed | None, done: list[str], state: str) -> None:
    assert _vm.state_after(before, done) == state


def test_management_is_derived() -> None:
    assert VM.management_port == 20001
    assert VM.management_mac == "06:00:00:00:00:01"
    assert dataclasses.replace(VM, mac="06:00:00:00:00:01").management_mac == "02:00:00:00:00:01"


def test_a_vm_without_a_place_is_described_as_before_there_were_places() -> None:
    assert not set(_vm.PLACEMENT).intersection(VM.description)


def test_a_place_is_part_of_the_description_as_json_carries_it() -> None:
    place = {"vcpu_cpus": ["4"], "emulator_cpus": "0-1", "memory_node": 0, "page_size_kib": 2048}
    description = dataclasses.replace(VM, **place).description  # type: ignore[arg-type]
    assert json.loads(json.dumps(description)) == description == {**VM.description, **place}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param({"vcpu_cpus": ["5, 4"], "emulator_cpus": "0,1,2"},
                     {"vcpu_cpus": ["4-5"], "emulator_cpus": "0-2"}, id="shortest-notation"),
        pytest.param({"vcpu_cpus": ["x"], "emulator_cpus": "3-2"},
                     {"vcpu_cpus": ["x"], "emulator_cpus": "3-2"}, id="what-is-no-list-is-kept-for-the-message"),
        pytest.param({"vcpu_cpus": None, "emulator_cpus": None, "memory_node": None, "page_size_kib": None},
                     {}, id="unset"),
    ],
)  # fmt: skip
def test_one_place_has_one_description(given: dict[str, t.Any], kept: dict[str, t.Any]) -> None:
    options = {field.name: getattr(VM, field.name) for field in dataclasses.fields(VM)}
    shared = {
        key: options.pop(key) for key in ("image", "management_address", "ssh_authorized_key", "accelerator")
    }
    del options["directory"]
    vm = _vm.from_params({**options, **given}, {**shared, "state_dir": "/state"})
    assert vm.description == {**VM.description, **kept}


def test_an_existing_vm_needs_all_options() -> None:
    entry = {"id": 1, "name": "alpha-vm-01", "memory_mib": None, "vcpus": None, "mac": "x"}
    with pytest.raises(_vm.VmError, match="VM alpha-vm-01 lacks memory_mib, vcpus"):
        _vm.from_params(entry, {})
