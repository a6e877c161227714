# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which interfaces a host listens and speaks for the topology, and whose they are.

Most hosts are one node. The machine of a pocket fabric carries several network switches: the interface of port P of
switch S is named S-P there.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import (
    NETWORK_SWITCH,
    CablingError,
    End,
    Values,
    is_number,
    port_of,
)


def ports_of(testbed: Values, host: str, interfaces: t.Iterable[str]) -> dict[str, End]:
    """Return those of a host's interfaces that are ports of the testbed, by name."""
    nodes: t.Mapping[str, Values] = testbed["nodes"]
    here = [host] if host in nodes else switches_of(testbed)
    found: dict[str, End] = {}
    for interface in interfaces:
        node = host if host in nodes else interface.rpartition("-")[0]
        if node in here:
            port = port_of(nodes[node]["kind"], [interface], nodes[node].get("ports") or {})
            if is_number(port):
                found[interface] = End(node, port)
    return found


def switches_of(testbed: Values) -> list[str]:
    return [name for name, node in testbed["nodes"].items() if node["kind"] == NETWORK_SWITCH]


def plan(testbed: Values, host: str, interfaces: t.Iterable[str]) -> dict[str, t.Any]:
    """Return options of the module lldp_neighbors: interfaces, and announce for those nodes that cannot speak.

    Raises CablingError if no interface is a port.
    """
    ports = ports_of(testbed, host, interfaces)
    if not ports:
        raise CablingError(
            f"Cannot listen on {host}: no interface of it that is up is a port of "
            f"{', '.join(switches_of(testbed))}; run switches.yml first, or name the ports of a network switch in its "
            "testbed_ports"
        )
    return {
        "interfaces": list(ports),
        "announce": [
            {
                "interface": interface,
                "system_name": end.node,
                "chassis_id": testbed["nodes"][end.node]["chassis_id"],
                "port_description": f"port {end.port} of {end.node}",
            }
            for interface, end in ports.items()
            if end.node != host
        ],
    }


def observations(testbed: Values, heard: t.Mapping[str, Values]) -> list[dict[str, t.Any]]:
    """Return what each node heard, from what the module lldp_neighbors returned on each host."""
    nodes: t.Mapping[str, Values] = testbed["nodes"]
    found: dict[str, dict[str, t.Any]] = {}

    def of(node: str) -> dict[str, t.Any]:
        return found.setdefault(
            node, {"node": node, "kind": nodes[node]["kind"], "ports": {}, "neighbors": []}
        )

    for host, result in heard.items():
        for node in [host] if host in nodes else switches_of(testbed):
            of(node)  # it listened, though maybe on no interface
        ports = ports_of(testbed, host, result["interfaces"])
        for interface, end in ports.items():
            of(end.node)["ports"][interface] = result["interfaces"][interface]
        for neighbor in result["neighbors"]:
            of(ports[neighbor["interface"]].node)["neighbors"].append(neighbor)
    return list(found.values())
