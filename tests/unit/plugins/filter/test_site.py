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
STAMP = {"fingerprint": "48efc5b3eaf8a45d", "summary": "CPU: X", "state": {"schema": 1}}
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
    "journey": {
        "journey": JOURNEY,
        "burst": {
            "at": "alpha - s1",
            "clock_offset_ns": 0,
            "arrivals": [
                {
                    "number": n,
                    "sent_ns": n * 100_000,
                    "arrived_ns": max(n * 100_000, (n + 1) * 1_182_400 - 5_000_000),
                }
                for n in range(64)
            ],
        },
        "changed": False,
    },
    "plan": {
        "rule": {"tags": TAGS, "rate_bps": 10_000_000, "burst_bits": 50_000},
        "burst": {"datagrams": 64, "payload_bytes": 1400},
    },
    "pings": [{"from": "alpha-vm-01", "to": "beta-vm-01", "output": PING_OUTPUT}],
    "switches": {"alpha": {"rules": [RULE], "stats": {"rules": [IDENTITY | COUNTERS]}}},
    "names": {"10.20.0.11": "alpha-vm-01", "10.20.0.21": "beta-vm-01"},
    "hosts": {"alpha": {**STAMP, "changed": False}},
}


BURST = {
    "at": "alpha - s1",
    "datagrams": 64,
    "payload_bytes": 1400,
    "arrived": 64,
    "duplicates": 0,
    "out_of_order": 0,
    "rate_bps": 10_000_000,
    "burst_bits": 50_000,
    "waited": 60,
    "sent_over_us": 6300,
    "arrived_over_us": 70673,
    "expected_over_us": 70673,
    "early_us": 0,
    "wire_rate_bps": 10_000_000,
}


@pytest.fixture
def results():
    return copy.deepcopy(site_results(MEASURED))


def test_results_have_the_form_that_is_kept(results):
    assert results == {
        "accelerator": "tcg",
        "hosts": {"alpha": STAMP},
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
        "burst": BURST,
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
        pytest.param(
            lambda r: r["burst"].update(arrived=60),
            "4 of 64 datagrams sent at once did not arrive at alpha - s1; ",
            id="burst-loss",
        ),
        pytest.param(
            lambda r: r["burst"].update(duplicates=1),
            "1 of 64 datagrams sent at once arrived twice at alpha - s1; ",
            id="burst-duplicated",
        ),
        pytest.param(
            lambda r: r["burst"].update(out_of_order=2),
            "2 of 64 datagrams sent at once were overtaken at alpha - s1; ",
            id="burst-out-of-order",
        ),
        pytest.param(
            lambda r: r["burst"].update(early_us=12_345),
            "The burst arrived at alpha - s1 12.3 ms earlier than 10000000 bit/s and a bucket of 50000 bit allow; ",
            id="burst-early",
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

Shaping: 64 datagrams of 1400 bytes at once, through a bucket of 50000 bit at 10.00 Mbit/s
  At alpha - s1: 64 arrived, in order
  Sent within 6.3 ms, arrived within 70.7 ms; the rule allows no less than 70.7 ms
  60 of them had to wait, and left one by one, at 10.00 Mbit/s on the wire

Rules, counted since the start of their switches
  alpha-vm-01 > beta-vm-01  udp 40000>7  [21][21][1]  1000 packets  106000 bytes  no drops

Guests run under TCG: no guest runs under KVM here (make doctor says why), or the inventory asks for TCG
Fingerprints of the hosts: alpha 48efc5b3eaf8a45d"""


def test_the_report_shows_the_tags_leaving_hop_by_hop(results):
    assert site_report(results) == REPORT


def test_without_a_burst_nothing_is_said_of_it():
    measured = MEASURED | {"plan": MEASURED["plan"] | {"burst": {"datagrams": 0, "payload_bytes": 1400}}}
    results = site_results(measured)
    assert "burst" not in results
    assert site_faults(results, DEMANDED, 1000) == []
    assert "Shaping" not in site_report(results)


def test_the_report_says_why_nothing_waited(results):
    results["burst"] |= {"waited": 0, "wire_rate_bps": 0}
    assert "  None had to wait: the guest sent them no faster than the rule allows" in site_report(results)


def test_the_report_of_a_lost_burst_has_no_times(results):
    nothing = {"at": "alpha - s1", "arrivals": [], "clock_offset_ns": 0}
    lost = site_results(MEASURED | {"journey": MEASURED["journey"] | {"burst": nothing}})
    assert "  At alpha - s1: 0 arrived, in order\n\nRules" in site_report(lost)
    assert len(site_faults(lost, DEMANDED, 1000)) == 1


@pytest.mark.parametrize(
    ("rule", "match", "way"),
    [
        pytest.param({"protocol": "icmp", "source_port": 0, "destination_port": 0}, "icmp", "[7]", id="icmp"),
        pytest.param({"protocol": "udp", "destination_port": 7}, "udp any>7", "[7]", id="from-any-port"),
        pytest.param({"ether_type": 0x88F7, "tags": []}, "ptp", "no tags", id="ptp"),
        pytest.param({"ether_type": 0x1234}, "0x1234", "[7]", id="an-ether-type-without-a-name"),
        pytest.param({"tags": [], "destination_vm": 2}, "all", "to VM 2", id="to-a-vm-of-the-same-host"),
    ],
)
def test_the_report_shows_any_rule(results, rule, match, way):
    form = {"from": "a", "to": "b", "tags": [7], "packets": 1, "bytes": 2, "drops": {}} | rule
    results["rules"] = [form]
    assert f"  a > b  {match}  {way}  1 packets  2 bytes  no drops" in site_report(results)


def test_a_rule_without_addresses_is_for_any(results):
    rule = {"vm": 1, "priority": 0, "ether_type": 0x88F7, "tags": [], "tpid": "802.1Q", "mode": "off"}
    switch = {"rules": [rule], "stats": {"rules": [{"vm": 1, "ether_type": 0x88F7} | COUNTERS]}}
    [result] = site_results(MEASURED | {"switches": {"alpha": switch}})["rules"]
    assert (result["from"], result["to"]) == ("any", "any")


def test_the_report_names_drops_and_what_could_not_be_read(results):
    results["rules"][0]["drops"]["over_rate"] = 12
    results["rtt_us"] = {}
    results |= {"journey": [], "journey_fault": "s1 - s2 saw no frame of it"}
    report = site_report(results)
    for line in ("  12 dropped over_rate", "  Round trip: no round trip", "  s1 - s2 saw no frame of it"):
        assert line in report
