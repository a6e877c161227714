#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: switch_port
short_description: Ports of a tagging switch, one for each VM
version_added: 0.1.0
description:
  - Adds and removes the vhost-user ports by which VMs are connected to a tagging switch.
  - A port that is removed takes its rules with it; a later port of the same VM does not inherit them.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.switch
  - detnet.testbed.switch.changes
options:
  ports:
    description:
      - The ports, each VM at most once.
    type: list
    elements: dict
    required: true
    suboptions:
      vm:
        description:
          - Id of the VM, 0 to 4094.
        type: int
        required: true
      mac:
        description:
          - MAC address of the VM's interface, unicast, no other port's address.
          - Required unless O(state=absent).
        type: str
      socket_server:
        description:
          - The side that listens on the vhost-user socket. The other side connects, again after each restart.
        type: str
        choices: [switch, qemu]
        default: switch
  state:
    description:
      - V(present) adds the ports that are missing. It refuses to give an existing port another MAC address
        or another socket server, for that would cut off the VM and drop its rules.
      - V(absent) removes the ports of these VMs.
      - V(exact) makes O(ports) the only ports. Ports of other VMs are removed, others replaced if different.
        Each port is a request of its own, so an interrupted task can leave a part done; run it again.
    type: str
    choices: [present, absent, exact]
    default: present
seealso:
  - module: detnet.testbed.switch_info
  - module: detnet.testbed.switch_rule
"""

EXAMPLES = r"""
- name: Connect two VMs
  detnet.testbed.switch_port:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    ports:
      - vm: 0
        mac: "02:8e:d3:f6:ad:00"
      - vm: 1
        mac: "02:8e:d3:f6:ad:01"

- name: Give the switch the ports of the inventory and no others
  detnet.testbed.switch_port:
    socket: "{{ testbed.end_hosts[inventory_hostname].control_socket }}"
    ports: "{{ testbed.end_hosts[inventory_hostname].ports }}"
    state: exact

- name: Disconnect VM 1
  detnet.testbed.switch_port:
    socket: /run/detnet-testbed/alpha/control/switch.sock
    ports:
      - vm: 1
    state: absent
"""

RETURN = r"""
ports:
  description: All ports of the switch after the task, sorted by VM.
  returned: success
  type: list
  elements: dict
  sample:
    - vm: 1
      mac: "02:8e:d3:f6:ad:01"
      socket_server: switch
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._rule_faults import number_faults
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "socket": {"type": "path", "required": True},
    "ports": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "vm": {"type": "int", "required": True},
            "mac": {"type": "str"},
            "socket_server": {"type": "str", "choices": ["switch", "qemu"], "default": "switch"},
        },
    },
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
}

Port = dict[str, t.Any]
Ports = dict[int, Port]  # by VM id

FIELDS = ("vm", "mac", "socket_server")
MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")  # the first byte's lowest bit: multicast


def faults(ports: list[Port], state: str) -> list[str]:
    """Return what is wrong with the ports as asked for, before the switch is asked."""
    found = []
    seen: set[int] = set()
    for index, port in enumerate(ports):
        where = f"ports[{index}] (VM {port['vm']})"
        found += [f"{where}: {fault}" for fault in number_faults("vm", port["vm"])]
        if port["vm"] in seen:
            found.append(f"{where}: the VM is listed twice; list it once")
        seen.add(port["vm"])
        if state != "absent" and not MAC.fullmatch((port["mac"] or "").lower()):
            found.append(f"{where}: mac is {port['mac']!r}; give a unicast address such as 02:00:00:00:00:01")
    return found


def after(before: Ports, ports: list[Port], state: str) -> Ports:
    """Return the ports that the switch is to have, given those that it has."""
    if state == "absent":
        gone = {port["vm"] for port in ports}
        return {vm: port for vm, port in before.items() if vm not in gone}
    wanted = {port["vm"]: {**port, "mac": port["mac"].lower()} for port in ports}
    return wanted if state == "exact" else {**before, **wanted}


def conflicts(before: Ports, wanted: Ports, state: str) -> list[str]:
    """Return what the switch would refuse, so that check mode fails as the act would."""
    found = []
    owners: dict[str, int] = {}
    for vm, port in sorted(wanted.items()):
        old = before.get(vm, port)
        if old != port and state == "present":
            found.append(
                f"it has {line(old)}, not {line(port)}; remove it first by state=absent, or use state=exact"
            )
        owner = owners.setdefault(port["mac"], vm)
        if owner != vm:
            found.append(f"VM {owner} and VM {vm} have the same MAC address {port['mac']}; give each its own")
    return found


def act(switch: Switch, before: Ports, wanted: Ports) -> None:
    """Remove first, for the MAC address of an added port may be that of a removed one."""
    for vm, port in sorted(before.items()):
        if wanted.get(vm) != port:
            switch.call("port.remove", vm=vm)
    for vm, port in sorted(wanted.items()):
        if before.get(vm) != port:
            switch.call("port.add", **port)


def line(port: Port) -> str:
    return f"vm {port['vm']} {port['mac']} socket server {port['socket_server']}"


def lines(ports: Ports) -> str:
    return "".join(f"{line(port)}\n" for _vm, port in sorted(ports.items()))


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    ports, state = module.params["ports"], module.params["state"]
    failed = f"Cannot make the ports {state} on the switch at {module.params['socket']}"
    if found := faults(ports, state):
        module.fail_json(msg=f"{failed}: {'; '.join(found)}")
    switch = Switch(module.params["socket"])
    try:
        listed = switch.call("port.list")["ports"]
        before = {port["vm"]: {field: port[field] for field in FIELDS} for port in listed}
        wanted = after(before, ports, state)
        if found := conflicts(before, wanted, state):
            module.fail_json(msg=f"{failed}: {'; '.join(found)}")
        if not module.check_mode:
            act(switch, before, wanted)
    except SwitchError as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(
        changed=before != wanted,
        ports=[port for _vm, port in sorted(wanted.items())],
        diff={"before": lines(before), "after": lines(wanted)},
    )


if __name__ == "__main__":
    main()
