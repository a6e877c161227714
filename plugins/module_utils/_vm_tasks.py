# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the VMs of an end host into a state: planned, checked, done beside each other, waited for, told."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _accelerator,
    _hypervisor,
    _vm,
    _vm_backend,
    _vm_changes,
    _vm_faults,
    _vm_files,
    _vm_image,
    _vm_pages,
    _vm_placement,
    _vm_preflight,
    _vm_steps,
    _vm_wait,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm, VmError
from ansible_collections.detnet.testbed.plugins.module_utils._vm_backend import Backend

SWITCH_TIMEOUT_S = 5.0
Wait = tuple[t.Callable[[], bool], str]  # until what is true, and what is late otherwise

WORKERS = 8  # enough to overlap slow shutdowns; more starts at once only compete


@dataclasses.dataclass
class Task:
    """What is wanted for one VM, what there is, and what becomes of it."""

    id: int
    name: str
    directory: str
    wanted: Vm | None  # None: absent
    before: Observed | None
    changes: list[_vm_changes.Change]
    steps: tuple[str, ...]
    user_data: str = dataclasses.field(default="", repr=False)
    done: list[str] = dataclasses.field(default_factory=list)
    error: str | None = None


def plan(params: dict[str, t.Any], domains: dict[str, Observed]) -> list[Task]:
    """Return what has to be done for each VM of params, given the domains there are.

    Raises VmError with all that is wrong with the input, before anything is done.
    """
    state, entries = params["state"], params["vms"]
    absent = state == "absent"
    wanted = [] if absent else [_vm.from_params(entry, params) for entry in entries]
    wrong = _vm_faults.problems(wanted) + _vm_placement.problems(wanted)
    wrong += [] if absent else _vm_faults.key_problems(params["ssh_authorized_key"])
    wrong += [
        f"VM {entry['name']}: {problem}"
        for entry in entries
        for problem in _vm_faults.user_data_problems(entry.get("user_data"))
    ]
    wrong += [
        f"VM {entry['name']}: a domain of this name exists that this module did not create;"
        " it is left alone, so rename one of the two"
        for entry in entries
        if entry["name"] in domains and domains[entry["name"]].configured is None
    ]
    if wrong:
        raise VmError("; ".join(wrong))
    tasks = []
    for index, entry in enumerate(entries):
        vm = None if absent else wanted[index]
        before = domains.get(entry["name"])
        changes = _vm_changes.changes(vm, before) if vm and before else []
        wrong += [f"VM {entry['name']}: {why}" for why in _vm_steps.refused(changes, state, params["apply"])]
        directory = _vm.directory(params["state_dir"], entry["id"])
        steps = _vm_steps.steps(state, changes, before, os.path.isdir(directory), params["apply"])
        user_data = entry.get("user_data") or ""
        tasks.append(Task(entry["id"], entry["name"], directory, vm, before, changes, steps, user_data))
    if wrong:
        raise VmError("; ".join(wrong))
    return tasks


def preflight(tasks: list[Task]) -> None:
    """Raise VmError with all that the machine lacks for tasks."""
    creating = [task.wanted for task in tasks if task.wanted and "create" in task.steps]
    defining = [task.wanted for task in tasks if task.wanted and "define" in task.steps]
    starting = [task.wanted for task in tasks if task.wanted and "start" in task.steps]
    # What a VM that starts anew has now, it gives back first.
    held = {task.name: task.before.running for task in tasks if task.before and task.before.running}
    released = [held[vm.name] for vm in starting if vm.name in held]
    ports = {(had.management_address, had.id) for had in held.values()}
    backends = {task.wanted.backend for task in tasks if task.wanted}
    wrong = [
        *(_vm_preflight.missing_programs() if creating or starting else []),
        *(why for backend in backends for why in _vm_backend.missing(backend)),
        *_vm_preflight.image_problems([*creating, *defining]),
        *_vm_preflight.missing_space(creating),
        *_vm_preflight.offline_cpus(starting),
        *_vm_preflight.missing_devices(starting),
        *_vm_pages.problems(starting, released, _vm_pages.read()),
        *_vm_preflight.taken_ports(vm for vm in starting if (vm.management_address, vm.id) not in ports),
        *_vm_preflight.missing_sockets(starting),
    ]
    if wrong:
        raise VmError("; ".join(wrong))


def choose_accelerators(tasks: list[Task]) -> None:
    """Set the accelerator of each VM; a guest is run to find out only for VMs that do not exist yet."""
    found: dict[str, str] = {}
    for task in tasks:
        if task.wanted is None:
            continue
        wanted = task.wanted.accelerator
        if wanted == "auto" and task.before and task.before.configured:
            choice = task.before.configured.accelerator
        else:
            choice = found[wanted] = found.get(wanted) or _accelerator.choose(wanted)
        task.wanted = dataclasses.replace(task.wanted, accelerator=choice)


def refuse_old_libvirt(tasks: list[Task], version: tuple[int, int]) -> None:
    """Raise VmError if this version of libvirt cannot run VMs that are created or started."""
    new = [task.wanted for task in tasks if task.wanted and {"create", "start"} & {*task.steps}]
    if wrong := _vm_preflight.old_libvirt(new, version):
        raise VmError("; ".join(wrong))


def boots_at_once(tasks: list[Task]) -> int:
    """Return how many VMs may boot, or start the server of a connection, at the same time."""
    emulated = any(task.wanted and task.wanted.accelerator == "tcg" for task in tasks)
    cpus = os.cpu_count() or 1
    # Emulated guests that share a CPU take more of its time than one after the other; with 64 on 2 CPUs, no greeting
    # comes before its connection is given up.
    return max(2, cpus) if emulated else max(WORKERS, cpus)


def act_and_wait(hypervisor: Hypervisor, params: dict[str, t.Any], task: Task) -> None:
    act(hypervisor, params, task)
    wait(hypervisor, params, task)


def act(hypervisor: Hypervisor, params: dict[str, t.Any], task: Task) -> None:
    """Do the steps of a task as far as they succeed."""
    keys = params["ssh_authorized_key"] or ""
    vm = task.wanted or (task.before.configured if task.before else None)
    backend = _vm_backend.BACKENDS[vm.backend if vm else "libvirt"](hypervisor)
    # What takes a VM is only done to one.
    of_vm = t.cast(Vm, vm)
    actions: dict[str, t.Callable[[], None]] = {
        "remove": lambda: remove(hypervisor, task),
        "delete": lambda: _vm_files.delete(task.name, task.directory),
        "create": lambda: create(backend, keys, task),
        "define": lambda: define(backend, keys, task),
        "pin": lambda: hypervisor.pin(of_vm),
        "start": lambda: backend.start(of_vm),
        "resume": lambda: backend.resume(of_vm),
        "pause": lambda: backend.pause(of_vm),
        "stop": lambda: backend.stop(of_vm),
    }
    for step in task.steps:
        try:
            actions[step]()
        except (VmError, OSError, _hypervisor.LIBVIRT_ERROR) as exc:
            task.error = f"cannot {step} it: {exc}"
            return
        task.done.append(step)


def create(backend: Backend, keys: str, task: Task) -> None:
    vm = t.cast(Vm, task.wanted)
    image = _vm_image.read(vm.image)
    # The domain comes last: what is interrupted before is simply done again.
    _vm_files.create(vm, image, keys, task.user_data)
    backend.define(vm, image, None)


def define(backend: Backend, keys: str, task: Task) -> None:
    """Have a domain that exists as wanted with its next start; its disk stays."""
    vm, before = t.cast(Vm, task.wanted), t.cast(Observed, task.before)
    image = _vm_image.read(vm.image)
    _vm_files.write_guest_files(vm, image, keys, task.user_data)
    if "stop" in task.done or not before.active:
        _vm_files.grow_disk(vm)
    backend.define(vm, image, before.uuid)


def remove(hypervisor: Hypervisor, task: Task) -> None:
    # Vagrant's own notes go with the VM's files.
    hypervisor.remove(task.name)
    had = task.before.configured if task.before else None
    for interface in had.interfaces if had else ():
        if interface.socket_server == "qemu" and _vm_files.is_socket(interface.socket):
            os.unlink(interface.socket)


def wait(hypervisor: Hypervisor, params: dict[str, t.Any], task: Task) -> None:
    """Wait until a VM that runs is ready, as the option wait_for says."""
    if params["wait_for"] == "none" or task.error is not None or not runs(task):
        return
    vm = t.cast(Vm, task.wanted)  # only what shall run is waited for
    address, port = vm.management_address, vm.management_port
    switch = Switch(params["switch_socket"] or "", SWITCH_TIMEOUT_S)
    sockets = [interface.socket for interface in vm.interfaces]
    alive = functools.partial(hypervisor.active, task.name)
    network = (
        functools.partial(_vm_wait.connected, switch, sockets),
        f"its guest and the switch at {switch.path} did not agree on {', '.join(sockets)}",
    )
    deadline = time.monotonic() + params["wait_timeout_s"]
    try:
        with _vm_wait.Greeting(address, port) as greeting:
            ssh: Wait = (greeting, f"no SSH server answered at {address}:{port}")
            waits: dict[str, list[Wait]] = {
                "started": [(alive, "it did not run")],
                "ssh": [ssh],
                "network": [network, ssh],
            }
            for ready, late in waits[params["wait_for"]]:
                _vm_wait.wait_until(ready, late, max(0.0, deadline - time.monotonic()), alive)
    except VmError as exc:
        console = "\n".join(_vm_files.console_tail(task.directory, lines=15)) or "(nothing)"
        log = os.path.join(_vm_files.LIBVIRT_LOGS, f"{task.name}.log")
        task.error = f"{exc}; see {log}; its console ended with:\n{console}"


def runs(task: Task) -> bool:
    return _vm_steps.state_after(task.before, task.done) == "running"


def for_each(tasks: list[Task], workers: int, call: t.Callable[[Task], None]) -> None:
    """Call for each task, for some at the same time, and return when all calls have."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        list(pool.map(call, tasks))


def result(task: Task, now: dict[str, Observed]) -> dict[str, t.Any]:
    """Return what a task made of its VM; now are the domains, of which those whose task failed are asked for."""
    vm, state = task.wanted, _vm_steps.state_after(task.before, task.done)
    if task.error is not None:
        state = now[task.name].state if task.name in now else "absent"
    address, port = (vm.management_address if vm else None), _vm.MANAGEMENT_PORT_BASE + task.id
    host_key = _vm_files.host_key(task.directory) if state != "absent" else None
    found = {
        "name": task.name,
        "id": task.id,
        "state": state,
        "accelerator": vm.accelerator if vm and state != "absent" else None,
        "management_address": address,
        "management_port": port,
        "mac": vm.interfaces[0].mac if vm and vm.interfaces else None,
        "ssh_host_key": host_key,
        "known_hosts": _vm_files.known_hosts(address, port, host_key),
        "changed": bool(task.done),
        "changes": [dataclasses.asdict(change) for change in task.changes],
        "waiting": waiting(task),
    }
    return found if task.error is None else {**found, "error": task.error}


def waiting(task: Task) -> list[str]:
    """Return the settings that a VM which runs gets with its next start."""
    if "start" in task.steps or not (task.before and task.before.active):
        return []
    return [change.setting for change in task.changes if change.apply == _vm_changes.REBOOT]


def difference(tasks: list[Task]) -> dict[str, dict[str, t.Any]]:
    """Return what changes of each VM, before and after, as diff mode shows it."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for task in tasks:
        if not task.done:
            continue
        if task.before:
            before[task.name] = {"state": task.before.state}
            before[task.name] |= {change.setting: change.before for change in task.changes}
        if task.wanted:
            after[task.name] = {"state": _vm_steps.state_after(task.before, task.done)}
            if task.before:
                after[task.name] |= {change.setting: change.after for change in task.changes}
            else:
                after[task.name] |= _vm_changes.settings(task.wanted)
    return {"before": before, "after": after}


def run(hypervisor: Hypervisor, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Bring the VMs of the module's params into their state, and return the module's result.

    Raises VmError before anything is changed; what fails later is the error of its VM in the result.
    """
    tasks = plan(params, hypervisor.domains())
    preflight(tasks)
    choose_accelerators(tasks)
    refuse_old_libvirt(tasks, hypervisor.version())
    if check_mode:
        for task in tasks:
            task.done = list(task.steps)
    else:
        starting = [task for task in tasks if "start" in task.steps]
        others = [task for task in tasks if "start" not in task.steps]
        for_each(others, WORKERS, functools.partial(act, hypervisor, params))
        for_each(starting, boots_at_once(starting), functools.partial(act_and_wait, hypervisor, params))
        for_each(others, boots_at_once(others), functools.partial(wait, hypervisor, params))
    now = hypervisor.domains() if any(task.error for task in tasks) else {}
    return {
        "changed": any(task.done for task in tasks),
        "vms": [result(task, now) for task in tasks],
        "diff": difference(tasks),
    }
