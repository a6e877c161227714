# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: its result, its files, and what it refuses."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.modules import topology_info
from cablings import compiled, observations

Run = t.Callable[..., dict[str, t.Any]]

LINKS = (("alpha:0", "s1:1"), ("s1:2", "s2:1"))
TESTBED = compiled(*LINKS, vms=["alpha-vm-01"])


def test_tells_the_topology(run: Run) -> None:
    result = run(topology_info.main, observations=observations(*LINKS), testbed=TESTBED)
    assert result["faults"] == []
    assert result["changed"] is False
    assert {node["id"] for node in result["graph"]["nodes"]} == {"alpha", "s1", "s2", "alpha-vm-01"}
    assert result["links"][0] == {"ends": ["alpha:0", "s1:1"], "speed_bps": 10**10, "mtu": 9216}
    assert result["dot"].startswith("graph topology {")


def test_without_a_description_nothing_is_missing(run: Run) -> None:
    result = run(topology_info.main, observations=observations(LINKS[0]))
    assert result["faults"] == []
    assert [link["ends"] for link in result["links"]] == [["alpha:0", "s1:1"]]


def test_writes_files_once(run: Run, tmp_path: Path) -> None:
    names = ["topology.json", "topology.dot", "topology.svg", "topology.png"]
    arguments: dict[str, t.Any] = {
        "observations": observations(*LINKS),
        "testbed": TESTBED,
        "files": [str(tmp_path / name) for name in names],
    }
    assert run(topology_info.main, check_mode=True, **arguments)["changed"]
    assert list(tmp_path.iterdir()) == []
    assert run(topology_info.main, **arguments)["changed"]
    assert not run(topology_info.main, **arguments)["changed"]
    contents = [(tmp_path / name).read_bytes() for name in names]
    assert json.loads(contents[0])["multigraph"]
    assert [content[:8] for content in contents[1:3]] == [b"graph to", b"<?xml ve"]
    assert contents[3].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param({"observations": []}, "nobody listened", id="no observation at all"),
        pytest.param({"files": ["topology.gif"]}, "topology.gif ends in none of", id="a kind of file"),
        pytest.param({"files": ["/nowhere/topology.dot"]}, "/nowhere/topology.dot", id="no such directory"),
        pytest.param({"testbed": {"links": []}}, "has no guests, nodes", id="no compiled testbed"),
    ],
)
def test_refuses(run: Run, arguments: dict[str, t.Any], why: str) -> None:
    result = run(topology_info.main, **({"observations": observations(*LINKS)} | arguments))
    assert result["failed"]
    assert result["msg"].startswith("Cannot tell the topology: ")
    assert why in result["msg"]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        pytest.param(None, "install graphviz", id="no Graphviz"),
        pytest.param("#!/bin/sh\necho no memory >&2\nexit 3\n", "dot ended with 3: no memory", id="it fails"),
    ],
)
def test_without_graphviz(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, why: str
) -> None:
    if program:
        (tmp_path / "dot").write_text(program)
        (tmp_path / "dot").chmod(0o755)
    path = str(tmp_path / "dot") if program else None
    monkeypatch.setattr(topology_info.AnsibleModule, "get_bin_path", lambda *_args, **_options: path)
    result = run(
        topology_info.main, observations=observations(*LINKS), files=[str(tmp_path / "topology.svg")]
    )
    assert why in result["msg"]
    assert not (tmp_path / "topology.svg").exists()
