"""A hostile guest whose frames lie, or are too many: the others keep their traffic, and nothing wrong leaves."""

from __future__ import annotations

import contextlib
import random
import typing as t

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw
from switch_control_frame import acknowledgement, control_frame
from switch_fixtures import MACS, Bench, wait_until
from switch_hostile import hostile_bench, surviving, victim_sends
from switch_rules import (
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
    delivered,
    identity,
    normal,
    numbered,
    padded,
    rule,
    tagged,
    wildcard,
)
from virtio_ring import HEADER

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL_FRAME_LENGTH = 66  # with its number of tags
OUT = Ether(src=MACS[1], dst=PEER)
IP4 = IP(src=HERE, dst=THERE)
IP6 = IPv6(src=HERE6, dst=THERE6)


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with hostile_bench(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture
def on(whole_bench: Bench) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(surviving(whole_bench))


SPOOFED = {
    "the-mac-of-another-vm": (Ether(src=MACS[2], dst=PEER) / datagram().payload, "source_mac"),
    "the-mac-of-vm-0": (Ether(src=MACS[0], dst=PEER) / datagram().payload, "source_mac"),
    "a-group-as-source": (Ether(src="01:00:00:00:00:01", dst=PEER) / datagram().payload, "source_mac"),
    "the-tag-of-another-vm": (OUT / Dot1Q(vlan=2) / datagram().payload, "guest_tagged"),
    "the-tags-of-a-path": (OUT / Dot1Q(vlan=21) / Dot1Q(vlan=7) / datagram().payload, "guest_tagged"),
    "a-priority-tag": (OUT / Dot1Q(vlan=0, prio=7) / datagram().payload, "guest_tagged"),
    "the-tag-of-old": (Ether(src=MACS[1], dst=PEER, type=0x9100) / Raw(bytes(50)), "guest_tagged"),
    "arp-of-another": (arp(sender=MACS[2]), "arp_sender"),
    "a-control-frame": (control_frame(source=MACS[1]), "control_role"),
    "a-control-frame-of-vm-0": (control_frame(), "source_mac"),
    "a-control-frame-in-a-tag": (
        Ether(src=MACS[1], dst=PEER) / Dot1Q(vlan=1, type=0xBEBE) / Raw(bytes(60)),
        "guest_tagged",
    ),
}


@pytest.mark.parametrize("case", SPOOFED)
def test_claims_what_it_is_not(on: Bench, case: str) -> None:
    """Also where its rule takes every frame."""
    on.switch.call("rule.set", rules=[wildcard(), rule(2)])
    frame, name = SPOOFED[case]
    on.vms[1].send(*[bytes(frame)] * 10)
    wait_until("all are dropped", lambda: on.switch.drops() == {name: 10})
    assert on.wire.receive(0) is None
    assert on.switch.call("rule.list", vm=1)["rules"] == [normal(rule(1)), normal(wildcard())]


# A frame of each kind, whole: for which there is a rule.
KINDS: dict[str, Packet] = {
    "udp": datagram(),
    "udp-behind-ip-options": datagram(options=b"\x01" * 40, size=140),
    "tcp": padded(OUT / IP4 / TCP(sport=5000, dport=5001), 100),
    "icmp": padded(OUT / IP4 / ICMP(), 100),
    "a-fragment": datagram(flags="MF"),
    "udp-over-ipv6": OUT / IP6 / UDP() / Raw(bytes(20)),
    "ipv6-with-extension-headers": OUT
    / IP6
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrRouting()
    / IPv6ExtHdrDestOpt()
    / UDP()
    / Raw(bytes(20)),
    "a-fragment-of-ipv6": OUT / IP6 / IPv6ExtHdrFragment(m=1, nh=17) / UDP() / Raw(bytes(20)),
    "arp": arp(),
    "neighbour-discovery": OUT / IP6 / ICMPv6ND_NS(tgt=THERE6) / ICMPv6NDOptSrcLLAddr(lladdr=MACS[1]),
}


@pytest.mark.parametrize("case", KINDS)
def test_sends_every_truncation_of(on: Bench, case: str) -> None:
    """Only the whole frame leaves, though the rule takes every frame."""
    on.switch.call("rule.set", rules=[wildcard(), rule(2)])
    whole = bytes(KINDS[case])
    on.vms[1].send(*(whole[:length] for length in range(1, len(whole) + 1)))
    wait_until("all the others are dropped", lambda: on.switch.drops() == {"truncated": len(whole) - 1})
    assert on.wire.receive_all(0.02) == [tagged(whole, *TAGS)]


def test_sends_every_truncation_of_a_control_frame(on: Bench) -> None:
    """VM 0's: each is answered, and only the whole one sets its rule."""
    on.switch.call("rule.replace", vm=1, rules=[])
    whole = bytes(control_frame())
    on.vms[0].send(*(whole[:length] for length in range(1, 14)))
    wait_until("they are no frames", lambda: on.switch.drops() == {"truncated": 13})
    for length in range(14, len(whole)):
        answer = ask(on, whole[:length])
        assert answer.status != 0, f"{length} of {len(whole)} bytes are accepted"
        assert answer.reason
    assert on.switch.call("rule.list", vm=1)["rules"] == []
    assert ask(on, whole).status == 0
    assert [found["slot"] for found in on.switch.call("rule.list", vm=1)["rules"]] == [3]


def ask(on: Bench, frame: bytes) -> t.Any:
    on.vms[0].send(frame)
    answer = on.vms[0].receive()
    assert answer is not None, "no acknowledgement"
    return acknowledgement(answer)


def test_vm_0_names_every_vm(on: Bench) -> None:
    """Only those that there are get a rule."""
    for vm in range(256):
        answer = ask(on, bytes(control_frame(vm=vm)))
        assert (answer.vm, answer.slot, answer.status == 0) == (vm, 3, vm in on.vms)


def test_vm_0_names_every_rule_id(on: Bench) -> None:
    for slot in range(256):
        answer = ask(on, bytes(control_frame(slot=slot, source_port=slot)))
        assert (answer.vm, answer.slot, answer.status) == (1, slot, 0)
    found = on.switch.call("rule.list", vm=1)["rules"]
    assert sorted(of["slot"] for of in found if "slot" in of) == list(range(256))


BORDERS = {*range(34), 127, 128, 255, 256, 257, 511, 512, 1024, 4095, 32767, 32768, 65534, 65535}


def test_vm_0_announces_tags_that_it_does_not_send(on: Bench) -> None:
    """Every number that is above 10, or more than the frame has: refused, and the rule is as it was."""
    assert ask(on, bytes(control_frame())).status == 0
    before = on.switch.call("rule.list", vm=1)
    chance = random.Random(65535)
    for count in sorted({*BORDERS, *(chance.randrange(65536) for _draw in range(200))} - {0, 1, 2, 3}):
        assert ask(on, bytes(control_frame(count=count))).status != 0, f"{count} tags are accepted"
        if count > 10:
            many = control_frame(tags=[7] * min(count, 300), count=count)
            assert ask(on, bytes(many)).status != 0, f"{count} tags are accepted"
    assert on.switch.call("rule.list", vm=1) == before


WRONG_CONTROL_FRAMES: dict[str, dict[str, t.Any]] = {
    "the-tag-0": {"tags": [0]},
    "the-tag-4095": {"tags": [4095]},
    "no-rate": {"rate_bps": 0},
    "a-rate-above-400-gbit": {"rate_bps": 400 * 10**9 + 1},
    "the-highest-rate": {"rate_bps": 2**64 - 1},
    "no-burst": {"burst_bits": 0},
    "a-burst-above-all": {"burst_bits": 2**63},
    "ports-where-there-are-none": {"protocol": 1},
}


@pytest.mark.parametrize("case", WRONG_CONTROL_FRAMES)
def test_vm_0_asks_for_a_wrong_rule_with(on: Bench, case: str) -> None:
    before = on.switch.call("rule.list")
    assert ask(on, bytes(control_frame(**WRONG_CONTROL_FRAMES[case]))).status != 0
    assert on.switch.call("rule.list") == before


@pytest.mark.parametrize("size", [1514 + 40 + 1, 2000, 4096 - HEADER, 9014, 65535, 65536, 250 * 4096])
def test_sends_an_oversized_frame(on: Bench, size: int) -> None:
    on.vms[1].send(bytes(datagram(100)) + bytes(size - 100))
    wait_until("it is dropped", lambda: on.switch.drops() == {"oversize": 1})
    assert on.wire.receive(0) is None


@pytest.mark.parametrize("declared", [28, 100, 500])
def test_declares_less_than_it_sends(on: Bench, declared: int) -> None:
    """The cost is the frame's, whatever its header says."""
    frame = datagram(1000, len=declared)
    for burst, passing in ((cost_bits(1000), 1), (cost_bits(1000) - 1, 0)):
        on.switch.call("rule.delete", rules=[identity(rule())])
        on.switch.call("stats.reset")
        on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=burst, mode="police")])
        on.vms[1].send(bytes(frame))
        on.vms[1].wait_taken()
        wait_until("it is dealt with", lambda: on.switch.of_vm(1)["from_vm"]["packets"] == 1)
        assert len(on.wire.receive_all(0.01)) == passing
        assert on.switch.drops() == ({} if passing else {"over_rate": 1})


def test_never_refills_its_receive_ring(on: Bench) -> None:
    ring, rounds, each = on.vms[1].ring_size, 100, 20
    for _round in range(rounds):
        on.wire.send(*[arriving(1), arriving(2)] * each)
        assert [on.vms[2].receive() for _frame in range(each)] == [delivered(2)] * each
    assert on.switch.drops() == {"guest_full": rounds * each - ring}


FLOODS = {
    "frames-without-a-rule": (datagram(src="10.0.0.1"), {"no_rule"}),
    "frames-above-its-rate": (datagram(), {"queue_full", "buffers_full"}),
    "spoofed-frames": (Ether(src=PEER, dst=PEER), {"source_mac"}),
    "control-frames": (control_frame(source=MACS[1]), {"control_role"}),
    "arp": (arp(target="10.0.0.1"), {"arp_no_rule"}),
}


@pytest.mark.parametrize("case", FLOODS)
def test_floods_the_switch_with(on: Bench, case: str) -> None:
    """While VM 2 sends, frame by frame; it loses none."""
    frame, names = FLOODS[case]
    on.switch.call("rule.set", rules=[rule(1, rate_bps=10**6, burst_bits=10**4)])
    sent, batches = 0, iter(range(0, 10_000, 50))
    frames = numbered(10_000, vm=2)
    with on.vms[1].repeating(bytes(frame)) as repeater:
        for start in batches:
            sent += repeater.push(256)
            victim_sends(on, frames[start : start + 50])
    drops = on.switch.of_vm(1)["drops"]
    assert sent > 2000
    assert {name for name, count in drops.items() if count} & names
    assert on.switch.of_vm(2)["drops"] == dict.fromkeys(drops, 0)


def test_floods_its_own_control(on: Bench) -> None:
    """VM 0 sends control frames without end: the socket answers, and the other VMs' frames pass."""
    frames = numbered(2000, vm=2)
    with on.vms[0].repeating(bytes(control_frame())) as repeater:
        for start in range(0, len(frames), 50):
            repeater.push(256)
            victim_sends(on, frames[start : start + 50])
            on.vms[0].drain()
            assert on.switch.call("switch.info")["name"] == "alpha"
    on.wait_idle()
    on.vms[0].drain()
