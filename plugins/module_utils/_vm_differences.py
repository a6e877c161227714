# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the VMs of an end host have that is not as it was asked for: a row for each difference.

What was asked for are options of the module vm, what is real is a result of vm_info that asked the switch. Nothing
here touches the machine.
"""

from __future__ import annotations

import collections
import typing as t
from collections.abc import Mapping

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _vm_confinement
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface

Row = dict[str, t.Any]
Vm = t.Mapping[str, t.Any]
Difference = tuple[str, t.Any, t.Any, str]  # a row without its VM

ALL = "all"  # VMs, for what is the switch's
MAKE_AGAIN = "run create_vms.yml"
STATES = {
    "absent": f"there is no such VM of ours on this host; {MAKE_AGAIN}",
    "stopped": f"it ended or was stopped; see its console and libvirt's log, and {MAKE_AGAIN}",
    "paused": f"somebody paused it, or QEMU did after an error of its disk; {MAKE_AGAIN}",
}
# What of an interface decides on what is negotiated.
OF_INTERFACE = (
    "socket",
    "socket_server",
    "queues",
    "queue_size",
    "packed",
    "mergeable_buffers",
    "offloads",
    "mtu",
)
# What the switch agrees on with every guest.
ALWAYS = {"virtio_1": True, "offloads": False}
# The same where the option of an interface says so.
OFFERED = {"packed_ring": "packed", "mergeable_buffers": "mergeable_buffers"}
RINGS = ("ring_to_vm", "ring_from_vm")
OF_GUEST = "the guest's driver does not take what it is offered; look at its version"


class WantedError(ValueError):
    """What is wanted or real cannot be compared; the message says which, and the way out."""


def differences(wanted: t.Any, real: t.Any, uplink_speed_mbps: int = 0) -> list[Row]:
    """Return a row for each difference: vm, setting, wanted, real and reason.

    uplink_speed_mbps is what the uplink must have at least, if its speed is known. Raises
    WantedError, and ValueError for what is no list of CPUs.
    """
    if not isinstance(real, Mapping) or not {"vms", "host", "switch"} <= real.keys():
        raise WantedError("what is real is no result of vm_info with switch_socket; give that result whole")
    found = {vm["name"]: vm for vm in real["vms"]}
    rows = [
        _row(vm["name"], *difference)
        for vm in _checked(wanted)
        for difference in _of_vm(vm, found.get(vm["name"]), real["host"], real["switch"])
    ]
    return rows + [_row(ALL, *difference) for difference in _of_switch(real["switch"], uplink_speed_mbps)]


def _row(vm: str, setting: str, wanted: t.Any, real: t.Any, reason: str) -> Row:
    return {"vm": vm, "setting": setting, "wanted": wanted, "real": real, "reason": reason}


def _checked(wanted: t.Any) -> list[Vm]:
    if not isinstance(wanted, (list, tuple)) or not all(
        isinstance(vm, Mapping) and {"name", "memory_mib", "vcpus"} <= vm.keys() for vm in wanted
    ):
        raise WantedError("what is wanted are no VMs; give what the option vms of the module vm has")
    return list(wanted)


def _interfaces(vm: Vm) -> list[Interface]:
    try:
        return [Interface(**{**of, "mac": of["mac"].lower()}) for of in vm.get("interfaces") or ()]
    except (AttributeError, KeyError, TypeError) as exc:
        raise WantedError(
            f"VM {vm['name']} has an interface that the module vm would refuse ({exc}); correct it"
        ) from exc


def _of_vm(wanted: Vm, real: Vm | None, host: Vm, switch: Vm) -> t.Iterator[Difference]:
    state = real["state"] if real else "absent"
    if state != "running":
        yield "state", "running", state, STATES.get(state, "")
    if real is None or state == "stopped":
        return  # what it would have says nothing about what it has
    for option in ("vcpus", "memory_mib"):
        if wanted[option] != real[option]:
            yield option, wanted[option], real[option], f"it was made otherwise; {MAKE_AGAIN}"
    if real["pid"] is None:
        yield "pid", "a process", None, "it has just ended, or libvirt has no note of it in /run/libvirt/qemu"
    else:
        yield from _pins(wanted, real, host["cpus"] or "")
        yield from _memory(wanted, real, host["page_size_kib"])
        for setting, asked, got, reason in _vm_confinement.differences(real["confinement"]):
            yield f"confinement.{setting}", asked, got, reason
    has = {interface["mac"]: interface for interface in real["interfaces"]}
    for number, interface in enumerate(_interfaces(wanted)):
        for setting, asked, got, reason in _of_interface(interface, has.get(interface.mac), switch):
            yield f"interfaces[{number}].{setting}", asked, got, reason


def _pins(wanted: Vm, real: Vm, anywhere: str) -> t.Iterator[Difference]:
    name = real["name"]
    listed = wanted.get("vcpu_cpus") or [None] * wanted["vcpus"]
    by_vcpu = {pin["vcpu"]: pin for pin in real["vcpu_pins"]}
    for number, cpus in enumerate(listed):
        pins = [by_vcpu[number]] if number in by_vcpu else []
        yield from _pin(f"vcpu_cpus[{number}]", cpus, pins, anywhere, f"virsh vcpupin {name} {number}")
    emulator = wanted.get("emulator_cpus")
    yield from _pin("emulator_cpus", emulator, real["emulator_pins"], anywhere, f"virsh emulatorpin {name}")
    io_thread = wanted.get("io_thread_cpus")
    if io_thread is not None:
        pin_again = f"virsh iothreadpin {name} 1"
        yield from _pin("io_thread_cpus", io_thread, real["io_thread_pins"], anywhere, pin_again)


def _pin(
    setting: str, cpus: str | None, pins: t.Sequence[Vm], anywhere: str, pin_again: str
) -> t.Iterator[Difference]:
    """Compare where threads may run with cpus; without them each may run anywhere."""
    shown = str(cpus) if cpus is not None else anywhere  # a template makes a number of one CPU
    limit = frozenset(_cpu_list.parse(shown))

    def is_right(pin: str | None) -> bool:
        if pin is None:
            return False
        has = frozenset(_cpu_list.parse(pin))
        # More is no fault where none were asked for: libvirt gives all CPUs, the host might give us fewer.
        return has == limit if cpus is not None else has >= limit

    if not pins:
        yield setting, shown, None, "QEMU has no such thread; the VM was made otherwise, or is just ending"
        return
    asked = pins[0]["asked_cpus"]
    # A pin where none was asked for goes only with another start.
    way_back = MAKE_AGAIN if cpus is None and asked is not None else f"{pin_again} {shown}"
    effective = [pin["effective_cpus"] for pin in pins]
    asked_is_right = is_right(asked) if asked is not None else cpus is None
    if asked_is_right and all(map(is_right, effective)):
        return
    if None in effective:
        reason = "its affinity cannot be read; run as root"
    elif asked_is_right:
        reason = "libvirt has not moved it: taskset, a cgroup or an earlier virsh did"
    else:
        reason = "libvirt has another pin"
    yield setting, shown, _shown_pins(asked, pins), f"{reason}; {way_back}"


def _shown_pins(asked: str | None, pins: t.Sequence[Vm]) -> str:
    """Return "libvirt 0-1, threads 0": the CPUs of threads, which most often are the same."""
    effective = sorted({str(pin["effective_cpus"] or "unreadable") for pin in pins})
    return f"libvirt {asked or 'any'}, {'thread' if len(pins) == 1 else 'threads'} {' and '.join(effective)}"


def _memory(wanted: Vm, real: Vm, default_page_size_kib: int) -> t.Iterator[Difference]:
    pages = real["memory_pages"]
    if pages is None:
        reason = "numa_maps of its process cannot be read; run as root, with a kernel that has NUMA"
        yield "memory_mib", wanted["memory_mib"], None, reason
        return
    size = wanted.get("page_size_kib") or default_page_size_kib
    node = wanted.get("memory_node")
    got_mib = sum(of["pages"] * of["page_size_kib"] for of in pages) // 1024
    if got_mib != real["memory_mib"]:
        reason = "the kernel has given so much of it; see libvirt's log of the VM"
        yield "memory_mib", wanted["memory_mib"], got_mib, reason
    if any(of["page_size_kib"] != size for of in pages):
        reason = f"QEMU was started with other pages; {MAKE_AGAIN}"
        yield "page_size_kib", size, _shares(pages, "page_size_kib"), reason
    if node is not None and any(of["node"] != node for of in pages):
        reason = "they were there when QEMU was started; make room on the node, stop the VM and start it"
        yield "memory_node", node, _shares(pages, "node"), reason


def _shares(pages: t.Iterable[Vm], key: str) -> str:
    """Return "0 (384 MiB), 1 (128 MiB)"."""
    of = collections.Counter[int]()
    for found in pages:
        of[found[key]] += found["pages"] * found["page_size_kib"]
    return ", ".join(f"{value} ({size_kib // 1024} MiB)" for value, size_kib in sorted(of.items()))


def _of_interface(wanted: Interface, real: Vm | None, switch: Vm) -> t.Iterator[Difference]:
    if real is None:
        yield "mac", wanted.mac, None, f"the VM has no such interface; {MAKE_AGAIN}"
        return
    for option in OF_INTERFACE:
        asked = getattr(wanted, option)
        if asked != real[option]:
            yield option, asked, real[option], f"the VM runs with another; {MAKE_AGAIN}"
    if switch["error"]:
        return  # which is a row of its own
    if switch["mtu"] < wanted.mtu:
        yield "mtu", wanted.mtu, switch["mtu"], "the switch takes no longer packets; run switches.yml"
    if not real["connected"]:
        yield "connected", True, *_unconnected(real)
    elif real["negotiated"]:
        yield from _negotiated(wanted, real["negotiated"])


def _unconnected(real: Vm) -> tuple[bool, str]:
    if real["connected"] is None:
        return False, f"the switch has no port at {real['socket']}; {MAKE_AGAIN}"
    return False, "the guest's driver does not serve it, or QEMU has lost the socket; see the VM's console"


def _negotiated(wanted: Interface, negotiated: Vm) -> t.Iterator[Difference]:
    for ring in RINGS:
        if negotiated[ring] != wanted.queue_size:
            yield f"negotiated.{ring}", wanted.queue_size, negotiated[ring], OF_GUEST
    features = ALWAYS | {feature: getattr(wanted, option) for feature, option in OFFERED.items()}
    for feature, value in features.items():
        if negotiated[feature] != value:
            yield f"negotiated.{feature}", value, negotiated[feature], OF_GUEST
    # 0: the guest was told by its kernel's command line instead.
    if negotiated["mtu"] not in (0, wanted.mtu):
        yield "negotiated.mtu", wanted.mtu, negotiated["mtu"], f"QEMU was told another; {MAKE_AGAIN}"


def _of_switch(switch: Vm, uplink_speed_mbps: int) -> t.Iterator[Difference]:
    if switch["error"]:
        yield "switch", "answers", "does not", switch["error"]
    uplink = switch["uplink"]
    if not uplink:
        return
    if not uplink["link_up"]:
        yield "uplink", "up", "down", "there is no carrier; see the cable and the port at its other end"
    elif uplink["speed_mbps"] is not None and uplink["speed_mbps"] < uplink_speed_mbps:
        reason = "the two ends of the cable agreed on it; see the port at its other end"
        yield "uplink speed in Mbit/s", uplink_speed_mbps, uplink["speed_mbps"], reason
