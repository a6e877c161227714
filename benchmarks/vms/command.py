"""Commands and playbooks that are measured; whatever happens, none of them is left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import signal
import subprocess
import tempfile
import time
import typing as t
import uuid
from pathlib import Path

from benchmarks.switch.process import BenchmarkError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
END_TIMEOUT_S = 20.0
# In the environment of all that a command starts: Ansible has each of its workers in a session of its own.
MARK = "DETNET_BENCH_COMMAND"
SAID_BYTES = 3000
POLL_S = 0.1

# The results of a playbook, and when each of its tasks began and ended, in one document.
AS_JSON = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}


@dataclasses.dataclass(frozen=True)
class Task:
    seconds: float
    result: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Played:
    """What a playbook took, from the command's start to its end, and its tasks by name."""

    seconds: float
    tasks: dict[str, Task]

    def only(self) -> Task:
        """Return the task of a playbook that has one."""
        (task,) = self.tasks.values()
        return task


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, where: Path = REPOSITORY
) -> str:
    """Return what a command prints. An interrupt reaches it by us alone."""
    mark = str(uuid.uuid4())
    process = subprocess.Popen(
        command,
        cwd=where,
        env={**os.environ, **(environment or {}), MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, complained = process.communicate()
    except KeyboardInterrupt:
        end(process, mark)
        raise
    if process.returncode:
        last = (said + complained)[-SAID_BYTES:]
        raise BenchmarkError(
            f"Cannot run {' '.join(command)}: it ended with {process.returncode} and said:\n{last}"
        )
    return said


def timed(
    command: Sequence[str], environment: Mapping[str, str] | None = None, where: Path = REPOSITORY
) -> float:
    """Return the seconds that a command takes."""
    began = time.monotonic()
    run(command, environment, where)
    return time.monotonic() - began


def play(name: str, variables: Mapping[str, t.Any] | None = None) -> Played:
    """Run a playbook of this directory."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(variables or {}, file)
        file.flush()
        began = time.monotonic()
        said = run(
            [
                *("ansible-playbook", "--inventory", str(HERE / "inventory.yml")),
                *("--extra-vars", f"@{file.name}", str(HERE / name)),
            ],
            AS_JSON,
        )
        seconds = time.monotonic() - began
    return Played(seconds, tasks(json.loads(said)))


def tasks(document: Mapping[str, t.Any]) -> dict[str, Task]:
    """Return the tasks of a playbook's results that were not skipped."""
    found = {}
    for played in document["plays"]:
        for task in played["tasks"]:
            for result in task["hosts"].values():
                if not result.get("skipped"):
                    found[task["task"]["name"]] = Task(_seconds(task["task"]["duration"]), result)
    return found


def _seconds(duration: Mapping[str, str]) -> float:
    start, end = (datetime.datetime.fromisoformat(duration[key]) for key in ("start", "end"))
    return (end - start).total_seconds()


def end(process: subprocess.Popen[str], mark: str) -> None:
    """End a command as a terminal would, and then for good all that it started."""
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=END_TIMEOUT_S)
    while left := marked(mark):
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(POLL_S)


def marked(mark: str) -> list[int]:
    """Return the processes that have the mark in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended
            if f"{MARK}={mark}".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
    return found
