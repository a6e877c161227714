"""LLDP frames that a neighbour sends to a switch, and what the switch says of its neighbours."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp

if t.TYPE_CHECKING:
    from switch_fixtures import Switch

LLDP_GROUP = _lldp.GROUPS["nearest_bridge"]
NEIGHBOURS_MAX = 16
TTL_S = 120


def lldp(number: int = 0, ttl_s: int = TTL_S, name: str = "leaf") -> bytes:
    """Return the frame of neighbour number, who is told from others by its MAC address."""
    source = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"
    return _lldp.encode(_lldp.standard(source, "eth2", ttl_s=ttl_s, system_name=name))


def neighbors(switch: Switch) -> list[bytes]:
    """Return the frames of the neighbours that the switch knows."""
    return [bytes.fromhex(known["frame_hex"]) for known in switch.call("lldp.neighbors")["neighbors"]]
