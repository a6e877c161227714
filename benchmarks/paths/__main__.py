"""Measure paths and bounds of flows in a fat-tree: `make bench-paths`, or `python -m benchmarks.paths --help`."""

from __future__ import annotations

import argparse
import collections
import json
import platform
import resource
import sys
import time
import typing as t
from pathlib import Path

import networkx
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric, parse_links
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Ways
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_flows import compile_flows

from benchmarks.paths import fat_tree
from benchmarks.switch.fingerprint import commit, cpu_info, load_average
from benchmarks.switch.goals import Goal
from benchmarks.switch.report import figure, table
from benchmarks.switch.spread import Spread, spread

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY = Path(__file__).parents[2]
SEED = 7
QUIET_LOAD = 0.5
KIB_PER_MIB = 1024
GOALS = (
    Goal("all_s", True, 60, "s of one core: links, paths, rules, capacities and bounds of all flows"),
    Goal("rss_mib", True, 2048, "MiB of memory for that"),
)

Document = dict[str, t.Any]
Rounds = dict[str, list[float]]
Pairs = list[tuple[str, str]]


def timed(rounds: Rounds, step: str, work: Callable[[], t.Any]) -> t.Any:
    """Do the work and note its time on the processor, which other programs do not take."""
    began = time.process_time()
    result = work()
    rounds[step].append(time.process_time() - began)
    return result


class Case:
    """A description and what is measured on it."""

    def __init__(self, k: int, count: int) -> None:
        self.nodes = {**dict.fromkeys(fat_tree.hosts(k), False), **dict.fromkeys(fat_tree.switches(k), True)}
        self.links = list(fat_tree.links(k))
        self.vms = fat_tree.vms(k)
        self.flows = fat_tree.flows(k, count, SEED)
        self.pairs: Pairs = [(self.vms[f["from"]]["host"], self.vms[f["to"]]["host"]) for f in self.flows]

    def ours(self, rounds: Rounds) -> Document:
        """Compile all flows, and find all shortest ways; return what came of it."""
        fabric, faults = timed(rounds, "links_s", lambda: parse_links(self.links, self.nodes))
        (flows, rules), wrong = timed(
            rounds, "flows_s", lambda: compile_flows(self.flows, self.vms, fabric, [])
        )
        rounds["all_s"].append(rounds["links_s"][-1] + rounds["flows_s"][-1])
        rounds["rss_mib"].append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB)
        if found := [*faults, *wrong]:
            raise SystemExit(f"Cannot measure: {found[0]}, and {len(found) - 1} faults more")
        timed(rounds, "shortest_s", lambda: self.shortest(fabric, self.pairs))
        return {
            "rules": len(rules),
            "worst_load": max(hop["load_bps"] for flow in flows for hop in flow["links"])
            / fat_tree.SPEED_BPS,
            "worst_bound_us": max(flow["delay_bound_us"] for flow in flows),
            "fabric": fabric,
        }

    def shortest(self, fabric: Fabric, pairs: Pairs) -> list[int]:
        """Return the numbers of links of the shortest ways."""
        ways = Ways(fabric)
        return [len(ways.find(source, destination) or ()) for source, destination in pairs]

    def networkx(self, rounds: Rounds, fabric: Fabric, sample: int) -> None:
        """Let networkx find the ways of the first flows, and compare their lengths with ours."""
        graph = timed(rounds, "networkx_graph_s", lambda: graph_of(fabric))
        pairs = self.pairs[:sample]
        lengths = timed(
            rounds,
            "networkx_sample_s",
            lambda: [len(networkx.shortest_path(graph, *pair)) - 1 for pair in pairs],
        )
        if lengths != self.shortest(fabric, pairs):
            raise SystemExit("Cannot measure: networkx finds ways of other lengths")
        whole = rounds["networkx_sample_s"][-1] * len(self.pairs) / len(pairs)
        rounds["networkx_all_s"].append(whole)
        rounds["networkx_vs_ours"].append(whole / rounds["shortest_s"][-1])


def graph_of(fabric: Fabric) -> t.Any:
    graph = networkx.Graph()
    graph.add_edges_from((link.ends[0].node, link.ends[1].node) for link in fabric.links)
    return graph


def report(k: int, count: int, number: int, sample: int) -> Document:
    """Measure, and return the figures with what they were measured on."""
    before = load_average()
    rounds: Rounds = collections.defaultdict(list)
    case = Case(k, count)
    came: Document = {}
    for _round in range(number):
        came = case.ours(rounds)
        case.networkx(rounds, came["fabric"], sample)
    rounds["rss_mib"] = rounds["rss_mib"][:1]  # before networkx had its own
    del came["fabric"]
    found = {name: spread(values).as_json() for name, values in rounds.items()}
    return {
        "summary": {goal.key: found[goal.key]["median"] for goal in GOALS}
        | {"met": all(goal.is_met(found[goal.key]["median"]) for goal in GOALS)},
        "figures": found,
        "result": came,
        "settings": {"k": k, "flows": count, "rounds": number, "sample": sample, "seed": SEED},
        "network": {
            "end_hosts": len(case.vms),
            "network_switches": len(case.nodes) - len(case.vms),
            "links": len(case.links),
        },
        "controller": {
            "cpu": cpu_info()["model name"],
            "kernel": platform.release(),
            "python": platform.python_version(),
            "networkx": networkx.__version__,
            "collection": commit(),
            "load_average": {"before": before, "after": load_average()},
        },
    }


NAMES = {
    "links_s": "s to read the links",
    "flows_s": "s for paths, rules, capacities and bounds",
    "all_s": "s for both",
    "rss_mib": "MiB of memory",
    "shortest_s": "s for the shortest ways alone",
    "networkx_graph_s": "s for a graph of networkx",
    "networkx_all_s": "s for its shortest ways, extrapolated",
    "networkx_vs_ours": "its shortest ways over ours",
}


def shown(document: Document) -> str:
    """Return the figures for people."""
    settings, network, came = document["settings"], document["network"], document["result"]
    rows = [
        [name, figure(Spread(found["min"], found["median"], found["max"]))]
        for key, name in NAMES.items()
        for found in [document["figures"][key]]
    ]
    return "\n".join(
        [
            table([[f"{settings['flows']} flows", "median (min…max)"], *rows]),
            "",
            f"A fat-tree of k = {settings['k']}: {network['end_hosts']} end hosts, {network['network_switches']} "
            f"network switches, {network['links']} links; networkx was asked for {settings['sample']} flows",
            f"The most loaded link is used to {came['worst_load']:.0%}, and no frame takes longer than "
            f"{came['worst_bound_us']:g} us",
            *(
                f"{goal.meaning}: {document['summary'][goal.key]:g}, the goal is {goal.relation}"
                for goal in GOALS
            ),
        ]
    )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__)
    parser.add_argument("--k", type=int, default=48, help="ports of a switch, an even number (%(default)s)")
    parser.add_argument("--flows", type=int, default=10_000, help="how many flows (%(default)s)")
    parser.add_argument("--sample", type=int, default=500, help="how many of them for networkx (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (%(default)s)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench", help="directory")
    options = parser.parse_args(words)

    if load_average()[0] > QUIET_LOAD:
        print("This machine is busy, figures mean little.", file=sys.stderr)
    document = report(options.k, options.flows, options.rounds, min(options.sample, options.flows))
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "paths.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(shown(document), path, sep="\n")
    return 0 if document["summary"]["met"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
