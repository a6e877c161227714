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
  - The data interface C(net0) of a VM is a vhost-user device on shared hugepages; its management interface
    C(mgmt0) is reached by SSH on the end host at port 20000 + id, and cannot reach the host.
  - Takes a list. All VMs are started before the first is waited for, so their boots overlap. A VM that fails
    does not stop the others; the task fails at the end and names each that failed.
  - A VM whose wanted options differ from those it was created with is removed and created anew, with a fresh
    disk and its old SSH host key.
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
      mac:
        description:
          - MAC address of C(net0), unicast and locally administered.
        type: str
      address:
        description:
          - IPv4 address of C(net0) with its prefix length, such as V(10.20.0.11/24).
        type: str
      socket:
        description:
          - Path of the vhost-user socket of C(net0), at most 107 bytes.
        type: path
      socket_server:
        description:
          - Which side listens on the socket. Either side may be restarted if it is V(switch).
        type: str
        choices: [switch, qemu]
        default: switch
      queue_size:
        description:
          - Entries of each ring of C(net0).
        type: int
        choices: [256, 512, 1024]
        default: 1024
  state:
    description:
      - V(present) VMs are created, and left running or stopped as they are.
      - V(running) VMs are created and started.
      - V(stopped) VMs are created, and shut down; switched off if that takes longer than 30 seconds.
      - V(absent) VMs are switched off at once and removed, with their disks and keys.
    type: str
    choices: [present, running, stopped, absent]
    default: running
  image:
    description:
      - Directory with V(vmlinuz), V(initrd.img), and V(root.ext4) or V(root.qcow2), as made by the role
        P(detnet.testbed.base_image#role). It must not change while VMs use it.
      - Required unless O(state=absent).
    type: path
  state_dir:
    description:
      - Directory of the VMs' files, one directory C(vm-ID) for each VM.
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
  accelerator:
    description:
      - What executes the guests. V(auto) takes KVM if a guest really runs under it, found out by running
        one for at most 5 seconds, otherwise TCG. A VM that exists keeps what it has.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  wait_for:
    description:
      - V(ssh) waits until the SSH server of each running VM answers.
    type: str
    choices: [none, ssh]
    default: none
  wait_timeout_s:
    description:
      - How long to wait, in seconds, counted from the start of the last VM.
    type: int
    default: 180
requirements:
  - python >= 3.11, libvirt-python, QEMU and ssh-keygen on the target host
notes:
  - Run the task as root.
seealso:
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
        mac: 02:8e:d3:f6:a1:01
        address: 10.20.0.11/24
        socket: /run/detnet-testbed/alpha/vhost/vm-01.sock
      - id: 2
        name: alpha-vm-02
        memory_mib: 512
        vcpus: 2
        mac: 02:8e:d3:f6:a1:02
        address: 10.20.0.12/24
        socket: /run/detnet-testbed/alpha/vhost/vm-02.sock
    image: /var/cache/detnet-testbed/images/current
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
      description: MAC address of C(net0); null for O(state=absent).
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
    error:
      description: Why the VM could not be brought into the wanted state.
      returned: if it failed
      type: str
"""

import concurrent.futures
import dataclasses
import functools
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _accelerator,
    _domain_xml,
    _hypervisor,
    _vm,
    _vm_files,
    _vm_preflight,
    _vm_wait,
)
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm, VmError

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
            "mac": {"type": "str"},
            "address": {"type": "str"},
            "socket": {"type": "path"},
            "socket_server": {"type": "str", "choices": ["switch", "qemu"], "default": "switch"},
            "queue_size": {"type": "int", "choices": [256, 512, 1024], "default": 1024},
        },
    },
    "state": {"type": "str", "choices": ["present", "running", "stopped", "absent"], "default": "running"},
    "image": {"type": "path"},
    "state_dir": {"type": "path", "required": True},
    "management_address": {"type": "str"},
    "ssh_authorized_key": {"type": "str", "no_log": False},
    "accelerator": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
    "wait_for": {"type": "str", "choices": ["none", "ssh"], "default": "none"},
    "wait_timeout_s": {"type": "int", "default": 180},
}

WORKERS = 8  # enough to overlap slow shutdowns; more starts at once only compete

NEEDED = ["image", "management_address", "ssh_authorized_key"]
REQUIRED_IF = [("state", state, NEEDED) for state in ("present", "running", "stopped")]


@dataclasses.dataclass
class Task:
    """What is wanted for one VM, what there is, and what becomes of it."""

    id: int
    name: str
    directory: str
    wanted: Vm | None  # None: absent
    before: Observed | None
    steps: tuple[str, ...]
    accelerator: str | None = None
    done: list[str] = dataclasses.field(default_factory=list)
    error: str | None = None


def plan(params: dict[str, t.Any], domains: dict[str, Observed]) -> list[Task]:
    """Return what has to be done for each VM of params, given the domains there are.

    Raises VmError with all that is wrong with the input, before anything is done.
    """
    state, entries = params["state"], params["vms"]
    wanted = [] if state == "absent" else [_vm.from_params(entry, params) for entry in entries]
    wrong = _vm.problems(wanted)
    wrong += [
        f"VM {entry['name']}: a domain of this name exists that this module did not create;"
        " it is left alone, so rename one of the two"
        for entry in entries
        if entry["name"] in domains and domains[entry["name"]].description is None
    ]
    if wrong:
        raise VmError("; ".join(wrong))
    tasks = []
    for index, entry in enumerate(entries):
        vm = wanted[index] if wanted else None
        before = domains.get(entry["name"])
        directory = _vm.directory(params["state_dir"], entry["id"])
        steps = _vm.steps(state, vm, before, os.path.isdir(directory))
        tasks.append(Task(entry["id"], entry["name"], directory, vm, before, steps))
    return tasks


def preflight(tasks: list[Task]) -> None:
    """Raise VmError with all that the machine lacks for tasks."""
    creating = [task.wanted for task in tasks if task.wanted and "create" in task.steps]
    starting = [task.wanted for task in tasks if task.wanted and "start" in task.steps]
    # What a VM that is created anew has now, it gives back first.
    held = {task.name: task.before.description or {} for task in tasks if task.before and task.before.active}
    released_mib = sum(held.get(vm.name, {}).get("memory_mib", 0) for vm in starting)
    ports = {(had.get("management_address"), had.get("id")) for had in held.values()}
    wrong = [
        *(_vm_preflight.missing_programs() if creating or starting else []),
        *_vm_preflight.missing_image(creating),
        *_vm_preflight.missing_space(creating),
        *_vm_preflight.page_problems(starting, released_mib, *_vm_preflight.free_pages()),
        *_vm_preflight.taken_ports(vm for vm in starting if (vm.management_address, vm.id) not in ports),
        *_vm_preflight.missing_sockets(starting),
    ]
    if wrong:
        raise VmError("; ".join(wrong))


def choose_accelerators(tasks: list[Task], wanted: str) -> None:
    """Set the accelerator of each task; a guest is run to find out only for VMs that do not exist yet."""
    undecided = [task for task in tasks if task.wanted and not (task.before and wanted == "auto")]
    for task in tasks:
        task.accelerator = task.before.accelerator if task.before else None
    if undecided:
        found = _accelerator.choose(wanted)
        for task in undecided:
            task.accelerator = found


def act(hypervisor: _hypervisor.Hypervisor, task: Task) -> None:
    """Do the steps of a task as far as they succeed."""
    actions: dict[str, t.Callable[[], None]] = {
        "remove": lambda: remove(hypervisor, task),
        "delete": lambda: _vm_files.delete(task.name, task.directory),
        "create": lambda: create(hypervisor, task),
        "start": lambda: hypervisor.start(task.name),
        "resume": lambda: hypervisor.resume(task.name),
        "stop": lambda: hypervisor.stop(task.name),
    }
    for step in task.steps:
        try:
            actions[step]()
        except (VmError, OSError, _hypervisor.LIBVIRT_ERROR) as exc:
            task.error = f"cannot {step} it: {exc}"
            return
        task.done.append(step)


def create(hypervisor: _hypervisor.Hypervisor, task: Task) -> None:
    # The domain comes last: what is interrupted before is simply done again.
    assert task.wanted is not None  # noqa: S101  plan() and choose_accelerators() saw to it
    assert task.accelerator is not None  # noqa: S101
    root = _vm_files.root_image(task.wanted.image)
    _vm_files.create(task.wanted, root)
    hypervisor.define(_domain_xml.domain_xml(task.wanted, task.accelerator, root))


def remove(hypervisor: _hypervisor.Hypervisor, task: Task) -> None:
    hypervisor.remove(task.name)
    description = (task.before.description if task.before else None) or {}
    if description.get("socket_server") == "qemu" and _vm_files.is_socket(description["socket"]):
        os.unlink(description["socket"])


def wait(hypervisor: _hypervisor.Hypervisor, task: Task, timeout_s: float) -> None:
    """Wait until the SSH server of a VM answers."""
    assert task.wanted is not None  # noqa: S101  only VMs that shall run are waited for
    address, port = task.wanted.management_address, task.wanted.management_port
    try:
        _vm_wait.wait_for_ssh(address, port, timeout_s, functools.partial(hypervisor.active, task.name))
    except VmError as exc:
        console = "\n".join(_vm_files.console_tail(task.directory, lines=15)) or "(nothing)"
        log = os.path.join(_vm_files.LIBVIRT_LOGS, f"{task.name}.log")
        task.error = f"{exc}; see {log}; its console ended with:\n{console}"


def for_each(tasks: list[Task], workers: int, call: t.Callable[[Task], None]) -> None:
    """Call for each task, for some at the same time, and return when all calls have."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(call, tasks))


def result(task: Task, now: dict[str, Observed]) -> dict[str, t.Any]:
    """Return what a task made of its VM; now are the domains, of which those whose task failed are asked for."""
    vm, state = task.wanted, _vm.state_after(task.before, task.done)
    if task.error is not None:
        state = now[task.name].state if task.name in now else "absent"
    address, port = (vm.management_address if vm else None), _vm.MANAGEMENT_PORT_BASE + task.id
    host_key = _vm_files.host_key(task.directory) if state != "absent" else None
    found = {
        "name": task.name,
        "id": task.id,
        "state": state,
        "accelerator": task.accelerator if state != "absent" else None,
        "management_address": address,
        "management_port": port,
        "mac": vm.mac if vm else None,
        "ssh_host_key": host_key,
        "known_hosts": _vm_files.known_hosts(address, port, host_key),
        "changed": bool(task.done),
    }
    return found if task.error is None else {**found, "error": task.error}


def difference(tasks: list[Task]) -> dict[str, dict[str, t.Any]]:
    """Return the VMs that change, before and after, as diff mode shows them."""
    changing = [task for task in tasks if task.done]
    before, after = {}, {}
    for task in changing:
        if task.before:
            now = {"state": task.before.state, "accelerator": task.before.accelerator}
            before[task.name] = {**now, **(task.before.description or {})}
        if task.wanted:
            then = {"state": _vm.state_after(task.before, task.done), "accelerator": task.accelerator}
            after[task.name] = {**then, **task.wanted.description}
    return {"before": before, "after": after}


def run(module: AnsibleModule, hypervisor: _hypervisor.Hypervisor) -> dict[str, t.Any]:
    """Return the result of the module. Raises VmError before anything is changed."""
    params = module.params
    tasks = plan(params, hypervisor.domains())
    preflight(tasks)
    choose_accelerators(tasks, params["accelerator"])
    if module.check_mode:
        for task in tasks:
            task.done = list(task.steps)
    else:
        for_each(tasks, WORKERS, functools.partial(act, hypervisor))
        if params["wait_for"] == "ssh" and params["state"] == "running":
            started = [task for task in tasks if task.error is None]
            wait_s = params["wait_timeout_s"]
            for_each(started, len(started) or 1, lambda task: wait(hypervisor, task, wait_s))
    now = hypervisor.domains() if any(task.error for task in tasks) else {}
    return {
        "changed": any(task.done for task in tasks),
        "vms": [result(task, now) for task in tasks],
        "diff": difference(tasks),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    if not _hypervisor.HAS_LIBVIRT:
        module.fail_json(msg=missing_required_lib("libvirt-python"))
    goal = f"Cannot bring the VMs to state {module.params['state']}"
    try:
        with _hypervisor.connect() as hypervisor:
            outcome = run(module, hypervisor)
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
