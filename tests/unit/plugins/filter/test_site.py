"""The three filters of the traffic test share one form of results."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.detnet.testbed.plugins.filter.site_faults import site_faults
from ansible_collections.detnet.testbed.plugins.filter.site_report import site_report
from ansible_collections.detnet.testbed.plugins.filter.site_results import ping_result, site_results

TAGS = [21, 21, 1]
PING_OUTPUT = """PING 10.20.0.21 (10.20.0.21) 56(84) bytes of data.

--- 10.20.0.21 ping statistics ---
5 packets transmitted, 5 received, 0% packet loss, time 808ms
rtt min/avg/max/mdev = 4.012/8.100/20.301/2.003 ms
"""
IDENTITY = {
    "vm": 1,
    "protocol": 17,
    "source_ip": "10.20.0.11",
    "destination_ip": "10.20.0.21",
    "source_port": 40000,
    "destination_port": 7,
}
RULE = IDENTITY | {"tags": TAGS, "rate_bps": 10_000_000, "burst_bits": 200_000}
COUNTERS = {"packets": 1000, "bytes": 106000, "drops": {"over_rate": 0}}


def hop(at, tags):
    return {"at": at, "tags": tags, "vlan_stack_hex": "", "frames": 1000}


JOURNEY = [
    hop("alpha - s1", [21, 21, 1]),
    hop("s1 - s2", [21, 1]),
    hop("s2 - beta", [1]),
    hop("beta-vm-01", []),
]
DEMANDED = {hop["at"]: hop["tags"] for hop in JOURNEY}
MEASURED = {
    "about": {"accelerator": "tcg"},
    "probe": {
        "sent": 1000,
        "received": 1000,
        "duplicates": 0,
        "out_of_order": 0,
        "corrupt": 0,
        "rtt_us": {"min": 4100, "p50": 8050, "p99": 31200, "max": 39007},
        "changed": False,
    },
    "journey": {"journey": JOURNEY, "changed": False},
    "pings": [{"from": "alpha-vm-01", "to": "beta-vm-01", "output": PING_OUTPUT}],
    "switches": {"alpha": {"rules": [RULE], "stats": {"rules": [IDENTITY | COUNTERS]}}},
    "names": {"10.20.0.11": "alpha-vm-01", "10.20.0.21": "beta-vm-01"},
}


@pytest.fixture
def results():
    return copy.deepcopy(site_results(MEASURED))


def test_results_have_the_form_that_is_kept(results):
    assert results == {
        "accelerator": "tcg",
        "journey": JOURNEY,
        "udp": {"sent": 1000, "received": 1000, "duplicates": 0, "out_of_order": 0, "corrupt": 0},
        "rtt_us": {"min": 4100, "p50": 8050, "p99": 31200, "max": 39007},
        "ping": [
            {
                "from": "alpha-vm-01",
                "to": "beta-vm-01",
                "sent": 5,
                "received": 5,
                "rtt_us": {"min": 4012, "mean": 8100, "max": 20301},
            }
        ],
        "rules": [
            {
                "end_host": "alpha",
                "from": "alpha-vm-01",
                "to": "beta-vm-01",
                **RULE,
                "protocol": "udp",
                **COUNTERS,
            }
        ],
    }


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        pytest.param("5 packets transmitted, 3 received, 40% packet loss, time 9ms\n", (5, 3), id="loss"),
        pytest.param("5 packets transmitted, 0 received, +5 errors, 100% loss\n", (5, 0), id="unreachable"),
        pytest.param("", (0, 0), id="no-output"),
    ],
)
def test_a_ping_without_answers_has_no_round_trip(output, counts):
    result = ping_result({"from": "a", "to": "b", "output": output})
    assert (result["sent"], result["received"]) == counts
    assert result["rtt_us"] == {}


def test_results_without_fault_have_none(results):
    assert site_faults(results, DEMANDED, 1000) == []


def lose_datagrams(results):
    results["udp"]["received"] = 990
    results["journey"][2]["frames"] = results["journey"][3]["frames"] = 995


@pytest.mark.parametrize(
    ("inject", "message"),
    [
        pytest.param(
            lose_datagrams,
            "Lost 10 of 1000 datagrams (frames on the way there: alpha - s1 1000, s1 - s2 1000, "
            "s2 - beta 995, beta-vm-01 995; ",
            id="loss-says-how-far-they-came",
        ),
        pytest.param(
            lambda r: r["journey"][1].update(tags=[22, 1]),
            "Wrong tags at s1 - s2: [22, 1], the rule says [21, 1]; ",
            id="wrong-tag",
        ),
        pytest.param(
            lambda r: r["journey"][3].update(tags=[1]),
            "Leftover tags [1] in the guest beta-vm-01; ",
            id="leftover-tag",
        ),
        pytest.param(
            lambda r: r.update(journey=[], journey_fault="s1 - s2 saw no frame of it"),
            "s1 - s2 saw no frame of it",
            id="unreadable-journey",
        ),
        pytest.param(
            lambda r: r["journey"][1].update(frames=1001),
            "Duplicated frames at s1 - s2: 1001 frames of 1000 datagrams; ",
            id="duplicated-frame",
        ),
        pytest.param(
            lambda r: r["udp"].update(duplicates=1),
            "1 of 1000 datagrams came back twice; ",
            id="duplicated-echo",
        ),
        pytest.param(
            lambda r: r["udp"].update(corrupt=2), "2 of 1000 datagrams came back changed; ", id="corrupt-echo"
        ),
        pytest.param(
            lambda r: (r["udp"].update(sent=400, received=400), [h.update(frames=400) for h in r["journey"]]),
            "Only 400 of 1000 datagrams were sent in time, ",
            id="too-slow",
        ),
        pytest.param(
            lambda r: r["ping"][0].update(received=4),
            "Ping alpha-vm-01 > beta-vm-01: 4 of 5 answered; ",
            id="ping-loss",
        ),
        pytest.param(
            lambda r: r["ping"][0].update(sent=0, received=0),
            "Ping alpha-vm-01 > beta-vm-01: 0 of 0 answered; ",
            id="ping-did-not-run",
        ),
    ],
)
def test_every_fault_is_named_with_its_place(results, inject, message):
    inject(results)
    [fault] = site_faults(results, DEMANDED, 1000)
    assert fault.startswith(message)


REPORT = """\
Path of the UDP datagrams, read from the captured frames (outermost tag first)
  alpha - s1  [21][21][1] packet  1000 frames
  s1 - s2         [21][1] packet  1000 frames
  s2 - beta           [1] packet  1000 frames
  beta-vm-01              packet  1000 frames

Traffic
  UDP echo: 1000 sent, 1000 received, 0 lost (0 duplicates, 0 out of order, 0 corrupt)
  Round trip: min 4.1 ms, p50 8.1 ms, p99 31.2 ms, max 39.0 ms
  Ping alpha-vm-01 > beta-vm-01: 5 of 5 answered, min 4.0 ms, mean 8.1 ms, max 20.3 ms

Rules, counted since the start of their switches
  alpha-vm-01 > beta-vm-01  udp 40000>7  [21][21][1]  1000 packets  106000 bytes  no drops

Guests run under TCG: no guest runs under KVM here (make doctor says why), or the inventory asks for TCG"""


def test_the_report_shows_the_tags_leaving_hop_by_hop(results):
    assert site_report(results) == REPORT


def test_the_report_names_drops_and_what_could_not_be_read(results):
    results["rules"][0]["drops"]["over_rate"] = 12
    results["rtt_us"] = {}
    results |= {"journey": [], "journey_fault": "s1 - s2 saw no frame of it"}
    report = site_report(results)
    for line in ("  12 dropped over_rate", "  Round trip: no round trip", "  s1 - s2 saw no frame of it"):
        assert line in report
