# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbours that lldpd knows, in the shape of those that we hear: what `lldpcli -f json0` prints, read.

lldpd(8) keeps no source address, and tells names of media and not their numbers. Of a Chameleon end host it keeps no
port number, and it reads addresses that begin with 1 or 2 wrongly, because it takes that byte for the family.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp_neighbor
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_neighbor import GBPS, MBPS, Neighbor

Tree = dict[str, t.Any]

SUBTYPES = {
    "mac": "mac_address",
    "ip": "network_address",
    "ifname": "interface_name",
    "ifalias": "interface_alias",
    "local": "local",
}
# All that lldpd has words for, in the standard's order, which is not that of lldpd.
CAPABILITIES = {
    "Other": "other",
    "Repeater": "repeater",
    "Bridge": "bridge",
    "Wlan": "wlan_access_point",
    "Router": "router",
    "Tel": "telephone",
    "Docsis": "docsis_cable_device",
    "Station": "station",
}
# An address without a family, as an end host of Chameleon sends it: lldpd prints the bytes that it cannot read.
BARE_ADDRESS = re.compile(r"[0-9a-f]{2}( [0-9a-f]{2}){3}")
AGE = re.compile(r"(\d+) days?, (\d\d):(\d\d):(\d\d)")
MEDIUM = re.compile(r"([0-9]+)(G|Gig)?[bB]ase")


class DaemonError(Exception):
    """What lldpcli printed is not what it prints."""


def neighbors(printed: str) -> list[Neighbor]:
    """Return the neighbours of `lldpcli -f json0 show neighbors details`. Raises DaemonError."""
    try:
        trees = [tree for top in json.loads(printed)["lldp"] for tree in top.get("interface", [])]
        return [_neighbor(tree) for tree in trees]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
        raise DaemonError(
            f"lldpcli printed something else than neighbours ({type(exc).__name__}: {exc})"
        ) from exc


def _neighbor(tree: Tree) -> Neighbor:
    (chassis,), (port,) = tree["chassis"], tree["port"]
    vlans = tree.get("vlan", [])
    days, hours, minutes, seconds = map(int, AGE.fullmatch(tree["age"]).groups())  # type: ignore[union-attr]
    heard_at = _lldp_neighbor.instant(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    found = _lldp_neighbor.nobody(tree["name"], heard_at) | {
        "chassis_id": _identity(chassis),
        "port_id": _identity(port),
        "ttl_s": int(port["ttl"][0]["value"]),
        "port_description": _text(port, "descr"),
        "system_name": _text(chassis, "name"),
        "system_description": _text(chassis, "descr"),
        "capabilities": _capabilities(chassis.get("capability", [])),
        "management_addresses": [each["value"] for each in chassis.get("mgmt-ip", [])],
        "port_vlan_id": next((int(vlan["vlan-id"]) for vlan in vlans if vlan["pvid"]), None),
        "protocol_vlans": [
            {"vlan_id": int(vlan["value"]), "supported": vlan["supported"], "enabled": vlan["enabled"]}
            for vlan in tree.get("ppvid", [])
        ],
        "vlan_names": {vlan["vlan-id"]: _printable(vlan["value"]) for vlan in vlans if vlan.get("value")},
        "max_frame_size_bytes": int(port["mfs"][0]["value"]) if "mfs" in port else None,
        "organizational": [
            _foreign(each) for unknown in tree.get("unknown-tlvs", []) for each in unknown["unknown-tlv"]
        ],
    }
    for mode in port.get("auto-negotiation", []):
        found["autonegotiation"] = {"supported": mode["supported"], "enabled": mode["enabled"]}
        found["speed_bps"] = speed_bps(mode["current"][0]["value"]) if "current" in mode else None
    identity = found["chassis_id"]
    if identity["subtype"] == "network_address" and BARE_ADDRESS.fullmatch(identity["value"]):
        found["shape"] = "chameleon"
        identity["value"] = str(ipaddress.IPv4Address(bytes.fromhex(identity["value"])))
    return found


def _identity(tree: Tree) -> dict[str, str]:
    (found,) = tree["id"]
    return {"subtype": SUBTYPES.get(found["type"], found["type"]), "value": _printable(found["value"])}


def _text(tree: Tree, name: str) -> str | None:
    return _printable(tree[name][0]["value"]) if name in tree else None


def _printable(text: str) -> str:
    return _lldp_neighbor.printable(text.encode(errors="surrogateescape"))


def _capabilities(trees: list[Tree]) -> dict[str, list[str]] | None:
    if not trees:
        return None
    said = {tree["type"]: tree["enabled"] for tree in trees}
    named = [(name, said[kind]) for kind, name in CAPABILITIES.items() if kind in said]
    return {"available": [name for name, _on in named], "enabled": [name for name, on in named if on]}


def _foreign(tree: Tree) -> dict[str, t.Any]:
    return {
        "oui": tree["oui"].lower().replace(",", ":"),
        "subtype": int(tree["subtype"]),
        "info_hex": tree.get("value", "").lower().replace(",", ""),
    }


def speed_bps(medium: str) -> int | None:
    """Return the speed of a medium by the beginning of its name, such as 1000BaseTFD, 10GigBaseLR or 40GbaseKR4."""
    found = MEDIUM.match(medium)
    return int(found[1]) * (GBPS if found[2] else MBPS) if found else None
