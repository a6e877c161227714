# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain is set to, read from its XML."""

from __future__ import annotations

import dataclasses
import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _domain_reader, _domain_xml
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Image, Interface, Vm
from hypothesis import given
from hypothesis import strategies as st
from vms import CLOUD_IMAGE, KERNEL_IMAGE, OF_ITS_OWN, OF_THE_CLOUD, PLACED, VM, with_net0

QEMU_SERVES = with_net0(socket_server="qemu", reconnect_s=0)

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
paths = st.from_regex(r"/[a-z0-9 &<>.'\"-]{1,30}", fullmatch=True).filter(lambda path: not path.endswith("/"))
macs = st.integers(0, (1 << 40) - 1).map(
    lambda number: "02:" + ":".join(f"{number:010x}"[i : i + 2] for i in range(0, 10, 2))
)
cpu_lists = st.sets(st.integers(0, 300), min_size=1, max_size=5).map(
    lambda cpus: _domain_reader.shortest(",".join(map(str, cpus)))
)
optional_cpus = st.none() | cpu_lists


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    server = draw(st.sampled_from(["switch", "qemu"]))
    v4 = draw(st.ip_addresses(v=4))
    v6 = draw(st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None))  # type: ignore[union-attr]
    return Interface(
        mac=draw(macs),
        socket=draw(paths),
        socket_server=server,
        reconnect_s=draw(st.integers(0, 60)) if server == "switch" else 0,
        queues=draw(st.integers(1, 8)),
        queue_size=draw(st.sampled_from([256, 512, 1024])),
        packed=draw(st.booleans()),
        mergeable_buffers=draw(st.booleans()),
        offloads=draw(st.booleans()),
        address=draw(st.sampled_from(["", f"{v4}/{draw(st.integers(1, 32))}"])),
        address_v6=draw(st.sampled_from(["", f"{v6}/{draw(st.integers(1, 128))}"])),
        mtu=draw(st.integers(1280, 9000)),
    )


vms = st.builds(
    Vm,
    id=st.integers(0, 4094),
    name=names,
    memory_mib=st.integers(1, 1 << 20),
    vcpus=st.integers(1, 64),
    image=paths,
    directory=paths,
    management_address=st.ip_addresses(v=4).map(str),
    authorized_keys_sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    interfaces=st.lists(interfaces(), max_size=3).map(tuple),
    disk=st.builds(
        Disk,
        size_mib=st.none(),
        cache=st.none() | st.sampled_from(["none", "writeback"]),
        discard=st.booleans(),
    ),
    cpu_model=st.none() | st.just("Skylake-Server"),
    vcpu_cpus=st.none() | st.lists(cpu_lists, min_size=1, max_size=4).map(tuple),
    emulator_cpus=optional_cpus,
    io_thread_cpus=optional_cpus,
    memory_node=st.none() | st.integers(0, 7),
    page_size_kib=st.none() | st.sampled_from([2048, 1048576]),
    firmware=st.sampled_from(["bios", "uefi"]),
    host_devices=st.lists(
        st.from_regex(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", fullmatch=True), max_size=3
    ).map(tuple),
    user_data_sha256=st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    accelerator=st.sampled_from(["kvm", "tcg"]),
)


boots = st.sampled_from(["kernel", "firmware"])


def image_of(vm: Vm, boot: str) -> Image:
    return Image(f"{vm.image}/root.qcow2", boot)


@given(vms, boots)
def test_what_is_written_is_read_back(vm: Vm, boot: str) -> None:
    assert _domain_reader.vm(_domain_xml.domain_xml(vm, image_of(vm, boot))) == vm


@given(vms, boots)
def test_what_is_read_is_written_again(vm: Vm, boot: str) -> None:
    xml = _domain_xml.domain_xml(vm, image_of(vm, boot))
    read = _domain_reader.vm(xml)
    assert read is not None
    assert _domain_xml.domain_xml(read, image_of(vm, boot)) == xml


@pytest.mark.parametrize(
    ("vm", "image"),
    [
        *((vm, KERNEL_IMAGE) for vm in (VM, PLACED, OF_ITS_OWN, QEMU_SERVES)),
        (VM, CLOUD_IMAGE),
        (OF_THE_CLOUD, CLOUD_IMAGE),
    ],
)
def test_in_the_words_of_libvirt_it_is_the_same(vm: Vm, image: Image) -> None:
    domain = ET.fromstring(_domain_xml.domain_xml(vm, image))  # noqa: S314
    for path, attribute in (("memory", None), ("cpu/numa/cell", "memory")):
        element = domain.find(path)
        assert element is not None
        value = element.text if attribute is None else element.get(attribute)
        kib = str(int(t.cast(str, value)) * 1024)
        if attribute is None:
            element.text = kib
        else:
            element.set(attribute, kib)
        element.set("unit", "KiB")
    for number, interface in enumerate(domain.iterfind("devices/interface")):
        ET.SubElement(interface, "address", {"type": "pci", "slot": f"0x{number:02x}"})
        ET.SubElement(interface, "target", {"dev": ""})
    for number, device in enumerate(domain.iterfind("devices/hostdev")):
        ET.SubElement(device, "driver", {"name": "vfio"})
        ET.SubElement(device, "address", {"type": "pci", "domain": "0x0000", "bus": f"0x{number:02x}"})
    if vm.firmware == "uefi":
        # libvirt 9, of a domain that runs.
        boot = domain.find("os")
        assert boot is not None
        del boot.attrib["firmware"]
        loader = ET.SubElement(boot, "loader", {"readonly": "yes", "type": "pflash"})
        loader.text = "/usr/share/OVMF/OVMF_CODE_4M.fd"
        ET.SubElement(boot, "nvram").text = "/var/lib/libvirt/qemu/nvram/alpha-vm-01_VARS.fd"
    ET.SubElement(t.cast(ET.Element, domain.find("devices/disk")), "alias", {"name": "virtio-disk0"})
    assert _domain_reader.vm(ET.tostring(domain, encoding="unicode")) == vm


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param("", id="not-ours"),
        pytest.param("<x:vm xmlns:x='urn:other'/>", id="another-program's"),
    ],
)
def test_a_domain_of_somebody_else_is_no_vm(metadata: str) -> None:
    assert _domain_reader.vm(f"<domain type='qemu'><metadata>{metadata}</metadata></domain>") is None


def test_a_domain_of_ours_from_which_all_was_taken_is_a_vm_that_has_nothing() -> None:
    vm = _domain_reader.vm(
        "<domain type='qemu'><name>x</name><metadata><x:vm xmlns:x='urn:detnet:testbed:vm'/></metadata></domain>"
    )
    assert vm == Vm(0, "x", 0, 1, "", "", "", "", accelerator="tcg", disk=Disk(discard=False))


def test_a_pin_that_was_changed_by_hand_is_seen() -> None:
    xml = _domain_xml.domain_xml(PLACED, KERNEL_IMAGE).replace('cpuset="5-6"', 'cpuset="6,5,0"')
    assert _domain_reader.vm(xml) == dataclasses.replace(PLACED, vcpu_cpus=("4", "0,5-6"))


def test_an_interface_of_another_kind_is_not_ours() -> None:
    xml = _domain_xml.domain_xml(VM, KERNEL_IMAGE).replace(
        "<memballoon", "<interface type='user'/><memballoon"
    )
    assert _domain_reader.vm(xml) == VM
