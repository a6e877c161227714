# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rule the traffic test follows, and where on its path frames can be captured."""

from __future__ import annotations

DOCUMENTATION = r"""
name: journey_plan
short_description: Which rule the traffic test follows, and where its frames can be captured
version_added: 0.1.0
description:
  - Finds the rule for UDP echo requests between two VMs, and follows its tags along the links.
  - Fails if there is no such rule, or none for the echoes.
author: The detnet.testbed authors (@detnet)
positional: journey, emulated, directory
options:
  _input:
    description: The testbed, as P(detnet.testbed.compile_testbed#filter) returns it.
    type: dict
    required: true
  journey:
    description:
      - The variable C(testbed_journey), with the names of two VMs as C(from) and C(to), and C(burst), the number of
        datagrams that are sent at once; 64 by default, 0 for none.
    type: dict
    required: true
  emulated:
    description: Whether the network switches are emulated, so that frames can be captured on their links.
    type: bool
    required: true
  directory:
    description: Directory of the pcap files on the controller.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show the path
  ansible.builtin.debug:
    msg: "{{ testbed | detnet.testbed.journey_plan(testbed_journey, true, 'captures') }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    rule:
      description: The rule, as in the testbed.
      type: dict
    interfaces:
      description: The interfaces of the network switches to capture on, in the order of the path.
      type: list
      elements: str
    points:
      description:
        - The capture points in the order of the path, the last one in the guest, as
          M(detnet.testbed.journey_info) takes them.
      type: list
      elements: dict
    tags:
      description: The tag stack that the rule demands at each point.
      type: dict
    payload_bytes:
      description: Length of the journey's datagrams.
      type: int
    burst:
      description:
        - C(datagrams) and C(payload_bytes) of the burst that follows, long enough to be told from the journey's.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

ECHO_PORT = 7  # RFC 862
UDP = 17
PAYLOAD_BYTES = 64
BURST = {"datagrams": 64, "payload_bytes": 1400}

Values = t.Mapping[str, t.Any]


def echo_rule(testbed: Values, journey: Values) -> dict[str, t.Any]:
    """Return the rule that echo requests follow; there must be one for the echoes, too."""
    found = {
        (rule["from"], rule["to"], rule["source_port"], rule["destination_port"]): rule
        for rule in testbed["rules"]
        if rule.get("protocol") == UDP and {"source_ip", "source_port", "destination_port"} <= rule.keys()
    }
    one, other = journey["from"], journey["to"]
    for (source, destination, source_port, destination_port), rule in found.items():
        if (source, destination, destination_port) == (one, other, ECHO_PORT):
            if (other, one, ECHO_PORT, source_port) in found:
                return dict(rule)
            raise AnsibleFilterError(
                f"Cannot follow {one} > {other}: no rule brings the echoes back; add to testbed_flows one "
                f"from: {other}, to: {one}, protocol: udp, source_port: {ECHO_PORT}, "
                f"destination_port: {source_port}"
            )
    raise AnsibleFilterError(
        f"Cannot follow {one} > {other}: no rule with protocol: udp, destination_port: {ECHO_PORT} leads "
        "there; add one to testbed_flows, or name other VMs in testbed_journey"
    )


def links_of(testbed: Values, rule: Values) -> list[tuple[str, str]]:
    """Return for each link of the rule's path its name, and the interface of a network switch on it."""
    peers = {one: other for link in testbed["links"] for one, other in (link["ends"], reversed(link["ends"]))}
    links = []
    out = f"{rule['host']}:0"
    for tag in rule["tags"]:
        into = peers[out]
        nodes = [port.partition(":")[0] for port in (out, into)]
        switch_port = out if nodes[0] in testbed["network_switches"] else into
        links.append((" - ".join(nodes), switch_port.replace(":", "-")))  # as the fabric names it
        out = f"{nodes[1]}:{tag // 10}"
    return links


def journey_plan(testbed: Values, journey: Values, emulated: bool, directory: str) -> dict[str, t.Any]:
    """Return the rule and the capture points."""
    rule = echo_rule(testbed, journey)
    guest, tags = rule["to"], rule["tags"]
    on_one_host = testbed["guests"][guest]["end_host"] == rule["host"]
    links = links_of(testbed, rule) if emulated and not on_one_host else []
    files = [*links, (guest, guest)]
    return {
        "rule": rule,
        "interfaces": [interface for _at, interface in links],
        "points": [{"at": at, "path": f"{directory}/{name}.pcap"} for at, name in files],
        "tags": {at: tags[passed:] for passed, (at, _interface) in enumerate(links)} | {guest: []},
        "payload_bytes": PAYLOAD_BYTES,
        "burst": {**BURST, "datagrams": journey.get("burst", BURST["datagrams"])},
    }


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"journey_plan": journey_plan}
