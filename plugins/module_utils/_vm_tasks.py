# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the VMs of an end host into a state: planned, checked, done beside each other, waited for, told."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _accelerator,
    _domain_xml,
    _hypervisor,
    _vm,
    _vm_files,
    _vm_pages,
    _vm_placement,
    _vm_preflight,
    _vm_wait,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm, VmError

WORKERS = 8  # enough to overlap slow shutdowns; more starts at once only compete


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
    wrong = _vm.problems(wanted) + _vm_placement.problems(wanted)
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
    released = [held[vm.name] for vm in starting if vm.name in held]
    ports = {(had.get("management_address"), had.get("id")) for had in held.values()}
    wrong = [
        *(_vm_preflight.missing_programs() if creating or starting else []),
        *_vm_preflight.missing_image(creating),
        *_vm_preflight.missing_space(creating),
        *_vm_preflight.offline_cpus(starting),
        *_vm_pages.problems(starting, released, _vm_pages.read()),
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


def act(hypervisor: Hypervisor, task: Task) -> None:
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


def create(hypervisor: Hypervisor, task: Task) -> None:
    # Both are set where a domain has to be made.
    vm, accelerator = t.cast(Vm, task.wanted), t.cast(str, task.accelerator)
    root = _vm_files.root_image(vm.image)
    # The domain comes last: what is interrupted before is simply done again.
    _vm_files.create(vm, root)
    hypervisor.define(_domain_xml.domain_xml(vm, accelerator, root))


def remove(hypervisor: Hypervisor, task: Task) -> None:
    hypervisor.remove(task.name)
    description = (task.before.description if task.before else None) or {}
    if description.get("socket_server") == "qemu" and _vm_files.is_socket(description["socket"]):
        os.unlink(description["socket"])


def wait(hypervisor: Hypervisor, task: Task, timeout_s: float) -> None:
    """Wait until the SSH server of a VM answers."""
    vm = t.cast(Vm, task.wanted)  # only what shall run is waited for
    address, port = vm.management_address, vm.management_port
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


def run(hypervisor: Hypervisor, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Bring the VMs of the module's params into their state, and return the module's result.

    Raises VmError before anything is changed; what fails later is the error of its VM in the result.
    """
    tasks = plan(params, hypervisor.domains())
    preflight(tasks)
    choose_accelerators(tasks, params["accelerator"])
    if check_mode:
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
