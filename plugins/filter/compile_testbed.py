# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a testbed, checked and turned into what playbooks need."""

from __future__ import annotations

DOCUMENTATION = r"""
name: compile_testbed
short_description: The testbed that the variables of an inventory describe
version_added: 0.1.0
description:
  - Reads the variables C(testbed_*) of all hosts, refuses them with a list of all faults, each with its
    place, its value and the way out, or returns what follows from them.
  - A function of the inventory alone. It asks no host and changes nothing, so check mode is no different.
  - It follows the tags of each rule along the links, and refuses a rule that misses its destination.
  - For each flow of C(testbed_flows) it finds a path and makes a rule with the tags of that. It refuses flows if a link
    would have to carry more than it can, and those that may miss their deadline.
author: The detnet.testbed authors (@detnet)
positional: groups
options:
  _input:
    description: The variables of all hosts, Ansible's C(hostvars).
    type: dict
    required: true
  groups:
    description:
      - The hosts of all groups, Ansible's C(groups). The filter reads C(end_hosts), C(network_switches) and
        C(machines). An end host that is no machine runs on the first one.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Install the rules
  hosts: end_hosts
  vars:
    testbed: "{{ hostvars | detnet.testbed.compile_testbed(groups) }}"
  tasks:
    - name: Give each tagging switch the rules of its VMs
      detnet.testbed.switch_rule:
        socket: "{{ testbed.end_hosts[inventory_hostname].control_socket }}"
        rules: "{{ testbed.end_hosts[inventory_hostname].rules }}"
        state: exact
"""

RETURN = r"""
_value:
  description: The testbed.
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    end_hosts:
      description:
        - For each end host C(control_socket), the path of its switch's control socket, and the lists
          C(vms), C(ports) and C(rules) as the modules M(detnet.testbed.vm), M(detnet.testbed.switch_port)
          and M(detnet.testbed.switch_rule) take them, and C(cores), which are the VMs for
          M(detnet.testbed.core_plan).
      type: dict
    guests:
      description: For each VM by its name C(end_host), C(ip), C(management_address) and C(management_port).
      type: dict
    network_switches:
      description: Names of the network switches.
      type: list
      elements: str
    nodes:
      description:
        - For each end host and network switch its C(kind). An end host has C(management_address), a network switch
          C(chassis_id), by which a pocket fabric speaks for it, and C(ports), the numbers of its ports by their
          names in C(testbed_ports).
      type: dict
    links:
      description:
        - The links, each with its two C(ends), written as NODE:PORT, C(speed_bps) and C(mtu), which may be null.
      type: list
      elements: dict
    flows:
      description:
        - The flows in the order of the inventory, each with C(name), C(from), C(to), C(queue), C(rate_bps) and
          C(burst_bits).
        - C(path) are the ports by which its frames leave, the end host's first, and C(tags) follow from them.
        - C(links) are those that it passes, each with C(link), its C(load) as a sum, C(load_bps), C(speed_bps), and
          C(delay_us), how long its frames wait there at most.
        - C(delay_bound_us) is how long they are on their way at most, null if nothing bounds it, and C(deadline_us) how
          long they may be.
      type: list
      elements: dict
    rules:
      description:
        - All rules, first those of C(testbed_rules), then those of C(testbed_flows), as M(detnet.testbed.switch_rule)
          takes them, and with them C(from) and C(to), the names of their VMs, and C(host), the end host of the first.
      type: list
      elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import TestbedError
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import compile_testbed as compile_pure


def compile_testbed(hostvars: t.Mapping[str, t.Any], groups: t.Mapping[str, list[str]]) -> dict[str, t.Any]:
    try:
        return compile_pure(hostvars, groups)
    except TestbedError as exc:
        faults = "".join(f"\n- {fault}" for fault in exc.faults)
        raise AnsibleFilterError(f"The inventory describes no testbed. Correct this in it:{faults}") from None


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"compile_testbed": compile_testbed}
