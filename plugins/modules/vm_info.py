#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_info
short_description: What the virtual machines of an end host do
version_added: 0.1.0
description:
  - Reads the state, resources and last console lines of virtual machines that M(detnet.testbed.vm) created.
  - Tells what a VM really has, which may differ from what was asked for. The CPUs are those of QEMU's threads, the
    pages are those that the kernel gave, and the sizes of rings are those that guest and switch agreed on.
  - A VM that goes away while it is read is not in the result. What cannot be read of a VM is null.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.info
options:
  names:
    description:
      - Names of the VMs. One that does not exist is not in the result.
      - Without it, all VMs that M(detnet.testbed.vm) created on this machine.
    type: list
    elements: str
  console_lines:
    description:
      - How many of the console's last lines to return, from its last 64 KiB.
    type: int
    default: 0
  switch_socket:
    description:
      - Path of the tagging switch's control socket. The switch is asked what it and the guests have agreed on.
      - A switch that does not answer is no failure, but RV(switch.error).
    type: path
    version_added: 0.3.0
requirements:
  - python >= 3.11 and libvirt-python on the target host
notes:
  - Run the task as root.
seealso:
  - module: detnet.testbed.vm
  - module: detnet.testbed.switch_info
  - plugin: detnet.testbed.vm_differences
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read all VMs, with the end of their consoles
  detnet.testbed.vm_info:
    console_lines: 20
  register: found

- name: Read two VMs, and what they have agreed on with the switch
  detnet.testbed.vm_info:
    names: [alpha-vm-00, alpha-vm-01]
    switch_socket: /run/detnet-testbed/alpha/control/switch.sock
  register: found

- name: Show on which CPUs each vCPU really runs
  ansible.builtin.debug:
    msg: "{{ found.vms | items2dict(key_name='name', value_name='vcpu_pins') }}"

- name: Refuse a VM with short rings
  ansible.builtin.assert:
    that: found.vms | map(attribute='interfaces') | flatten | map(attribute='negotiated.ring_to_vm') | min == 1024
"""

RETURN = r"""
vms:
  description: The VMs, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the VM.
      type: str
    id:
      description: Id of the VM.
      type: int
    state:
      description: V(running), V(stopped) or V(paused).
      type: str
    accelerator:
      description: V(kvm) or V(tcg).
      type: str
    memory_mib:
      description: Memory in MiB.
      type: int
    vcpus:
      description: Number of virtual processors.
      type: int
    cpu_time_ns:
      description: Processor time used since the VM was started, in ns; 0 if it is stopped.
      type: int
    mac:
      description: MAC address of C(net0).
      type: str
    address:
      description: IPv4 address of C(net0) with its prefix length.
      type: str
    socket:
      description: Path of the vhost-user socket of C(net0).
      type: str
    socket_server:
      description: Which side listens on it, V(switch) or V(qemu).
      type: str
    management_address:
      description: Where SSH of the VM is reached.
      type: str
    management_port:
      description: Port of SSH.
      type: int
    ssh_host_key:
      description: Public host key, its type and the key.
      type: str
    known_hosts:
      description: The line of known_hosts for the VM's SSH.
      type: str
    console:
      description: The last O(console_lines) lines of the console, without what could command a terminal.
      type: list
      elements: str
    address_v6:
      description: IPv6 address of C(net0) with its prefix length; empty for none.
      type: str
    mtu:
      description: MTU of C(net0) in bytes, as the VM was made.
      type: int
    addresses:
      description: All addresses of C(net0), without their prefix lengths.
      type: list
      elements: str
    pid:
      description: Process id of the VM's QEMU; null if none runs.
      type: int
    boot_time:
      description: When that process was started, in UTC. A guest that reboots by itself keeps its process.
      type: str
      sample: "2026-11-21T23:46:17Z"
    uptime_s:
      description: For how many seconds that process runs.
      type: float
    confinement:
      description:
        - What holds a guest that has taken over that process. Its C(user_id), the mask of its C(capabilities), whether
          it has a C(system_call_filter) and C(own_mounts), and its C(label) by AppArmor or SELinux, null where the
          kernel has neither. Null if no process runs.
      type: dict
      sample:
        {user_id: 64055, capabilities: 0, system_call_filter: true, own_mounts: true, label: null}
    vcpu_pins:
      description:
        - For each vCPU the C(thread) that executes it, C(asked_cpus), its CPUs by libvirt, which are null if it is not
          pinned, and C(effective_cpus), on which the kernel lets it run.
      type: list
      elements: dict
      sample:
        - {vcpu: 0, thread: 4131, asked_cpus: "2", effective_cpus: "2"}
    io_thread_pins:
      description: The same for each of libvirt's I/O threads, by its number C(io_thread).
      type: list
      elements: dict
    emulator_pins:
      description: The same for each other thread of QEMU, with its C(name).
      type: list
      elements: dict
      sample:
        - {name: qemu-system-x86, thread: 4117, asked_cpus: "0-1", effective_cpus: "0-1"}
    memory_pages:
      description:
        - The pages that back the guest's memory, by the NUMA node and the size that they really have. Pages that are
          not huge are counted once QEMU has used them.
      type: list
      elements: dict
      sample:
        - {node: 0, page_size_kib: 2048, pages: 128}
    interfaces:
      description:
        - The vhost-user interfaces, C(net0) first, with the options that O(detnet.testbed.vm#module:vms) has for them.
          A VM that runs has those with which it was started.
      type: list
      elements: dict
      contains:
        mac:
          description: MAC address.
          type: str
        socket:
          description: Path of the vhost-user socket.
          type: str
        queue_size:
          description: Entries of each ring that QEMU was asked to offer.
          type: int
        mtu:
          description: MTU in bytes that the guest's kernel was told.
          type: int
        connected:
          description:
            - Whether the switch has a guest at the socket. Null without O(switch_socket), and if it has no such port.
          type: bool
        negotiated:
          description:
            - What switch and guest have agreed on, the RV(detnet.testbed.switch_info#module:features) of the port.
              Null if C(connected) is not true.
          type: dict
          sample:
            bits: "0x0000000130008000"
            packed_ring: false
            mergeable_buffers: true
            indirect_descriptors: true
            virtio_1: true
            offloads: false
            ring_to_vm: 1024
            ring_from_vm: 1024
            mtu: 0
switch:
  description: The tagging switch.
  returned: with O(switch_socket)
  type: dict
  contains:
    error:
      description: Why it does not answer; null if it does. What follows is null if it does not.
      type: str
    mtu:
      description: Largest IP packet of a guest, in bytes.
      type: int
    uplink:
      description:
        - Its port to the network, as in RV(detnet.testbed.switch_info#module:info), or null if it has none.
        - With it C(speed_mbps), which is null where the kernel has no interface with the uplink's MAC address, such as
          for a device that DPDK drives.
      type: dict
host:
  description: What this machine gives to a process that asks for nothing.
  returned: success
  type: dict
  contains:
    cpus:
      description: CPUs of the module's own process.
      type: str
      sample: 0-1
    page_size_kib:
      description: Size of the hugepages of a VM that names none; 0 if the kernel has none.
      type: int
      sample: 2048
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _hypervisor,
    _hypervisor_live,
    _vm_confinement,
    _vm_files,
    _vm_pages,
    _vm_process,
    _vm_switch,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor_live import Pins
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm_confinement import Confinement
from ansible_collections.detnet.testbed.plugins.module_utils._vm_process import Process, Thread
from ansible_collections.detnet.testbed.plugins.module_utils._vm_switch import Answer

ARGUMENT_SPEC: dict[str, t.Any] = {
    "names": {"type": "list", "elements": "str"},
    "console_lines": {"type": "int", "default": 0},
    "switch_socket": {"type": "path"},
}

# Of net0, beside the VM's own.
OF_FIRST = ("mac", "address", "address_v6", "mtu", "socket", "socket_server")
UNKNOWN = {"connected": None, "negotiated": None}


def ours(domains: dict[str, Observed], names: list[str] | None) -> dict[str, Observed]:
    """Return the domains that the module vm created, only those with one of names if there are any."""
    return {
        name: domain
        for name, domain in sorted(domains.items())
        if domain.configured is not None and (names is None or name in names)
    }


def information(vm: Vm, state: str, console_lines: int) -> dict[str, t.Any]:
    """Return what is known about a VM from what it is set to, and from its files."""
    first = vm.interfaces[0] if vm.interfaces else None
    host_key = _vm_files.host_key(vm.directory)
    addresses = [
        address for interface in vm.interfaces for address in (interface.address, interface.address_v6)
    ]
    return {
        "name": vm.name,
        "id": vm.id,
        "state": state,
        "accelerator": vm.accelerator,
        **{key: getattr(first, key, None) for key in OF_FIRST},
        "addresses": [address.partition("/")[0] for address in addresses if address],
        "interfaces": [dataclasses.asdict(interface) | UNKNOWN for interface in vm.interfaces],
        "management_address": vm.management_address,
        "management_port": vm.management_port,
        "ssh_host_key": host_key,
        "known_hosts": _vm_files.known_hosts(vm.management_address, vm.management_port, host_key),
        "console": _vm_files.console_tail(vm.directory, console_lines),
    }


def reality(pins: Pins, process: Process | None, confinement: Confinement | None) -> dict[str, t.Any]:
    """Return what a VM really has; process and confinement are None if it does not run."""
    threads = process.threads if process else []
    pages = process.pages if process else []
    started = process.started if process else None
    return {
        "pid": process.pid if process else None,
        "boot_time": started and started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "uptime_s": process.uptime_s if process else None,
        "confinement": confinement and dataclasses.asdict(confinement),
        "vcpu_pins": [
            {"vcpu": thread.vcpu, **_pin(thread, pins.of_vcpu(thread.vcpu))}
            for thread in sorted(threads, key=lambda thread: thread.vcpu or 0)
            if thread.vcpu is not None
        ],
        "io_thread_pins": [
            {"io_thread": thread.io_thread, **_pin(thread, pins.of_io_thread(thread.io_thread))}
            for thread in threads
            if thread.io_thread is not None
        ],
        "emulator_pins": [
            {"name": thread.name, **_pin(thread, pins.of_emulator)}
            for thread in threads
            if thread.vcpu is None and thread.io_thread is None
        ],
        "memory_pages": pages
        and [{"node": of.node, "page_size_kib": of.size_kib, "pages": of.pages} for of in pages],
    }


def _pin(thread: Thread, asked_cpus: str | None) -> dict[str, t.Any]:
    return {"thread": thread.id, "asked_cpus": asked_cpus, "effective_cpus": thread.cpus}


def read_vms(hypervisor: Hypervisor, names: list[str] | None, console_lines: int) -> list[dict[str, t.Any]]:
    """Return what is known about the VMs, but for what the switch says."""
    vms = []
    for name, domain in ours(hypervisor.domains(), names).items():
        try:
            statistics = hypervisor.statistics(name)
            pins = _hypervisor_live.pins(hypervisor.connection, name)
        except _hypervisor.LIBVIRT_ERROR as exc:
            if _hypervisor_live.is_gone(exc):
                continue
            raise
        vm = t.cast(Vm, domain.running or domain.configured)  # ours have one
        process = _vm_process.read(name, statistics["vcpus"]) if domain.active else None
        confinement = _vm_confinement.read(process.pid) if process else None
        real = reality(pins, process, confinement)
        vms.append(information(vm, domain.state, console_lines) | statistics | real)
    return vms


def add_switch(vms: list[dict[str, t.Any]], answer: Answer) -> None:
    """Add to each interface what the switch says of its port."""
    for interface in interfaces(vms):
        interface.update(answer.ports.get(interface["socket"], UNKNOWN))


def interfaces(vms: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    return (interface for vm in vms for interface in vm["interfaces"])


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if not _hypervisor.HAS_LIBVIRT:
        module.fail_json(msg=missing_required_lib("libvirt-python"))
    try:
        with _hypervisor.connect() as hypervisor:
            vms = read_vms(hypervisor, module.params["names"], module.params["console_lines"])
    except (OSError, _hypervisor.HypervisorError, _hypervisor.LIBVIRT_ERROR) as exc:
        module.fail_json(msg=f"Cannot read the VMs: {exc}")
    host = {"cpus": _vm_process.own_cpus(), "page_size_kib": _vm_pages.read().default_kib}
    result: dict[str, t.Any] = {"vms": vms, "host": host}
    if path := module.params["switch_socket"]:
        answer = _vm_switch.ask(Switch(path), {interface["socket"] for interface in interfaces(vms)})
        add_switch(vms, answer)
        result["switch"] = answer.about
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
