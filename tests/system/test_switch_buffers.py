"""No frame buffer is lost, and nobody takes those of the others: a pool smaller than what each test sends."""

from __future__ import annotations

import time
import typing as t

import pytest
from scapy.layers.l2 import Ether
from switch_control_frame import control_frame
from switch_fixtures import MACS, WIRE_RING, Bench, bench, wait_until
from switch_rules import TAGS, arriving, cost_bits, datagram, identity, numbered, rule, tagged
from test_switch_drops import FROM_UPLINK, FROM_VM, SLOW, name_of
from virtio_ring import BUFFER

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BUFFERS = 4095
MORE = BUFFERS + 500
FLOODERS = range(10, 19)
SHORT = [case for case, frame in FROM_VM.items() if len(frame) <= BUFFER - 12]


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    vms = {0: "switch", 1: "switch", 2: "switch"}
    with bench(tmp_path_factory.mktemp("buffers"), vms, arguments=("--buffers", str(BUFFERS))) as made:
        made.switch.add_port(3)
        yield made


def drops_of(on: Bench, name: str) -> int:
    return on.switch.drops().get(name, 0)


@pytest.mark.parametrize("case", SHORT)
def test_dropping_frames_of_a_vm_costs_no_buffer(on: Bench, case: str) -> None:
    on.switch.call("rule.set", rules=[rule()])
    with on.vms[1].repeating(bytes(FROM_VM[case])) as repeater:
        repeater.send(MORE)
    wait_until("they are dropped", lambda: drops_of(on, name_of(case)) == MORE)


@pytest.mark.parametrize("case", FROM_UPLINK)
def test_dropping_frames_of_the_uplink_costs_no_buffer(on: Bench, case: str) -> None:
    with on.wire.repeating(bytes(FROM_UPLINK[case])) as repeater:
        repeater.send(MORE)
    wait_until("they are dropped", lambda: drops_of(on, name_of(case)) == MORE)


BY_RULE = {
    "over_rate": SLOW | {"mode": "police"},
    "queue_full": SLOW | {"queue_packets": 3},
    "buffers_full": SLOW | {"queue_packets": 65535, "queue_bytes": 1 << 30},
    "uplink_full": rule(),
    "destination_mac": rule(tags=[], destination_vm=2),
}


@pytest.mark.parametrize("name", BY_RULE)
def test_dropping_frames_by_rule_costs_no_buffer(on: Bench, name: str) -> None:
    on.switch.call("rule.set", rules=[BY_RULE[name]])
    with on.vms[1].repeating(bytes(datagram())) as repeater:
        repeater.send(MORE)
    wait_until("some are dropped", lambda: drops_of(on, name))


def test_what_a_full_uplink_refuses_is_neither_counted_nor_charged(on: Bench) -> None:
    """The bucket has room for ten frames more than the wire's ring, and is never filled again."""
    refused = 10
    whole = WIRE_RING + refused
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=whole * cost_bits(100), mode="police")])
    frame = bytes(datagram())
    on.vms[1].send(*[frame] * whole)
    wait_until("the uplink is full", lambda: drops_of(on, "uplink_full") == refused)
    sent = {"packets": WIRE_RING, "bytes": WIRE_RING * len(tagged(frame, *TAGS))}
    stats = on.switch.call("stats.get")
    assert stats["uplink"]["sent"] == sent
    assert (stats["rules"][0]["packets"], stats["rules"][0]["bytes"]) == (WIRE_RING, WIRE_RING * len(frame))
    on.wire.drain()
    on.vms[1].send(*[frame] * (refused + 1))
    wait_until("only one more is too many", lambda: drops_of(on, "over_rate") == 1)
    assert on.wire.drain() == refused


def test_a_raised_rate_earns_nothing_for_the_past(on: Bench) -> None:
    """Two seconds at the new rate would be enough for a frame, at the old one they are worth two bits."""
    frame, cost = bytes(datagram()), cost_bits(100)
    slow = rule(rate_bps=1, burst_bits=cost, mode="police")
    on.switch.call("rule.set", rules=[slow])
    on.vms[1].send(frame)
    assert on.wire.receive() is not None
    time.sleep(2)
    on.switch.call("rule.set", rules=[slow | {"rate_bps": cost * 6 // 10}])
    on.vms[1].send(frame)
    wait_until("it is too early", lambda: drops_of(on, "over_rate") == 1)


def test_a_full_guest_costs_no_buffer(on: Bench) -> None:
    with on.wire.repeating(arriving(1)) as repeater:
        repeater.send(MORE)
    wait_until("most are dropped", lambda: drops_of(on, "guest_full") == MORE - on.vms[1].ring_size)


def test_control_frames_cost_no_buffer(on: Bench) -> None:
    with on.vms[0].repeating(bytes(control_frame())) as repeater:
        repeater.send(MORE)
    on.wait_idle()


def test_removed_rules_give_their_buffers_back_within_a_second(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    on.vms[1].send(*numbered(500))
    wait_until("they wait", lambda: on.switch.of_vm(1)["buffers"] == 499)
    on.switch.call("rule.delete", rules=[identity(SLOW)])
    wait_until("none waits", lambda: on.switch.buffers_in_use() == 0, timeout_s=1.0)
    assert drops_of(on, "rule_removed") == 499


def test_a_port_that_goes_with_its_waiting_frames_costs_no_buffer(on: Bench) -> None:
    for _round in range(5):
        on.switch.call("rule.set", rules=[SLOW])
        on.vms[1].send(*numbered(200))
        on.vms[1].wait_taken()
        on.switch.call("port.remove", vm=1)
        on.vms[1].close()
        on.join(1)
    on.wait_idle()


def test_a_guest_that_is_killed_while_it_sends_costs_no_buffer(on: Bench) -> None:
    on.switch.call("rule.set", rules=[SLOW])
    for _round in range(5):
        on.vms[1].send(*numbered(200))
        on.vms[1].kill()
        on.vms[1].open()
    on.switch.call("rule.delete", rules=[identity(SLOW)])
    on.wait_idle()


def test_waiting_frames_of_many_vms_leave_buffers_for_one_more(on: Bench) -> None:
    """Each of nine VMs fills as much as it can; VM 2 sends as if it were alone, and may still wait itself."""
    endless = {"rate_bps": 1, "burst_bits": 1, "queue_packets": 65535, "queue_bytes": 1 << 30}
    for vm in FLOODERS:
        on.join(vm)
        on.switch.call("rule.set", rules=[rule(vm, **endless)])
        with on.vms[vm].repeating(bytes(datagram(vm=vm))) as repeater:
            repeater.send(MORE)
    held = [on.switch.of_vm(vm)["buffers"] for vm in FLOODERS]
    assert sum(held) <= BUFFERS // 2
    assert min(held) > 0
    on.switch.call("rule.set", rules=[rule(2)])
    frames = numbered(100, vm=2)
    on.vms[2].send(*frames)
    assert [on.wire.receive() for _frame in frames] == [tagged(frame, *TAGS) for frame in frames]
    on.switch.call("rule.set", rules=[rule(2, **endless)])
    on.vms[2].send(frames[0])
    wait_until("it waits", lambda: on.switch.of_vm(2)["buffers"] == 1)
    for vm in FLOODERS:
        on.switch.call("port.remove", vm=vm)
        on.vms.pop(vm).close()


def test_frames_between_vms_cost_no_buffer(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule(tags=[], destination_vm=2)])
    frame = bytes(Ether(src=MACS[1], dst=MACS[2]) / datagram().payload)
    for _round in range(20):
        on.vms[1].send(*[frame] * 250)
        on.vms[1].wait_taken()
        on.vms[2].drain()
    wait_until("all came", lambda: on.switch.of_vm(1)["from_vm"]["packets"] == 5000)
