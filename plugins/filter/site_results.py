# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of the traffic test, put together from what the tasks measured."""

from __future__ import annotations

DOCUMENTATION = r"""
name: site_results
short_description: The results of the traffic test from what the tasks measured
version_added: 0.1.0
description:
  - Puts the results of probe, pings, captures and switches into the form that is kept as JSON.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description:
      - C(probe) is the result of M(detnet.testbed.udp_probe).
      - C(journey) is the result of M(detnet.testbed.journey_info), also a failed one.
      - C(plan) is what P(detnet.testbed.journey_plan#filter) returns.
      - C(pings) is a list of C(from), C(to) and C(output), the standard output of ping.
      - C(switches) has the results of M(detnet.testbed.switch_info) by end host.
      - C(hosts) has the results of M(detnet.testbed.host_state) by end host.
      - C(names) has the names of the VMs by their IPv4 addresses.
      - C(about) has whatever else belongs into the results, such as C(accelerator).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the loss
  ansible.builtin.debug:
    msg: "{{ (measured | detnet.testbed.site_results).udp }}"
"""

RETURN = r"""
_value:
  description:
    - C(about)'s keys, then C(hosts) with C(fingerprint), C(summary) and C(state) of each end host,
      then C(journey), C(udp), C(rtt_us), C(ping), C(burst) and C(rules).
    - C(journey) is empty, and C(journey_fault) says why, where the captures do not show it.
  type: dict
"""

import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._burst import burst_result
from ansible_collections.detnet.testbed.plugins.module_utils._rule import PROTOCOL_NAMES, identity

Values = t.Mapping[str, t.Any]

UDP = ("sent", "received", "duplicates", "out_of_order", "corrupt")
COUNTERS = ("packets", "bytes", "drops")
STAMP = ("fingerprint", "summary", "state")

PING_COUNTS = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)
PING_RTT = re.compile(r"^rtt min/avg/max/mdev = ([\d.]+)/([\d.]+)/([\d.]+)/[\d.]+ ms", re.MULTILINE)


def ping_result(ping: Values) -> dict[str, t.Any]:
    """Return the counts and the round-trip times of one run of ping (iputils)."""
    counts, rtt = PING_COUNTS.search(ping["output"]), PING_RTT.search(ping["output"])
    sent, received = (int(n) for n in counts.groups()) if counts else (0, 0)
    times = (round(float(ms) * 1000) for ms in rtt.groups()) if rtt else ()
    return {
        "from": ping["from"],
        "to": ping["to"],
        "sent": sent,
        "received": received,
        "rtt_us": dict(zip(("min", "mean", "max"), times, strict=False)),
    }


def rule_results(end_host: str, switch: Values, names: Values) -> list[dict[str, t.Any]]:
    """Return the rules of one switch with their counters."""
    counters = {identity(rule): rule for rule in switch["stats"]["rules"]}

    def end(address: str | None) -> str:
        return str(names.get(address, address)) if address else "any"

    return [
        {
            "end_host": end_host,
            "from": end(rule.get("source_ip")),
            "to": end(rule.get("destination_ip")),
            **rule,
            **(
                {"protocol": PROTOCOL_NAMES.get(rule["protocol"], rule["protocol"])}
                if "protocol" in rule
                else {}
            ),
            **{key: counters[identity(rule)][key] for key in COUNTERS},
        }
        for rule in switch["rules"]
    ]


def burst_results(plan: Values, journey: Values) -> dict[str, t.Any]:
    """Return what became of the burst, if there was one and the captures show it."""
    if not plan["burst"]["datagrams"] or "burst" not in journey:
        return {}
    size = plan["burst"]["payload_bytes"]
    return {"burst": burst_result(plan["rule"], plan["burst"]["datagrams"], size, journey["burst"])}


def site_results(measured: Values) -> dict[str, t.Any]:
    """Return the results in the form that is kept."""
    probe, journey = measured["probe"], measured["journey"]
    return {
        **measured["about"],
        "hosts": {
            end_host: {key: host[key] for key in STAMP} for end_host, host in measured["hosts"].items()
        },
        **({} if "journey" in journey else {"journey_fault": journey["msg"]}),
        "journey": journey.get("journey", []),
        "udp": {key: probe[key] for key in UDP},
        "rtt_us": probe["rtt_us"],
        "ping": [ping_result(ping) for ping in measured["pings"]],
        **burst_results(measured["plan"], journey),
        "rules": [
            rule
            for end_host, switch in measured["switches"].items()
            for rule in rule_results(end_host, switch, measured["names"])
        ],
    }


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_results": site_results}
