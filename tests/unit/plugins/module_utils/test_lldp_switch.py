# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tagging switch says of its neighbours, over its socket."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_switch
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

if t.TYPE_CHECKING:
    import socket

Serve = t.Callable[[t.Callable[["socket.socket"], None]], str]

PORT = {"interface": "uplink", "mac": "02:00:00:00:00:01", "speed_bps": None, "mtu": 1500}


def frame_hex(number: int) -> str:
    return _lldp.encode(_lldp.chameleon("02:00:00:00:00:07", f"10.0.0.{number}")).hex()


class Talker:
    """A switch that hears one more neighbour at each announcement; it knows one from before."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        method = json.loads(connection.makefile("rb").readline())["method"]
        self.calls.append(method)
        fresh = [{"frame_hex": frame_hex(2), "age_ms": 0}] * bool("lldp.announce" in self.calls)
        result = {
            "lldp.announce": {"sent": 1},
            "lldp.neighbors": {
                "port": PORT,
                "frames": 9,
                "malformed": 1,
                "left_out": 0,
                "neighbors": [{"frame_hex": frame_hex(1), "age_ms": 60_000}, *fresh],
            },
        }[method]
        connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n")


@pytest.mark.parametrize(
    ("seconds", "expected", "announce", "names", "announced"),
    [
        pytest.param(0, 1, False, ["10.0.0.1"], 0, id="all-that-it-knows-at-once"),
        pytest.param(
            30, 1, True, ["10.0.0.2"], 2, id="only-who-was-heard-meanwhile-and-the-last-word-is-ours"
        ),
        pytest.param(0.2, 1, False, [], 0, id="nobody-in-time"),
        pytest.param(0.2, 2, True, ["10.0.0.2"], 2, id="fewer-than-expected"),
    ],
)
def test_neighbours(
    serve: Serve, seconds: float, expected: int, announce: bool, names: list[str], announced: int
) -> None:
    talker = Talker()
    hearing, answer = _lldp_switch.hear(Switch(serve(talker)), seconds, expected, announce)
    assert [found["chassis_id"]["value"] for found in hearing.neighbors()] == names
    assert talker.calls.count("lldp.announce") == announced
    assert _lldp_switch.interfaces(answer) == {
        "uplink": {"mtu": 1500, "speed_bps": None, "frames": 9, "malformed": 1, "left_out": 0}
    }


def test_when_it_was_heard_follows_from_the_age(serve: Serve) -> None:
    hearing, _answer = _lldp_switch.hear(Switch(serve(Talker())), 0, 1, announce=True)
    old, new = hearing.neighbors()
    assert old["heard_at"] < new["heard_at"]


@pytest.mark.parametrize(
    ("code", "fails"),
    [
        pytest.param(-32002, False, id="a link that is down has no neighbour"),
        pytest.param(-32001, True, id="a switch without an uplink"),
    ],
)
def test_a_switch_that_cannot_speak(serve: Serve, code: int, fails: bool) -> None:
    def refuse(connection: socket.socket) -> None:
        method = json.loads(connection.makefile("rb").readline())["method"]
        counts = {"frames": 0, "malformed": 0, "left_out": 0}
        answer: dict[str, t.Any] = {"result": {"port": PORT, "neighbors": [], **counts}}
        if method == "lldp.announce":
            answer = {"error": {"code": code, "message": "it cannot"}}
        connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1} | answer).encode() + b"\n")

    switch = Switch(serve(refuse))
    if fails:
        with pytest.raises(SwitchError, match="it cannot"):
            _lldp_switch.hear(switch, 0.2, 1, announce=True)
    else:
        assert _lldp_switch.hear(switch, 0.2, 1, announce=True)[0].neighbors() == []


def test_a_switch_that_is_away(tmp_path: t.Any) -> None:
    with pytest.raises(SwitchError, match="start the tagging switch"):
        _lldp_switch.hear(Switch(str(tmp_path / "none")), 1, 1, announce=False)
