#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from captured frames with which tag stack a flow passed each point of its path."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journey_info
short_description: Read a flow's tag stack at each point of its path from captured frames
version_added: 0.1.0
description:
  - Reads one pcap file per capture point and returns the stack of VLAN tags of one flow's frames there.
  - Takes everything from the frames. Fails where a point saw no frame of the flow, or several tag stacks.
  - Of a burst within the flow, known by the length of its datagrams, it returns when each was sent and when it
    arrived at the first point. The datagrams are those of M(detnet.testbed.udp_probe).
author: The detnet.testbed authors (@detnet)
requirements:
  - scapy (on the host that executes the module, usually the controller)
options:
  points:
    description: The capture points in the order of the path.
    type: list
    elements: dict
    required: true
    suboptions:
      at:
        description: Name of the point, for example C(alpha - s1).
        type: str
        required: true
      path:
        description: The pcap file of the point.
        type: path
        required: true
  source_ip:
    description: IPv4 address that the flow comes from.
    type: str
    required: true
  destination_ip:
    description: IPv4 address that the flow goes to.
    type: str
    required: true
  protocol:
    description: IP protocol, by name (V(icmp), V(tcp), V(udp)) or number.
    type: str
    default: udp
  destination_port:
    description: TCP or UDP port that the flow goes to; 0 takes every port.
    type: int
    default: 0
  payload_bytes:
    description: Length of the datagrams of the journey; 0 takes every length.
    type: int
    default: 0
    version_added: 0.2.0
  burst_payload_bytes:
    description: Length of the datagrams of the burst; 0 for no burst.
    type: int
    default: 0
    version_added: 0.2.0
attributes:
  check_mode:
    description: Only reads, so it does the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: The same files give the same journey.
    support: full
"""

EXAMPLES = r"""
- name: Read the journey of the probe
  detnet.testbed.journey_info:
    points:
      - {at: alpha - s1, path: build/pocket/captures/s1-1.pcap}
      - {at: s1 - s2, path: build/pocket/captures/s1-2.pcap}
    source_ip: 10.20.0.11
    destination_ip: 10.20.0.21
    destination_port: 7
  delegate_to: localhost
"""

RETURN = r"""
journey:
  description: One entry per point, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    at:
      description: Name of the point.
      type: str
    tags:
      description: VLAN ids, outermost first.
      type: list
      elements: int
      sample: [21, 21, 1]
    vlan_stack_hex:
      description: The bytes between the MAC addresses and the EtherType of the packet; empty without tags.
      type: str
      sample: "810000158100001581000001"
    frames:
      description: Number of frames of the flow at the point.
      type: int
burst:
  description: What the first point saw of the burst.
  returned: success, with O(burst_payload_bytes)
  type: dict
  contains:
    at:
      description: Name of the point.
      type: str
    arrivals:
      description:
        - For each datagram, in the order of the capture, its C(number), C(sent_ns) by the sender's clock and
          C(arrived_ns) by that of the capture.
      type: list
      elements: dict
    clock_offset_ns:
      description: Least difference between C(arrived_ns) and C(sent_ns) of all datagrams of the flow.
      type: int
seen:
  description: What each point saw, for points with no single tag stack too.
  returned: failure
  type: list
  elements: dict
  contains:
    at:
      description: Name of the point.
      type: str
    frames_total:
      description: Frames in the file, of any flow.
      type: int
    stacks:
      description: Number of frames of the flow for each C(vlan_stack_hex).
      type: dict
"""

import ipaddress
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils._flow import (
    SCAPY_IMPORT_ERROR,
    TAG_BYTES,
    Flow,
    JourneyError,
    Seen,
    look,
    look_at_burst,
)
from ansible_collections.detnet.testbed.plugins.module_utils._rule import PROTOCOLS, protocol_number
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import (
    number_faults,
    protocol_faults,
)

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "points": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"at": {"type": "str", "required": True}, "path": {"type": "path", "required": True}},
    },
    "source_ip": {"type": "str", "required": True},
    "destination_ip": {"type": "str", "required": True},
    "protocol": {"type": "str", "default": "udp"},
    "destination_port": {"type": "int", "default": 0},
    "payload_bytes": {"type": "int", "default": 0},
    "burst_payload_bytes": {"type": "int", "default": 0},
}


def tags_of(vlan_stack_hex: str) -> list[int]:
    """Return the VLAN ids of a stack, outermost first."""
    stack = bytes.fromhex(vlan_stack_hex)
    # The tag control information is the second half of a tag, the VLAN id its lower 12 bits.
    return [int.from_bytes(stack[at + 2 : at + 4], "big") & 0xFFF for at in range(0, len(stack), TAG_BYTES)]


def doubts(seen: t.Iterable[Seen]) -> list[str]:
    """Return why points do not tell one tag stack; nothing if all do."""
    found = []
    for point in seen:
        if not point["stacks"]:
            total, path = point["frames_total"], point["path"]
            found.append(f"{point['at']} saw no frame of it (of {total} frames in {path})")
        elif len(point["stacks"]) > 1:
            shown = ", ".join(
                f"{tags_of(stack)} on {n} frames" for stack, n in sorted(point["stacks"].items())
            )
            found.append(f"{point['at']} saw several tag stacks: {shown} (in {point['path']})")
    return found


def journey(seen: t.Iterable[Seen]) -> list[dict[str, t.Any]]:
    """Return the journey of points that each saw one tag stack."""
    hops = []
    for point in seen:
        [(stack, frames)] = point["stacks"].items()
        hops.append({"at": point["at"], "tags": tags_of(stack), "vlan_stack_hex": stack, "frames": frames})
    return hops


def option_faults(params: dict[str, t.Any]) -> list[str]:
    """Return what is wrong with the description of the flow."""
    faults = protocol_faults(params["protocol"])
    faults += number_faults("destination_port", params["destination_port"])
    for name in ("source_ip", "destination_ip"):
        try:
            ipaddress.IPv4Address(params[name])
        except ValueError:
            faults.append(f"{name} is {params[name]!r}; choose an IPv4 address")
    for name in ("payload_bytes", "burst_payload_bytes"):
        if params[name] and protocol_number(params["protocol"]) != PROTOCOLS["udp"]:
            faults.append(f"{name} is {params[name]}; choose protocol: udp, whose datagrams have a length")
    return faults


def burst_of(points: list[tuple[str, Path]], flow: Flow, payload_bytes: int) -> dict[str, t.Any]:
    """Return the burst as the first point saw it, if there is one to look for; raise JourneyError."""
    return {"burst": look_at_burst(*points[0], flow, payload_bytes)} if payload_bytes and points else {}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if SCAPY_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("scapy"), exception=SCAPY_IMPORT_ERROR)
    params = module.params
    if faults := option_faults(params):
        module.fail_json(msg=f"Cannot read the journey: {'; '.join(faults)}")
    flow = Flow(
        params["source_ip"],
        params["destination_ip"],
        protocol_number(params["protocol"]),
        params["destination_port"],
    )
    goal = f"Cannot read the journey of {flow}"
    try:
        points = [(point["at"], Path(point["path"])) for point in params["points"]]
        seen = [look(*point, flow, params["payload_bytes"]) for point in points]
        burst = burst_of(points, flow, params["burst_payload_bytes"])
    except JourneyError as exc:
        module.fail_json(msg=f"{goal}: {exc}")
    if found := doubts(seen):
        way_out = (
            "compare the rules with the flows of the network switches, and look into the files with Wireshark"
        )
        module.fail_json(msg=f"{goal}: {'; '.join(found)}; {way_out}", seen=seen)
    module.exit_json(changed=False, journey=journey(seen), **burst)


if __name__ == "__main__":
    main()
