# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the VMs of an end host, each in itself and beside the others.

Nothing here touches the machine. Messages name the VM, the cause and the way out.
"""

from __future__ import annotations

import collections
import ipaddress
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface, Vm

MAX_ID = 4094  # a VM's id is the last tag of its packets, a VLAN id
MTU = range(1280, 9001)  # the least of IPv6, RFC 8200; the most of the tagging switch
MAX_QUEUES = 8  # pairs of rings that the tagging switch serves
MAX_SOCKET_PATH_BYTES = 107  # sun_path without its final zero, unix(7)
QUEUE_SIZES = (256, 512, 1024)  # what QEMU takes for a vhost-user device

MULTICAST_BIT = 0x01  # of a MAC address's first byte
LOCAL_BIT = 0x02

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # also the guest's host name, RFC 1123
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII)
PCI_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
USER_DATA_BEGINS = ("#", "Content-Type:", "MIME-Version:")  # "#cloud-config", "#!", "## template: jinja", …
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\n]*)?", re.ASCII)


def problems(vms: t.Sequence[Vm]) -> list[str]:
    """Return what is wrong with the VMs of one end host in themselves and together; empty if nothing is."""
    return [f"VM {vm.name}: {problem}" for vm in vms for problem in _faults(vm)] + duplicates(vms)


def key_problems(keys: str) -> list[str]:
    """Return what is wrong with the public keys that may log in."""
    if keys.strip() and all(map(PUBLIC_KEY.fullmatch, keys.strip().splitlines())):
        return []
    # Never show the value: it may be a private key.
    return ["ssh_authorized_key is no list of OpenSSH public keys, one a line; give what a .pub file has"]


def user_data_problems(user_data: str | None) -> list[str]:
    """Return what is wrong with what cloud-init is told; only cloud-init itself understands all of it."""
    if not user_data or user_data.lstrip().startswith(USER_DATA_BEGINS):
        return []
    # Never show the value: there may be a password in it.
    return ["user_data begins like nothing that cloud-init knows; begin it with a line such as #cloud-config"]


def duplicates(vms: t.Sequence[Vm]) -> list[str]:
    """Return a message for each value that VMs of one end host share but must not."""
    unique: dict[str, t.Callable[[Vm], t.Iterable[t.Any]]] = {
        "id": lambda vm: [vm.id],
        "name": lambda vm: [vm.name],
        "MAC address": lambda vm: (each.mac for each in vm.interfaces),
        "IP address": lambda vm: (each.address.partition("/")[0] for each in vm.interfaces),
        "IPv6 address": lambda vm: (each.address_v6.partition("/")[0] for each in vm.interfaces),
        "socket": lambda vm: (each.socket for each in vm.interfaces),
        "PCI device": lambda vm: vm.host_devices,
    }
    found = []
    for what, values_of in unique.items():
        owners = collections.defaultdict(list)
        for vm in vms:
            for value in values_of(vm):
                owners[value].append(vm.name)
        found += [
            f"VMs {', '.join(names)} have the same {what} {value}; give each its own"
            for value, names in owners.items()
            if len(names) > 1 and value != ""
        ]
    return found


def _faults(vm: Vm) -> t.Iterator[str]:
    if not 0 <= vm.id <= MAX_ID:
        yield f"the id {vm.id} is outside 0..{MAX_ID}; choose one inside"
    if not NAME.fullmatch(vm.name):
        yield "the name is no host name; use at most 63 of a-z, 0-9 and inner hyphens"
    yield from _hardware_faults(vm)
    for number, interface in enumerate(vm.interfaces):
        for fault in _interface_faults(interface):
            yield f"interfaces[{number}]: {fault}"
    for what, path in (("image", vm.image), ("state_dir", vm.directory)):
        yield from _path_faults(what, path)
    try:
        ipaddress.IPv4Address(vm.management_address)
    except ValueError:
        yield f"management_address {vm.management_address!r} is no IPv4 address of the end host; give it one"


def _hardware_faults(vm: Vm) -> t.Iterator[str]:
    if vm.memory_mib < 1 or vm.vcpus < 1:
        yield f"memory_mib={vm.memory_mib}, vcpus={vm.vcpus} must be at least 1; correct them"
    if vm.disk.size_mib is not None and vm.disk.size_mib < 1:
        yield f"disk.size_mib={vm.disk.size_mib} must be at least 1; correct it"
    if vm.cpu_model is not None and not MODEL.fullmatch(vm.cpu_model):
        yield f"cpu_model={vm.cpu_model!r} is no name of a processor model; choose one of virsh cpu-models x86_64"
    for device in vm.host_devices:
        if not PCI_ADDRESS.fullmatch(device):
            yield f"host_devices has {device!r}, no PCI address of the form 0000:03:10.0; take one of lspci -D"


def _path_faults(what: str, path: str) -> t.Iterator[str]:
    if not os.path.isabs(path) or any(ord(character) < ord(" ") for character in path):
        yield f"{what} {path!r} is no absolute path of printable characters; correct it"


def _interface_faults(interface: Interface) -> t.Iterator[str]:
    if interface.queue_size not in QUEUE_SIZES:
        yield f"queue_size={interface.queue_size} is none of {', '.join(map(str, QUEUE_SIZES))}; choose one of them"
    if not 1 <= interface.queues <= MAX_QUEUES:
        yield f"queues={interface.queues} is outside 1..{MAX_QUEUES}; choose one inside"
    if interface.mtu not in MTU:
        yield f"mtu={interface.mtu} is outside {MTU[0]}..{MTU[-1]}; choose one inside"
    if interface.reconnect_s < 0:
        yield f"reconnect_s={interface.reconnect_s} is negative; give seconds, or 0 for never"
    yield from _mac_faults(interface.mac)
    yield from _address_faults(interface.address)
    yield from _address_v6_faults(interface.address_v6)
    yield from _path_faults("socket", interface.socket)
    if len(os.fsencode(interface.socket)) > MAX_SOCKET_PATH_BYTES:
        yield (
            f"the socket path {interface.socket} is longer than {MAX_SOCKET_PATH_BYTES} bytes;"
            " choose a shorter testbed_run_dir or end host name"
        )


def _mac_faults(mac: str) -> t.Iterator[str]:
    if not MAC.fullmatch(mac):
        yield f"the MAC address {mac!r} is not of the form 02:00:00:00:00:01; correct it"
        return
    first = int(mac[:2], 16)
    if first & MULTICAST_BIT:
        yield f"the MAC address {mac} is a group address; make its first byte even"
    elif not first & LOCAL_BIT:
        yield f"the MAC address {mac} is not locally administered; let its first byte be 02, 06, 0a or 0e"


def _address_faults(address: str) -> t.Iterator[str]:
    if not address:
        return
    try:
        interface = ipaddress.IPv4Interface(address)
    except ValueError:
        yield f"the address {address!r} is not of the form 10.20.0.11/24; correct it"
        return
    network = interface.network
    if "/" not in address:
        yield f"the address {address} has no prefix length; write {address}/24 or what your network has"
    elif network.prefixlen < 31 and interface.ip in (network.network_address, network.broadcast_address):
        yield f"the address {address} is the network's or its broadcast address; choose another"


def _address_v6_faults(address: str) -> t.Iterator[str]:
    if not address:
        return
    try:
        ipaddress.IPv6Interface(address)
    except ValueError:
        yield f"the address_v6 {address!r} is not of the form fd20::11/64; correct it"
        return
    if "/" not in address or "%" in address:
        yield f"the address_v6 {address} has no prefix length, or a zone; write it like fd20::11/64"
