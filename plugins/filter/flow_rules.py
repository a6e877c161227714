# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of flows that come beside those of a testbed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: flow_rules
short_description: Paths, tags, rules and delay bounds of flows
version_added: 0.3.0
description:
  - Finds for each flow a path through the network switches, and what follows from it, as
    P(detnet.testbed.compile_testbed#filter) does for C(testbed_flows), beside the rules that the testbed has already.
  - Refuses flows with a list of all faults, among them links that would have to carry more than they can, and deadlines
    that may be missed.
  - A function of its input alone. It installs nothing; M(detnet.testbed.switch_rule) does.
author: The detnet.testbed authors (@detnet)
positional: testbed
options:
  _input:
    description: The flows, with the keys of C(testbed_flows).
    type: list
    elements: dict
    required: true
  testbed:
    description: The testbed, as P(detnet.testbed.compile_testbed#filter) returns it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Add a flow to a testbed that runs
  hosts: end_hosts
  vars:
    video: {name: video, from: alpha-vm-01, to: beta-vm-01, protocol: udp, rate_bps: 5000000, burst_bits: 100000}
    added: "{{ [video] | detnet.testbed.flow_rules(testbed) }}"
  tasks:
    - name: Add its rule to the others
      detnet.testbed.switch_rule:
        socket: "{{ testbed_end_host.control_socket }}"
        rules: "{{ added.rules[inventory_hostname] }}"
"""

RETURN = r"""
_value:
  description: What comes of the flows.
  type: dict
  contains:
    flows:
      description: The flows with their paths and bounds, as P(detnet.testbed.compile_testbed#filter) returns them.
      type: list
      elements: dict
    rules:
      description: For each end host the list of its new rules, as M(detnet.testbed.switch_rule) takes them.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import parse_links
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import RULE_EXTRAS, leave_out, of
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_flows import compile_flows
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm, addresses

Values = t.Mapping[str, t.Any]

NEEDED = ("end_hosts", "links", "network_switches", "rules")


def vms_of(testbed: Values) -> dict[str, Vm]:
    """Return the VMs of a compiled testbed as those that it was compiled from."""
    found = {}
    for host, end_host in testbed["end_hosts"].items():
        for vm in end_host["vms"]:
            (interface,) = vm["interfaces"]
            known = {"id": vm["id"], "name": vm["name"], "host": host, "mtu": interface["mtu"]}
            found[vm["name"]] = known | addresses(interface["address"], interface["address_v6"])
    return found


def flow_rules(flows: t.Any, testbed: Values) -> dict[str, t.Any]:
    """Return what comes of flows in a compiled testbed; raise AnsibleFilterError."""
    if not isinstance(flows, list):
        raise AnsibleFilterError(f"Cannot find paths for {flows!r}; give a list of flows")
    if missing := [key for key in NEEDED if key not in testbed]:
        raise AnsibleFilterError(
            f"Cannot find paths in a testbed without {', '.join(missing)}; give what compile_testbed returns"
        )
    hosts = testbed["end_hosts"]
    nodes = {**dict.fromkeys(hosts, False), **dict.fromkeys(testbed["network_switches"], True)}
    fabric, faults = parse_links(testbed["links"], nodes)
    (found, rules), wrong = compile_flows(flows, vms_of(testbed), fabric, testbed["rules"], "flows")
    if faults := faults + wrong:
        told = "".join(f"\n- {fault}" for fault in faults)
        raise AnsibleFilterError(f"The flows cannot be as they are asked for. Correct this:{told}")
    return {
        "flows": found,
        "rules": {host: [leave_out(RULE_EXTRAS, rule) for rule in of(host, rules)] for host in hosts},
    }


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"flow_rules": flow_rules}
