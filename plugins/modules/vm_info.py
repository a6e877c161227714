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
requirements:
  - python >= 3.11 and libvirt-python on the target host
notes:
  - Run the task as root.
seealso:
  - module: detnet.testbed.vm
"""

EXAMPLES = r"""
- name: Read all VMs, with the end of their consoles
  detnet.testbed.vm_info:
    console_lines: 20
  register: found
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
      description: The last O(console_lines) lines of the console.
      type: list
      elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor, _vm, _vm_files
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed

ARGUMENT_SPEC: dict[str, t.Any] = {
    "names": {"type": "list", "elements": "str"},
    "console_lines": {"type": "int", "default": 0},
}

# Read from the description; null if somebody edited it away.
DESCRIBED = ("id", "mac", "address", "socket", "socket_server", "management_address")


def ours(domains: dict[str, Observed], names: list[str] | None) -> dict[str, Observed]:
    """Return the domains that the module vm created, only those with one of names if there are any."""
    return {
        name: domain
        for name, domain in sorted(domains.items())
        if domain.description is not None and (names is None or name in names)
    }


def information(
    name: str, domain: Observed, statistics: dict[str, int], console_lines: int
) -> dict[str, t.Any]:
    """Return what is known about one VM; statistics are libvirt's."""
    description = domain.description or {}
    directory = description.get("directory", "")
    address, port = description.get("management_address"), _vm.MANAGEMENT_PORT_BASE + description.get("id", 0)
    host_key = _vm_files.host_key(directory)
    return {
        "name": name,
        "state": domain.state,
        "accelerator": domain.accelerator,
        **statistics,
        **{key: description.get(key) for key in DESCRIBED},
        "management_port": port,
        "ssh_host_key": host_key,
        "known_hosts": _vm_files.known_hosts(address, port, host_key),
        "console": _vm_files.console_tail(directory, console_lines),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if not _hypervisor.HAS_LIBVIRT:
        module.fail_json(msg=missing_required_lib("libvirt-python"))
    lines = module.params["console_lines"]
    try:
        with _hypervisor.connect() as hypervisor:
            found = ours(hypervisor.domains(), module.params["names"])
            vms = [
                information(name, domain, hypervisor.statistics(name), lines)
                for name, domain in found.items()
            ]
    except (OSError, _hypervisor.HypervisorError, _hypervisor.LIBVIRT_ERROR) as exc:
        module.fail_json(msg=f"Cannot read the VMs: {exc}")
    module.exit_json(changed=False, vms=vms)


if __name__ == "__main__":
    main()
