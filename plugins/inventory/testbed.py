# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of a testbed, read from its description, as hosts that playbooks can target."""

from __future__ import annotations

DOCUMENTATION = r"""
name: testbed
short_description: The VMs of a testbed as hosts
version_added: 0.3.0
description:
  - Makes each VM of each end host a host of the inventory, with all that Ansible needs to reach it by SSH.
  - Reads the description of the testbed, the variables C(testbed_*), from the inventory sources before it, as
    P(detnet.testbed.compile_testbed#filter) does, and refuses a faulty one with the same messages.
  - The configuration is a file whose name ends with V(testbed.yml) or V(testbed.yaml). In a directory files
    are read in the order of their names, so V(vms.testbed.yml) follows V(hosts.yml).
  - All VMs are in the group C(vms); those of an end host in C(ENDHOST_vms), with underscores for hyphens; VM 0 of
    each end host in C(control_vms), all others in C(guest_vms).
  - By its state a VM is in C(vms_running), C(vms_stopped), C(vms_paused), C(vms_absent), which is described
    and not created, or C(vms_unknown).
  - The variable C(testbed_vm) of a VM has its C(id), C(end_host), C(mac), C(ip), C(ip_v6),
    C(management_address), C(management_port) and C(state).
author: The detnet.testbed authors (@detnet)
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [detnet.testbed.testbed]
  live_state:
    description:
      - Whether to ask libvirt on the end hosts for the states of the VMs. All end hosts are asked at once.
      - An end host that does not answer is a warning, and the state of its VMs is C(unknown). So are all
        states if this is V(false).
      - An end host with the connection V(local) is asked here, any other by SSH with the options that Ansible
        would use, but without a password, and only if its host key is known.
    type: bool
    default: true
  timeout_s:
    description: How long to wait for the answers of all end hosts, in seconds.
    type: float
    default: 5
extends_documentation_fragment:
  - ansible.builtin.constructed
notes:
  - In the variables of an end host templates may use its other variables, C(inventory_hostname) and C(groups). There
    is no C(hostvars) yet.
requirements:
  - virsh on the end hosts, installed by the role P(detnet.testbed.hypervisor#role), for O(live_state)
seealso:
  - plugin: detnet.testbed.compile_testbed
    plugin_type: filter
  - module: detnet.testbed.vm
"""

EXAMPLES = r"""
# vms.testbed.yml beside hosts.yml. Then: ansible alpha_vms -m ansible.builtin.ping
plugin: detnet.testbed.testbed

---
# The guests have another user, and a group for each end host's VMs that run, such as alpha_running.
plugin: detnet.testbed.testbed
timeout_s: 2
compose:
  ansible_user: "'detnet'"
keyed_groups:
  - key: testbed_vm.end_host ~ '_' ~ testbed_vm.state
    separator: ""

---
# The description alone, without asking the end hosts.
plugin: detnet.testbed.testbed
live_state: false
"""

import functools
import os
import shlex
import typing as t

from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.helpers import sort_groups
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources
from ansible_collections.detnet.testbed.plugins.filter.compile_testbed import compile_testbed
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_inventory, _vm_states
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import CHECKS

Variables = dict[str, t.Any]

DIRECTORY = "testbed_controller_dir"
CONNECTION = "ansible_connection"
LOCAL = ("local", "ansible.builtin.local")


class InventoryModule(BaseInventoryPlugin, Constructable):  # type: ignore[misc]
    """The plugin, as Ansible looks it up."""

    NAME = "detnet.testbed.testbed"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("testbed.yml", "testbed.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            end_hosts, hosts = self._hosts()
        except AnsibleError as exc:
            raise AnsibleParserError(f"{path}: {exc.message}") from None
        # Only now, so that a fault leaves nothing half done.
        for group in _vm_inventory.group_names(end_hosts):
            inventory.add_group(group)
        for host in hosts:
            self._add(host)

    def _hosts(self) -> tuple[list[str], list[_vm_inventory.VmHost]]:
        """Return the end hosts, and their VMs. Raises AnsibleError."""
        groups: dict[str, list[str]] = self.inventory.get_groups_dict()
        end_hosts = groups.get("end_hosts", [])
        raw = {
            host: self._variables(host, groups)
            for group in ("end_hosts", "network_switches", "machines")
            for host in groups.get(group, [])
        }
        testbed = compile_testbed(raw | self._described({host: raw[host] for host in end_hosts}), groups)
        if faults := _vm_inventory.group_faults(end_hosts):
            raise AnsibleParserError("; ".join(faults))
        default = _vm_inventory.controller_dir(testbed["name"], os.environ)
        directories = {
            host: self._templated(host, raw[host], [DIRECTORY]).get(DIRECTORY, default) for host in end_hosts
        }
        states = self._states({host: raw[host] for host in end_hosts})
        return end_hosts, _vm_inventory.vm_hosts(testbed, states, directories)

    def _variables(self, name: str, groups: dict[str, list[str]]) -> Variables:
        """Return all variables of a host as the sources so far give them, with templates as they are."""
        host, everyone = self.inventory.hosts[name], self.inventory.groups["all"]
        # No group is a child of the group all yet, but it comes first.
        its_groups = [everyone, *sort_groups(group for group in host.get_groups() if group is not everyone)]
        from_files = functools.partial(
            get_vars_from_inventory_sources, self.loader, self.inventory.processed_sources, stage="all"
        )
        layers = [
            *(group.get_vars() for group in its_groups),
            from_files(its_groups),
            host.get_vars(),
            from_files([host]),
            self._vars,
        ]
        variables: Variables = functools.reduce(combine_vars, layers, {"groups": groups})
        return variables

    def _described(self, hostvars: dict[str, Variables]) -> dict[str, Variables]:
        """Return the variables of the end hosts with the templates of the description rendered."""
        # To look is much faster than to render, and all end hosts have the same list of rules.
        values = {
            id(variables[name]): variables[name]
            for variables in hostvars.values()
            for name in CHECKS
            if name in variables
        }
        templates = {key for key, value in values.items() if _vm_inventory.may_be_template(value)}
        return {
            host: variables
            | self._templated(
                host, variables, [name for name in CHECKS if id(variables.get(name)) in templates]
            )
            for host, variables in hostvars.items()
        }

    def _templated(self, host: str, variables: Variables, names: t.Iterable[str]) -> Variables:
        """Return those of the named variables that there are. Raises AnsibleParserError."""
        self.templar.available_variables = variables
        templated = {}
        for name in names:
            if name in variables:
                try:
                    templated[name] = self.templar.template(variables[name])
                except AnsibleError as exc:
                    raise AnsibleParserError(f"Cannot read {name} of {host}: {exc.message}") from None
        return templated

    def _states(self, hostvars: dict[str, Variables]) -> dict[str, _vm_states.States | None]:
        """Return the states of the VMs by end host, None where they are not known."""
        if not self.get_option("live_state"):
            return dict.fromkeys(hostvars)
        commands = {host: self._command(host, variables) for host, variables in hostvars.items()}
        # End hosts of one machine have one libvirt.
        answers = _vm_states.ask(set(commands.values()), self.get_option("timeout_s"))
        hosts_by_fault: dict[str, list[str]] = {}
        for host, command in commands.items():
            if fault := answers[command].fault:
                hosts_by_fault.setdefault(fault, []).append(host)
        for fault, hosts in hosts_by_fault.items():
            self.display.warning(
                f"Cannot read the states of the VMs of {', '.join(hosts)}: {fault}. "
                f"See what this says, or set live_state to false: {shlex.join(commands[hosts[0]])}"
            )
        return {host: answers[command].states for host, command in commands.items()}

    def _command(self, host: str, variables: Variables) -> _vm_states.Command:
        """Return what asks an end host, as Ansible would reach it. Raises AnsibleParserError."""
        connection = self._templated(host, variables, [CONNECTION]).get(
            CONNECTION, constants.DEFAULT_TRANSPORT
        )
        if connection in LOCAL:
            return _vm_states.VIRSH
        connection_loader.get("ssh", class_only=True)  # its options are known once it is loaded
        read = functools.partial(
            constants.config.get_config_value, plugin_type="connection", plugin_name="ssh"
        )
        definitions = constants.config.get_configuration_definitions("connection", "ssh")
        # No others: a template of a password may well ask for one.
        names = [each["name"] for name in _vm_states.SSH_READS for each in definitions[name].get("vars", ())]
        templated = self._templated(host, variables, names)
        options = {name: read(name, variables=templated) for name in _vm_states.SSH_READS}
        try:
            return _vm_states.over_ssh(options, _vm_states.VIRSH)
        except ValueError as exc:
            raise AnsibleParserError(
                f"Cannot split the SSH arguments of {host}: {exc}; mend their quotes"
            ) from None

    def _add(self, host: _vm_inventory.VmHost) -> None:
        self.inventory.add_host(host.name)
        for group in host.groups:
            self.inventory.add_child(group, host.name)
        for name, value in host.variables.items():
            self.inventory.set_variable(host.name, name, value)
        strict = self.get_option("strict")
        compose, groups, keyed_groups = map(self.get_option, ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed_groups):
            return
        variables = self.inventory.get_host(host.name).get_vars()
        self._set_composite_vars(compose, variables, host.name, strict=strict)
        self._add_host_to_composed_groups(groups, {}, host.name, strict=strict)
        self._add_host_to_keyed_groups(keyed_groups, {}, host.name, strict=strict)
