# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init tells a guest that boots by firmware, the files of its NoCloud seed.

Nothing here touches the machine.
Ours is metadata and vendor data, the user's is user data: cloud-init does both, and the user has the last word.
JSON is YAML, which cloud-init reads: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _vm
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface, Vm

LABEL = "cidata"  # of the file system


def files(vm: Vm, keys: str, host_key: str, public_host_key: str, user_data: str) -> dict[str, str]:
    """Return the files of the seed by name; keys are the public keys that may log in as root."""
    network = json.dumps(_network(vm))
    # cloud-init does nearly all of this once for each instance: a guest of which it changed is another instance.
    instance = _vm.digest(json.dumps([keys.strip(), network]))[:16]
    metadata = {
        "instance-id": f"{vm.name}-{instance}",
        "local-hostname": vm.name,
        "public-keys": keys.strip().splitlines(),
    }
    vendor_data = {
        "disable_root": False,
        "ssh_keys": {"ed25519_private": host_key, "ed25519_public": public_host_key},
    }
    return {
        "meta-data": json.dumps(metadata),
        "vendor-data": f"#cloud-config\n{json.dumps(vendor_data)}\n",
        "user-data": user_data,
        "network-config": network,
    }


def _network(vm: Vm) -> dict[str, t.Any]:
    ethernets = {f"net{number}": _data(f"net{number}", each) for number, each in enumerate(vm.interfaces)}
    management = {**_named("mgmt0", vm.management_mac), "dhcp4": True}
    return {"version": 2, "ethernets": {**ethernets, "mgmt0": management}}


def _data(name: str, interface: Interface) -> dict[str, t.Any]:
    return {
        **_named(name, interface.mac),
        "mtu": interface.mtu,
        "addresses": [address for address in (interface.address, interface.address_v6) if address],
        # No frame leaves it that nobody asked for, and no boot waits for it.
        "accept-ra": False,
        "link-local": [],
        "optional": True,
    }


def _named(name: str, mac: str) -> dict[str, t.Any]:
    return {"match": {"macaddress": mac}, "set-name": name}
