# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The uplink of a switch, on a made-up host: who may name it, what is refused, what it has when it is given back."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_uplink,
    _nic_command,
    _nic_device,
    _nic_return,
)
from ansible_collections.detnet.testbed.plugins.module_utils._controller_uplink import Uplink
from ansible_collections.detnet.testbed.plugins.module_utils._nic_change import Setter
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import CommandError, NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Work
from nic_host import DEVICES, DISK, ETH0, ETH1, ETH2, NET, NicHost

GROUP = "/dev/vfio/11"
ON_PCI = Uplink(pci=ETH1, interface="", network_namespace="", vfio_group=GROUP, user="root")
KERNELS = Uplink(pci="", interface="eth1", network_namespace="", vfio_group="", user="root")
POCKET = Uplink(pci="", interface="uplink", network_namespace="detnet-alpha", vfio_group="", user="root")
NONE = Uplink(pci="", interface="", network_namespace="", vfio_group="", user="root")
BOUND = {"driver": "vfio-pci", "override": "vfio-pci", "at_boot": "vfio-pci"}
NIC = Nic(ETH1, "eth1")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NicHost:
    made = NicHost(tmp_path / "root")
    program = tmp_path / "bin/driverctl"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    made.write(GROUP[1:], "")
    monkeypatch.setattr(_nic_command, "path", lambda: str(program.parent))
    for module in (_nic_return, _controller_uplink):
        monkeypatch.setattr(module, "INTERFACE_WAIT_S", 0.05)
        monkeypatch.setattr(module, "POLL_S", 0.01)
    return made


@pytest.fixture
def work(host: NicHost) -> Work:
    return Work(host.ledger, str(host.root), ask=host.ask, run=host.run)


def anew(host: NicHost) -> Work:
    """Return what the next command knows."""
    return Work(host.ledger, str(host.root), ask=host.ask, run=host.run)


@pytest.mark.parametrize(
    ("uplink", "given"),
    [
        pytest.param(ON_PCI, ETH1, id="PCI address"),
        pytest.param(ON_PCI, "eth1", id="interface of the PCI device"),
        pytest.param(dataclasses.replace(ON_PCI, pci=ETH1.upper()), ETH1.upper(), id="in capitals"),
        pytest.param(KERNELS, "eth1", id="interface"),
        pytest.param(KERNELS, ETH1, id="PCI address of the interface"),
    ],
)
def test_the_uplink_is_found(work: Work, uplink: Uplink, given: str) -> None:
    assert _controller_uplink.find(uplink, given, work) == NIC


@pytest.mark.parametrize(
    ("uplink", "given", "says"),
    [
        pytest.param(ON_PCI, "eth9", "there is no interface eth9; name one of eth0", id="no interface"),
        pytest.param(ON_PCI, "0000:99:00.0", "is not a network device on PCI", id="no device"),
        pytest.param(ON_PCI, DISK, "is not a network device on PCI", id="a disk"),
        pytest.param(ON_PCI, "../eth1", "there is no interface ../eth1", id="a path"),
        pytest.param(
            ON_PCI, ETH2, f"the uplink of this server's switch is {ETH1}; name that", id="another NIC"
        ),
        pytest.param(KERNELS, "eth2", "the uplink of this server's switch is eth1", id="another interface"),
        pytest.param(NONE, "eth1", "has no uplink; set tagging_switch_uplink_pci", id="no uplink"),
        pytest.param(POCKET, "uplink", "there is no network namespace detnet-alpha", id="no namespace"),
    ],
)
def test_what_is_not_the_uplink_is_refused(work: Work, uplink: Uplink, given: str, says: str) -> None:
    with pytest.raises(NicError) as error:
        _controller_uplink.find(uplink, given, work)
    assert says in str(error.value)


def test_an_interface_of_a_namespace_is_looked_for_there(host: NicHost, work: Work) -> None:
    host.write("run/netns/detnet-alpha", "")
    asked: list[list[str]] = []

    def run(command: list[str]) -> str:
        asked.append(command)
        return '[{"ifname": "lo"}, {"ifname": "uplink"}]'

    work.host.run = run
    assert _controller_uplink.find(POCKET, "uplink", work) == Nic(None, "uplink")
    with pytest.raises(
        NicError, match="no interface eth1 in the network namespace detnet-alpha; name one of lo, uplink"
    ):
        _controller_uplink.find(POCKET, "eth1", work)
    _controller_uplink.take(POCKET, Nic(None, "uplink"), work)
    _controller_uplink.give_back(POCKET, Nic(None, "uplink"), work)
    inside = ["ip", "-netns", "detnet-alpha"]
    assert asked == [
        *[[*inside, "-json", "link", "show"]] * 3,
        [*inside, "link", "set", "dev", "uplink", "up"],
    ]


def test_a_nic_is_taken_and_comes_back_as_it_was(host: NicHost, work: Work) -> None:
    before = host.snapshot()
    _controller_uplink.take(ON_PCI, NIC, work)
    assert _nic_device.binding(str(host.root), ETH1) == BOUND
    assert os.stat(host.root / GROUP[1:]).st_mode & 0o777 == 0o600
    (host.root / GROUP[1:]).chmod(0o644)
    # Its interface has gone; it is found by its name all the same.
    nic = _controller_uplink.find(ON_PCI, "eth1", anew(host))
    _controller_uplink.give_back(ON_PCI, nic, anew(host))
    assert host.snapshot() == before


def test_a_nic_that_is_taken_already_is_let_to_the_switch(host: NicHost, work: Work) -> None:
    Setter(work).set(ETH1, {"driver": "vfio-pci"})
    host.commands.clear()
    _controller_uplink.take(ON_PCI, Nic(ETH1, None), anew(host))
    assert host.commands == []
    assert os.stat(host.root / GROUP[1:]).st_mode & 0o777 == 0o600


def test_a_nic_that_somebody_else_bound_gets_its_own_driver(host: NicHost, work: Work) -> None:
    host.driverctl(["set-override", ETH1, "vfio-pci"])
    _controller_uplink.give_back(ON_PCI, Nic(ETH1, None), work)
    assert host.driver(ETH1) == "ice"
    assert host.commands[-1] == ["ip", "link", "set", "dev", "eth1", "up"]


def test_an_interface_that_is_down_is_set_up(host: NicHost, work: Work) -> None:
    host.write(f"{NET}/eth1/flags", "0x1002")
    _controller_uplink.give_back(ON_PCI, NIC, work)
    assert host.text(f"{NET}/eth1/flags") == "0x1003"


def carries_ssh(host: NicHost) -> None:
    host.addresses["eth1"] = ["192.0.2.20"]
    host.routes["198.51.100.7"] = ["eth1"]
    host.ssh(local="192.0.2.20")


def has_the_default_route(host: NicHost) -> None:
    host.routes["default"] = ["eth1"]


def is_a_port(host: NicHost) -> None:
    host.masters["eth1"] = "br0"


def is_used_by_a_program(host: NicHost) -> None:
    host.driverctl(["set-override", ETH1, "vfio-pci"])
    host.process(800, "dpdk-testpmd", opened=[GROUP])


def has_no_iommu(host: NicHost) -> None:
    (host.root / DEVICES / ETH1 / "iommu_group").unlink()


def has_no_group_device(host: NicHost) -> None:
    (host.root / GROUP[1:]).unlink()


@pytest.mark.parametrize(
    ("uplink", "prepare", "says"),
    [
        pytest.param(ON_PCI, carries_ssh, "carries the SSH connection from 198.51.100.7", id="NIC with SSH"),
        pytest.param(ON_PCI, has_the_default_route, "has the default route", id="NIC with the default route"),
        pytest.param(KERNELS, carries_ssh, "carries the SSH connection", id="interface with SSH"),
        pytest.param(KERNELS, has_the_default_route, "has the default route", id="interface with the route"),
        pytest.param(KERNELS, is_a_port, "eth1 is a port of br0; take it out of that", id="port of a bridge"),
        pytest.param(
            ON_PCI, is_used_by_a_program, "dpdk-testpmd (process 800) has 0000:41:00.1", id="in use"
        ),
        pytest.param(ON_PCI, has_no_iommu, "it is in no IOMMU group", id="without IOMMU"),
        pytest.param(ON_PCI, has_no_group_device, "cannot be let at /dev/vfio/11", id="without its device"),
    ],
)
def test_an_uplink_that_cannot_be_taken(
    host: NicHost, work: Work, uplink: Uplink, prepare: t.Callable[[NicHost], None], says: str
) -> None:
    prepare(host)
    with pytest.raises(NicError) as error:
        _controller_uplink.take(uplink, NIC, work)
    assert says in str(error.value)


def test_a_user_that_is_not_there_is_told(work: Work) -> None:
    with pytest.raises(
        NicError, match=r"cannot be let at /dev/vfio/11: .*nobody-knows.*; run the role tagging_switch"
    ):
        _controller_uplink.take(dataclasses.replace(ON_PCI, user="nobody-knows"), NIC, work)


def test_a_nic_without_a_driver_of_its_own_is_told(host: NicHost, work: Work) -> None:
    _controller_uplink.take(ON_PCI, NIC, work)
    host.names.pop(ETH1)  # the driver finds a broken device, say
    with pytest.raises(NicError, match="has the driver ice and no interface; dmesg may tell why"):
        _controller_uplink.give_back(ON_PCI, Nic(ETH1, None), anew(host))


def test_a_program_that_fails_is_told(host: NicHost, work: Work) -> None:
    def fail(_command: list[str]) -> t.NoReturn:
        raise CommandError("ip link set failed with 2: Operation not permitted")

    host.on_command = fail
    with pytest.raises(NicError, match="Operation not permitted"):
        _controller_uplink.give_back(KERNELS, NIC, work)


@pytest.mark.parametrize("seen", [ETH0, "eth0"])
def test_the_management_nic_is_none_of_the_switchs(work: Work, seen: str) -> None:
    with pytest.raises(NicError, match="the uplink of this server's switch is"):
        _controller_uplink.find(ON_PCI, seen, work)
