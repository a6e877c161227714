# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM of an end host as a value: what is wanted, what is wrong with it, what has to be done for it.

Nothing here touches the machine. Messages name the VM, the cause and the way out.
"""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

Description = dict[str, t.Any]  # a VM's wanted options, as JSON can carry them

MAX_ID = 4094  # a VM's id is the last tag of its packets, a VLAN id
MTU = range(1280, 9001)  # the least of IPv6, RFC 8200; the most of the tagging switch
MAX_SOCKET_PATH_BYTES = 107  # sun_path without its final zero, unix(7)
QUEUE_SIZES = (256, 512, 1024)  # what QEMU takes for a vhost-user device
MANAGEMENT_PORT_BASE = 20000
PLACEMENT = ("vcpu_cpus", "emulator_cpus", "memory_node", "page_size_kib")  # options that a VM may do without

MULTICAST_BIT = 0x01  # of a MAC address's first byte
LOCAL_BIT = 0x02
# Another locally administered prefix than the data interface's: no two interfaces of a guest are alike.
MANAGEMENT_BIT = 0x04

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # also the guest's host name, RFC 1123
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII)
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\n]*)?", re.ASCII)


class VmError(Exception):
    """Something about one VM or its host cannot be done; the message says what, why and the way out."""


@dataclasses.dataclass(frozen=True)
class Vm:
    """What is wanted of one VM; all but the accelerator ("auto", "kvm", "tcg") makes up its description."""

    id: int
    name: str
    memory_mib: int
    vcpus: int
    mac: str  # of net0, the data interface
    address: str  # of net0, with the prefix length: "10.20.0.11/24"
    socket: str  # the vhost-user socket of net0
    socket_server: str  # who listens on it: "switch" or "qemu"
    queue_size: int  # entries of each ring of net0
    image: str  # directory with vmlinuz, initrd.img and root.ext4 or root.qcow2
    directory: str  # the VM's own files
    management_address: str  # of the end host, where the guest's SSH is reached
    ssh_authorized_key: str
    accelerator: str = "auto"
    address_v6: str = ""  # of net0 as well: "fd20::11/64"; empty: none
    mtu: int = 1500  # of net0, in bytes
    vcpu_cpus: list[str] | None = None  # for each vCPU its CPUs of the host, a list in the kernel's notation
    emulator_cpus: str | None = None  # the same for QEMU's other threads
    memory_node: int | None = None  # NUMA node of the host for its hugepages
    page_size_kib: int | None = None  # of its hugepages; None: the host's default

    @property
    def description(self) -> Description:
        """Return what the domain carries as its metadata; a difference here means another VM."""
        options = dataclasses.asdict(self)
        del options["accelerator"]
        # What is not set is not there, so that VMs of an earlier release, which had no placement, stay the same.
        return {key: value for key, value in options.items() if value is not None}

    @property
    def management_port(self) -> int:
        return MANAGEMENT_PORT_BASE + self.id

    @property
    def management_mac(self) -> str:
        """Return the MAC address of mgmt0, derived from net0's."""
        return f"{int(self.mac[:2], 16) ^ MANAGEMENT_BIT:02x}{self.mac[2:]}"


@dataclasses.dataclass(frozen=True)
class Observed:
    """What libvirt says about a domain. The description is None for a domain that is not ours."""

    state: str  # "running", "stopped" or "paused"
    accelerator: str  # "kvm" or "tcg"
    description: Description | None

    @property
    def active(self) -> bool:
        return self.state != "stopped"


def directory(state_dir: str, vm_id: int) -> str:
    """Return where the files of a VM are."""
    return os.path.join(state_dir, f"vm-{vm_id:02d}")


def from_params(entry: t.Mapping[str, t.Any], shared: t.Mapping[str, t.Any]) -> Vm:
    """Return the VM that an entry of the option vms and the options shared by all describe.

    Raises VmError if the entry lacks an option that an existing VM needs.
    """
    missing = sorted(key for key, value in entry.items() if value is None and key not in PLACEMENT)
    if missing:
        raise VmError(f"VM {entry['name']} lacks {', '.join(missing)}; only state=absent does without")
    written = {"mac": entry["mac"].lower()}
    if entry.get("vcpu_cpus") is not None:
        written["vcpu_cpus"] = [_shortest(cpus) for cpus in entry["vcpu_cpus"]]
    if entry.get("emulator_cpus") is not None:
        written["emulator_cpus"] = _shortest(entry["emulator_cpus"])
    return Vm(
        **{**entry, **written},
        image=os.path.realpath(shared["image"]),
        directory=directory(shared["state_dir"], entry["id"]),
        management_address=shared["management_address"],
        ssh_authorized_key=shared["ssh_authorized_key"].strip(),
        accelerator=shared["accelerator"],
    )


def _shortest(cpus: str) -> str:
    """Return a list of CPUs in its shortest notation; what is no list stays, for the faults to name."""
    try:
        return _cpu_list.text(_cpu_list.parse(cpus))
    except ValueError:
        return cpus


def problems(vms: t.Sequence[Vm]) -> list[str]:
    """Return what is wrong with the VMs of one end host in themselves and together; empty if nothing is."""
    return [f"VM {vm.name}: {problem}" for vm in vms for problem in _faults(vm)] + duplicates(vms)


def duplicates(vms: t.Sequence[Vm]) -> list[str]:
    """Return a message for each value that VMs of one end host share but must not."""
    unique: dict[str, t.Callable[[Vm], t.Any]] = {
        "id": lambda vm: vm.id,
        "name": lambda vm: vm.name,
        "MAC address": lambda vm: vm.mac,
        "IP address": lambda vm: vm.address.partition("/")[0],
        "IPv6 address": lambda vm: vm.address_v6.partition("/")[0],
        "socket": lambda vm: vm.socket,
    }
    found = []
    for what, value_of in unique.items():
        owners = collections.defaultdict(list)
        for vm in vms:
            owners[value_of(vm)].append(vm.name)
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
    yield from _size_faults(vm)
    yield from _mac_faults(vm.mac)
    yield from _address_faults(vm.address)
    yield from _address_v6_faults(vm.address_v6)
    for what, path in (("socket", vm.socket), ("image", vm.image), ("state_dir", vm.directory)):
        if not os.path.isabs(path) or any(ord(character) < ord(" ") for character in path):
            yield f"{what} {path!r} is no absolute path of printable characters; correct it"
    if len(os.fsencode(vm.socket)) > MAX_SOCKET_PATH_BYTES:
        yield (
            f"the socket path {vm.socket} is longer than {MAX_SOCKET_PATH_BYTES} bytes;"
            " choose a shorter testbed_run_dir or end host name"
        )
    try:
        ipaddress.IPv4Address(vm.management_address)
    except ValueError:
        yield f"management_address {vm.management_address!r} is no IPv4 address of the end host; give it one"
    if not vm.ssh_authorized_key or not all(map(PUBLIC_KEY.fullmatch, vm.ssh_authorized_key.splitlines())):
        # Never show the value: it may be a private key.
        yield "ssh_authorized_key is no list of OpenSSH public keys, one a line; give what a .pub file has"


def _size_faults(vm: Vm) -> t.Iterator[str]:
    if vm.memory_mib < 1 or vm.vcpus < 1:
        yield f"memory_mib={vm.memory_mib}, vcpus={vm.vcpus} must be at least 1; correct them"
    if vm.queue_size not in QUEUE_SIZES:
        yield f"queue_size={vm.queue_size} is none of {', '.join(map(str, QUEUE_SIZES))}; choose one of them"
    if vm.mtu not in MTU:
        yield f"mtu={vm.mtu} is outside {MTU[0]}..{MTU[-1]}; choose one inside"


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


def steps(state: str, vm: Vm | None, observed: Observed | None, leftovers: bool) -> tuple[str, ...]:
    """Return what has to be done for one VM, in order: of remove, delete, create, start, resume, stop.

    remove and create concern the domain, delete the files.

    state is the wanted one; vm is None for state=absent; observed is None if there is no domain;
    leftovers says whether files of the VM exist.
    """
    if vm is None:
        return (("remove",) if observed else ()) + (("delete",) if observed or leftovers else ())
    if observed is None:
        return ("create", "start") if state == "running" else ("create",)
    if differs(vm, observed):
        again = state == "running" or (state == "present" and observed.active)
        return ("remove", "create", "start") if again else ("remove", "create")
    moves = {
        ("running", "stopped"): ("start",),
        ("running", "paused"): ("resume",),
        ("stopped", "running"): ("stop",),
        ("stopped", "paused"): ("stop",),
    }
    return moves.get((state, observed.state), ())


def differs(vm: Vm, observed: Observed) -> bool:
    """Return whether the domain is another one than wanted; "auto" is content with the accelerator it has."""
    return vm.description != observed.description or vm.accelerator not in ("auto", observed.accelerator)


def state_after(before: Observed | None, done: t.Sequence[str]) -> str:
    """Return the state of a VM after its steps: "absent", "stopped", "running" or "paused"."""
    if not done:
        return before.state if before else "absent"
    becomes = {"remove": "absent", "delete": "absent", "create": "stopped", "stop": "stopped"}
    return becomes.get(done[-1], "running")
