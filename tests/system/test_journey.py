"""Real datagrams and real tcpdump on a veth pair between two network namespaces of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from namespace_modules import netns, run_module
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

pytestmark = pytest.mark.beside

ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("10.99.0.2", 7))
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(65535)
        s.sendto(data, peer)
"""
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
    s.bind((sys.argv[1], 0))
    for line in sys.stdin:
        s.send(bytes.fromhex(line))
"""


def send(namespace, interface, frames):
    lines = "\n".join(bytes(frame).hex() for frame in frames)
    subprocess.run(
        netns(namespace, sys.executable, "-c", SEND, interface),
        input=lines,
        text=True,
        check=True,
        timeout=20,
    )


def flow_frame(tags, tpid=0x8100):
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for tag in tags:
        frame /= Dot1Q(vlan=tag)
    if tags and tpid != 0x8100:
        frame.type = tpid
    return frame / IP(src="10.99.0.1", dst="10.99.0.2") / UDP(sport=40000, dport=7) / b"detnet"


@pytest.fixture(scope="module")
def namespaces():
    """Two namespaces, the interface "cable" of each at one end of a veth pair, 10.99.0.1 and 10.99.0.2."""
    near, far = (f"detnet-test-{os.getpid()}-{end}" for end in ("near", "far"))
    try:
        for namespace in (near, far):
            subprocess.run(["ip", "netns", "add", namespace], check=True)
        pair = [
            "ip",
            "-n",
            near,
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            far,
        ]
        subprocess.run(pair, check=True)
        for namespace, address in ((near, "10.99.0.1/24"), (far, "10.99.0.2/24")):
            subprocess.run(
                netns(namespace, "sysctl", "-qw", "net.ipv6.conf.cable.disable_ipv6=1"), check=True
            )
            subprocess.run(["ip", "-n", namespace, "address", "add", address, "dev", "cable"], check=True)
            subprocess.run(["ip", "-n", namespace, "link", "set", "cable", "up"], check=True)
        yield near, far
    finally:
        for namespace in (near, far):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)


@pytest.fixture
def captures(namespaces, tmp_path):
    """Capture at both ends into tmp_path/near and tmp_path/far; always stopped."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)  # tcpdump writes as a user of its own
    ends = dict(zip(namespaces, (tmp_path / "near", tmp_path / "far"), strict=True))
    for namespace, directory in ends.items():
        started = run_module(namespace, "capture", directory=str(directory), interfaces=["cable"])
        assert "changed" in started, started
    yield ends
    for namespace, directory in ends.items():
        run_module(namespace, "capture", directory=str(directory), state="stopped")


@pytest.fixture
def echo(namespaces):
    with subprocess.Popen(
        netns(namespaces[1], sys.executable, "-c", ECHO), stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout.readline() == "ready\n"
        yield
        service.terminate()


def stop(captures):
    return [
        run_module(namespace, "capture", directory=str(directory), state="stopped")
        for namespace, directory in captures.items()
    ]


def journey(captures, **options):
    points = [
        {"at": directory.name, "path": str(directory / "cable.pcap")} for directory in captures.values()
    ]
    flow = {"source_ip": "10.99.0.1", "destination_ip": "10.99.0.2", "destination_port": 7}
    return run_module(next(iter(captures)), "journey_info", points=points, **(flow | options))


@pytest.mark.parametrize(
    ("tags", "tpid", "stack"),
    [
        pytest.param([], 0x8100, "", id="no-tag"),
        pytest.param([7], 0x8100, "81000007", id="one-tag"),
        pytest.param([21, 7], 0x8100, "8100001581000007", id="two-tags"),
        pytest.param([21, 22, 4094], 0x8100, "810000158100001681000ffe", id="three-tags"),
        pytest.param([21, 7], 0x88A8, "88a8001581000007", id="service-tag-outermost"),
    ],
)
def test_both_ends_of_a_link_show_the_stack_that_was_on_the_wire(captures, namespaces, tags, tpid, stack):
    send(namespaces[0], "cable", [flow_frame(tags, tpid)] * 3)
    stop(captures)
    hop = {"tags": tags, "vlan_stack_hex": stack, "frames": 3}
    assert journey(captures)["journey"] == [{"at": "near", **hop}, {"at": "far", **hop}]


def test_several_stacks_of_one_flow_fail_and_are_shown(captures, namespaces):
    send(namespaces[0], "cable", [flow_frame([7]), flow_frame([21, 7]), flow_frame([21, 7])])
    stop(captures)
    result = journey(captures)
    assert result["failed"]
    assert "near saw several tag stacks: [7] on 1 frames, [21, 7] on 2 frames" in result["msg"]
    assert result["seen"][1]["stacks"] == {"81000007": 1, "8100001581000007": 2}


def test_a_point_without_the_flow_fails_and_says_where(captures, namespaces):
    send(namespaces[0], "cable", [flow_frame([7])])
    stop(captures)
    result = journey(captures, destination_port=8)
    assert result["failed"]
    assert "far saw no frame of it (of 1 frames in " in result["msg"]


def test_probe_counts_every_datagram_and_both_ends_captured_them(captures, namespaces, echo):
    result = run_module(
        namespaces[0], "udp_probe", destination="10.99.0.2", source_port=40000, count=1000, interval_us=100
    )
    stopped = stop(captures)
    assert (result["sent"], result["received"]) == (1000, 1000)
    assert (result["duplicates"], result["out_of_order"], result["corrupt"]) == (0, 0, 0)
    rtt = result["rtt_us"]
    assert 0 < rtt["min"] <= rtt["p50"] <= rtt["p99"] <= rtt["max"]
    assert [hop["frames"] for hop in journey(captures)["journey"]] == [1000, 1000]
    assert "0 packets dropped by kernel" in stopped[0]["captures"][0]["summary"]


def test_probe_counts_what_the_network_loses_and_ends_in_time(namespaces, echo):
    def lose(action):
        qdisc = ["tc", "-n", namespaces[1], "qdisc", action, "dev", "cable", "root"]
        limit = ["tbf", "rate", "8kbit", "burst", "2000", "limit", "2000"]
        subprocess.run(qdisc + (limit if action == "add" else []), check=True)

    lose("add")
    try:
        begin = time.monotonic()
        result = run_module(
            namespaces[0],
            "udp_probe",
            destination="10.99.0.2",
            count=200,
            interval_us=0,
            loss_ms=50,
            timeout_s=5,
        )
        assert time.monotonic() - begin < 10
    finally:
        lose("delete")
    assert 0 < result["received"] < result["sent"]


def test_probe_says_that_nobody_echoes(namespaces):
    result = run_module(namespaces[0], "udp_probe", destination="10.99.0.2", count=3)
    assert result["failed"]
    assert "10.99.0.2:7" in result["msg"]
    assert "start an echo service" in result["msg"]


def test_probe_says_that_the_source_port_is_taken(namespaces, echo):
    options = {"destination": "10.99.0.2", "source_port": 40001, "interval_us": 100000, "count": 20}
    other = threading.Thread(target=run_module, args=(namespaces[0], "udp_probe"), kwargs=options)
    other.start()
    time.sleep(1)
    result = run_module(namespaces[0], "udp_probe", **options)
    other.join()
    assert "another program uses UDP port 40001" in result["msg"]


def tcpdumps(directory):
    """Return the processes that write into a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory) in (process / "cmdline").read_text():
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_new_capture_ends_an_older_one_and_stop_leaves_no_process(namespaces, captures):
    namespace, directory = next(iter(captures.items()))
    first = tcpdumps(directory)
    assert first
    run_module(namespace, "capture", directory=str(directory), interfaces=["cable"])
    second = tcpdumps(directory)
    assert second
    assert not set(first) & set(second)
    stop(captures)
    assert tcpdumps(directory) == []
    again = run_module(namespace, "capture", directory=str(directory), state="stopped")
    assert (again["changed"], again["captures"]) == (False, [])


def test_a_capture_that_nobody_stops_ends_by_itself(namespaces, captures):
    namespace, directory = next(iter(captures.items()))
    run_module(namespace, "capture", directory=str(directory), interfaces=["cable"], duration_s=1)
    deadline = time.monotonic() + 5
    while tcpdumps(directory) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tcpdumps(directory) == []


def test_capture_says_which_interface_does_not_exist(namespaces, tmp_path):
    result = run_module(namespaces[0], "capture", directory=str(tmp_path / "new"), interfaces=["absent"])
    assert result["failed"]
    assert "there is no interface absent" in result["msg"]
    assert not (tmp_path / "new").exists()


def test_check_mode_neither_starts_nor_ends_a_capture(namespaces, captures, tmp_path):
    namespace, directory = next(iter(captures.items()))
    running = tcpdumps(directory)
    for state in ("started", "stopped"):
        result = run_module(
            namespace,
            "capture",
            directory=str(directory),
            interfaces=["cable"],
            state=state,
            _ansible_check_mode=True,
        )
        assert result["changed"]
    assert tcpdumps(directory) == running
