"""Measure the module vm beside its peers: `make bench-vms`, or `python -m benchmarks.vms --help`."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import typing as t
from importlib import metadata
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _host_state

from benchmarks.switch.fingerprint import commit, cpu_info, first_line, load_average, version
from benchmarks.switch.process import BenchmarkError
from benchmarks.switch.progress import Progress
from benchmarks.vms import lean
from benchmarks.vms.bed import Bed, prepared
from benchmarks.vms.command import REPOSITORY, run
from benchmarks.vms.contenders import CONTENDERS, MEMORY_MIB
from benchmarks.vms.report import report
from benchmarks.vms.results import Results, create, delete

if t.TYPE_CHECKING:
    from collections.abc import Sequence

QUIET_LOAD = 0.5
LEAN = "lean"
PARTS = (*CONTENDERS, LEAN)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vms", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, help="repetitions of every measurement (%(default)s)"
    )
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="what to measure; all of it if not given"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order (%(default)s)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench", help="directory")
    return parser.parse_args(words)


def measure(bed: Bed, parts: Sequence[str], rounds: int, seed: int) -> Results:
    """Measure everything once in each round, in an order that the seed and the number of the round give."""
    results = Results()
    progress = Progress(rounds * len(parts))
    for number in range(1, rounds + 1):
        order = random.Random(f"{seed}/{number}")  # noqa: S311 - an order is no secret
        for part in order.sample(parts, len(parts)):
            found = lean.measure_lean(bed) if part == LEAN else measure_contender(bed, part, number, results)
            for name, value in found.items():
                results.figures[name][number] = value
            said = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
            progress.step(f"round {number}: {said}")
    progress.end()
    return results


def measure_contender(bed: Bed, name: str, number: int, results: Results) -> dict[str, float]:
    contender = CONTENDERS[name](bed)
    created, deleted = contender.create(), contender.delete()
    for step, seconds in (created.steps | deleted.steps).items():
        results.steps[name][step][number] = seconds
    return {create(name): created.seconds, delete(name): deleted.seconds}


def collection_version(name: str) -> str:
    """Return the version of a collection that ansible-playbook finds."""
    listed = json.loads(run(["ansible-galaxy", "collection", "list", name, "--format", "json"]))
    return next((found[name]["version"] for found in listed.values()), "")


def host(bed: Bed) -> dict[str, t.Any]:
    """Return what a reader needs to know of the machine and the programs to judge the figures."""
    state = _host_state.read()
    return {
        "fingerprint": _host_state.fingerprint(state),
        "cpu": cpu_info()["model name"],
        "cpus": os.cpu_count(),
        "accelerator": bed.accelerator,
        "image": bed.image.name,
        "qemu": version(first_line("qemu-system-x86_64", "--version")),
        "libvirt": first_line("libvirtd", "--version").split()[-1],
        "vagrant": first_line("vagrant", "--version").split()[-1],
        "ansible_core": metadata.version("ansible-core"),
        "community_libvirt": collection_version("community.libvirt"),
        "collection": commit(),
        "state": state,
    }


def run_all(options: argparse.Namespace) -> int:
    with prepared() as bed:
        found = host(bed)
        before = load_average()
        if before[0] > QUIET_LOAD:
            print(
                f"The load average is {before[0]:.1f}: if others are busy, figures mean little.",
                file=sys.stderr,
            )
        results = measure(bed, options.only or PARTS, options.rounds, options.seed)
        found["load_average"] = {"before": before, "after": load_average()}
    settings = {key: getattr(options, key) for key in ("rounds", "seed", "only")}
    settings |= {"create_memory_mib": MEMORY_MIB, "lean_memory_mib": lean.MEMORY_MIB}
    # A part of the measurements does not replace a whole run's.
    path = options.output / ("vms_part.json" if options.only else "vms.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {**results.as_json(), "settings": settings, "host": found}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    print(report(results), "", path, sep="\n")
    return 0


def main() -> int:
    options = arguments(sys.argv[1:])
    # So that everything is ended and given back; also in a shell's background, where an interrupt is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return run_all(options)
    except (BenchmarkError, OSError) as exc:
        print("", exc, *getattr(exc, "__notes__", []), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; all that was started has ended.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
