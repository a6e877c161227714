# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of a testbed as hosts of an inventory: their names, groups and variables."""

from __future__ import annotations

import os
import re
import shlex
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._vm_states import ABSENT, STATES, UNKNOWN, States

ALL = "vms"
CONTROL, GUESTS = ROLES = ("control_vms", "guest_vms")


class VmHost(t.NamedTuple):
    """A host of the inventory that is a VM."""

    name: str
    groups: tuple[str, ...]
    variables: dict[str, t.Any]


def group_names(end_hosts: t.Iterable[str]) -> list[str]:
    """Return all groups, also those that stay empty: a play for one of these is no mistake."""
    return [ALL, *ROLES, *map(_state_group, STATES), *map(_end_host_group, end_hosts)]


def group_faults(end_hosts: t.Iterable[str]) -> list[str]:
    """Return the end hosts whose group would be that of a role."""
    return [
        f"{name}: its VMs would be in the group {group} of another meaning; give the end host another name"
        for name in end_hosts
        if (group := _end_host_group(name)) in ROLES
    ]


def vm_hosts(
    testbed: t.Mapping[str, t.Any],
    states: t.Mapping[str, States | None],
    directories: t.Mapping[str, str],
) -> list[VmHost]:
    """Return the VMs of a compiled testbed.

    states are those of the VMs by end host, None if they are not known; directories by end host are where
    the playbooks keep its keys on the controller.
    """
    found = []
    for name, guest in testbed["guests"].items():
        end_host = guest["end_host"]
        known = states[end_host]
        state = UNKNOWN if known is None else known.get(name, ABSENT)
        role = CONTROL if guest["id"] == 0 else GUESTS
        groups = (ALL, role, _state_group(state), _end_host_group(end_host))
        variables = {**_connection(guest, directories[end_host]), "testbed_vm": {**guest, "state": state}}
        found.append(VmHost(name, groups, variables))
    return found


def may_be_template(value: t.Any) -> bool:
    """Return whether a variable may have a template anywhere in it."""
    if isinstance(value, str):
        return "{" in value
    if isinstance(value, (dict, list)):
        return any(map(may_be_template, value.values() if isinstance(value, dict) else value))
    return not isinstance(
        value, (int, float, type(None))
    )  # what else there is, is not plain, such as a secret


def controller_dir(testbed_name: str, environ: t.Mapping[str, str]) -> str:
    """Return where the playbooks keep the keys of a testbed, unless its variables say otherwise."""
    # As playbooks/group_vars/all.yml has it, which a user's own playbook does not read.
    state_home = environ.get("XDG_STATE_HOME", environ.get("HOME", "") + "/.local/state")
    return os.path.join(state_home, "detnet-testbed", testbed_name)


def _connection(guest: t.Mapping[str, t.Any], directory: str) -> dict[str, t.Any]:
    # ssh splits a list of files at spaces, Ansible the arguments: each is quoted for its reader.
    known_hosts = f'UserKnownHostsFile="{directory}/known_hosts-{guest["end_host"]}"'
    return {
        "ansible_connection": "ssh",
        "ansible_host": guest["management_address"],
        "ansible_port": guest["management_port"],
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": f"{directory}/id_ed25519",
        "ansible_ssh_common_args": shlex.join(["-o", known_hosts, "-o", "StrictHostKeyChecking=yes"]),
        # A connection that is kept open is found by address and port alone, so each testbed keeps its own.
        "ansible_control_path_dir": f"{directory}/ssh",
    }


def _end_host_group(end_host: str) -> str:
    # A group's name is a variable's: without hyphens, and no digit first.
    return re.sub(r"^(?=\d)", "_", end_host.replace("-", "_")) + "_vms"


def _state_group(state: str) -> str:
    return f"vms_{state}"
