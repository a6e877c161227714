"""Other tags for a rule under traffic: no frame is lost or doubled, and nothing else of the rule or another changes."""

from __future__ import annotations

import collections
import threading
import time
import typing as t

import pytest
from switch_fixtures import Bench, bench, wait_until
from switch_rules import cost_bits, normal, numbered, rule

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from conftest import Figures

WAYS = ([20, 20, 7], [30, 20, 20, 7])
CHANGES = 200
FRAME = 100
QUIET_S = 0.3
OTHER = {"source_port": 5002, "rate_bps": 10**6, "burst_bits": 10**4}


@pytest.fixture
def on(tmp_path: pathlib.Path) -> Iterator[Bench]:
    with bench(tmp_path, {1: "switch"}) as made:
        yield made


def number_and_tags(frame: bytes) -> tuple[int, list[int]]:
    """Return what a frame on the wire says of itself, and its tags."""
    tags = []
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        tags.append(int.from_bytes(frame[at + 2 : at + 4], "big"))
        at += 4
    return int.from_bytes(frame[-4:], "big"), tags


def counted(on: Bench) -> list[dict[str, t.Any]]:
    """Return the counters of the rules."""
    rules: list[dict[str, t.Any]] = on.switch.call("stats.get")["rules"]
    return rules


def test_every_frame_goes_one_way_or_the_other(on: Bench, figures: Figures) -> None:
    on.switch.call("rule.set", rules=[rule(tags=WAYS[0]), rule(**OTHER)])
    generation = on.switch.call("switch.info")["state"]["generation"]
    stop, sent = threading.Event(), 0

    def send() -> None:
        nonlocal sent
        while not stop.is_set():
            frames = numbered(20)
            on.vms[1].send(*(frame[:-4] + (sent + i).to_bytes(4, "big") for i, frame in enumerate(frames)))
            sent += len(frames)
            time.sleep(0.001)

    sender = threading.Thread(target=send)
    sender.start()
    received: list[bytes] = []
    for change in range(CHANGES):
        tags = WAYS[(change + 1) % len(WAYS)]
        answer = on.switch.call("rule.replace", rules=[rule(tags=tags), rule(**OTHER)])
        assert (answer["set"], answer["deleted"], answer["generation"]) == (1, 0, generation + change + 1)
        received += on.wire.receive_all(0.002)
    stop.set()
    sender.join()
    received += on.wire.receive_all(QUIET_S)

    found = [number_and_tags(frame) for frame in received]
    assert [number for number, _tags in found] == list(range(sent)), "each once, and in order"
    ways = collections.Counter(tuple(tags) for _number, tags in found)
    assert set(ways) == set(map(tuple, WAYS))
    assert on.switch.drops() == {}
    moved, other = counted(on)
    assert (moved["packets"], other["packets"]) == (sent, 0)
    assert on.switch.call("rule.list")["rules"] == [normal(rule(tags=WAYS[0])), normal(rule(**OTHER))]
    figures.add(
        f"reroute: frames during {CHANGES} changes of way, of which none was lost or doubled", sent, ""
    )


def test_what_waits_keeps_its_time_and_its_way_and_what_comes_follows_it(on: Bench) -> None:
    """A change gives no new bucket, and a waiting frame has been charged for the tags that it has."""
    count, at_once, rate = 60, 10, 10**5
    terms = {"rate_bps": rate, "burst_bits": at_once * cost_bits(FRAME, len(WAYS[0]))}
    on.switch.call("rule.set", rules=[rule(tags=WAYS[0], **terms)])
    *first, last = numbered(count + 1, FRAME)
    began = time.monotonic()
    on.vms[1].send(*first)
    wait_until("those of the burst left", lambda: counted(on)[0]["packets"] >= at_once)
    on.switch.call("rule.replace", rules=[rule(tags=WAYS[1], **terms)])
    on.vms[1].send(last)
    frames = [on.wire.receive() for _frame in range(count + 1)]
    took = time.monotonic() - began
    assert [number_and_tags(frame) for frame in frames if frame] == [
        *((number, WAYS[0]) for number in range(count)),
        (count, WAYS[1]),
    ]
    assert took >= (count + 1 - at_once) * cost_bits(FRAME, len(WAYS[0])) / rate
    assert on.wire.receive(QUIET_S) is None
    assert on.switch.drops() == {}
