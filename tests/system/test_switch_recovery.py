"""What outlives what: ports, rules and traffic over a killed switch, a killed guest, a full disk, a spoilt file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time
import typing as t

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from switch_fixtures import (
    MACS,
    PATIENCE_S,
    Bench,
    RpcError,
    Switch,
    Wire,
    bench,
    build,
    guests,
    namespace,
    passes,
    run,
    running,
    wait_until,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PEER = "02:00:00:00:00:07"
NOBODY = 65534


def rule(vm: int, source_port: int = 5000) -> dict[str, t.Any]:
    return {
        "vm": vm,
        "protocol": 17,
        "source_ip": "10.20.0.11",
        "destination_ip": "10.20.0.21",
        "source_port": source_port,
        "destination_port": 5001,
        "tags": [21, 7],
        "rate_bps": 10**9,
        "burst_bits": 10**7,
    }


def leaving(vm: int) -> bytes:
    packet = IP(src="10.20.0.11", dst="10.20.0.21") / UDP(sport=5000, dport=5001)
    return bytes(Ether(src=MACS[vm], dst=PEER) / packet)


def arriving(vm: int) -> bytes:
    packet = IP(src="10.20.0.21", dst="10.20.0.11") / UDP(sport=5001, dport=5000)
    return bytes(Ether(src=PEER, dst=MACS[vm]) / Dot1Q(vlan=vm) / packet)


def assert_traffic(on: Bench, vm: int) -> None:
    """Both ways, within the time that a connection needs to come back."""
    wait_until(f"VM {vm} is heard", lambda: passes(leaving(vm), on.vms[vm], on.wire))
    wait_until(f"VM {vm} hears", lambda: passes(arriving(vm), on.wire, on.vms[vm]))


@pytest.fixture
def on(tmp_path: pathlib.Path) -> Iterator[Bench]:
    """A switch with VM 1 (the switch serves the socket) and VM 2 (the guest serves it), and a rule for each."""
    with (
        namespace(f"recovery-{os.getpid()}") as where,
        bench(where, tmp_path, {1: "switch", 2: "qemu"}) as made,
    ):
        made.switch.call("rule.set", rules=[rule(1), rule(2)])
        yield made


@pytest.fixture
def switch(tmp_path: pathlib.Path) -> Iterator[Switch]:
    """A switch without uplink and guests."""
    with running(Switch(tmp_path)) as made:
        yield made


def test_a_killed_switch_resumes_without_touching_the_guest(on: Bench) -> None:
    assert_traffic(on, 2)
    before = (on.switch.call("port.list")["ports"], on.switch.call("rule.list"))
    on.switch.end(signal.SIGKILL)
    assert on.switch.socket.exists(), "a killed switch leaves its sockets behind"
    on.switch.start()
    assert on.switch.call("rule.list") == before[1]
    assert [port["vm"] for port in on.switch.call("port.list")["ports"]] == [1, 2]
    assert_traffic(on, 2)
    assert on.guest.poll() is None


def test_a_killed_guest_resumes_without_touching_the_switch(on: Bench) -> None:
    for _round in range(2):
        on.guest.kill()
        on.guest.wait(PATIENCE_S)
        wait_until(
            "the switch sees it", lambda: not on.switch.is_connected(1) and not on.switch.is_connected(2)
        )
        on.switch.vhost(2).unlink(missing_ok=True)  # as QEMU, the guest makes its socket anew
        with guests(on.where, on.switch, {1: "switch", 2: "qemu"}) as on.guest:
            assert_traffic(on, 1)
            assert_traffic(on, 2)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_guests_are_connected(on: Bench, how: signal.Signals) -> None:
    assert on.switch.end(how) == 0
    assert not on.switch.socket.exists()
    assert not on.switch.vhost(1).exists()
    on.switch.start()
    assert_traffic(on, 2)


def test_what_was_acknowledged_outlives_a_kill(switch: Switch) -> None:
    for port in range(1, 6):
        switch.call("port.add", vm=port, mac=f"02:00:00:00:00:0{port}", socket_server="switch")
        switch.call("rule.set", rules=[rule(port)])
        switch.end(signal.SIGKILL)
        switch.start()
        assert switch.call("rule.list")["rules"] == [rule(vm) for vm in range(1, port + 1)]
    switch.call("rule.delete", rules=[{key: rule(1)[key] for key in list(rule(1))[:6]}])
    switch.call("port.remove", vm=2)
    switch.end(signal.SIGKILL)
    switch.start()
    assert switch.call("rule.list")["rules"] == [rule(vm) for vm in (3, 4, 5)]
    assert [port["vm"] for port in switch.call("port.list")["ports"]] == [1, 3, 4, 5]


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "ports": [{}], "rules": []}', "\x00" * 4096])
def test_a_spoilt_state_file_is_set_aside_and_reported(switch: Switch, text: str) -> None:
    switch.add_port(1)
    switch.end()
    switch.state.write_text(text)
    switch.start()
    assert "is corrupt" in switch.log
    assert switch.call("port.list") == {"ports": []}
    assert switch.state.with_name("state.json.corrupt").read_text() == text
    switch.add_port(1)
    assert switch.state.exists()


def test_a_full_disk_changes_nothing_and_says_so(tmp_path: pathlib.Path) -> None:
    """The disk has room for one file: saving needs a second one for a moment."""
    disk = Switch(tmp_path).state.parent
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "none", disk)
    try:
        with running(Switch(tmp_path)) as switch:
            switch.add_port(1)
            switch.call("rule.set", rules=[rule(1)])
            (disk / "other").touch()
            for method, params in (
                ("port.add", {"vm": 2, "mac": MACS[2], "socket_server": "switch"}),
                ("port.remove", {"vm": 1}),
                ("rule.set", {"rules": [rule(1, 7)]}),
                ("rule.delete", {"rules": [{key: rule(1)[key] for key in list(rule(1))[:6]}]}),
            ):
                with pytest.raises(RpcError, match=r"No space left on device.*nothing has changed") as error:
                    switch.call(method, **params)
                assert error.value.code == -32004
                assert [port["vm"] for port in switch.call("port.list")["ports"]] == [1]
                assert switch.call("rule.list")["rules"] == [rule(1)]
            assert switch.vhost(1).exists()
            assert not switch.vhost(2).exists()
            (disk / "other").unlink()
            switch.add_port(2)
    finally:
        run("umount", disk)


def test_a_second_switch_on_the_same_socket_is_refused(switch: Switch) -> None:
    ended = Switch(switch.directory).refuse()
    assert ended.returncode == 1
    assert "another process serves" in ended.stderr
    assert switch.call("switch.info")["ports"] == 0


def test_runs_as_nobody_with_what_af_packet_needs(tmp_path: pathlib.Path) -> None:
    """Raw sockets, and interface flags while it starts; no other privilege."""
    with namespace(f"unprivileged-{os.getpid()}") as where, tempfile.TemporaryDirectory() as home:
        where.add_pair("uplink", "wire")
        switch = Unprivileged(pathlib.Path(home), where, "uplink")
        switch.state.parent.mkdir()
        for directory in (switch.directory, switch.state.parent):
            shutil.chown(directory, NOBODY)
        with running(switch), contextlib.closing(Wire(where, "wire")) as wire:
            switch.add_port(1)
            assert switch.vhost(1).stat().st_uid == NOBODY
            assert switch.call("switch.info")["uplink"]["link_up"]
            wire.send(arriving(1))
            wait_until("it hears its uplink", lambda: switch.drops() == {"not_connected": 1})


class Unprivileged(Switch):
    """A switch that is started as the container starts it."""

    def command(self) -> list[str]:
        whole = super().command()
        at = whole.index(str(build()))
        return [
            *whole[:at],
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
            *(f"--{kind}=-all,+net_raw,+net_admin" for kind in ("inh-caps", "ambient-caps", "bounding-set")),
            *whole[at:],
        ]  # fmt: skip


def test_says_nothing_while_nothing_happens(switch: Switch) -> None:
    """Not even while the socket of a guest that is not there yet is looked for, once a second."""
    switch.add_port(2, "qemu")
    said = switch.log
    time.sleep(2.5)
    assert switch.log == said
