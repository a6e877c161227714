# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How quiet CPUs are: the programs of rt-tests on groups of CPUs, one after the other.

One program runs at a time, and isolated CPUs are measured while housekeeping's are not loaded by a measurement.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _hwlat, _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import (
    TOOLS,
    Job,
    QuietError,
    Row,
    Tool,
    ToolError,
    said,
    version,
)

ISOLATED, HOUSEKEEPING = "isolated", "housekeeping"
PATIENCE_S = 30  # beyond the duration: oslat warms up for a second, and a loaded machine is slow
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # not every user's has these
INTERRUPTS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Groups(t.NamedTuple):
    """The CPUs to measure, and that for the programs' own threads."""

    isolated: tuple[int, ...]
    housekeeping: tuple[int, ...]
    main_cpu: int


def groups(isolated: str | None, housekeeping: str | None, root: str = "/") -> Groups:
    """Return the named CPUs; None stands for those that the kernel isolates, and for all others. Raises QuietError."""
    online = _listed("online CPUs of this kernel", _sysfs.cpus(root, "sys/devices/system/cpu/online") or "")
    if isolated is None:
        isolated = _sysfs.cpus(root, "sys/devices/system/cpu/isolated") or ""
    quiet = _listed("isolated_cpus", isolated)
    others = tuple(cpu for cpu in online if cpu not in quiet)
    loud = others if housekeeping is None else _listed("housekeeping_cpus", housekeeping)
    for name, cpus in (("isolated_cpus", quiet), ("housekeeping_cpus", loud)):
        absent = set(cpus) - set(online)
        if absent:
            raise QuietError(
                f"CPU {_cpu_list.text(absent)} of {name} is not online; this machine has {_cpu_list.text(online)}"
            )
    if both := set(quiet) & set(loud):
        raise QuietError(
            f"CPU {_cpu_list.text(both)} is in isolated_cpus and in housekeeping_cpus; name it once"
        )
    if not quiet and not loud:
        raise QuietError("no CPU is named; name one in isolated_cpus or in housekeeping_cpus")
    return Groups(quiet, loud, min(others or online))


def _listed(name: str, text: str) -> tuple[int, ...]:
    try:
        return _cpu_list.parse(text)
    except ValueError as exc:
        raise QuietError(f"{name}: {exc}") from exc


class Results(t.NamedTuple):
    """The rows of all measurements, what was left out, each with its reason, and the release of rt-tests."""

    measurements: list[Row]
    not_measured: list[Row]
    rt_tests: str | None


def measure(chosen: Groups, duration_s: int, directory: str, root: str = "/") -> Results:
    """Return what the programs measure, for so long each and on each group; directory takes their files.

    Raises QuietError if one does not end, or if this process is to end. No program is left then.
    """
    measurements: list[Row] = []
    not_measured: list[Row] = []
    release = None
    for kind, cpus in ((ISOLATED, chosen.isolated), (HOUSEKEEPING, chosen.housekeeping)):
        for name, tool in TOOLS.items() if cpus else ():
            job = Job(cpus, chosen.main_cpu, duration_s, os.path.join(directory, f"{name}-{kind}.json"))
            about = {"tool": name, "kind": kind}
            try:
                measurements += [{**about, **row} for row in _rows(name, tool, job, root)]
            except ToolError as exc:
                not_measured.append({**about, "cpus": _cpu_list.text(cpus), "reason": str(exc)})
            release = release or version(_read(job.path))
    return Results(measurements, not_measured, release)


def _rows(name: str, tool: Tool, job: Job, root: str) -> list[Row]:
    program = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}")
    if program is None:
        raise ToolError("it is not installed; install rt-tests")
    with contextlib.nullcontext() if tool.writes_json else _hwlat.borrowed(_hwlat.place(root)):
        command = [program, *tool.arguments(job)]
        code, printed = run(command, tool.death_signal, job.duration_s + PATIENCE_S)
    if code and tool.writes_json:  # hwlatdetect ends with 1 if it found something
        raise ToolError(f"it ended with {code} and said {said(printed)!r}")
    return tool.rows(job, _read(job.path), printed)


def _read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


def run(command: t.Sequence[str], death_signal: signal.Signals, timeout_s: float) -> tuple[int, str]:
    """Return how a program ended, and what it printed. Raises QuietError if it, or this process, has to be ended."""
    with (
        _interruptible(),
        subprocess.Popen(
            ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG"), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # an interrupt from the terminal reaches this process alone, which ends the program
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        ) as process,
    ):
        try:
            printed, _nothing = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise QuietError(
                f"{os.path.basename(command[0])} did not end within {timeout_s:g} s; see what else keeps its CPUs busy"
            ) from exc
        finally:
            process.kill()
    return process.returncode, printed


@contextlib.contextmanager
def _interruptible() -> t.Iterator[None]:
    """Raise QuietError where a signal would end this process."""

    def interrupt(number: int, _frame: object) -> None:
        raise QuietError(f"interrupted by {signal.Signals(number).name}; run it again")

    before = {number: signal.signal(number, interrupt) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
