# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.modules import switch_trace

PACKET: dict[str, t.Any] = {
    "protocol": "udp",
    "source_ip": "10.20.0.11",
    "destination_ip": "10.20.0.21",
    "source_port": 5000,
    "destination_port": 53,
}
SENT = {"steps": [], "verdict": "sent", "delay_ns": 0, "output": "uplink", "frame": "02"}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param(
            {"vm": 1, "packet": PACKET}, {"vm": 1, "packet": PACKET | {"protocol": 17}}, id="a-packet"
        ),
        pytest.param(
            {"vm": 1, "packet": {"ether_type": "ptp", "length": 90}},
            {"vm": 1, "packet": {"ether_type": 0x88F7, "length": 90}},
            id="a-frame-by-its-type",
        ),
        pytest.param(
            {"vm": 1, "packet": {"ether_type": "arp", "source_ip": "10.0.0.1", "destination_ip": "10.0.0.2"}},
            {
                "vm": 1,
                "packet": {"ether_type": 0x0806, "source_ip": "10.0.0.1", "destination_ip": "10.0.0.2"},
            },
            id="arp",
        ),
        pytest.param(
            {"uplink": True, "frame": "02:00 00\n0000AB"},
            {"uplink": True, "frame": "0200000000AB"},
            id="bytes",
        ),
    ],
)
def test_asks_the_switch_and_changes_nothing(
    *, switch: t.Any, run: t.Any, options: dict[str, t.Any], asked: dict[str, t.Any], check_mode: bool
) -> None:
    switch.trace = lambda _params: SENT
    result = run(switch_trace.main, check_mode=check_mode, socket=switch.path, **options)
    assert switch.questions == [("trace", asked)]
    assert switch.changes == []
    assert not result["changed"]
    assert {key: result[key] for key in SENT} == SENT


@pytest.mark.parametrize(
    ("answer", "msg"),
    [
        pytest.param({}, "VM 1's frame would leave by the uplink", id="sent"),
        pytest.param(
            {"verdict": "delayed", "delay_ns": 1182400},
            "VM 1's frame would wait 1.182 ms and leave by the uplink",
            id="delayed",
        ),
        pytest.param({"output": {"vm": 2}}, "VM 1's frame would come to VM 2", id="to-another-vm"),
        pytest.param({"output": "control"}, "VM 1's frame would set a rule", id="control"),
        pytest.param(
            {"verdict": "dropped", "drop": "no_rule"},
            "VM 1's frame would be dropped (no_rule): no rule of its VM matches it; compare it with them "
            "(switch_info), and set one (switch_rule)",
            id="dropped",
        ),
        pytest.param(
            {"verdict": "dropped", "drop": "of_tomorrow"},
            "VM 1's frame would be dropped (of_tomorrow): see the README of dpdk-tagging",
            id="a-drop-of-a-later-switch",
        ),
    ],
)
def test_says_what_would_happen(switch: t.Any, run: t.Any, answer: dict[str, t.Any], msg: str) -> None:
    switch.trace = lambda _params: SENT | answer
    assert run(switch_trace.main, socket=switch.path, vm=1, packet=PACKET)["msg"] == msg


def test_says_it_of_the_uplink_too(switch: t.Any, run: t.Any) -> None:
    result = run(switch_trace.main, socket=switch.path, uplink=True, frame="0200")
    assert result["msg"].startswith("The uplink's frame would be dropped (no_rule): ")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param(
            {"packet": PACKET}, "a frame comes from one place; give vm, or uplink: true", id="from-nowhere"
        ),
        pytest.param(
            {"vm": 1, "uplink": True, "frame": "02"},
            "a frame comes from one place; give vm, or uplink: true",
            id="from-two-places",
        ),
        pytest.param(
            {"uplink": True, "packet": PACKET},
            "a packet is what a VM sends; give the frame from the uplink, with its tag",
            id="a-packet-from-the-uplink",
        ),
        pytest.param({"vm": 4095, "packet": PACKET}, "vm is 4095; choose 0 to 4094", id="vm"),
        *(
            pytest.param(
                {"vm": 1, "frame": frame},
                "frame is no even number of hexadecimal digits; give such as 0200000000010200000000020800…",
                id=name,
            )
            for frame, name in (("020", "half-a-byte"), ("0x02", "a-prefix"), (" ", "no-byte"))
        ),
        pytest.param(
            {"vm": 1, "packet": PACKET | {"source_ip": "10.20.0.0/16"}},
            "packet: source_ip is '10.20.0.0/16'; give one address such as 10.20.0.11",
            id="a-prefix-for-an-address",
        ),
        pytest.param(
            {"vm": 1, "packet": PACKET | {"source_ip": "alpha"}},
            "packet: source_ip is 'alpha'; give an address such as 10.20.0.11, or a prefix such as 10.20.0.0/16",
            id="a-name-for-an-address",
        ),
        pytest.param(
            {"vm": 1, "packet": PACKET | {"protocol": "icmp"}},
            "packet: source_port is 5000, but protocol icmp has no ports; leave it out; "
            "packet: destination_port is 53, but protocol icmp has no ports; leave it out",
            id="icmp-with-ports",
        ),
    ],
)
def test_refuses_before_any_request(run: t.Any, options: dict[str, t.Any], fault: str) -> None:
    result = run(switch_trace.main, socket="/nowhere", **options)
    assert result["msg"] == f"Cannot trace a frame through the switch at /nowhere: {fault}"


def test_hands_on_what_the_switch_refuses(switch: t.Any, run: t.Any) -> None:
    switch.refusals["trace"] = {
        "code": -32001,
        "message": "cannot trace a frame: VM 1 has no port; add it first",
    }
    result = run(switch_trace.main, socket=switch.path, vm=1, packet=PACKET)
    assert result["failed"]
    assert result["msg"].endswith("VM 1 has no port; add it first")
