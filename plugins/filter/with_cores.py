# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that gives VMs the CPUs and the memory of their host's core plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: with_cores
short_description: VMs that run where the core plan of their host says
version_added: 0.3.0
description:
  - Adds to each VM the options of M(detnet.testbed.vm) that say where it runs, from the plan of its host.
  - Where the plan isolates no CPU, the VMs stay as they are, because then all share all CPUs.
positional: _input, plan
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The O(detnet.testbed.vm#module:vms).
    type: list
    elements: dict
    required: true
  plan:
    description: The RV(detnet.testbed.core_plan#module:plan) of the host, which has each of the VMs by its id.
    type: dict
    required: true
seealso:
  - module: detnet.testbed.core_plan
  - module: detnet.testbed.vm
"""

EXAMPLES = r"""
- name: Start the VMs where the plan says
  detnet.testbed.vm:
    vms: "{{ vms | detnet.testbed.with_cores(cores.plan) }}"
    image: /var/cache/detnet-testbed/images/current
    state_dir: /var/lib/detnet-testbed/alpha/vms
    management_address: 127.0.0.11
    ssh_authorized_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
"""

RETURN = r"""
_value:
  description: >-
    The VMs in their order, with C(vcpu_cpus), C(emulator_cpus), C(memory_node) and C(page_size_kib) where the plan
    isolates CPUs.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list


def with_cores(vms: list[dict[str, t.Any]], plan: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the VMs with their places. Raises AnsibleFilterError for a VM without one, and for what is no plan."""
    try:
        if not plan["isolated"]:
            return vms
        places = {place["vm"]: _options(place) for place in plan["vms"]}
    except (KeyError, TypeError) as exc:
        raise AnsibleFilterError(
            f"Cannot place the VMs: this is no core plan ({exc!r}); give the unchanged plan of detnet.testbed.core_plan"
        ) from exc
    strangers = [f"{vm.get('id')} ({vm.get('name')})" for vm in vms if vm.get("id") not in places]
    if strangers:
        raise AnsibleFilterError(
            f"Cannot place the VMs: the core plan has VM {', '.join(map(str, places)) or 'none'} and lacks VM "
            f"{', '.join(strangers)}; name it in the vms of detnet.testbed.core_plan, "
            "which the role host_tuning has in host_tuning_cores.vms"
        )
    return [{**vm, **places[vm["id"]]} for vm in vms]


def _options(place: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "vcpu_cpus": [str(cpu) for cpu in place["vcpus"]],
        "emulator_cpus": _cpu_list.text(place["emulator"]),
        "memory_node": place["memory_node"],
        "page_size_kib": place["page_size_kib"],
    }


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_cores": with_cores}
