"""What outlives what: ports, rules and traffic over a killed switch, a killed guest, a full disk, a spoilt file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
import typing as t

import pytest
from kernel_fixtures import UPLINK, KernelBench, Wire, guests, kernel_bench, namespace, passes
from switch_fixtures import (
    NOBODY,
    PATIENCE_S,
    Bench,
    RpcError,
    Switch,
    Unprivileged,
    bench,
    run,
    running,
    wait_until,
)
from switch_rules import TAGS, arriving, datagram, delivered, identity, normal, rule, tagged

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BOTH_DIRECTIONS = {1: "switch", 2: "qemu"}


@pytest.fixture
def on(tmp_path: pathlib.Path) -> Iterator[Bench]:
    """A switch with VM 1 (the switch serves the socket) and VM 2 (the guest serves it), and a rule for each."""
    with bench(tmp_path, BOTH_DIRECTIONS) as made:
        made.switch.call("rule.set", rules=[rule(1), rule(2)])
        yield made


@pytest.fixture(params=[pytest.param("", id="split-ring"), pytest.param(",packed_vq=1", id="packed-ring")])
def among_others(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[KernelBench]:
    """The same with a kernel's interface as uplink, and with guests that are DPDK's."""
    with (
        namespace(f"recovery-{os.getpid()}") as where,
        kernel_bench(where, tmp_path, BOTH_DIRECTIONS, request.param) as made,
    ):
        made.switch.call("rule.set", rules=[rule(1), rule(2)])
        yield made


@pytest.fixture
def switch(tmp_path: pathlib.Path) -> Iterator[Switch]:
    """A switch without uplink and guests."""
    with running(Switch(tmp_path)) as made:
        yield made


def assert_traffic(on: Bench) -> None:
    """Both ways, for every VM."""
    for vm, guest in on.vms.items():
        guest.send(bytes(datagram(vm=vm)))
        assert on.wire.receive() == tagged(datagram(vm=vm), *TAGS)
        on.wire.send(arriving(vm))
        assert guest.receive() == delivered(vm)


def wait_traffic(on: KernelBench, vm: int) -> None:
    """Both ways, within the time that a connection needs to come back."""
    wait_until(f"VM {vm} is heard", lambda: passes(bytes(datagram(vm=vm)), on.vms[vm], on.wire))
    wait_until(f"VM {vm} hears", lambda: passes(arriving(vm), on.wire, on.vms[vm]))


def test_a_killed_switch_resumes_without_touching_the_guest(among_others: KernelBench) -> None:
    """DPDK's guest is found again where it serves the socket; as a client it does not come back, as QEMU does."""
    on = among_others
    wait_traffic(on, 2)
    before = (on.switch.call("port.list")["ports"], on.switch.call("rule.list"))
    on.switch.end(signal.SIGKILL)
    assert on.switch.socket.exists(), "a killed switch leaves its sockets behind"
    on.switch.start()
    assert on.switch.call("rule.list") == before[1]
    assert [port["vm"] for port in on.switch.call("port.list")["ports"]] == [1, 2]
    wait_traffic(on, 2)
    assert on.guest.poll() is None


def test_killed_guests_resume_without_touching_the_switch(among_others: KernelBench) -> None:
    on = among_others
    for _round in range(2):
        on.guest.kill()
        on.guest.wait(PATIENCE_S)
        wait_until("the switch sees it", lambda: not any(map(on.switch.is_connected, BOTH_DIRECTIONS)))
        on.switch.vhost(2).unlink(missing_ok=True)  # as QEMU, the guest makes its socket anew
        with guests(on.where, on.switch, BOTH_DIRECTIONS) as on.guest:
            wait_traffic(on, 1)
            wait_traffic(on, 2)


def test_the_first_frame_meets_the_rules(on: Bench) -> None:
    """A switch that starts has its table before it takes a frame: what a guest sent meanwhile is not dropped."""
    assert_traffic(on)
    on.switch.end(signal.SIGKILL)
    for vm, guest in on.vms.items():
        guest.send(bytes(datagram(vm=vm)))
        guest.disconnect()
    on.wire.disconnect()
    on.switch.start()
    for guest in (on.wire, *on.vms.values()):
        guest.open()
    left = {on.wire.receive() for _guest in on.vms}
    assert left == {tagged(datagram(vm=vm), *TAGS) for vm in on.vms}
    assert on.switch.drops() == {}
    assert_traffic(on)


def test_guests_are_killed_and_boot_again(on: Bench) -> None:
    for _round in range(10):
        for guest in on.vms.values():
            guest.kill()
            guest.open()
        assert_traffic(on)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_guests_are_connected(on: Bench, how: signal.Signals) -> None:
    assert on.switch.end(how) == 0
    assert not on.switch.socket.exists()
    assert not on.switch.vhost(1).exists()


def test_a_signal_ends_it_cleanly_while_frames_wait(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule(rate_bps=1, burst_bits=1)])
    on.vms[1].send(*[bytes(datagram())] * 100)
    on.vms[1].wait_taken()
    assert on.switch.end() == 0


def test_what_was_acknowledged_outlives_a_kill(switch: Switch) -> None:
    for vm in range(1, 6):
        switch.add_port(vm)
        switch.call("rule.set", rules=[rule(vm)])
        switch.end(signal.SIGKILL)
        switch.start()
        assert switch.call("rule.list")["rules"] == [normal(rule(vm)) for vm in range(1, vm + 1)]
    switch.call("rule.delete", rules=[identity(rule(1))])
    switch.call("port.remove", vm=2)
    switch.end(signal.SIGKILL)
    switch.start()
    assert switch.call("rule.list")["rules"] == [normal(rule(vm)) for vm in (3, 4, 5)]
    assert [port["vm"] for port in switch.call("port.list")["ports"]] == [1, 3, 4, 5]


def test_the_generation_goes_on_after_a_kill(switch: Switch) -> None:
    switch.add_port(1)
    before = switch.call("rule.set", rules=[rule()])["generation"]
    switch.end(signal.SIGKILL)
    switch.start()
    assert switch.call("rule.set", rules=[rule(source_port=1)])["generation"] == before + 1


def test_a_second_switch_on_the_same_socket_is_refused(switch: Switch) -> None:
    ended = Switch(switch.directory).refuse()
    assert ended.returncode == 1
    assert "another process serves" in ended.stderr
    assert switch.call("switch.info")["ports"] == 0


def test_a_full_disk_changes_nothing_and_says_so(tmp_path: pathlib.Path) -> None:
    disk = Switch(tmp_path).state.parent
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=512k", "none", disk)
    try:
        with running(Switch(tmp_path)) as switch:
            switch.add_port(1)
            switch.call("rule.set", rules=[rule()])
            with contextlib.suppress(OSError), (disk / "other").open("wb", buffering=0) as other:
                while True:
                    other.write(bytes(4096))
            big = [rule(source_port=port) for port in range(1, 5001)]
            with pytest.raises(RpcError, match=r"nothing has changed") as error:
                switch.call("rule.set", rules=big)
            assert error.value.code == -32004
            assert [port["vm"] for port in switch.call("port.list")["ports"]] == [1]
            assert switch.call("rule.list")["rules"] == [normal(rule())]
            (disk / "other").unlink()
            switch.call("rule.set", rules=big[:500])
    finally:
        run("umount", disk)


def test_runs_as_nobody_with_what_af_packet_needs() -> None:
    """Raw sockets, and interface flags while it starts; no other privilege."""
    with namespace(f"unprivileged-{os.getpid()}") as where, Unprivileged.home() as home:
        where.add_pair("uplink", "wire")
        switch = Unprivileged(home, UPLINK, where=where.name, capabilities=("net_raw", "net_admin"))
        with running(switch), contextlib.closing(Wire(where, "wire")) as wire:
            switch.add_port(1)
            assert switch.vhost(1).stat().st_uid == NOBODY
            assert switch.call("switch.info")["uplink"]["link_up"]
            wire.send(arriving(1))
            wait_until("it hears its uplink", lambda: switch.drops() == {"not_connected": 1})
            where.set_link("uplink", "down")
            wait_until("it sees its link", lambda: not switch.call("switch.info")["uplink"]["link_up"])


def test_says_nothing_while_nothing_happens(switch: Switch) -> None:
    """Not even while the socket of a guest that is not there yet is looked for, once a second."""
    switch.add_port(2, "qemu")
    said = switch.log
    time.sleep(2.5)
    assert switch.log == said
