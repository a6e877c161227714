"""Processes that the benchmark starts, and ends by their id whatever happens."""

from __future__ import annotations

import contextlib
import subprocess
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

STOP_TIMEOUT_S = 10.0
LOG_LINES = 15

Process = subprocess.Popen[str]


class BenchmarkError(Exception):
    """What cannot be measured, why, and the way out."""


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], *, talks: bool = False
) -> Iterator[Process]:
    """Run a program until the block ends; with talks, its input and its output are ours.

    It is in a session of its own, so that an interrupt from the terminal reaches us alone, and it
    ends when we do, however that happens.
    """
    with log.open("w") as file:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else file,
            stderr=file,
            env=environment,
            start_new_session=True,
            text=True,
        )
        try:
            yield process
        except Exception as exc:
            ended = process.poll()
            exc.add_note(
                f"{name} {'runs' if ended is None else f'ended with {ended}'}; it said:\n{end_of(log)}"
            )
            raise
        finally:
            _end(process)


def _end(process: Process) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_of(log: Path, lines: int = LOG_LINES) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def wait_until(
    what: str, condition: Callable[[], bool], timeout_s: float = 30.0, pause_s: float = 0.02
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"Not within {timeout_s:g} s: {what}")
        time.sleep(pause_s)


def run(*command: str, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=given, env=environment)
    if done.returncode:
        raise BenchmarkError(f"Cannot run {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
