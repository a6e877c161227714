# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command send-lldp: where it sends, what it sends, and what keeps it from that."""

from __future__ import annotations

import errno
import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_config,
    _controller_lldp,
    _controller_uplink,
    _lldp_interface,
    _lldp_socket,
    _sysfs,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_lldp import SendError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Ledger, store

MAC = "02:00:00:00:00:07"
# The bytes of the contract: 192.0.2.11 without a family, port 0, 120 s, up to 60 bytes.
FRAME = "0180c200000e02000000000788cc020505c000020b040307000006020078".ljust(120, "0")
BINDING = {"driver": "ice", "override": None, "at_boot": None}


class Config(t.NamedTuple):
    """What send-lldp needs of a configuration."""

    switch: str
    nic_ledger: str


@pytest.fixture(name="config")
def new_config(tmp_path: Path) -> t.Any:
    uplink = {"pci": "", "interface": "eth7", "network_namespace": "", "vfio_group": "", "user": "root"}
    described = {"name": "alpha", "socket": "/nowhere", "uplink": uplink, "commands": {}}
    (tmp_path / "container.json").write_text(json.dumps(described))
    return Config(str(tmp_path / "container.json"), str(tmp_path / "nics.json"))


@pytest.fixture(name="sent")
def catch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[t.Any, ...]]:
    """Return the arguments of each sending; the interface is good."""
    calls: list[tuple[t.Any, ...]] = []
    monkeypatch.setattr(_lldp_interface, "problem", lambda _interface: None)
    monkeypatch.setattr(_sysfs, "text", lambda _root, _path: MAC)
    monkeypatch.setattr(_lldp_socket, "send", lambda *arguments: calls.append(arguments))
    return calls


def test_one_frame_of_the_contract_is_sent(config: t.Any, sent: list[tuple[t.Any, ...]]) -> None:
    said = _controller_lldp.send(config, "192.0.2.11", "eth7")
    assert [(interface, data.hex(), count) for interface, data, count, _pause in sent] == [("eth7", FRAME, 1)]
    assert said == "sent one LLDP frame for 192.0.2.11 on eth7"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param(errno.ENETDOWN, "an interface went down", id="down meanwhile"),
        pytest.param(errno.ENODEV, "an interface is gone", id="gone meanwhile"),
        pytest.param(errno.EPERM, "become root", id="no permission"),
        pytest.param(errno.ENOBUFS, "No buffer space available", id="no buffers"),
    ],
)
def test_a_socket_that_fails_is_told(
    config: t.Any, sent: list[tuple[t.Any, ...]], monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_lldp_socket, "send", fail)
    with pytest.raises(SendError, match=says):
        _controller_lldp.send(config, "192.0.2.11", "eth7")


def test_an_interface_that_the_switch_has_is_told(config: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nic = Nic("0000:3b:00.0", "eth7")
    ledger = Ledger({}, {}).noted(nic, "driver", BINDING, BINDING, BINDING)
    store(config.nic_ledger, ledger, "boot")
    asked: list[str] = []

    def problem(interface: str) -> str:
        asked.append(interface)
        return f"{interface} is bound to vfio-pci"

    monkeypatch.setattr(_lldp_interface, "problem", problem)
    with pytest.raises(SendError, match="bound to vfio-pci"):
        _controller_lldp.send(config, "192.0.2.11", "eth7")
    with pytest.raises(SendError):
        _controller_lldp.send(config, "192.0.2.11", "lo")  # is there
    assert asked == ["0000:3b:00.0", "lo"]


def test_the_command_begins_anew_in_a_network_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "detnet-alpha").touch()
    monkeypatch.setattr(_controller_uplink, "NAMESPACES", str(tmp_path))
    monkeypatch.setattr(
        sys, "orig_argv", ["/usr/bin/python3", "-I", "/place", "send-lldp", "192.0.2.11", "uplink"]
    )
    begun: list[list[str]] = []

    def execute(_file: str, command: list[str], environment: dict[str, str]) -> None:
        assert environment["PATH"].endswith("/sbin")
        begun.append(command)

    monkeypatch.setattr(os, "execvpe", execute)
    _controller_lldp.enter("detnet-alpha")
    assert begun == [["ip", "netns", "exec", "detnet-alpha", *sys.orig_argv]]


def test_the_command_stays_in_its_own_network_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").symlink_to(_controller_lldp.OWN_NAMESPACE)
    monkeypatch.setattr(_controller_uplink, "NAMESPACES", str(tmp_path))
    monkeypatch.setattr(os, "execvpe", lambda *_arguments: pytest.fail("it began anew"))
    _controller_lldp.enter("here")


def test_a_network_namespace_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_controller_uplink, "NAMESPACES", str(tmp_path))
    with pytest.raises(NicError, match="no network namespace detnet-alpha; run the role"):
        _controller_lldp.enter("detnet-alpha")


def test_a_server_without_a_switch_is_told(config: t.Any) -> None:
    Path(config.switch).unlink()
    with pytest.raises(_controller_config.ConfigError, match="run the role detnet"):
        _controller_lldp.send(config, "192.0.2.11", "eth7")
