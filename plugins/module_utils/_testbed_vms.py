# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of a testbed: what is wrong with them, and what follows from an id and an address."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import (
    Variables,
    key_faults,
    vhost_socket,
    vm_name,
)

Vm = dict[str, t.Any]

DEFAULTS = {"memory_mib": 256, "vcpus": 1}
KEYS = ("id", "address", "address_v6", *DEFAULTS)

MANAGEMENT_PORT = 20000
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 (only compared with)


def is_natural(value: t.Any) -> t.TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def compile_vms(host: str, settings: Variables) -> tuple[dict[str, Vm], list[str]]:
    """Return the VMs of an end host by name, and the faults. A faulty VM has id, name and host only."""
    vms: dict[str, Vm] = {}
    faults: list[str] = []
    first: dict[int, int] = {}
    for index, entry in enumerate(settings["testbed_vms"]):
        wrong = key_faults(entry, ("id", "address"), KEYS)
        if isinstance(entry, dict):
            wrong += vm_faults(entry, settings["testbed_max_vm_id"])
        faults += [f"{host}: testbed_vms[{index}]: {fault}" for fault in wrong]
        vm_id = entry.get("id") if isinstance(entry, dict) else None
        if not is_natural(vm_id):
            continue
        if first.setdefault(vm_id, index) != index:
            faults.append(
                f"{host}: VM id {vm_id} is used twice (testbed_vms[{first[vm_id]}], testbed_vms[{index}]); "
                "give each VM of a host its own id"
            )
            continue
        vm: Vm = {"id": vm_id, "name": vm_name(host, vm_id), "host": host}
        vms[vm["name"]] = vm if wrong else vm | derived(host, settings, entry)
    return vms, faults


def vm_faults(entry: Variables, max_vm_id: int) -> list[str]:
    """Return what is wrong with the values of a VM; what is missing is not told again."""
    faults = []
    vm_id = entry.get("id")
    if vm_id is not None and not (is_natural(vm_id) and vm_id <= max_vm_id):
        faults.append(f"id is {vm_id!r}; choose 0 to {max_vm_id}, or raise testbed_max_vm_id")
    for key, default in DEFAULTS.items():
        value = entry.get(key, default)
        if not is_natural(value) or value == 0:
            faults.append(f"{key} is {value!r}; give a number above 0")
    for key, version, example in (("address", 4, "10.20.0.11/24"), ("address_v6", 6, "fd20::11/64")):
        address = entry.get(key)
        if address is not None and not is_host_address(str(address), version):
            faults.append(f"{key} is {address!r}; give an IPv{version} address and prefix, such as {example}")
    return faults


def is_host_address(text: str, version: int) -> bool:
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return False
    network = interface.network
    if version == 6:
        return interface.version == 6 and "/" in text and "%" not in text
    if interface.version != version:
        return False
    # Both addresses of a /31 are hosts' (RFC 3021).
    unusable = (network.network_address, network.broadcast_address) if network.prefixlen < 31 else ()
    return "/" in text and interface.ip not in unusable


def derived(host: str, settings: Variables, entry: Variables) -> Vm:
    """Return what follows from the faultless description of a VM."""
    return {
        "mac": f"{settings['testbed_mac_prefix']}:{entry['id']:02x}".lower(),
        **addresses(entry["address"], entry.get("address_v6")),
        "mtu": settings["testbed_mtu"],
        **{key: entry.get(key, default) for key, default in DEFAULTS.items()},
        "socket": vhost_socket(host, settings, entry["id"]),
        "socket_server": settings["testbed_vhost_server"],
        "management_address": settings["testbed_management_address"],
        "management_port": MANAGEMENT_PORT + entry["id"],
    }


def addresses(address: str, address_v6: str | None) -> dict[str, str]:
    """Return the forms of a VM's faultless addresses that rules and guests need."""
    interface = ipaddress.IPv4Interface(address)
    interface_v6 = ipaddress.IPv6Interface(address_v6) if address_v6 else None
    return {
        "address": str(interface),
        "ip": str(interface.ip),
        "network": str(interface.network),
        "address_v6": str(interface_v6 or ""),
        "ip_v6": str(interface_v6.ip) if interface_v6 else "",
        "network_v6": str(interface_v6.network) if interface_v6 else "",
    }


def duplicate_faults(vms: list[Vm], machines: t.Sequence[str]) -> list[str]:
    """Return the addresses that two VMs of the testbed have in common."""

    def machine(vm: Vm) -> str:
        # An end host that is no machine itself shares the one that there is.
        return vm["host"] if vm["host"] in machines else "".join(machines[:1])

    open_machines = {machine(vm) for vm in vms if vm["management_address"] == ANY_ADDRESS}

    def management(vm: Vm) -> tuple[str, str, int]:
        # One that is not set is a fault of its own, and the same as no other.
        address = ANY_ADDRESS if machine(vm) in open_machines else vm["management_address"] or vm["name"]
        return machine(vm), address, vm["management_port"]

    faults = []
    for what, key, way_out in (
        ("address", lambda vm: vm["ip"], "give each VM its own"),
        ("address", lambda vm: vm["ip_v6"] or vm["name"], "give each VM its own"),
        ("MAC address", lambda vm: vm["mac"], "give each end host its own testbed_mac_prefix"),
        (
            "management endpoint",
            management,
            "give each end host of a machine its own testbed_management_address",
        ),
    ):
        first: dict[t.Any, Vm] = {}
        for vm in vms:
            other = first.setdefault(key(vm), vm)
            if other is not vm:
                value = key(vm)
                shown = f"{value[1]}:{value[2]}" if isinstance(value, tuple) else value
                faults.append(f"{vm['name']}: its {what} {shown} is also that of {other['name']}; {way_out}")
    return faults
