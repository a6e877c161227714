# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.modules import switch_info


def test_reads_everything_and_changes_nothing(switch: t.Any, run: t.Any) -> None:
    switch.ports = {1: {"vm": 1, "mac": "02:00:00:00:00:01", "socket_server": "switch"}}
    switch.rules = [{"vm": 1}]
    result = run(switch_info.main, socket=switch.path)
    assert not result["changed"]
    assert result["info"]["name"] == "dpdk-tagging"
    assert result["ports"][0]["connected"]
    assert result["rules"] == [{"vm": 1}]
    assert result["stats"] == {"vms": [], "uplink": {}, "rules": []}
    assert switch.changes == []


def test_says_that_no_switch_is_there(run: t.Any) -> None:
    result = run(switch_info.main, socket="/nowhere/switch.sock")
    assert result["msg"] == (
        "Cannot read the switch at /nowhere/switch.sock: cannot call switch.info of the switch at "
        "/nowhere/switch.sock: the socket does not exist; start the tagging switch, or correct the path"
    )
