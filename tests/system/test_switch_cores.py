"""Two data cores: who owns which VM, frames from one to the other, one uplink for both, counters that add up."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

import pytest
from kernel_fixtures import Wire, namespace
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from switch_fixtures import MACS, Switch, running, wait_until
from switch_rules import HERE, TAGS, THERE, arriving, numbered, rule, tagged
from vhost_guest import Guest

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

CORES = (1, 2)  # the EAL's numbers
VMS = (1, 2, 3, 4)
CORE_OF = {1: 1, 2: 2, 3: 1, 4: 2}
FLOWS = 64  # the kernel spreads them over the uplink's queues by their addresses


@dataclasses.dataclass
class Cores:
    switch: Switch
    wire: Wire
    vms: dict[int, Guest]

    def join(self, vm: int) -> None:
        self.switch.add_port(vm)
        self.vms[vm] = Guest(self.switch.vhost(vm)).open()
        wait_until(f"the guest of VM {vm} is connected", lambda: self.switch.is_connected(vm))

    def core_of(self, vm: int) -> int:
        core: int = self.switch.of_vm(vm)["core"]
        return core

    def wait_idle(self) -> None:
        wait_until("every buffer is free", lambda: self.switch.buffers_in_use() == 0)


@pytest.fixture(scope="module")
def all_cores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cores]:
    directory = tmp_path_factory.mktemp("cores")
    with namespace(f"cores-{os.getpid()}") as where, contextlib.ExitStack() as stack:
        where.add_pair("uplink", "wire")
        uplink = "net_af_packet0,iface=uplink,qpairs=2"
        switch = stack.enter_context(running(Switch(directory, uplink, where=where.name, data_cores=2)))
        wire = stack.enter_context(contextlib.closing(Wire(where, "wire")))
        made = Cores(switch, wire, {})
        for vm in VMS:
            made.join(vm)
            stack.callback(made.vms[vm].close)
        yield made


@pytest.fixture
def on(all_cores: Cores) -> Iterator[Cores]:
    """Two cores with nothing under way; afterwards, every buffer is where it was."""
    switch = all_cores.switch
    switch.call("rule.replace", rules=[])
    all_cores.wait_idle()
    all_cores.wire.drain()
    for guest in all_cores.vms.values():
        guest.drain()
    switch.call("stats.reset")
    yield all_cores
    all_cores.wait_idle()


def from_network(vm: int, flow: int) -> bytes:
    return arriving(
        vm, payload=IP(src=f"10.30.{flow // 256}.{flow % 256}", dst=HERE) / UDP(sport=1000 + flow)
    )


def packets_of_cores(on: Cores) -> dict[int, int]:
    return {core["core"]: core["packets"] for core in on.switch.call("stats.get")["cores"]}


def test_vms_are_spread_over_the_cores(on: Cores) -> None:
    assert on.switch.call("switch.info")["data_cores"] == list(CORES)
    assert {vm: on.core_of(vm) for vm in VMS} == CORE_OF


def test_a_new_vm_gets_the_core_with_the_fewest(on: Cores) -> None:
    on.switch.call("port.remove", vm=4)
    on.switch.add_port(9)
    assert on.core_of(9) == 2
    assert on.core_of(3) == 1
    on.switch.call("port.remove", vm=9)
    on.vms[4].close()
    on.join(4)
    assert on.core_of(4) == 2


def test_each_core_sends_by_the_uplink_and_counters_add_up(on: Cores) -> None:
    on.switch.call("rule.set", rules=[rule(vm) for vm in VMS])
    for vm in VMS:
        on.vms[vm].send(*numbered(20, vm=vm))
    arrived = [on.wire.receive() for _frame in range(20 * len(VMS))]
    for vm in VMS:  # in order within a VM
        sent = [tagged(frame, *TAGS) for frame in numbered(20, vm=vm)]
        assert [frame for frame in arrived if frame in sent] == sent
    stats = on.switch.call("stats.get")
    assert stats["uplink"]["sent"]["packets"] == 20 * len(VMS)
    assert [vm["from_vm"]["packets"] for vm in stats["vms"]] == [20] * len(VMS)
    assert [counted["packets"] for counted in stats["rules"]] == [20] * len(VMS)
    assert packets_of_cores(on) == dict.fromkeys(CORES, 40)


@pytest.mark.parametrize("vm", VMS)
def test_frames_from_the_uplink_find_their_vm_whoever_receives_them(on: Cores, vm: int) -> None:
    frames = [from_network(vm, flow) for flow in range(FLOWS)]
    on.wire.send(*frames)
    got = [on.vms[vm].receive() for _frame in frames]
    assert sorted(frame for frame in got if frame) == sorted(frame[:12] + frame[16:] for frame in frames)
    stats = on.switch.call("stats.get")
    assert stats["uplink"]["received"]["packets"] == FLOWS
    assert on.switch.of_vm(vm)["to_vm"]["packets"] == FLOWS
    assert on.switch.drops() == {}
    assert all(packets_of_cores(on).values()), "one core received nothing"


@pytest.mark.parametrize(
    ("sender", "receiver"), [(1, 2), (2, 1), (1, 3)], ids=["1-to-2", "2-to-1", "same-core"]
)
def test_a_vm_reaches_one_of_the_other_core_in_order(on: Cores, sender: int, receiver: int) -> None:
    on.switch.call("rule.set", rules=[rule(sender, tags=[], destination_vm=receiver)])
    headers = (
        Ether(src=MACS[sender], dst=MACS[receiver]) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5001)
    )
    frames = [bytes(headers) + bytes(40) + number.to_bytes(4, "big") for number in range(100)]
    on.vms[sender].send(*frames)
    assert [on.vms[receiver].receive() for _frame in frames] == frames
    assert on.switch.of_vm(receiver)["to_vm"]["packets"] == len(frames)
    assert on.switch.call("stats.get")["rules"][0]["packets"] == len(frames)


def test_frames_for_several_vms_in_one_burst_find_each_theirs(on: Cores) -> None:
    frames = [(vm, from_network(vm, 7)) for _round in range(50) for vm in VMS]
    on.wire.send(*[frame for _vm, frame in frames])
    for vm in VMS:
        assert {on.vms[vm].receive() for _round in range(50)} == {
            frames[vm - 1][1][:12] + frames[vm - 1][1][16:]
        }
    assert on.switch.drops() == {}


def test_one_vm_reaches_several_in_one_burst(on: Cores) -> None:
    on.switch.call(
        "rule.set",
        rules=[rule(1, destination_port=5000 + vm, tags=[], destination_vm=vm) for vm in (2, 3, 4)],
    )
    frames = {
        vm: bytes(
            Ether(src=MACS[1], dst=MACS[vm]) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5000 + vm)
        )
        for vm in (2, 3, 4)
    }
    on.vms[1].send(*list(frames.values()) * 40)
    for vm, frame in frames.items():
        assert {on.vms[vm].receive() for _round in range(40)} == {frame}
    assert on.switch.drops() == {}


def test_the_owner_of_a_vm_refuses_what_has_another_mac(on: Cores) -> None:
    on.switch.call("rule.set", rules=[rule(1, tags=[], destination_vm=2)])
    on.vms[1].send(*numbered(10))  # to PEER
    wait_until("they are dropped", lambda: on.switch.drops() == {"destination_mac": 10})
    assert on.switch.of_vm(2)["drops"]["destination_mac"] == 10


def test_what_waits_for_its_rate_reaches_the_other_core_late_and_in_order(on: Cores) -> None:
    held = {"rate_bps": 10**6, "burst_bits": 2000, "tags": [], "destination_vm": 2}
    on.switch.call("rule.set", rules=[rule(1, **held)])
    frame = bytes(Ether(src=MACS[1], dst=MACS[2]) / IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=5001))
    frames = [frame + bytes(40) + number.to_bytes(4, "big") for number in range(20)]
    on.vms[1].send(*frames)
    assert [on.vms[2].receive() for _frame in frames] == frames
    delay = on.switch.call("stats.get")["rules"][0]["delay"]
    assert delay["count"] >= 17  # the bucket had room for the others
    assert delay["max_ns"] > 10_000_000


def test_a_guest_of_one_core_that_floods_leaves_the_other_core_its_buffers(on: Cores) -> None:
    on.switch.call("rule.set", rules=[rule(1, rate_bps=1, burst_bits=1), rule(2)])
    for _round in range(10):
        on.vms[1].send(*numbered(128))
        on.vms[1].wait_taken()
    on.vms[2].send(*numbered(50, vm=2))
    assert [on.wire.receive() for _frame in range(50)] == [tagged(f, *TAGS) for f in numbered(50, vm=2)]
    assert on.switch.of_vm(1)["buffers"] == 1024  # the rule's queue
    on.switch.call("rule.replace", rules=[])


def test_removing_a_vm_to_which_the_other_core_sends_names_what_is_lost(on: Cores) -> None:
    on.switch.call("rule.set", rules=[rule(1, tags=[], destination_vm=4, rate_bps=10**6, burst_bits=1)])
    on.vms[1].send(*numbered(50))
    on.switch.call("port.remove", vm=4)

    def dropped() -> int:
        drops = on.switch.drops()
        return drops.get("unknown_vm", 0) + drops.get("rule_removed", 0)

    wait_until("some have nowhere to go", dropped)
    on.switch.call("rule.replace", rules=[])
    on.vms[4].close()
    on.join(4)


@pytest.mark.parametrize("queues", [1, 2])
def test_refuses_an_uplink_with_fewer_queues_than_cores(tmp_path: pathlib.Path, queues: int) -> None:
    with namespace(f"queues-{os.getpid()}") as where:
        where.add_pair("uplink", "wire")
        uplink = f"net_af_packet0,iface=uplink,qpairs={queues}"
        switch = Switch(tmp_path, uplink, where=where.name, data_cores=3)
        (tmp_path / "state").mkdir()
        ended = switch.refuse()
    assert ended.returncode == 2
    assert f"it has {queues} transmit queues, and 3 data cores need one each" in ended.stderr
    assert "qpairs=3" in ended.stderr


def test_one_core_reads_all_queues_of_the_uplink(tmp_path: pathlib.Path) -> None:
    with namespace(f"readers-{os.getpid()}") as where:
        where.add_pair("uplink", "wire")
        with (
            running(Switch(tmp_path, "net_af_packet0,iface=uplink,qpairs=4", where=where.name)) as switch,
            contextlib.closing(Wire(where, "wire")) as wire,
        ):
            assert switch.call("switch.info")["uplink"]["steering"] == "device"
            switch.add_port(1)
            wire.send(*[from_network(1, flow) for flow in range(FLOWS)])
            wait_until("all came", lambda: switch.drops() == {"not_connected": FLOWS})


def test_a_jumbo_mtu_needs_room_in_the_uplinks_ring(tmp_path: pathlib.Path) -> None:
    (tmp_path / "state").mkdir()
    with namespace(f"jumbo-{os.getpid()}") as where:
        where.add_pair("uplink", "wire", mtu=9100)
        arguments = ("--mtu", "9000")
        short = Switch(tmp_path, "net_af_packet0,iface=uplink", arguments, where=where.name)
        advice = "framesz=9216,blocksz=36864"
        assert f"add {advice}" in short.refuse().stderr
        long = Switch(tmp_path, f"net_af_packet0,iface=uplink,{advice}", arguments, where=where.name)
        with running(long) as switch, contextlib.closing(Wire(where, "wire")) as wire:
            switch.add_port(1)
            switch.call("rule.set", rules=[rule()])
            with contextlib.closing(Guest(switch.vhost(1))) as guest:
                guest.open()
                (frame,) = numbered(1, size=9014)
                guest.send(frame)
                assert wire.receive() == tagged(frame, *TAGS)
