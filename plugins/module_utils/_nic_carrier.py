# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network interfaces carry the connection by which this host is reached. Whoever takes them is locked out."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import struct
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _nic_command, _nic_device, _sysfs

INTERFACES = _nic_device.INTERFACES
SSH_DAEMONS = ("sshd", "dropbear")  # and sshd-session, which has the connection since OpenSSH 9.8
ESTABLISHED = "01"

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]  # noqa: UP007 ansible-test's pylint knows no other


class Connection(t.NamedTuple):
    local: Address
    peer: Address


@dataclasses.dataclass(frozen=True)
class Way:
    """A way by which this host is reached."""

    why: str  # what an interface has to do with it
    out: str  # what to do before the interface can be taken
    interfaces: dict[str, str]  # each with the one on top of it: a bridge, a bond, or itself
    traced: bool  # whether it is known down to the NIC


def read(root: str = "/", run: _nic_command.Run = _nic_command.run, pid: int | None = None) -> list[Way]:
    """Return the ways by which this host is reached, as the process pid sees it. Raises NicError."""
    connections = ssh_connections(root, os.getpid() if pid is None else pid)
    if connections:
        owners = owners_of_addresses(run)
        return [ssh_way(root, connection, owners, run) for connection in connections]
    routes = default_routes(run)
    why = "has the default route, and there is no SSH connection to tell another way to this host"
    return [Way(why, "move the default route to another NIC", *trace(root, routes))] if routes else []


def obstacle(ways: t.Sequence[Way], interfaces: t.Sequence[str], idle: bool) -> str | None:
    """Return why the interfaces of a device may not be taken; None if they may.

    Where a connection leads to no NIC that is known, as behind a tunnel or in a container, only an idle one may.
    """
    for way in ways:
        for interface in interfaces:
            if interface in way.interfaces:
                top = way.interfaces[interface]
                through = "" if top == interface else f" under {top}"
                return f"{interface}{through} {way.why}; {way.out}, or name another device"
    for way in ways:
        if not way.traced and not idle:
            named = " and ".join(interfaces) or "its interface, in another network namespace,"
            dead_end = " and ".join(way.interfaces) or "its address"
            return (
                f"{named} perhaps {way.why}: {dead_end} leads to no NIC, so any that is up may be the one; set the "
                f"interface down if it is free, or {way.out}"
            )
    return None


def ssh_way(
    root: str, connection: Connection, owners: t.Mapping[Address, list[str]], run: _nic_command.Run
) -> Way:
    tops = [*owners.get(connection.local, []), *route_to(connection, run)]
    why = f"carries the SSH connection from {connection.peer} to {connection.local}"
    return Way(why, "connect by another NIC or by the console", *trace(root, tops))


def trace(root: str, tops: t.Iterable[str]) -> tuple[dict[str, str], bool]:
    """Return these interfaces and all below them, each with the one on top, and whether they lead to a NIC."""
    found: dict[str, str] = {}
    waiting = [(top, top) for top in tops]
    while waiting:
        interface, top = waiting.pop()
        if interface not in found:
            found[interface] = top
            waiting += [(name, top) for name in lower(root, interface)]
    return found, any(os.path.exists(os.path.join(root, f"{INTERFACES}/{name}/device")) for name in found)


def lower(root: str, interface: str) -> list[str]:
    """Return the interfaces on which this one stands: a bridge's ports, a VLAN's NIC."""
    names = _sysfs.names(root, f"{INTERFACES}/{interface}")
    return [name.removeprefix("lower_") for name in names if name.startswith("lower_")]


def ssh_connections(root: str, pid: int) -> list[Connection]:
    """Return the SSH connections to this host, without those that stay in it: they come by another way."""
    found = {*of_ancestors(root, pid), *of_daemons(root)}
    return sorted((each for each in found if not each.local.is_loopback), key=str)


def of_ancestors(root: str, pid: int) -> t.Iterator[Connection]:
    """Return what SSH has told a process or one of its ancestors: sudo keeps it from its children."""
    while pid:
        try:
            with open(os.path.join(root, f"proc/{pid}/environ"), "rb") as file:
                variables = file.read().split(b"\0")
        except PermissionError as exc:
            raise _nic_command.NicError(
                f"process {pid} does not show whether SSH has started it; become root"
            ) from exc
        except OSError:  # it has ended
            variables = []
        for variable in variables:
            name, _equals, value = variable.decode(errors="replace").partition("=")
            if name == "SSH_CONNECTION" and (connection := told(value)):
                yield connection
        after_name = (_sysfs.text(root, f"proc/{pid}/stat") or "").rpartition(")")[2].split()
        pid = int(after_name[1]) if len(after_name) > 1 and after_name[1].isdigit() else 0


def told(value: str) -> Connection | None:
    """Return the connection in SSH_CONNECTION: address and port of the client, address and port here."""
    fields = value.split()
    try:
        return Connection(local=plain(fields[2]), peer=plain(fields[0]))
    except (IndexError, ValueError):  # UNKNOWN, where SSH does not run over TCP
        return None


def of_daemons(root: str) -> t.Iterator[Connection]:
    """Return the established connections whose socket an SSH daemon holds."""
    connections = established(root)
    for pid in _sysfs.names(root, "proc"):
        if pid.isdigit() and (_sysfs.text(root, f"proc/{pid}/comm") or "").startswith(SSH_DAEMONS):
            yield from (
                connections[socket]
                for socket in _nic_device.open_files(root, int(pid))
                if socket in connections
            )


def established(root: str) -> dict[str, Connection]:
    """Return the established TCP connections, by the name that a process's open file shows."""
    found = {}
    for table in ("tcp", "tcp6"):
        for line in (_sysfs.text(root, f"proc/net/{table}") or "").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == ESTABLISHED:
                found[f"socket:[{fields[9]}]"] = Connection(of_kernel(fields[1]), of_kernel(fields[2]))
    return found


def of_kernel(endpoint: str) -> Address:
    """Return the address in "0100007F:0016": words of 32 bits, each as the machine has it in its memory."""
    digits = endpoint.partition(":")[0]
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    return plain(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))


def plain(address: str | Address) -> Address:
    """Return an address without zone, and an IPv4 address that is written as one of IPv6 as what it is."""
    found = ipaddress.ip_address(str(address).partition("%")[0])
    return (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped) or found


def owners_of_addresses(run: _nic_command.Run) -> dict[Address, list[str]]:
    """Return the interfaces that have each address of this host."""
    found: dict[Address, list[str]] = {}
    for interface in answer(["ip", "-json", "address", "show"], run):
        for row in interface.get("addr_info", []):
            if "local" in row:
                found.setdefault(plain(row["local"]), []).append(interface["ifname"])
    return found


def route_to(connection: Connection, run: _nic_command.Run) -> list[str]:
    """Return the interface by which answers leave: the address alone may be one of the loopback's."""
    local, peer = str(connection.local), str(connection.peer)
    if connection.peer.is_link_local:
        return []  # each interface has a route there; the address has told which one
    try:
        return devices(answer(["ip", "-json", "route", "get", peer, "from", local], run))
    except _nic_command.CommandError:  # no route any more
        return []


def default_routes(run: _nic_command.Run) -> list[str]:
    return [
        device
        for family in ("-4", "-6")
        for device in devices(answer(["ip", "-json", family, "route", "show", "default"], run))
    ]


def devices(routes: list[dict[str, t.Any]]) -> list[str]:
    """Return the interfaces of these routes; one that only says that there is no way has none."""
    ways = [route for route in routes if route.get("type", "unicast") == "unicast"]
    hops = [hop for route in ways for hop in (route, *route.get("nexthops", []))]
    return [hop["dev"] for hop in hops if "dev" in hop]


def answer(command: list[str], run: _nic_command.Run) -> list[dict[str, t.Any]]:
    said = run(command)
    try:
        rows: list[dict[str, t.Any]] = json.loads(said or "[]")
    except ValueError as exc:
        raise _nic_command.NicError(
            f"{' '.join(command)} does not print JSON ({exc}); install iproute2 of version 4.18 or later"
        ) from exc
    return rows
