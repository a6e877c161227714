# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain's XML: what QEMU gets, and what is read back."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _domain_xml
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm

ROOT = "/images/1/root.ext4"
VM = Vm(
    id=1,
    name="alpha-vm-01",
    memory_mib=256,
    vcpus=2,
    mac="02:00:00:00:00:01",
    address="10.20.0.11/24",
    socket="/run/vm-01.sock",
    socket_server="switch",
    queue_size=512,
    image="/images/1",
    directory="/state/vm-01",
    management_address="127.0.0.11",
    ssh_authorized_key='ssh-ed25519 AAAA "<&me>"',
)
QEMU_SERVES = dataclasses.replace(VM, socket_server="qemu")
PLACED = dataclasses.replace(
    VM, vcpu_cpus=["4", "5-6"], emulator_cpus="0-1,8", memory_node=1, page_size_kib=1048576
)
QEMU = _domain_xml.QEMU
VIRT_AA_HELPER = "/usr/lib/libvirt/virt-aa-helper"


def domain(vm: Vm = VM, accelerator: str = "tcg", root: str = ROOT) -> ET.Element:
    return ET.fromstring(_domain_xml.domain_xml(vm, accelerator, root))  # noqa: S314


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        pytest.param("memoryBacking/access", {"mode": "shared"}, id="the-switch-maps-the-memory"),
        pytest.param(
            "cpu/numa/cell",
            {"id": "0", "cpus": "0-1", "memAccess": "shared", "memory": "256", "unit": "MiB"},
            id="one-cell",
        ),
        pytest.param("devices/interface", {"type": "vhostuser"}, id="vhost-user"),
        pytest.param("devices/interface/mac", {"address": "02:00:00:00:00:01"}, id="data-mac"),
        pytest.param(
            "devices/interface/source",
            {"path": "/run/vm-01.sock", "mode": "client", "type": "unix"},
            id="socket",
        ),
        pytest.param(
            "devices/interface/source/reconnect", {"enabled": "yes", "timeout": "1"}, id="reconnects"
        ),
        pytest.param(
            "devices/interface/driver", {"rx_queue_size": "512", "tx_queue_size": "512"}, id="rings"
        ),
        pytest.param(
            "devices/disk/driver", {"name": "qemu", "type": "qcow2", "discard": "unmap"}, id="overlay"
        ),
        pytest.param("devices/disk/backingStore/source", {"file": ROOT}, id="image"),
        pytest.param(
            "devices/disk/backingStore/source/seclabel", {"model": "dac", "relabel": "no"}, id="image-owner"
        ),
        pytest.param(
            "devices/serial/log", {"file": "/state/vm-01/console.log", "append": "on"}, id="console-log"
        ),
        pytest.param("devices/memballoon", {"model": "none"}, id="no-balloon"),
        pytest.param("devices/controller", {"type": "usb", "model": "none"}, id="no-usb"),
    ],
)
def test_has(path: str, attributes: dict[str, str]) -> None:
    element = domain().find(path)
    assert element is not None
    assert element.attrib == attributes


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        pytest.param(
            "cputune/vcpupin",
            [{"vcpu": "0", "cpuset": "4"}, {"vcpu": "1", "cpuset": "5-6"}],
            id="each-vcpu-on-its-cpus",
        ),
        pytest.param("cputune/emulatorpin", [{"cpuset": "0-1,8"}], id="the-emulator-on-its-own"),
        pytest.param("numatune/memory", [{"mode": "strict", "nodeset": "1"}], id="memory-of-one-node-only"),
        pytest.param(
            "memoryBacking/hugepages/page", [{"size": "1048576", "unit": "KiB"}], id="pages-of-one-size"
        ),
    ],
)
def test_place_of_a_vm(path: str, attributes: list[dict[str, str]]) -> None:
    assert [element.attrib for element in domain(PLACED).findall(path)] == attributes


@pytest.mark.parametrize(
    ("option", "adds"),
    [
        pytest.param("vcpu_cpus", {"cputune", "vcpupin"}, id="vcpus"),
        pytest.param("emulator_cpus", {"cputune", "emulatorpin"}, id="emulator"),
        pytest.param("memory_node", {"numatune"}, id="node"),
        pytest.param("page_size_kib", {"page"}, id="page-size"),
    ],
)
def test_each_part_of_the_place_may_be_given_alone(option: str, adds: set[str]) -> None:
    vm = dataclasses.replace(VM, **{option: getattr(PLACED, option)})
    assert {element.tag for element in domain(vm).iter()} - {
        element.tag for element in domain().iter()
    } == adds


def test_a_vm_without_a_place_has_all_cpus_and_pages_of_the_default_size() -> None:
    assert {"cputune", "numatune", "page"}.isdisjoint(element.tag for element in domain().iter())


def test_the_switch_may_be_the_client() -> None:
    source = domain(QEMU_SERVES).find("devices/interface/source")
    assert source is not None
    assert source.get("mode") == "server"
    assert not len(source)


@pytest.mark.parametrize(
    ("accelerator", "kind", "cpu", "workaround"),
    [
        pytest.param("kvm", "kvm", "host-passthrough", False, id="kvm-keeps-msi-x"),
        pytest.param("tcg", "qemu", "maximum", True, id="tcg-crashes-with-msi-x"),
    ],
)
def test_accelerator(accelerator: str, kind: str, cpu: str, workaround: bool) -> None:
    xml = domain(accelerator=accelerator)
    assert xml.get("type") == kind
    assert xml.find("cpu").get("mode") == cpu  # type: ignore[union-attr]
    properties = xml.findall(f"{QEMU}override/{QEMU}device[@alias='ua-net0']/{QEMU}frontend/{QEMU}property")
    assert [p.attrib for p in properties] == [
        {"name": "vectors", "type": "unsigned", "value": "0"}
    ] * workaround


@pytest.mark.parametrize(
    ("root", "disk_format"),
    [
        pytest.param("/images/1/root.ext4", "raw", id="raw"),
        pytest.param("/images/1/root.qcow2", "qcow2", id="qcow2"),
    ],
)
def test_format_of_the_image_is_never_guessed(root: str, disk_format: str) -> None:
    element = domain(root=root).find("devices/disk/backingStore/format")
    assert element is not None
    assert element.get("type") == disk_format


def test_guest_reaches_nothing_by_the_management_interface() -> None:
    words = [word.get("value") for word in domain().iter(f"{QEMU}arg")]
    assert words == [
        "-netdev",
        "user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.11:20001-:22",
        "-device",
        "virtio-net-pci,netdev=mgmt,mac=06:00:00:00:00:01,addr=0x10,romfile=",
    ]


def test_credentials_are_files() -> None:
    entries = {
        entry.get("name"): (entry.get("file"), entry.text) for entry in domain().findall("sysinfo/entry")
    }
    assert entries == {
        "opt/io.systemd.credentials/ssh.authorized_keys.root": ("/state/vm-01/ssh_authorized_keys", None),
        "opt/io.systemd.credentials/ssh_host_ed25519_key": ("/state/vm-01/ssh_host_ed25519_key", None),
    }


def test_kernel_command_line() -> None:
    assert _domain_xml.kernel_command_line(VM) == (
        "root=/dev/vda rw console=ttyS0 systemd.hostname=alpha-vm-01"
        " ifname=net0:02:00:00:00:00:01 ip=10.20.0.11:::255.255.255.0::net0:none:1500"
        " ifname=mgmt0:06:00:00:00:00:01 ip=mgmt0:dhcp"
    )


def test_kernel_command_line_of_a_guest_with_ipv6_and_long_frames() -> None:
    vm = dataclasses.replace(VM, address_v6="fd20::11/64", mtu=9000)
    assert (
        " ip=10.20.0.11:::255.255.255.0::net0:none:9000 ip=[fd20::11]:::64::net0:none:9000 "
        in _domain_xml.kernel_command_line(vm)
    )


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_what_is_written_is_read_back(accelerator: str) -> None:
    observed = _domain_xml.observed(_domain_xml.domain_xml(VM, accelerator, ROOT), "running")
    assert (observed.state, observed.accelerator) == ("running", accelerator)
    assert observed.description == VM.description


@pytest.mark.parametrize(
    ("metadata", "description"),
    [
        pytest.param("", None, id="not-ours"),
        pytest.param("<x:vm xmlns:x='urn:other'>{}</x:vm>", None, id="another-program's"),
        pytest.param("<x:vm xmlns:x='urn:detnet:testbed:vm'>{broken</x:vm>", {}, id="ours-edited-by-hand"),
        pytest.param("<x:vm xmlns:x='urn:detnet:testbed:vm'>[1]</x:vm>", {}, id="ours-of-another-shape"),
    ],
)
def test_description(metadata: str, description: dict[str, str] | None) -> None:
    xml = f"<domain type='qemu'><metadata>{metadata}</metadata></domain>"
    assert _domain_xml.observed(xml, "stopped").description == description


@pytest.mark.skipif(not shutil.which(VIRT_AA_HELPER), reason="libvirt is not installed")
def test_apparmor_profile_that_libvirt_makes_allows_every_file_of_the_vm() -> None:
    uuid = "be84f475-9644-4cef-ab83-fc0808a93ce6"
    xml = domain()
    ET.SubElement(xml, "uuid").text = uuid
    profile = subprocess.run(
        [VIRT_AA_HELPER, "--dryrun", "--create", "--uuid", f"libvirt-{uuid}"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        input=ET.tostring(xml),
    ).stdout.decode()
    for allowed in (
        '"/state/vm-01/disk.qcow2" rwk',
        '"/images/1/root.ext4" rk',
        '"/images/1/vmlinuz" r',
        '"/images/1/initrd.img" r',
        '"/run/vm-01.sock" rw',
        '"/state/vm-01/ssh_authorized_keys" r',
        '"/state/vm-01/ssh_host_ed25519_key" r',
    ):
        assert allowed in profile
