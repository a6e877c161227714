# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a flow by itself: one sentence for each fault, with the value and the way out."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _rule, _rule_faults
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_rules import (
    MATCH,
    ends_faults,
    match_faults,
    unknown_vm_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import (
    NAME_WAY_OUT,
    Variables,
    did_you_mean,
    is_name,
    key_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm

REQUIRED = ("name", "from", "to", *_rule.SHAPER)
KEYS = (*REQUIRED, "family", *MATCH, "deadline_us", "queue", "via", "disjoint_from", "path")
PATHS = ("shortest", "least_loaded")
MOST_QUEUE = 9


def is_flow_name(value: t.Any) -> bool:
    return isinstance(value, str) and is_name(value)


def is_queue(value: t.Any) -> bool:
    return _rule_faults.is_number(value, 0, MOST_QUEUE)


def is_time(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def is_names(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def is_path(value: t.Any) -> bool:
    return value in PATHS


CHECKS: dict[str, tuple[t.Callable[[t.Any], bool], str]] = {
    "name": (is_flow_name, NAME_WAY_OUT),
    "deadline_us": (is_time, "give microseconds above 0"),
    "queue": (is_queue, f"choose 0 to {MOST_QUEUE}, of which the highest goes first"),
    "via": (is_names, "give a list of network switches"),
    "disjoint_from": (is_names, "give a list of names of flows"),
    "path": (is_path, f"choose {' or '.join(PATHS)}"),
}


def flow_faults(
    flow: t.Any, vms: t.Mapping[str, Vm], switches: t.Collection[str], flows: t.AbstractSet[str]
) -> list[str]:
    """Return what is wrong with a flow of a testbed with these VMs, network switches and names of flows."""
    faults = key_faults(flow, REQUIRED, KEYS)
    if not isinstance(flow, dict):
        return faults
    faults += (
        unknown_vm_faults(flow, vms) + match_faults(flow) + _rule_faults.given_faults(flow, *_rule.SHAPER)
    )
    wrong = [
        key for key, (valid, _way_out) in CHECKS.items() if flow.get(key) is not None and not valid(flow[key])
    ]
    faults += [f"{key} is {flow[key]!r}; {CHECKS[key][1]}" for key in wrong]
    via, others = ([] if key in wrong else flow.get(key) or [] for key in ("via", "disjoint_from"))
    faults += [
        f"via has {node!r}, which is no network switch; {did_you_mean(node, switches)}"
        for node in via
        if node not in switches
    ]
    faults += [
        f"disjoint_from has {name!r}, which is no other flow; {did_you_mean(name, flows - {str(flow.get('name'))})}"
        for name in others
        if name not in flows or name == flow.get("name")
    ]
    source, destination = vms.get(str(flow.get("from"))), vms.get(str(flow.get("to")))
    if source is None or destination is None:
        return faults
    return faults + ends_faults(flow, source, destination) + local_faults(flow, source, destination)


def local_faults(flow: Variables, source: Vm, destination: Vm) -> list[str]:
    """Return what a flow between VMs of one end host asks for in vain."""
    if source["host"] != destination["host"] or not flow.get("via"):
        return []
    host = source["host"]
    return [
        f"via is {flow['via']}, but both VMs are on {host}, whose tagging switch delivers between them; leave via out"
    ]
