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

import collections
import ipaddress
import traceback
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils._rule import PROTOCOL_NAMES, protocol_number
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import (
    number_faults,
    protocol_faults,
)

try:
    from scapy.error import Scapy_Exception
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.utils import RawPcapReader
except ImportError:
    SCAPY_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    SCAPY_IMPORT_ERROR = None

MAC_PAIR_BYTES = 12
TAG_BYTES = 4
PCAP_HEADER_BYTES = 24
FRAME_HEADER_BYTES = 16

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
}

Seen = dict[str, t.Any]  # at, path, frames_total, stacks: {vlan_stack_hex: frames}


class JourneyError(Exception):
    """A capture that cannot be read, or that does not show one tag stack."""


class Flow(t.NamedTuple):
    """One direction of a flow; destination port 0 stands for every port."""

    source_ip: str
    destination_ip: str
    protocol: int
    destination_port: int

    def vlan_stack(self, frame: bytes) -> bytes | None:
        """Return the bytes of the tags in front of the flow's packet, None for a frame of another flow."""
        # Both addresses stand side by side in the IPv4 header: a cheap look before the dissection.
        pair = (
            ipaddress.IPv4Address(self.source_ip).packed + ipaddress.IPv4Address(self.destination_ip).packed
        )
        if pair not in frame:
            return None
        layer, tags = Ether(frame).payload, 0
        while isinstance(layer, Dot1Q):
            layer, tags = layer.payload, tags + 1
        if not isinstance(layer, IP) or not self._has(layer):
            return None
        return frame[MAC_PAIR_BYTES : MAC_PAIR_BYTES + tags * TAG_BYTES]

    def _has(self, packet: t.Any) -> bool:
        if (packet.src, packet.dst, packet.proto) != (self.source_ip, self.destination_ip, self.protocol):
            return False
        return not self.destination_port or getattr(packet.payload, "dport", None) == self.destination_port

    def __str__(self) -> str:
        port = f":{self.destination_port}" if self.destination_port else ""
        return f"{PROTOCOL_NAMES.get(self.protocol, self.protocol)} {self.source_ip} > {self.destination_ip}{port}"


def frames_of(path: Path) -> t.Iterator[bytes]:
    """Yield the frames of a pcap file; raise JourneyError if it is none or ends within a frame."""
    try:
        size, read = path.stat().st_size, PCAP_HEADER_BYTES
        with RawPcapReader(str(path)) as reader:
            for frame, header in reader:
                read += FRAME_HEADER_BYTES + header.caplen
                yield frame
    except (OSError, Scapy_Exception) as exc:
        raise JourneyError(f"{path} cannot be read: {exc}; repeat the capture") from exc
    if read != size:
        raise JourneyError(
            f"{path} ends within a frame ({size} bytes, whole frames {read}); repeat the capture"
        )


def look(at: str, path: Path, flow: Flow) -> Seen:
    """Return what one point saw of the flow; raise JourneyError."""
    total, stacks = 0, collections.Counter[str]()
    for frame in frames_of(path):
        total += 1
        if (stack := flow.vlan_stack(frame)) is not None:
            stacks[stack.hex()] += 1
    return {"at": at, "path": str(path), "frames_total": total, "stacks": dict(stacks)}


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
    return faults


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
        seen = [look(point["at"], Path(point["path"]), flow) for point in params["points"]]
    except JourneyError as exc:
        module.fail_json(msg=f"{goal}: {exc}")
    if found := doubts(seen):
        way_out = (
            "compare the rules with the flows of the network switches, and look into the files with Wireshark"
        )
        module.fail_json(msg=f"{goal}: {'; '.join(found)}; {way_out}", seen=seen)
    module.exit_json(changed=False, journey=journey(seen))


if __name__ == "__main__":
    main()
