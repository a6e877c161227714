"""A kernel's interface as uplink: frames as they are on its other end, and what happens when it is down."""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest
from kernel_fixtures import UPLINK, Namespace, Wire, namespace
from switch_fixtures import Switch, running, wait_until
from switch_rules import TAGS, arriving, datagram, delivered, rule, tagged
from vhost_guest import Guest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 100  # frames, no more than the guest's ring takes


class Ends(t.NamedTuple):
    """A switch between its wire and VM 1."""

    switch: Switch
    wire: Wire
    guest: Guest


@pytest.fixture(scope="module")
def where() -> Iterator[Namespace]:
    with namespace(f"uplink-{os.getpid()}") as made:
        made.add_pair("uplink", "wire")
        yield made


@pytest.fixture(scope="module")
def on(where: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    directory = tmp_path_factory.mktemp("uplink")
    with (
        running(Switch(directory, UPLINK, where=where.name)) as switch,
        contextlib.closing(Wire(where, "wire")) as wire,
    ):
        switch.add_port(1)
        switch.call("rule.set", rules=[rule()])
        with contextlib.closing(Guest(switch.vhost(1)).open()) as guest:
            yield Ends(switch, wire, guest)


def test_frames_leave_and_arrive_with_their_tags(on: Ends) -> None:
    on.guest.send(bytes(datagram()))
    assert on.wire.receive() == tagged(datagram(), *TAGS)
    on.wire.send(arriving(1))
    assert on.guest.receive() == delivered(1)


def test_an_interface_that_is_down_takes_little_and_what_it_refuses_is_not_charged(
    on: Ends, where: Namespace
) -> None:
    on.switch.call("stats.reset")
    where.set_link("uplink", "down")
    try:
        for _round in range(20):
            on.guest.send(*[bytes(datagram())] * BATCH)
            on.guest.wait_taken()
        wait_until("every buffer is free", lambda: on.switch.buffers_in_use() == 0)
        stats = on.switch.call("stats.get")
        sent = stats["uplink"]["sent"]["packets"]
        assert on.switch.drops() == {"uplink_full": 20 * BATCH - sent}
        assert stats["rules"][0]["packets"] == sent
        assert not on.switch.call("switch.info")["uplink"]["link_up"]
    finally:
        where.set_link("uplink", "up")
    on.wire.drain()

    def passes() -> bool:
        on.guest.send(bytes(datagram()))
        return on.wire.receive(0.05) == tagged(datagram(), *TAGS)

    wait_until("traffic resumes", passes)
