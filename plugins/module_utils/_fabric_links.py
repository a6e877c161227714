# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric's veth pairs and network namespaces, read and changed by netlink."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._fabric_document import (
    Document,
    FabricError,
    Run,
    split,
)

try:
    from pyroute2 import IPRoute, NetlinkError, NetNS, netns

    HAS_PYROUTE2 = True
except ImportError:
    HAS_PYROUTE2 = False

NETNS_DIRECTORY = "/run/netns"
NO_ADDRESSES = 1  # IN6_ADDR_GEN_MODE_NONE: no link-local address, so no neighbour or router discovery

# What the kernel would otherwise put off to a network card that is not there, by ethtool's option.
OFFLOADS = {
    "gro": "generic-receive-offload",
    "gso": "generic-segmentation-offload",
    "rx": "rx-checksumming",
    "rxvlan": "rx-vlan-offload",
    "tso": "tcp-segmentation-offload",
    "tx": "tx-checksumming",
    "txvlan": "tx-vlan-offload",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A veth interface as the kernel describes it; link is the other end's index, in that end's namespace."""

    address: str
    index: int
    link: int | None
    far: bool  # the other end is in another namespace


def peers(rows: list[Row]) -> dict[str, str | None]:
    """Return the address of each interface's other end, None if it is not among the rows.

    An index is unique in its namespace only, so two rows belong together if each names the other's.
    """
    return {
        row.address: next(
            (
                other.address
                for other in rows
                if (other.index, other.link) == (row.link, row.index)
                and row.far == other.far == (split(row.address)[0] != split(other.address)[0])
            ),
            None,
        )
        for row in rows
    }


def in_use(features: str) -> list[str]:
    """Return which of OFFLOADS are on, from what ethtool printed as JSON."""
    (state,) = json.loads(features)
    return [option for option, feature in OFFLOADS.items() if state.get(feature, {}).get("active")]


def namespaces() -> set[str]:
    return set(netns.listnetns())


def names() -> set[str]:
    """Return the names of the interfaces in the machine's own namespace."""
    with opened(None) as connection:
        return {message.get_attr("IFLA_IFNAME") for message in connection.get_links()}


@contextlib.contextmanager
def opened(namespace: str | None) -> t.Iterator[t.Any]:
    """Give a netlink connection to a namespace (None for the machine's own)."""
    connection = NetNS(namespace) if namespace else IPRoute()
    try:
        yield connection
    except NetlinkError as exc:
        where = f"network namespace {namespace}" if namespace else "the machine's network namespace"
        raise FabricError(f"the kernel refused a change of an interface in {where}: {exc}") from exc
    finally:
        connection.close()


def observe(addresses: t.Iterable[str], run: Run) -> Document:
    """Return the interfaces of the document: those of the addresses that exist.

    Every namespace among the addresses exists.
    """
    found: Document = {}
    rows = []
    for namespace, members in by_namespace(addresses).items():
        with opened(namespace) as connection:
            for message in connection.get_links():
                name = message.get_attr("IFLA_IFNAME")
                if name not in members:
                    continue
                address = f"{namespace}/{name}" if namespace else name
                far = message.get_attr("IFLA_LINK_NETNSID") is not None
                rows.append(Row(address, message["index"], message.get_attr("IFLA_LINK"), far))
                found[address] = {
                    "peer": None,
                    "mtu": message.get_attr("IFLA_MTU"),
                    "up": bool(message["flags"] & 1),
                    "ipv6": generates_addresses(message),
                    "offloads": in_use(run([*inside(namespace), "ethtool", "--json", "-k", name])),
                }
    for address, peer in peers(rows).items():
        found[address]["peer"] = peer
    return found


def by_namespace(addresses: t.Iterable[str]) -> dict[str | None, set[str]]:
    grouped: dict[str | None, set[str]] = {}
    for namespace, name in map(split, addresses):
        grouped.setdefault(namespace, set()).add(name)
    return grouped


def generates_addresses(message: t.Any) -> bool:
    """Return whether an interface takes IPv6 addresses by itself; it does not if the kernel has no IPv6."""
    return message.get_nested("IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_ADDR_GEN_MODE") not in (
        None,
        NO_ADDRESSES,
    )


def inside(namespace: str | None) -> list[str]:
    return ["ip", "netns", "exec", namespace] if namespace else []


def create_namespace(name: str) -> None:
    netns.create(name)


def remove_namespace(name: str) -> None:
    netns.remove(name)
    with contextlib.suppress(OSError):
        os.rmdir(NETNS_DIRECTORY)  # which the first namespace made; others may still be in it


def create_pair(first: str, second: str) -> None:
    """Create a veth pair, each end in its namespace, both down."""
    ends: list[dict[str, t.Any]] = []
    # The machine's own end first: netlink looks for the other one from there.
    for namespace, name in map(split, sorted((first, second), key=lambda address: "/" in address)):
        ends.append({"ifname": name} | ({"net_ns_fd": namespace} if namespace else {}))
    with opened(None) as connection:
        connection.link("add", kind="veth", **ends[0], peer=ends[1])


def delete(addresses: t.Iterable[str]) -> None:
    """Delete the interfaces that exist; with one end of a pair goes the other."""
    for namespace, members in by_namespace(addresses).items():
        with opened(namespace) as connection:
            for name in members:
                for index in connection.link_lookup(ifname=name):
                    connection.link("del", index=index)


def adjust(address: str, before: Document, after: Document, run: Run) -> None:
    """Set what differs on an interface that exists; silent first, up last."""
    namespace, name = split(address)
    with opened(namespace) as connection:
        (index,) = connection.link_lookup(ifname=name)
        if before["ipv6"] != after["ipv6"]:
            mode = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", NO_ADDRESSES)]}
            connection.link("set", index=index, IFLA_AF_SPEC={"attrs": [("AF_INET6", mode)]})
        if before["mtu"] != after["mtu"]:
            connection.link("set", index=index, mtu=after["mtu"])
        if off := [option for option in before["offloads"] if option not in after["offloads"]]:
            switches = [word for option in off for word in (option, "off")]
            run([*inside(namespace), "ethtool", "-K", name, *switches])
        if before["up"] != after["up"]:
            connection.link("set", index=index, state="up")
