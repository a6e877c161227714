# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of the VMs of many end hosts, asked at once and in bounded time.

virsh asks, on the end host, because it is there, needs no rights to read, and can be ended whatever it waits for.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
import typing as t

RUNNING, STOPPED, PAUSED, ABSENT, UNKNOWN = STATES = ("running", "stopped", "paused", "absent", "unknown")

Command = tuple[str, ...]
States = dict[str, str]

# In English, for the messages; with the numbers of libvirt's virDomainState.
VIRSH: Command = (
    "env",
    "LC_ALL=C",
    "virsh",
    "--connect",
    "qemu:///system",
    "--readonly",
    "domstats",
    "--state",
)
VIRSH_STATES = {1: RUNNING, 2: RUNNING, 3: PAUSED, 4: RUNNING, 5: STOPPED, 6: STOPPED, 7: PAUSED}
VIRSH_DOMAIN = re.compile(r"^Domain: '(.+)'\n(?:  .*\n)*?  state\.state=(\d+)$", re.MULTILINE)

# What is read of the options of Ansible's connection.
SSH_READS = (
    "host",
    "port",
    "private_key_file",
    "remote_user",
    "ssh_args",
    "ssh_common_args",
    "ssh_executable",
    "ssh_extra_args",
)

# Nobody is there to answer a question, and no connection may outlive its answer.
SSH_OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no")


class Answer(t.NamedTuple):
    """What an end host said: the states of its domains by name, or why they are not known."""

    states: States | None
    fault: str = ""


def over_ssh(options: t.Mapping[str, t.Any], command: Command) -> Command:
    """Return what runs command by SSH; options are those of SSH_READS."""
    words = [options["ssh_executable"], *SSH_OPTIONS, *shlex.split(options["ssh_args"] or "")]
    for flag, option in (("-p", "port"), ("-i", "private_key_file"), ("-l", "remote_user")):
        if options[option]:
            words += [flag, str(options[option])]
    for option in ("ssh_common_args", "ssh_extra_args"):
        words += shlex.split(options[option] or "")
    return (*words, "--", options["host"], shlex.join(command))


def ask(commands: t.Iterable[Command], timeout_s: float) -> dict[Command, Answer]:
    """Run the commands, all at once, and return what each answered within timeout_s seconds."""
    deadline = time.monotonic() + timeout_s
    answers: dict[Command, Answer] = {}
    with contextlib.ExitStack() as stack:
        started: dict[Command, tuple[subprocess.Popen[bytes], t.IO[bytes]]] = {}
        for command in commands:
            try:
                # A file, not a pipe: one that never closes could not be read to its end.
                output: t.IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
                started[command] = (stack.enter_context(_process(command, output)), output)
            except OSError as exc:
                answers[command] = Answer(None, f"cannot start {command[0]}: {exc.strerror}")
        for command, (process, output) in started.items():
            try:
                status = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                answers[command] = Answer(None, f"no answer within {timeout_s:g} s")
            else:
                output.seek(0)
                answers[command] = answer(status, output.read().decode(errors="replace"))
    return answers


def answer(status: int, output: str) -> Answer:
    """Return what the exit status and the output of virsh say."""
    if status == 0:
        found = VIRSH_DOMAIN.findall(output)
        return Answer({name: VIRSH_STATES.get(int(number), UNKNOWN) for name, number in found})
    # Its last line says most; it comes from elsewhere, and may not command the terminal.
    lines = [
        line for line in ("".join(filter(str.isprintable, each)) for each in output.splitlines()) if line
    ]
    return Answer(None, lines[-1].removesuffix(".") if lines else f"exit status {status}")


@contextlib.contextmanager
def _process(command: Command, output: t.IO[bytes]) -> t.Iterator[subprocess.Popen[bytes]]:
    # A session of its own has no terminal at which ssh could ask, and is ended whole.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
