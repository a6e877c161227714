"""What the switch does with frames: matched, tagged, shaped or not, delivered; ARP and ND along the rule."""

from __future__ import annotations

import typing as t

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from switch_fixtures import MACS, Bench, bench, wait_until
from switch_rules import (
    BROADCAST,
    ELSEWHERE,
    HERE,
    HERE6,
    PEER,
    TAGS,
    THERE,
    THERE6,
    arp,
    arriving,
    datagram,
    delivered,
    identity,
    numbered,
    padded,
    rule,
    tagged,
    wildcard,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

JUMBO_MTU = 9000
OUT = Ether(src=MACS[1], dst=PEER)
UDP6 = UDP(sport=5000, dport=5001)
IP6 = IPv6(src=HERE6, dst=THERE6)
RULE6 = rule(source_ip=HERE6, destination_ip=THERE6)


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A switch with VM 1 (the switch serves the socket) and VM 2 (the guest serves it), for jumbo frames."""
    directory = tmp_path_factory.mktemp("frames")
    with bench(directory, {1: "switch", 2: "qemu"}, arguments=("--mtu", str(JUMBO_MTU))) as made:
        yield made


def assert_leaves(on: Bench, frame: Packet | bytes, *vids: int, tpid: int = 0x8100) -> None:
    """Send VM 1's frame and see it on the wire with these tags, and nothing else."""
    on.vms[1].send(bytes(frame))
    assert on.wire.receive() == tagged(frame, *vids, tpid=tpid)
    assert on.wire.receive(0) is None
    assert on.switch.drops() == {}


def assert_dropped(on: Bench, frame: Packet | bytes, name: str) -> None:
    on.vms[1].send(bytes(frame))
    wait_until(f"the frame is dropped: {name}", lambda: on.switch.drops() == {name: 1})
    assert on.wire.receive(0) is None


@pytest.mark.parametrize("tpid", ["802.1Q", "802.1ad"])
@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([7], id="the-destination-alone"),
        pytest.param([21, 22, 7], id="outermost-first"),
        pytest.param([4094, 1, 7], id="the-extremes"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], id="ten"),
    ],
)
def test_pushes_the_tags_of_the_rule(on: Bench, tags: list[int], tpid: str) -> None:
    on.switch.call("rule.set", rules=[rule(tags=tags, tpid=tpid)])
    assert_leaves(on, datagram(), *tags, tpid={"802.1Q": 0x8100, "802.1ad": 0x88A8}[tpid])


def test_leaves_a_frame_untagged_where_its_rule_has_no_tags(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule(tags=[])])
    assert_leaves(on, datagram())


EXACT = {
    "udp": (rule(), datagram()),
    "udp-behind-ip-options": (rule(), datagram(options=b"\x01\x01\x01\x01")),
    "udp-without-a-checksum-right": (rule(), datagram(chksum=1)),
    "tcp": (rule(protocol=6), OUT / IP(src=HERE, dst=THERE) / TCP(sport=5000, dport=5001)),
    "icmp": (rule(protocol=1, source_port=0, destination_port=0), OUT / IP(src=HERE, dst=THERE) / ICMP()),
    "a-protocol-without-ports": (
        rule(protocol=47, source_port=0, destination_port=0),
        OUT / IP(src=HERE, dst=THERE, proto=47) / Raw(bytes(20)),
    ),
    "udp-over-ipv6": (RULE6, OUT / IP6 / UDP6),
    "udp-over-ipv6-behind-extension-headers": (
        RULE6,
        OUT / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt() / UDP6,
    ),
    "icmp-over-ipv6": (
        rule(protocol=58, source_ip=HERE6, destination_ip=THERE6, source_port=0, destination_port=0),
        OUT / IP6 / ICMPv6EchoRequest(),
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_matches_exactly_its_flow_and_counts_it(on: Bench, case: str) -> None:
    wanted, frame = EXACT[case]
    on.switch.call("rule.set", rules=[wanted])
    assert_leaves(on, frame, *TAGS)
    stats = on.switch.call("stats.get")
    counted = stats["rules"][0]
    assert counted | {**identity(wanted), "packets": 1, "bytes": len(frame)} == counted
    assert stats["uplink"]["sent"] == {"packets": 1, "bytes": len(frame) + 4 * len(TAGS)}
    assert on.switch.of_vm(1)["from_vm"] == {"packets": 1, "bytes": len(frame)}


WILDCARDS = {
    "all-of-a-vm": wildcard(),
    "a-destination-mac": wildcard(destination_mac=PEER),
    "an-ether-type": wildcard(ether_type=0x0800),
    "a-protocol": wildcard(protocol=17),
    "a-source": wildcard(source_ip=HERE),
    "a-source-prefix": wildcard(source_ip="10.0.0.0/8"),
    "a-destination-prefix": wildcard(destination_ip="10.20.0.16/29"),
    "a-destination-port": wildcard(protocol=17, destination_port=5001),
    "a-source-port": wildcard(protocol=17, source_port=5000),
}
OTHERS = {
    "all-of-a-vm": None,
    "a-destination-mac": datagram().__class__(bytes(Ether(src=MACS[1], dst=MACS[9]) / datagram().payload)),
    "an-ether-type": OUT / IP6 / UDP6,
    "a-protocol": OUT / IP(src=HERE, dst=THERE) / TCP(sport=5000, dport=5001),
    "a-source": datagram(src=ELSEWHERE),
    "a-source-prefix": datagram(src="11.20.0.11"),
    "a-destination-prefix": datagram(dst="10.20.0.24"),
    "a-destination-port": OUT / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5002),
    "a-source-port": OUT / IP(src=HERE, dst=THERE) / UDP(sport=5002, dport=5001),
}


@pytest.mark.parametrize("case", WILDCARDS)
def test_a_wildcard_matches_what_it_names_and_nothing_else(on: Bench, case: str) -> None:
    on.switch.call("rule.set", rules=[WILDCARDS[case]])
    assert_leaves(on, datagram(), *TAGS)
    other = OTHERS[case]
    if other is not None:
        assert_dropped(on, other, "no_rule")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(wildcard(priority=2), rule(priority=1), id="the-higher-priority"),
        pytest.param(rule(), wildcard(source_ip="10.0.0.0/8"), id="of-equal-priority-the-closer-match"),
        pytest.param(
            wildcard(source_ip="10.20.0.0/16"), wildcard(source_ip="10.0.0.0/8"), id="the-longer-prefix"
        ),
        pytest.param(wildcard(priority=65535), wildcard(priority=0, protocol=17), id="the-highest-priority"),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["set-first", "set-last"])
def test_of_several_matches_wins(
    on: Bench, one: dict[str, t.Any], other: dict[str, t.Any], turned: bool
) -> None:
    rules = [one | {"tags": [11]}, other | {"tags": [12]}]
    for wanted in reversed(rules) if turned else rules:
        on.switch.call("rule.set", rules=[wanted])
    assert_leaves(on, datagram(), 11)


FRAGMENTS = {
    "the-first": datagram(flags="MF"),
    "a-later-one": datagram(frag=100),
    "the-first-of-ipv6": OUT / IP6 / IPv6ExtHdrFragment(m=1, nh=17) / UDP6,
    "a-later-one-of-ipv6": OUT / IP6 / IPv6ExtHdrFragment(offset=10, nh=17) / Raw(bytes(40)),
}


@pytest.mark.parametrize("case", FRAGMENTS)
def test_a_fragment_matches_only_a_rule_that_leaves_the_ports_open(on: Bench, case: str) -> None:
    ends = {"source_ip": HERE6, "destination_ip": THERE6} if "ipv6" in case else {}
    on.switch.call("rule.set", rules=[rule(**ends)])
    assert_dropped(on, FRAGMENTS[case], "fragment")
    on.switch.call("stats.reset")
    on.switch.call("rule.set", rules=[wildcard(protocol=17, tags=[9])])
    assert_leaves(on, FRAGMENTS[case], 9)


@pytest.mark.parametrize("vm", [1, 2])
@pytest.mark.parametrize("tpid", [0x8100, 0x88A8])
def test_delivers_by_the_last_tag_and_the_mac(on: Bench, vm: int, tpid: int) -> None:
    on.wire.send(tagged(delivered(vm), vm, tpid=tpid))
    assert on.vms[vm].receive() == delivered(vm)
    assert on.switch.of_vm(vm)["to_vm"] == {"packets": 1, "bytes": len(delivered(vm))}


def test_delivers_to_a_group_address_what_its_tag_names(on: Bench) -> None:
    question = ARP(hwsrc=PEER, psrc=THERE, pdst=HERE)
    on.wire.send(arriving(1, payload=question, destination=BROADCAST))
    assert on.vms[1].receive() == delivered(1, question, BROADCAST)
    assert on.vms[2].receive(0) is None, "nothing is flooded"


def test_vms_of_one_host_talk_directly(on: Bench) -> None:
    frame = Ether(src=MACS[1], dst=MACS[2]) / datagram().payload
    on.switch.call("rule.set", rules=[rule(tags=[], destination_vm=2)])
    on.vms[1].send(bytes(frame))
    assert on.vms[2].receive() == bytes(frame)
    assert on.wire.receive(0) is None
    assert on.switch.drops() == {}
    assert on.switch.of_vm(2)["to_vm"]["packets"] == 1


NEIGHBOURS = {
    "an-arp-request": (rule(), arp()),
    "an-arp-reply": (rule(), arp(op=2, hwdst=PEER)),
    "a-solicitation": (
        RULE6,
        Ether(src=MACS[1], dst="33:33:ff:00:00:21")
        / IPv6(src=HERE6, dst="ff02::1:ff00:21")
        / ICMPv6ND_NS(tgt=THERE6)
        / ICMPv6NDOptSrcLLAddr(lladdr=MACS[1]),
    ),
    "an-advertisement": (
        RULE6,
        OUT / IP6 / ICMPv6ND_NA(tgt=HERE6) / ICMPv6NDOptDstLLAddr(lladdr=MACS[1]),
    ),
}


@pytest.mark.parametrize("case", NEIGHBOURS)
def test_neighbour_discovery_between_the_ends_follows_the_rule(on: Bench, case: str) -> None:
    wanted, frame = NEIGHBOURS[case]
    on.switch.call("rule.set", rules=[wanted])
    assert_leaves(on, frame, *TAGS)
    assert on.switch.call("stats.get")["rules"][0]["packets"] == 1


def test_arp_stays_as_long_as_any_rule_between_the_ends(on: Bench) -> None:
    """It goes the way of the oldest one."""
    first, second = rule(tags=[11]), rule(protocol=1, source_port=0, destination_port=0, tags=[12])
    on.switch.call("rule.set", rules=[first])
    on.switch.call("rule.set", rules=[second])
    assert_leaves(on, arp(), 11)
    on.switch.call("rule.delete", rules=[identity(first)])
    assert_leaves(on, arp(), 12)
    on.switch.call("rule.delete", rules=[identity(second)])
    assert_dropped(on, arp(), "arp_no_rule")


def test_a_changed_rule_changes_the_tags_at_once(on: Bench) -> None:
    for tags in ([21, 7], [31, 32, 7], [7]):
        on.switch.call("rule.set", rules=[rule(tags=tags)])
        assert_leaves(on, datagram(), *tags)


def test_a_replaced_table_is_one_step(on: Bench) -> None:
    """While a rule and its wildcard are exchanged again and again, each frame meets one of the two."""
    tables = [[rule(tags=[11])], [wildcard(tags=[12])]]
    frames = numbered(2000)
    on.switch.call("rule.replace", vm=1, rules=tables[0])
    got = []
    for n, frame in enumerate(frames):
        on.vms[1].send(frame)
        if n % 10 == 0:
            on.switch.call("rule.replace", vm=1, rules=tables[n // 10 % 2])
        got += on.wire.receive_all()
    on.vms[1].wait_taken()
    got += on.wire.receive_all(0.05)
    assert [frame[-4:] for frame in got] == [frame[-4:] for frame in frames]
    assert {frame[15] for frame in got} == {11, 12}
    assert on.switch.drops() == {}


def test_carries_jumbo_frames_both_ways(on: Bench) -> None:
    """To a guest with buffers of 4 KiB such a frame takes three of them."""
    on.switch.call("rule.set", rules=[rule()])
    whole = datagram(14 + JUMBO_MTU)
    assert_leaves(on, whole, *TAGS)
    payload = padded(IP(src=THERE, dst=HERE) / UDP(), JUMBO_MTU)
    on.wire.send(arriving(1, payload=payload))
    assert on.vms[1].receive() == delivered(1, payload)


def test_an_untagged_frame_goes_to_its_mac_where_that_is_accepted(tmp_path: t.Any) -> None:
    with bench(tmp_path, {1: "switch"}, arguments=("--accept-untagged",)) as on:
        on.wire.send(delivered(1), delivered(9), arriving(1))
        assert on.vms[1].receive() == delivered(1)
        assert on.vms[1].receive() == delivered(1)
        wait_until("the stranger's is dropped", lambda: sum(on.switch.drops().values()) == 1)


def test_removing_any_vm_leaves_the_others_alone(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    for vm in (0, 3):
        on.switch.add_port(vm)
        assert on.switch.call("port.remove", vm=vm)["removed"]
        assert not on.switch.vhost(vm).exists()
        assert_leaves(on, datagram(), *TAGS)
        on.wire.send(arriving(2))
        assert on.vms[2].receive() == delivered(2)


def test_a_vm_can_be_removed_and_added_while_it_sends(on: Bench) -> None:
    """The guest that serves its socket is found again by the next port; no rule is inherited."""
    guest = on.vms[2]
    for _round in range(3):
        on.switch.call("rule.set", rules=[rule(2)])
        guest.send(*[bytes(datagram(vm=2))] * 200)
        assert on.switch.call("port.remove", vm=2)["removed"]
        guest.disconnect()
        assert on.switch.add_port(2, "qemu")["socket_server"] == "qemu"
        assert on.switch.call("rule.list", vm=2) == {"rules": []}
        guest.open()
        guest.wait_taken()
        on.wire.drain()
        on.switch.call("stats.reset")
        guest.send(bytes(datagram(vm=2)))
        wait_until("its frame has no rule", lambda: on.switch.drops() == {"no_rule": 1})
    on.wire.send(arriving(2))
    assert guest.receive() == delivered(2)
