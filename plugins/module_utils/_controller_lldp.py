# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame by which a controller learns where a server is, as the command send-lldp sends it: one for each call."""

from __future__ import annotations

import os
import sys

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_switch,
    _controller_uplink,
    _lldp,
    _lldp_interface,
    _lldp_socket,
    _nic_command,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_config import Config, ConfigError
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import LldpError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Work

OWN_NAMESPACE = "/proc/self/ns/net"


class SendError(Exception):
    """The frame cannot be sent on the interface; the message says why and the way out."""


FAULTS = (ConfigError, LedgerError, LldpError, NicError, OSError, SendError)


def send(config: Config, address: str, interface: str) -> str:
    """Send one frame that names an IPv4 address of the server, on an interface that the switch does not have."""
    uplink = _controller_switch.read(config.switch).uplink
    if uplink.network_namespace:
        enter(uplink.network_namespace)
    if problem := _lldp_interface.problem(device(interface, config.nic_ledger)):
        raise SendError(problem)
    try:
        _lldp_socket.send(
            interface, _lldp.encode(_lldp.chameleon(_lldp_interface.mac(interface), address)), 1, 0
        )
    except OSError as exc:
        raise SendError(_lldp_interface.explained(exc)) from exc
    return f"sent one LLDP frame for {address} on {interface}"


def enter(namespace: str) -> None:
    """Begin anew in a network namespace, with its /sys; return if we are in it. Raises NicError and OSError."""
    place = _controller_uplink.namespace_file(namespace)
    if not os.path.exists(place):
        raise NicError(f"there is no network namespace {namespace}; run the role detnet.testbed.fabric")
    if not os.path.samefile(OWN_NAMESPACE, place):
        command = ["ip", "netns", "exec", namespace, *sys.orig_argv]
        os.execvpe(command[0], command, {**os.environ, "PATH": _nic_command.path()})  # noqa: S606 no shell wanted


def device(interface: str, ledger: str) -> str:
    """Return the PCI address of a NIC that had this interface before the switch got it, else the interface."""
    for nic in Work(ledger).load().nics():
        if nic.interface == interface and nic.address and not os.path.exists(f"/sys/class/net/{interface}"):
            return nic.address
    return interface
