#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: switch_rule
short_description: Rules of a tagging switch
version_added: 0.1.0
description:
  - Sets and deletes the rules by which a tagging switch matches, shapes and tags the packets of its VMs.
  - Takes a list, and sends one request for up to 2000 rules. The switch applies a request as a whole or not
    at all.
  - A rule is known by what it matches (VM, protocol, addresses, ports). Setting it again with other tags or
    another rate updates it, without refilling its bucket.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.switch
  - detnet.testbed.switch.changes
options:
  rules:
    description:
      - The rules, no two with the same match.
    type: list
    elements: dict
    required: true
    suboptions:
      vm:
        description:
          - Id of the VM whose packets are matched, 0 to 4094. It needs a port.
        type: int
        required: true
      protocol:
        description:
          - IP protocol, V(tcp), V(udp), V(icmp) or a number from 0 to 255.
        type: str
        required: true
      source_ip:
        description:
          - Source IPv4 address.
        type: str
        required: true
      destination_ip:
        description:
          - Destination IPv4 address.
        type: str
        required: true
      source_port:
        description:
          - Source port of TCP and UDP, V(0) for other protocols.
        type: int
        default: 0
      destination_port:
        description:
          - Destination port of TCP and UDP, V(0) for other protocols.
        type: int
        default: 0
      tags:
        description:
          - VLAN ids to push, the outermost first, 1 to 10 of them, each from 1 to 4094. One for each network
            switch on the path (output port * 10 + queue), then the id of the destination VM.
          - Required unless O(state=absent).
        type: list
        elements: int
      rate_bps:
        description:
          - Rate in bit/s, 1 to 400000000000.
          - Required unless O(state=absent).
        type: int
      burst_bits:
        description:
          - Burst in bit, 1 to 9223372036854775807.
          - Required unless O(state=absent).
        type: int
  state:
    description:
      - V(present) sets these rules, and leaves others alone.
      - V(absent) deletes the rules with these matches.
      - V(exact) makes O(rules) the only rules of the switch. The rules are set first and the others deleted
        then, in two requests, so between them the switch has both.
    type: str
    choices: [present, absent, exact]
    default: present
seealso:
  - module: detnet.testbed.switch_info
  - module: detnet.testbed.switch_port
"""

EXAMPLES = r"""
- name: Send a flow of VM 1 over two network switches to VM 1 of another end host
  detnet.testbed.switch_rule:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    rules:
      - vm: 1
        protocol: udp
        source_ip: 10.20.0.11
        source_port: 5000
        destination_ip: 10.20.0.21
        destination_port: 6000
        tags: [21, 21, 1]
        rate_bps: 10000000
        burst_bits: 120000

- name: Give the switch the rules of the inventory and no others
  detnet.testbed.switch_rule:
    socket: "{{ testbed.end_hosts[inventory_hostname].control_socket }}"
    rules: "{{ testbed.end_hosts[inventory_hostname].rules }}"
    state: exact
"""

RETURN = r"""
rules:
  description:
    - The rules that the task named, as the switch has them after it; none if O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - vm: 1
      protocol: 17
      source_ip: 10.20.0.11
      destination_ip: 10.20.0.21
      source_port: 5000
      destination_port: 6000
      tags: [21, 21, 1]
      rate_bps: 10000000
      burst_bits: 120000
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    IDENTITY,
    Rule,
    action_faults,
    identity,
    match_faults,
    normal,
    one_line,
)
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "rules": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "vm": {"type": "int", "required": True},
            "protocol": {"type": "str", "required": True},
            "source_ip": {"type": "str", "required": True},
            "destination_ip": {"type": "str", "required": True},
            "source_port": {"type": "int", "default": 0},
            "destination_port": {"type": "int", "default": 0},
            "tags": {"type": "list", "elements": "int"},
            "rate_bps": {"type": "int"},
            "burst_bits": {"type": "int"},
        },
    },
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
}

Rules = dict[tuple[t.Any, ...], Rule]  # by identity

BATCH = 2000  # the longest rule takes less than 400 bytes of the 1 MiB that a request may have


def faults(rules: list[Rule], state: str) -> list[str]:
    """Return what is wrong with the rules as asked for, before the switch is asked."""
    found = []
    first: dict[tuple[t.Any, ...], int] = {}
    for index, rule in enumerate(rules):
        wrong = match_faults(rule)
        if not wrong:
            same = first.setdefault(identity(normal(rule)), index)
            if same != index:
                wrong = [f"matches the same packets as rules[{same}]; keep one of them"]
        if state != "absent":
            wrong += action_faults(rule)
        found += [f"rules[{index}]: {fault}" for fault in wrong]
    return found


def decide(before: Rules, named: Rules, state: str) -> tuple[list[Rule], list[Rule]]:
    """Return the rules to set and the rules to delete."""
    if state == "absent":
        return [], [rule for key, rule in sorted(before.items()) if key in named]
    to_set = [rule for key, rule in sorted(named.items()) if before.get(key) != rule]
    extra = [rule for key, rule in sorted(before.items()) if key not in named]
    return to_set, extra if state == "exact" else []


def act(switch: Switch, to_set: list[Rule], to_delete: list[Rule]) -> None:
    for start in range(0, len(to_set), BATCH):
        switch.call("rule.set", rules=to_set[start : start + BATCH])
    matches = [{field: rule[field] for field in IDENTITY} for rule in to_delete]
    for start in range(0, len(matches), BATCH):
        switch.call("rule.delete", rules=matches[start : start + BATCH])


def diff(before: Rules, to_set: list[Rule], to_delete: list[Rule]) -> dict[str, str]:
    """Return the changed rules only: a switch may have a hundred thousand others."""
    old = {identity(rule) for rule in to_set + to_delete} & before.keys()
    return {
        "before": "".join(f"{one_line(before[key])}\n" for key in sorted(old)),
        "after": "".join(f"{one_line(rule)}\n" for rule in to_set),
    }


def by_identity(rules: list[Rule]) -> Rules:
    return {identity(rule): rule for rule in map(normal, rules)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    rules, state = module.params["rules"], module.params["state"]
    failed = f"Cannot make the rules {state} on the switch at {module.params['socket']}"
    if found := faults(rules, state):
        module.fail_json(msg=f"{failed}: {'; '.join(found)}")
    named, switch = by_identity(rules), Switch(module.params["socket"])
    try:
        before = by_identity(switch.call("rule.list")["rules"])
        to_set, to_delete = decide(before, named, state)
        if not module.check_mode:
            act(switch, to_set, to_delete)
    except SwitchError as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(
        changed=bool(to_set or to_delete),
        rules=[] if state == "absent" else [rule for _key, rule in sorted(named.items())],
        diff=diff(before, to_set, to_delete),
    )


if __name__ == "__main__":
    main()
