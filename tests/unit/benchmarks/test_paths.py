# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of paths in a fat-tree."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import networkx
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import parse_links

from benchmarks.paths import __main__ as paths
from benchmarks.paths import fat_tree


@pytest.mark.parametrize("k", [2, 4, 6])
def test_a_fat_tree_has_the_ports_and_distances_of_one(k: int) -> None:
    nodes = {**dict.fromkeys(fat_tree.hosts(k), False), **dict.fromkeys(fat_tree.switches(k), True)}
    fabric, faults = parse_links(list(fat_tree.links(k)), nodes)
    assert faults == []
    assert (len(fat_tree.hosts(k)), len(fat_tree.switches(k))) == (k**3 // 4, 5 * k**2 // 4)
    graph = paths.graph_of(fabric)
    assert {graph.degree(node) for node in fat_tree.switches(k)} == {k}
    assert networkx.diameter(graph) == 6
    assert len(fat_tree.vms(k)) == k**3 // 4


def test_names_of_the_largest_fit_into_those_of_interfaces() -> None:
    longest = max(fat_tree.switches(48), key=len)
    assert len(f"{longest}-48") <= 15


@pytest.fixture
def run(tmp_path: Path) -> t.Callable[..., int]:
    return lambda *words: paths.main(["--rounds", "2", "--output", str(tmp_path), *words])


def test_measures_and_writes_what_it_printed(
    run: t.Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--k", "4", "--flows", "60", "--sample", "30") == 0
    document = json.loads((tmp_path / "paths.json").read_text())
    assert document["network"] == {"end_hosts": 16, "network_switches": 20, "links": 48}
    assert document["settings"] == {"k": 4, "flows": 60, "rounds": 2, "sample": 30, "seed": paths.SEED}
    assert document["result"]["rules"] == 60
    assert 0 < document["result"]["worst_load"] <= 1
    assert set(paths.NAMES) <= set(document["figures"])
    assert document["summary"]["met"]
    out = capsys.readouterr().out
    assert "A fat-tree of k = 4: 16 end hosts" in out
    assert all(name in out for name in paths.NAMES.values())


def test_a_goal_that_is_missed_is_its_exit_status(
    run: t.Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "GOALS", (paths.Goal("all_s", True, 0, "none"),))
    assert run("--k", "2", "--flows", "2", "--sample", "1") == 1
