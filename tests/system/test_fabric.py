# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric, with a real Open vSwitch and real frames.

The machine of these tests is a network namespace, so that they can run beside a pocket testbed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from fabric_machine import FabricMachine, frame, read

MACHINE = "t-machine"
DIRECTORY = Path("/run/detnet-testbed-t/fabric")
THERE = FabricMachine(
    MACHINE,
    switches=["t1", "t2"],
    end_hosts=["t-a", "t-b"],
    links=[["t-a:0", "t1:1"], ["t1:2", "t2:1"], ["t2:2", "t-b:0"]],
    directory=str(DIRECTORY),
)
run, fabric = THERE.run, THERE.fabric

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
TP_STATUS_VLAN_VALID = 1 << 4


def snapshot() -> dict[str, t.Any]:
    """Return what the fabric could leave behind."""
    processes = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            processes.append(process.read_bytes())
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return {
        "interfaces": run("ip", "-oneline", "link", "show"),
        "namespaces": sorted(str(path) for path in Path("/run/netns").glob("detnet-t-*")),
        "mounts": [line for line in mounts if "/detnet-t-" in line],
        "daemons": [arguments for arguments in processes if str(DIRECTORY).encode() in arguments],
        "files": sorted(str(path) for path in Path("/run").glob("detnet-testbed-t*/**/*")),
        "parents": sorted(str(path) for path in Path("/run").glob("detnet-testbed-t*")),
    }


@pytest.fixture(scope="module")
def machine() -> t.Iterator[dict[str, t.Any]]:
    """Give a machine without a fabric, as a snapshot of it."""
    subprocess.run(["ip", "netns", "add", MACHINE], check=True)
    try:
        yield snapshot()
    finally:
        fabric(state="absent")
        subprocess.run(["ip", "netns", "delete", MACHINE], check=True)


@pytest.fixture
def built(machine: dict[str, t.Any]) -> dict[str, t.Any]:
    """Give the fabric as described."""
    return dict(fabric()["fabric"])


@contextlib.contextmanager
def packet_socket(namespace: str, interface: str) -> t.Iterator[socket.socket]:
    """Give a packet socket on an interface of a network namespace; it stays there, this thread does not."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{namespace}") as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        finally:
            assert libc.setns(here.fileno(), CLONE_NEWNET) == 0
    with opened:
        opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        with open(f"/run/netns/{namespace}"):
            opened.bind((interface, ETH_P_ALL))
        yield opened


def received(opened: socket.socket, seconds: float, own: bool = False) -> t.Iterator[bytes]:
    """Yield the frames that come within some seconds, with the tag that the kernel took off put back."""
    deadline = time.monotonic() + seconds
    while select.select([opened], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data, ancillary, _flags, address = opened.recvmsg(1 << 16, 256)
        if address[2] == PACKET_OUTGOING and not own:
            continue
        for _level, _kind, auxiliary in ancillary:
            status, _len, _snap, _mac, _net, tci, _tpid = struct.unpack("IIIHHHH", auxiliary)
            if status & TP_STATUS_VLAN_VALID:
                data = data[:12] + struct.pack("!HH", 0x8100, tci) + data[12:]
        yield data


def arrives(
    sender: str, receiver: str, tags: list[int], payload: bytes, at: t.Sequence[tuple[str, str]] = ()
) -> list[t.Any]:
    """Send a frame; return the tags that it has at the receiver, after those at the given interfaces."""
    with contextlib.ExitStack() as stack:
        taps = [
            stack.enter_context(packet_socket(*place)) for place in [*at, (f"detnet-{receiver}", "uplink")]
        ]
        source = stack.enter_context(packet_socket(f"detnet-{sender}", "uplink"))
        source.send(frame(tags, payload))
        found = []
        for tap in taps:
            frames = (read(data) for data in received(tap, 2, own=tap is not taps[-1]))
            found.append(next((tags for tags, content in frames if content == payload), None))
        return found


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("sender", "receiver", "tags"),
    [
        pytest.param("t-a", "t-b", [21, 21, 7], id="there"),
        pytest.param("t-b", "t-a", [11, 11, 7], id="back"),
        pytest.param("t-a", "t-b", [20, 29, 4094], id="by-other-queues"),
        pytest.param("t-a", "t-b", [21, 21, 1, 2, 3, 4, 5, 6, 7, 8], id="with-ten-tags"),
    ],
)
def test_a_frame_loses_one_tag_at_each_switch(sender: str, receiver: str, tags: list[int]) -> None:
    assert arrives(sender, receiver, tags, b"one tag less".ljust(60)) == [tags[2:]]


def test_every_link_shows_its_frames_at_its_capture_point(built: dict[str, t.Any]) -> None:
    points = fabric()["capture_points"]
    assert [point["at"] for point in points] == ["t-a - t1", "t1 - t2", "t2 - t-b"]
    places = [(MACHINE, point["interface"]) for point in points]
    assert arrives("t-a", "t-b", [21, 21, 7], b"captured".ljust(60), places) == [
        [21, 21, 7],
        [21, 7],
        [7],
        [7],
    ]


@pytest.mark.usefixtures("built")
def test_a_frame_as_long_as_the_mtu_gets_through() -> None:
    # The MTU counts what follows the Ethernet header, here two tags and the payload: the first tag is extra.
    assert arrives("t-a", "t-b", [21, 21, 7], bytes(9216 - 8)) == [[7]]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([31, 21, 7], id="port-that-does-not-exist"),
        pytest.param([9, 21, 7], id="port-0"),
        pytest.param([11, 11, 7], id="port-that-it-came-by"),
        pytest.param([], id="no-tag"),
        pytest.param([21, 7], id="no-tag-for-the-second-switch"),
    ],
)
def test_other_frames_are_dropped(tags: list[int]) -> None:
    with packet_socket("detnet-t-a", "uplink") as source, packet_socket("detnet-t-b", "uplink") as sink:
        source.send(frame(tags, b"dropped".ljust(60)))
        source.send(frame([21, 21, 7], b"later".ljust(60)))
        first = next(received(sink, 2))
        back = [read(data) for data in received(source, 0.1)]
    assert read(first)[1].startswith(b"later")
    assert back == []


@pytest.mark.usefixtures("built")
def test_the_fabric_itself_sends_nothing() -> None:
    fabric(state="absent")
    with contextlib.ExitStack() as stack:
        fabric()
        taps = [stack.enter_context(packet_socket(f"detnet-{host}", "uplink")) for host in ("t-a", "t-b")]
        assert [list(received(tap, 1, own=True)) for tap in taps] == [[], []]


def test_check_mode_predicts_and_touches_nothing(machine: dict[str, t.Any]) -> None:
    fabric(state="absent")
    predicted = fabric("--check")
    assert snapshot() == machine
    done = fabric()
    assert predicted["changed"]
    assert predicted["fabric"] == done["fabric"]
    before = snapshot()
    assert not fabric("--check")["changed"]
    assert fabric("--check", state="absent")["changed"]
    assert snapshot() == before


@pytest.mark.usefixtures("built")
def test_the_same_again_changes_nothing() -> None:
    before = snapshot()
    assert not fabric()["changed"]
    assert snapshot() == before


def kill(daemon: str) -> t.Callable[[], None]:
    def damage() -> None:
        pid = int((DIRECTORY / f"{daemon}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}/exe").exists():
            time.sleep(0.01)

    return damage


def command(*words: str, namespace: str = MACHINE) -> t.Callable[[], None]:
    return lambda: run(*words, namespace=namespace) and None


DATABASE = f"--db=unix:{DIRECTORY}/db.sock"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(kill("ovs-vswitchd"), id="killed-switch-daemon"),
        pytest.param(kill("ovsdb-server"), id="killed-database-daemon"),
        pytest.param((DIRECTORY / "db.sock").unlink, id="removed-database-socket"),
        pytest.param((DIRECTORY / "t1.mgmt").unlink, id="removed-bridge-socket"),
        pytest.param(command("ip", "link", "delete", "t1-2"), id="removed-link"),
        pytest.param(command("ip", "link", "delete", "t1-1"), id="removed-uplink"),
        pytest.param(command("ip", "link", "delete", "t2"), id="removed-bridge-device"),
        pytest.param(command("ip", "link", "delete", "ovs-netdev"), id="removed-datapath-device"),
        pytest.param(command("ip", "netns", "delete", "detnet-t-b"), id="removed-namespace"),
        pytest.param(command("ip", "link", "set", "t1-2", "down"), id="link-down"),
        pytest.param(command("ip", "link", "set", "t1-2", "mtu", "1500"), id="other-mtu"),
        pytest.param(command("ethtool", "-K", "t2-2", "tx", "on"), id="offload-on"),
        pytest.param(
            command("ethtool", "-K", "uplink", "tx", "on", namespace="detnet-t-a"), id="uplink-offload-on"
        ),
        pytest.param(command("ip", "link", "set", "t1-1", "addrgenmode", "eui64"), id="ipv6-on"),
        pytest.param(command("ovs-vsctl", DATABASE, "del-br", "t2"), id="removed-bridge"),
        pytest.param(command("ovs-vsctl", DATABASE, "del-port", "t2-1"), id="removed-port"),
        pytest.param(
            command("ovs-vsctl", DATABASE, "set-fail-mode", "t1", "standalone"), id="other-fail-mode"
        ),
        pytest.param(
            command("ovs-vsctl", DATABASE, "set", "interface", "t1-2", "ofport_request=5"),
            id="renumbered-port",
        ),
        pytest.param(command("ovs-ofctl", "del-flows", f"unix:{DIRECTORY}/t1.mgmt"), id="removed-flows"),
        pytest.param(
            command("ovs-ofctl", "add-flow", f"unix:{DIRECTORY}/t2.mgmt", "priority=60,actions=drop"),
            id="added-flow",
        ),
    ],
)
def test_a_damaged_fabric_is_repaired(built: dict[str, t.Any], damage: t.Callable[[], None]) -> None:
    damage()
    repaired = fabric()
    assert repaired.get("changed"), repaired
    assert repaired["fabric"] == built
    assert arrives("t-a", "t-b", [21, 21, 7], b"repaired".ljust(60)) == [[7]]


@pytest.mark.usefixtures("built")
def test_a_repair_leaves_the_uplinks_alone() -> None:
    before = run("ip", "-oneline", "link", "show", "uplink", namespace="detnet-t-a")
    kill("ovs-vswitchd")()
    assert fabric()["changed"]
    assert run("ip", "-oneline", "link", "show", "uplink", namespace="detnet-t-a") == before


@pytest.mark.usefixtures("built")
def test_another_description_replaces_the_fabric() -> None:
    fabric(switches=["t3"], links=[["t-a:0", "t3:3"], ["t3:12", "t-c:0"]], end_hosts=["t-a", "t-c"])
    names = run("ip", "-brief", "link", "show").split()
    assert not any(name.startswith(("t1", "t2")) for name in names)
    assert not Path("/run/netns/detnet-t-b").exists()
    assert arrives("t-a", "t-c", [125, 9], b"replaced".ljust(60)) == [[9]]


@pytest.mark.parametrize(
    ("obstacle", "removal", "fault"),
    [
        pytest.param(
            ["ip", "link", "add", "t1-2", "type", "veth"],
            ["ip", "link", "delete", "t1-2"],
            "the network interface t1-2 exists already and is not the fabric's",
            id="interface",
        ),
        pytest.param(
            ["ip", "netns", "add", "detnet-t-b"],
            ["ip", "netns", "delete", "detnet-t-b"],
            "the network namespace detnet-t-b exists already and is not the fabric's",
            id="namespace",
        ),
    ],
)
def test_what_others_made_is_refused_and_left(
    machine: dict[str, t.Any], obstacle: list[str], removal: list[str], fault: str
) -> None:
    fabric(state="absent")
    run(*obstacle)
    try:
        before = snapshot()
        refused = fabric()
        assert fault in refused["msg"]
        assert snapshot() == before
    finally:
        run(*removal)


def test_bad_input_is_refused_before_any_change(machine: dict[str, t.Any]) -> None:
    fabric(state="absent")
    refused = fabric(links=[["t-a:0", "t1:1"], ["t1:1", "t9:1"]])
    assert "there is no node t9" in refused["msg"]
    assert snapshot() == machine


def test_teardown_leaves_nothing(machine: dict[str, t.Any], built: dict[str, t.Any]) -> None:
    assert built["daemons"]
    assert fabric(state="absent")["changed"]
    assert snapshot() == machine
    assert not fabric(state="absent")["changed"]


@pytest.mark.usefixtures("built")
def test_teardown_removes_a_half_built_fabric(machine: dict[str, t.Any]) -> None:
    kill("ovs-vswitchd")()
    kill("ovsdb-server")()
    run("ip", "link", "delete", "t1-1")
    assert fabric(state="absent")["changed"]
    assert snapshot() == machine
