# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tagging switch of a server, as the commands start-dpdk-tagging and stop-dpdk-tagging start and stop it.

How its container is made and run is what the role tagging_switch says, in a file of commands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import subprocess
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_config,
    _controller_record,
    _controller_uplink,
    _nic_command,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_config import Config, ConfigError
from ansible_collections.detnet.testbed.plugins.module_utils._controller_record import BusyError
from ansible_collections.detnet.testbed.plugins.module_utils._controller_uplink import Uplink
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Work
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ROOT = "/"
WAY_OUT = "run the role detnet.testbed.tagging_switch"
COMMAND_TIMEOUT_S = 40.0  # stopping takes 20 s if the switch does not end by itself
READY_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 2.0
PATIENCE_S = 60.0  # for another command that starts or stops the switch
POLL_S = 0.1
LOG_LINES = 5


class ContainerError(Exception):
    """The switch's container could not be started or stopped; the message says why."""


FAULTS = (BusyError, ConfigError, ContainerError, LedgerError, NicError, OSError)


@dataclasses.dataclass(frozen=True)
class Container:
    """The container of a switch, as the role tagging_switch describes it.

    commands: for each of listed, running, create, start, stop, remove and log the words of a command, which no shell
    reads. The first two print something if there is such a container, whole and running as described.
    """

    name: str
    socket: str
    uplink: Uplink
    commands: t.Mapping[str, list[str]]


def read(path: str) -> Container:
    """Return what is described in the file at path. Raises ConfigError."""

    def container(uplink: dict[str, str], **values: t.Any) -> Container:
        return Container(uplink=Uplink(**uplink), **values)

    return _controller_config.load(path, container, WAY_OUT)


def start(config: Config, device: str) -> str:
    """Have the switch run on its uplink, which device names, and accept connections. Leaves nothing if that fails."""
    container, work = read(config.switch), Work(config.nic_ledger, ROOT)
    with _alone(config, "start-dpdk-tagging") as lock:
        nic = _controller_uplink.find(container.uplink, device, work)
        if do(container, "running"):
            await_ready(container)
            return f"the switch {container.name} runs already on {nic}"
        try:
            if do(container, "listed"):
                do(container, "stop", lock)
                do(container, "remove", lock)
            _controller_uplink.take(container.uplink, nic, work)
            do(container, "create", lock)
            do(container, "start")
            await_ready(container)
        except FAULTS as exc:
            try:
                _end(container, nic, work, lock)
            except FAULTS as left:
                raise ContainerError(f"{exc}; then it could not be stopped: {left}") from exc
            raise
    return f"the switch {container.name} runs on {nic}"


def stop(config: Config, device: str) -> str:
    """Have the switch not run, and its uplink, which device names, with the kernel and up."""
    container, work = read(config.switch), Work(config.nic_ledger, ROOT)
    with _alone(config, "stop-dpdk-tagging") as lock:
        nic = _controller_uplink.find(container.uplink, device, work)
        _end(container, nic, work, lock)
    return f"the switch {container.name} is stopped, and {nic} is up"


def await_ready(container: Container) -> None:
    """Wait until the switch answers, and each socket on which it serves a VM takes a connection.

    Raises ContainerError.
    """
    switch = Switch(container.socket, ANSWER_TIMEOUT_S)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            for port in switch.call("port.list")["ports"]:
                if port["socket_server"] == "switch" and not port["connected"]:
                    _connect(port["socket"])
            return
        except (SwitchError, OSError) as exc:
            if time.monotonic() > deadline:
                raise ContainerError(
                    f"the switch does not accept connections within {READY_TIMEOUT_S:g} s: {exc}; its log ends with: "
                    f"{_log(container)}"
                ) from exc
            time.sleep(POLL_S)


def do(container: Container, name: str, lock: int | None = None) -> str:
    """Run one of the commands of a container and return what it prints. Raises ContainerError.

    Whoever kills us does not end the command; until it has ended, it holds the lock that it is given. The start is
    given none: what it starts would keep it.
    """
    command = container.commands[name]
    shown = f"{name} the container of the switch {container.name} by {command[0]}"
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            pass_fds=() if lock is None else (lock,),
            env={**os.environ, "PATH": _nic_command.path()},
        )
    except subprocess.TimeoutExpired as exc:
        raise ContainerError(f"{shown}: it took longer than {COMMAND_TIMEOUT_S:g} s") from exc
    except OSError as exc:
        raise ContainerError(f"{shown}: {exc.strerror}; {WAY_OUT}") from exc
    if done.returncode:
        said = " / ".join(done.stderr.split("\n")).strip(" /") or "it says nothing"
        raise ContainerError(f"{shown}: status {done.returncode}: {said}")
    return (done.stdout + (done.stderr if name == "log" else "")).strip()


@contextlib.contextmanager
def _alone(config: Config, command: str) -> t.Iterator[int]:
    """Have the switch for the command alone: starting and stopping wait for each other."""
    with _controller_record.alone(config.run_dir, "switch", command, PATIENCE_S) as lock:
        yield lock


def _end(container: Container, nic: Nic, work: Work, lock: int) -> None:
    """Stop the switch, whose rules are saved whenever it ends, and give its uplink back."""
    if do(container, "listed"):
        do(container, "stop", lock)
    _controller_uplink.give_back(container.uplink, nic, work)


def _connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S)
        connection.connect(path)


def _log(container: Container) -> str:
    try:
        return " / ".join(do(container, "log").splitlines()[-LOG_LINES:]) or "nothing"
    except ContainerError as exc:
        return f"(unknown: {exc})"
