#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nic
short_description: Bind and set a network device, and give it back
version_added: 0.3.0
description:
  - Binds a network device on PCI to a driver by driverctl, which does so again at each boot, and sets the number of its
    virtual functions. Or sets rings, pause frames and Energy-Efficient Ethernet of an interface.
  - A device that carries the SSH connection is never bound, nor is the number of its virtual functions changed, also
    when it is named. What carries it are the interfaces with the address of an SSH connection, those on the way back
    to the client, and all below them - ports of a bridge or a bond, the NIC of a VLAN, the device of a virtual
    function. Without any SSH connection, it is the interface of the default route.
  - Where a connection leads to no NIC, as by a tunnel, an Open vSwitch or in a container, every device that is up
    counts as its NIC.
  - Rings, pause frames and Energy-Efficient Ethernet are set also of the NIC that carries the connection. Many drivers
    take the link down for some seconds then.
  - Before the first change of a setting, its value goes to a ledger, which is on the disk before anything is written.
    The state V(returned) restores from it.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description:
      - Predicts everything but what only the driver knows, that it refuses a value or rounds it. What an optional
        setting met since the machine was started is in the ledger, and is predicted.
    support: full
  diff_mode:
    description: Shows the changed settings, one line C(device setting - value) for each, with a colon.
    support: full
  idempotent:
    description: The same task again writes nothing but optional settings that were refused; these it tries again.
    support: full
options:
  device:
    description:
      - Name of the interface, or PCI address as C(lspci -D) shows it. Required if O(state=present).
      - An interface that is gone since its device was bound is found by the ledger.
    type: str
  driver:
    description:
      - Driver of the device. Not with other settings, for the interface that they are of comes and goes with it.
      - V(vfio-pci) needs the IOMMU.
      - A device with virtual functions, and one that a program has open, is not bound.
    type: str
  virtual_functions:
    description:
      - Number of virtual functions, 0 to what the device has. Refused if one of the present ones is bound to a driver
        that hands it to a program.
      - To another number, the present ones are removed first.
    type: int
  rx_ring_packets:
    description: How many packets the receive rings hold, up to the driver's maximum. Drivers round that.
    type: int
  tx_ring_packets:
    description: How many packets the transmit rings hold, up to the driver's maximum. Drivers round that.
    type: int
  pause:
    description:
      - Whether pause frames are obeyed and sent, without negotiating them, where the driver allows that.
    type: bool
  energy_efficient:
    description: Whether Energy-Efficient Ethernet is on.
    type: bool
  iommu_awaited:
    description:
      - Whether the IOMMU comes with a restart that is due, so that check mode does not refuse V(vfio-pci) without it.
    type: bool
    default: false
  optional:
    description:
      - Whether rings, pause frames and Energy-Efficient Ethernet that the driver does not have or does not change go
        to RV(refused), in place of a failure.
    type: bool
    default: false
  ledger:
    description:
      - File of the values that were there before.
    type: path
    default: /var/lib/detnet-testbed/nics.json
  state:
    description:
      - V(present) has the settings, and leaves those alone that are not given.
      - V(returned) restores the settings of O(device) that are in the ledger, or those of all devices, the last change
        first. Also those that somebody else has changed since; they are reported in RV(overridden).
    type: str
    choices: [present, returned]
    default: present
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
  - driverctl for O(driver)
  - ip of iproute2 for O(driver) and O(virtual_functions)
seealso:
  - module: detnet.testbed.dpdk_info
  - module: detnet.testbed.kernel_values
"""

EXAMPLES = r"""
- name: Hand the second port to DPDK
  detnet.testbed.nic:
    device: enp65s0f1
    driver: vfio-pci

- name: Have full rings without pause frames
  detnet.testbed.nic:
    device: enp65s0f0
    rx_ring_packets: 4096
    tx_ring_packets: 4096
    pause: false
    energy_efficient: false
    optional: true
  register: nic

- name: Show what the driver refused
  ansible.builtin.debug:
    var: nic.refused

- name: Have four virtual functions
  detnet.testbed.nic:
    device: "0000:41:00.0"
    virtual_functions: 4

- name: Give all devices back
  detnet.testbed.nic:
    state: returned
"""

RETURN = r"""
address:
  description: PCI address of the device, null if it is not on PCI.
  returned: if O(state=present)
  type: str
  sample: "0000:41:00.0"
interface:
  description: Its interface before the task, null if it had none.
  returned: if O(state=present)
  type: str
  sample: enp65s0f0
changes:
  description:
    - The changed settings in the order of the changes, with the C(device), the C(setting) and the value C(before) and
      C(after). A driver is shown with the only one that the device takes, its C(override), and the one C(at_boot).
  returned: success
  type: list
  elements: dict
  sample: [{device: "0000:41:00.0", setting: rx_ring_packets, before: 512, after: 4096}]
refused:
  description:
    - Optional settings that were not made, with the value that was C(wanted), the C(real) one and the C(errno), both
      null where there is none, and the C(reason) in words.
  returned: success
  type: list
  elements: dict
overridden:
  description:
    - With O(state=returned), settings that somebody else changed since, with the value C(written) by us and the
      C(real) one.
  returned: success
  type: list
  elements: dict
gone:
  description: With O(state=returned), settings of devices that are not there any more.
  returned: success
  type: list
  elements: str
boot_commands:
  description: The commands that have rings, pause frames and Energy-Efficient Ethernet as they are now after a restart.
  returned: success
  type: list
  elements: list
  sample: [[ethtool, -G, enp65s0f0, rx, "4096", tx, "4096"]]
boot_values:
  description: The files below C(/sys) with their values that do so for the virtual functions.
  returned: success
  type: list
  elements: dict
  sample: [{path: "/sys/bus/pci/devices/0000:41:00.0/sriov_numvfs", value: "4"}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _nic_command
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_boot import boot_commands, boot_values
from ansible_collections.detnet.testbed.plugins.module_utils._nic_change import Setter
from ansible_collections.detnet.testbed.plugins.module_utils._nic_return import Returner
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import shown
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Change, Result, Work

SETTINGS = (
    "virtual_functions",
    "rx_ring_packets",
    "tx_ring_packets",
    "pause",
    "energy_efficient",
)
ARGUMENT_SPEC: dict[str, t.Any] = {
    "device": {"type": "str"},
    "driver": {"type": "str"},
    "virtual_functions": {"type": "int"},
    "rx_ring_packets": {"type": "int"},
    "tx_ring_packets": {"type": "int"},
    "pause": {"type": "bool"},
    "energy_efficient": {"type": "bool"},
    "iommu_awaited": {"type": "bool", "default": False},
    "optional": {"type": "bool", "default": False},
    "ledger": {"type": "path", "default": "/var/lib/detnet-testbed/nics.json"},
    "state": {"type": "str", "choices": ["present", "returned"], "default": "present"},
}

ROOT = "/"


def diff(changes: list[Change]) -> dict[str, str]:
    """Return the changed settings before and after, one line for each."""
    return {
        "before": "".join(
            f"{change.nic.label} {change.setting}: {shown(change.before)}\n" for change in changes
        ),
        "after": "".join(
            f"{change.nic.label} {change.setting}: {shown(change.after)}\n" for change in changes
        ),
    }


def document(result: Result) -> dict[str, t.Any]:
    """Return what the module tells."""
    told: dict[str, t.Any] = {
        "changed": result.changed,
        "changes": [change.row() for change in result.changes],
        "refused": result.refused,
        "overridden": result.overridden,
        "gone": result.gone,
        "boot_commands": [],
        "boot_values": [],
        "diff": diff(result.changes),
    }
    if result.nic:
        told |= {
            "address": result.nic.address,
            "interface": result.nic.interface,
            "boot_commands": boot_commands(result.nic.interface or "", result.settings),
            "boot_values": boot_values(result.nic.label, result.settings),
        }
    return told


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["device"])],
        supports_check_mode=True,
    )
    params = module.params
    device, returned = params["device"], params["state"] == "returned"
    wanted = {name: params[name] for name in ("driver", *SETTINGS) if params[name] is not None}
    if "driver" in wanted and len(wanted) > 1 and not returned:
        module.fail_json(
            msg=f"Cannot set {device}: its interface comes and goes with driver {params['driver']}, so "
            f"{', '.join(list(wanted)[1:])} cannot be set with it; give the driver a task of its own"
        )
    work = Work(params["ledger"], ROOT)
    work.host.iommu_awaited = params["iommu_awaited"] and module.check_mode
    try:
        if returned:
            result = Returner(work, module.check_mode).give_back(device)
        else:
            result = Setter(work).set(device, wanted, params["optional"], module.check_mode)
    except (_nic_command.NicError, LedgerError) as exc:
        action = f"give back {device or 'network devices'}" if returned else f"set {device}"
        module.fail_json(msg=f"Cannot {action}: {exc}")
    for warning in result.warnings:
        module.warn(warning)
    module.exit_json(**document(result))


if __name__ == "__main__":
    main()
