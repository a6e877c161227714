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
options:
  gather:
    description:
      - What to read. A switch with a hundred thousand rules takes a moment to list them.
    type: list
    elements: str
    choices: [info, ports, features, rules, stats]
    default: [info, ports, rules, stats]
    version_added: 0.2.0
  vm:
    description:
      - Read the port, the features, the rules and the counters of this VM alone.
    type: int
    version_added: 0.2.0
seealso:
  - module: detnet.testbed.switch_port
  - module: detnet.testbed.switch_rule
  - module: detnet.testbed.switch_trace
"""

EXAMPLES = r"""
- name: Read the switch
  detnet.testbed.switch_info:
    socket: /run/detnet-testbed/alpha/control/switch.sock
  register: switch

- name: Refuse to go on while a VM is not connected
  ansible.builtin.assert:
    that: switch.ports | rejectattr("connected") | length == 0

- name: Read how long frames of VM 1 waited for their rate, and what was negotiated with its driver
  detnet.testbed.switch_info:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    gather: [features, stats]
    vm: 1
"""

RETURN = r"""
info:
  description: What the switch is.
  returned: if gathered
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
      description: Data cores that move frames, by DPDK's numbers.
      type: list
      elements: int
    mtu:
      description: Largest IP packet of a guest, in bytes.
      type: int
    uplink:
      description:
        - Port to the network (driver, device, mac, link_up, mtu, and how its frames come to the data cores), or none.
      type: dict
    ports:
      description: Number of ports.
      type: int
    rules:
      description: Number of rules.
      type: int
    state:
      description:
        - C(path) of its database, C(generation), the number of changes of its ports and rules so far, and C(report) of
          what had to be done to open it.
      type: dict
ports:
  description: The ports, sorted by VM.
  returned: if gathered
  type: list
  elements: dict
  sample:
    - vm: 1
      mac: "02:8e:d3:f6:ad:01"
      socket: /run/detnet-testbed/alpha/vhost/vm-01.sock
      socket_server: switch
      connected: true
features:
  description: For each port what its guest's driver and the switch agreed on, such as ring size and mergeable buffers.
  returned: if gathered
  type: list
  elements: dict
rules:
  description: The rules in the order in which they were first set, with the options of M(detnet.testbed.switch_rule).
  returned: if gathered
  type: list
  elements: dict
stats:
  description: The counters since the start or the last reset, in packets and bytes; every drop has a name.
  returned: if gathered
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
      description:
        - For each rule what left by it and what was dropped, C(queue) with what waits now, and C(delay) with a
          histogram of how long frames waited.
      type: list
      elements: dict
    cores:
      description: For each data core its turns, and its cycles by stage and per packet.
      type: list
      elements: dict
    buffers:
      description: Packet buffers that are in use, and all.
      type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import number_faults
from ansible_collections.detnet.testbed.plugins.module_utils._switch import NOT_FOUND, Switch, SwitchError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "gather": {
        "type": "list",
        "elements": "str",
        "choices": ["info", "ports", "features", "rules", "stats"],
        "default": ["info", "ports", "rules", "stats"],
    },
    "vm": {"type": "int"},
}


def ports(switch: Switch, vm: int | None) -> list[dict[str, t.Any]]:
    listed: list[dict[str, t.Any]] = switch.call("port.list")["ports"]
    return [port for port in listed if vm in (None, port["vm"])]


def features(switch: Switch, vm: int | None) -> list[dict[str, t.Any]]:
    found = []
    for port in ports(switch, vm):
        try:
            found.append(switch.call("port.features", vm=port["vm"]))
        except SwitchError as exc:
            if exc.code != NOT_FOUND:  # one that was removed meanwhile
                raise
    return found


def read(switch: Switch, gather: t.Collection[str], vm: int | None) -> dict[str, t.Any]:
    of = {} if vm is None else {"vm": vm}
    sources: dict[str, t.Callable[[], t.Any]] = {
        "info": lambda: switch.call("switch.info"),
        "ports": lambda: ports(switch, vm),
        "features": lambda: features(switch, vm),
        "rules": lambda: switch.call("rule.list", **of)["rules"],
        "stats": lambda: switch.call("stats.get", **of),
    }
    return {name: source() for name, source in sources.items() if name in gather}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    failed = f"Cannot read the switch at {params['socket']}"
    if params["vm"] is not None and (found := number_faults("vm", params["vm"])):
        module.fail_json(msg=f"{failed}: {found[0]}")
    try:
        state = read(Switch(params["socket"]), params["gather"], params["vm"])
    except SwitchError as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(changed=False, **state)


if __name__ == "__main__":
    main()
