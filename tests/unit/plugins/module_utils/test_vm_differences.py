# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs as they were asked for against VMs as they are: each kind of difference."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_differences
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface

Tree = dict[str, t.Any]
Change = tuple[str, t.Any]

MAC = "02:00:00:00:00:01"
INTERFACE0 = "vms.0.interfaces.0"
INTERFACE: Tree = {"mac": MAC.upper(), "socket": "/run/1", "address": "10.0.0.1/24", "mtu": 1500}
FREE: Tree = {"name": "a-vm-01", "id": 1, "memory_mib": 256, "vcpus": 2, "interfaces": [INTERFACE]}
PLACED: Tree = {
    **FREE,
    "vcpu_cpus": ["4", 5],  # a template makes a number of one CPU
    "emulator_cpus": "0-1",
    "io_thread_cpus": "2",
    "memory_node": 1,
    "page_size_kib": 2048,
}
NEGOTIATED: Tree = {
    "bits": "0x0000000130008000",
    "packed_ring": False,
    "mergeable_buffers": True,
    "indirect_descriptors": True,
    "virtio_1": True,
    "offloads": False,
    "ring_to_vm": 1024,
    "ring_from_vm": 1024,
    "mtu": 0,
}
CONFINED: Tree = {
    "user_id": 64055,
    "capabilities": 0,
    "system_call_filter": True,
    "own_mounts": True,
    "label": None,
}


def pin(asked: str | None, effective: str | None, **more: t.Any) -> Tree:
    return {"thread": 7, "asked_cpus": asked, "effective_cpus": effective, **more}


def result(placed: bool) -> Tree:
    """Return what vm_info says where all is as it was asked for."""
    interface = dataclasses.asdict(Interface(**{**INTERFACE, "mac": MAC}))
    vm = {
        "name": "a-vm-01",
        "state": "running",
        "vcpus": 2,
        "memory_mib": 256,
        "pid": 70,
        "confinement": dict(CONFINED),
        "vcpu_pins": [pin("4", "4", vcpu=0), pin("5", "5", vcpu=1)],
        "emulator_pins": [pin("0-1", "0-1", name="qemu"), pin("0-1", "0-1", name="worker")],
        "io_thread_pins": [pin("2", "2", io_thread=1)],
        "memory_pages": [{"node": 1, "page_size_kib": 2048, "pages": 128}],
        "interfaces": [{**interface, "connected": True, "negotiated": dict(NEGOTIATED)}],
    }
    if not placed:
        for pins in (vm["vcpu_pins"], vm["emulator_pins"]):
            for one in pins:
                one |= {"asked_cpus": None, "effective_cpus": "0-7"}
        vm["io_thread_pins"] = []
    uplink = {"device": "net_af_packet0", "link_up": True, "speed_mbps": None}
    return {
        "vms": [vm],
        "host": {"cpus": "0-7", "page_size_kib": 2048},
        "switch": {"error": None, "mtu": 1500, "uplink": uplink},
    }


def changed(tree: Tree, *changes: Change) -> Tree:
    """Return a copy in which what dotted paths lead to is something else."""
    copied = copy.deepcopy(tree)
    for path, value in changes:
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place: t.Any = copied
        for key in way:
            place = place[key]
        place[last] = value
    return copied


def rows(wanted: Tree, real: Tree, speed_mbps: int = 0) -> list[tuple[str, t.Any, t.Any, str]]:
    found = _vm_differences.differences([wanted], real, speed_mbps)
    assert all(list(row) == ["vm", "setting", "wanted", "real", "reason"] for row in found)
    assert {row["vm"] for row in found} <= {"a-vm-01", "all"}
    return [(row["setting"], row["wanted"], row["real"], row["reason"]) for row in found]


@pytest.mark.parametrize(
    ("wanted", "real"),
    [
        pytest.param(FREE, result(placed=False), id="free"),
        pytest.param(PLACED, result(placed=True), id="placed"),
        pytest.param(
            FREE,
            changed(result(placed=False), ("vms.0.vcpu_pins.0.asked_cpus", "0-15")),
            id="pinned-to-all-cpus-is-free",
        ),
        pytest.param(
            FREE,
            changed(result(placed=False), ("vms.0.vcpu_pins.0.effective_cpus", "0-15")),
            id="the-host-gives-us-fewer-than-libvirt",
        ),
        pytest.param(FREE, changed(result(placed=False), ("host.cpus", None)), id="unknown-what-the-host-gives"),
        pytest.param(
            {**FREE, "vcpu_cpus": None, "emulator_cpus": None, "memory_node": None, "page_size_kib": None},
            result(placed=False),
            id="options-that-are-null",
        ),
        pytest.param(
            FREE,
            changed(result(placed=False), ("vms.0.interfaces.0.negotiated.mtu", 1500)),
            id="an-mtu-that-qemu-told",
        ),
        pytest.param(
            FREE,
            changed(result(placed=False), ("vms.0.memory_pages.0.node", 0)),
            id="any-node-where-none-was-asked-for",
        ),
        pytest.param(FREE, changed(result(placed=False), ("switch.uplink", None)), id="a-switch-without-uplink"),
        pytest.param({**FREE, "interfaces": []}, result(placed=False), id="no-interface-was-asked-for"),
        pytest.param(
            changed(FREE, ("interfaces.0.socket_server", "qemu")),
            changed(result(placed=False), (f"{INTERFACE0}.socket_server", "qemu"), (f"{INTERFACE0}.reconnect_s", 0)),
            id="who-listens-does-not-connect-again",
        ),
    ],
)  # fmt: skip
def test_nothing_differs(wanted: Tree, real: Tree) -> None:
    assert rows(wanted, real, speed_mbps=25000) == []


ANOTHER_PIN = "libvirt has another pin; virsh"
MOVED = "libvirt has not moved it"


@pytest.mark.parametrize(
    ("changes", "row", "reason"),
    [
        pytest.param(
            [("vms.0.state", "paused")], ("state", "running", "paused"), "somebody paused it", id="paused"
        ),
        pytest.param(
            [("vms.0.state", "stopped"), ("vms.0.pid", None)],
            ("state", "running", "stopped"),
            "it ended or was stopped",
            id="stopped",
        ),
        pytest.param(
            [("vms", [])], ("state", "running", "absent"), "no such VM of ours on this host", id="absent"
        ),
        pytest.param([("vms.0.pid", None)], ("pid", "a process", None), "it has just ended", id="no-process"),
        pytest.param(
            [("vms.0.confinement.user_id", 0)],
            ("confinement.user", "not root", "root"),
            "qemu.conf has user",
            id="root",
        ),
        pytest.param(
            [("vms.0.confinement.capabilities", 0x3000)],
            ("confinement.capabilities", "none", "0x3000"),
            "clear_emulator_capabilities = 0",
            id="capabilities",
        ),
        pytest.param(
            [("vms.0.confinement.system_call_filter", False)],
            ("confinement.system_call_filter", True, False),
            "seccomp_sandbox = 0",
            id="any-system-call",
        ),
        pytest.param(
            [("vms.0.confinement.own_mounts", False)],
            ("confinement.own_mounts", True, False),
            'namespaces without "mount"',
            id="the-mounts-of-the-host",
        ),
        pytest.param(
            [("vms.0.confinement.label", "unconfined")],
            ("confinement.label", "a profile", "unconfined"),
            'security_driver = "none"',
            id="apparmor-without-a-profile",
        ),
        pytest.param([("vms.0.vcpus", 4)], ("vcpus", 2, 4), "it was made otherwise", id="vcpus"),
        pytest.param(
            [("vms.0.memory_mib", 128), ("vms.0.memory_pages.0.pages", 64)],
            ("memory_mib", 256, 128),
            "it was made otherwise; run create_vms.yml",
            id="memory",
        ),
        pytest.param(
            [("vms.0.vcpu_pins.1.asked_cpus", "6"), ("vms.0.vcpu_pins.1.effective_cpus", "6")],
            ("vcpu_cpus[1]", "5", "libvirt 6, thread 6"),
            f"{ANOTHER_PIN} vcpupin a-vm-01 1 5",
            id="a-vcpu-pinned-by-hand",
        ),
        pytest.param(
            [("vms.0.vcpu_pins.0.asked_cpus", None), ("vms.0.vcpu_pins.0.effective_cpus", "0-7")],
            ("vcpu_cpus[0]", "4", "libvirt any, thread 0-7"),
            f"{ANOTHER_PIN} vcpupin a-vm-01 0 4",
            id="a-vcpu-that-is-not-pinned",
        ),
        pytest.param(
            [("vms.0.vcpu_pins.0.effective_cpus", "4-5")],
            ("vcpu_cpus[0]", "4", "libvirt 4, thread 4-5"),
            MOVED,
            id="a-thread-that-was-moved-past-libvirt",
        ),
        pytest.param(
            [("vms.0.vcpu_pins.0.effective_cpus", None)],
            ("vcpu_cpus[0]", "4", "libvirt 4, thread unreadable"),
            "run as root",
            id="a-thread-that-cannot-be-read",
        ),
        pytest.param(
            [("vms.0.vcpu_pins", [pin("4", "4", vcpu=0)])],
            ("vcpu_cpus[1]", "5", None),
            "QEMU has no such thread",
            id="a-vcpu-without-a-thread",
        ),
        pytest.param(
            [("vms.0.emulator_pins.1.effective_cpus", "0")],
            ("emulator_cpus", "0-1", "libvirt 0-1, threads 0 and 0-1"),
            MOVED,
            id="one-thread-of-the-emulator",
        ),
        pytest.param(
            [
                ("vms.0.emulator_pins.0.asked_cpus", "0"),
                ("vms.0.emulator_pins.0.effective_cpus", "0"),
                ("vms.0.emulator_pins.1.effective_cpus", "0"),
            ],
            ("emulator_cpus", "0-1", "libvirt 0, threads 0"),
            f"{ANOTHER_PIN} emulatorpin a-vm-01 0-1",
            id="the-emulator-pinned-by-hand",
        ),
        pytest.param(
            [("vms.0.io_thread_pins.0.effective_cpus", "3")],
            ("io_thread_cpus", "2", "libvirt 2, thread 3"),
            f"{MOVED}: taskset, a cgroup or an earlier virsh did; virsh iothreadpin a-vm-01 1 2",
            id="the-io-thread",
        ),
        pytest.param(
            [("vms.0.io_thread_pins", [])],
            ("io_thread_cpus", "2", None),
            "QEMU has no such thread",
            id="no-io-thread",
        ),
        pytest.param(
            [("vms.0.memory_pages", None)],
            ("memory_mib", 256, None),
            "numa_maps of its process cannot be read",
            id="pages-that-cannot-be-read",
        ),
        pytest.param(
            [("vms.0.memory_pages.0.pages", 100)],
            ("memory_mib", 256, 200),
            "the kernel has given so much",
            id="too-few-pages",
        ),
        pytest.param(
            [("vms.0.memory_pages", [{"node": 1, "page_size_kib": 4, "pages": 65536}])],
            ("page_size_kib", 2048, "4 (256 MiB)"),
            "QEMU was started with other pages",
            id="small-pages",
        ),
        pytest.param(
            [
                (
                    "vms.0.memory_pages",
                    [{"node": node, "page_size_kib": 2048, "pages": 64} for node in (0, 1)],
                )
            ],
            ("memory_node", 1, "0 (128 MiB), 1 (128 MiB)"),
            "make room on the node",
            id="half-of-the-pages-on-another-node",
        ),
        pytest.param(
            [(f"{INTERFACE0}.mac", "02:00:00:00:00:09")],
            ("interfaces[0].mac", MAC, None),
            "the VM has no such interface",
            id="another-interface",
        ),
        pytest.param(
            [(f"{INTERFACE0}.queue_size", 256)],
            ("interfaces[0].queue_size", 1024, 256),
            "the VM runs with another; run create_vms.yml",
            id="a-ring-that-was-asked-for-short",
        ),
        pytest.param(
            [(f"{INTERFACE0}.mtu", 9000)],
            ("interfaces[0].mtu", 1500, 9000),
            "the VM runs with another",
            id="another-mtu",
        ),
        pytest.param(
            [("switch.mtu", 1400)],
            ("interfaces[0].mtu", 1500, 1400),
            "the switch takes no longer packets",
            id="a-switch-of-a-smaller-mtu",
        ),
        pytest.param(
            [(f"{INTERFACE0}.connected", False), (f"{INTERFACE0}.negotiated", None)],
            ("interfaces[0].connected", True, False),
            "the guest's driver does not serve it",
            id="a-guest-that-is-not-connected",
        ),
        pytest.param(
            [(f"{INTERFACE0}.connected", None), (f"{INTERFACE0}.negotiated", None)],
            ("interfaces[0].connected", True, False),
            "the switch has no port at /run/1",
            id="no-port",
        ),
        *(
            pytest.param(
                [(f"{INTERFACE0}.negotiated.{name}", got)],
                (f"interfaces[0].negotiated.{name}", wanted, got),
                "the guest's driver does not take what it is offered",
                id=f"negotiated-{name}",
            )
            for name, wanted, got in (
                ("ring_to_vm", 1024, 256),
                ("ring_from_vm", 1024, 256),
                ("packed_ring", False, True),
                ("mergeable_buffers", True, False),
                ("virtio_1", True, False),
                ("offloads", False, True),
            )
        ),
        pytest.param(
            [(f"{INTERFACE0}.negotiated.mtu", 9000)],
            ("interfaces[0].negotiated.mtu", 1500, 9000),
            "QEMU was told another",
            id="an-mtu-that-qemu-told-wrong",
        ),
        pytest.param(
            [("switch", {"error": "nobody listens", "mtu": None, "uplink": None})],
            ("switch", "answers", "does not"),
            "nobody listens",
            id="a-switch-that-does-not-answer",
        ),
        pytest.param(
            [("switch.uplink.link_up", False)], ("uplink", "up", "down"), "there is no carrier", id="no-carrier"
        ),
        pytest.param(
            [("switch.uplink.speed_mbps", 10000)],
            ("uplink speed in Mbit/s", 25000, 10000),
            "the two ends of the cable agreed on it",
            id="a-slow-uplink",
        ),
    ],
)  # fmt: skip
def test_differs(changes: list[Change], row: tuple[str, t.Any, t.Any], reason: str) -> None:
    found = rows(PLACED, changed(result(placed=True), *changes), speed_mbps=25000)
    assert [one[:3] for one in found] == [row]
    assert reason in found[0][3]


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        pytest.param(
            [("vms.0.vcpu_pins.0.asked_cpus", "0"), ("vms.0.vcpu_pins.0.effective_cpus", "0")],
            ("vcpu_cpus[0]", "0-7", "libvirt 0, thread 0"),
            id="a-vcpu",
        ),
        pytest.param(
            [("vms.0.emulator_pins.0.effective_cpus", "3")],
            ("emulator_cpus", "0-7", "libvirt any, threads 0-7 and 3"),
            id="a-thread-of-the-emulator",
        ),
    ],
)
def test_pinned_by_hand_where_no_pin_was_asked_for(
    changes: list[Change], row: tuple[str, t.Any, t.Any]
) -> None:
    found = rows(FREE, changed(result(placed=False), *changes))
    assert [one[:3] for one in found] == [row]


def test_each_of_many_differences_has_a_row_in_the_order_of_the_vms() -> None:
    others = [{**FREE, "name": f"a-vm-{number:02d}"} for number in (2, 1, 3)]
    real = changed(result(placed=False), (f"{INTERFACE0}.queue_size", 256), ("switch.uplink.link_up", False))
    found = _vm_differences.differences(others, real)
    assert [(row["vm"], row["setting"]) for row in found] == [
        ("a-vm-02", "state"),
        ("a-vm-01", "interfaces[0].queue_size"),
        ("a-vm-03", "state"),
        ("all", "uplink"),
    ]


def test_what_was_asked_for_counts_where_qemu_may_offer_it() -> None:
    wanted = changed(FREE, ("interfaces.0.packed", True), ("interfaces.0.mergeable_buffers", False))
    real = changed(
        result(placed=False),
        (f"{INTERFACE0}.packed", True),
        (f"{INTERFACE0}.mergeable_buffers", False),
        (f"{INTERFACE0}.negotiated.mergeable_buffers", False),
    )
    assert [row[:3] for row in rows(wanted, real)] == [("interfaces[0].negotiated.packed_ring", True, False)]


@pytest.mark.parametrize(
    ("wanted", "real", "says"),
    [
        pytest.param(None, result(placed=False), "what is wanted are no VMs", id="nothing"),
        pytest.param("a-vm-01", result(placed=False), "what is wanted are no VMs", id="a-name"),
        pytest.param([{"name": "a-vm-01"}], result(placed=False), "what is wanted are no VMs", id="no-options"),
        pytest.param(
            [{**FREE, "interfaces": [{"mac": MAC, "sockett": "/s"}]}],
            result(placed=False),
            "VM a-vm-01 has an interface that the module vm would refuse",
            id="an-option-that-is-none",
        ),
        pytest.param(
            [{**FREE, "interfaces": [{"socket": "/s"}]}],
            result(placed=False),
            "VM a-vm-01 has an interface that the module vm would refuse ('mac')",
            id="an-interface-without-mac",
        ),
        pytest.param([{**FREE, "emulator_cpus": "0-"}], result(placed=False), "'0-' in '0-'", id="no-list-of-cpus"),
        pytest.param([FREE], [], "what is real is no result of vm_info", id="no-result"),
        pytest.param([FREE], {"vms": [], "host": {}}, "vm_info with switch_socket", id="a-result-without-switch"),
    ],
)  # fmt: skip
def test_refuses(wanted: t.Any, real: t.Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is compared
        _vm_differences.differences(wanted, real)
    assert says in str(caught.value)


def test_a_pin_where_none_was_asked_for_goes_with_another_start() -> None:
    pinned = changed(
        result(placed=False), ("vms.0.vcpu_pins.0.asked_cpus", "0"), ("vms.0.vcpu_pins.0.effective_cpus", "0")
    )
    (row,) = rows(FREE, pinned)
    assert (row[0], row[3]) == ("vcpu_cpus[0]", "libvirt has another pin; run create_vms.yml")
