#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: switch_trace
short_description: What a tagging switch would do with a packet
version_added: 0.2.0
description:
  - Describes a packet of a VM, or gives a frame's bytes, and learns step by step what the switch would do with it now.
    It tells the rule that matches, whether the frame would wait and how long, its tags, and where it would go, or the
    name of the drop, with what to do about it.
  - The switch takes the same decisions as for a real frame, by its rules, buckets and queues of this moment. Nothing
    is sent, charged or counted.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.switch
  - detnet.testbed.info
options:
  vm:
    description:
      - Id of the VM that sends the frame.
    type: int
  uplink:
    description:
      - Whether the frame comes from the uplink, in place of a VM.
    type: bool
    default: false
  packet:
    description:
      - The packet by its fields. The switch builds the frame from them, with the source MAC address of the VM.
      - Give both addresses and a protocol, or an EtherType. For ARP give both, and no protocol.
    type: dict
    suboptions:
      destination_mac:
        description:
          - Destination MAC address; broadcast by default.
        type: str
      ether_type:
        description:
          - EtherType as a number, 0x88f7, or by name, as in M(detnet.testbed.switch_rule).
        type: str
      protocol:
        description:
          - IP protocol, V(icmp), V(tcp), V(udp), V(icmpv6) or a number from 0 to 255.
        type: str
      source_ip:
        description:
          - Source address, IPv4 or IPv6.
        type: str
      destination_ip:
        description:
          - Destination address.
        type: str
      source_port:
        description:
          - Source port of TCP and UDP.
        type: int
      destination_port:
        description:
          - Destination port of TCP and UDP.
        type: int
      length:
        description:
          - Length of the frame in bytes, without FCS; as short as possible by default.
        type: int
  frame:
    description:
      - The bytes of a frame in hexadecimal digits, without FCS. White space and colons between them are passed over.
      - A frame from O(uplink) has one tag, that of its VM.
    type: str
seealso:
  - module: detnet.testbed.switch_info
  - module: detnet.testbed.switch_rule
"""

EXAMPLES = r"""
- name: Find out why VM 1 does not reach port 53
  detnet.testbed.switch_trace:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    vm: 1
    packet:
      protocol: udp
      source_ip: 10.20.0.11
      source_port: 5353
      destination_ip: 10.20.0.21
      destination_port: 53
  register: trace

- name: Show it
  ansible.builtin.debug:
    msg: "{{ trace.msg }}"
    # VM 1's frame would be dropped (no_rule): no rule of its VM matches it; compare it with them
    # (switch_info), and set one (switch_rule)

- name: Refuse to start a measurement whose frames would not get the tags 21, 21, 1
  detnet.testbed.switch_trace:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    vm: 1
    packet: {ether_type: ptp, destination_mac: "01:1b:19:00:00:00"}
  register: trace
  failed_when: "'810000158100001581000001' not in trace.frame | default('')"

- name: Ask what happens to a frame from the network
  detnet.testbed.switch_trace:
    socket: /run/detnet-testbed/beta/control/switch.sock
    uplink: true
    frame: "02f44e64e701 028ed3f6ad01 81000001 0800 4500001c00000000401100000a14000b0a1400159c40000700080000"
"""

RETURN = r"""
msg:
  description: What would happen, for people.
  returned: success
  type: str
  sample: VM 1's frame would wait 1.182 ms and leave by the uplink
verdict:
  description: V(sent) at once, V(delayed) or V(dropped).
  returned: success
  type: str
drop:
  description: Name of the drop, as in the counters.
  returned: if it would be dropped
  type: str
delay_ns:
  description: How long it would wait, in nanoseconds.
  returned: unless it would be dropped
  type: int
rule:
  description: VM and match of the rule that matches.
  returned: if one does
  type: dict
output:
  description: V(uplink), or the VM as C(vm), or V(control) for a control frame of VM 0.
  returned: unless it would be dropped
  type: raw
frame:
  description: The frame as it would leave, in hexadecimal digits.
  returned: unless it would be dropped
  type: str
steps:
  description:
    - The steps in order, each with its C(stage) (read, match, shape, tag, deliver), what was found there, and C(drop)
      at the last one of a frame that would be dropped.
  returned: success
  type: list
  elements: dict
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._drops import DROPS
from ansible_collections.detnet.testbed.plugins.module_utils._rule import (
    MATCH_OPTIONS,
    ether_type_number,
    protocol_number,
)
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import (
    address_faults,
    match_faults,
    number_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "vm": {"type": "int"},
    "uplink": {"type": "bool", "default": False},
    "packet": {
        "type": "dict",
        "options": {
            **MATCH_OPTIONS,
            "length": {"type": "int"},
        },
    },
    "frame": {"type": "str"},
}

Params = dict[str, t.Any]

BETWEEN_DIGITS = re.compile(r"[\s:]+")
ARP = ether_type_number("arp")


def faults(params: Params) -> list[str]:
    """Return what is wrong with the description of the frame, before the switch is asked."""
    found = [] if params["vm"] is None else number_faults("vm", params["vm"])
    if (params["vm"] is None) != params["uplink"]:
        found.append("a frame comes from one place; give vm, or uplink: true")
    if params["uplink"] and params["packet"] is not None:
        found.append("a packet is what a VM sends; give the frame from the uplink, with its tag")
    if params["frame"] is not None:
        digits = BETWEEN_DIGITS.sub("", params["frame"])
        if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]+", digits):
            found.append(
                "frame is no even number of hexadecimal digits; give such as 0200000000010200000000020800…"
            )
    return found + (packet_faults(params["packet"]) if params["packet"] is not None else [])


def packet_faults(packet: Params) -> list[str]:
    for field in ("source_ip", "destination_ip"):
        if "/" in (packet[field] or ""):
            return [f"packet: {field} is {packet[field]!r}; give one address such as 10.20.0.11"]
        if packet[field] is not None and (wrong := address_faults(field, packet[field])):
            return [f"packet: {wrong[0]}"]
    # ARP is asked about by its addresses, which no rule for ARP has.
    ether_type = None if ether_type_number(packet["ether_type"]) == ARP else packet["ether_type"]
    return [f"packet: {fault}" for fault in match_faults({**packet, "vm": 0, "ether_type": ether_type})]


def request(params: Params) -> Params:
    """Return what the switch is asked."""
    origin = {"uplink": True} if params["uplink"] else {"vm": params["vm"]}
    if params["frame"] is not None:
        return origin | {"frame": BETWEEN_DIGITS.sub("", params["frame"])}
    packet = {field: value for field, value in params["packet"].items() if value is not None}
    for field, number in (("ether_type", ether_type_number), ("protocol", protocol_number)):
        if field in packet:
            packet[field] = number(packet[field])
    return origin | {"packet": packet}


def summary(params: Params, trace: t.Mapping[str, t.Any]) -> str:
    """Return what would happen, for people."""
    frame = "The uplink's frame" if params["uplink"] else f"VM {params['vm']}'s frame"
    if trace["verdict"] == "dropped":
        drop = trace["drop"]
        return f"{frame} would be dropped ({drop}): {DROPS.get(drop, 'see the README of dpdk-tagging')}"
    waits = f"wait {trace['delay_ns'] / 10**6:.3f} ms and " if trace["delay_ns"] else ""
    output = trace["output"]
    way = {"uplink": "leave by the uplink", "control": "set a rule"}
    return f"{frame} would {waits}{way[output] if isinstance(output, str) else 'come to VM ' + str(output['vm'])}"


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_one_of=[("packet", "frame")],
        mutually_exclusive=[("packet", "frame")],
        supports_check_mode=True,
    )
    params = module.params
    failed = f"Cannot trace a frame through the switch at {params['socket']}"
    if found := faults(params):
        module.fail_json(msg=f"{failed}: {'; '.join(found)}")
    try:
        trace = Switch(params["socket"]).call("trace", **request(params))
    except SwitchError as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(changed=False, msg=summary(params, trace), **trace)


if __name__ == "__main__":
    main()
