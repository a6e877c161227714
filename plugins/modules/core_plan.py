#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: core_plan
short_description: Plan which CPU of a machine does what
version_added: 0.3.0
description:
  - Reads the machine's packages, NUMA nodes, caches and cores, and returns one plan - CPUs for housekeeping and
    interrupts, for the tagging switch, for each vCPU, for emulator and I/O threads - with the kernel parameters that
    isolate them and the hugepages that each node needs.
  - No CPU has two owners. The switch and the VMs are on the node of the NIC, a VM's vCPUs behind one cache where
    that is possible. What cannot fit is refused, with the sum.
  - The same machine and options give the same plan, whatever is isolated now.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.info
options:
  topology:
    description:
      - A RV(topology) from an earlier run, to plan for that machine. By default this machine's is read.
    type: dict
  nic:
    description:
      - Network interface or PCI address of the uplink, whose node is the switch's.
      - Without O(nic) and O(nic_node), the switch goes to the node with most cores.
    type: str
  nic_node:
    description:
      - Node of the uplink, in place of O(nic).
    type: int
  isolate:
    description:
      - Whether switch and VMs get CPUs of their own. Otherwise all run on housekeeping's, which are all; for machines
        too small for a measurement.
    type: bool
    default: true
  housekeeping:
    description:
      - CPUs for everything else, at least; whole cores are taken, first that of the CPU that boots the machine.
    type: int
    default: 2
  housekeeping_cpus:
    description:
      - These CPUs in place of a number, as in V(0-1,8). Likewise below. They are checked by the same rules.
    type: str
  switch_workers:
    description:
      - Data cores of the switch.
    type: int
    default: 1
  switch_worker_cpus:
    description:
      - These CPUs.
    type: str
  switch_control:
    description:
      - CPUs for the switch's control thread; V(0) leaves it on housekeeping's.
    type: int
    default: 0
  switch_control_cpus:
    description:
      - These CPUs.
    type: str
  switch_memory_mib:
    description:
      - Memory of the switch in hugepages.
    type: int
    default: 0
  switch_page_size_kib:
    description:
      - Size of these.
    type: int
    default: 2048
  emulators:
    description:
      - CPUs for the emulator and I/O threads of all VMs; V(0) leaves them on housekeeping's. They are not isolated,
        because the kernel has to balance those threads among them.
    type: int
    default: 0
  emulator_cpus:
    description:
      - These CPUs.
    type: str
  vms:
    description:
      - The VMs.
    type: list
    elements: dict
    default: []
    suboptions:
      vm:
        description:
          - Id of the VM.
        type: int
        required: true
      vcpus:
        description:
          - Number of its vCPUs.
        type: int
        default: 1
      cpus:
        description:
          - CPUs for its vCPUs, one for each, the lowest for vCPU 0.
        type: str
      memory_mib:
        description:
          - Its memory, in hugepages.
        type: int
        default: 0
      page_size_kib:
        description:
          - Size of these.
        type: int
        default: 2048
      io_threads:
        description:
          - Number of its I/O threads.
        type: int
        default: 0
      node:
        description:
          - NUMA node on which it has to be, also if that is not the NIC's.
        type: int
  siblings:
    description:
      - What the other threads of a core with an isolated CPU may do - nothing (V(empty)), work of the same VM or of the
        switch (V(same_owner)), or any work (V(any)).
    type: str
    choices: [empty, same_owner, any]
    default: empty
  smt:
    description:
      - Whether all threads of a core are there to be used. V(false) plans as if SMT was switched off.
    type: bool
    default: true
  span:
    description:
      - How far from the NIC a VM may be, if its node is not given - on its node, in its package, or anywhere.
    type: str
    choices: [node, package, machine]
    default: node
  spare_isolated:
    description:
      - Whether CPUs that nobody has yet are isolated, too, so that later VMs need no restart of the machine.
    type: bool
    default: true
  memory_reserve_mib:
    description:
      - Memory of each node that hugepages leave for everything else.
    type: int
    default: 1024
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
"""

EXAMPLES = r"""
- name: Plan for a switch with two data cores and three VMs
  detnet.testbed.core_plan:
    nic: enp65s0f0
    switch_workers: 2
    switch_memory_mib: 2048
    vms:
      - {vm: 1, vcpus: 4, memory_mib: 8192}
      - {vm: 2, vcpus: 4, memory_mib: 8192}
      - {vm: 3, vcpus: 2, memory_mib: 4096, io_threads: 1}
  register: cores

- name: Show it
  ansible.builtin.debug:
    msg: "{{ cores.picture.splitlines() }}"

- name: See whether it would fit another machine
  detnet.testbed.core_plan:
    topology: "{{ lookup('ansible.builtin.file', 'beta-topology.json') | from_json }}"
    nic_node: 1
    vms: [{vm: 1, vcpus: 12}]
  delegate_to: localhost
"""

RETURN = r"""
plan:
  description: Who has which CPU.
  returned: success
  type: dict
  contains:
    housekeeping:
      description: CPUs for everything else.
      type: list
      elements: int
    interrupts:
      description: CPUs for interrupts - those for housekeeping.
      type: list
      elements: int
    switch:
      description: CPUs of the switch's C(control) thread and of its C(workers), one each, and the node of its memory.
      type: dict
    emulators:
      description: CPUs for emulator and I/O threads alone; empty if those are on housekeeping's.
      type: list
      elements: int
    vms:
      description:
        - For each VM its C(vcpus), one CPU each in their order, C(emulator), C(io_threads), C(node), C(memory_node),
          and its C(pages) of C(page_size_kib). The memory is on another node if its own has none.
      type: list
      elements: dict
    isolated:
      description: CPUs to isolate.
      type: list
      elements: int
    empty:
      description: CPUs that stay empty because they share a core with an isolated one.
      type: list
      elements: int
    spare:
      description: CPUs that nobody has yet.
      type: list
      elements: int
    masks:
      description: CPUs for C(housekeeping), and those C(isolated), as the kernel's masks.
      type: dict
    hugepages:
      description: Pages that are needed, by C(node) and C(page_size_kib).
      type: list
      elements: dict
kernel_parameters:
  description: What isolates the CPUs, by the name of the parameter; empty if nothing is to be isolated.
  returned: success
  type: dict
  sample: {isolcpus: "managed_irq,domain,2-7", nohz_full: 2-7, rcu_nocbs: 2-7, irqaffinity: 0-1}
picture:
  description: The machine as a text for people, each CPU with its owner.
  returned: success
  type: str
topology:
  description: The machine that the plan is for.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _topology, _topology_sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document, request_of
from ansible_collections.detnet.testbed.plugins.module_utils._core_picture import picture
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import kernel_parameters, make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import SIBLINGS, SPANS, PlanError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "topology": {"type": "dict"},
    "nic": {"type": "str"},
    "nic_node": {"type": "int"},
    "isolate": {"type": "bool", "default": True},
    "housekeeping": {"type": "int", "default": 2},
    "housekeeping_cpus": {"type": "str"},
    "switch_workers": {"type": "int", "default": 1},
    "switch_worker_cpus": {"type": "str"},
    "switch_control": {"type": "int", "default": 0},
    "switch_control_cpus": {"type": "str"},
    "switch_memory_mib": {"type": "int", "default": 0},
    "switch_page_size_kib": {"type": "int", "default": 2048},
    "emulators": {"type": "int", "default": 0},
    "emulator_cpus": {"type": "str"},
    "vms": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "vm": {"type": "int", "required": True},
            "vcpus": {"type": "int", "default": 1},
            "cpus": {"type": "str"},
            "memory_mib": {"type": "int", "default": 0},
            "page_size_kib": {"type": "int", "default": 2048},
            "io_threads": {"type": "int", "default": 0},
            "node": {"type": "int"},
        },
    },
    "siblings": {"type": "str", "choices": list(SIBLINGS), "default": "empty"},
    "smt": {"type": "bool", "default": True},
    "span": {"type": "str", "choices": list(SPANS), "default": "node"},
    "spare_isolated": {"type": "bool", "default": True},
    "memory_reserve_mib": {"type": "int", "default": 1024},
}


def topology_of(params: dict[str, t.Any]) -> _topology.Topology:
    """Return the given topology, or this machine's. Raises PlanError for what is none."""
    topology = _topology_sysfs.read() if params["topology"] is None else given(params["topology"])
    return topology if params["smt"] else _topology.without_threads(topology)


def given(document: dict[str, t.Any]) -> _topology.Topology:
    try:
        return _topology.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PlanError(
            [f"topology is not one that core_plan returned ({exc!r}); give that unchanged"]
        ) from exc


def nic_node(params: dict[str, t.Any]) -> int | None:
    """Return the uplink's node. Raises LookupError if there is no such device."""
    return params["nic_node"] if params["nic"] is None else _topology_sysfs.device_node(params["nic"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[("nic", "nic_node"), ("nic", "topology")],
        supports_check_mode=True,
    )
    try:
        topology = topology_of(module.params)
        plan = make_plan(topology, request_of(module.params, nic_node(module.params)))
    except (PlanError, LookupError, OSError) as exc:
        module.fail_json(msg=f"Cannot plan the CPUs: {exc}")
    module.exit_json(
        changed=False,
        plan=plan_document(plan),
        kernel_parameters=kernel_parameters(plan),
        picture=picture(topology, plan),
        topology=_topology.to_document(topology),
    )


if __name__ == "__main__":
    main()
