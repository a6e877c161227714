#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: What decides on a host's latency, as the kernel really has it
version_added: 0.3.0
description:
  - Reads everything that the role P(detnet.testbed.host_tuning#role) can set, and what else decides on latency - kernel
    and its line, isolated CPUs, where each interrupt really goes, governor, frequencies and idle states of each CPU,
    hugepages of each node, NICs, caches, TuneD, microcode and versions - into one document in a stable order.
  - The fingerprint names what of it is stable. Two hosts, or two days, with the same fingerprint were set alike; what
    differs between two documents says P(detnet.testbed.fingerprint_diff#filter), and what is not as wanted says
    P(detnet.testbed.state_differences#filter).
  - Changes nothing and needs nothing. What the machine does not have, or the user may not read, is null or empty.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.info
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
notes:
  - Run the task as root; others may not read where some interrupts go, nor what irqbalance was started with.
  - CPUs are lists in the kernel's notation, such as V(0-3,8).
"""

EXAMPLES = r"""
- name: Read the state of the host
  detnet.testbed.host_state:
  register: host

- name: Show it to people
  ansible.builtin.debug:
    msg: "{{ [host.fingerprint] + host.summary.splitlines() }}"

- name: Stop unless all interrupts stay on the CPUs 0 and 1
  vars:
    wanted: {interrupts: {irqs: {"*": {effective_cpus: 0-1}}}}
    found: "{{ wanted | detnet.testbed.state_differences(host.state) }}"
  ansible.builtin.assert:
    that: found | length == 0
    fail_msg: "{{ found | detnet.testbed.difference_table }}"
"""

RETURN = r"""
state:
  description: >-
    The document. Its keys are always there, in this order, except those that name what the machine has - nodes,
    interfaces, interrupts, mounts and the like.
  returned: success
  type: dict
  contains:
    schema:
      description: The version of the document's form.
      type: int
    machine:
      description: C(vendor), C(product), C(firmware_version) and C(firmware_date).
      type: dict
    kernel:
      description: >-
        C(release), C(realtime), C(command_line) as a list, C(isolated_cpus),
        C(nohz_full_cpus), C(watchdog_cpus), C(clocksource) and C(sysctls) by the kernel's names.
      type: dict
    processor:
      description: >-
        C(model), C(microcode), C(online_cpus), C(offline_cpus), C(smt),
        C(turbo), C(latency_limit_us), C(machine_check_interval_s), C(vulnerabilities), and C(per_cpu), which has
        for C(governor), C(energy_preference), C(scaling_driver), C(frequency_min_khz),
        C(frequency_max_khz), C(disabled_idle_states) and C(resume_latency_us) each value with
        the CPUs that have it.
      type: dict
    interrupts:
      description: >-
        C(default_cpus), C(irqs) by the names of their listeners, each with C(irq),
        C(asked_cpus), C(effective_cpus) and C(writable), then
        C(unbound_workqueue_cpus) and C(workqueues) by name, each with C(cpus).
      type: dict
    memory:
      description: >-
        C(nodes) by number, each with C(memory_mib) and C(hugepages_by_size_kib) with
        C(total) and C(free) pages, then C(transparent_hugepages), C(ksm_run) and
        C(hugetlbfs_mounts) by path, each with C(page_size_kib).
      type: dict
    network:
      description: >-
        C(interfaces) that have a device, by name, with driver and firmware, PCI address, node, MTU, speed,
        rings, pause frames, Energy-Efficient Ethernet, and the CPUs of each queue, then
        C(devices_without_interface) by PCI address, which have no driver or one for programs such as DPDK.
      type: dict
    services:
      description: >-
        C(tuned), C(irqbalance), C(resctrl), which is null unless mounted, C(packages) with their versions, and
        whether C(systemd) runs the others.
      type: dict
fingerprint:
  description: >-
    The first 16 hexadecimal digits of the SHA-256 of what is stable - not the numbers of interrupts, the CPU that
    serves them now, free pages, the limit that a running program sets for waking up, and on which disk the system is.
    While irqbalance runs, it decides on interrupts, and their affinities do not count.
  returned: success
  type: str
  sample: 3f0c9a7d52e81b64
available_mib:
  description: >-
    Memory that programs could have now, as the kernel estimates; null where it does not. It is no part of the state,
    for it changes all the time.
  returned: success
  type: int
summary:
  description: The most important as a text for people.
  returned: success
  type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state, _state_memory
from ansible_collections.detnet.testbed.plugins.module_utils._state_summary import summary

ARGUMENT_SPEC: dict[str, t.Any] = {}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    state = _host_state.read()
    module.exit_json(
        changed=False,
        state=state,
        fingerprint=_host_state.fingerprint(state),
        available_mib=_state_memory.available_mib(),
        summary=summary(state),
    )


if __name__ == "__main__":
    main()
