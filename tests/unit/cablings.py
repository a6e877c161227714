# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cablings to test with: who hears whom, by the frames that nodes really send."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import mac_prefix

AT = "2026-11-22T10:00:00Z"
PORT = {"speed_bps": 10**10, "mtu": 9216}
Testbed = dict[str, t.Any]
Observation = dict[str, t.Any]


def compiled(*links: t.Any, vms: t.Sequence[str] = (), **ports: dict[str, int]) -> Testbed:
    """Return a compiled testbed whose network switches are named s1, s2 and so on, or leaf1; ports: by switch."""
    forms = [{"ends": list(link)} if isinstance(link, tuple) else link for link in links]
    names = sorted({end.rpartition(":")[0] for form in forms for end in form["ends"]})
    return {
        "links": [{"speed_bps": None, "mtu": None, **form} for form in forms],
        "nodes": {name: node(name, ports.get(name, {})) for name in names},
        "guests": {vm: {"end_host": vm.rpartition("-vm-")[0]} for vm in vms},
    }


def node(name: str, ports: dict[str, int]) -> dict[str, t.Any]:
    if is_switch(name):
        return {"kind": "network_switch", "chassis_id": f"{mac_prefix(name)}:00", "ports": ports}
    number = sum(name.encode())
    return {"kind": "end_host", "management_address": f"192.0.{number // 256}.{number % 256}"}


def is_switch(name: str) -> bool:
    return name.rstrip("0123456789") in ("s", "leaf")


def said(by: str, speaker: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return what one end (NODE:PORT) hears another say."""
    name, _colon, port = speaker.rpartition(":")
    frame = _lldp.standard(
        f"{mac_prefix(speaker)}:00",
        f"{name}-{port}" if is_switch(name) else "uplink",
        ttl_s=120,
        system_name=name,
        chassis_id=f"{mac_prefix(name)}:00",
    )
    return _lldp_neighbor.neighbor(interface(by), frame, AT) | changes


def interface(end: str) -> str:
    return end.replace(":", "-") if is_switch(end.rpartition(":")[0]) else "uplink"


def observations(
    *cables: tuple[str, str], deaf: t.Container[str] = (), away: t.Container[str] = ()
) -> list[Observation]:
    """Return what nodes hear by these cables: all but the ports in deaf, and the nodes in away, which nobody asks."""
    found: dict[str, Observation] = {}
    for cable in cables:
        for by, speaker in (cable, cable[::-1]):
            name = by.rpartition(":")[0]
            if name in away:
                continue
            kind = "network_switch" if is_switch(name) else "end_host"
            one = found.setdefault(name, {"node": name, "kind": kind, "ports": {}, "neighbors": []})
            one["ports"][interface(by)] = dict(PORT)
            if by not in deaf:
                one["neighbors"].append(said(by, speaker))
    return list(found.values())
