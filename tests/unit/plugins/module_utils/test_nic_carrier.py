# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces carry the connection, on a made-up host, and in a network namespace of the real kernel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _nic_carrier, _nic_command
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from nic_host import LISTENING, NicHost

if t.TYPE_CHECKING:
    from pathlib import Path

SELF = 4242


@pytest.fixture
def host(tmp_path: Path) -> NicHost:
    return NicHost(tmp_path)


def carrying(host: NicHost) -> set[str]:
    """Return the interfaces that carry a connection which leads to a NIC."""
    ways = _nic_carrier.read(str(host.root), host.run, SELF)
    return {name for way in ways if way.traced for name in way.interfaces}


def test_what_ssh_told_an_ancestor(host: NicHost) -> None:
    host.process(1, "systemd")
    host.process(700, "sshd", 1)
    host.process(701, "bash", 700, "HOME=/root\0SSH_CONNECTION=198.51.100.7 50000 192.0.2.20 22\0")
    host.process(702, "sudo ) x", 701, "HOME=/root")
    host.process(SELF, "python3", 702)
    host.addresses["eth1"] = ["192.0.2.20"]
    assert carrying(host) == {"eth1"}


@pytest.mark.parametrize("daemon", ["sshd", "sshd-session", "dropbear"])
def test_the_socket_of_a_daemon(host: NicHost, daemon: str) -> None:
    host.ssh(comm=daemon)
    assert carrying(host) == {"eth0"}


@pytest.mark.parametrize(
    ("local", "peer"),
    [
        pytest.param("2001:db8::10", "2001:db8::7", id="over-IPv6"),
        pytest.param("::ffff:192.0.2.20", "::ffff:198.51.100.7", id="over-IPv4-in-a-socket-of-IPv6"),
        pytest.param("fe80::20", "fe80::7", id="over-an-address-of-the-link"),
    ],
)
def test_an_ipv6_socket(host: NicHost, local: str, peer: str) -> None:
    host.ssh(local, peer)
    host.addresses["eth1"] = ["192.0.2.20", "2001:db8::10", "fe80::20"]
    host.routes["fe80::7"] = ["eth2"]  # as each interface has one, the first answers
    assert carrying(host) == {"eth1"}


def test_an_address_with_a_zone(host: NicHost) -> None:
    host.process(SELF, "python3", 0, "SSH_CONNECTION=fe80::7%eth1 50000 fe80::20%eth1 22")
    host.addresses["eth1"] = ["fe80::20"]
    assert carrying(host) == {"eth1"}


@pytest.mark.parametrize(
    ("comm", "state"),
    [
        pytest.param("sshd", LISTENING, id="a-socket-that-listens"),
        pytest.param("nginx", "01", id="another-daemon-s"),
    ],
)
def test_other_sockets_do_not_count(host: NicHost, comm: str, state: str) -> None:
    host.socket("192.0.2.20", "198.51.100.7", 777, state)
    host.process(700, comm, opened=["socket:[777]"])
    host.addresses["eth1"] = ["192.0.2.20"]
    assert carrying(host) == {"eth0"}  # the default route's


def test_all_connections_count(host: NicHost) -> None:
    host.ssh()
    host.process(SELF, "python3", 0, "SSH_CONNECTION=198.51.100.7 1 192.0.2.20 22")
    host.addresses["eth1"] = ["192.0.2.20"]
    assert carrying(host) == {"eth0", "eth1"}


def test_everything_below_a_bridge_of_a_vlan_of_a_bond(host: NicHost) -> None:
    host.virtual("bond0", ["eth0", "eth1"])
    host.virtual("bond0.7", ["bond0"])
    host.virtual("br0", ["bond0.7"])
    host.addresses["br0"] = host.addresses.pop("eth0")
    host.ssh()
    assert carrying(host) == {"br0", "bond0.7", "bond0", "eth0", "eth1"}
    (way,) = _nic_carrier.read(str(host.root), host.run, SELF)
    assert "eth1 under br0 carries the SSH connection from 198.51.100.7 to 192.0.2.10" in str(
        _nic_carrier.obstacle([way], ["eth1"], idle=True)
    )


def test_an_address_of_the_loopback_is_reached_by_the_route(host: NicHost) -> None:
    host.addresses["lo"].append("192.0.2.99")
    host.routes["198.51.100.7"] = ["eth2"]
    host.ssh("192.0.2.99")
    assert carrying(host) == {"lo", "eth2"}


@pytest.mark.parametrize(
    "told", ["UNKNOWN 65535 UNKNOWN 65535", "x", ""], ids=["not-over-TCP", "garbage", "nothing"]
)
def test_what_is_no_connection(host: NicHost, told: str) -> None:
    host.process(SELF, "python3", 0, f"SSH_CONNECTION={told}")
    assert carrying(host) == {"eth0"}


def test_a_connection_that_stays_in_the_host_tells_nothing(host: NicHost) -> None:
    host.ssh("127.0.0.1", "127.0.0.1")
    assert carrying(host) == {"eth0"}
    host.routes["default"] = ["eth2"]
    assert carrying(host) == {"eth2"}


def test_the_default_route_over_several_ways(host: NicHost) -> None:
    host.run = lambda command: (  # type: ignore[method-assign]
        '[{"dst":"default","nexthops":[{"dev":"eth1"},{"dev":"eth2"}]}]' if "-4" in command else "[]"
    )
    assert carrying(host) == {"eth1", "eth2"}


def test_a_host_without_connection_and_default_route(host: NicHost) -> None:
    host.routes.clear()
    assert _nic_carrier.read(str(host.root), host.run, SELF) == []


def test_any_nic_may_be_behind_a_tunnel(host: NicHost) -> None:
    host.virtual("wg0")
    host.addresses["wg0"] = ["192.0.2.99"]
    host.ssh("192.0.2.99")
    ways = _nic_carrier.read(str(host.root), host.run, SELF)
    assert _nic_carrier.obstacle(ways, ["eth1"], idle=True) is None
    why = _nic_carrier.obstacle(ways, ["eth1"], idle=False)
    assert why is not None
    assert (
        "eth1 perhaps carries the SSH connection from 198.51.100.7 to 192.0.2.99: wg0 leads to no NIC" in why
    )
    assert "set the interface down" in why


def test_a_connection_to_an_address_that_is_not_here(host: NicHost) -> None:
    host.process(SELF, "python3", 0, "SSH_CONNECTION=198.51.100.7 1 203.0.113.1 22")
    (way,) = _nic_carrier.read(str(host.root), host.run, SELF)
    assert _nic_carrier.obstacle([way], [], idle=False) is not None


def test_an_ancestor_that_hides_its_environment(host: NicHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, mode: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(_nic_carrier, "open", denied, raising=False)
    with pytest.raises(NicError, match=r"process 4242 does not show .*; become root"):
        carrying(host)


def test_a_daemon_that_hides_its_files(host: NicHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    host.process(700, "sshd")
    monkeypatch.setattr(_nic_carrier._nic_device.os, "listdir", denied)
    with pytest.raises(NicError, match="become root"):
        list(_nic_carrier._nic_device.open_files(str(host.root), 700))


@pytest.mark.parametrize("said", ['Object "-json" is unknown', "{"], ids=["an-old-ip", "cut-short"])
def test_ip_that_prints_no_json(host: NicHost, said: str) -> None:
    host.run = lambda _command: said  # type: ignore[method-assign]
    with pytest.raises(NicError, match=r"does not print JSON .*; install iproute2"):
        carrying(host)


def test_without_ip(host: NicHost) -> None:
    def missing(_command: list[str]) -> t.NoReturn:
        raise _nic_command.CommandError("ip is not installed; install the package iproute2")

    host.run = missing  # type: ignore[method-assign]
    with pytest.raises(NicError, match="install the package iproute2"):
        carrying(host)


IN_NAMESPACE = """
import json, os, socket
from ansible_collections.detnet.testbed.plugins.module_utils import _nic_carrier
server = socket.create_server(("192.0.2.1", 0))
client = socket.create_connection(server.getsockname(), source_address=("192.0.2.1", 0))
accepted, _ = server.accept()
with open("/proc/self/comm", "w") as comm:
    comm.write("sshd")
os.environ.pop("SSH_CONNECTION", None)
found = [each for each in _nic_carrier.of_daemons("/") if each.local == each.peer]
ways = [_nic_carrier.ssh_way("/", each, _nic_carrier.owners_of_addresses(_nic_carrier._nic_command.run),
        _nic_carrier._nic_command.run) for each in found]
print(json.dumps([sorted(way.interfaces) for way in ways]))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and ip for a network namespace"
)
def test_the_real_kernel_s_sockets_and_interfaces() -> None:
    name = f"detnet-nic-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for line in (
            "link set lo up",
            "link add v0 type veth peer name v1",
            "link add br0 type bridge",
            "link set v0 master br0",
            "link set br0 up",
            "address add 192.0.2.1/24 dev br0",
        ):
            subprocess.run(["ip", "-n", name, *line.split()], check=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        said = subprocess.run(
            [*inside, sys.executable, "-c", IN_NAMESPACE],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        ).stdout
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert said.strip() == '[["br0", "v0"], ["br0", "v0"]]'


def test_the_kernel_s_way_to_write_addresses() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        found = _nic_carrier.established("/")
        inode = os.readlink(f"/proc/self/fd/{client.fileno()}")
        assert str(found[inode].local) == str(found[inode].peer) == "127.0.0.1"
