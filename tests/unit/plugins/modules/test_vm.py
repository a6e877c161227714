# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules vm and vm_info against a libvirt that is only memory."""

# ruff: noqa: N802  libvirt-python chose these names

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import threading
import types
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _hypervisor,
    _vagrant,
    _vm_files,
    _vm_image,
    _vm_pages,
    _vm_preflight,
    _vm_wait,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hugepages import Pages
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch
from ansible_collections.detnet.testbed.plugins.modules import vm, vm_info

RUNNING, PAUSED, SHUTOFF, CRASHED, PMSUSPENDED = 1, 3, 5, 6, 7
INACTIVE, LIVE = 2, 1
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmVsC4tuRfvthwRGOKGezKNXMOxKs6C8WB80kNPp3mB me"
ADDRESS = "127.0.0.99"

Result = dict[str, t.Any]


class LibvirtError(Exception):
    pass


class MemoryDomain:
    """A domain as libvirt-python shows it."""

    def __init__(self, libvirt: MemoryLibvirt, xml: str) -> None:
        self.libvirt, self.xml, self.now = libvirt, xml, SHUTOFF
        self.running_xml = xml

    def UUIDString(self) -> str:
        return "be84f475-9644-4cef-ab83-fc0808a93ce6"

    def name(self) -> str:
        return ET.fromstring(self.xml).findtext("name", "")  # noqa: S314

    def XMLDesc(self, flags: int) -> str:
        return self.xml if flags == INACTIVE or self.now == SHUTOFF else self.running_xml

    def state(self) -> tuple[int, int]:
        return self.now, 0

    def info(self) -> tuple[int, int, int, int, int]:
        return self.now, 256 << 10, 256 << 10, 1, 123

    def isPersistent(self) -> bool:
        return True

    def isActive(self) -> bool:
        return self.now != SHUTOFF

    def create(self) -> None:
        if self.name() in self.libvirt.refused:
            raise LibvirtError("no such luck")
        self.libvirt.did(f"start {self.name()}")
        self.now, self.running_xml = RUNNING, self.xml

    def suspend(self) -> None:
        self.libvirt.did(f"pause {self.name()}")
        self.now = PAUSED

    def pinVcpuFlags(self, vcpu: int, cpus: tuple[bool, ...], flags: int) -> None:
        assert flags == LIVE
        self.libvirt.did(f"pin vCPU {vcpu} of {self.name()} to {cpus.index(True)}")
        self.running_xml = self.xml

    def pinEmulator(self, cpus: tuple[bool, ...], flags: int) -> None:
        assert flags == LIVE
        self.libvirt.did(f"pin emulator of {self.name()} to {cpus.index(True)}")
        self.running_xml = self.xml

    def resume(self) -> None:
        self.libvirt.did(f"resume {self.name()}")
        self.now = RUNNING

    def shutdown(self) -> None:
        self.libvirt.did(f"shutdown {self.name()}")
        self.now = SHUTOFF if self.name() not in self.libvirt.deaf else RUNNING

    def destroy(self) -> None:
        self.libvirt.did(f"destroy {self.name()}")
        self.now = SHUTOFF

    def undefineFlags(self, flags: int) -> None:
        assert flags == 1 | 2 | 4  # with all that libvirt keeps of it
        self.libvirt.did(f"undefine {self.name()}")
        del self.libvirt.domains[self.name()]


class MemoryLibvirt:
    """libvirt's connection and its domains, with a record of what was changed."""

    def __init__(self) -> None:
        self.domains: dict[str, MemoryDomain] = {}
        self.changes: list[str] = []
        self.refused: set[str] = set()
        self.deaf: set[str] = set()
        self.version = 9_000_000

    def getLibVersion(self) -> int:
        return self.version

    def did(self, change: str) -> None:
        self.changes.append(change)

    def listAllDomains(self) -> list[MemoryDomain]:
        return list(self.domains.values())

    def lookupByName(self, name: str) -> MemoryDomain:
        try:
            return self.domains[name]
        except KeyError:
            raise LibvirtError(f"no domain {name}") from None

    def defineXML(self, xml: str) -> None:
        domain = MemoryDomain(self, xml)
        self.did(f"define {domain.name()}")
        if known := self.domains.get(domain.name()):
            assert ET.fromstring(xml).findtext("uuid") == known.UUIDString()  # noqa: S314
            known.xml = xml
        else:
            self.domains[domain.name()] = domain

    def close(self) -> None:
        pass


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch) -> MemoryLibvirt:
    memory = MemoryLibvirt()
    module = types.SimpleNamespace(
        libvirtError=LibvirtError,
        open=lambda _uri: memory,
        registerErrorHandler=lambda _handler, _context: None,
        VIR_DOMAIN_XML_INACTIVE=INACTIVE,
        VIR_DOMAIN_AFFECT_LIVE=LIVE,
        VIR_DOMAIN_UNDEFINE_MANAGED_SAVE=1,
        VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA=2,
        VIR_DOMAIN_UNDEFINE_NVRAM=4,
        VIR_DOMAIN_PAUSED=PAUSED,
        VIR_DOMAIN_SHUTOFF=SHUTOFF,
        VIR_DOMAIN_CRASHED=CRASHED,
        VIR_DOMAIN_PMSUSPENDED=PMSUSPENDED,
    )
    monkeypatch.setattr(_hypervisor, "libvirt", module, raising=False)
    monkeypatch.setattr(_hypervisor, "LIBVIRT_ERROR", LibvirtError)
    monkeypatch.setattr(_hypervisor, "HAS_LIBVIRT", True)
    monkeypatch.setattr(_hypervisor, "SHUTDOWN_TIMEOUT_S", 0.0)
    return memory


PROGRAMS = {
    "vagrant": "exit 1",
    "qemu-system-x86_64": "exit 1",  # the probe of KVM
    "qemu-img": 'for last; do :; done; : > "$last"',
    "xorrisofs": 'while [ "$1" != -output ]; do shift; done; /bin/cat "$3"/* > "$2"',
    "ssh-keygen": 'for last; do :; done; echo private > "$last"; echo ssh-ed25519 AAAA name > "$last.pub"',
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """Make a directory with programs, an image and the sockets of two VMs; return it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    (tmp_path / "image").mkdir()
    for name in ("vmlinuz", "initrd.img", "root.ext4"):
        (tmp_path / "image" / name).touch()
    listeners = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
    for vm_id, listener in enumerate(listeners, start=1):
        listener.bind(str(tmp_path / f"{vm_id}"))
        listener.listen()
    host = _vm_pages.HostPages(2048, [Pages(0, 2048, 512, 512, 0)], {}, {2048})
    monkeypatch.setattr(_vm_pages, "read", lambda: host)
    monkeypatch.setattr(_vm_files, "LIBVIRT_LOGS", str(tmp_path / "log"))
    yield tmp_path
    for listener in listeners:
        listener.close()


def entry(place: Path, vm_id: int, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "id": vm_id,
        "name": f"a-vm-{vm_id:02d}",
        "memory_mib": 256,
        "vcpus": 1,
        "interfaces": [interface(place, vm_id)],
    } | changes


def interface(place: Path, vm_id: int, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "mac": f"02:00:00:00:00:{vm_id:02x}",
        "address": f"10.0.0.{vm_id}/24",
        "socket": str(place / f"{vm_id}"),
    } | changes


class MemoryVagrant:
    """Vagrant's side of a domain in the memory of libvirt; what it does is libvirt's doing."""

    def __init__(self, libvirt: MemoryLibvirt, name: str, directory: str) -> None:
        self.libvirt, self.name, self.place = libvirt, name, Path(directory)

    @property
    def domain(self) -> MemoryDomain:
        return self.libvirt.lookupByName(self.name)

    def write(self, vagrantfile: str, domain_xml: str, known_hosts: str) -> None:
        assert known_hosts.startswith(f"[{ADDRESS}]:")
        (self.place / "Vagrantfile").write_text(vagrantfile)
        (self.place / "domain.xml").write_text(domain_xml)

    def adopt(self, uuid: str) -> None:
        assert self.name not in self.libvirt.domains or uuid == self.domain.UUIDString()

    def create(self) -> None:
        self.libvirt.defineXML((self.place / "domain.xml").read_text())

    def up(self) -> None:
        if self.domain.now == PAUSED:
            self.domain.resume()
        else:
            self.domain.create()

    def suspend(self) -> None:
        self.domain.suspend()

    def halt(self) -> None:
        self.domain.shutdown()
        if self.domain.isActive():
            self.domain.destroy()


@pytest.fixture(params=["libvirt", "vagrant"])
def backend(request: pytest.FixtureRequest, libvirt: MemoryLibvirt, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each case is the same for both."""
    monkeypatch.setattr(_vagrant, "Machine", lambda name, directory: MemoryVagrant(libvirt, name, directory))
    monkeypatch.setattr(_vagrant, "HAS_VAGRANT", True)
    return str(request.param)


@pytest.fixture
def task(
    libvirt: MemoryLibvirt, machine: Path, run: t.Callable[..., Result], backend: str
) -> t.Callable[..., Result]:
    """Run the module for two VMs; arguments change its options, first those of VM 1."""

    def task(first: dict[str, t.Any] | None = None, **options: t.Any) -> Result:
        libvirt.changes.clear()
        arguments: dict[str, t.Any] = {
            "vms": [entry(machine, 1, **(first or {})), entry(machine, 2)],
            "image": str(machine / "image"),
            "state_dir": str(machine / "state"),
            "management_address": ADDRESS,
            "ssh_authorized_key": KEY,
            "backend": backend,
        }
        return run(vm.main, **{**arguments, **options})

    return task


def states(result: Result) -> list[str]:
    return [found["state"] for found in result["vms"]]


def test_creates_and_starts_then_changes_nothing(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    result = task()
    assert result["changed"]
    assert sorted(libvirt.changes) == ["define a-vm-01", "define a-vm-02", "start a-vm-01", "start a-vm-02"]
    assert result["vms"][0] == {
        "name": "a-vm-01",
        "id": 1,
        "state": "running",
        "accelerator": "tcg",
        "management_address": ADDRESS,
        "management_port": 20001,
        "mac": "02:00:00:00:00:01",
        "ssh_host_key": "ssh-ed25519 AAAA",
        "known_hosts": f"[{ADDRESS}]:20001 ssh-ed25519 AAAA",
        "changed": True,
        "changes": [],
        "waiting": [],
    }
    again = task()
    assert not again["changed"]
    assert libvirt.changes == []
    assert states(again) == ["running", "running"]
    assert again["diff"] == {"before": {}, "after": {}}


def test_files_are_for_qemu_only(task: t.Callable[..., Result], machine: Path) -> None:
    task(backend="libvirt")
    place = machine / "state" / "vm-01"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [place, *place.iterdir()]}
    assert modes == {
        "vm-01": 0o711,
        "disk.qcow2": 0o600,
        "ssh_authorized_keys": 0o600,
        "ssh_host_ed25519_key": 0o600,
        "ssh_host_ed25519_key.pub": 0o600,
    }


@pytest.mark.parametrize("state", ["present", "running", "stopped", "paused", "rebooted", "recreated"])
def test_check_mode_predicts_without_acting(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, state: str
) -> None:
    predicted = task(state=state, check_mode=True)
    assert libvirt.changes == []
    assert not (machine / "state").exists()
    done = task(state=state)
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    assert states(predicted) == states(done)


def test_a_changed_description_recreates_that_vm_only(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    task()
    result = task({"memory_mib": 128})
    assert libvirt.changes == ["shutdown a-vm-01", "define a-vm-01", "start a-vm-01"]
    assert [found["changed"] for found in result["vms"]] == [True, False]
    assert result["vms"][0]["changes"] == [
        {"setting": "memory_mib", "before": 256, "after": 128, "apply": "reboot", "configured": False}
    ]
    assert result["diff"] == {
        "before": {"a-vm-01": {"state": "running", "memory_mib": 256}},
        "after": {"a-vm-01": {"state": "running", "memory_mib": 128}},
    }
    assert not task({"memory_mib": 128})["changed"]


def test_a_change_may_wait_for_the_next_start(task: t.Callable[..., Result], libvirt: MemoryLibvirt) -> None:
    task()
    result = task({"memory_mib": 128}, apply="live")
    assert libvirt.changes == ["define a-vm-01"]
    assert [found["waiting"] for found in result["vms"]] == [["memory_mib"], []]
    waits = task({"memory_mib": 128}, apply="live")
    assert not waits["changed"]
    assert waits["vms"][0]["waiting"] == ["memory_mib"]
    again = task({"memory_mib": 128}, apply="reboot")
    assert libvirt.changes == ["shutdown a-vm-01", "start a-vm-01"]
    assert again["vms"][0]["waiting"] == []


def test_what_somebody_changed_by_hand_is_changed_back(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    task()
    domain = libvirt.domains["a-vm-01"]
    domain.xml = domain.xml.replace('rx_queue_size="1024"', 'rx_queue_size="512"')
    result = task()
    assert [change["setting"] for change in result["vms"][0]["changes"]] == ["interfaces[0].queue_size"]
    assert not task()["changed"]


def test_another_image_is_refused_without_leave_to_lose_the_disk(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    task()
    shutil.copytree(machine / "image", machine / "image2")
    refused = task(image=str(machine / "image2"))
    assert "VM a-vm-01: its image can change" in refused["msg"]
    assert "its disk is lost; allow that with apply=recreate" in refused["msg"]
    assert libvirt.changes == []
    assert task(image=str(machine / "image2"), apply="recreate")["changed"]
    assert libvirt.changes.count("undefine a-vm-01") == 1


def test_another_id_is_another_vm(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    task()
    result = task(vms=[entry(machine, 1, id=3)], apply="recreate")
    assert "VM a-vm-01: its id is 1 and cannot become 3" in result["msg"]
    assert libvirt.changes == []


def test_other_keys_are_there_with_the_next_start(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    task()
    task(ssh_authorized_key=f"{KEY} too", apply="live")
    assert sorted(libvirt.changes) == ["define a-vm-01", "define a-vm-02"]
    assert (machine / "state/vm-01/ssh_authorized_keys").read_text() == f"{KEY} too\n"


@pytest.mark.parametrize(
    ("state", "does", "becomes"),
    [
        pytest.param("paused", ["pause a-vm-01", "pause a-vm-02"], "paused", id="paused"),
        pytest.param(
            "rebooted",
            ["shutdown a-vm-01", "shutdown a-vm-02", "start a-vm-01", "start a-vm-02"],
            "running",
            id="rebooted",
        ),
        pytest.param(
            "recreated",
            [
                f"{what} a-vm-0{vm_id}"
                for what in ("define", "destroy", "start", "undefine")
                for vm_id in (1, 2)
            ],
            "running",
            id="recreated",
        ),
    ],
)
def test_states(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, state: str, does: list[str], becomes: str
) -> None:
    task()
    assert states(task(state=state)) == [becomes, becomes]
    assert sorted(libvirt.changes) == does


def test_a_vm_that_is_created_anew_keeps_accelerator_and_host_key(
    task: t.Callable[..., Result], machine: Path
) -> None:
    task()
    (machine / "bin" / "qemu-system-x86_64").write_text("#!/bin/sh\nexit 33\n")  # now KVM would work
    (machine / "bin" / "ssh-keygen").unlink()
    result = task(state="recreated")
    assert not result.get("failed")
    assert result["vms"][0]["accelerator"] == "tcg"


def test_a_vm_goes_from_one_backend_to_the_other_while_it_runs(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, backend: str
) -> None:
    task()
    other = {"libvirt": "vagrant", "vagrant": "libvirt"}[backend]
    result = task(backend=other)
    assert sorted(libvirt.changes) == ["define a-vm-01", "define a-vm-02"]
    change = {"setting": "backend", "before": backend, "after": other, "apply": "live", "configured": False}
    assert [found["changes"] for found in result["vms"]] == [[change], [change]]
    assert (machine / "state/vm-01/Vagrantfile").exists() is (other == "vagrant")
    assert not task(backend=other)["changed"]


def test_a_backend_that_is_not_installed_is_refused(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vagrant, "HAS_VAGRANT", False)
    assert "run the role detnet.testbed.hypervisor with hypervisor_vagrant" in task(backend="vagrant")["msg"]
    assert libvirt.changes == []


def test_kvm_is_taken_where_a_guest_runs(task: t.Callable[..., Result], machine: Path) -> None:
    (machine / "bin" / "qemu-system-x86_64").write_text("#!/bin/sh\nexit 33\n")
    assert [found["accelerator"] for found in task()["vms"]] == ["kvm", "kvm"]


def test_a_libvirt_too_old_for_a_machine_without_kvm_is_refused_before_anything_is_done(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    libvirt.version = 8_000_000
    result = task()
    assert result["failed"]
    assert "VM a-vm-02: without KVM it takes libvirt 8.2 or later, and this is libvirt 8.0" in result["msg"]
    assert libvirt.changes == []
    assert not (machine / "state").exists()
    assert task(accelerator="kvm")["changed"]


def test_one_that_fails_neither_stops_nor_hides_the_other(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    libvirt.refused = {"a-vm-01"}
    result = task()
    assert result["failed"]
    assert "1 of 2 failed; a-vm-01: cannot start it: no such luck" in result["msg"]
    assert states(result) == ["stopped", "running"]
    libvirt.refused = set()
    assert states(task()) == ["running", "running"]
    assert libvirt.changes == ["start a-vm-01"]


def test_stops_at_last_by_switching_off(task: t.Callable[..., Result], libvirt: MemoryLibvirt) -> None:
    task()
    libvirt.deaf = {"a-vm-02"}
    assert states(task(state="stopped")) == ["stopped", "stopped"]
    assert sorted(libvirt.changes) == ["destroy a-vm-02", "shutdown a-vm-01", "shutdown a-vm-02"]


def test_absent_leaves_nothing(task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path) -> None:
    (machine / "log").mkdir()
    log = machine / "log" / "a-vm-01.log"
    task({"interfaces": [interface(machine, 1, socket_server="qemu")]})
    log.touch()
    gone = [{"id": 1, "name": "a-vm-01"}, {"id": 2, "name": "a-vm-02"}]
    assert task(vms=gone, state="absent", check_mode=True)["changed"]
    assert log.exists()
    assert states(task(vms=gone, state="absent")) == ["absent", "absent"]
    assert libvirt.domains == {}
    assert list((machine / "state").iterdir()) == []
    assert not log.exists()
    # QEMU's own socket goes with it, the switch's stays.
    assert [(machine / vm_id).exists() for vm_id in ("1", "2")] == [False, True]
    assert not task(vms=gone, state="absent")["changed"]


@pytest.mark.parametrize("state", ["running", "absent"])
def test_foreign_domains_are_left_alone(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, state: str
) -> None:
    libvirt.defineXML("<domain type='kvm'><name>a-vm-01</name></domain>")
    result = task(state=state)
    assert result["failed"]
    assert "VM a-vm-01: a domain of this name exists that this module did not create" in result["msg"]
    assert libvirt.changes == []


def stale(place: Path) -> None:
    (place / "1").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "1"))


def without(name: str) -> t.Callable[[Path], None]:
    return lambda place: (place / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(without("bin/qemu-system-x86_64"), "qemu-system-x86_64 is not installed", id="no-qemu"),
        pytest.param(
            without("image/root.ext4"), "lacks root.ext4 or root.qcow2; build it with", id="no-root-image"
        ),
        pytest.param(without("image/vmlinuz"), "lacks vmlinuz; build it with", id="no-kernel"),
        pytest.param(without("1"), "VM a-vm-01: the socket", id="no-socket"),
        pytest.param(stale, "VM a-vm-01: nobody serves the socket", id="socket-of-a-switch-that-died"),
    ],
)
def test_refuses_a_machine_before_any_change(
    task: t.Callable[..., Result],
    libvirt: MemoryLibvirt,
    machine: Path,
    spoil: t.Callable[[Path], None],
    says: str,
) -> None:
    spoil(machine)
    for check_mode in (True, False):
        result = task(check_mode=check_mode)
        assert result["failed"]
        assert says in result["msg"]
    assert libvirt.changes == []
    assert not (machine / "state").exists()


USER_DATA = "#cloud-config\npassword: s3cret\n"


@pytest.fixture
def cloud(machine: Path) -> Path:
    """Make the image one that boots by itself, on a host that has UEFI for it."""
    for name in ("vmlinuz", "initrd.img", "root.ext4"):
        (machine / "image" / name).unlink()
    (machine / "image/root.qcow2").touch()
    (machine / "image/image.json").write_text('{"boot": "firmware"}')
    return machine


@pytest.fixture
def uefi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vm_image, "has_uefi", lambda _root: True)


@pytest.mark.usefixtures("uefi")
def test_a_cloud_image_gets_a_seed_and_nothing_of_it_is_shown(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, cloud: Path
) -> None:
    first = {"user_data": USER_DATA, "firmware": "uefi"}
    result = task(first)
    assert states(result) == ["running", "running"]
    place = cloud / "state/vm-01"
    text = (place / "seed.iso").read_text()
    assert USER_DATA in text
    assert KEY in text
    assert "private" in text
    assert stat.S_IMODE((place / "seed.iso").stat().st_mode) == 0o600
    assert not (place / "seed.iso.new").exists()
    assert not (place / "ssh_authorized_keys").exists()
    assert "s3cret" not in f"{result} {libvirt.domains['a-vm-01'].xml}"
    assert result["diff"]["after"]["a-vm-01"]["user_data_sha256"]
    assert not task(first)["changed"]


@pytest.mark.usefixtures("uefi")
@pytest.mark.parametrize(
    ("first", "setting"),
    [
        pytest.param({"user_data": f"{USER_DATA}x: y\n"}, "user_data_sha256", id="other-user-data"),
        pytest.param({}, "user_data_sha256", id="no-user-data"),
        pytest.param({"user_data": USER_DATA, "firmware": "uefi"}, "firmware", id="firmware"),
    ],
)
def test_what_a_cloud_image_does_once_takes_another_vm(
    task: t.Callable[..., Result],
    libvirt: MemoryLibvirt,
    cloud: Path,
    first: dict[str, t.Any],
    setting: str,
) -> None:
    task({"user_data": USER_DATA})
    refused = task(first)
    assert f"VM a-vm-01: its {setting} can change" in refused["msg"]
    assert "s3cret" not in str(refused)
    assert libvirt.changes == []
    assert task(first, apply="recreate")["changed"]
    assert libvirt.changes.count("undefine a-vm-01") == 1
    assert not task(first)["changed"]


@pytest.mark.usefixtures("cloud")
def test_another_address_of_a_cloud_image_is_in_its_seed(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    task()
    result = task({"interfaces": [interface(machine, 1, address="10.0.0.77/24")]})
    assert [change["setting"] for change in result["vms"][0]["changes"]] == ["interfaces[0].address"]
    assert libvirt.changes == ["shutdown a-vm-01", "define a-vm-01", "start a-vm-01"]
    assert "10.0.0.77/24" in (machine / "state/vm-01/seed.iso").read_text()


@pytest.mark.usefixtures("cloud")
def test_a_seed_that_was_half_written_is_written_anew(task: t.Callable[..., Result], machine: Path) -> None:
    work = machine / "state/vm-01/seed.iso.new/files"
    work.mkdir(parents=True)
    (work / "user-data").write_text("half")
    assert states(task()) == ["running", "running"]
    assert not work.parent.exists()
    assert "half" not in (machine / "state/vm-01/seed.iso").read_text()


@pytest.mark.usefixtures("cloud")
def test_a_seed_that_cannot_be_made_is_told_by_its_vm(task: t.Callable[..., Result], machine: Path) -> None:
    (machine / "bin/xorrisofs").write_text("#!/bin/sh\necho no space >&2; exit 5\n")
    result = task()
    assert "a-vm-01: cannot create it: xorrisofs " in result["msg"]
    assert "failed: no space" in result["msg"]
    assert states(result) == ["absent", "absent"]


def garbage(place: Path) -> None:
    (place / "image/image.json").write_text("{")


def cut(place: Path) -> None:
    (place / "image/image.json").unlink()


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("spoil", "first", "says"),
    [
        pytest.param(
            without("bin/xorrisofs"), {}, "xorrisofs, which makes it, is not installed", id="no-xorrisofs"
        ),
        pytest.param(garbage, {}, "does not say how the image boots: JSONDecodeError", id="garbage"),
        pytest.param(cut, {}, "lacks vmlinuz, initrd.img, an image.json", id="neither"),
        pytest.param(
            lambda place: (place / "image/vmlinuz").touch(), {}, "says that it boots by firmware", id="both"
        ),
        pytest.param(lambda _place: None, {"firmware": "uefi"}, "installs the package ovmf", id="no-uefi"),
        pytest.param(
            lambda _place: None,
            {"user_data": "password: s3cret"},
            "VM a-vm-01: user_data begins like nothing",
            id="user-data-of-no-kind",
        ),
    ],
)
def test_refuses_a_cloud_image_before_any_change(
    task: t.Callable[..., Result],
    libvirt: MemoryLibvirt,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: t.Callable[[Path], None],
    first: dict[str, t.Any],
    says: str,
) -> None:
    monkeypatch.setattr(_vm_image, "has_uefi", lambda _root: False)
    spoil(machine)
    for check_mode in (True, False):
        result = task(first, check_mode=check_mode)
        assert result["failed"]
        assert says in result["msg"]
        assert "s3cret" not in str(result)
    assert libvirt.changes == []
    assert not (machine / "state").exists()


@pytest.mark.usefixtures("uefi")
@pytest.mark.parametrize(
    ("first", "says"),
    [
        pytest.param({"user_data": USER_DATA}, "VM a-vm-01: user_data is for cloud-init", id="user-data"),
        pytest.param({"firmware": "uefi"}, "VM a-vm-01: firmware=uefi is for what boots", id="firmware"),
        pytest.param(
            {"host_devices": ["0000:zz:00.0"]}, "VM a-vm-01: host_devices has '0000:zz:00.0'", id="pci"
        ),
        pytest.param(
            {"host_devices": ["ffff:ff:1f.7"]}, "VM a-vm-01: the host has no PCI device ffff", id="no-device"
        ),
    ],
)
def test_refuses_what_image_or_host_do_not_have_before_any_change(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, first: dict[str, t.Any], says: str
) -> None:
    for check_mode in (True, False):
        result = task(first, check_mode=check_mode)
        assert result["failed"]
        assert says in result["msg"]
    assert libvirt.changes == []
    assert not (machine / "state").exists()


def test_a_device_of_the_host_is_there_with_a_restart(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vm_preflight, "missing_devices", lambda _vms: [])
    task()
    result = task({"host_devices": ["0000:03:10.0"]})
    assert [change["setting"] for change in result["vms"][0]["changes"]] == ["host_devices"]
    assert libvirt.changes == ["shutdown a-vm-01", "define a-vm-01", "start a-vm-01"]
    assert not task({"host_devices": ["0000:03:10.0"]})["changed"]


ONLINE = f"{min(os.sched_getaffinity(0))}"
OTHERWISE_ONLINE = f"{max(os.sched_getaffinity(0))}"


def test_a_first_place_takes_a_restart_and_another_none(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    task()
    place = {"vcpu_cpus": [ONLINE], "emulator_cpus": ONLINE, "memory_node": 0, "page_size_kib": 2048}
    result = task(place)
    assert libvirt.changes == ["shutdown a-vm-01", "define a-vm-01", "start a-vm-01"]
    assert result["diff"]["before"]["a-vm-01"] == {"state": "running", **dict.fromkeys(place)}
    assert result["diff"]["after"]["a-vm-01"] == {"state": "running", **place}
    assert not task(place)["changed"]
    moved = {**place, "vcpu_cpus": [OTHERWISE_ONLINE], "emulator_cpus": OTHERWISE_ONLINE}
    assert task(moved)["changed"]
    assert libvirt.changes == [
        "define a-vm-01",
        f"pin vCPU 0 of a-vm-01 to {OTHERWISE_ONLINE}",
        f"pin emulator of a-vm-01 to {OTHERWISE_ONLINE}",
    ]
    assert not task(moved)["changed"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        pytest.param({"vcpu_cpus": ["0", "1"]}, "vcpu_cpus has 2 lists for vcpus=1", id="lists-unlike-vcpus"),
        pytest.param({"vcpu_cpus": ["0-"]}, "vcpu_cpus[0] is no list of CPUs: '0-'", id="malformed-list"),
        pytest.param({"vcpu_cpus": ["8191"]}, "vcpu_cpus[0] has CPU 8191, and online", id="no-such-cpu"),
        pytest.param({"memory_node": 7}, "memory_node=7 is no NUMA node of this host", id="no-such-node"),
        pytest.param(
            {"page_size_kib": 4}, "page_size_kib=4 is no size of this host's", id="no-such-page-size"
        ),
        pytest.param(
            {"memory_node": 0, "memory_mib": 1026},
            "VMs a-vm-01 need 513 hugepages of 2048 KiB on node 0, 512 are free",
            id="too-few-pages-on-the-node",
        ),
    ],
)
def test_refuses_a_place_before_any_change(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, place: dict[str, t.Any], says: str
) -> None:
    for check_mode in (True, False):
        result = task(place, check_mode=check_mode)
        assert result["failed"]
        assert says in result["msg"]
        assert "a-vm-01" in result["msg"]
    assert libvirt.changes == []
    assert not (machine / "state").exists()


def test_refuses_a_port_that_is_taken(task: t.Callable[..., Result], libvirt: MemoryLibvirt) -> None:
    with socket.create_server((ADDRESS, 20001)):
        result = task()
    assert f"VM a-vm-01: its management port {ADDRESS}:20001 is taken by another process" in result["msg"]
    assert libvirt.changes == []


def test_waits_for_the_greeting(task: t.Callable[..., Result], libvirt: MemoryLibvirt) -> None:
    task(state="present")
    libvirt.domains["a-vm-01"].now = libvirt.domains["a-vm-02"].now = RUNNING
    with socket.create_server((ADDRESS, 20001)) as server:
        # A VM that runs holds its port; only the first one greets here.
        def greet() -> None:
            connection, _address = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-test\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        result = task(wait_for="ssh", wait_timeout_s=0)
        thread.join(timeout=5)
    assert "1 of 2 failed; a-vm-02: no SSH server answered" in result["msg"]
    assert "its console ended with:\n(nothing)" in result["msg"]


def test_waits_until_the_switch_and_the_guest_have_agreed(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task(state="present")
    libvirt.domains["a-vm-01"].now = libvirt.domains["a-vm-02"].now = RUNNING
    ports = [
        {"socket": str(machine / "1"), "connected": True},
        {"socket": str(machine / "2"), "connected": False},
    ]
    monkeypatch.setattr(Switch, "call", lambda _switch, _method: {"ports": ports})
    greeted = contextlib.nullcontext(lambda: True)
    monkeypatch.setattr(_vm_wait, "Greeting", lambda _address, _port: greeted)
    options = {"wait_for": "network", "wait_timeout_s": 0, "switch_socket": "/run/switch.sock"}
    late = task(**options)["msg"]
    assert "1 of 2 failed; a-vm-02: its guest and the switch at /run/switch.sock did not agree on" in late
    ports[1]["connected"] = True
    assert not task(**options).get("failed")


def test_a_switch_that_does_not_answer_is_waited_for(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path
) -> None:
    task(state="present")
    libvirt.domains["a-vm-01"].now = libvirt.domains["a-vm-02"].now = RUNNING
    result = task(wait_for="network", wait_timeout_s=0, switch_socket=str(machine / "no-switch"))
    assert "2 of 2 failed" in result["msg"]


def test_waiting_for_the_network_takes_a_switch_to_ask(task: t.Callable[..., Result]) -> None:
    assert (
        "wait_for is network but all of the following are missing: switch_socket"
        in task(wait_for="network")["msg"]
    )


def test_a_vm_that_runs_is_started(task: t.Callable[..., Result]) -> None:
    assert states(task(wait_for="started", wait_timeout_s=0)) == ["running", "running"]


def test_a_guest_that_ends_while_it_boots_is_not_waited_for(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryDomain, "create", lambda _domain: None)
    result = task(wait_for="ssh", wait_timeout_s=3600)
    assert "a-vm-01: it ended while it booted" in result["msg"]
    assert states(result) == ["stopped", "stopped"]


def test_a_vm_that_moves_to_a_taken_port_is_refused(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt
) -> None:
    task()
    with socket.create_server(("127.0.0.98", 20001)):
        result = task(management_address="127.0.0.98")
    assert "VM a-vm-01: its management port 127.0.0.98:20001 is taken" in result["msg"]
    assert libvirt.changes == []


def test_a_vm_that_is_created_anew_may_keep_its_port(task: t.Callable[..., Result]) -> None:
    task()
    with socket.create_server((ADDRESS, 20001)):  # as its QEMU does now
        assert task({"memory_mib": 128})["changed"]


def test_a_start_that_hangs_is_given_up(
    task: t.Callable[..., Result], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroyed = threading.Event()

    def hang(_domain: MemoryDomain) -> None:
        destroyed.wait(timeout=5)
        raise LibvirtError("process exited")

    monkeypatch.setattr(MemoryDomain, "create", hang)
    monkeypatch.setattr(MemoryDomain, "destroy", lambda _domain: destroyed.set())
    monkeypatch.setattr(_hypervisor, "START_TIMEOUT_S", 0.05)
    assert (
        "a-vm-01: cannot start it: QEMU was not ready within 0.05 s"
        in task(vms=[entry(machine, 1)], backend="libvirt")["msg"]
    )


def test_info_tells_of_our_vms_only(
    task: t.Callable[..., Result], libvirt: MemoryLibvirt, machine: Path, run: t.Callable[..., Result]
) -> None:
    task()
    libvirt.defineXML("<domain type='kvm'><name>foreign</name></domain>")
    (machine / "state/vm-01/console.log").write_bytes(
        b"old\nfirst\r\n\n\x1b[0;32m  OK  \x1b[0m\x07 last\xff\n"
    )
    result = run(vm_info.main, console_lines=2)
    assert [found["name"] for found in result["vms"]] == ["a-vm-01", "a-vm-02"]
    first = result["vms"][0]
    assert first["console"] == ["first", "  OK   last\ufffd"]
    assert (first["state"], first["cpu_time_ns"], first["memory_mib"]) == ("running", 123, 256)
    assert first["known_hosts"] == f"[{ADDRESS}]:20001 ssh-ed25519 AAAA"
    assert result["vms"][1]["console"] == []
    named = run(vm_info.main, names=["a-vm-02", "foreign", "missing"])
    assert [found["name"] for found in named["vms"]] == ["a-vm-02"]


@pytest.mark.parametrize("main", [vm.main, vm_info.main])
def test_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, run: t.Callable[..., Result], main: t.Callable[[], None]
) -> None:
    monkeypatch.setattr(_hypervisor, "HAS_LIBVIRT", False)
    arguments = {"vms": [], "state_dir": "/x", "state": "absent"} if main is vm.main else {}
    assert "libvirt-python" in run(main, **arguments)["msg"]
