# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of a cabling, its table, and its picture, whatever a neighbour says."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from xml.etree import ElementTree as ET

import networkx as nx
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cabling import cabling
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_dot import dot, heights
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_faults import described, judge
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_graph import graph_of, lines, node_link
from cablings import AT, Observation, Testbed, compiled, observations, said

LINKS = (("alpha:0", "s1:1"), ("s1:2", "s2:1"), ("s2:2", "beta:0"))
POCKET = compiled(*LINKS, vms=["alpha-vm-00", "alpha-vm-01", "beta-vm-01"])
SVG = "{http://www.w3.org/2000/svg}"


def graph(heard: list[Observation], testbed: Testbed = POCKET) -> t.Any:
    found, wanted = cabling(heard, testbed["nodes"]), described(testbed["links"])
    return graph_of(found, wanted, judge(found, wanted), testbed["guests"])


def texts(source: str) -> list[str]:
    """Return the texts of a picture as Graphviz draws it."""
    if not shutil.which("dot"):
        pytest.skip("graphviz is not installed")
    svg = subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True).stdout
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 (our own)


def test_nodes_have_types_and_vms_are_at_their_hosts() -> None:
    found = graph(observations(*LINKS))
    kinds = nx.get_node_attributes(found, "kind")
    assert kinds == {
        "alpha": "end_host",
        "beta": "end_host",
        "s1": "network_switch",
        "s2": "network_switch",
        "alpha-vm-00": "vm",
        "alpha-vm-01": "vm",
        "beta-vm-01": "vm",
    }
    assert set(found["alpha-vm-01"]) == {"alpha"}


def test_a_cable_has_its_ports_and_its_evidence() -> None:
    edge = graph(observations(*LINKS)).edges["s1", "s2", "s1:2 - s2:1"]
    assert edge == {
        "kind": "cable",
        "ends": [["s1", "2"], ["s2", "1"]],
        "faults": [],
        "one_sided": False,
        "speed_bps": [10**10, 10**10],
        "mtu": [9216, 9216],
        "evidence": [
            {"by": "s1:2", "heard": "s2:1", "at": AT},
            {"by": "s2:1", "heard": "s1:2", "at": AT},
        ],
    }


def test_the_graph_survives_json_and_networkx_reads_it_back() -> None:
    found = graph(observations(LINKS[0]))
    document = json.loads(json.dumps(node_link(found)))
    again = nx.node_link_graph(document, edges="edges")
    assert nx.utils.graphs_equal(again, found)
    assert [row["where"] for row in again.graph["faults"]] == ["s1:2 - s2:1"]


def test_the_table_says_what_is_wrong() -> None:
    assert lines(graph(observations(*LINKS[:2], deaf=["s1:2"]))).splitlines()[2:] == [
        "alpha:0 - s1:1  10 Gbit/s  9216  alpha:0 and s1:1  -",
        "beta:0 - s2:2   -          -     -                 missing",
        "s1:2 - s2:1     10 Gbit/s  9216  s2:1              one-sided",
    ]


def test_network_switches_are_above_the_end_hosts_that_they_are_cabled_with() -> None:
    tree = compiled(("alpha:0", "leaf1:1"), ("leaf1:9", "s1:1"))
    found = graph(observations(("alpha:0", "leaf1:1"), ("leaf1:9", "s1:1")), tree)
    assert heights(found) == {"alpha": 0, "leaf1": 1, "s1": 2}
    assert '"s1" -- "leaf1"' in dot(found, "")


def test_the_picture_shows_every_name_and_port() -> None:
    shown = texts(dot(graph(observations(*LINKS)), "Topology of pocket"))
    for text in (*POCKET["nodes"], *POCKET["guests"], "Topology of pocket", "10 Gbit/s", "MTU 9216"):
        assert text in shown
    assert sorted(text for text in shown if text.isdecimal()) == ["0", "0", "1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("cables", "options", "shown"),
    [
        pytest.param([LINKS[0], LINKS[1]], {}, "missing", id="missing"),
        pytest.param([*LINKS, ("s1:3", "s2:3")], {}, "unexpected", id="unexpected"),
        pytest.param([("alpha:0", "s2:2"), LINKS[1], ("s1:1", "beta:0")], {}, "swapped", id="swapped"),
        pytest.param(LINKS, {"deaf": ["s1:2"]}, "one-sided", id="one-sided"),
        pytest.param([LINKS[0]], {"away": ["s1", "s2", "beta"]}, "cannot be heard", id="cannot be heard"),
        pytest.param(LINKS, {"away": ["s2"]}, "(not asked)", id="not asked"),
    ],
)
def test_faults_are_text_in_the_picture(
    cables: list[tuple[str, str]], options: dict[str, t.Any], shown: str
) -> None:
    source = dot(graph(observations(*cables, **options)), "")
    assert shown in texts(source)


HOSTILE = (
    '"]; evil [label="',
    "\\N\\G",
    "&lt;script&gt;",
    "<script>alert(1)</script>",
    "a\nb",
    "\x1b[2J",
    "\u202eabc",
    "x" * 255,
    "]]>",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_neighbour_says_is_text_in_the_picture(text: str) -> None:
    heard = observations(*LINKS)
    stranger = said("s1:1", "s9:1", system_name=text)
    stranger["chassis_id"] = {"subtype": "local", "value": text}
    stranger["port_id"] = {"subtype": "interface_name", "value": text}
    next(one for one in heard if one["node"] == "s1")["neighbors"].append(stranger)
    found = graph(heard)
    (name,) = (name for name, kind in found.nodes(data="kind") if kind == "unknown")
    shown = texts(dot(found, text[:10].replace("\x1b", "")))
    assert name in shown  # as it is, and nothing of it was read as a command
    assert found.nodes[name]["system_name"] in shown
    assert name.isprintable()
    assert lines(found).replace("\n", "").isprintable()
    assert len(found) == len(POCKET["nodes"]) + len(POCKET["guests"]) + 1
