"""The rules of all contenders say the same."""

from __future__ import annotations

import pathlib
import re

import pytest

from benchmarks.switch import flows, openflow

HEADER = pathlib.Path(__file__).parents[3] / "files" / "dpdk-app" / "bench" / "flows.h"


def test_rules_match_what_the_generator_sends() -> None:
    values = {name: int(value, 0) for name, value in re.findall(r"(BENCH_\w+) = (\w+)", HEADER.read_text())}
    assert values == {
        "BENCH_VM": flows.VM,
        "BENCH_SOURCE": 0x0A000001,
        "BENCH_DESTINATION": flows.DESTINATION_IP,
        "BENCH_SOURCE_PORT": flows.SOURCE_PORT,
        "BENCH_DESTINATION_PORT": flows.DESTINATION_PORT,
    }
    assert flows.SOURCE_IP == "10.0.0.1"


@pytest.mark.parametrize(
    ("flow", "address"),
    [(0, "10.1.0.0"), (255, "10.1.0.255"), (256, "10.1.1.0"), (99_999, "10.2.134.159")],
)
def test_destination(flow: int, address: str) -> None:
    assert flows.destination(flow) == address


def test_tags_are_valid_vlan_ids() -> None:
    ids = {tag for flow in range(10_000) for tag in flows.tags(flow, 10)}
    assert (min(ids), max(ids)) == (1, 4094)


def test_our_rule_without_shaping_names_no_rate() -> None:
    assert flows.rule(0, 2, shaping=False) == {
        "vm": 1,
        "protocol": 17,
        "source_ip": "10.0.0.1",
        "destination_ip": "10.1.0.0",
        "source_port": 1000,
        "destination_port": 2000,
        "tags": [1, 2],
    }


def test_our_rule_with_shaping_is_the_same_with_a_rate() -> None:
    plain = flows.rule(7, 2, shaping=False)
    assert flows.rule(7, 2, shaping=True) == {**plain, "rate_bps": 400 * 10**9, "burst_bits": 10**9}


@pytest.mark.parametrize(
    ("meter", "first"), [pytest.param(True, "meter:8,", id="meter"), pytest.param(False, "", id="plain")]
)
def test_open_vswitch_pushes_the_inner_tag_first(meter: bool, first: str) -> None:
    assert flows.openflow(7, 2, meter=meter) == (
        "priority=100,in_port=1,udp,nw_src=10.0.0.1,nw_dst=10.1.0.7,tp_src=1000,tp_dst=2000,"
        f"actions={first}push_vlan:0x8100,set_field:4105->vlan_vid,push_vlan:0x8100,set_field:4104->vlan_vid,output:2"
    )


def test_a_meter_is_added_by_the_bytes_of_openflow() -> None:
    assert openflow.add_meter(8, 400_000_000, 1_000_000) == bytes.fromhex(
        "04 1d 0020 00000000"  # OpenFlow 1.3, METER_MOD, 32 bytes
        "0000 0005 00000008"  # add; rate in kbit/s, burst; meter 8
        "0001 0010 17d78400 000f4240 00000000"  # drop above rate and burst
    )
