#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm
short_description: Virtual machines of an end host
version_added: 0.1.0
description:
  - Creates, starts, stops and removes virtual machines under QEMU by libvirt.
  - The data interfaces C(net0), C(net1) and so on of a VM are vhost-user devices on shared hugepages; its management
    interface C(mgmt0) is reached by SSH on the end host at port 20000 + id, and cannot reach the host.
  - Takes a list. As many VMs boot at the same time as the host has CPUs for. A VM that fails does not stop the
    others; the task fails at the end and names each that failed.
  - What is wanted is compared with what libvirt has configured and with what runs, setting by setting. Pins change
    while the VM runs, other settings with a restart, and a few only with another VM, which has a fresh disk and the
    old SSH host key. O(apply) says how far that may go.
  - A VM runs on all CPUs of its host, with memory of any NUMA node, unless its options say on which. The filter
    P(detnet.testbed.with_cores#filter) sets them as M(detnet.testbed.core_plan) planned.
  - Domains that this module did not create are never touched.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description: Checks the machine and predicts the result, without changing anything.
    support: full
  diff_mode:
    description: Shows the options and the state of each VM that changes.
    support: full
  idempotent:
    description: The same task again changes nothing.
    support: full
options:
  vms:
    description:
      - The VMs, no two with the same id, name, MAC address, IP address or socket.
      - For O(state=absent) only O(vms[].id) and O(vms[].name) are needed.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - Number of the VM on its end host, 0 to 4094, which is the last tag of packets to it.
        type: int
        required: true
      name:
        description:
          - Name of the domain, and the guest's host name.
        type: str
        required: true
      memory_mib:
        description:
          - Memory in MiB, a multiple of the size of a hugepage.
        type: int
      vcpus:
        description:
          - Number of virtual processors.
        type: int
      interfaces:
        description:
          - The data interfaces, the first of which the guest calls C(net0).
        type: list
        elements: dict
        default: []
        version_added: 0.3.0
        suboptions:
          mac:
            description:
              - MAC address, unicast and locally administered.
            type: str
            required: true
          socket:
            description:
              - Path of the vhost-user socket, at most 107 bytes.
            type: path
            required: true
          socket_server:
            description:
              - Which side listens on the socket. Either side may be restarted if it is V(switch).
            type: str
            choices: [switch, qemu]
            default: switch
          reconnect_s:
            description:
              - How often QEMU tries to reach a switch that is gone, in seconds; V(0) for never.
            type: int
            default: 1
          queues:
            description:
              - Number of pairs of rings, 1 to 8.
            type: int
            default: 1
          queue_size:
            description:
              - Entries of each ring.
            type: int
            choices: [256, 512, 1024]
            default: 1024
          packed:
            description:
              - Whether the packed format of the rings is offered to the guest.
            type: bool
            default: false
          mergeable_buffers:
            description:
              - Whether a frame may take several buffers of the guest.
            type: bool
            default: true
          offloads:
            description:
              - Whether the offloads of checksums and segmentation are offered to the guest.
            type: bool
            default: true
          address:
            description:
              - IPv4 address with its prefix length, such as V(10.20.0.11/24); empty for none.
            type: str
            default: ""
          address_v6:
            description:
              - IPv6 address with its prefix length, such as V(fd20::11/64); empty for none.
            type: str
            default: ""
          mtu:
            description:
              - MTU in bytes, 1280 to 9000.
            type: int
            default: 1500
      disk:
        description:
          - The disk, a layer of its own on the image.
        type: dict
        version_added: 0.3.0
        suboptions:
          size_mib:
            description:
              - Size in MiB. It grows with a restart; a smaller one is another disk.
              - Without it, the size of the image, or the size that the disk has.
            type: int
          cache:
            description:
              - How the host caches it, as QEMU names it. Without it, QEMU's default.
            type: str
            choices: [none, writethrough, writeback, directsync, unsafe]
          discard:
            description:
              - Whether what the guest frees is given back to the host.
            type: bool
            default: true
      cpu_model:
        description:
          - Model of the processor, as C(virsh cpu-models x86_64) lists them.
          - Without it, all that the accelerator offers.
        type: str
        version_added: 0.3.0
      vcpu_cpus:
        description:
          - For each virtual processor the CPUs of the host on which it runs, a list in the kernel's notation
            such as V(4) or V(4-5,8). All are online, and no two VMs have the same.
          - Without it, all run on any CPU.
        type: list
        elements: str
        version_added: 0.3.0
      emulator_cpus:
        description:
          - CPUs of the host for the other threads of QEMU, a list in the kernel's notation.
          - Without it, these run on any CPU.
        type: str
        version_added: 0.3.0
      io_thread_cpus:
        description:
          - CPUs of the host for a thread that serves the disk, a list in the kernel's notation.
          - Without it, there is no such thread.
        type: str
        version_added: 0.3.0
      memory_node:
        description:
          - NUMA node of the host from which all memory of the VM comes.
          - Without it, memory comes from any node.
        type: int
        version_added: 0.3.0
      page_size_kib:
        description:
          - Size in KiB of the hugepages that the memory is made of, such as V(1048576). A hugetlbfs of this size
            was mounted when libvirt started.
          - Without it, the host's default size.
        type: int
        version_added: 0.3.0
      firmware:
        description:
          - What starts the guest's boot loader from the disk. V(uefi) takes the package ovmf on the host.
          - An image whose kernel QEMU starts has V(bios).
        type: str
        choices: [bios, uefi]
        default: bios
        version_added: 0.3.0
      host_devices:
        description:
          - PCI devices of the host that the VM has for itself while it runs, such as virtual functions of a NIC,
            each as C(lspci -D) shows it, such as V(0000:03:10.0). Each is in an IOMMU group whose other devices
            the host does not use.
          - libvirt takes them from the host's drivers when the VM starts, and gives them back when it stops.
        type: list
        elements: str
        default: []
        version_added: 0.3.0
      user_data:
        description:
          - What cloud-init in the guest is told besides name, keys and network, as text that begins with
            C(#cloud-config), C(#!) or what else cloud-init knows. Where the two contradict each other, this has the
            last word.
          - An image whose kernel QEMU starts has no cloud-init, so it is refused for one.
          - It is not shown anywhere, only its SHA-256.
        type: str
        version_added: 0.3.0
  state:
    description:
      - V(present) VMs are created, and left running or stopped as they are.
      - V(running) VMs are created and started.
      - V(stopped) VMs are created, and shut down; switched off if that takes longer than 30 seconds.
      - V(paused) VMs are created and started, and their processors halted.
      - V(rebooted) VMs are shut down as by V(stopped) and started, each time the task runs.
      - V(recreated) VMs are removed and created anew, each time the task runs.
      - V(absent) VMs are switched off at once and removed, with their disks and keys.
    type: str
    choices: [present, running, stopped, paused, rebooted, recreated, absent]
    default: running
  apply:
    description:
      - How far a change of an existing VM may go.
      - With V(live), what takes a restart is configured, and waits for the next one, see RV(vms[].waiting).
      - With V(reboot), a VM that runs is restarted where a change takes that.
      - With V(recreate), it is also created anew where a change takes that; then what is on its disk is lost.
      - A change that goes further is refused before anything is changed.
    type: str
    choices: [live, reboot, recreate]
    default: reboot
    version_added: 0.3.0
  image:
    description:
      - Directory of an image, as made by the role P(detnet.testbed.base_image#role). It must not change while VMs
        use it.
      - Either QEMU starts its kernel, and it has V(vmlinuz), V(initrd.img), and V(root.ext4) or V(root.qcow2).
      - Or it boots by itself, such as a cloud image, and it has V(root.qcow2), and V(image.json) that says
        V("boot":"firmware"). Its cloud-init gives each guest its name, network, host key and O(ssh_authorized_key).
        If one of these changes, or an address or MTU, its next start is the first one of a new instance to cloud-init.
      - Required unless O(state=absent).
    type: path
  state_dir:
    description:
      - Directory of the VMs' files, one directory C(vm-ID) for each VM. What the guest writes to its serial port is
        always in C(console.log) there.
    type: path
    required: true
  management_address:
    description:
      - IPv4 address of the end host at which the VMs are reached by SSH.
      - Required unless O(state=absent).
    type: str
  ssh_authorized_key:
    description:
      - Public keys, one a line, that may log in as root.
      - Required unless O(state=absent).
    type: str
  backend:
    description:
      - What creates, starts and stops the domains. Both take all options, and make the same domain.
      - With V(vagrant), C(vagrant status), C(up), C(suspend), C(destroy) and C(ssh) work in the VM's directory, too.
    type: str
    choices: [libvirt, vagrant]
    default: libvirt
    version_added: 0.3.0
  accelerator:
    description:
      - What executes the guests. V(auto) takes KVM if a guest really runs under it, found out by running
        one for at most 5 seconds, otherwise TCG. A VM that exists keeps what it has.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  wait_for:
    description:
      - What to wait for before the task ends, for each VM that runs then.
      - V(started) waits until its QEMU runs.
      - V(ssh) waits until its SSH server answers.
      - V(network) waits for that, and until its guest and the switch have agreed on all data interfaces.
    type: str
    choices: [none, started, ssh, network]
    default: none
  switch_socket:
    description:
      - Control socket of the tagging switch. Required if O(wait_for=network).
    type: path
    version_added: 0.3.0
  wait_timeout_s:
    description:
      - How long to wait for each VM, in seconds, counted from its start or, if it runs already, the first look.
    type: int
    default: 180
requirements:
  - python >= 3.11, libvirt-python, QEMU and ssh-keygen on the target host
  - xorrisofs there for an image that boots by itself (Debian's package xorriso), and ovmf for O(vms[].firmware=uefi)
  - vagrant, vagrant-libvirt and python-vagrant there for O(backend=vagrant)
notes:
  - Run the task as root.
seealso:
  - module: detnet.testbed.core_plan
  - module: detnet.testbed.vm_info
  - module: detnet.testbed.switch_port
"""

EXAMPLES = r"""
- name: Start two VMs and wait until both answer
  detnet.testbed.vm:
    vms:
      - id: 1
        name: alpha-vm-01
        memory_mib: 256
        vcpus: 1
        interfaces:
          - mac: 02:8e:d3:f6:a1:01
            address: 10.20.0.11/24
            socket: /run/detnet-testbed/alpha/vhost/vm-01.sock
      - id: 2
        name: alpha-vm-02
        memory_mib: 512
        vcpus: 2
        interfaces:
          - mac: 02:8e:d3:f6:a1:02
            address: 10.20.0.12/24
            socket: /run/detnet-testbed/alpha/vhost/vm-02.sock
    image: /var/cache/detnet-testbed/images/current
    state_dir: /var/lib/detnet-testbed/alpha/vms
    management_address: 127.0.0.11
    ssh_authorized_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    wait_for: network
    switch_socket: /run/detnet-testbed/alpha/control/switch.sock

- name: Start a VM whose processors and memory are its own
  detnet.testbed.vm:
    vms:
      - id: 3
        name: alpha-vm-03
        memory_mib: 4096
        vcpus: 2
        interfaces:
          - mac: 02:8e:d3:f6:a1:03
            address: 10.20.0.13/24
            socket: /run/detnet-testbed/alpha/vhost/vm-03.sock
        vcpu_cpus: ["4", "5"]
        emulator_cpus: 0-1
        memory_node: 0
        page_size_kib: 1048576
    image: /var/cache/detnet-testbed/images/current
    state_dir: /var/lib/detnet-testbed/alpha/vms
    management_address: 127.0.0.11
    ssh_authorized_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: Start a VM of a cloud image, with a virtual function of a NIC
  detnet.testbed.vm:
    vms:
      - id: 4
        name: alpha-vm-04
        memory_mib: 1024
        vcpus: 1
        interfaces:
          - mac: 02:8e:d3:f6:a1:04
            address: 10.20.0.14/24
            socket: /run/detnet-testbed/alpha/vhost/vm-04.sock
        disk:
          size_mib: 8192
        firmware: uefi
        host_devices: ["0000:03:10.0"]
        user_data: |
          #cloud-config
          runcmd:
            - [systemctl, enable, --now, iperf3]
    image: /var/cache/detnet-testbed/images/debian-13
    state_dir: /var/lib/detnet-testbed/alpha/vms
    management_address: 127.0.0.11
    ssh_authorized_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    wait_for: ssh

- name: Remove a VM with its disk and keys
  detnet.testbed.vm:
    vms:
      - id: 2
        name: alpha-vm-02
    state_dir: /var/lib/detnet-testbed/alpha/vms
    state: absent
"""

RETURN = r"""
vms:
  description: The VMs, in the order of O(vms), also if the task failed while it changed them.
  returned: unless the input was refused
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
      description: V(running), V(stopped), V(paused) or V(absent), after the task.
      type: str
    accelerator:
      description: V(kvm) or V(tcg); null if the VM is absent.
      type: str
    management_address:
      description: Where SSH of the VM is reached; null for O(state=absent).
      type: str
    management_port:
      description: Port of SSH, 20000 + id.
      type: int
    mac:
      description: MAC address of C(net0); null for O(state=absent), or if it has none.
      type: str
    ssh_host_key:
      description:
        - Public host key, its type and the key.
        - Null if the VM is absent, or does not exist yet in check mode.
      type: str
    known_hosts:
      description: The line of known_hosts for the VM's SSH; null if RV(vms[].ssh_host_key) is.
      type: str
    changed:
      description: Whether something was done for this VM.
      type: bool
    changes:
      description: What of an existing VM was not as wanted.
      type: list
      elements: dict
      contains:
        setting:
          description: Name of the setting, such as C(interfaces[0].queue_size).
          type: str
        before:
          description: What it was.
          type: raw
        after:
          description: What is wanted.
          type: raw
        apply:
          description: What the change takes, V(live), V(reboot) or V(recreate).
          type: str
        configured:
          description: Whether the next start of the VM had it already.
          type: bool
    waiting:
      description: Settings that the VM gets with its next start.
      type: list
      elements: str
    error:
      description: Why the VM could not be brought into the wanted state.
      returned: if it failed
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor, _vm_tasks
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

CREATING = ("present", "running", "stopped", "paused", "rebooted", "recreated")
INTERFACE: dict[str, t.Any] = {
    "mac": {"type": "str", "required": True},
    "socket": {"type": "path", "required": True},
    "socket_server": {"type": "str", "choices": ["switch", "qemu"], "default": "switch"},
    "reconnect_s": {"type": "int", "default": 1},
    "queues": {"type": "int", "default": 1},
    "queue_size": {"type": "int", "choices": [256, 512, 1024], "default": 1024},
    "packed": {"type": "bool", "default": False},
    "mergeable_buffers": {"type": "bool", "default": True},
    "offloads": {"type": "bool", "default": True},
    "address": {"type": "str", "default": ""},
    "address_v6": {"type": "str", "default": ""},
    "mtu": {"type": "int", "default": 1500},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "vms": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "id": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
            "memory_mib": {"type": "int"},
            "vcpus": {"type": "int"},
            "interfaces": {"type": "list", "elements": "dict", "default": [], "options": INTERFACE},
            "disk": {
                "type": "dict",
                "options": {
                    "size_mib": {"type": "int"},
                    "cache": {
                        "type": "str",
                        "choices": ["none", "writethrough", "writeback", "directsync", "unsafe"],
                    },
                    "discard": {"type": "bool", "default": True},
                },
            },
            "cpu_model": {"type": "str"},
            "vcpu_cpus": {"type": "list", "elements": "str"},
            "emulator_cpus": {"type": "str"},
            "io_thread_cpus": {"type": "str"},
            "memory_node": {"type": "int"},
            "page_size_kib": {"type": "int"},
            "firmware": {"type": "str", "choices": ["bios", "uefi"], "default": "bios"},
            "host_devices": {"type": "list", "elements": "str", "default": []},
            "user_data": {"type": "str", "no_log": True},
        },
    },
    "state": {"type": "str", "choices": [*CREATING, "absent"], "default": "running"},
    "apply": {"type": "str", "choices": ["live", "reboot", "recreate"], "default": "reboot"},
    "image": {"type": "path"},
    "state_dir": {"type": "path", "required": True},
    "management_address": {"type": "str"},
    "ssh_authorized_key": {"type": "str", "no_log": False},
    "backend": {"type": "str", "choices": ["libvirt", "vagrant"], "default": "libvirt"},
    "accelerator": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
    "wait_for": {"type": "str", "choices": ["none", "started", "ssh", "network"], "default": "none"},
    "wait_timeout_s": {"type": "int", "default": 180},
    "switch_socket": {"type": "path"},
}

NEEDED = ["image", "management_address", "ssh_authorized_key"]
REQUIRED_IF = [
    *(("state", state, NEEDED) for state in CREATING),
    ("wait_for", "network", ["switch_socket"]),
]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    if not _hypervisor.HAS_LIBVIRT:
        module.fail_json(msg=missing_required_lib("libvirt-python"))
    goal = f"Cannot bring the VMs to state {module.params['state']}"
    try:
        with _hypervisor.connect() as hypervisor:
            outcome = _vm_tasks.run(hypervisor, module.params, module.check_mode)
    except (VmError, OSError, _hypervisor.HypervisorError, _hypervisor.LIBVIRT_ERROR) as exc:
        module.fail_json(msg=f"{goal}: {exc}")
    failed = [f"{vm['name']}: {vm['error']}" for vm in outcome["vms"] if "error" in vm]
    if failed:
        module.fail_json(
            msg=f"{goal}: {len(failed)} of {len(outcome['vms'])} failed; {'; '.join(failed)}", **outcome
        )
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
