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
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Disk, Image, Vm
from vms import CLOUD_IMAGE, KERNEL_IMAGE, OF_ITS_OWN, OF_THE_CLOUD, PLACED, ROOT, VM, with_net0

QEMU_SERVES = with_net0(socket_server="qemu", reconnect_s=0)
QEMU = _domain_xml.QEMU
VIRT_AA_HELPER = "/usr/lib/libvirt/virt-aa-helper"


def domain(vm: Vm = VM, image: Image = KERNEL_IMAGE) -> ET.Element:
    return ET.fromstring(_domain_xml.domain_xml(vm, image))  # noqa: S314


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
            "devices/interface/driver", {"rx_queue_size": "1024", "tx_queue_size": "1024"}, id="rings"
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
        pytest.param("io_thread_cpus", {"cputune", "iothreadpin", "iothreads"}, id="disk"),
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
    xml = domain(dataclasses.replace(VM, accelerator=accelerator))
    assert xml.get("type") == kind
    assert xml.find("cpu").get("mode") == cpu  # type: ignore[union-attr]
    properties = xml.findall(f"{QEMU}override/{QEMU}device[@alias='ua-net0']/{QEMU}frontend/{QEMU}property")
    assert [p.attrib for p in properties] == [
        {"name": "vectors", "type": "unsigned", "value": "0"}
    ] * workaround


@pytest.mark.parametrize(
    ("memory_mib", "cache_mib"),
    [
        pytest.param(96, "22", id="lean"),
        pytest.param(256, "74", id="pocket"),
        pytest.param(1024, "330", id="large"),
    ],
)
def test_what_tcg_has_translated_is_bounded(memory_mib: int, cache_mib: str) -> None:
    cache = domain(dataclasses.replace(VM, accelerator="tcg", memory_mib=memory_mib)).find(
        "features/tcg/tb-cache"
    )
    assert cache is not None
    assert (cache.text, cache.attrib) == (cache_mib, {"unit": "MiB"})
    assert domain(dataclasses.replace(VM, accelerator="kvm")).find("features/tcg") is None


@pytest.mark.parametrize(
    ("root", "disk_format"),
    [
        pytest.param("/images/1/root.ext4", "raw", id="raw"),
        pytest.param("/images/1/root.qcow2", "qcow2", id="qcow2"),
    ],
)
def test_format_of_the_image_is_never_guessed(root: str, disk_format: str) -> None:
    element = domain(image=Image(root)).find("devices/disk/backingStore/format")
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


def test_a_guest_that_boots_by_itself_gets_all_that_is_its_own_from_the_seed() -> None:
    xml = domain(image=CLOUD_IMAGE)
    assert [element.tag for element in xml.findall("os/*")] == ["type"]
    assert xml.find("sysinfo") is None
    seed = xml.findall("devices/disk")[1]
    assert seed.find("readonly") is not None
    assert [each.attrib for each in seed][:3] == [
        {"name": "qemu", "type": "raw"},
        {"file": "/state/vm-01/seed.iso"},
        {"dev": "vdb", "bus": "virtio"},
    ]
    assert len(domain().findall("devices/disk")) == 1


def test_what_cloud_init_is_told_is_noted_without_its_text() -> None:
    noted = domain(OF_THE_CLOUD, CLOUD_IMAGE).find(f"metadata/{_domain_xml.METADATA}")
    assert noted is not None
    assert noted.get("user_data_sha256") == OF_THE_CLOUD.user_data_sha256
    assert "ip=[fd20::1]:::64::net1:none:9000" in noted.get("network", "").split()
    plain = domain().find(f"metadata/{_domain_xml.METADATA}")
    assert plain is not None
    assert list(plain.attrib) == ["authorized_keys_sha256"]


def test_uefi_is_any_that_is_installed_and_asks_for_no_signatures() -> None:
    boot = domain(OF_THE_CLOUD, CLOUD_IMAGE).find("os")
    assert boot is not None
    assert boot.attrib == {"firmware": "efi"}
    assert [element.attrib for element in boot.iterfind("firmware/feature")] == [
        {"enabled": "no", "name": "secure-boot"}
    ]
    assert [element.attrib for element in domain(image=CLOUD_IMAGE).iter("os")] == [{}]


def test_a_device_of_the_host_comes_from_its_driver_and_goes_back() -> None:
    found = domain(OF_ITS_OWN).findall("devices/hostdev")
    assert found[0].attrib == {"mode": "subsystem", "type": "pci", "managed": "yes"}
    assert [address.attrib for each in found for address in each.iterfind("source/address")] == [
        {"domain": "0x0000", "bus": "0x03", "slot": "0x10", "function": "0x0"},
        {"domain": "0xffff", "bus": "0xff", "slot": "0x1f", "function": "0x7"},
    ]


def test_the_domain_that_it_takes_the_place_of_is_named() -> None:
    assert ET.fromstring(_domain_xml.domain_xml(VM, KERNEL_IMAGE, "a-uuid")).findtext("uuid") == "a-uuid"  # noqa: S314
    assert domain().find("uuid") is None


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        pytest.param("cpu/model", [{}], id="model"),
        pytest.param(
            "devices/interface/driver",
            [
                {"queues": "2", "rx_queue_size": "256", "tx_queue_size": "256", "packed": "on"},
                {"rx_queue_size": "512", "tx_queue_size": "512"},
            ],
            id="rings",
        ),
        pytest.param(
            "devices/interface/source/reconnect", [{"enabled": "yes", "timeout": "7"}], id="reconnect"
        ),
        pytest.param("devices/interface/alias", [{"name": "ua-net0"}, {"name": "ua-net1"}], id="aliases"),
        pytest.param(
            "devices/disk/driver",
            [{"name": "qemu", "type": "qcow2", "discard": "ignore", "cache": "none", "iothread": "1"}],
            id="disk",
        ),
        pytest.param("cputune/iothreadpin", [{"iothread": "1", "cpuset": "9"}], id="thread-of-the-disk"),
    ],
)
def test_options_of_a_vm(path: str, attributes: list[dict[str, str]]) -> None:
    assert [element.attrib for element in domain(OF_ITS_OWN).findall(path)] == attributes


def test_what_is_not_offered_to_the_guest_is_switched_off() -> None:
    first, second = domain(OF_ITS_OWN).findall("devices/interface/driver")
    assert not len(first)
    assert [each.tag for each in second] == ["host", "guest"]
    assert {value for each in second for value in each.attrib.values()} == {"off"}
    assert "mrg_rxbuf" in second[0].attrib
    no_merging = domain(with_net0(mergeable_buffers=False)).find("devices/interface/driver")
    assert no_merging is not None
    assert [each.attrib for each in no_merging] == [{"mrg_rxbuf": "off"}]


def test_a_disk_without_a_cache_of_its_own_leaves_it_to_qemu() -> None:
    driver = domain(dataclasses.replace(VM, disk=Disk())).find("devices/disk/driver")
    assert driver is not None
    assert "cache" not in driver.attrib


def test_kernel_command_line() -> None:
    assert _domain_xml.kernel_command_line(with_net0(address_v6="")) == (
        "root=/dev/vda rw console=ttyS0 mitigations=off no_timer_check systemd.show_status=auto"
        " systemd.hostname=alpha-vm-01"
        " ifname=net0:02:00:00:00:00:01 ip=10.20.0.11:::255.255.255.0::net0:none:1500"
        " ifname=mgmt0:06:00:00:00:00:01 ip=mgmt0:dhcp"
    )


def test_a_guest_of_kvm_keeps_what_its_kernel_does_about_speculation() -> None:
    line = _domain_xml.kernel_command_line(dataclasses.replace(VM, accelerator="kvm"))
    assert line.startswith("root=/dev/vda rw console=ttyS0 systemd.hostname=alpha-vm-01 ")


def test_kernel_command_line_of_a_guest_with_ipv6_and_long_frames() -> None:
    assert (
        " ip=10.20.0.11:::255.255.255.0::net0:none:9000 ip=[fd20::11]:::64::net0:none:9000 "
        in _domain_xml.kernel_command_line(with_net0(mtu=9000))
    )


def test_an_interface_without_addresses_has_its_mtu() -> None:
    line = _domain_xml.kernel_command_line(with_net0(address="", address_v6="", mtu=9000))
    assert " ifname=net0:02:00:00:00:00:01 ip=net0:off:9000 " in line


@pytest.mark.skipif(not shutil.which(VIRT_AA_HELPER), reason="libvirt is not installed")
@pytest.mark.parametrize(
    ("image", "files"),
    [
        pytest.param(
            KERNEL_IMAGE,
            [
                '"/images/1/root.ext4" rk',
                '"/images/1/vmlinuz" r',
                '"/images/1/initrd.img" r',
                '"/state/vm-01/ssh_authorized_keys" r',
                '"/state/vm-01/ssh_host_ed25519_key" r',
            ],
            id="kernel",
        ),
        pytest.param(
            CLOUD_IMAGE, ['"/images/1/root.qcow2" rk', '"/state/vm-01/seed.iso" rk'], id="cloud-image"
        ),
    ],
)
def test_apparmor_profile_that_libvirt_makes_allows_every_file_of_the_vm(
    image: Image, files: list[str]
) -> None:
    uuid = "be84f475-9644-4cef-ab83-fc0808a93ce6"
    xml = ET.fromstring(_domain_xml.domain_xml(VM, image, uuid))  # noqa: S314
    profile = subprocess.run(
        [VIRT_AA_HELPER, "--dryrun", "--create", "--uuid", f"libvirt-{uuid}"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        input=ET.tostring(xml),
    ).stdout.decode()
    for allowed in ('"/state/vm-01/disk.qcow2" rwk', '"/run/vm-01.sock" rw', *files):
        assert allowed in profile
