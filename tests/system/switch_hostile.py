"""A bench with a hostile guest, VM 1, and what has to hold whatever it does.

The others (VM 2, both ways; the switch's control) notice nothing, a guest that is well again is served again, and no
frame buffer is lost.
"""

from __future__ import annotations

import contextlib
import typing as t

from switch_fixtures import MACS, Bench, bench, wait_until
from switch_rules import TAGS, arriving, datagram, delivered, numbered, rule, tagged

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

VMS = {0: "switch", 1: "switch", 2: "qemu"}
VICTIM_MAC = bytes.fromhex(MACS[2].replace(":", ""))
PROOF = 200  # frames each way


@contextlib.contextmanager
def hostile_bench(directory: pathlib.Path) -> Iterator[Bench]:
    with bench(directory, VMS) as made:
        yield made


@contextlib.contextmanager
def surviving(on: Bench) -> Iterator[Bench]:
    """Give VM 1 its chance, and check what has to hold afterwards."""
    on.reset()
    on.switch.call("rule.set", rules=[rule(1), rule(2)])
    yield on
    assert_others_unharmed(on)
    on.vms[1].kill()
    on.vms[1].open()
    on.wire.drain()
    on.switch.call("rule.replace", rules=[rule(1)])
    on.vms[1].send(bytes(datagram()))
    assert on.wire.receive() == tagged(datagram(), *TAGS)
    on.wire.send(arriving(1))
    assert on.vms[1].receive() == delivered(1)
    on.wait_idle()


def assert_others_unharmed(on: Bench) -> None:
    """All of VM 2's frames pass, both ways, in order."""
    victim_sends(on, numbered(PROOF, vm=2))
    on.wire.send(*[arriving(2)] * PROOF)
    assert [on.vms[2].receive() for _frame in range(PROOF)] == [delivered(2)] * PROOF


def victim_sends(on: Bench, frames: list[bytes]) -> None:
    """Send VM 2's frames and see them all on the wire, among whatever else is there."""
    on.vms[2].send(*frames)
    left: list[bytes] = []

    def have_left() -> bool:
        left.extend(frame for frame in on.wire.receive_all() if frame[6:12] == VICTIM_MAC)
        return len(left) >= len(frames)

    wait_until(f"VM 2's {len(frames)} frames leave", have_left)
    assert left == [tagged(frame, *TAGS) for frame in frames]
