"""Trace: what the switch says that it would do with a frame is what it then does."""

from __future__ import annotations

import typing as t

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether
from switch_control_frame import control_frame
from switch_fixtures import MACS, Bench, RpcError, bench, wait_until
from switch_lldp import lldp
from switch_rules import (
    BROADCAST,
    HERE,
    HERE6,
    PEER,
    TAGS,
    THERE,
    THERE6,
    arp,
    arriving,
    cost_bits,
    datagram,
    identity,
    normal,
    rule,
    tagged,
    wildcard,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = rule(rate_bps=1000, burst_bits=cost_bits(100, len(TAGS)))
LLDP = lldp()


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("trace"), {0: "switch", 1: "switch", 2: "switch"}) as made:
        yield made


def traced(on: Bench, frame: t.Any, vm: int = 1) -> dict[str, t.Any]:
    return on.switch.call("trace", vm=vm, frame=bytes(frame).hex())


def stages(trace: dict[str, t.Any]) -> list[str]:
    return [step["stage"] for step in trace["steps"]]


def test_says_step_by_step_what_then_happens(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    trace = traced(on, datagram())
    assert stages(trace) == ["read", "match", "shape", "tag", "deliver"]
    assert trace["steps"][1]["rule"] == normal(rule())
    assert trace["steps"][2]["bits"] == cost_bits(100, len(TAGS))
    assert (trace["verdict"], trace["output"], trace["delay_ns"]) == ("sent", "uplink", 0)
    assert trace["rule"] == identity(rule())
    assert bytes.fromhex(trace["frame"]) == tagged(datagram(), *TAGS)

    on.vms[1].send(bytes(datagram()))
    assert on.wire.receive() == bytes.fromhex(trace["frame"])


def test_a_described_packet_is_the_same_as_its_frame(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    packet = {
        **{member: value for member, value in identity(rule()).items() if member != "vm"},
        "destination_mac": PEER,
        "length": 100,
    }
    described = on.switch.call("trace", vm=1, packet=packet)
    sent = traced(on, datagram())
    for trace in (described, sent):
        del trace["frame"], trace["steps"][2]["level_bits"]
    assert described == sent


def test_sends_charges_and_counts_nothing(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    before = on.switch.call("stats.get", rules=True)
    assert {traced(on, datagram())["verdict"] for _round in range(20)} == {"sent"}
    after = on.switch.call("stats.get", rules=True)
    for member in ("vms", "uplink", "rules"):
        assert after[member] == before[member]


def test_tells_how_long_a_frame_would_wait(on: Bench) -> None:
    """The first frame takes what is in the bucket; the next one has to wait for all that it costs."""
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(bytes(datagram()))
    on.wire.receive()
    trace = traced(on, datagram())
    cost = cost_bits(100, len(TAGS))
    assert trace["verdict"] == "delayed"
    assert 0.5 * cost / 1000 < trace["delay_ns"] / 1e9 < cost / 1000
    assert trace["steps"][2]["level_bits"] < cost


CASES: dict[str, tuple[list[dict[str, t.Any]], t.Any, str, list[str]]] = {
    # the rules, a frame of VM 1, the drop, the stages
    "no_rule": ([], datagram(), "no_rule", ["read", "match"]),
    "arp_no_rule": ([], arp(), "arp_no_rule", ["read", "match"]),
    "source_mac": (
        [rule()],
        Ether(src=PEER, dst=PEER) / IP(src=HERE, dst=THERE) / UDP(),
        "source_mac",
        ["read"],
    ),
    "truncated": ([rule()], b"\x02", "truncated", ["read"]),
    "control_role": ([rule()], control_frame(MACS[1]), "control_role", ["read"]),
    "oversize": ([rule()], datagram(2000), "oversize", ["read", "match", "shape"]),
    "over_rate": (
        [rule(mode="police", rate_bps=1, burst_bits=1)],
        datagram(),
        "over_rate",
        ["read", "match", "shape"],
    ),
    "queue_full": (
        [rule(rate_bps=1, burst_bits=1, queue_bytes=50)],
        datagram(),
        "queue_full",
        ["read", "match", "shape"],
    ),
    "unknown_vm": (
        [wildcard(tags=[], destination_vm=9)],
        datagram(),
        "unknown_vm",
        ["read", "match", "shape", "tag", "deliver"],
    ),
    "destination_mac": (
        [wildcard(tags=[], destination_vm=2)],
        datagram(),
        "destination_mac",
        ["read", "match", "shape", "tag", "deliver"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_names_the_drop_that_then_happens(on: Bench, case: str) -> None:
    rules, frame, drop, passed = CASES[case]
    on.switch.call("rule.set", rules=rules)
    trace = traced(on, frame)
    assert (trace["verdict"], trace["drop"], stages(trace)) == ("dropped", drop, passed)
    assert trace["steps"][-1]["drop"] == drop
    assert "frame" not in trace
    assert ("rule" in trace) == ("shape" in passed)

    on.vms[1].send(bytes(frame))
    wait_until("it is dropped", lambda: on.switch.drops() == {drop: 1})


def test_follows_a_frame_to_a_vm_of_this_host(on: Bench) -> None:
    on.switch.call("rule.set", rules=[wildcard(tags=[], destination_vm=2)])
    frame = Ether(src=MACS[1], dst=MACS[2]) / IP(src=HERE, dst=THERE) / ICMP()
    trace = traced(on, frame)
    assert (trace["verdict"], trace["output"]) == ("sent", {"vm": 2})
    assert trace["steps"][2]["level_bits"] is None
    assert bytes.fromhex(trace["frame"]) == bytes(frame)


def test_arp_goes_the_way_of_the_rule_between_its_ends(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    for trace in (
        traced(on, arp()),
        on.switch.call(
            "trace",
            vm=1,
            packet={"ether_type": 0x0806, "source_ip": HERE, "destination_ip": THERE},
        ),
    ):
        assert trace["steps"][0]["neighbour"]
        assert trace["rule"] == identity(rule())
        assert bytes.fromhex(trace["frame"])[12:24] == tagged(b"\xff" * 12, *TAGS)[12:24]
        assert ARP(bytes.fromhex(trace["frame"])[12 + 4 * len(TAGS) + 2 :]).pdst == THERE


def test_reads_ipv6(on: Bench) -> None:
    on.switch.call("rule.set", rules=[wildcard(source_ip=HERE6, destination_ip=THERE6)])
    trace = on.switch.call(
        "trace", vm=1, packet={"source_ip": HERE6, "destination_ip": THERE6, "protocol": 58}
    )
    assert trace["verdict"] == "sent"
    read = trace["steps"][0]
    assert (read["source_ip"], read["destination_ip"], read["protocol"]) == (HERE6, THERE6, 58)


def test_a_control_frame_of_vm_0_goes_to_control(on: Bench) -> None:
    trace = traced(on, control_frame(), vm=0)
    assert (trace["verdict"], trace["output"], stages(trace)) == ("sent", "control", ["read"])
    assert on.switch.call("rule.list")["rules"] == []


def test_follows_a_frame_from_the_uplink(on: Bench) -> None:
    frame = arriving(1)
    trace = on.switch.call("trace", uplink=True, frame=frame.hex())
    assert (trace["verdict"], trace["output"], stages(trace)) == ("sent", {"vm": 1}, ["read", "deliver"])
    on.wire.send(frame)
    assert on.vms[1].receive() == bytes.fromhex(trace["frame"])


@pytest.mark.parametrize(
    ("frame", "drop"),
    [
        pytest.param(arriving(9), "unknown_vm", id="for-nobody"),
        pytest.param(arriving(1, 21, 1), "extra_tags", id="with-two-tags"),
        pytest.param(bytes(Ether(src=PEER, dst=MACS[1]) / IP()), "untagged", id="without-a-tag"),
        pytest.param(arriving(1, destination=MACS[2]), "destination_mac", id="with-the-mac-of-another"),
        pytest.param(arriving(1)[:15], "truncated", id="truncated"),
        pytest.param(LLDP[:32], "malformed", id="malformed-lldp"),
    ],
)
def test_names_the_drop_from_the_uplink(on: Bench, frame: bytes, drop: str) -> None:
    trace = on.switch.call("trace", uplink=True, frame=frame.hex())
    assert (trace["verdict"], trace["drop"]) == ("dropped", drop)
    on.wire.send(frame)
    wait_until("it is dropped", lambda: on.switch.drops() == {drop: 1})


def test_lldp_from_the_uplink_goes_to_control(on: Bench) -> None:
    trace = on.switch.call("trace", uplink=True, frame=LLDP.hex())
    assert (trace["verdict"], trace["output"], stages(trace)) == ("sent", "control", ["read"])
    assert trace["frame"] == LLDP.hex()


def test_a_vm_without_its_guest_gets_nothing(on: Bench) -> None:
    on.switch.call("port.add", vm=5, mac=MACS[5], socket_server="switch")
    try:
        trace = on.switch.call("trace", uplink=True, frame=arriving(5).hex())
        assert trace["drop"] == "not_connected"
    finally:
        on.switch.call("port.remove", vm=5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"frame": "00"}, "give vm, or uplink: true", id="from-nowhere"),
        pytest.param(
            {"vm": 1, "uplink": True, "frame": "00"}, "give vm, or uplink: true", id="from-two-places"
        ),
        pytest.param({"vm": 1}, "give frame, or packet", id="nothing"),
        pytest.param(
            {"uplink": True, "packet": {}}, "give frame, with its tag", id="a-packet-from-the-uplink"
        ),
        pytest.param({"vm": 9, "frame": "00"}, "VM 9 has no port; add it first", id="no-port"),
        pytest.param({"vm": 1, "frame": "0"}, "frame has 1 digits; give an even number", id="half-a-byte"),
        pytest.param({"vm": 1, "frame": ""}, "frame has 0 digits", id="no-byte"),
        pytest.param({"vm": 1, "frame": "0x00"}, "no hexadecimal digit at place 1", id="a-prefix"),
        pytest.param({"vm": 1, "frame": "00" * 9023}, "frame has 18046 digits", id="a-frame-too-long"),
        pytest.param({"vm": 1, "packet": {}}, "or ether_type", id="an-empty-packet"),
        pytest.param(
            {"vm": 1, "packet": {"ether_type": 0x88CC, "length": 13}},
            "length is 13; give an integer from 14 to 9022",
            id="a-packet-too-short",
        ),
        pytest.param(
            {"vm": 1, "packet": {"source_ip": HERE, "destination_ip": THERE, "protocol": 17}},
            "give source_port and destination_port",
            id="no-ports",
        ),
    ],
)
def test_refuses_to_trace(on: Bench, params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(RpcError, match=r"^Cannot trace a frame: ") as error:
        on.switch.call("trace", **params)
    assert message in str(error.value)


def test_a_packet_is_broadcast_unless_said_otherwise(on: Bench) -> None:
    on.switch.call("rule.set", rules=[wildcard(destination_mac=BROADCAST)])
    assert on.switch.call("trace", vm=1, packet={"ether_type": 0x88F7})["verdict"] == "sent"
