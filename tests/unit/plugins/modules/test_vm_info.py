# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module vm_info against a libvirt, a /proc and a switch that are only memory."""

from __future__ import annotations

import datetime
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor, _vm_confinement, _vm_process
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor, HypervisorError
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface, Observed, Vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm_confinement import Confinement
from ansible_collections.detnet.testbed.plugins.module_utils._vm_process import Pages, Process, Thread
from ansible_collections.detnet.testbed.plugins.modules import vm_info

if t.TYPE_CHECKING:
    from conftest import MemorySwitch

Result = dict[str, t.Any]

NO_DOMAIN, INTERNAL_ERROR = 42, 1
FEATURES = {"ring_to_vm": 1024, "ring_from_vm": 1024}
XML = "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='1' cpuset='5'/><emulatorpin cpuset='0-1'/></cputune></domain>"
PROCESS = Process(
    pid=70,
    threads=[
        Thread(70, "qemu-system-x86", "0-1"),
        Thread(72, "CPU 1/KVM", "5", vcpu=1),
        Thread(71, "CPU 0/KVM", "0-7", vcpu=0),
        Thread(73, "IO iothread1", "2", io_thread=1),
    ],
    pages=[Pages(0, 2048, 128)],
    started=datetime.datetime(2026, 11, 21, 23, 46, 17, 500000, tzinfo=datetime.UTC),
    uptime_s=60.5,
)
CONFINEMENT = Confinement(64055, 0, system_call_filter=True, own_mounts=True, label=None)


class LibvirtError(Exception):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    def get_error_code(self) -> int:
        return self.code


class MemoryHypervisor(Hypervisor):
    """Three VMs, of which one does not run and one is not ours; those in errors answer no further question."""

    def __init__(self, directory: Path) -> None:
        super().__init__(types.SimpleNamespace(lookupByName=self.lookup, close=lambda: None))
        interface = Interface(
            "02:00:00:00:00:01", "/x", address="10.0.0.1/24", address_v6="fd20::1/64", mtu=9000
        )
        bare = Vm(1, "a-vm-01", 256, 2, "/i", str(directory), "127.0.0.99", "", accelerator="kvm")
        one = Vm(**{**vars(bare), "interfaces": (interface,)})
        two = Vm(**{**vars(bare), "id": 2, "name": "a-vm-02"})
        self.found = {
            "foreign": Observed("running", "", None),
            "a-vm-02": Observed("stopped", "", two),
            "a-vm-01": Observed("running", "", two, running=one),
        }
        self.errors: dict[str, LibvirtError] = {}

    def domains(self) -> dict[str, Observed]:
        return self.found

    def lookup(self, name: str) -> t.Any:
        if name in self.errors:
            raise self.errors[name]
        return types.SimpleNamespace(
            XMLDesc=lambda _flags: XML, info=lambda: (1, 256 << 10, 256 << 10, 2, 123)
        )


@pytest.fixture
def libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryHypervisor:
    (tmp_path / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 AAAA a-vm-01\n")
    (tmp_path / "console.log").write_bytes(b"old\nfirst\r\n\n\x1b[0;32m  OK  \x1b[0m\x07 last\xff\n")
    memory = MemoryHypervisor(tmp_path)
    monkeypatch.setattr(_hypervisor, "HAS_LIBVIRT", True)
    monkeypatch.setattr(_hypervisor, "LIBVIRT_ERROR", LibvirtError)
    monkeypatch.setattr(_hypervisor, "connect", lambda: memory)
    monkeypatch.setattr(_vm_process, "read", lambda name, vcpus: {("a-vm-01", 2): PROCESS}.get((name, vcpus)))
    monkeypatch.setattr(_vm_confinement, "read", {70: CONFINEMENT}.__getitem__)
    return memory


@pytest.fixture
def info(libvirt: MemoryHypervisor, run: t.Callable[..., Result]) -> t.Callable[..., Result]:
    return lambda **options: run(vm_info.main, **options)


def test_all_of_a_vm_that_runs(info: t.Callable[..., Result]) -> None:
    result = info(console_lines=2)
    assert not result["changed"]
    assert "switch" not in result
    vm = result["vms"][0]
    (interface,) = vm.pop("interfaces")
    assert vm == {
        "name": "a-vm-01",
        "id": 1,
        "state": "running",
        "accelerator": "kvm",
        "memory_mib": 256,
        "vcpus": 2,
        "cpu_time_ns": 123,
        "mac": "02:00:00:00:00:01",
        "address": "10.0.0.1/24",
        "address_v6": "fd20::1/64",
        "addresses": ["10.0.0.1", "fd20::1"],
        "mtu": 9000,
        "socket": "/x",
        "socket_server": "switch",
        "management_address": "127.0.0.99",
        "management_port": 20001,
        "ssh_host_key": "ssh-ed25519 AAAA",
        "known_hosts": "[127.0.0.99]:20001 ssh-ed25519 AAAA",
        "console": ["first", "  OK   last\ufffd"],
        "pid": 70,
        "boot_time": "2026-11-21T23:46:17Z",
        "uptime_s": 60.5,
        "confinement": {
            "user_id": 64055,
            "capabilities": 0,
            "system_call_filter": True,
            "own_mounts": True,
            "label": None,
        },
        "vcpu_pins": [
            {"vcpu": 0, "thread": 71, "asked_cpus": None, "effective_cpus": "0-7"},
            {"vcpu": 1, "thread": 72, "asked_cpus": "5", "effective_cpus": "5"},
        ],
        "io_thread_pins": [{"io_thread": 1, "thread": 73, "asked_cpus": None, "effective_cpus": "2"}],
        "emulator_pins": [
            {"name": "qemu-system-x86", "thread": 70, "asked_cpus": "0-1", "effective_cpus": "0-1"}
        ],
        "memory_pages": [{"node": 0, "page_size_kib": 2048, "pages": 128}],
    }
    assert (interface["queue_size"], interface["mtu"]) == (1024, 9000)
    assert (interface["connected"], interface["negotiated"]) == (None, None)


def test_a_vm_that_is_stopped_has_nothing_of_its_host(info: t.Callable[..., Result]) -> None:
    vm = info()["vms"][1]
    assert (vm["name"], vm["state"]) == ("a-vm-02", "stopped")
    assert (vm["pid"], vm["boot_time"], vm["uptime_s"], vm["confinement"]) == (None, None, None, None)
    assert (vm["vcpu_pins"], vm["emulator_pins"], vm["memory_pages"], vm["console"]) == ([], [], [], [])
    assert (vm["mac"], vm["addresses"], vm["interfaces"]) == (None, [], [])


def test_what_cannot_be_read_of_a_process_is_null(
    info: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(70, [Thread(71, "CPU 0/KVM", None, vcpu=0)], None, None, None)
    monkeypatch.setattr(_vm_process, "read", lambda _name, _vcpus: process)
    vm = info()["vms"][0]
    assert (vm["memory_pages"], vm["boot_time"], vm["uptime_s"]) == (None, None, None)
    assert vm["vcpu_pins"][0]["effective_cpus"] is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        pytest.param(None, ["a-vm-01", "a-vm-02"], id="all-of-ours"),
        pytest.param(["a-vm-02", "foreign", "missing"], ["a-vm-02"], id="named"),
        pytest.param([], [], id="none"),
    ],
)
def test_names(info: t.Callable[..., Result], names: list[str] | None, found: list[str]) -> None:
    assert [vm["name"] for vm in info(names=names)["vms"]] == found


def test_one_that_goes_away_meanwhile_is_left_out(
    info: t.Callable[..., Result], libvirt: MemoryHypervisor
) -> None:
    libvirt.errors["a-vm-01"] = LibvirtError("no domain", NO_DOMAIN)
    assert [vm["name"] for vm in info()["vms"]] == ["a-vm-02"]


def test_another_error_is_told(info: t.Callable[..., Result], libvirt: MemoryHypervisor) -> None:
    libvirt.errors["a-vm-01"] = LibvirtError("the daemon has ended", INTERNAL_ERROR)
    assert info()["msg"] == "Cannot read the VMs: the daemon has ended"


def test_no_libvirt_is_told(info: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> t.NoReturn:
        raise HypervisorError("cannot connect; start it")

    monkeypatch.setattr(_hypervisor, "connect", refuse)
    assert info()["msg"] == "Cannot read the VMs: cannot connect; start it"


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_switch_is_asked(info: t.Callable[..., Result], switch: MemorySwitch, check_mode: bool) -> None:
    switch.ports = {1: {"vm": 1}}
    about = {"mtu": 9000, "uplink": None}
    switch.switch_info = lambda _params: about
    told = {"vm": 1, "connected": True, "features": FEATURES}
    switch.port_features = lambda _params: told
    result = info(switch_socket=switch.path, check_mode=check_mode)
    assert result["switch"] == {"error": None, **about}
    (interface,) = result["vms"][0]["interfaces"]
    assert (interface["connected"], interface["negotiated"]) == (True, FEATURES)
    assert switch.changes == []


def test_a_switch_that_is_gone_hides_no_vm(info: t.Callable[..., Result], tmp_path: Path) -> None:
    result = info(switch_socket=str(tmp_path / "s"))
    assert "the socket does not exist; start the tagging switch" in result["switch"]["error"]
    assert [vm["state"] for vm in result["vms"]] == ["running", "stopped"]
    assert result["vms"][0]["interfaces"][0]["connected"] is None


def test_what_the_host_gives(info: t.Callable[..., Result]) -> None:
    host = info()["host"]
    assert set(host) == {"cpus", "page_size_kib"}
    assert host["cpus"]
