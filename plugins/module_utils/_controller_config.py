# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands for a controller make VMs of: a file that the role controller_commands writes."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _testbed_settings
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Interface

Options = dict[str, t.Any]
Described = t.TypeVar("Described")

WAY_OUT = "run the role detnet.testbed.controller_commands"
DESCRIBE = "correct controller_commands_vms"


class ConfigError(Exception):
    """The configuration cannot be used; the message says why and the way out."""


@dataclasses.dataclass(frozen=True)
class Config:
    """The configuration, in which an empty text means: as the server has it by itself."""

    end_host: str  # whose switch the VMs are connected to, as the inventory names it
    run_dir: str
    state_dir: str  # of the VMs' files
    image: str
    management_address: str  # of the server, where the guests' SSH is reached
    ssh_authorized_key: str  # public keys, one a line
    hostname: str  # what the VMs' names begin with
    mac_prefix: str  # five bytes
    first_address: str  # IPv4 address and prefix length of VM 0; empty: the guests have none
    socket_server: str
    mtu: int
    memory_mib: int
    vcpus: int
    max_id: int
    accelerator: str
    wait_timeout_s: int
    switch: str  # path of what the role tagging_switch says of its container
    nic_ledger: str  # path of the ledger in which the module nic notes what it changes
    vms: list[Options]  # as the module vm takes them; any other VM is made of the values above

    @property
    def switch_socket(self) -> str:
        return _testbed_settings.control_socket(self.end_host, self._settings)

    @property
    def _settings(self) -> Options:
        return {"testbed_run_dir": self.run_dir}

    def vm(self, vm_id: int) -> Options:
        """Return the options of a VM, as the module vm takes them. Raises ConfigError."""
        described = [vm for vm in self.vms if vm.get("id") == vm_id]
        vm = described[0] if described else self._undescribed(vm_id)
        try:
            interfaces = [dataclasses.asdict(Interface(**options)) for options in vm["interfaces"]]
        except (KeyError, TypeError) as exc:
            raise ConfigError(f"it is not described as the module vm takes it ({exc!r}); {DESCRIBE}") from exc
        if not interfaces:
            raise ConfigError(f"it is described without an interface; {DESCRIBE}")
        return {**vm, "interfaces": interfaces}

    def params(self, vm: Options, state: str) -> Options:
        """Return the options of the module vm that bring one VM into a state."""
        return {
            "vms": [vm],
            "state": state,
            "apply": "reboot",
            "image": self.image,
            "state_dir": self.state_dir,
            "management_address": self.management_address,
            "ssh_authorized_key": self.ssh_authorized_key,
            "backend": "libvirt",
            "accelerator": self.accelerator,
            "wait_for": "network" if state == "running" else "none",
            "wait_timeout_s": self.wait_timeout_s,
            "switch_socket": self.switch_socket,
        }

    def vm_name(self, vm_id: int) -> str:
        hostname = self.hostname or os.uname().nodename.partition(".")[0].lower()
        return _testbed_settings.vm_name(hostname, vm_id)

    def _undescribed(self, vm_id: int) -> Options:
        prefix = self.mac_prefix or _testbed_settings.mac_prefix(self.end_host)
        return {
            "id": vm_id,
            "name": self.vm_name(vm_id),
            "memory_mib": self.memory_mib,
            "vcpus": self.vcpus,
            "interfaces": [
                {
                    "mac": f"{prefix}:{vm_id:02x}".lower(),
                    "socket": _testbed_settings.vhost_socket(self.end_host, self._settings, vm_id),
                    "socket_server": self.socket_server,
                    "address": self._address(vm_id),
                    "mtu": self.mtu,
                }
            ],
        }

    def _address(self, vm_id: int) -> str:
        if not self.first_address:
            return ""
        try:
            first = ipaddress.IPv4Interface(self.first_address)
            address = first.ip + vm_id
        except ValueError as exc:
            raise ConfigError(f"controller_commands_first_address is no address: {exc}; correct it") from exc
        if address not in first.network:
            raise ConfigError(
                f"its address {address} is outside {first.network}; choose a smaller id,"
                " or another controller_commands_first_address"
            )
        return f"{address}/{first.network.prefixlen}"


def read(path: str) -> Config:
    """Return the configuration in the file at path. Raises ConfigError."""
    return load(path, Config, WAY_OUT)


def load(path: str, kind: t.Callable[..., Described], way_out: str) -> Described:
    """Return what kind makes of the JSON object in the file at path. Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            return kind(**json.load(file))
    except FileNotFoundError as exc:
        raise ConfigError(f"{path} is missing; {way_out}") from exc
    except PermissionError as exc:
        raise ConfigError(f"{path} cannot be read; become root") from exc
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"{path} is no configuration of these commands ({exc}); {way_out} again") from exc
