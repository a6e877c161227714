# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a testbed: from the variables of an inventory to the data that playbooks need.

compile_testbed() reads the variables testbed_* of all hosts, finds all faults at once, and derives what
follows from them: names, MAC addresses, paths, and the options of the modules.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._fabric import parse_links
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_flows import compile_flows
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_rules import compile_rules
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import (
    Variables,
    control_socket,
    mac_prefix,
    name_faults,
    read_ports,
    read_settings,
    read_shared,
    variable_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import (
    Vm,
    compile_vms,
    duplicate_faults,
)

# What the modules vm, switch_port and switch_rule take.
VM_OPTIONS = ("id", "name", "memory_mib", "vcpus")
INTERFACE_OPTIONS = ("mac", "socket", "socket_server", "address", "address_v6", "mtu")
PORT_OPTIONS = ("mac", "socket_server")
RULE_EXTRAS = ("from", "to", "host")  # what the module switch_rule does not take
GUEST_KEYS = ("id", "mac", "ip", "ip_v6", "management_address", "management_port")


class TestbedError(ValueError):
    """The faults of a testbed's description, each with its place, the value and the way out."""

    __test__ = False  # the name begins like that of a test

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def compile_testbed(
    hostvars: t.Mapping[str, Variables],
    groups: t.Mapping[str, t.Sequence[str]],
) -> dict[str, t.Any]:
    """Return what follows from the variables of all hosts: Ansible's hostvars and groups.

    The filter of the same name documents the result. Raises TestbedError with all faults.
    """
    end_hosts, switches, machines = (
        list(groups.get(group, [])) for group in ("end_hosts", "network_switches", "machines")
    )
    if not end_hosts:
        raise TestbedError(["the group end_hosts has no host; name the servers that run VMs there"])
    nodes = {**dict.fromkeys(end_hosts, False), **dict.fromkeys(switches, True)}
    faults = variable_faults(hostvars, [*nodes, *machines]) + name_faults(end_hosts, switches)

    settings: dict[str, dict[str, t.Any]] = {}
    vms: dict[str, Vm] = {}
    for host in end_hosts:
        settings[host], wrong = read_settings(host, hostvars[host])
        of_host, wrong_vms = compile_vms(host, settings[host])
        vms |= of_host
        faults += wrong + wrong_vms
    faults += duplicate_faults([vm for vm in vms.values() if "mac" in vm], machines)

    ports: dict[str, dict[str, int]] = {}
    for switch in switches:
        ports[switch], wrong = read_ports(switch, hostvars[switch])
        faults += wrong

    shared, wrong = read_shared(settings)
    fabric, wrong_links = parse_links(shared["testbed_links"], nodes)
    rules, wrong_rules = compile_rules(shared["testbed_rules"], vms, fabric)
    (flows, flow_rules), wrong_flows = compile_flows(shared["testbed_flows"], vms, fabric, rules)
    faults += wrong + wrong_links + wrong_rules + wrong_flows
    if faults:
        raise TestbedError(faults)
    rules += flow_rules
    return {
        "name": shared["testbed_name"],
        "end_hosts": {
            host: {
                "control_socket": control_socket(host, settings[host]),
                "vms": [
                    {**pick(VM_OPTIONS, vm), "interfaces": [pick(INTERFACE_OPTIONS, vm)]}
                    for vm in of(host, vms.values())
                ],
                "cores": [
                    {"vm": vm["id"], "vcpus": vm["vcpus"], "memory_mib": vm["memory_mib"]}
                    for vm in of(host, vms.values())
                ],
                "ports": [{"vm": vm["id"], **pick(PORT_OPTIONS, vm)} for vm in of(host, vms.values())],
                "rules": [leave_out(RULE_EXTRAS, rule) for rule in of(host, rules)],
            }
            for host in end_hosts
        },
        "guests": {name: {"end_host": vm["host"], **pick(GUEST_KEYS, vm)} for name, vm in vms.items()},
        "network_switches": switches,
        "nodes": {
            host: {
                "kind": "end_host",
                "management_address": settings[host]["testbed_management_address"],
            }
            for host in end_hosts
        }
        | {
            switch: {
                "kind": "network_switch",
                "chassis_id": f"{mac_prefix(switch)}:00",
                "ports": ports[switch],
            }
            for switch in switches
        },
        "links": [link.described() for link in fabric.links],
        "flows": flows,
        "rules": rules,
    }


def of(host: str, items: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [item for item in items if item["host"] == host]


def pick(keys: t.Iterable[str], item: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: item[key] for key in keys}


def leave_out(keys: t.Collection[str], item: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in item.items() if key not in keys}
