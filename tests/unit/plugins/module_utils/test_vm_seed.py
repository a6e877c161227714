# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init is told."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
import yaml
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_seed
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm
from vms import KEY, NET0, VM, with_net0

HOST_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx: {\n-----END OPENSSH PRIVATE KEY-----\n"


def seed(vm: Vm = VM, keys: str = f"{KEY}\n", user_data: str = "") -> dict[str, t.Any]:
    """Return the files as cloud-init reads them, YAML."""
    files = _vm_seed.files(vm, keys, HOST_KEY, "ssh-ed25519 AAAA name\n", user_data)
    return {name: text if name == "user-data" else yaml.safe_load(text) for name, text in files.items()}


def test_a_guest_has_its_name_and_keys() -> None:
    told = seed(keys=f"{KEY}\n{KEY} too\n")
    assert told["meta-data"]["local-hostname"] == "alpha-vm-01"
    assert told["meta-data"]["public-keys"] == [KEY, f"{KEY} too"]
    assert told["vendor-data"] == {
        "disable_root": False,
        "ssh_keys": {"ed25519_private": HOST_KEY, "ed25519_public": "ssh-ed25519 AAAA name\n"},
    }


def test_cloud_init_knows_what_ours_is() -> None:
    assert _vm_seed.files(VM, KEY, "", "", "")["vendor-data"].startswith("#cloud-config\n")


@pytest.mark.parametrize("text", ["", "#cloud-config\nbootcmd: [x]\n", "#!/bin/sh\necho\t'\u00e4'"])
def test_what_the_user_says_is_not_touched(text: str) -> None:
    assert seed(user_data=text)["user-data"] == text


def test_interfaces_are_named_by_mac_address() -> None:
    network = seed(with_net0(mtu=9000, address_v6=""))["network-config"]
    assert network == {
        "version": 2,
        "ethernets": {
            "net0": {
                "match": {"macaddress": NET0.mac},
                "set-name": "net0",
                "mtu": 9000,
                "addresses": ["10.20.0.11/24"],
                "accept-ra": False,
                "link-local": [],
                "optional": True,
            },
            "mgmt0": {"match": {"macaddress": VM.management_mac}, "set-name": "mgmt0", "dhcp4": True},
        },
    }


def test_a_guest_has_both_addresses() -> None:
    assert seed()["network-config"]["ethernets"]["net0"]["addresses"] == ["10.20.0.11/24", "fd20::11/64"]
    assert list(seed(dataclasses.replace(VM, interfaces=()))["network-config"]["ethernets"]) == ["mgmt0"]


@pytest.mark.parametrize(
    ("changed", "another"),
    [
        pytest.param({"keys": KEY}, False, id="line-end-after-the-keys"),
        pytest.param({"user_data": "#cloud-config"}, False, id="user-data-takes-another-disk"),
        pytest.param({"vm": dataclasses.replace(VM, memory_mib=512)}, False, id="memory"),
        pytest.param({"keys": f"{KEY} too"}, True, id="keys"),
        pytest.param({"vm": with_net0(address="10.20.0.12/24")}, True, id="address"),
        pytest.param({"vm": with_net0(mtu=9000)}, True, id="mtu"),
    ],
)
def test_what_cloud_init_does_once_is_done_again_where_it_changed(
    changed: dict[str, t.Any], another: bool
) -> None:
    first, second = (told["meta-data"]["instance-id"] for told in (seed(), seed(**changed)))
    assert first.startswith("alpha-vm-01-")
    assert (first != second) is another


def test_each_file_is_one_that_cloud_init_reads() -> None:
    assert set(seed()) == {"meta-data", "vendor-data", "user-data", "network-config"}
    assert json.loads(_vm_seed.files(VM, KEY, "", "", "")["meta-data"])
