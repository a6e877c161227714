"""Measure the tagging switch beside its peers: `make bench`, or `python -m benchmarks.switch --help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import typing as t
from pathlib import Path

from benchmarks.switch import machine, plan
from benchmarks.switch.build import build
from benchmarks.switch.contender import Bench
from benchmarks.switch.control import measure_control
from benchmarks.switch.fingerprint import fingerprint, load_average
from benchmarks.switch.measure import measure_sitting
from benchmarks.switch.plot import plot
from benchmarks.switch.process import BenchmarkError
from benchmarks.switch.profile import profile
from benchmarks.switch.progress import Progress
from benchmarks.switch.report import report
from benchmarks.switch.results import Results
from benchmarks.switch.stages import measure_stages

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.switch.measure import Sample

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "files" / "dpdk-app"
MEGA = 1e6
QUIET_LOAD = 0.5

# What is measured beside the path: each gives figures by name.
OTHERS: dict[str, Callable[[Bench], dict[str, float]]] = {
    "stages": measure_stages,
    "control": measure_control,
}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.switch", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="repetitions of every measurement (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=0.7, help="length of one measurement (%(default)s)")
    parser.add_argument("--only", default="", help="regular expression for what to measure; see --list")
    parser.add_argument("--list", action="store_true", help="print the names of all measurements, and end")
    parser.add_argument(
        "--profile", action="store_true", help="run perf on what --only selects, in place of measuring"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order (%(default)s)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench", help="directory")
    return parser.parse_args(words)


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """Make a directory whose paths are short enough for sockets, until the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="detnet-bench-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


class Run:
    """The rounds of one run."""

    def __init__(self, bench: Bench, options: argparse.Namespace) -> None:
        self.bench = bench
        self.options = options
        self.cases = plan.select(plan.CASES, options.only)
        self.others = plan.select(tuple(OTHERS), options.only)
        self.results = Results()
        self.progress = Progress(options.rounds * (len(self.cases) + len(self.others)))

    def all_rounds(self) -> Results:
        for number in range(1, self.options.rounds + 1):
            self.round(number)
        self.progress.end()
        return self.results

    def round(self, number: int) -> None:
        """Measure everything once, in an order that the seed and the number of the round give."""

        def take(case: plan.Case, sample: Sample) -> None:
            self.results.samples[case][number] = sample
            self.progress.step(f"round {number}: {case}: {sample.packets_per_s / MEGA:.2f} Mpps")

        order = random.Random(f"{self.options.seed}/{number}")  # noqa: S311 - an order is no secret
        for sitting in plan.sittings(self.cases, order):
            measure_sitting(self.bench, sitting, self.options.seconds, take)
        for kind in self.others:
            for name, value in OTHERS[kind](self.bench).items():
                getattr(self.results, kind)[name][number] = value
            self.progress.step(f"round {number}: {kind}")


@contextlib.contextmanager
def prepared(options: argparse.Namespace) -> Iterator[Bench]:
    """Build the programs, and borrow what they need until the block ends."""
    programs = build(SOURCE, options.output / "dpdk-app")
    state = options.output / "state"
    state.mkdir(parents=True, exist_ok=True)
    with machine.hugepages(), run_directory() as directory:
        yield Bench(programs, directory, state, machine.cores())


def profile_all(bench: Bench, options: argparse.Namespace) -> None:
    for number, case in enumerate(plan.select(plan.CASES, options.only)):
        data = options.output / f"perf-{number}.data"
        print(f"{case} ({data})\n{profile(bench, case, options.seconds, data)}\n")


def measure(bench: Bench, options: argparse.Namespace) -> None:
    host = fingerprint(bench.cores, bench.state)
    before = load_average()
    if before[0] > QUIET_LOAD:
        print(
            f"The load average is {before[0]:.1f}: this machine is busy, figures mean little.",
            file=sys.stderr,
        )
    results = Run(bench, options).all_rounds()
    host["load_average"] = {"before": before, "after": load_average()}

    settings = {key: getattr(options, key) for key in ("rounds", "seconds", "seed", "only")}
    # A part of the measurements does not replace a whole run's.
    name = options.output / ("part" if options.only else "switch")
    document = {**results.as_json(), "settings": settings, "host": host}
    name.with_suffix(".json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    plot(results, name)
    print(report(results))
    print(f"\n{name}.json, .svg, .png")


def main() -> int:
    options = arguments(sys.argv[1:])
    if options.list:
        print(*plan.CASES, *OTHERS, sep="\n")
        return 0
    # So that everything is ended and given back; also in a shell's background, where an interrupt is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with prepared(options) as bench:
            (profile_all if options.profile else measure)(bench, options)
    except (BenchmarkError, OSError) as exc:
        print("", exc, *getattr(exc, "__notes__", []), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; all that was started has ended.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
