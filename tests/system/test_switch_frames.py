"""What the switch does with frames: tags pushed and stripped, ARP along the rule, shaping, every drop by its name."""

from __future__ import annotations

import os
import signal
import typing as t

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from switch_fixtures import MACS, Bench, bench, namespace, passes, wait_until

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

HERE, THERE, ELSEWHERE = "10.20.0.11", "10.20.0.21", "10.20.0.99"
PEER = "02:00:00:00:00:07"  # the VM at the other end
BROADCAST = "ff:ff:ff:ff:ff:ff"
FAST = {"rate_bps": 10**9, "burst_bits": 10**7}


def rule(protocol: int = 17, ports: tuple[int, int] = (5000, 5001), **changes: t.Any) -> dict[str, t.Any]:
    return {
        "vm": 1,
        "protocol": protocol,
        "source_ip": HERE,
        "destination_ip": THERE,
        "source_port": ports[0],
        "destination_port": ports[1],
        "tags": [21, 22, 7],
        **FAST,
        **changes,
    }


def datagram(size: int = 100, **changes: t.Any) -> Packet:
    """Return a UDP datagram of VM 1 in a frame of this many bytes."""
    headers = (
        Ether(src=MACS[1], dst=PEER)
        / IP(src=HERE, dst=THERE, **changes)
        / UDP(sport=5000, dport=5001, chksum=0)
    )
    return headers / Raw(bytes(size - len(headers)))


def arp(sender: str = MACS[1], target: str = THERE, **changes: t.Any) -> Packet:
    return Ether(src=MACS[1], dst=BROADCAST) / ARP(hwsrc=sender, psrc=HERE, pdst=target, **changes)


def tagged(frame: Packet, *vids: int) -> bytes:
    """Return the frame as it should be on the wire."""
    whole = bytes(frame)
    stack = b"".join(bytes([0x81, 0, vid >> 8, vid & 0xFF]) for vid in vids)
    return whole[:12] + stack + whole[12:]


def arriving(destination: str, *vids: int, payload: Packet | None = None) -> bytes:
    return tagged(Ether(src=PEER, dst=destination) / (payload or IP(src=THERE, dst=HERE) / UDP()), *vids)


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A switch with VM 1 (the switch serves the socket), VM 2 (the guest serves it), and VM 3 without a guest."""
    with (
        namespace(f"frames-{os.getpid()}") as where,
        bench(where, tmp_path_factory.mktemp("frames"), {1: "switch", 2: "qemu"}) as made,
    ):
        made.switch.add_port(3)
        yield made


@pytest.fixture
def on(whole_bench: Bench) -> Iterator[Bench]:
    """The bench with nothing under way, no rule and no count; afterwards, no frame buffer is missing."""
    switch = whole_bench.switch
    switch.call(
        "rule.delete", rules=[{k: r[k] for k in list(r)[:6]} for r in switch.call("rule.list")["rules"]]
    )
    switch.call("stats.reset")
    for wire in (whole_bench.wire, *whole_bench.vms.values()):
        wire.drain()
    yield whole_bench
    wait_until("every buffer is free", lambda: switch.call("stats.get")["buffers"]["in_use"] == 0)


def wait_until_done(on: Bench, what: str, packets: Callable[[dict[str, t.Any]], int], count: int) -> None:
    """Wait until so many frames came in there, and the switch holds none any more."""

    def done() -> bool:
        stats = on.switch.call("stats.get")
        return packets(stats) == count and stats["buffers"]["in_use"] == 0

    wait_until(f"{count} frames came from {what} and are dealt with", done)


def wait_taken(on: Bench, packets: int) -> None:
    wait_until_done(on, "VM 1", lambda stats: stats["vms"][0]["from_vm"]["packets"], packets)


def wait_arrived(on: Bench, packets: int) -> None:
    wait_until_done(on, "the uplink", lambda stats: stats["uplink"]["received"]["packets"], packets)


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([7], id="the-destination-alone"),
        pytest.param([21, 22, 7], id="outermost-first"),
        pytest.param([4094, 1, 7], id="the-extremes"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], id="ten"),
    ],
)
def test_pushes_the_tags_of_the_rule(on: Bench, tags: list[int]) -> None:
    on.switch.call("rule.set", rules=[rule(tags=tags)])
    frame = datagram()
    on.vms[1].send(bytes(frame))
    assert on.wire.receive() == tagged(frame, *tags)


@pytest.mark.parametrize(
    ("wanted", "frame"),
    [
        pytest.param(rule(), datagram(), id="udp"),
        pytest.param(rule(), datagram(options=b"\x01\x01\x01\x01"), id="udp-behind-ip-options"),
        pytest.param(
            rule(6, (80, 81)),
            Ether(src=MACS[1], dst=PEER) / IP(src=HERE, dst=THERE) / TCP(sport=80, dport=81),
            id="tcp",
        ),
        pytest.param(
            rule(1, (0, 0)), Ether(src=MACS[1], dst=PEER) / IP(src=HERE, dst=THERE) / ICMP(), id="icmp"
        ),
    ],
)
def test_matches_exactly_its_flow(on: Bench, wanted: dict[str, t.Any], frame: Packet) -> None:
    on.switch.call("rule.set", rules=[wanted])
    on.vms[1].send(bytes(frame))
    assert on.wire.receive() == tagged(frame, 21, 22, 7)
    counters = on.switch.call("stats.get")
    assert counters["rules"][0] == {
        **{key: wanted[key] for key in list(wanted)[:6]},
        "packets": 1,
        "bytes": len(frame),
        "drops": {"over_rate": 0},
    }
    assert counters["uplink"]["sent"] == {"packets": 1, "bytes": len(frame) + 3 * 4}
    assert on.switch.of_vm(1)["from_vm"] == {"packets": 1, "bytes": len(frame)}
    assert on.switch.drops() == {}


@pytest.mark.parametrize("vm", [1, 2])
def test_delivers_by_the_last_tag_and_the_mac(on: Bench, vm: int) -> None:
    on.wire.send(arriving(MACS[vm], vm))
    assert on.vms[vm].receive() == arriving(MACS[vm])
    assert on.switch.of_vm(vm)["to_vm"] == {"packets": 1, "bytes": len(arriving(MACS[vm]))}


def test_delivers_arp_to_all_of_a_vm(on: Bench) -> None:
    question = ARP(hwsrc=PEER, psrc=THERE, pdst=HERE)
    on.wire.send(arriving(BROADCAST, 1, payload=question))
    assert on.vms[1].receive() == arriving(BROADCAST, payload=question)


@pytest.mark.parametrize("frame", [arp(), arp(op=2, hwdst=PEER)], ids=["request", "reply"])
def test_arp_between_the_ends_follows_the_rule(on: Bench, frame: Packet) -> None:
    on.switch.call("rule.set", rules=[rule()])
    on.vms[1].send(bytes(frame))
    assert on.wire.receive() == tagged(frame, 21, 22, 7)
    assert on.switch.call("stats.get")["rules"][0]["packets"] == 1


def test_arp_stays_as_long_as_any_rule_between_the_ends(on: Bench) -> None:
    first, second = rule(tags=[11, 7]), rule(1, (0, 0), tags=[12, 7])
    on.switch.call("rule.set", rules=[first])
    on.switch.call("rule.set", rules=[second])
    for gone, tags in ((first, (12, 7)), (second, None)):
        on.switch.call("rule.delete", rules=[{key: gone[key] for key in list(gone)[:6]}])
        on.vms[1].send(bytes(arp()))
        if tags:
            assert on.wire.receive() == tagged(arp(), *tags)
    wait_until("ARP without a rule is dropped", lambda: on.switch.drops() == {"arp_no_rule": 1})


@pytest.mark.parametrize(
    ("burst_frames", "shortfall", "passing"),
    [
        pytest.param(1, 0, 1, id="exactly-one-frame"),
        pytest.param(3, 0, 3, id="exactly-three-frames"),
        pytest.param(1, 1, 0, id="one-bit-too-little"),
    ],
)
def test_a_packet_over_the_rate_is_dropped_and_counted(
    on: Bench, burst_frames: int, shortfall: int, passing: int
) -> None:
    cost = 8 * (8 + 100 + 4 + 3 * 4 + 12)  # preamble, frame, FCS, tags, gap
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=cost * burst_frames - shortfall)])
    on.vms[1].send(*[bytes(datagram())] * 5)
    wait_taken(on, 5)
    assert on.switch.drops() == {"over_rate": 5 - passing}
    counters = on.switch.call("stats.get")["rules"][0]
    assert (counters["packets"], counters["drops"]) == (passing, {"over_rate": 5 - passing})
    for _round in range(passing):
        assert on.wire.receive() == tagged(datagram(), 21, 22, 7)


def test_an_update_does_not_refill_the_bucket(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=1088)])
    on.vms[1].send(bytes(datagram()))
    assert on.wire.receive() is not None
    on.switch.call("rule.set", rules=[rule(rate_bps=2, burst_bits=10**9)])
    on.vms[1].send(bytes(datagram()))
    wait_until("the second is dropped", lambda: on.switch.drops() == {"over_rate": 1})


def test_a_changed_rule_changes_the_tags_at_once(on: Bench) -> None:
    for tags in ([21, 7], [31, 32, 7], [7]):
        on.switch.call("rule.set", rules=[rule(tags=tags)])
        on.vms[1].send(bytes(datagram()))
        assert on.wire.receive() == tagged(datagram(), *tags)


FROM_VM = {
    "truncated": Ether(src=MACS[1], dst=PEER, type=0x0800) / Raw(b"\x45\x00"),
    "truncated-by-its-own-length": datagram(len=1000),
    "malformed": datagram(version=5),
    "oversize": datagram(1514),  # with three tags, more than the uplink's MTU of 1500 takes
    "oversize-for-one-buffer": datagram(3000),
    "source_mac": Ether(src=PEER, dst=PEER) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5001),
    "guest_tagged": Ether(src=MACS[1], dst=PEER) / Dot1Q(vlan=21) / IP(src=HERE, dst=THERE) / UDP(),
    "ether_type": Ether(src=MACS[1], dst=PEER, type=0x86DD) / Raw(bytes(60)),
    "fragment": datagram(flags="MF"),
    "fragment-behind-the-first": datagram(frag=100),
    "arp_sender": arp(sender=PEER),
    "arp_no_rule": arp(target=ELSEWHERE),
    "no_rule": Ether(src=MACS[1], dst=PEER) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5002),
}


@pytest.mark.parametrize("case", FROM_VM)
def test_drops_from_a_vm_by_name(on: Bench, case: str) -> None:
    on.switch.call("rule.set", rules=[rule()])
    on.vms[1].send(bytes(FROM_VM[case]))
    wait_taken(on, 1)
    assert on.switch.drops() == {case.partition("-")[0]: 1}
    assert on.wire.receive(0.02) is None


FROM_UPLINK = {
    "untagged": arriving(MACS[1]),
    "extra_tags": arriving(MACS[1], 1, 1),
    "unknown_vm": arriving(MACS[1], 77),
    "unknown_vm-beyond-all": arriving(MACS[1], 4095),
    "destination_mac": arriving(MACS[1], 2),
    "destination_mac-of-a-broadcast-that-is-not-arp": arriving(BROADCAST, 1),
    "not_connected": arriving(MACS[3], 3),
}


@pytest.mark.parametrize("case", FROM_UPLINK)
def test_drops_from_the_uplink_by_name(on: Bench, case: str) -> None:
    on.wire.send(FROM_UPLINK[case])
    wait_arrived(on, 1)
    assert on.switch.drops() == {case.partition("-")[0]: 1}
    for vm in on.vms.values():
        assert vm.receive(0.02) is None


def test_a_guest_that_does_not_read_costs_only_its_own_frames(on: Bench) -> None:
    on.guest.send_signal(signal.SIGSTOP)
    try:
        for sent in range(100, 1001, 100):  # no more at once than the uplink's ring takes
            on.wire.send(*[arriving(MACS[1], 1)] * 100)
            wait_arrived(on, sent)
    finally:
        on.guest.send_signal(signal.SIGCONT)
    delivered = on.switch.of_vm(1)["to_vm"]["packets"]
    assert 0 < delivered < 1000
    for _round in range(delivered):
        assert on.vms[1].receive() is not None
    on.wire.send(arriving(MACS[2], 2))
    assert on.vms[2].receive() is not None


def test_what_a_full_uplink_refuses_is_counted_and_not_charged(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    on.where.set_link("uplink", "down")
    try:
        for sent in range(100, 2001, 100):
            on.vms[1].send(*[bytes(datagram())] * 100)
            wait_taken(on, sent)
        stats = on.switch.call("stats.get")
        assert on.switch.drops()["uplink_full"] == 2000 - stats["uplink"]["sent"]["packets"]
        assert stats["rules"][0]["packets"] == stats["uplink"]["sent"]["packets"]
        assert not on.switch.call("switch.info")["uplink"]["link_up"]
    finally:
        on.where.set_link("uplink", "up")
    on.wire.drain()
    wait_until("traffic resumes", lambda: passes(bytes(datagram()), on.vms[1], on.wire))


def test_removing_any_vm_leaves_the_others_alone(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    on.switch.call("port.add", vm=0, mac="02:00:00:00:00:00", socket_server="switch")
    for vm in (0, 3):
        assert on.switch.call("port.remove", vm=vm) == {"removed": True}
        assert not on.switch.vhost(vm).exists()
        on.vms[1].send(bytes(datagram()))
        assert on.wire.receive() == tagged(datagram(), 21, 22, 7)
        on.wire.send(arriving(MACS[2], 2))
        assert on.vms[2].receive() is not None
    on.switch.add_port(3)


def test_a_vm_can_be_removed_and_added_while_it_sends(on: Bench) -> None:
    """The guest that serves its socket is found again by the next port; no rule is inherited."""
    mine = rule(vm=2)
    frame = Ether(src=MACS[2], dst=PEER) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5001)
    for _round in range(3):
        on.switch.call("rule.set", rules=[mine])
        on.vms[2].send(*[bytes(frame)] * 500)
        assert on.switch.call("port.remove", vm=2) == {"removed": True}
        assert on.switch.add_port(2, "qemu")["socket_server"] == "qemu"
        assert on.switch.call("rule.list", vm=2) == {"rules": []}
        wait_until("the guest is back", lambda: on.switch.is_connected(2))
    on.wire.send(arriving(MACS[2], 2))
    wait_until("the VM receives again", lambda: on.vms[2].receive(1))


def test_without_an_uplink_frames_are_dropped_by_name(tmp_path: pathlib.Path) -> None:
    with (
        namespace(f"no-uplink-{os.getpid()}") as where,
        bench(where, tmp_path, {1: "switch"}, uplink=None) as on,
    ):
        assert on.switch.call("switch.info")["uplink"] is None
        on.switch.call("rule.set", rules=[rule()])
        on.vms[1].send(bytes(datagram()))
        wait_until("the frame is dropped", lambda: on.switch.drops() == {"no_uplink": 1})
