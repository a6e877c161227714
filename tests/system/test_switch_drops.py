"""Every drop has a name, and each name is provoked here: one row of DROPS per name, one frame or one situation."""

from __future__ import annotations

import contextlib
import re
import typing as t

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
from switch_control_frame import control_frame
from switch_fixtures import MACS, SOURCE, WIRE_RING, Bench, Switch, bench, running, wait_until
from switch_lldp import LLDP_GROUP, NEIGHBOURS_MAX, lldp, neighbors
from switch_rules import (
    ELSEWHERE,
    HERE,
    HERE6,
    PEER,
    THERE,
    THERE6,
    arp,
    arriving,
    cost_bits,
    datagram,
    delivered,
    identity,
    rule,
    tagged,
    wildcard,
)
from vhost_guest import Guest

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

VM_BUFFERS = 64
OUT = Ether(src=MACS[1], dst=PEER)
IP6 = IPv6(src=HERE6, dst=THERE6)
SLOW = rule(rate_bps=1, burst_bits=cost_bits(100))  # one frame, and then none for minutes
SOLICITATION = Ether(src=MACS[1], dst="33:33:ff:00:00:21") / IPv6(src=HERE6, dst="ff02::1:ff00:21")

# name, or name-variant -> a frame of VM 1, which has rule()
FROM_VM = {
    "truncated": Ether(src=MACS[1], dst=PEER, type=0x0800) / Raw(b"\x45\x00"),
    "truncated-in-front-of-its-type": b"\x02\x00\x00\x00",
    "truncated-by-its-own-length": datagram(len=1000),
    "truncated-ipv6": OUT / IPv6(src=HERE6, dst=THERE6, plen=1000) / UDP(),
    "truncated-extension-header": OUT / IP6 / IPv6ExtHdrDestOpt(len=9),
    "malformed": datagram(version=5),
    "malformed-header-length": datagram(ihl=4),
    "malformed-jumbogram": OUT / IPv6(src=HERE6, dst=THERE6, plen=0) / IPv6ExtHdrHopByHop(),
    "malformed-solicitation": SOLICITATION.__class__(
        bytes(SOLICITATION / ICMPv6ND_NS(tgt=THERE6)).replace(b"\x3a\xff\xfd", b"\x3a\x40\xfd")
    ),
    "source_mac": Ether(src=PEER, dst=PEER) / datagram().payload,
    "source_mac-of-another-vm": Ether(src=MACS[2], dst=PEER) / datagram().payload,
    "guest_tagged": OUT / Dot1Q(vlan=21) / datagram().payload,
    "guest_tagged-by-802.1ad": OUT / Dot1AD(vlan=21) / datagram().payload,
    "guest_lldp": Ether(src=MACS[1], dst=LLDP_GROUP, type=0x88CC) / Raw(bytes(46)),
    "guest_lldp-to-a-vm": Ether(src=MACS[1], dst=MACS[2], type=0x88CC) / Raw(bytes(46)),
    "arp_sender": arp(sender=PEER),
    "nd_sender": SOLICITATION / ICMPv6ND_NS(tgt=THERE6) / ICMPv6NDOptSrcLLAddr(lladdr=PEER),
    "control_role": Ether(bytes(control_frame(source=MACS[1]))),
    "no_rule": OUT / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5002),
    "no_rule-other-protocol": OUT / IP(src=HERE, dst=THERE) / TCP(sport=5000, dport=5001),
    "no_rule-other-ether-type": OUT.__class__(src=MACS[1], dst=PEER, type=0x88F7) / Raw(bytes(46)),
    "no_rule-802.3-length": OUT.__class__(src=MACS[1], dst=PEER, type=46) / Raw(bytes(46)),
    "fragment": datagram(flags="MF"),
    "fragment-behind-the-first": datagram(frag=100),
    "fragment-of-ipv6": OUT / IP6 / IPv6ExtHdrFragment(m=1, nh=17) / UDP(),
    "arp_no_rule": arp(target=ELSEWHERE),
    "nd_no_rule": SOLICITATION / ICMPv6ND_NS(tgt=THERE6) / ICMPv6NDOptSrcLLAddr(lladdr=MACS[1]),
    "oversize": datagram(14 + 1500 + 4 * 10 + 1),
    "oversize-for-one-buffer": datagram(9000),
}

# name, or name-variant -> a frame on the wire
FROM_UPLINK = {
    "truncated": b"\x02\x00\x00",
    "truncated-in-its-tag": arriving(1)[:15],
    "malformed": bytes(Ether(src=PEER, dst=LLDP_GROUP, type=0x88CC) / Raw(bytes(46))),
    "untagged": delivered(1),
    "untagged-lldp-to-a-vm": bytes(Ether(src=PEER, dst=MACS[1], type=0x88CC) / Raw(bytes(46))),
    "extra_tags": arriving(1, 1, 1),
    "extra_tags-of-two-kinds": tagged(tagged(delivered(1), 1), 1, tpid=0x88A8),
    "unknown_vm": arriving(1, 77),
    "unknown_vm-beyond-all": arriving(1, 4095),
    "destination_mac": arriving(1, 2),
    "not_connected": arriving(3),
}


def name_of(case: str) -> str:
    return case.partition("-")[0]


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A switch with VM 0, VM 1 and VM 2, and VM 3 without a guest."""
    directory = tmp_path_factory.mktemp("drops")
    vms = {0: "switch", 1: "switch", 2: "qemu"}
    with bench(directory, vms, arguments=("--vm-buffers", str(VM_BUFFERS))) as made:
        made.switch.add_port(3)
        yield made


def wait_dropped(on: Bench, **expected: int) -> None:
    wait_until(f"drops are {expected}", lambda: on.switch.drops() == expected)


@pytest.mark.parametrize("case", FROM_VM)
def test_drops_from_a_vm(on: Bench, case: str) -> None:
    on.switch.call("rule.set", rules=[rule()])
    on.vms[1].send(bytes(FROM_VM[case]))
    wait_dropped(on, **{name_of(case): 1})
    assert on.wire.receive(0) is None


@pytest.mark.parametrize("case", FROM_UPLINK)
def test_drops_from_the_uplink(on: Bench, case: str) -> None:
    on.wire.send(FROM_UPLINK[case])
    wait_dropped(on, **{name_of(case): 1})
    assert all(guest.receive(0) is None for guest in on.vms.values())


def over_rate(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW | {"mode": "police"}])
    on.vms[1].send(*[bytes(datagram())] * 5)
    wait_dropped(on, over_rate=4)


def queue_full(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW | {"queue_packets": 3}])
    on.vms[1].send(*[bytes(datagram())] * 10)
    wait_dropped(on, queue_full=6)


def queue_full_by_bytes(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW | {"queue_bytes": 399}])
    on.vms[1].send(*[bytes(datagram())] * 10)
    wait_dropped(on, queue_full=6)


def buffers_full(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(*[bytes(datagram())] * (1 + VM_BUFFERS + 7))
    wait_dropped(on, buffers_full=7)


def rule_removed(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(*[bytes(datagram())] * 5)
    on.vms[1].wait_taken()
    on.switch.call("rule.delete", rules=[identity(SLOW)])
    wait_dropped(on, rule_removed=4)


def rule_removed_with_its_port(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(*[bytes(datagram())] * 5)
    on.vms[1].wait_taken()
    wait_until("it waits", lambda: on.switch.buffers_in_use() == 4)
    on.switch.call("port.remove", vm=1)
    on.wait_idle()
    on.vms[1].disconnect()
    on.switch.add_port(1)
    on.vms[1].open()


def unknown_vm(on: Bench) -> None:
    """A rule to a VM of this host whose port has gone."""
    on.switch.add_port(4)
    on.switch.call("rule.set", rules=[rule(tags=[], destination_vm=4)])
    on.switch.call("port.remove", vm=4)
    on.vms[1].send(bytes(datagram()))
    wait_dropped(on, unknown_vm=1)


def destination_mac(on: Bench) -> None:
    """A rule to a VM of this host, which has another MAC than the frame."""
    on.switch.call("rule.set", rules=[rule(tags=[], destination_vm=2)])
    on.vms[1].send(bytes(datagram()))
    wait_dropped(on, destination_mac=1)


def uplink_full(on: Bench) -> None:
    """The wire takes no more than its ring has room for."""
    on.switch.call("rule.set", rules=[wildcard()])
    for _round in range(WIRE_RING // 64 + 1):
        on.vms[1].send(*[bytes(datagram())] * 64)
        on.vms[1].wait_taken()
    wait_dropped(on, uplink_full=64)
    assert on.switch.call("stats.get")["rules"][0]["packets"] == WIRE_RING
    assert on.wire.drain() == WIRE_RING


def guest_full(on: Bench) -> None:
    ring = on.vms[1].ring_size
    on.wire.send(*[arriving(1)] * (ring + 50))
    wait_dropped(on, guest_full=50)
    assert on.vms[1].drain() == ring


def lldp_full(on: Bench) -> None:
    """More neighbours at once than the switch has places for; they go away again."""
    on.wire.send(*[lldp(number) for number in range(30)])
    wait_dropped(on, lldp_full=30 - NEIGHBOURS_MAX)
    wait_until("they have a place", lambda: len(neighbors(on.switch)) == NEIGHBOURS_MAX)
    on.wire.send(*[lldp(number, ttl_s=0) for number in range(NEIGHBOURS_MAX)])
    wait_until("they are gone", lambda: not neighbors(on.switch))
    wait_dropped(on, lldp_full=30 - NEIGHBOURS_MAX)


def control_full(on: Bench) -> None:
    """More than control can save, which a flood brings sooner or later."""
    with on.vms[0].repeating(bytes(control_frame())) as repeater:
        for _round in range(100):
            repeater.send(1000)
            if on.switch.drops().get("control_full"):
                break
    on.vms[0].drain()
    assert on.switch.drops().keys() == {"control_full"}


SITUATIONS: dict[str, Callable[[Bench], None]] = {
    "over_rate": over_rate,
    "queue_full": queue_full,
    "queue_full-by-bytes": queue_full_by_bytes,
    "buffers_full": buffers_full,
    "rule_removed": rule_removed,
    "rule_removed-with-its-port": rule_removed_with_its_port,
    "unknown_vm": unknown_vm,
    "destination_mac": destination_mac,
    "uplink_full": uplink_full,
    "guest_full": guest_full,
    "control_full": control_full,
    "lldp_full": lldp_full,
}
ELSEWHERE_PROVOKED = {"no_uplink", "inbox_full"}  # by the last two tests


@pytest.mark.parametrize("case", SITUATIONS)
def test_drops_in_a_situation(on: Bench, case: str) -> None:
    SITUATIONS[case](on)


def test_drops_without_an_uplink(tmp_path: pathlib.Path) -> None:
    with running(Switch(tmp_path)) as switch:
        switch.add_port(1)
        switch.call("rule.set", rules=[rule()])
        guest = Guest(switch.vhost(1)).open()
        guest.send(bytes(datagram()))
        wait_until("the frame is dropped", lambda: switch.drops() == {"no_uplink": 1})
        guest.close()


def test_drops_for_a_data_core_that_is_behind(tmp_path: pathlib.Path) -> None:
    """VM 1's core is faster than VM 2's while these two share a processor: the inbox fills up."""
    with running(Switch(tmp_path, data_cores=2)) as switch, contextlib.ExitStack() as stack:
        sender, receiver = (Guest(switch.vhost(vm)) for vm in (1, 2))
        for vm, guest in ((1, sender), (2, receiver)):
            switch.add_port(vm)
            stack.callback(guest.close)
            guest.open()
        switch.call("rule.set", rules=[rule(tags=[], destination_vm=2)])
        frame = Ether(src=MACS[1], dst=MACS[2]) / datagram().payload
        with sender.repeating(bytes(frame)) as repeater:
            for _round in range(1000):
                repeater.send(5000)
                if switch.drops().get("inbox_full"):
                    break
        assert "inbox_full" in switch.drops()
        wait_until("every buffer is free", lambda: switch.buffers_in_use() == 0)


def test_every_name_is_provoked(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(bytes(datagram()), bytes(datagram()))
    stats = wait_until("it counts", lambda: on.switch.call("stats.get"))
    tables = [*stats["vms"], stats["uplink"], *stats["rules"]]
    told = {name for table in tables for name in table["drops"]}
    header = (SOURCE / "core" / "drop.h").read_text()
    named = set(re.findall(r'X\([A-Z_]+, "([a-z_]+)"', header))
    provoked = {name_of(case) for table in (FROM_VM, FROM_UPLINK, SITUATIONS) for case in table}
    assert told == named == provoked | ELSEWHERE_PROVOKED
