#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
short_description: The topology of a testbed, from what its nodes heard by LLDP, and what is wrong with it
version_added: 0.3.0
description:
  - Merges what end hosts and network switches heard into one graph of nodes, ports and cables, with the evidence for
    each cable, and the VMs at their end hosts.
  - Compares it with the links of the description. Each difference is a row. Cables that are in each other's place are
    told as such.
  - What a neighbour says is not to be trusted. Of each port some neighbours are taken and the others counted, and their
    text is shortened and escaped.
author: The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description: Predicts which files would change, and writes none.
    support: full
  diff_mode:
    description: Most of what changes is a picture.
    support: none
  idempotent:
    description: The picture of the same topology is the same. The evidence in C(.json) says when somebody was heard.
    support: full
options:
  observations:
    description: What each node heard; P(detnet.testbed.topology_observations#filter) makes them.
    type: list
    elements: dict
    required: true
    suboptions:
      node:
        description: Name of the node that heard.
        type: str
        required: true
      kind:
        description: What it is.
        type: str
        choices: [end_host, network_switch]
        required: true
      ports:
        description: Its own ports, which is C(interfaces) of what M(detnet.testbed.lldp_neighbors) returned.
        type: dict
        default: {}
      neighbors:
        description: Whom it heard, which is C(neighbors) of what M(detnet.testbed.lldp_neighbors) returned.
        type: list
        elements: dict
        default: []
  testbed:
    description:
      - The testbed, from P(detnet.testbed.compile_testbed#filter). Its C(nodes) and C(guests) give names, numbers of
        ports and VMs, and its C(links) are what is compared with.
      - Without it, the nodes are those of O(observations), and nothing is compared.
    type: dict
  title:
    description: What is written above the picture.
    type: str
    default: Topology
  files:
    description:
      - Files to write the topology into. The end of a name says what is written; C(.json) is the graph, C(.dot)
        the picture in the language of Graphviz, C(.svg) and C(.png) the picture.
    type: list
    elements: path
    default: []
requirements:
  - networkx >= 3.4
  - dot of Graphviz, for pictures in O(files)
seealso:
  - module: detnet.testbed.lldp_neighbors
"""

EXAMPLES = r"""
- name: Tell the topology
  detnet.testbed.topology_info:
    observations:
      - {node: alpha, kind: end_host, ports: "{{ heard.interfaces }}", neighbors: "{{ heard.neighbors }}"}
    testbed: "{{ testbed }}"
    files: [build/topology.json, build/topology.svg]
  register: topology

- name: Refuse a wrong cabling
  ansible.builtin.assert:
    that: topology.faults | length == 0
    fail_msg: "{{ topology.faults | detnet.testbed.difference_table }}"
"""

RETURN = r"""
graph:
  description:
    - The graph as networkx' C(node_link_data) gives it. Nodes have C(kind) (C(end_host), C(network_switch), C(vm),
      C(unknown)), edges have C(kind) (C(cable), C(missing), C(vm)).
    - A cable has C(ends), lists of node and port; C(speed_bps) and C(mtu) of both; C(evidence), who heard whom and
      when; C(one_sided); and C(faults), the kinds of its faults.
  returned: success
  type: dict
dot:
  description: The picture in the language of Graphviz.
  returned: success
  type: str
table:
  description: The cables and missing links as a table of text.
  returned: success
  type: str
faults:
  description:
    - The differences, each with C(fault), C(where), C(described) and C(found).
      P(detnet.testbed.difference_table#filter) shows them to people.
    - C(fault) is C(missing), C(unexpected), C(swapped), C(one-sided), C(wrong speed), C(wrong MTU), C(loop),
      C(duplicate), C(duplicate chassis id) or C(several neighbours).
  returned: success
  type: list
  elements: dict
  sample:
    - fault: swapped
      where: s1 ports 1 and 2
      described: alpha:0 - s1:1, beta:0 - s1:2
      found: alpha:0 and beta:0 are swapped at s1 ports 1 and 2
notes:
  description: What is no fault, but to be known, such as links that nobody at either end can hear.
  returned: success
  type: list
  elements: str
links:
  description: The cables that were found, in the form of C(testbed_links), as far as a description can have them.
  returned: success
  type: list
  elements: dict
  sample:
    - {ends: ["alpha:0", "s1:1"], speed_bps: 10000000000, mtu: 9216}
"""

import json
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.detnet.testbed.plugins.module_utils._cabling import cabling
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_dot import dot
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_faults import (
    adopted,
    as_found,
    described,
    judge,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_graph import graph_of, lines, node_link
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import CablingError
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_swaps import HAS_NETWORKX

ARGUMENT_SPEC: dict[str, t.Any] = {
    "observations": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "node": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["end_host", "network_switch"], "required": True},
            "ports": {"type": "dict", "default": {}},
            "neighbors": {"type": "list", "elements": "dict", "default": []},
        },
    },
    "testbed": {"type": "dict"},
    "title": {"type": "str", "default": "Topology"},
    "files": {"type": "list", "elements": "path", "default": []},
}
OF_TESTBED = {"nodes", "links", "guests"}
PICTURES = (".svg", ".png")
DRAWING_S = 60


def topology(
    observations: list[dict[str, t.Any]], testbed: dict[str, t.Any] | None, title: str
) -> dict[str, t.Any]:
    """Return the result. Raises CablingError."""
    of = testbed or {"nodes": {}, "guests": {}, "links": []}
    if absent := OF_TESTBED - of.keys():
        raise CablingError(
            f"the testbed has no {', '.join(sorted(absent))}; give what compile_testbed returns"
        )
    found = cabling(observations, of["nodes"])
    wanted = described(of["links"]) if testbed else as_found(found)
    judged = judge(found, wanted)
    graph = graph_of(found, wanted, judged, of["guests"])
    return {
        "graph": node_link(graph),
        "dot": dot(graph, title),
        "table": lines(graph),
        "faults": judged.faults,
        "notes": judged.notes,
        "links": adopted(found),
    }


def content(module: AnsibleModule, result: dict[str, t.Any], path: str) -> bytes:
    """Return what belongs into a file. Raises CablingError."""
    kind = Path(path).suffix
    if kind == ".json":
        return json.dumps(result["graph"], indent=2).encode() + b"\n"
    if kind == ".dot":
        return str(result["dot"]).encode()
    if kind not in PICTURES:
        raise CablingError(f"{path} ends in none of .json, .dot, {', '.join(PICTURES)}; name it so")
    program = module.get_bin_path("dot")
    if program is None:
        raise CablingError("there is no dot here; install graphviz")
    # A picture is bytes, which run_command returns if text has no encoding.
    status, picture, complaint = module.run_command(
        ["timeout", str(DRAWING_S), program, f"-T{kind[1:]}"], data=result["dot"], encoding=None
    )
    if status:
        raise CablingError(f"dot ended with {status}: {complaint.decode(errors='replace').strip()}")
    return bytes(picture)


def written(module: AnsibleModule, result: dict[str, t.Any], path: str) -> bool:
    """Write a file, and return whether it was another one. Raises CablingError, OSError."""
    file, after = Path(path), content(module, result, path)
    changed = not file.exists() or file.read_bytes() != after
    if changed and not module.check_mode:
        file.write_bytes(after)
    return changed


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if not HAS_NETWORKX:
        module.fail_json(msg=missing_required_lib("networkx"))
    params = module.params
    try:
        result = topology(params["observations"], params["testbed"], params["title"])
        changed = [written(module, result, path) for path in params["files"]]
    except (CablingError, OSError) as exc:
        module.fail_json(msg=f"Cannot tell the topology: {exc}")
    module.exit_json(changed=any(changed), **result)


if __name__ == "__main__":
    main()
