from __future__ import annotations

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._datagram import HEADER
from ansible_collections.detnet.testbed.plugins.modules import journey_info
from ansible_collections.detnet.testbed.plugins.modules.journey_info import Flow, JourneyError
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import PcapWriter, wrpcap

PROBE = Flow("10.20.0.11", "10.20.0.21", 17, 7)
THERE = {"src": "10.20.0.11", "dst": "10.20.0.21"}
BACK = {"src": "10.20.0.21", "dst": "10.20.0.11"}


def tagged(tags, packet):
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for tag in tags:
        frame /= tag if isinstance(tag, Dot1Q) else Dot1Q(vlan=tag)
    return bytes(frame / packet)


@pytest.mark.parametrize(
    ("tags", "stack"),
    [
        pytest.param([], "", id="none"),
        pytest.param([1], "81000001", id="one"),
        pytest.param([21, 21, 1], "810000158100001581000001", id="three-outermost-first"),
        pytest.param([Dot1Q(vlan=21, prio=5, dei=1)], "8100b015", id="priority-and-dei-stay-in-the-bytes"),
        pytest.param(list(range(1, 11)), "".join(f"8100{tag:04x}" for tag in range(1, 11)), id="ten"),
    ],
)
def test_the_stack_is_what_stands_between_macs_and_packet(tags, stack):
    frame = tagged(tags, IP(**THERE) / UDP(sport=40000, dport=7) / b"x")
    assert PROBE.read(frame).vlan_stack.hex() == stack


@pytest.mark.parametrize(
    ("stack", "tags"),
    [("", []), ("81000001", [1]), ("8100b015", [21]), ("88a8001581000ffe", [21, 4094])],
)
def test_tags_are_the_vlan_ids(stack, tags):
    assert journey_info.tags_of(stack) == tags


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(IP(**BACK) / UDP(sport=7, dport=40000), id="the-way-back"),
        pytest.param(IP(**THERE) / UDP(sport=40000, dport=8), id="another-port"),
        pytest.param(IP(**THERE) / TCP(dport=7), id="another-protocol"),
        pytest.param(IP(**THERE) / ICMP(), id="ping"),
        pytest.param(ARP(psrc="10.20.0.11", pdst="10.20.0.21"), id="arp"),
        pytest.param(IP(**BACK) / ICMP(type=3, code=3) / IP(**THERE) / UDP(dport=7), id="quoted-in-an-error"),
        pytest.param(Raw(b"\x81"), id="cut-off-tag"),
    ],
)
def test_frames_of_other_flows_are_not_looked_at(packet):
    assert PROBE.read(tagged([21], packet)) is None


def test_a_flow_without_port_takes_every_port():
    frame = tagged([1], IP(**THERE) / ICMP())
    assert Flow("10.20.0.11", "10.20.0.21", 1, 0).read(frame).vlan_stack == b"\x81\x00\x00\x01"


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "s1-1.pcap"
    frames = [tagged([21, 1], IP(**THERE) / UDP(dport=7))] * 3 + [tagged([11, 1], IP(**BACK) / UDP(sport=7))]
    wrpcap(str(path), [Ether(frame) for frame in frames])
    return path


def test_a_point_sees_frames_by_stack(capture):
    seen = journey_info.look("s1 - s2", capture, PROBE)
    assert (seen["frames_total"], seen["stacks"]) == (4, {"8100001581000001": 3})
    assert journey_info.doubts([seen]) == []
    assert journey_info.journey([seen]) == [
        {"at": "s1 - s2", "tags": [21, 1], "vlan_stack_hex": "8100001581000001", "frames": 3}
    ]


@pytest.mark.parametrize(
    ("size", "complaint"),
    [
        pytest.param(0, "cannot be read", id="empty-file"),
        pytest.param(10, "cannot be read", id="cut-in-the-file-header"),
        pytest.param(24 + 7, "ends within a frame", id="cut-in-a-frame-header"),
        pytest.param(-5, "ends within a frame", id="cut-in-a-frame"),
    ],
)
def test_a_truncated_file_is_refused(capture, size, complaint):
    capture.write_bytes(capture.read_bytes()[:size])
    with pytest.raises(JourneyError, match=rf"s1-1\.pcap {complaint}.*; repeat the capture"):
        journey_info.look("s1 - s2", capture, PROBE)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(JourneyError, match=r"absent\.pcap cannot be read: .*No such file"):
        journey_info.look("s1 - s2", tmp_path / "absent.pcap", PROBE)


@pytest.mark.parametrize(
    ("total", "stacks", "complaint"),
    [
        pytest.param(0, {}, "s1 - s2 saw no frame of it (of 0 frames in x.pcap)", id="empty-capture"),
        pytest.param(9, {}, "s1 - s2 saw no frame of it (of 9 frames in x.pcap)", id="other-flows-only"),
        pytest.param(
            3,
            {"81000001": 1, "8100001581000001": 2},
            "s1 - s2 saw several tag stacks: [1] on 1 frames, [21, 1] on 2 frames (in x.pcap)",
            id="two-stacks",
        ),
    ],
)
def test_a_point_without_one_stack_says_what_it_saw(total, stacks, complaint):
    seen = {"at": "s1 - s2", "path": "x.pcap", "frames_total": total, "stacks": stacks}
    good = {"at": "alpha - s1", "path": "y.pcap", "frames_total": 3, "stacks": {"": 3}}
    assert journey_info.doubts([good, seen]) == [complaint]


@pytest.mark.parametrize(
    ("option", "value"),
    [("protocol", "udq"), ("protocol", "256"), ("destination_port", 65536), ("source_ip", "alpha")],
)
def test_a_flow_that_cannot_be_is_refused(option, value):
    flow = {
        "source_ip": "10.20.0.11",
        "destination_ip": "10.20.0.21",
        "protocol": "udp",
        "destination_port": 7,
        "payload_bytes": 0,
        "burst_payload_bytes": 0,
    }
    assert journey_info.option_faults(flow) == []
    [fault] = journey_info.option_faults(flow | {option: value})
    assert fault.startswith(f"{option} is {value!r}; choose ")


@pytest.mark.parametrize("option", ["payload_bytes", "burst_payload_bytes"])
def test_only_datagrams_have_a_length(option):
    flow = {
        "source_ip": "10.20.0.11",
        "destination_ip": "10.20.0.21",
        "protocol": "icmp",
        "destination_port": 0,
    }
    lengths = {"payload_bytes": 0, "burst_payload_bytes": 0}
    assert journey_info.option_faults(flow | lengths) == []
    [fault] = journey_info.option_faults(flow | lengths | {option: 64})
    assert fault == f"{option} is 64; choose protocol: udp, whose datagrams have a length"


def datagram(number, sent_ns, payload_bytes):
    payload = HEADER.pack(number, sent_ns).ljust(payload_bytes, b"x")
    return tagged([21, 1], IP(**THERE) / UDP(sport=40000, dport=7) / payload)


@pytest.fixture
def burst_capture(tmp_path):
    """Two datagrams of 14 bytes (padded by Ethernet), then two of a burst that swap places; 1 us after 10 s."""
    path = tmp_path / "s1-1.pcap"
    frames = [
        (10.000_001, datagram(0, 4_000, 14) + bytes(4)),
        (10.000_005, datagram(1, 5_000, 14) + bytes(4)),
        (10.000_010, datagram(1, 8_000, 100)),
        (10.000_020, datagram(0, 7_000, 100)),
    ]
    with PcapWriter(str(path)) as writer:
        for seconds, frame in frames:
            packet = Ether(frame)
            packet.time = seconds
            writer.write(packet)
    return path


def test_a_burst_is_told_from_the_journey_by_the_length_of_its_datagrams(burst_capture):
    assert journey_info.look("s1 - s2", burst_capture, PROBE, 14)["stacks"] == {"8100001581000001": 2}
    assert journey_info.look_at_burst("s1 - s2", burst_capture, PROBE, 100) == {
        "at": "s1 - s2",
        "arrivals": [
            {"number": 1, "sent_ns": 8_000, "arrived_ns": 10_000_010_000},
            {"number": 0, "sent_ns": 7_000, "arrived_ns": 10_000_020_000},
        ],
        "clock_offset_ns": 10_000_001_000 - 4_000,
    }


def test_the_burst_is_looked_for_at_the_first_point_and_only_if_asked_for(burst_capture, tmp_path):
    points = [("s1 - s2", burst_capture), ("absent", tmp_path / "absent.pcap")]
    assert journey_info.burst_of(points, PROBE, 0) == {}
    assert journey_info.burst_of(points, PROBE, 100)["burst"]["at"] == "s1 - s2"
    assert journey_info.burst_of(points, PROBE, 101)["burst"]["arrivals"] == []
