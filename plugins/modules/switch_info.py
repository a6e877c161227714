#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: switch_info
short_description: State and statistics of a tagging switch
version_added: 0.1.0
description:
  - Reads what a tagging switch is, its ports, its rules and its counters.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.switch
  - detnet.testbed.info
seealso:
  - module: detnet.testbed.switch_port
  - module: detnet.testbed.switch_rule
"""

EXAMPLES = r"""
- name: Read the switch
  detnet.testbed.switch_info:
    socket: /run/detnet-testbed/alpha/control/switch.sock
  register: switch

- name: Refuse to go on while a VM is not connected
  ansible.builtin.assert:
    that: switch.ports | rejectattr("connected") | length == 0
"""

RETURN = r"""
info:
  description: What the switch is.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the program.
      type: str
    version:
      description: Version of the program.
      type: str
    dpdk:
      description: Version of DPDK that it runs with.
      type: str
    pid:
      description: Process id, as the switch itself sees it.
      type: int
    uptime_s:
      description: Time since its start, in seconds.
      type: float
    idle_sleep_us:
      description: Sleep of an idle data core in microseconds, 0 if it polls without pause.
      type: int
    data_cores:
      description: CPU cores that move packets.
      type: list
      elements: int
    uplink:
      description: Port to the network (driver, device, mac, link_up, mtu), or none.
      type: dict
    ports:
      description: Number of ports.
      type: int
    rules:
      description: Number of rules.
      type: int
ports:
  description: The ports, sorted by VM.
  returned: success
  type: list
  elements: dict
  sample:
    - vm: 1
      mac: "02:8e:d3:f6:ad:01"
      socket: /run/detnet-testbed/alpha/vhost/vm-01.sock
      socket_server: switch
      connected: true
rules:
  description: The rules, sorted by what they match, with the options of M(detnet.testbed.switch_rule).
  returned: success
  type: list
  elements: dict
stats:
  description: The counters since the start or the last reset, in packets and bytes; every drop has a name.
  returned: success
  type: dict
  contains:
    vms:
      description: For each VM what came from it, what went to it, and what was dropped.
      type: list
      elements: dict
    uplink:
      description: What was received from the network, what was sent to it, and what was dropped.
      type: dict
    rules:
      description: For each rule what it matched and what was dropped.
      type: list
      elements: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ARGUMENT_SPEC: dict[str, t.Any] = {"socket": {"type": "path", "required": True}}


def read(switch: Switch) -> dict[str, t.Any]:
    return {
        "info": switch.call("switch.info"),
        "ports": switch.call("port.list")["ports"],
        "rules": switch.call("rule.list")["rules"],
        "stats": switch.call("stats.get"),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        state = read(Switch(module.params["socket"]))
    except SwitchError as exc:
        module.fail_json(msg=f"Cannot read the switch at {module.params['socket']}: {exc}")
    module.exit_json(changed=False, **state)


if __name__ == "__main__":
    main()
