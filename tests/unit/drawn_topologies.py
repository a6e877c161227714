# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of docs/topology.md, drawn from the inventories.

To draw them anew: PYTHONPATH=build/collections python tests/unit/drawn_topologies.py
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import yaml
from ansible_collections.detnet.testbed.plugins.module_utils._state_table import table
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import compile_testbed
from ansible_collections.detnet.testbed.plugins.modules.topology_info import topology
from cablings import Testbed, observations

REPOSITORY = Path(__file__).resolve().parents[2]
WRONG = (("alpha:0", "s2:2"), ("s1:2", "s2:1"), ("s1:3", "s2:3"), ("beta:0", "s1:1"))


def inventory(name: str) -> Testbed:
    """Return the compiled testbed of one of the project's inventories."""
    place = REPOSITORY / "inventories" / name
    shared = yaml.safe_load((place / "group_vars/all.yml").read_text())
    described = yaml.safe_load((place / "hosts.yml").read_text())
    groups = {group: list(described[group].get("hosts") or {}) for group in ("end_hosts", "network_switches")}
    hostvars = {
        host: shared | (own or {}) for group in groups for host, own in described[group]["hosts"].items()
    }
    testbed = compile_testbed(hostvars, groups)
    for node in testbed["nodes"].values():
        if "ports" in node:
            node["ports"] = {}  # neighbours are heard here as in a pocket fabric
    return testbed


def sources() -> dict[str, str]:
    """Return each picture of the documentation in the language of Graphviz."""
    pocket, lab = inventory("pocket"), inventory("lab")
    heard = observations(*(tuple(link["ends"]) for link in lab["links"]))
    by_port = {end: link for link in lab["links"] for end in link["ends"]}
    for one in heard:
        for interface, port in one["ports"].items():
            link = by_port[f"{one['node']}:{interface.rpartition('-')[2] if '-' in interface else '0'}"]
            port |= {"speed_bps": link["speed_bps"], "mtu": link["mtu"]}
    told = {
        "pocket": (observations(*(tuple(link["ends"]) for link in pocket["links"])), pocket),
        "pocket-wrong": (observations(*WRONG), pocket),
        "lab": (heard, lab),
    }
    return {
        f"topology-{name}.svg": str(topology(seen, testbed, f"Topology of {testbed['name']}")["dot"])
        for name, (seen, testbed) in told.items()
    }


def table_of_wrong_cables() -> str:
    pocket = inventory("pocket")
    return table(topology(observations(*WRONG), pocket, "")["faults"])


def drawn(source: str) -> str:
    return subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True).stdout


def said(picture: str) -> list[str]:
    """Return all words of a picture. Where they are depends on the machine's fonts."""
    return sorted(
        element.text or ""
        for element in ET.fromstring(picture).iter()  # noqa: S314 (our own)
        if element.tag.endswith(("}text", "}title"))
    )


def main() -> None:
    for name, source in sources().items():
        (REPOSITORY / "docs" / name).write_text(drawn(source))


if __name__ == "__main__":
    main()
