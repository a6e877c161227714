from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.detnet.testbed.plugins.modules import udp_probe

MS = 1_000_000
DEFAULTS = {name: spec.get("default") for name, spec in udp_probe.ARGUMENT_SPEC.items()}


def ledger_of(count, payload_bytes=64):
    """Return a ledger and the datagrams entered as sent, one per millisecond."""
    ledger = udp_probe.Ledger(payload_bytes)
    datagrams = []
    for number in range(count):
        datagrams.append(ledger.next_datagram(number * MS))
        ledger.sent(number * MS)
    return ledger, datagrams


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param([0, 1, 2], {"received": 3}, id="all-back-in-order"),
        pytest.param([0, 2], {"received": 2}, id="one-lost"),
        pytest.param([], {"received": 0}, id="all-lost"),
        pytest.param([0, 1, 1, 2], {"received": 3, "duplicates": 1}, id="one-twice-counts-once"),
        pytest.param([1, 2, 0], {"received": 3, "out_of_order": 1}, id="one-late"),
        pytest.param([2, 1, 0], {"received": 3, "out_of_order": 2}, id="reversed"),
    ],
)
def test_every_echo_is_accounted_for(order, expected):
    ledger, datagrams = ledger_of(3)
    for number in order:
        ledger.received(datagrams[number], 10 * MS)
    nothing = {"duplicates": 0, "out_of_order": 0, "corrupt": 0}
    result = ledger.result()
    del result["rtt_us"]
    assert result == {"sent": 3} | nothing | expected


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda data: data + b"\0", id="longer"),
        pytest.param(lambda data: data[:-1] + b"\xff", id="padding-changed"),
        pytest.param(lambda data: b"\0\0\0\x01" + data[4:], id="number-of-another"),
        pytest.param(lambda data: b"\0\0\0\x09" + data[4:], id="number-never-sent"),
        pytest.param(lambda data: data[:11] + b"\xff" + data[12:], id="timestamp-of-another-run"),
        pytest.param(lambda data: data[:0], id="empty"),
    ],
)
def test_what_was_not_sent_is_corrupt_and_not_received(change):
    ledger, datagrams = ledger_of(3)
    ledger.received(change(datagrams[0]), 10 * MS)
    assert (ledger.result()["corrupt"], ledger.result()["received"]) == (1, 0)


def test_round_trip_time_is_from_the_timestamp_in_the_datagram():
    ledger, datagrams = ledger_of(2)
    ledger.received(datagrams[0], 4 * MS)
    ledger.received(datagrams[1], 9 * MS)
    assert ledger.result()["rtt_us"] == {"min": 4000, "p50": 4000, "p99": 8000, "max": 8000}


def test_datagrams_given_up_leave_the_window_and_count_if_they_come_late():
    ledger, datagrams = ledger_of(3)
    ledger.give_up(sent_before=2 * MS)
    assert list(ledger.in_flight) == [2]
    ledger.received(datagrams[0], 99 * MS)
    assert ledger.result()["received"] == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], {}, id="nothing-of-nothing"),
        pytest.param([5], {"min": 5, "p50": 5, "p99": 5, "max": 5}, id="one"),
        pytest.param(
            list(range(100, 0, -1)), {"min": 1, "p50": 50, "p99": 99, "max": 100}, id="nearest-rank"
        ),
    ],
)
def test_percentiles(values, expected):
    assert udp_probe.percentiles(values) == expected


@pytest.mark.parametrize("size", [udp_probe.HEADER.size, 64, 1472])
def test_datagrams_have_the_length_that_was_asked_for(size):
    assert [len(data) for data in ledger_of(2, size)[1]] == [size, size]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("destination_port", 0),
        ("destination_port", 65536),
        ("source_port", -1),
        ("count", 0),
        ("payload_bytes", 11),
        ("payload_bytes", 65508),
        ("window", 0),
        ("loss_ms", 0),
        ("timeout_s", 0),
        ("burst_count", 4097),
        ("burst_payload_bytes", 11),
    ],
)
def test_options_out_of_range_are_named_with_their_limits(name, value):
    complaint = udp_probe.out_of_range(DEFAULTS | {name: value})
    low, high = udp_probe.LIMITS[name]
    assert complaint == f"{name} is {value}, must be from {low} to {high}"


def test_defaults_are_in_range():
    assert udp_probe.out_of_range(DEFAULTS) is None


@pytest.fixture
def echo():
    """An echo service on the loopback interface; returns its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.settimeout(5)

        def serve():
            while (received := service.recvfrom(65535))[0] != b"end":
                service.sendto(*received)

        thread = threading.Thread(target=serve)
        thread.start()
        port = service.getsockname()[1]
        yield port
        service.sendto(b"end", ("127.0.0.1", port))
        thread.join()


@pytest.mark.parametrize("burst", [pytest.param(0, id="no-burst"), pytest.param(20, id="a-burst")])
def test_a_burst_follows_with_an_account_of_its_own(run, echo, burst):
    result = run(
        udp_probe.main,
        destination="127.0.0.1",
        destination_port=echo,
        count=3,
        interval_us=0,
        burst_count=burst,
    )
    assert (result["sent"], result["received"]) == (3, 3)
    assert ("burst" in result) == bool(burst)
    if burst:
        assert (result["burst"]["sent"], result["burst"]["received"]) == (20, 20)
