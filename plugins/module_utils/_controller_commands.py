# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands by which a controller drives its server: VMs, the tagging switch, and LLDP.

Exit status: 0 for what is as it was asked for, 1 for what could not be done, 2 for wrong arguments. None of them
waits without end, and none asks.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import signal
import sys
import threading
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_config,
    _controller_lldp,
    _controller_switch,
    _controller_vms,
    _hypervisor,
    _vm_faults,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_config import Config
from ansible_collections.detnet.testbed.plugins.module_utils._controller_vms import ArgumentError

CONFIG = "/etc/detnet-testbed/controller.json"
# What libvirt and a VM's files take at most, beside the wait for the guest; a switch with its NIC; and one frame.
VM_LIMIT_S, SWITCH_LIMIT_S, LLDP_LIMIT_S = 240.0, 180.0, 15.0
ID = re.compile(r"[0-9]{1,4}", re.ASCII)
FAULTS = (*_controller_vms.FAULTS, *_controller_switch.FAULTS, *_controller_lldp.FAULTS)


class FailedError(Exception):
    """A command could not do what it was asked for; the message says what, why and the way out."""


class Command(t.NamedTuple):
    """A command: act takes the configuration and what parse makes of the arguments, and returns what it has to say."""

    arguments: str
    task: str  # with a place for each argument
    parse: t.Callable[[t.Sequence[str]], tuple[t.Any, ...]]
    act: t.Callable[..., str]
    limit_s: t.Callable[[Config], float]
    hangs: str  # what to look at if the limit is reached


def parse_nothing(words: t.Sequence[str]) -> tuple[()]:
    if words:
        raise ArgumentError("it takes no arguments")
    return ()


def parse_id(words: t.Sequence[str]) -> tuple[int]:
    """Return the id that the arguments of a command say. Raises ArgumentError."""
    if len(words) != 1:
        raise ArgumentError(f"one id is needed, not {len(words)} arguments")
    if not ID.fullmatch(words[0]) or int(words[0]) > _vm_faults.MAX_ID:
        raise ArgumentError(f"{words[0]!r} is no id; give a number of 0 to {_vm_faults.MAX_ID}")
    return (int(words[0]),)


def parse_device(words: t.Sequence[str]) -> tuple[str]:
    if len(words) != 1 or not words[0]:
        raise ArgumentError(f"one PCI address or interface is needed, not {len(words)} arguments")
    return (words[0],)


def parse_frame(words: t.Sequence[str]) -> tuple[str, str]:
    """Return the IPv4 address and the interface that the arguments say. Raises ArgumentError."""
    if len(words) != 2:
        raise ArgumentError(f"an IPv4 address and an interface are needed, not {len(words)} arguments")
    try:
        return str(ipaddress.IPv4Address(words[0])), words[1]
    except ValueError as exc:
        raise ArgumentError(f"{words[0]!r} is no IPv4 address; give one such as 192.0.2.11") from exc


def vm_limit_s(config: Config) -> float:
    return VM_LIMIT_S + config.wait_timeout_s


LIBVIRT, RUNTIME = "libvirtd and the switch answer", "the container runtime answers, and into dmesg"
COMMANDS = {
    "create-vm": Command("ID", "create VM {}", parse_id, _controller_vms.create_vm, vm_limit_s, LIBVIRT),
    "delete-vm": Command("ID", "delete VM {}", parse_id, _controller_vms.delete_vm, vm_limit_s, LIBVIRT),
    "list-vms": Command("", "list the VMs", parse_nothing, _controller_vms.list_vms, vm_limit_s, LIBVIRT),
    "start-dpdk-tagging": Command(
        "PCI|INTERFACE",
        "start the switch on {}",
        parse_device,
        _controller_switch.start,
        lambda _config: SWITCH_LIMIT_S,
        RUNTIME,
    ),
    "stop-dpdk-tagging": Command(
        "PCI|INTERFACE",
        "stop the switch on {}",
        parse_device,
        _controller_switch.stop,
        lambda _config: SWITCH_LIMIT_S,
        RUNTIME,
    ),
    "send-lldp": Command(
        "IP INTERFACE",
        "send LLDP for {} on {}",
        parse_frame,
        _controller_lldp.send,
        lambda _config: LLDP_LIMIT_S,
        "the interface takes frames",
    ),
}


def complain(command: str, message: str) -> None:
    sys.stderr.write(f"{command}: {message}\n")


@contextlib.contextmanager
def limited(command: str, limit_s: float, hangs: str) -> t.Iterator[None]:
    """End the process if it takes longer than limit_s seconds: whoever called it has no time limit of its own."""

    def give_up() -> None:
        complain(command, f"gave up after {limit_s:g} s; see whether {hangs}")
        # The main thread hangs in libvirt, say; what it left incomplete, the next command removes.
        sys.stderr.flush()
        os._exit(1)

    watchdog = threading.Timer(limit_s, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def run(name: str, words: t.Sequence[str]) -> str:
    """Do a command and return what it has to say. Raises ArgumentError and FailedError."""
    command = COMMANDS[name]
    arguments = command.parse(words)
    try:
        config = _controller_config.read(CONFIG)
        with limited(name, command.limit_s(config), command.hangs):
            return command.act(config, *arguments)
    except (*FAULTS, _hypervisor.LIBVIRT_ERROR) as exc:
        raise FailedError(f"cannot {command.task.format(*arguments)}: {exc}") from exc


def main(arguments: t.Sequence[str]) -> int:
    """Do the command that the arguments say, its name first, and return its exit status."""
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # to end at once is as good as at any other moment
    name, *words = arguments
    usage = f"usage: {name} {COMMANDS[name].arguments}".rstrip()
    if words in (["-h"], ["--help"]):
        sys.stdout.write(f"{usage}\n")
        return 0
    try:
        said = run(name, words)
        sys.stdout.write(f"{said}\n")
    except ArgumentError as exc:
        complain(name, f"{exc}\n{usage}")
        return 2
    except (FailedError, OSError) as exc:  # also a reader of ours that has gone
        complain(name, str(exc))
        return 1
    return 0
