# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands for a controller make a VM of: name, MAC address, address, socket."""

from __future__ import annotations

import dataclasses
import os
import types
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _controller_config, _vm, _vm_faults
from ansible_collections.detnet.testbed.plugins.module_utils._controller_config import Config, ConfigError

CONFIG = Config(
    end_host="alpha",
    run_dir="/run/detnet-testbed",
    state_dir="/state",
    image="/image",
    management_address="192.0.2.11",
    ssh_authorized_key="ssh-ed25519 AAAA me",
    hostname="server",
    mac_prefix="02:8E:d3:f6:ad",
    first_address="10.20.0.10/24",
    socket_server="switch",
    mtu=1500,
    memory_mib=256,
    vcpus=2,
    max_id=64,
    accelerator="auto",
    wait_timeout_s=180,
    switch="/state/container.json",
    nic_ledger="/state/nics.json",
    vms=[],
)


@pytest.mark.parametrize(
    ("vm_id", "name", "mac", "address"),
    [
        pytest.param(0, "server-vm-00", "02:8e:d3:f6:ad:00", "10.20.0.10/24", id="control-vm"),
        pytest.param(10, "server-vm-10", "02:8e:d3:f6:ad:0a", "10.20.0.20/24", id="ten"),
        pytest.param(64, "server-vm-64", "02:8e:d3:f6:ad:40", "10.20.0.74/24", id="last"),
        pytest.param(240, "server-vm-240", "02:8e:d3:f6:ad:f0", "10.20.0.250/24", id="three-digits"),
    ],
)
def test_what_follows_from_the_id(vm_id: int, name: str, mac: str, address: str) -> None:
    vm = CONFIG.vm(vm_id)
    (interface,) = vm["interfaces"]
    assert (vm["name"], interface["mac"], interface["address"]) == (name, mac, address)
    assert interface["socket"] == f"/run/detnet-testbed/alpha/vhost/vm-{vm_id:02d}.sock"
    assert CONFIG.switch_socket == "/run/detnet-testbed/alpha/control/switch.sock"
    assert _vm_faults.problems([_vm.from_params(vm, CONFIG.params(vm, "running"))]) == []


@pytest.mark.parametrize(
    "nodename",
    [
        pytest.param("server1", id="as-it-is"),
        pytest.param("server1.example.org", id="without-its-domain"),
        pytest.param("Server1", id="in-small-letters"),
    ],
)
def test_the_servers_own_name(monkeypatch: pytest.MonkeyPatch, nodename: str) -> None:
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(nodename=nodename))
    assert dataclasses.replace(CONFIG, hostname="").vm_name(3) == "server1-vm-03"


def test_two_servers_have_no_mac_address_in_common() -> None:
    first, second = (dataclasses.replace(CONFIG, end_host=name, mac_prefix="") for name in ("alpha", "beta"))
    macs = [config.vm(1)["interfaces"][0]["mac"] for config in (first, second)]
    assert macs[0] != macs[1]
    assert {mac[:3] for mac in macs} == {"02:"}


def test_without_a_first_address_a_guest_has_none() -> None:
    assert dataclasses.replace(CONFIG, first_address="").vm(1)["interfaces"][0]["address"] == ""


def test_no_vm_has_an_address_of_another_network() -> None:
    with pytest.raises(
        ConfigError, match=r"its address 10\.20\.1\.4 is outside 10\.20\.0\.0/24; choose a smaller"
    ):
        CONFIG.vm(250)


def test_a_described_vm_has_all_options_of_its_interface() -> None:
    interface = {"mac": "02:00:00:00:00:01", "socket": "/s", "queue_size": 256}
    described: dict[str, t.Any] = {"id": 1, "name": "a", "interfaces": [interface], "vcpu_cpus": ["4"]}
    config = dataclasses.replace(CONFIG, vms=[described])
    assert config.vm(1)["interfaces"][0] == dataclasses.asdict(_vm.Interface(**interface))
    assert config.vm(1)["vcpu_cpus"] == ["4"]
    assert config.vm(2)["name"] == "server-vm-02"


def test_a_file_that_may_not_be_read_says_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise PermissionError

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ConfigError, match=r"/etc/x cannot be read; become root"):
        _controller_config.read("/etc/x")
