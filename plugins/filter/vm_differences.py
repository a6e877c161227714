# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that compares VMs as they were asked for with VMs as they are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vm_differences
short_description: What VMs have that was not asked for
version_added: 0.3.0
description:
  - Compares options of M(detnet.testbed.vm) with what M(detnet.testbed.vm_info) reads, and gives the reason of each
    difference where it is known.
  - What is compared are the VM's state, the CPUs of its threads, amount, size and NUMA node of its pages, its
    interfaces, what their driver and the switch agreed on, the switch's MTU, and the uplink.
  - A thread for which no CPUs were asked for must be free to run on all that the host gives to any process.
  - Of VMs that are stopped or absent, only the state is compared.
positional: _input, real
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The O(detnet.testbed.vm#module:vms), all of which shall run.
    type: list
    elements: dict
    required: true
  real:
    description: The whole result of M(detnet.testbed.vm_info) with O(detnet.testbed.vm_info#module:switch_socket).
    type: dict
    required: true
  uplink_speed_mbps:
    description:
      - Speed that the switch's uplink must have at least, in Mbit/s. A speed that is not known is no difference.
    type: int
    default: 0
seealso:
  - module: detnet.testbed.vm_info
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the VMs
  detnet.testbed.vm_info:
    switch_socket: /run/detnet-testbed/alpha/control/switch.sock
  register: found

- name: Show what is not as it was asked for
  ansible.builtin.debug:
    msg: "{{ (vms | detnet.testbed.vm_differences(found) | detnet.testbed.difference_table).splitlines() }}"
"""

RETURN = r"""
_value:
  description: A row for each difference, in the order of the VMs; none if all is as it was asked for.
  type: list
  elements: dict
  contains:
    vm:
      description: Name of the VM, V(all) for the switch that they share.
      type: str
    setting:
      description: The option of M(detnet.testbed.vm), or what else is compared.
      type: str
    wanted:
      description: What was asked for.
      type: raw
    real:
      description: What is; null where there is nothing.
      type: raw
    reason:
      description: Why, as far as it is known, and the way out.
      type: str
  sample:
    - vm: alpha-vm-01
      setting: vcpu_cpus[0]
      wanted: "2"
      real: libvirt 3, thread 3
      reason: libvirt has another pin; virsh vcpupin alpha-vm-01 0 2
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._vm_differences import differences


def vm_differences(wanted: t.Any, real: t.Any, uplink_speed_mbps: int = 0) -> list[dict[str, t.Any]]:
    """Return the rows. Raises AnsibleFilterError for what cannot be compared."""
    try:
        return differences(wanted, real, uplink_speed_mbps)
    except ValueError as exc:
        raise AnsibleFilterError(f"Cannot compare VMs with what was asked for: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vm_differences": vm_differences}
