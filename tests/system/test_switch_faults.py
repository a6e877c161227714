"""The faults of the reference end host, each by its number in the contract, and what this switch does instead."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
import typing as t
from pathlib import Path

import pytest
from kernel_fixtures import UPLINK, namespace
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether
from switch_control_frame import SAVED, Acknowledgement, acknowledgement, control_frame
from switch_fixtures import (
    MACS,
    REPOSITORY,
    WIRE_RING,
    Bench,
    Switch,
    Unprivileged,
    bench,
    running,
    wait_until,
)
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
    numbered,
    rule,
    tagged,
    wildcard,
)
from vhost_guest import Guest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUT = Ether(src=MACS[1], dst=PEER)
TAGS_OF_THE_REFERENCE = range(11, 33)  # for which it has no room
MANY_RULES = 1000
SMALLEST = 42  # bytes of an empty UDP datagram's frame


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A switch with the VMs 0, 1 and 2."""
    with bench(tmp_path_factory.mktemp("faults"), {0: "switch", 1: "switch", 2: "qemu"}) as made:
        yield made


def send(on: Bench, *frames: t.Any) -> list[bytes]:
    """Send VM 1's frames, and return what leaves of them once the switch holds none."""
    before = on.switch.of_vm(1)["from_vm"]["packets"]
    on.vms[1].send(*map(bytes, frames))
    wait_until("they are taken", lambda: on.switch.of_vm(1)["from_vm"]["packets"] == before + len(frames))
    on.wait_idle()
    return on.wire.receive_all()


def ask(on: Bench, frame: t.Any) -> Acknowledgement:
    on.vms[0].send(bytes(frame))
    answer = on.vms[0].receive()
    assert answer is not None, "no acknowledgement"
    return acknowledgement(answer)


def writes_at_an_index_that_a_guest_brings(on: Bench) -> None:
    for vm, slot in ((3, 0), (65, 255), (255, 255)):
        assert ask(on, control_frame(vm=vm, slot=slot)).status != SAVED
    for slot in (0, 3, 255):
        assert ask(on, control_frame(slot=slot, source_port=slot)).status == SAVED
    assert [found["vm"] for found in on.switch.call("rule.list")["rules"]] == [1, 1, 1]


def gives_the_control_role_to_a_mac(on: Bench) -> None:
    """65 is 0 modulo 65."""
    mac = "02:00:00:00:00:41"
    on.switch.call("port.add", vm=9, mac=mac, socket_server="switch")
    guest = Guest(on.switch.vhost(9)).open()
    try:
        guest.send(bytes(control_frame(source=mac)), bytes(control_frame(source=MACS[0])))
        wait_until("both are dropped", lambda: on.switch.drops() == {"control_role": 1, "source_mac": 1})
    finally:
        guest.close()
        on.switch.call("port.remove", vm=9)
    assert on.switch.call("rule.list")["rules"] == []
    assert ask(on, control_frame()).status == SAVED


def leaks_its_memory_as_tags(on: Bench) -> None:
    whole = bytes(control_frame())
    for count in TAGS_OF_THE_REFERENCE:
        assert ask(on, control_frame(count=count)).status != SAVED
        assert ask(on, control_frame(tags=[7] * count)).status != SAVED
    for length in (15, 40, len(whole) - 1):
        assert ask(on, whole[:length]).status != SAVED
    assert send(on, datagram()) == []
    assert ask(on, whole).status == SAVED
    assert send(on, datagram()) == [tagged(datagram(), *TAGS)]


def reads_ports_from_the_wrong_place(on: Bench) -> None:
    """The options spell the ports of the rule, as does a later fragment, as does the rest of a truncated frame."""
    spelling = b"\x13\x88\x13\x89"  # 5000, 5001
    on.switch.call("rule.set", rules=[rule()])
    right = datagram(options=b"\x01" * 4)
    wrong = OUT / IP(src=HERE, dst=THERE, options=spelling) / UDP(sport=1, dport=2)
    later = OUT / IP(src=HERE, dst=THERE, frag=1, proto=17) / spelling / bytes(40)
    assert send(on, right, wrong, later, bytes(datagram())[:40]) == [tagged(right, *TAGS)]
    assert on.switch.drops() == {"no_rule": 1, "fragment": 1, "truncated": 1}


def believes_the_length_that_a_guest_declares(on: Bench) -> None:
    for frame, tags, cost in (
        (datagram(1000, len=28), TAGS, cost_bits(1000)),
        (datagram(SMALLEST), [], 8 * (8 + 64 + 12)),
    ):
        for burst, left in ((cost, 1), (cost - 1, 0)):
            on.switch.call("rule.replace", rules=[])
            on.switch.call("rule.set", rules=[rule(tags=tags, rate_bps=1, burst_bits=burst, mode="police")])
            assert len(send(on, frame)) == left


def drops_what_it_should_delay(on: Bench) -> None:
    """A burst of 100 frames, above a bucket of 10, arrives late, complete and in order."""
    frames = numbered(100)
    cost = cost_bits(100)
    on.switch.call("rule.set", rules=[rule(rate_bps=1000 * cost, burst_bits=10 * cost)])
    start = time.monotonic()
    assert send(on, *frames) == [tagged(frame, *TAGS) for frame in frames]
    assert time.monotonic() - start >= 0.09, "the last has to wait for the credit of 90 frames"
    assert on.switch.drops() == {}
    assert 0 < on.switch.call("stats.get")["rules"][0]["delay"]["count"] <= 90


def never_sends_what_costs_exactly_the_bucket(on: Bench) -> None:
    cost = cost_bits(100)
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=cost, mode="police")])
    assert len(send(on, datagram())) == 1
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=cost, mode="police", tags=[7, 8, 9])])
    assert send(on, datagram()) == [], "an update has refilled the bucket"
    for burst in (7_700_000_000, 2**33, 2**62, 2**63 - 1):
        on.switch.call("rule.replace", rules=[])
        on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=burst, mode="police")])
        assert len(send(on, *[datagram(1500)] * 100)) == 100


def spends_tokens_on_what_it_drops(on: Bench) -> None:
    """What the uplink refuses is counted, and its cost given back."""
    spare = 64
    burst = (WIRE_RING + spare) * cost_bits(100)
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=burst, mode="police")])
    for _round in range(WIRE_RING // spare + 1):
        on.vms[1].send(*[bytes(datagram())] * spare)
        on.vms[1].wait_taken()
    wait_until("the uplink refuses", lambda: on.switch.drops() == {"uplink_full": spare})
    assert on.wire.drain() == WIRE_RING
    assert len(send(on, *[datagram()] * (spare + 1))) == spare
    assert on.switch.drops() == {"uplink_full": spare, "over_rate": 1}


def breaks_others_when_a_vm_goes(on: Bench) -> None:
    """VM 0 in the middle of traffic; and a VM that comes back has its id and its MAC, and no rule."""
    on.switch.call("rule.set", rules=[rule(1), rule(2)])
    for vm in (0, 2):
        on.vms[vm].disconnect()
        on.vms[1].send(*numbered(100))
        assert on.switch.call("port.remove", vm=vm)["removed"]
        assert [on.wire.receive() for _frame in range(100)] == [
            tagged(frame, *TAGS) for frame in numbered(100)
        ]
        on.wire.send(arriving(1))
        assert on.vms[1].receive() == delivered(1)
        on.switch.add_port(vm, "qemu" if vm == 2 else "switch")
        on.vms[vm].kill()
        on.vms[vm].open()
        on.wire.send(arriving(vm))
        assert on.vms[vm].receive() == delivered(vm)
    assert on.switch.call("rule.list", vm=2)["rules"] == []
    on.vms[2].send(bytes(datagram(vm=2)))
    wait_until("its frame has no rule", lambda: on.switch.drops() == {"no_rule": 1})


def has_room_for_three_rules(on: Bench) -> None:
    rules = [rule(source_port=1 + number, tags=[1 + number]) for number in range(MANY_RULES)]
    on.switch.call("rule.set", rules=rules)
    frames = [
        OUT / IP(src=HERE, dst=THERE) / UDP(sport=1 + number, dport=5001) for number in range(MANY_RULES)
    ]
    assert send(on, *frames) == [tagged(frame, 1 + number) for number, frame in enumerate(frames)]
    assert on.switch.call("rule.delete", rules=[identity(rules[5])])["deleted"] == 1
    assert send(on, *frames[4:7]) == [tagged(frames[4], 5), tagged(frames[6], 7)]
    assert ask(on, control_frame(slot=9)).status == SAVED
    assert ask(on, control_frame(slot=9, tags=[])).status == SAVED
    assert send(on, datagram()) == []


def drops_all_but_tcp_and_udp(on: Bench) -> None:
    on.switch.call("rule.set", rules=[wildcard()])
    solicitation = (
        IPv6(src=HERE6, dst=THERE6) / ICMPv6ND_NS(tgt=THERE6) / ICMPv6NDOptSrcLLAddr(lladdr=MACS[1])
    )
    ends = IP(src=HERE, dst=THERE)
    frames = [
        arp(),
        OUT / ends / ICMP(),
        OUT / solicitation,
        OUT / ends / TCP(),
        OUT / IPv6(src=HERE6, dst=THERE6) / UDP(),
    ]
    assert send(on, *frames) == [tagged(frame, *TAGS) for frame in frames]
    neighbour = Ether(src=MACS[1], dst=MACS[2]) / ends / UDP()
    on.switch.call("rule.set", rules=[wildcard(destination_mac=MACS[2], tags=[], destination_vm=2)])
    assert send(on, neighbour) == []
    assert on.vms[2].receive() == bytes(neighbour)


def cannot_be_told_to_only_tag_or_only_shape(on: Bench) -> None:
    frames = numbered(20)
    on.switch.call(
        "rule.set", rules=[{key: rule()[key] for key in rule() if key not in ("rate_bps", "burst_bits")}]
    )
    assert send(on, *frames) == [tagged(frame, *TAGS) for frame in frames]
    on.switch.call("rule.replace", rules=[])
    cost = cost_bits(100, 0)
    on.switch.call("rule.set", rules=[rule(tags=[], rate_bps=1000 * cost, burst_bits=cost)])
    assert send(on, *frames) == frames
    assert 0 < on.switch.call("stats.get")["rules"][0]["delay"]["count"] < len(frames)


FAULTS: dict[str, Callable[[Bench], None]] = {
    "fault-01-writes-at-an-index-that-a-guest-brings": writes_at_an_index_that_a_guest_brings,
    "fault-02-gives-the-control-role-to-a-mac": gives_the_control_role_to_a_mac,
    "fault-03-leaks-its-memory-as-tags": leaks_its_memory_as_tags,
    "fault-04-reads-ports-from-the-wrong-place": reads_ports_from_the_wrong_place,
    "fault-05-believes-the-length-that-a-guest-declares": believes_the_length_that_a_guest_declares,
    "fault-06-drops-what-it-should-delay": drops_what_it_should_delay,
    "fault-07-never-sends-what-costs-exactly-the-bucket": never_sends_what_costs_exactly_the_bucket,
    "fault-08-spends-tokens-on-what-it-drops": spends_tokens_on_what_it_drops,
    "fault-09-breaks-others-when-a-vm-goes": breaks_others_when_a_vm_goes,
    "fault-10-has-room-for-three-rules": has_room_for_three_rules,
    "fault-11-drops-all-but-tcp-and-udp": drops_all_but_tcp_and_udp,
    "fault-12-cannot-be-told-to-only-tag-or-only-shape": cannot_be_told_to_only_tag_or_only_shape,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_does_not_have(on: Bench, fault: str) -> None:
    FAULTS[fault](on)


def test_fault_12_does_not_end_by_sigint(tmp_path: Path) -> None:
    with running(Switch(tmp_path)) as switch:
        assert switch.end(signal.SIGINT) == 0


def test_fault_13_needs_vmdq_and_every_privilege() -> None:
    """Any DPDK port is an uplink; without a kernel interface no privilege is needed, and no socket is for all."""
    with Unprivileged.home() as home, running(Unprivileged(home, "net_null0,no-rx=1")) as switch:
        switch.add_port(1)
        for path in (switch.socket, switch.vhost(1)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o770
        switch.call("rule.set", rules=[rule()])
        guest = Guest(switch.vhost(1)).open()
        guest.send(bytes(datagram()))
        wait_until("it leaves", lambda: switch.call("stats.get")["uplink"]["sent"]["packets"] == 1)
        guest.close()
    container = (REPOSITORY / "roles" / "tagging_switch" / "vars" / "main.yml").read_text()
    assert "'--cap-drop', 'all'" in container
    assert not re.search(r"--privileged|/dev:/dev|label[=:]disable|seccomp=unconfined", container)


def kernel_settings() -> dict[str, str]:
    """Return what the reference changes: frequencies, governors, turbo, cache partitions, isolation of interrupts."""
    places = [
        *Path("/sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_*"),
        *Path("/sys/devices/system/cpu").glob("intel_pstate/*"),
        *Path("/sys/devices/system/cpu").glob("cpu*/cpuidle/state*/disable"),
        *Path("/sys/fs/resctrl").glob("**/schemata"),
        *Path("/proc/irq").glob("*/smp_affinity"),
        *Path("/proc/sys/kernel").glob("sched_*"),
        Path("/proc/sys/vm/nr_hugepages"),
        Path("/proc/cmdline"),
    ]
    return {str(place): place.read_text() for place in places if os.access(place, os.R_OK)}


def test_fault_14_changes_kernel_settings_and_leaves_them(tmp_path: Path) -> None:
    before = kernel_settings()
    with namespace(f"fault-{os.getpid()}") as where:
        where.add_pair("uplink", "wire")
        with running(Switch(tmp_path, UPLINK, where=where.name)):
            assert kernel_settings() == before
    assert kernel_settings() == before
