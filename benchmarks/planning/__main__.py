"""Measure what the controller computes for each host: `make bench-plan`, or `python -m benchmarks.planning --help`."""

from __future__ import annotations

import argparse
import collections
import functools
import json
import platform
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml
from ansible_collections.detnet.testbed.plugins.filter.difference_table import difference_table
from ansible_collections.detnet.testbed.plugins.filter.fingerprint_diff import fingerprint_diff
from ansible_collections.detnet.testbed.plugins.filter.state_differences import state_differences
from ansible_collections.detnet.testbed.plugins.filter.tuning_plan import tuning_plan
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state, _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document
from ansible_collections.detnet.testbed.plugins.module_utils._core_picture import picture
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import kernel_parameters, make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request, Vm

from benchmarks.planning.host import documents
from benchmarks.switch.fingerprint import commit, cpu_info, load_average
from benchmarks.switch.goals import Goal
from benchmarks.switch.report import figure, table
from benchmarks.switch.spread import Spread, spread

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY = Path(__file__).parents[2]
RECORDINGS = REPOSITORY / "tests" / "unit" / "topologies"
DEFAULTS = REPOSITORY / "roles" / "host_tuning" / "defaults" / "main.yml"
PREFIX = "host_tuning_"
TOTAL = "all of it"
MILLI = 1e-3
QUIET_LOAD = 0.5

REQUEST = Request(
    housekeeping=4,
    switch_workers=4,
    switch_memory_mib=2048,
    vms=tuple(Vm(vm=number, vcpus=3, memory_mib=1024, io_threads=1) for number in range(1, 13)),
    span="machine",
)
GOAL = Goal("ms_per_host", True, 50, "ms of the processor to plan a host and compare it")

Document = dict[str, t.Any]
Rounds = dict[str, list[float]]  # the seconds that each step took for each host


def largest() -> _topology.Topology:
    """Return the recorded machine with most CPUs."""
    recorded = [json.loads(path.read_text())["topology"] for path in sorted(RECORDINGS.glob("*.json"))]
    return _topology.from_document(max(recorded, key=lambda topology: len(topology["cpus"])))


def role_options() -> Document:
    """Return the role's defaults by the names that the filter knows."""
    defaults = yaml.safe_load(DEFAULTS.read_text())
    options = {name.removeprefix(PREFIX): value for name, value in defaults.items()}
    return {"memory_reserve_mib": REQUEST.memory_reserve_mib, **options}


def core_plan(topology: _topology.Topology) -> Document:
    """Return what the module core_plan does."""
    plan = make_plan(topology, REQUEST)
    return {
        "plan": plan_document(plan),
        "kernel_parameters": kernel_parameters(plan),
        "picture": picture(topology, plan),
        "topology": _topology.to_document(topology),
    }


def measure(
    topology: _topology.Topology, states: Sequence[Document], rounds: int
) -> tuple[Rounds, dict[str, int]]:
    """Do all that a run does for each host, as often as there are rounds; return the times, and the results' sizes.

    The processor's time is counted, not the clock's, which other programs take, too.
    """
    times: Rounds = collections.defaultdict(list)
    sizes: dict[str, int] = {}

    def timed(step: str, work: Callable[[], t.Any]) -> t.Any:
        began = time.process_time()
        result = work()
        times[step].append(time.process_time() - began)
        sizes[step] = len(result)
        return result

    options = role_options()
    for _round in range(rounds):
        for state, other in zip(states, [*states[1:], states[0]], strict=True):
            cores = timed("core_plan", functools.partial(core_plan, topology))
            tuning = timed("tuning_plan", functools.partial(tuning_plan, options, cores, state))
            wanted = tuning["wanted_after_boot"]
            rows = timed("state_differences", functools.partial(state_differences, wanted, state))
            timed("difference_table", functools.partial(difference_table, rows))
            timed("fingerprint", functools.partial(_host_state.fingerprint, state))
            timed("fingerprint_diff", functools.partial(fingerprint_diff, state, other))
    return times, sizes


def report(topology: _topology.Topology, states: Sequence[Document], rounds: int) -> Document:
    """Measure, and return the figures with what they were measured on."""
    before = load_average()
    times, sizes = measure(topology, states, rounds)
    times[TOTAL] = [sum(of_host) for of_host in zip(*times.values(), strict=True)]
    steps = {step: spread([one / MILLI for one in seconds]).as_json() for step, seconds in times.items()}
    interfaces = states[0]["network"]["interfaces"].values()
    return {
        "summary": {GOAL.key: steps[TOTAL]["median"], "met": GOAL.is_met(steps[TOTAL]["median"])},
        "steps_ms": steps,
        "settings": {"hosts": len(states), "rounds": rounds},
        "each_host_has": {
            "cpus": len(topology.cpus),
            "settings": len(_host_state.settings(states[0])),
            "interrupts": len(states[0]["interrupts"]["irqs"]),
            "queues": sum(len(interface["queues"]) for interface in interfaces),
            "differences": sizes["state_differences"],
        },
        "controller": {
            "cpu": cpu_info()["model name"],
            "kernel": platform.release(),
            "python": platform.python_version(),
            "collection": commit(),
            "load_average": {"before": before, "after": load_average()},
        },
    }


def shown(document: Document) -> str:
    """Return the figures for people."""
    has = ", ".join(f"{count} {name}" for name, count in document["each_host_has"].items())
    rows = [
        [step, figure(Spread(found["min"], found["median"], found["max"]))]
        for step, found in document["steps_ms"].items()
    ]
    return "\n".join(
        [
            table([["ms of the processor for a host", "median (min…max)"], *rows]),
            "",
            f"{document['settings']['hosts']} hosts, each with {has}",
            f"{GOAL.meaning}: {document['summary'][GOAL.key]:g}, the goal is {GOAL.relation}",
        ]
    )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100, help="how many hosts (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (%(default)s)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench", help="directory")
    options = parser.parse_args(words)

    topology = largest()
    with tempfile.TemporaryDirectory(prefix="detnet-bench-") as directory:
        states = documents(topology, Path(directory), options.hosts)
    if load_average()[0] > QUIET_LOAD:
        print("This machine is busy, figures mean little.", file=sys.stderr)
    document = report(topology, states, options.rounds)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "planning.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(shown(document), path, sep="\n")
    return 0 if document["summary"]["met"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
