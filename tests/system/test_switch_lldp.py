"""LLDP at the uplink of a real switch: whom it hears, and for how long; what it says of itself; what guests cannot."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_neighbor
from kernel_fixtures import UPLINK, Namespace, Wire, namespace
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from switch_fixtures import MACS, RpcError, Switch, Unprivileged, bench, run, running, wait_until
from switch_lldp import LLDP_GROUP, NEIGHBOURS_MAX, lldp, neighbors
from switch_rules import TAGS, arriving, delivered, numbered, rule, tagged, wildcard
from vhost_guest import Guest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_S = 0.3
FLOOD, FLOOD_S, STEPS_PER_S = 10_000, 4, 100  # chassis ids in a second, again and again
GROWTH_KIB = 4096  # of memory that the switch may use more meanwhile; to keep all frames would take 15 MiB


class Ends(t.NamedTuple):
    """A switch between its wire and VM 1."""

    switch: Switch
    wire: Wire
    guest: Guest
    where: Namespace


@contextlib.contextmanager
def ends(where: Namespace, *arguments: str) -> Iterator[Ends]:
    """Run a switch with its wire and the guest of VM 1, with the rights that its container has."""
    rights = ("net_raw", "net_admin")
    with (
        Unprivileged.home() as home,
        contextlib.closing(Wire(where, "wire")) as wire,
        running(Unprivileged(home, UPLINK, arguments, where=where.name, capabilities=rights)) as switch,
    ):
        switch.add_port(1)
        with contextlib.closing(Guest(switch.vhost(1)).open()) as guest:
            yield Ends(switch, wire, guest, where)


@pytest.fixture(scope="module")
def where() -> Iterator[Namespace]:
    with namespace(f"lldp-{os.getpid()}") as made:
        made.add_pair("uplink", "wire")
        yield made


@pytest.fixture(scope="module")
def whole(where: Namespace) -> Iterator[Ends]:
    with ends(where) as made:
        yield made


@pytest.fixture
def on(whole: Ends) -> Iterator[Ends]:
    """A switch that only listens (--lldp-interval 0), and knows nobody; afterwards, no frame buffer is missing."""
    for frame in neighbors(whole.switch):
        whole.wire.send(goodbye(frame))
    wait_until("it knows nobody", lambda: not neighbors(whole.switch))
    whole.switch.call("rule.replace", rules=[rule()])
    whole.wire.drain()
    whole.guest.drain()
    whole.switch.call("stats.reset")
    yield whole
    wait_until("every buffer is free", lambda: whole.switch.buffers_in_use() == 0)


def goodbye(frame: bytes) -> bytes:
    """Return the frame by which a neighbour goes away, with its two ids as they are in this one."""
    at = 14
    for _tlv in range(2):
        at += 2 + (int.from_bytes(frame[at : at + 2], "big") & 0x1FF)
    return (frame[:at] + b"\x06\x02\x00\x00").ljust(60, b"\0")


def counts(switch: Switch) -> tuple[int, int, int]:
    told = switch.call("lldp.neighbors")
    return told["frames"], told["malformed"], told["left_out"]


def link(where: Namespace) -> dict[str, t.Any]:
    (found,) = json.loads(run("ip", "-n", where.name, "-json", "link", "show", "dev", "uplink"))
    return dict(found)


def test_who_sends_is_heard_and_told_byte_by_byte(on: Ends) -> None:
    on.wire.send(lldp())
    wait_until("it is heard", lambda: neighbors(on.switch) == [lldp()])
    told = on.switch.call("lldp.neighbors")
    assert told["port"] == {
        "interface": "uplink",
        "mac": link(on.where)["address"],
        "speed_bps": 10_000_000_000,  # what a veth says
        "mtu": 1500,
    }
    assert 0 <= told["neighbors"][0]["age_ms"] < 5000
    assert counts(on.switch) == (1, 0, 0)
    assert on.switch.call("stats.get")["uplink"]["lldp"] == {"received": 1, "sent": 0}
    assert on.switch.drops() == {}


@pytest.mark.parametrize("group", _lldp.GROUPS.values())
def test_each_group_address_is_heard(on: Ends, group: str) -> None:
    frame = bytes.fromhex(group.replace(":", "")) + lldp()[6:]
    on.wire.send(frame)
    wait_until("it is heard", lambda: neighbors(on.switch) == [frame])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(bytes(Ether(dst=MACS[1], type=0x88CC) / lldp()[14:]), id="to-a-vm"),
        pytest.param(b"\xff" * 6 + lldp()[6:], id="to-all"),
        pytest.param(lldp()[:12] + b"\x00\x26" + bytes(46), id="of-spanning-tree"),
    ],
)
def test_what_else_is_untagged_is_dropped_as_ever(on: Ends, frame: bytes) -> None:
    on.wire.send(frame)
    wait_until("it is dropped", lambda: on.switch.drops() == {"untagged": 1})
    assert counts(on.switch) == (0, 0, 0)


def test_a_chameleon_host_is_heard(on: Ends) -> None:
    frame = _lldp.encode(_lldp.chameleon("02:00:00:00:00:07", "10.0.0.1"))
    on.wire.send(frame)
    wait_until("it is heard", lambda: neighbors(on.switch) == [frame])


def test_a_neighbour_is_forgotten_when_its_time_is_over_and_no_sooner(on: Ends) -> None:
    on.wire.send(lldp(1), lldp(2, ttl_s=1))
    begin = time.monotonic()
    wait_until("both are heard", lambda: len(neighbors(on.switch)) == 2)
    wait_until("one is forgotten", lambda: neighbors(on.switch) == [lldp(1)])
    assert 0.9 < time.monotonic() - begin < 3


def test_a_neighbour_that_says_so_goes_away_at_once(on: Ends) -> None:
    on.wire.send(lldp(1), lldp(2))
    wait_until("both are heard", lambda: len(neighbors(on.switch)) == 2)
    on.wire.send(lldp(1, ttl_s=0))
    wait_until("one is forgotten", lambda: neighbors(on.switch) == [lldp(2)])


def test_the_last_frame_of_a_neighbour_counts(on: Ends) -> None:
    on.wire.send(lldp(name="old"))
    wait_until("it is heard", lambda: neighbors(on.switch))
    on.wire.send(lldp(name="new"))
    wait_until("it is heard again", lambda: neighbors(on.switch) == [lldp(name="new")])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(lldp()[:14] + bytes(46), id="empty"),
        pytest.param(lldp()[:32], id="cut"),
        pytest.param(lldp()[:14] + lldp()[23:].ljust(46, b"\0"), id="without-a-chassis"),
        pytest.param(lldp()[:30] + b"\x06\x01\x78".ljust(30, b"\0"), id="with-a-short-time"),
    ],
)
def test_a_malformed_frame_is_counted(on: Ends, frame: bytes) -> None:
    on.wire.send(frame)
    wait_until("it is counted", lambda: counts(on.switch) == (1, 1, 0))
    assert on.switch.drops() == {"malformed": 1}
    assert neighbors(on.switch) == []


def memory_kib(switch: Switch) -> int:
    """Return how much memory of its own it uses: no ring of the uplink or of a guest."""
    assert switch.process is not None
    status = Path(f"/proc/{switch.call('switch.info')['pid']}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def test_a_flood_of_neighbours_harms_nobody(on: Ends) -> None:
    """Those that are known stay, though their time is short: they go on telling of themselves."""
    friends = [lldp(number, ttl_s=2, name="friend") for number in range(3)]
    strangers = [lldp(1000 + number, ttl_s=65535, name="stranger") for number in range(FLOOD)]
    frames = numbered(100)
    on.wire.send(*friends)
    wait_until("friends are known", lambda: neighbors(on.switch) == friends)
    before_kib = memory_kib(on.switch)
    slowest_s = 0.0
    begin = time.monotonic()
    for step in range(FLOOD_S * STEPS_PER_S):
        at = FLOOD // STEPS_PER_S * step % FLOOD
        on.wire.send(*friends, *strangers[at : at + FLOOD // STEPS_PER_S])
        if step % 10 == 0:
            asked = time.monotonic()
            known = neighbors(on.switch)
            slowest_s = max(slowest_s, time.monotonic() - asked)
            assert [frame for frame in known if frame in friends] == friends
            assert len(known) <= NEIGHBOURS_MAX
        if step % STEPS_PER_S == 0:
            on.guest.send(*frames)
            assert [on.wire.receive() for _frame in frames] == [tagged(frame, *TAGS) for frame in frames]
            on.wire.send(arriving(1))
            assert on.guest.receive() == delivered(1)
        time.sleep(max(0, begin + (step + 1) / STEPS_PER_S - time.monotonic()))
    assert slowest_s < 1
    assert len(neighbors(on.switch)) == NEIGHBOURS_MAX
    assert memory_kib(on.switch) - before_kib < GROWTH_KIB
    heard, malformed, left_out = counts(on.switch)
    assert heard > FLOOD * FLOOD_S // 2  # the kernel may drop some
    assert malformed == 0
    assert left_out > 0.9 * heard
    assert on.switch.drops() == {"lldp_full": left_out}


def test_announces_exactly_one_frame(on: Ends) -> None:
    assert on.switch.call("lldp.announce") == {"sent": 1}
    data = on.wire.receive()
    assert data is not None
    assert on.wire.receive(QUIET_S) is None
    mac = link(on.where)["address"]
    frame = _lldp.decode(data)
    assert (frame.source, frame.destination, frame.shape) == (mac, LLDP_GROUP, "standard")
    told = _lldp_neighbor.neighbor("wire", frame, _lldp_neighbor.instant())
    assert told["chassis_id"] == {"subtype": "mac_address", "value": mac}
    assert told["port_id"] == {"subtype": "local", "value": "0"}
    assert (told["ttl_s"], told["port_description"], told["system_name"]) == (120, "uplink", "alpha")
    assert _lldp.encode(frame) == data
    assert on.switch.call("stats.get")["uplink"]["lldp"] == {"received": 0, "sent": 1}
    assert on.switch.call("stats.get")["uplink"]["sent"] == {"packets": 1, "bytes": len(data)}


def test_what_the_host_itself_sends_there_is_no_neighbour(on: Ends) -> None:
    """As its lldpd does: the kernel shows an af_packet socket that, too."""
    of_host = _lldp.standard(link(on.where)["address"], "uplink", ttl_s=120, system_name="host")
    with contextlib.closing(Wire(on.where, "uplink")) as host:
        host.send(_lldp.encode(of_host))
    on.wire.send(lldp())
    wait_until("both came", lambda: counts(on.switch) == (2, 0, 0))
    wait_until("one is heard", lambda: neighbors(on.switch) == [lldp()])


def test_a_loop_shows(on: Ends) -> None:
    """The switch is its own neighbour."""
    on.switch.call("lldp.announce")
    own = on.wire.receive()
    assert own is not None
    on.wire.send(own)
    wait_until("it is heard", lambda: neighbors(on.switch) == [own])


def test_who_only_listens_says_nothing(on: Ends) -> None:
    assert on.wire.receive(1.5) is None


def test_tells_of_itself_at_once_and_then_at_the_interval(where: Namespace) -> None:
    arguments = ("--lldp-interval", "1", "--lldp-ttl", "4", "--lldp-system-name", "beta")
    with ends(where, *arguments) as on:
        told, times = [], []
        for _frame in range(4):
            told.append(on.wire.receive())
            times.append(time.monotonic())
        info = on.switch.call("switch.info")["lldp"]
    assert info == {"interval_s": 1, "ttl_s": 4, "system_name": "beta"}
    assert len(set(told)) == 1
    assert told[0] is not None
    neighbour = _lldp_neighbor.neighbor("wire", _lldp.decode(told[0]), _lldp_neighbor.instant())
    assert (neighbour["system_name"], neighbour["ttl_s"]) == ("beta", 4)
    assert all(after - before > 0.9 for before, after in itertools.pairwise(times[1:]))


def test_two_data_cores_are_one_neighbour(where: Namespace, tmp_path: Path) -> None:
    """The kernel spreads what comes in over both; what leaves does so once."""
    many = [lldp(number) for number in range(NEIGHBOURS_MAX)]
    uplink = f"{UPLINK},qpairs=2"
    with (
        contextlib.closing(Wire(where, "wire")) as wire,
        running(Switch(tmp_path, uplink, where=where.name, data_cores=2)) as switch,
    ):
        wire.send(*many)
        wait_until("all are heard", lambda: sorted(neighbors(switch)) == many)
        switch.call("lldp.announce")
        assert wire.receive() is not None
        assert wire.receive(QUIET_S) is None


LLDP_OF_GUEST = Ether(src=MACS[1], dst=LLDP_GROUP, type=0x88CC) / Raw(lldp()[14:])


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([], id="without-a-rule"),
        pytest.param([wildcard(tags=[])], id="with-a-rule-for-all"),
        pytest.param([wildcard(ether_type=0x88CC, tags=[])], id="with-a-rule-of-its-own"),
    ],
)
def test_a_guest_is_nobodys_neighbour(on: Ends, rules: list[dict[str, t.Any]]) -> None:
    on.switch.call("rule.replace", rules=rules)
    on.guest.send(bytes(LLDP_OF_GUEST))
    wait_until("it is dropped", lambda: on.switch.drops() == {"guest_lldp": 1})
    assert on.wire.receive(QUIET_S) is None
    assert neighbors(on.switch) == []


def test_guests_get_nothing(on: Ends) -> None:
    on.wire.send(lldp())
    wait_until("it is heard", lambda: neighbors(on.switch))
    on.switch.call("lldp.announce")
    assert on.wire.receive() is not None
    assert on.guest.receive(QUIET_S) is None


def test_guests_get_nothing_where_untagged_frames_are_accepted(where: Namespace) -> None:
    with ends(where, "--accept-untagged") as on:
        on.wire.send(lldp(), delivered(1))
        assert on.guest.receive() == delivered(1)
        assert on.guest.receive(QUIET_S) is None
        wait_until("it is heard", lambda: neighbors(on.switch) == [lldp()])


def test_nobody_announces_on_a_link_that_is_down_and_all_goes_on_when_it_is_up(on: Ends) -> None:
    cause = r"^Cannot send an LLDP frame: the link of net_af_packet0 is down; "
    on.wire.send(lldp())
    wait_until("it is heard", lambda: neighbors(on.switch))
    for _flap in range(3):
        on.where.set_link("wire", "down")
        wait_until("the link is down", lambda: not on.switch.call("switch.info")["uplink"]["link_up"])
        with pytest.raises(RpcError, match=cause) as error:
            on.switch.call("lldp.announce")
        assert error.value.code == -32002
        on.where.set_link("wire", "up")
        wait_until("the link is up", lambda: on.switch.call("switch.info")["uplink"]["link_up"])
    assert neighbors(on.switch) == [lldp()]
    with contextlib.suppress(OSError):  # that the network was down
        on.wire.drain()
    on.switch.call("lldp.announce")
    assert on.wire.receive() is not None


@pytest.mark.parametrize("method", ["lldp.neighbors", "lldp.announce"])
def test_without_an_uplink_there_is_nothing_to_tell(tmp_path: Path, method: str) -> None:
    with running(Switch(tmp_path)) as switch:
        with pytest.raises(RpcError, match="the switch has no uplink; start it with one") as error:
            switch.call(method)
        assert error.value.code == -32001


def test_a_virtual_uplink_has_no_interface_and_no_speed(tmp_path: Path) -> None:
    with bench(tmp_path, {}) as on:
        on.wire.send(lldp())
        wait_until("it is heard", lambda: neighbors(on.switch) == [lldp()])
        port = on.switch.call("lldp.neighbors")["port"]
        assert (port["interface"], port["speed_bps"]) == (None, None)
        assert on.switch.call("lldp.announce") == {"sent": 1}
        data = on.wire.receive()
        assert data is not None
        assert _lldp.decode(data).source == port["mac"]
