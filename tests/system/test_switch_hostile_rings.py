"""A hostile guest whose rings lie: descriptors, indices and headers that no driver makes."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from switch_fixtures import MACS, Bench
from switch_hostile import hostile_bench, surviving
from switch_rules import HERE, PEER, TAGS, THERE, arriving, datagram, padded, rule, tagged
from vhost_guest import NO_HEADER
from virtio_ring import (
    BUFFER,
    DESCRIPTOR_INDIRECT,
    DESCRIPTOR_NEXT,
    DESCRIPTOR_WRITE,
    GUEST_BASE,
    HEADER,
    Descriptor,
    Header,
    Ring,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = 0xDEAD_0000_0000
LONGEST = 2**32 - 1
FRAME = NO_HEADER + bytes(datagram())


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with hostile_bench(tmp_path_factory.mktemp("rings")) as made:
        yield made


@pytest.fixture
def on(whole_bench: Bench) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(surviving(whole_bench))


def descriptor(address: int, length: int, flags: int = 0, following: int = 0) -> list[Descriptor]:
    return [Descriptor(address, length, flags, following)]


def circle(*following: int) -> list[Descriptor]:
    return [Descriptor(GUEST_BASE, 100, DESCRIPTOR_NEXT, number) for number in following]


def chain(length: int, count: int = 256) -> list[Descriptor]:
    links = [Descriptor(GUEST_BASE, length, DESCRIPTOR_NEXT, number + 1) for number in range(count - 1)]
    return [*links, Descriptor(GUEST_BASE, length, 0, 0)]


# The ring's first descriptors, of which the first is made available.
CHAINS: dict[str, list[Descriptor]] = {
    "an-address-outside-of-memory": descriptor(NOWHERE, len(FRAME)),
    "the-address-0": descriptor(0, len(FRAME)),
    "an-address-that-wraps": descriptor(2**64 - 16, len(FRAME)),
    "an-address-just-before-memory": descriptor(GUEST_BASE - 1, len(FRAME)),
    "the-length-0": descriptor(GUEST_BASE, 0),
    "the-length-1": descriptor(GUEST_BASE, 1),
    "a-header-and-no-frame": descriptor(GUEST_BASE, HEADER),
    "a-frame-of-1-byte": descriptor(GUEST_BASE, HEADER + 1),
    "the-longest-length": descriptor(GUEST_BASE, LONGEST),
    "a-length-of-65536": descriptor(GUEST_BASE, 65536),
    "a-chain-to-itself": circle(0),
    "a-chain-in-a-circle": circle(1, 2, 0),
    "a-chain-out-of-the-ring": circle(256),
    "a-chain-far-out-of-the-ring": circle(65535),
    "a-chain-of-all-descriptors": chain(BUFFER),
    "a-chain-of-the-longest-lengths": chain(LONGEST),
    "a-chain-of-nothing": chain(0),
    "a-chain-of-single-bytes": chain(1),
    "flags-of-all-kinds": descriptor(GUEST_BASE, 100, 0xFFFF),
    "a-writable-buffer": descriptor(GUEST_BASE, 100, DESCRIPTOR_WRITE),
    "an-indirect-table-nowhere": descriptor(NOWHERE, 160, DESCRIPTOR_INDIRECT),
    "an-indirect-table-of-no-length": descriptor(GUEST_BASE, 0, DESCRIPTOR_INDIRECT),
    "an-indirect-table-of-half-a-descriptor": descriptor(GUEST_BASE, 7, DESCRIPTOR_INDIRECT),
    "an-indirect-table-without-end": descriptor(GUEST_BASE, LONGEST - 15, DESCRIPTOR_INDIRECT),
    "an-indirect-table-that-goes-on": descriptor(GUEST_BASE, 160, DESCRIPTOR_INDIRECT | DESCRIPTOR_NEXT, 1),
}

# What an indirect table has; the ring's first descriptor names it.
INDIRECT: dict[str, list[Descriptor]] = {
    "itself": descriptor(GUEST_BASE, 16, DESCRIPTOR_INDIRECT),
    "a-circle": circle(1, 0),
    "a-chain-out-of-the-table": circle(9),
    "an-address-outside-of-memory": descriptor(NOWHERE, 100),
}


def offer(ring: Ring, descriptors: list[Descriptor], *heads: int) -> None:
    """Put these in front in the ring, and make chains available by their heads."""
    for number, made in enumerate(descriptors):
        ring.descriptors[number] = made
    ring.publish(*(heads or (0,)))


@pytest.mark.parametrize("case", CHAINS)
def test_sends_from(on: Bench, case: str) -> None:
    offer(on.vms[1].transmit_ring, CHAINS[case])


@pytest.mark.parametrize("case", CHAINS)
def test_wants_to_receive_into(on: Bench, case: str) -> None:
    ring = on.vms[1].receive_ring
    for number in range(ring.size):
        ring.descriptors[number] = CHAINS[case][number % len(CHAINS[case])]
        ring.descriptors[number].flags |= DESCRIPTOR_WRITE
    on.wire.send(*[arriving(1)] * 300)


@pytest.mark.parametrize("case", INDIRECT)
def test_sends_from_an_indirect_table_with(on: Bench, case: str) -> None:
    ring = on.vms[1].transmit_ring
    table = b"".join(bytes(made) for made in INDIRECT[case])
    ring.write(9, table)
    offer(ring, descriptor(ring.address(9), len(table), DESCRIPTOR_INDIRECT))


def test_sends_from_the_end_of_its_memory_and_beyond(on: Bench) -> None:
    guest = on.vms[1]
    end = GUEST_BASE + len(guest.memory)
    offer(
        guest.transmit_ring, [Descriptor(end - 50, len(FRAME), 0, 0), Descriptor(end, len(FRAME), 0, 0)], 0, 1
    )


@pytest.mark.parametrize("head", [256, 257, 32768, 65535])
def test_makes_a_descriptor_available_that_is_not_there(on: Bench, head: int) -> None:
    for ring in on.vms[1].rings:
        ring.publish(head)
    on.wire.send(*[arriving(1)] * 300)


@pytest.mark.parametrize("jump", [257, 32767, 32768, 65535])
@pytest.mark.parametrize("which", [0, 1], ids=["receive", "transmit"])
def test_makes_more_available_than_there_is(on: Bench, which: int, jump: int) -> None:
    ring = on.vms[1].rings[which]
    ring.available.index = (ring.available.index + jump) & 0xFFFF
    on.wire.send(*[arriving(1)] * 300)


def test_writes_into_the_used_rings(on: Bench) -> None:
    for ring in on.vms[1].rings:
        ring.used.index = (ring.used.index + 12345) & 0xFFFF
        for number in range(ring.size):
            ring.used.ring[number].head = LONGEST
            ring.used.ring[number].length = LONGEST
    on.wire.send(*[arriving(1)] * 300)


def test_changes_descriptors_while_they_are_read(on: Bench) -> None:
    """Good and bad ones in turn, in a ring that never stops."""
    good = Descriptor(on.vms[1].transmit_ring.address(0), len(FRAME), 0, 0)
    bad = [
        Descriptor(NOWHERE, len(FRAME), 0, 0),
        Descriptor(GUEST_BASE, LONGEST, 1, 0),
        Descriptor(0, 0, 4, 65535),
    ]
    with on.vms[1].repeating(bytes(datagram())) as repeater:
        descriptors, size = repeater.ring.descriptors, repeater.ring.size
        for number, wrong in zip(range(50_000), itertools.cycle(bad), strict=False):
            repeater.push(size)
            descriptors[number % size] = wrong
            descriptors[(number + size // 2) % size] = good
            on.wire.drain()
        for number in range(size):
            descriptors[number] = good
        # What is stuck behind a bad one goes with the guest.
        repeater.ring.available.index = repeater.ring.used.index
        repeater.ring.seen = repeater.ring.used.index


CHECKSUM, VALID = 1, 2  # flags of a header
TCP4, UDP4, TCP6, ECN = 1, 3, 4, 0x80  # kinds of segmentation

HEADERS = {
    "a-checksum-to-be-done": Header(CHECKSUM, 0, 0, 0, 34, 16, 0),
    "a-checksum-behind-the-frame": Header(CHECKSUM, 0, 0, 0, 65535, 65535, 0),
    "a-checksum-that-is-good": Header(VALID, 0, 0, 0, 0, 0, 0),
    "segments-of-tcp": Header(CHECKSUM, TCP4, 54, 100, 34, 16, 0),
    "segments-of-1-byte": Header(CHECKSUM, TCP4, 54, 1, 34, 16, 0),
    "segments-of-0-bytes": Header(CHECKSUM, TCP4, 54, 0, 34, 16, 0),
    "segments-of-the-other-family": Header(CHECKSUM, TCP6, 54, 100, 34, 16, 0),
    "segments-of-udp": Header(CHECKSUM, UDP4, 54, 100, 34, 6, 0),
    "segments-of-an-unknown-kind": Header(CHECKSUM, 0x7F | ECN, 65535, 65535, 65535, 65535, 0),
    "more-buffers-than-there-are": Header(0, 0, 0, 0, 0, 0, 65535),
    "every-bit": Header(0xFF, 0xFF, 65535, 65535, 65535, 65535, 65535),
}


@pytest.mark.parametrize("case", HEADERS)
def test_asks_for_an_offload_that_nobody_offered(on: Bench, case: str) -> None:
    """Its frame leaves as it is, or not at all; it is never cut into more frames, nor changed."""
    on.switch.call("rule.set", rules=[rule(protocol=6)])
    segment = IP(src=HERE, dst=THERE) / TCP(sport=5000, dport=5001, chksum=1)
    frame = bytes(padded(Ether(src=MACS[1], dst=PEER) / segment, 1400))
    on.vms[1].send(frame, header=bytes(HEADERS[case]))
    on.vms[1].wait_taken()
    assert on.wire.receive_all(0.02) in ([], [tagged(frame, *TAGS)])
