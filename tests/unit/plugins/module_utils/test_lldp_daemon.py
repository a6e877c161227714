# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lldpd knows is told as what we hear: tests/unit/lldpd-1.0.16.json is what it printed after FRAMES had come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_daemon, _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp import Frame
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_daemon import DaemonError
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import (
    ChassisId,
    MacPhy,
    ManagementAddress,
    MaxFrameSize,
    Organizational,
    PortDescription,
    PortId,
    PortVlanId,
    ProtocolVlanId,
    SystemCapabilities,
    SystemDescription,
    SystemName,
    TimeToLive,
    VlanName,
)

PRINTED = (Path(__file__).parents[2] / "lldpd-1.0.16.json").read_text()
GROUP = _lldp.GROUPS["nearest_bridge"]
FRAMES = (
    Frame(
        "02:00:00:00:00:07",
        GROUP,
        (
            ChassisId(4, bytes.fromhex("020000000007")),
            PortId(5, b"Ethernet3"),
            TimeToLive(120),
            PortDescription(b"to alpha"),
            SystemName(b"s1"),
            SystemDescription(b"SONiC\n1"),
            SystemCapabilities(0x14, 0x04),
            ManagementAddress(1, bytes([192, 0, 2, 7]), 2, 7),
            ManagementAddress(2, bytes.fromhex("fd000000000000000000000000000007"), 2, 7),
            PortVlanId(1),
            ProtocolVlanId(6, 20),
            VlanName(1, b"default"),
            VlanName(20, b"lab"),
            MacPhy(3, 0x8000, 30),
            MaxFrameSize(9216),
            Organizational(b"\x00\x26\xe1", 9, b"\x01\x02"),
        ),
    ),
    Frame("02:00:00:00:00:08", GROUP, (ChassisId(7, b"rack"), PortId(7, b"3"), TimeToLive(60))),
    Frame(
        "02:00:00:00:00:09",
        GROUP,
        (ChassisId(5, bytes([1, 10, 0, 0, 9])), PortId(1, b"alias"), TimeToLive(60)),
    ),
)


def test_both_tell_the_same() -> None:
    heard = [_lldp_neighbor.neighbor("p", frame, "now") | {"source": None} for frame in FRAMES]
    assert [found | {"heard_at": "now"} for found in _lldp_daemon.neighbors(PRINTED)[:3]] == heard


def test_when_somebody_was_heard_follows_from_the_age() -> None:
    days_ago = PRINTED.replace("0 day, 00:00:01", "1 days, 01:00:00")
    before, found = _lldp_neighbor.instant(25 * 3600), _lldp_daemon.neighbors(days_ago)[0]
    assert before <= found["heard_at"] <= _lldp_neighbor.instant(25 * 3600)


def test_a_chameleon_end_host_is_known_by_the_bytes_that_lldpd_cannot_read() -> None:
    found = _lldp_daemon.neighbors(PRINTED)[3]
    assert found["shape"] == "chameleon"
    assert found["chassis_id"] == {"subtype": "network_address", "value": "10.0.0.1"}


def test_a_name_that_looks_like_four_bytes_is_no_address() -> None:
    tree = json.loads(PRINTED)
    tree["lldp"][0]["interface"][1]["chassis"][0]["id"] = [{"type": "local", "value": "0a 00 00 01"}]
    found = _lldp_daemon.neighbors(json.dumps(tree))[1]
    assert found["shape"] == "standard"
    assert found["chassis_id"] == {"subtype": "local", "value": "0a 00 00 01"}


def test_capabilities_come_in_the_order_of_the_standard() -> None:
    tree = json.loads(PRINTED)
    kinds = [{"type": kind, "enabled": kind == "Wlan"} for kind in ("Bridge", "Router", "Wlan", "Station")]
    tree["lldp"][0]["interface"][0]["chassis"][0]["capability"] = kinds
    assert _lldp_daemon.neighbors(json.dumps(tree))[0]["capabilities"] == {
        "available": ["bridge", "wlan_access_point", "router", "station"],
        "enabled": ["wlan_access_point"],
    }


@pytest.mark.parametrize("printed", ['{"lldp": []}', '{"lldp": [{}]}'])
def test_nobody_is_there(printed: str) -> None:
    assert _lldp_daemon.neighbors(printed) == []


def test_a_vlan_id_alone() -> None:
    tree = json.loads(PRINTED)
    interface = tree["lldp"][0]["interface"][1]
    interface["vlan"] = [{"vlan-id": "7", "pvid": True}]
    interface["port"][0]["auto-negotiation"] = [{"supported": False, "enabled": False}]
    found = _lldp_daemon.neighbors(json.dumps(tree))[1]
    assert (found["port_vlan_id"], found["vlan_names"], found["speed_bps"]) == (7, {}, None)


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param("", id="nothing"),
        pytest.param("unable to connect", id="a-complaint"),
        pytest.param("[]", id="a-list"),
        pytest.param('{"lldp": 1}', id="a-number"),
        pytest.param('{"lldp": [{"interface": [{"name": "p"}]}]}', id="no-chassis"),
        pytest.param(PRINTED.replace('"120"', '"soon"'), id="no-number"),
        pytest.param(PRINTED.replace("0 day,", "ages,"), id="no-age"),
    ],
)
def test_something_else(printed: str) -> None:
    with pytest.raises(DaemonError, match="something else than neighbours"):
        _lldp_daemon.neighbors(printed)


@pytest.mark.parametrize(
    ("medium", "speed"),
    [
        ("10BaseTFD - UTP", 10**7),
        ("1000BaseTFD - Four-pair Category 5 UTP, full duplex mode", 10**9),
        ("10GigBaseLR - R fiber over 1310 nm optics", 10**10),
        ("100GbaseLR4 - 100GBASE-R PCS/PMA", 10**11),
        ("unknown", None),
    ],
)
def test_speed_of_a_medium(medium: str, speed: int | None) -> None:
    assert _lldp_daemon.speed_bps(medium) == speed
