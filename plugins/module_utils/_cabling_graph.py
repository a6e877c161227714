# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cabling as a graph: typed nodes, the VMs at their end hosts, and the cables with what is known of them."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling import Cable, Cabling, Ends
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_faults import (
    QUANTITIES,
    Described,
    Judged,
    by_order,
    rate,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import END_HOST, VM, Values
from ansible_collections.detnet.testbed.plugins.module_utils._state_table import table

with contextlib.suppress(ImportError):  # _cabling_swaps.HAS_NETWORKX tells
    import networkx as nx

CABLE, MISSING = "cable", "missing"


def graph_of(
    cabling: Cabling, wanted: t.Mapping[Ends, Described], judged: Judged, guests: t.Mapping[str, Values]
) -> t.Any:
    """Return a networkx.MultiGraph.

    Nodes have kind, and for a cabling's whether they listened. Edges have kind: cable, missing (a link of the
    description that is not there) or vm. guests: the VMs by name, each with end_host.
    """
    graph = nx.MultiGraph(faults=judged.faults, notes=judged.notes)
    for name, kind in sorted(cabling.kinds.items()):
        graph.add_node(name, kind=kind, listened=name in cabling.observed)
        if cabling.system_names.get(name):
            graph.nodes[name]["system_name"] = cabling.system_names[name]
    for name, guest in guests.items():
        if cabling.kinds.get(guest["end_host"]) == END_HOST:
            graph.add_node(name, kind=VM, end_host=guest["end_host"])
            graph.add_edge(guest["end_host"], name, key=name, kind=VM)
    absent = {ends for ends in wanted if ends not in cabling.cables}
    for ends in sorted({*cabling.cables, *absent}, key=by_order):
        cable = cabling.cables.get(ends)
        graph.add_edge(
            ends[0].node,
            ends[1].node,
            key=" - ".join(map(str, ends)),
            ends=[[end.node, end.port] for end in ends],
            faults=judged.by_ends.get(ends, []),
            **(of_cable(cabling, cable) if cable else {"kind": MISSING}),
        )
    return graph


def of_cable(cabling: Cabling, cable: Cable) -> dict[str, t.Any]:
    """Return what is known of a cable: speed_bps and mtu of both ends in their order, and who heard whom, when."""
    return {
        "kind": CABLE,
        "one_sided": cabling.one_sided(cable) is not None,
        **{name: [cabling.value(cable, end, name) for end in cable.ends] for name in QUANTITIES},
        "evidence": [{"by": str(one.by), "heard": str(one.said), "at": one.at} for one in cable.evidence],
    }


def node_link(graph: t.Any) -> dict[str, t.Any]:
    """Return the graph in the form of networkx' node_link_data."""
    return dict(nx.node_link_data(graph, edges="edges"))


def lines(graph: t.Any) -> str:
    """Return the links as a table of text."""
    return table(
        [
            {
                "link": key,
                "speed": shared(edge.get("speed_bps", []), rate),
                "MTU": shared(edge.get("mtu", []), str),
                "heard at": " and ".join(dict.fromkeys(one["by"] for one in edge.get("evidence", []))),
                "fault": ", ".join(edge["faults"]),
            }
            for _one, _other, key, edge in graph.edges(keys=True, data=True)
            if edge["kind"] != VM
        ]
    )


def shared(values: t.Iterable[int | None], write: t.Callable[[int], str]) -> str:
    """Return the value of both ends, or both values where they differ; empty if nobody tells."""
    return " / ".join(dict.fromkeys(write(value) for value in values if value is not None))
