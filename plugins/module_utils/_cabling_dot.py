# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of a cabling in the language of Graphviz, drawn to be read at a glance.

Network switches are above the end hosts that they are cabled with, VMs in the boxes of their end hosts. Color never
says anything alone. All that a neighbour said is quoted.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling_faults import rate
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_graph import MISSING, shared
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import (
    END_HOST,
    NETWORK_SWITCH,
    UNKNOWN,
    VM,
)

with contextlib.suppress(ImportError):  # _cabling_swaps.HAS_NETWORKX tells
    import networkx as nx

FONT = "DejaVu Sans"
INK, QUIET, FAULT = "#1f2328", "#57606a", "#cf222e"
DEFAULTS = [
    f'graph [fontname="{FONT}", fontsize=12, fontcolor="{INK}", nodesep=0.6, ranksep=0.9, newrank=true]',
    f'node [fontname="{FONT}", fontsize=11, fontcolor="{INK}", color="{QUIET}", style="filled,rounded", shape=box]',
    f'edge [fontname="{FONT}", fontsize=10, fontcolor="{INK}", color="{INK}", labeldistance=1.6]',
]
FILLS = {NETWORK_SWITCH: "#77aadd", UNKNOWN: "#ffffff", END_HOST: "#ee8866", VM: "#eedd88"}
Attributes = dict[str, t.Any]


def dot(graph: t.Any, title: str) -> str:
    """Return the graph as an undirected one in the DOT language."""
    levels = heights(graph)
    body = [f"label={several([title, ' '])}", "labelloc=t", *DEFAULTS]
    for name, node in graph.nodes(data=True):
        if node["kind"] == END_HOST:
            body += box(graph, name)
        elif node["kind"] != VM:
            body.append(node_line(name, node))
    body += [edge_line(edge, levels) for _one, _other, edge in graph.edges(data=True) if edge["kind"] != VM]
    return "\n".join(["graph topology {", *(f"  {line}" for line in body), "}", ""])


def quoted(text: str) -> str:
    """Return text as it is to be read in a picture: Graphviz knows backslashes, quotes and entities of HTML."""
    plain = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def several(texts: t.Iterable[str]) -> str:
    """Return lines of text, quoted as one label."""
    return '"' + "\\n".join(quoted(text)[1:-1] for text in texts) + '"'


def written(attributes: Attributes) -> str:
    return "[" + ", ".join(f"{name}={value}" for name, value in attributes.items()) + "]"


def heights(graph: t.Any) -> dict[str, int]:
    """Return how many cables each node is away from an end host."""
    cables = nx.Graph((one, other) for one, other, edge in graph.edges(data=True) if edge["kind"] != VM)
    hosts = {name for name in cables if graph.nodes[name]["kind"] == END_HOST}
    found: dict[str, int] = nx.multi_source_dijkstra_path_length(cables, hosts) if hosts else {}
    return found


def box(graph: t.Any, host: str) -> list[str]:
    """Return an end host: its tagging switch above its VMs, in a frame."""
    vms = [name for name, node in graph.nodes(data=True) if node.get("end_host") == host]
    faint = written({"color": f'"{QUIET}"'})
    return [
        f"subgraph {quoted(f'cluster {host}')} {{",
        f"  label={several([host, *silence(graph.nodes[host])])}",
        f'  labelloc=b; style=rounded; color="{QUIET}"; bgcolor="#f6f8fa"',
        f"  {quoted(host)} {written({'label': quoted('tagging switch'), 'fillcolor': fill(END_HOST)})}",
        *(f"  {quoted(vm)} {written({'label': quoted(vm), 'fillcolor': fill(VM)})}" for vm in vms),
        *(f"  {quoted(host)} -- {quoted(vm)} {faint}" for vm in vms),
        "}",
    ]


def fill(kind: str) -> str:
    return f'"{FILLS[kind]}"'


def silence(node: Attributes) -> list[str]:
    """Say that a node did not listen, so that its cables are known from the other end."""
    return [] if node["listened"] else ["(not asked)"]


def node_line(name: str, node: Attributes) -> str:
    known = node["kind"] == NETWORK_SWITCH
    texts = [name, *([node["system_name"]] if "system_name" in node else [])]
    if known:
        texts += ["network switch", *silence(node)]
    look: Attributes = {"label": several(texts), "fillcolor": fill(node["kind"])}
    if not known:
        look |= {"style": '"filled,dashed"', "color": f'"{FAULT}"'}
    return f"{quoted(name)} {written(look)}"


def edge_line(edge: Attributes, levels: t.Mapping[str, int]) -> str:
    """Return a cable, from the node that is further away from end hosts to the nearer one."""
    ends = sorted(edge["ends"], key=lambda end: -levels.get(end[0], 0))
    (upper, upper_port), (lower, lower_port) = ends
    look: Attributes = {"taillabel": quoted(upper_port), "headlabel": quoted(lower_port)}
    texts = list(edge["faults"])
    if edge["kind"] == MISSING:
        texts = list(dict.fromkeys([MISSING, *texts])) if texts else ["cannot be heard"]
    elif edge["one_sided"] and not texts:
        texts = ["one-sided"]
    for values, write in ((edge.get("speed_bps", []), rate), (edge.get("mtu", []), "MTU {}".format)):
        texts += filter(None, [shared(values, write)])
    if texts:
        look["label"] = several(texts)
    if edge["faults"] or edge.get("one_sided"):
        look |= {"color": f'"{FAULT}"', "fontcolor": f'"{FAULT}"', "penwidth": 2}
    if edge["kind"] == MISSING:
        look["style"] = "dashed" if edge["faults"] else "dotted"
    if levels.get(upper) == levels.get(lower):
        look["constraint"] = "false"
    return f"{quoted(upper)} -- {quoted(lower)} {written(look)}"
