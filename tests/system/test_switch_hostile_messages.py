"""A hostile guest's side of the vhost-user socket: garbage in place of messages, and connections that come and go.

The guest itself cannot write there, only its QEMU can; yet a QEMU that was taken over has one VM, not the switch.
"""

from __future__ import annotations

import contextlib
import os
import random
import struct
import typing as t

import pytest
from switch_fixtures import Bench
from switch_hostile import assert_others_unharmed, hostile_bench, surviving
from switch_rules import datagram
from vhost_guest import TRANSMIT, Guest
from vhost_user import FLAG_NEED_REPLY, VERSION, Connection, Feature, GoneError, Message, RefusedError
from virtio_ring import GUEST_BASE, USER_BASE

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECTIONS = 200
RANDOM_MESSAGES = 500
HIGHEST_MESSAGE = 45  # beyond the last that DPDK knows
LONGEST = 2**32 - 1
HIGHEST = 2**64 - 1


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with hostile_bench(tmp_path_factory.mktemp("messages")) as made:
        yield made


@pytest.fixture
def on(whole_bench: Bench) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(surviving(whole_bench))


def message(request: int, payload: bytes = b"", flags: int = VERSION, size: int | None = None) -> bytes:
    return struct.pack("=III", request, flags, len(payload) if size is None else size) + payload


def memory(*regions: tuple[int, int, int, int], count: int | None = None) -> bytes:
    body = struct.pack("=II", len(regions) if count is None else count, 0)
    return body + b"".join(struct.pack("=QQQQ", *region) for region in regions)


GOOD_REGION = (GUEST_BASE, 1 << 20, USER_BASE, 0)

# Sent on a new connection.
FIRST_WORDS = {
    "nothing": b"",
    "half-a-header": b"\x01\x00\x00\x00\x01",
    "a-header-and-half-a-payload": message(Message.SET_FEATURES, b"\x00", size=8),
    "another-version": message(Message.GET_FEATURES, flags=2),
    "an-unknown-request": message(99),
    "the-request-0": message(0),
    "the-highest-request": message(LONGEST),
    "the-longest-payload": message(Message.SET_FEATURES, bytes(64), size=LONGEST),
    "a-payload-that-is-too-short": message(Message.SET_MEM_TABLE, b"\x01"),
    "a-payload-where-there-is-none": message(Message.GET_FEATURES, bytes(200)),
    "every-feature": message(Message.SET_FEATURES, struct.pack("=Q", HIGHEST)),
    "every-protocol-feature": message(Message.SET_PROTOCOL_FEATURES, struct.pack("=Q", HIGHEST)),
    "http": b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n",
    "a-megabyte-of-zeros": bytes(1 << 20),
}

# Sent after a guest has negotiated, before it has shared its memory; with so many file descriptors.
MEMORY = {
    "no-region": (memory(), 0),
    "a-region-without-a-file": (memory(GOOD_REGION), 0),
    "two-files-for-one-region": (memory(GOOD_REGION), 2),
    "nine-regions": (memory(*[GOOD_REGION] * 9), 8),
    "the-most-regions": (memory(GOOD_REGION, count=LONGEST), 1),
    "a-region-of-no-size": (memory((GUEST_BASE, 0, USER_BASE, 0)), 1),
    "the-largest-region": (memory((GUEST_BASE, HIGHEST, USER_BASE, 0)), 1),
    "the-highest-offset": (memory((GUEST_BASE, 4096, USER_BASE, HIGHEST)), 1),
    "an-offset-that-wraps": (memory((GUEST_BASE, 1 << 20, USER_BASE, HIGHEST - 4095)), 1),
    "the-same-region-twice": (memory(GOOD_REGION, GOOD_REGION), 2),
}

# Sent once the guest is served.
LATER_WORDS = {
    "a-ring-of-no-size": message(Message.SET_VRING_NUM, struct.pack("=II", TRANSMIT, 0)),
    "a-ring-of-3": message(Message.SET_VRING_NUM, struct.pack("=II", TRANSMIT, 3)),
    "the-largest-ring": message(Message.SET_VRING_NUM, struct.pack("=II", TRANSMIT, LONGEST)),
    "the-highest-base": message(Message.SET_VRING_BASE, struct.pack("=II", TRANSMIT, LONGEST)),
    "a-ring-outside-of-memory": message(
        Message.SET_VRING_ADDR, struct.pack("=IIQQQQ", TRANSMIT, 0, *[HIGHEST] * 3, 0)
    ),
    "a-ring-at-the-end-of-memory": message(
        Message.SET_VRING_ADDR, struct.pack("=IIQQQQ", TRANSMIT, 0, *[USER_BASE + (1 << 20) - 8] * 3, 0)
    ),
    "a-ring-at-an-odd-address": message(
        Message.SET_VRING_ADDR, struct.pack("=IIQQQQ", TRANSMIT, 0, *[USER_BASE + 1] * 3, 0)
    ),
    "a-kick-without-a-file": message(Message.SET_VRING_KICK, struct.pack("=Q", TRANSMIT)),
    "no-memory-any-more": message(Message.SET_MEM_TABLE, memory()),
    "the-owner-again": message(Message.SET_OWNER),
    "status-bits": message(39, struct.pack("=Q", HIGHEST)),
    "features-taken-back": message(Message.SET_FEATURES, struct.pack("=Q", 0)),
    **{
        f"ring-number-{number}-of-{request.name.lower().replace('_', '-')}": message(
            request, struct.pack("=II", number, 1)
        )
        for number in (2, 255, 256, LONGEST)
        for request in (
            Message.SET_VRING_NUM,
            Message.SET_VRING_BASE,
            Message.GET_VRING_BASE,
            Message.SET_VRING_ENABLE,
        )
    },
}


@contextlib.contextmanager
def rebuffed() -> Iterator[None]:
    """The switch may refuse, and may hang up."""
    with contextlib.suppress(GoneError, RefusedError, TimeoutError):
        yield


def say(link: Connection, words: bytes, files: int = 0) -> None:
    link.socket.settimeout(0.05)
    descriptors = [os.memfd_create("hostile") for _file in range(files)]
    for descriptor in descriptors:
        os.ftruncate(descriptor, 1 << 20)
    with rebuffed():
        link.send(words, *descriptors)
        link.ask(Message.GET_FEATURES)
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize("case", FIRST_WORDS)
def test_begins_with(on: Bench, case: str) -> None:
    on.vms[1].disconnect()
    with contextlib.closing(Connection.to(on.vms[1].path)) as link:
        say(link, FIRST_WORDS[case])


@pytest.mark.parametrize("case", MEMORY)
def test_shares(on: Bench, case: str) -> None:
    guest = on.vms[1]
    guest.disconnect()
    guest.connect()
    guest.link.acknowledged = False
    regions, files = MEMORY[case]
    say(guest.link, message(Message.SET_MEM_TABLE, regions), files)
    with rebuffed():
        guest.start_ring(TRANSMIT)


@pytest.mark.parametrize("kind", ["a-pipe", "a-directory", "a-device"])
def test_shares_in_place_of_memory(on: Bench, kind: str) -> None:
    guest = on.vms[1]
    guest.disconnect()
    guest.connect()
    made = {
        "a-pipe": os.pipe,
        "a-directory": lambda: (os.open("/", os.O_RDONLY),),
        "a-device": lambda: (os.open("/dev/null", os.O_RDWR),),
    }[kind]()
    with rebuffed():
        guest.link.tell(Message.SET_MEM_TABLE, memory(GOOD_REGION), made[0])
    for descriptor in made:
        os.close(descriptor)


@pytest.mark.parametrize("case", LATER_WORDS)
def test_says_while_it_is_served(on: Bench, case: str) -> None:
    guest = on.vms[1]
    guest.send(*[bytes(datagram())] * 50)
    say(guest.link, LATER_WORDS[case])
    with rebuffed():
        guest.link.ask(Message.GET_QUEUE_NUM)
    for number in range(guest.ring_size):
        guest.transmit_ring.publish(number)


def test_takes_its_memory_away_while_it_sends(on: Bench) -> None:
    """As at a hot-plug: the table of memory is replaced again and again."""
    guest = on.vms[1]
    with guest.repeating(bytes(datagram())) as repeater:
        for _round in range(50):
            repeater.push(guest.ring_size)
            guest.share_memory()
            on.wire.drain()


def test_random_messages(on: Bench) -> None:
    """By a fixed seed; some of them with a file, and each on a connection that the one before may have spoilt."""
    chance = random.Random(4)
    guest = on.vms[1]
    for _round in range(RANDOM_MESSAGES):
        if guest.connection is None:
            guest.connect()
        payload = chance.choice(
            [chance.randbytes(8), bytes(8), b"\xff" * 40, chance.randbytes(chance.randrange(300))]
        )
        flags = chance.choice([VERSION, VERSION | FLAG_NEED_REPLY, chance.randrange(LONGEST)])
        try:
            guest.link.send(message(chance.randrange(HIGHEST_MESSAGE), payload, flags))
            if chance.random() < 0.2:
                guest.disconnect()
        except GoneError:
            guest.disconnect()


def leaves_at_once(guest: Guest) -> None:
    guest.connection = Connection.to(guest.path)


def leaves_after_its_features(guest: Guest) -> None:
    guest.connect()


def leaves_after_its_memory(guest: Guest) -> None:
    guest.connect()
    guest.share_memory()


def leaves_with_one_ring(guest: Guest) -> None:
    leaves_after_its_memory(guest)
    guest.start_ring(TRANSMIT)


def leaves_in_full_traffic(guest: Guest) -> None:
    """With so much to take that the data core is at it when the memory goes."""
    guest.open()
    guest.transmit_ring.available.index = (guest.transmit_ring.available.index + 65535) & 0xFFFF


STAYS: list[Callable[[Guest], None]] = [
    leaves_at_once,
    leaves_after_its_features,
    leaves_after_its_memory,
    leaves_with_one_ring,
    leaves_in_full_traffic,
]


def test_connects_and_disconnects_200_times(on: Bench) -> None:
    guest = on.vms[1]
    guest.send(bytes(datagram()))
    guest.wait_taken()
    for number in range(CONNECTIONS):
        guest.disconnect()
        STAYS[number % len(STAYS)](guest)
        if number % 20 == 0:
            assert_others_unharmed(on)


def test_negotiates_what_was_not_offered(on: Bench) -> None:
    """Offloads, several pairs of queues: refused, one by one."""
    guest = on.vms[1]
    for feature in Feature:
        guest.disconnect()
        offered = guest.connect()
        if offered & feature:
            continue
        with pytest.raises((RefusedError, GoneError)):
            guest.link.tell_number(Message.SET_FEATURES, guest.features | feature)


# Messages that make the library reserve, map or remember what nobody here needs.
UNNEEDED = {
    "dirty-pages": (6, struct.pack("=QQ", 4096, 0)),
    "a-channel-back": (21, b""),
    "a-translation": (22, bytes(32)),
    "post-copy": (28, b""),
    "memory-for-descriptors-in-flight": (31, struct.pack("=QQHH4x", 0, 0, 1, 256)),
    "descriptors-in-flight": (32, struct.pack("=QQHH4x", 4096, 0, 1, 256)),
}


@pytest.mark.parametrize("case", UNNEEDED)
def test_asks_for_more_than_a_guest_needs(on: Bench, case: str) -> None:
    """Refused. The fourth of 65535 rings would cost 68 GB of memory for descriptors in flight."""
    request, payload = UNNEEDED[case]
    with pytest.raises(GoneError):
        on.vms[1].link.ask(request, payload)


def test_no_offload_is_offered(on: Bench) -> None:
    guest = on.vms[1]
    guest.disconnect()
    offloads = (
        Feature.CSUM
        | Feature.GUEST_CSUM
        | Feature.GUEST_TSO4
        | Feature.GUEST_TSO6
        | Feature.GUEST_ECN
        | Feature.GUEST_UFO
        | Feature.HOST_TSO4
        | Feature.HOST_TSO6
        | Feature.HOST_ECN
        | Feature.HOST_UFO
        | Feature.MULTIQUEUE
    )
    offered = Feature(guest.connect())
    assert offered & offloads == 0
    assert offered & (Feature.MERGEABLE | Feature.PACKED | Feature.VERSION_1)
