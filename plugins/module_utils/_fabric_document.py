# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fabric consists of, worked out from its description alone.

A document describes a fabric as it is or as it shall be:

    directory   path of the private Open vSwitch instance's files, None if there are none
    daemons     its daemons by name: reachable or unreachable
    namespaces  names of the end hosts' network namespaces
    taps        names of the devices that Open vSwitch makes for itself and for each bridge
    interfaces  by address (INTERFACE, or NAMESPACE/INTERFACE): peer (address of the veth's other end), mtu
                (bytes), up, ipv6, offloads (names of those in use)
    bridges     by switch: datapath, fail_mode, ports (OpenFlow number by interface), flows (a sorted list)
"""

from __future__ import annotations

import re
import typing as t

Document = dict[str, t.Any]
Ledger = dict[str, list[str]]  # names of what the fabric made, by kind: namespaces, interfaces, taps

DAEMONS = {"ovs-vswitchd": "reachable", "ovsdb-server": "reachable"}  # in the order of their end
DATAPATH_TAP = "ovs-netdev"  # Open vSwitch's own name; a machine has room for one userspace datapath
NAMESPACE_PREFIX = "detnet-"
UPLINK = "uplink"

QUEUES = range(10)
VLAN_IDS_PER_PORT = 10
MAX_VLAN_ID = 4094
MAX_PORT = MAX_VLAN_ID // VLAN_IDS_PER_PORT  # of its queues, ids are left for 0 to 4
MAX_INTERFACE_NAME = 15  # IFNAMSIZ without its final zero
MTU_RANGE = range(68, 65536)

NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ENDPOINT = re.compile(rf"({NODE.pattern}):(\d{{1,5}})")


class FabricError(Exception):
    """The fabric cannot be observed, built or removed; the message names object, cause and way out."""


class Run(t.Protocol):
    """How the fabric runs a command."""

    def __call__(self, command: list[str], text: str | None = None) -> str:
        """Give the text as standard input, return the standard output; raise FabricError on failure."""


def nothing() -> Document:
    """Return the document of a machine without a fabric."""
    return {"directory": None, "daemons": {}, "namespaces": [], "taps": [], "interfaces": {}, "bridges": {}}


def endpoint(text: str) -> tuple[str, int]:
    """Return node and port of NODE:PORT."""
    node, _colon, port = text.rpartition(":")
    return node, int(port)


def namespace_of(end_host: str) -> str:
    return f"{NAMESPACE_PREFIX}{end_host}"


def split(address: str) -> tuple[str | None, str]:
    """Return namespace (None for the machine's own) and name of an interface's address."""
    namespace, _slash, name = address.rpartition("/")
    return namespace or None, name


def address_of(end: str, switches: list[str]) -> str:
    """Return the address of the interface that is the given end (NODE:PORT) of a link."""
    node, port = endpoint(end)
    return f"{node}-{port}" if node in switches else f"{namespace_of(node)}/{UPLINK}"


def faults(switches: list[str], links: list[list[str]], end_hosts: list[str], mtu: int) -> list[str]:
    """Return what is wrong with a description, each with the way out; an empty list if nothing is."""
    found = node_faults(switches, end_hosts)
    if not switches:
        found.append("there is no switch; name at least one in switches")
    if mtu not in MTU_RANGE:
        found.append(f"mtu {mtu} is not from {MTU_RANGE.start} to {MTU_RANGE[-1]} bytes")
    ends: list[str] = []
    for index, link in enumerate(links):
        if len(link) != 2:
            found.append(f"links[{index}] has {len(link)} ends; a link joins two")
            continue
        wrong = [fault for end in link for fault in end_faults(end, switches, end_hosts)]
        if not wrong and not any(endpoint(end)[0] in switches for end in link):
            wrong = [f"{link[0]} and {link[1]} are both end hosts; put a switch between them"]
        found += [f"links[{index}]: {fault}" for fault in wrong]
        ends += map(str, link)
    found += [f"port {end} is used more than once; a port takes one link" for end in repeated(ends)]
    cabled = {end.rpartition(":")[0] for end in ends}
    found += [
        f"end host {host} has no link; cable {host}:0 to a switch" for host in end_hosts if host not in cabled
    ]
    return found or interface_faults(switches, ends)


def repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def node_faults(switches: list[str], end_hosts: list[str]) -> list[str]:
    nodes = switches + end_hosts
    found = [
        f"{node!r} is no name for a node; use letters, digits, dots, dashes and underscores, "
        "and begin with a letter or digit"
        for node in nodes
        if not NODE.fullmatch(node)
    ]
    return found + [
        f"{node} is named more than once; give each node a name of its own" for node in repeated(nodes)
    ]


def end_faults(end: str, switches: list[str], end_hosts: list[str]) -> list[str]:
    if not isinstance(end, str) or not ENDPOINT.fullmatch(end):
        return [f"{end!r} is not written as NODE:PORT"]
    node, port = endpoint(end)
    if node in end_hosts:
        return [] if port == 0 else [f"{end}: the only port of an end host is 0"]
    if node in switches:
        return [] if 1 <= port <= MAX_PORT else [f"{end}: a switch has the ports 1 to {MAX_PORT}"]
    return [f"{end}: there is no node {node}; name it in switches or end_hosts"]


def interface_faults(switches: list[str], ends: list[str]) -> list[str]:
    """Return which names of devices in the machine's own namespace cannot be given."""
    names = taps_of(switches) + [address_of(end, switches) for end in ends if endpoint(end)[0] in switches]
    found = [
        f"the interface name {name} has {len(name)} characters, {MAX_INTERFACE_NAME} is the most; "
        "shorten the switch's name"
        for name in names
        if len(name) > MAX_INTERFACE_NAME
    ]
    return found + [f"two devices would be named {name}; rename a switch" for name in repeated(names)]


def taps_of(switches: t.Iterable[str]) -> list[str]:
    switches = list(switches)
    return sorted([DATAPATH_TAP, *switches]) if switches else []


def wanted(
    directory: str, switches: list[str], links: list[list[str]], end_hosts: list[str], mtu: int
) -> Document:
    """Return the document of a fabric from its description, which has no faults."""
    ports: dict[str, dict[str, int]] = {switch: {} for switch in switches}
    interfaces = {}
    for link in links:
        first, second = (address_of(end, switches) for end in link)
        for address, peer in ((first, second), (second, first)):
            interfaces[address] = {"peer": peer, "mtu": mtu, "up": True, "ipv6": False, "offloads": []}
        for node, port in map(endpoint, link):
            if node in switches:
                ports[node][f"{node}-{port}"] = port
    return {
        "directory": directory,
        "daemons": DAEMONS,
        "namespaces": sorted(map(namespace_of, end_hosts)),
        "taps": taps_of(switches),
        "interfaces": interfaces,
        "bridges": {
            switch: {
                "datapath": "netdev",
                "fail_mode": "secure",
                "ports": numbers,
                "flows": flows(numbers.values()),
            }
            for switch, numbers in ports.items()
        },
    }


def flows(ports: t.Iterable[int]) -> list[str]:
    """Return the flows of a switch with these ports, as Open vSwitch prints them.

    One for each port and queue: the outermost VLAN id, port * 10 + queue, is popped, and says where the frame
    goes. There is none for the rest, which a switch in fail mode secure drops.
    """
    return sorted(
        f"priority=50,dl_vlan={port * VLAN_IDS_PER_PORT + queue} "
        f"actions=pop_vlan,set_queue:{queue},output:{port}"
        for port in ports
        for queue in QUEUES
        if port * VLAN_IDS_PER_PORT + queue <= MAX_VLAN_ID
    )


def capture_points(switches: list[str], links: list[list[str]]) -> list[dict[str, str]]:
    """Return for each link, in order, an interface of the machine's own that sees all its frames."""
    points = []
    for link in links:
        nodes = [endpoint(end)[0] for end in link]
        end = link[1] if nodes[1] in switches else link[0]
        points.append({"at": " - ".join(nodes), "interface": address_of(end, switches)})
    return points


def ledger_of(document: Document) -> Ledger:
    """Return the names of what the document's fabric consists of, as kept in its ledger."""
    return {
        "namespaces": sorted(document["namespaces"]),
        "interfaces": sorted(address for address in document["interfaces"] if "/" not in address),
        "taps": sorted(document["taps"]),
    }


def joined(first: Ledger, second: Ledger) -> Ledger:
    return {kind: sorted({*first[kind], *second[kind]}) for kind in ledger_of(nothing())}


def foreign(plan: Ledger, ledger: Ledger, namespaces: set[str], interfaces: set[str]) -> list[str]:
    """Return which planned names are taken by something that exists and that the fabric did not make."""
    ours = {*ledger["interfaces"], *ledger["taps"]}
    found = [
        f"the network namespace {name} exists already and is not the fabric's; "
        f"remove it (ip netns delete {name}) or rename the end host"
        for name in plan["namespaces"]
        if name in namespaces and name not in ledger["namespaces"]
    ]
    for name in sorted({*plan["interfaces"], *plan["taps"]} & interfaces - ours):
        way_out = (
            "stop the other Open vSwitch that has a userspace datapath"
            if name == DATAPATH_TAP
            else f"remove it (ip link delete {name}) or rename the switch"
        )
        found.append(f"the network interface {name} exists already and is not the fabric's; {way_out}")
    return found


def to_rebuild(before: Document, after: Document) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the interfaces to delete, and the pairs to create then.

    A pair is kept only if both ends exist and are joined to each other: everything else can be set on it.
    """
    has, needs = before["interfaces"], after["interfaces"]

    def kept(address: str) -> bool:
        return address in needs and has.get(address, {}).get("peer") == needs[address]["peer"]

    create = [
        (address, needs[address]["peer"])
        for address in needs
        if address < needs[address]["peer"] and not (kept(address) and kept(needs[address]["peer"]))
    ]
    new = {address for pair in create for address in pair}
    return [address for address in has if address not in needs or address in new], create
