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
  - Sets, deletes and replaces the rules by which a tagging switch matches, shapes and tags the frames of its VMs.
  - One task is one change. The switch makes it as a whole or not at all, and the frames that it moves meanwhile meet
    the rules either before or after it. A hundred thousand rules are one change, too.
  - If somebody else changes the switch between the look at its rules and the change, the task looks again.
  - A rule is known by its VM and what it matches. Setting it again with other tags or another rate updates it,
    without refilling its bucket, and what waits in its queue stays there.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.switch
  - detnet.testbed.switch.changes
options:
  rules:
    description:
      - The rules, no two with the same VM and match.
      - What is left out of a match may be anything. Of all rules that match a frame the one with the highest
        O(rules[].priority) is taken, and of these the one that says most bits.
    type: list
    elements: dict
    required: true
    suboptions:
      vm:
        description:
          - Id of the VM whose frames are matched, 0 to 4094. It needs a port.
        type: int
        required: true
      destination_mac:
        description:
          - Destination MAC address, also a group address.
        type: str
      ether_type:
        description:
          - EtherType, V(ipv4), V(arp), V(ipv6), V(profinet), V(ethercat), V(goose), V(sampled-values), V(ptp),
            or a number from 0x0600 to 0xffff.
          - Addresses say it already.
        type: str
      protocol:
        description:
          - IP protocol, V(icmp), V(tcp), V(udp), V(icmpv6) or a number from 0 to 255.
        type: str
      source_ip:
        description:
          - Source address, IPv4 or IPv6, or a prefix such as V(10.20.0.0/16).
        type: str
      destination_ip:
        description:
          - Destination address or prefix.
        type: str
      source_port:
        description:
          - Source port; of TCP and of UDP, if O(rules[].protocol) is left out.
        type: int
      destination_port:
        description:
          - Destination port, likewise.
        type: int
      priority:
        description:
          - Which rule is taken if several match, 0 to 65535. The highest wins.
          - The default is V(0).
        type: int
        version_added: 0.2.0
      tags:
        description:
          - VLAN ids to push, the outermost first, up to 10 of them, each from 1 to 4094. One for each network
            switch on the path (output port * 10 + queue), then the id of the destination VM.
          - Without tags, frames leave as the VM sent them.
        type: list
        elements: int
      tpid:
        description:
          - Tag protocol identifier of the tags.
          - The default is V(802.1Q).
        type: str
        choices: [802.1Q, 802.1ad]
        version_added: 0.2.0
      destination_vm:
        description:
          - Id of another VM of the same switch that gets the frames, in place of the uplink. Such a rule has no tags.
        type: int
        version_added: 0.2.0
      mode:
        description:
          - What happens to a frame above the rate. With V(shape) it waits until it conforms, with V(police) it is
            dropped. With V(off) there is no rate.
          - The default is V(shape) if O(rules[].rate_bps) is given, else V(off).
        type: str
        choices: [shape, police, "off"]
        version_added: 0.2.0
      rate_bps:
        description:
          - Rate in bit/s, 1 to 400000000000, counted as on the wire, with preamble, gap and tags.
          - Required unless the mode is V(off).
        type: int
      burst_bits:
        description:
          - Burst in bit, 1 to 9223372036854775807.
          - Required unless the mode is V(off).
        type: int
      queue_packets:
        description:
          - Most frames that may wait, 1 to 65535. Only with mode V(shape).
          - The default is V(1024).
        type: int
        version_added: 0.2.0
      queue_bytes:
        description:
          - Most bytes that may wait, 1 to 4294967295. Only with mode V(shape).
          - The default is V(1048576).
        type: int
        version_added: 0.2.0
  vm:
    description:
      - With O(state=exact), make O(rules) the only rules of this VM and leave those of other VMs alone.
    type: int
    version_added: 0.2.0
  state:
    description:
      - V(present) sets these rules, and leaves others alone.
      - V(absent) deletes the rules with these matches.
      - V(exact) makes O(rules) the only rules of the switch, or of O(vm), in one step.
    type: str
    choices: [present, absent, exact]
    default: present
seealso:
  - module: detnet.testbed.switch_info
  - module: detnet.testbed.switch_port
  - module: detnet.testbed.switch_trace
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

- name: Let PTP pass untouched, everything else to 10.20.0.0/16 at 1 Gbit/s, and hand IPv6 to VM 2 of the same host
  detnet.testbed.switch_rule:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    rules:
      - {vm: 1, ether_type: ptp, tags: [27, 27, 1], priority: 10}
      - {vm: 1, destination_ip: 10.20.0.0/16, tags: [20, 20, 1], rate_bps: 1000000000, burst_bits: 1000000}
      - {vm: 1, ether_type: ipv6, destination_vm: 2}
    vm: 1
    state: exact

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
      priority: 0
      protocol: 17
      source_ip: 10.20.0.11
      destination_ip: 10.20.0.21
      source_port: 5000
      destination_port: 6000
      tags: [21, 21, 1]
      tpid: 802.1Q
      mode: shape
      rate_bps: 10000000
      burst_bits: 120000
      queue_packets: 1024
      queue_bytes: 1048576
generation:
  description:
    - Number of changes of the switch's rules and ports so far. Of the look at its rules, if nothing had to change or
      in check mode.
  returned: success
  type: int
  version_added: 0.2.0
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    DEFAULTS,
    MATCH_OPTIONS,
    Rule,
    identity,
    normal,
    normal_match,
    one_line,
    order,
)
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import (
    action_faults,
    match_faults,
    number_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._switch import (
    GENERATION_DIFFERS,
    Switch,
    SwitchError,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "rules": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "vm": {"type": "int", "required": True},
            **MATCH_OPTIONS,
            "priority": {"type": "int"},
            "tags": {"type": "list", "elements": "int"},
            "tpid": {"type": "str", "choices": ["802.1Q", "802.1ad"]},
            "destination_vm": {"type": "int"},
            "mode": {"type": "str", "choices": ["shape", "police", "off"]},
            "rate_bps": {"type": "int"},
            "burst_bits": {"type": "int"},
            "queue_packets": {"type": "int"},
            "queue_bytes": {"type": "int"},
        },
    },
    "vm": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
}

Rules = dict[tuple[t.Any, ...], Rule]  # by identity

ATTEMPTS = 10
SHOWN = 1000  # changed rules in a diff
TOLD = 100  # faults in a message


def faults(rules: list[Rule], state: str, vm: int | None) -> list[str]:
    """Return what is wrong with the rules as asked for, before the switch is asked."""
    found = []
    if vm is not None:
        found += number_faults("vm", vm)
        if state != "exact":
            found.append(f"vm is {vm}, but the state is {state}; leave vm out, or use state=exact")
    first: dict[tuple[t.Any, ...], int] = {}
    for index, rule in enumerate(rules):
        wrong = match_faults(rule)
        if not wrong:
            same = first.setdefault(identity(normal_match(rule)), index)
            if same != index:
                wrong = [f"matches the same frames as rules[{same}]; keep one of them"]
        if vm is not None and rule["vm"] != vm:
            wrong.append(
                f"its VM is {rule['vm']}, and only rules of VM {vm} are replaced; correct one of them"
            )
        if state != "absent":
            wrong += action_faults(rule)
        found += [f"rules[{index}]: {fault}" for fault in wrong]
    return found


def decide(before: Rules, named: Rules, state: str) -> tuple[list[Rule], list[Rule]]:
    """Return the rules to set and the rules to delete."""
    if state == "absent":
        return [], [before[key] for key in named if key in before]
    to_set = [rule for key, rule in named.items() if before.get(key) != rule]
    extra = [rule for key, rule in before.items() if key not in named] if state == "exact" else []
    return to_set, extra


def brief(rule: Rule) -> Rule:
    """Return a rule without what it has by default, so that more of them fit into a request."""
    return {field: value for field, value in rule.items() if value != DEFAULTS.get(field, ())}


def request(named: Rules, to_set: list[Rule], to_delete: list[Rule], state: str) -> tuple[str, list[Rule]]:
    """Return the method that makes the change, and its rules."""
    if state == "exact":
        return "rule.replace", [brief(rule) for rule in named.values()]
    if state == "absent":
        return "rule.delete", [normal_match(rule) for rule in to_delete]
    return "rule.set", [brief(rule) for rule in to_set]


def lines(rules: list[Rule], more: int) -> str:
    shown = "".join(f"{one_line(rule)}\n" for rule in rules)
    return f"{shown}and {more} more changed rules\n" if more else shown


def diff(before: Rules, to_set: list[Rule], to_delete: list[Rule]) -> dict[str, str]:
    """Return the first changed rules, before and after: a switch may have a hundred thousand others."""
    after = {identity(rule): rule for rule in to_set}
    gone = {identity(rule): rule for rule in to_delete}
    changed = sorted(after | gone, key=lambda key: order(after.get(key) or gone[key]))
    shown, more = changed[:SHOWN], max(0, len(changed) - SHOWN)
    return {
        "before": lines([before[key] for key in shown if key in before], more),
        "after": lines([after[key] for key in shown if key in after], more),
    }


def change_once(switch: Switch, named: Rules, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Make the rules as asked for, if nobody else changes the switch meanwhile; raise SwitchError."""
    state, of = params["state"], {} if params["vm"] is None else {"vm": params["vm"]}
    generation = switch.call("switch.info")["state"]["generation"]  # first: a change after it is noticed
    before = {identity(rule): rule for rule in map(normal, switch.call("rule.list", **of)["rules"])}
    to_set, to_delete = decide(before, named, state)
    if (to_set or to_delete) and not check_mode:
        method, rules = request(named, to_set, to_delete, state)
        generation = switch.call(method, rules=rules, if_generation=generation, **of)["generation"]
    return {
        "changed": bool(to_set or to_delete),
        "generation": generation,
        "diff": diff(before, to_set, to_delete),
    }


def change(*args: t.Any) -> dict[str, t.Any]:
    """Do change_once(), again if another writer was faster."""
    for _attempt in range(ATTEMPTS - 1):
        try:
            return change_once(*args)
        except SwitchError as exc:
            if exc.code != GENERATION_DIFFERS:
                raise
    return change_once(*args)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    rules, state = module.params["rules"], module.params["state"]
    failed = f"Cannot make the rules {state} on the switch at {module.params['socket']}"
    if found := faults(rules, state, module.params["vm"]):
        more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
        module.fail_json(msg=f"{failed}: {'; '.join(found[:TOLD])}{more}")
    form = normal_match if state == "absent" else normal
    named = {identity(rule): rule for rule in sorted(map(form, rules), key=order)}
    try:
        result = change(Switch(module.params["socket"]), named, module.params, module.check_mode)
    except SwitchError as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(rules=[] if state == "absent" else list(named.values()), **result)


if __name__ == "__main__":
    main()
