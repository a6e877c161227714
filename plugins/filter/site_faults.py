# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the results of the traffic test."""

from __future__ import annotations

DOCUMENTATION = r"""
name: site_faults
short_description: What is wrong with the results of the traffic test
version_added: 0.1.0
description:
  - Compares measured results with the tag stack of the rule, and says what is wrong, where, and what to do.
author: The detnet.testbed authors (@detnet)
positional: tags, count
options:
  _input:
    description: The results, as P(detnet.testbed.site_results#filter) returns them.
    type: dict
    required: true
  tags:
    description: The tag stack that the rule demands at each capture point.
    type: dict
    required: true
  count:
    description: Number of datagrams that were to be sent.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Refuse anything but the journey that the rule describes
  ansible.builtin.assert:
    that: results | detnet.testbed.site_faults(plan.tags, 1000) == []
"""

RETURN = r"""
_value:
  description: One sentence per fault; empty if all is well.
  type: list
  elements: str
"""

import typing as t

Results = t.Mapping[str, t.Any]

NO_BURST = dict.fromkeys(("datagrams", "arrived", "duplicates", "out_of_order"), 0)


def tag_faults(results: Results, tags: Results) -> list[str]:
    """At every point the frames must have the tags that the rule demands there."""
    if "journey_fault" in results:
        return [results["journey_fault"]]
    faults = []
    for hop in results["journey"]:
        wanted = tags[hop["at"]]
        if hop["tags"] == wanted:
            continue
        if not wanted:
            what = f"Leftover tags {hop['tags']} in the guest {hop['at']}"
            way_out = "its tagging switch must strip all tags; see its log and switch_info"
        else:
            what = f"Wrong tags at {hop['at']}: {hop['tags']}, the rule says {wanted}"
            way_out = (
                "compare the rules of the tagging switch (switch_info) with the flows of the network switch"
            )
        faults.append(f"{what}; {way_out}")
    return faults


def frame_faults(journey: list[Results], sent: int) -> list[str]:
    """No point may see a datagram twice."""
    return [
        f"Duplicated frames at {hop['at']}: {hop['frames']} frames of {sent} datagrams; "
        "look for a loop or a second flow there"
        for hop in journey
        if hop["frames"] > sent
    ]


def udp_faults(udp: Results, journey: list[Results], count: int) -> list[str]:
    """Every datagram must be sent, and come back once and unchanged."""
    faults = []
    if udp["sent"] < count:
        faults.append(
            f"Only {udp['sent']} of {count} datagrams were sent in time, for round trips are slow or datagrams "
            "are lost; lower testbed_journey.count if nothing is lost"
        )
    if lost := udp["sent"] - udp["received"]:
        frames = ", ".join(f"{hop['at']} {hop['frames']}" for hop in journey)
        where = f" (frames on the way there: {frames}; the others had no echo, or it was lost)"
        faults.append(
            f"Lost {lost} of {udp['sent']} datagrams{where if frames else ''}; "
            "see the drops of the rules and uplinks"
        )
    for key, what in (("duplicates", "came back twice"), ("corrupt", "came back changed")):
        if udp[key]:
            faults.append(
                f"{udp[key]} of {udp['sent']} datagrams {what}; compare the captures with Wireshark"
            )
    return faults


def ping_faults(pings: list[Results]) -> list[str]:
    """Every echo request must be answered."""
    return [
        f"Ping {ping['from']} > {ping['to']}: {ping['received']} of {ping['sent']} answered; "
        "check the icmp rules of both directions"
        for ping in pings
        if ping["received"] != ping["sent"] or not ping["sent"]
    ]


def burst_faults(burst: Results) -> list[str]:
    """Every datagram of the burst must arrive once, in order, and none before its rule lets it go."""
    faults = []
    goal = f"of {burst['datagrams']} datagrams sent at once"
    for lost, what, way_out in (
        (
            burst["datagrams"] - burst["arrived"],
            "did not arrive",
            "what is above the rate has to wait; see the rule's drops, its queue_packets and queue_bytes",
        ),
        (burst["duplicates"], "arrived twice", "look for a loop or a second flow there"),
        (burst["out_of_order"], "were overtaken", "a rule's frames leave in order; see the captures"),
    ):
        if lost:
            faults.append(f"{lost} {goal} {what} at {burst['at']}; {way_out}")
    if burst.get("early_us"):
        faults.append(
            f"The burst arrived at {burst['at']} {burst['early_us'] / 1000:.1f} ms earlier than {burst['rate_bps']} "
            f"bit/s and a bucket of {burst['burst_bits']} bit allow; see the rule on the tagging switch (switch_info)"
        )
    return faults


def site_faults(results: Results, tags: Results, count: int) -> list[str]:
    """Return what is wrong with the results, one sentence per fault."""
    journey, udp = results["journey"], results["udp"]
    return [
        *tag_faults(results, tags),
        *frame_faults(journey, udp["sent"]),
        *udp_faults(udp, journey, count),
        *ping_faults(results["ping"]),
        *burst_faults(results.get("burst", NO_BURST)),
    ]


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_faults": site_faults}
