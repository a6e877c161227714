# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of a server, as the commands create-vm, delete-vm and list-vms make, remove and list them."""

from __future__ import annotations

import sys
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_record,
    _hypervisor,
    _vm,
    _vm_tasks,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_config import Config, ConfigError
from ansible_collections.detnet.testbed.plugins.module_utils._controller_record import (
    BusyError,
    ForeignFolderError,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor, HypervisorError
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm, VmError

SWITCH_TIMEOUT_S = 5.0
HEADER = ("ID", "NAME", "STATE", "SSH")


class CommandError(Exception):
    """A command cannot do what it was asked for; the message says why and the way out."""


class ArgumentError(Exception):
    """The arguments of a command are wrong."""


FAULTS = (
    BusyError,
    CommandError,
    ConfigError,
    ForeignFolderError,
    HypervisorError,
    OSError,
    SwitchError,
    VmError,
)


def create_vm(config: Config, vm_id: int) -> str:
    """Make a VM, with a port of the switch, and wait until it can be used. Leaves nothing if that fails."""
    if vm_id > config.max_id:
        raise ArgumentError(f"the id {vm_id} is outside 0..{config.max_id}; choose one inside")
    vm = config.vm(vm_id)
    switch = Switch(config.switch_socket, SWITCH_TIMEOUT_S)
    with _controller_record.alone(config.run_dir, f"vm-{vm_id:02d}", "create-vm"), connect() as hypervisor:
        name, state = find(config, vm_id, vm["name"], hypervisor.domains())
        if state != "absent" and not _controller_record.is_incomplete(vm_id):
            raise CommandError(
                f"it exists already: {name} is {state}; remove it first with delete-vm {vm_id}"
            )
        # Also the rules of a VM that had this id go with its port. A switch that is away is found out first.
        switch.call("port.remove", vm=vm_id)
        clear(config, vm_id, name, hypervisor)
        _controller_record.begin(vm_id)
        try:
            port = vm["interfaces"][0]
            switch.call("port.add", vm=vm_id, mac=port["mac"], socket_server=port["socket_server"])
            found = in_state(config, vm, "running", hypervisor)
        except (*FAULTS, _hypervisor.LIBVIRT_ERROR) as exc:
            try:
                clear(config, vm_id, vm["name"], hypervisor)
                switch.call("port.remove", vm=vm_id)
            except (*FAULTS, _hypervisor.LIBVIRT_ERROR) as left:
                raise CommandError(
                    f"{exc}; then it could not be removed: {left}; run delete-vm {vm_id}"
                ) from exc
            raise
        login = ["ssh", "-p", str(found["management_port"]), f"root@{found['management_address']}"]
        record = {key: found[key] for key in ("name", "mac", "known_hosts")}
        _controller_record.complete(vm_id, {**record, "login": login})
    return f"VM {vm_id} ({found['name']}) runs; log in with: {' '.join(login)}"


def delete_vm(config: Config, vm_id: int) -> str:
    """Remove a VM, its files and its port, whether it is whole, half-made or not there."""
    with _controller_record.alone(config.run_dir, f"vm-{vm_id:02d}", "delete-vm"), connect() as hypervisor:
        name, state = find(config, vm_id, config.vm_name(vm_id), hypervisor.domains())
        if state != "absent":
            _controller_record.refuse_foreign(vm_id)
            _controller_record.begin(vm_id)
        clear(config, vm_id, name, hypervisor)
        try:
            Switch(config.switch_socket, SWITCH_TIMEOUT_S).call("port.remove", vm=vm_id)
        except SwitchError as exc:
            if exc.code is not None:
                raise
            # A controller removes all VMs before it starts the switch. create-vm drops what the switch has kept.
            if state != "absent":
                sys.stderr.write(f"delete-vm: the switch may still have a port of VM {vm_id}: {exc}\n")
    return f"VM {vm_id} ({name}) is removed" if state != "absent" else f"there is no VM {vm_id}"


def list_vms(config: Config) -> str:
    """Return a table of the VMs of the server, by id."""
    with connect() as hypervisor:
        domains = hypervisor.domains()
    rows = [HEADER]
    for vm_id, has in sorted(of_server(config, domains).items()):
        where = f"{has.management_address}:{has.management_port}"
        rows.append((str(vm_id), has.name, domains[has.name].state, where))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def of_server(config: Config, domains: t.Mapping[str, Observed]) -> dict[int, Vm]:
    """Return the VMs of this server by id."""
    vms = [has.configured for has in domains.values() if has.configured]
    return {vm.id: vm for vm in vms if vm.directory == _vm.directory(config.state_dir, vm.id)}


def find(config: Config, vm_id: int, name: str, domains: t.Mapping[str, Observed]) -> tuple[str, str]:
    """Return the name and the state of the VM with this id, which would be called name.

    Raises CommandError if another domain has that name.
    """
    vm = of_server(config, domains).get(vm_id)
    if vm:
        return vm.name, domains[vm.name].state
    if name in domains:
        raise CommandError(
            f"a domain {name} exists that is no VM of {config.state_dir}; it is left alone, so rename it"
        )
    return name, "absent"


def clear(config: Config, vm_id: int, name: str, hypervisor: Hypervisor) -> None:
    """Remove what there is of a VM on this server: its domain, then its files, then its folder."""
    in_state(config, {"id": vm_id, "name": name}, "absent", hypervisor)
    _controller_record.remove(vm_id)


def in_state(config: Config, vm: dict[str, t.Any], state: str, hypervisor: Hypervisor) -> dict[str, t.Any]:
    """Bring a VM into a state as the module vm does, and return what that returns of it. Raises VmError."""
    found: dict[str, t.Any] = _vm_tasks.run(hypervisor, config.params(vm, state), check_mode=False)["vms"][0]
    if "error" in found:
        raise VmError(found["error"])
    return found


def connect() -> Hypervisor:
    if not _hypervisor.HAS_LIBVIRT:
        raise CommandError("Python's libvirt is missing; run the role detnet.testbed.hypervisor")
    return _hypervisor.connect()
