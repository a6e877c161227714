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
    End,
    Values,
    is_number,
    port_of,
)


def ports_of(testbed: Values, host: str, interfaces: t.Iterable[str]) -> dict[str, End]:
    """Return those of a host's interfaces that are ports of the testbed, by name."""
    nodes: t.Mapping[str, Values] = testbed["nodes"]
    found: dict[str, End] = {}
    for interface in interfaces:
        node = host if host in nodes else interface.rpartition("-")[0]
        if node in nodes:
            port = port_of(nodes[node]["kind"], [interface], nodes[node].get("ports") or {})
            if is_number(port):
                found[interface] = End(node, port)
    return found


def plan(testbed: Values, host: str, interfaces: t.Iterable[str]) -> dict[str, t.Any]:
    """Return options of the module lldp_neighbors: interfaces, and announce for those nodes that cannot speak."""
    ports = ports_of(testbed, host, interfaces)
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
        if host in nodes:
            of(host)  # listened, though maybe on no interface
        else:
            for node in (name for name, values in nodes.items() if values["kind"] == NETWORK_SWITCH):
                of(node)
        ports = ports_of(testbed, host, result["interfaces"])
        for interface, end in ports.items():
            of(end.node)["ports"][interface] = result["interfaces"][interface]
        for neighbor in result["neighbors"]:
            of(ports[neighbor["interface"]].node)["neighbors"].append(neighbor)
    return list(found.values())
