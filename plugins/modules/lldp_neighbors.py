#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell who is connected to network interfaces, by the LLDP frames that come in there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lldp_neighbors
short_description: Hear by LLDP who is connected to network interfaces
version_added: 0.3.0
description:
  - Listens on interfaces, on all at once and for a bounded time, to LLDP frames (IEEE 802.1AB) and to those that a
    Chameleon controller's end hosts send. Or asks lldpd, where that runs; the result has the same shape.
  - The kernel lets in nothing but LLDP. An interface is promiscuous only while the module listens, and the kernel
    ends that even if the module is killed.
  - What a neighbour says is not to be trusted. Memory is bounded, malformed frames are counted and told as a
    warning, and of text only what can be printed is returned.
author: The detnet.testbed authors (@detnet)
extends_documentation_fragment: detnet.testbed.info
options:
  interfaces:
    description: Names of network interfaces, which are up.
    type: list
    elements: str
    required: true
  duration_s:
    description:
      - How long to listen at the most, in seconds. Most switches and hosts send every 30 seconds.
    type: int
    default: 31
  expected:
    description:
      - Neighbours of each interface after which the module returns before O(duration_s) is over; 0 to listen all the
        time.
    type: int
    default: 1
  heard_by:
    description:
      - V(module) listens. V(lldpd) asks the daemon at once for what it knows; it keeps no source address, and it
        has to be configured for the interfaces.
    type: str
    choices: [module, lldpd]
    default: module
requirements:
  - CAP_NET_RAW on the target host for O(heard_by=module), lldpcli for O(heard_by=lldpd)
seealso:
  - module: detnet.testbed.lldp_send
"""

EXAMPLES = r"""
- name: See who is at the other end of two cables
  detnet.testbed.lldp_neighbors:
    interfaces: [eth2, eth3]

- name: Ask lldpd, which runs on this network switch
  detnet.testbed.lldp_neighbors:
    interfaces: [Ethernet3]
    heard_by: lldpd
"""

RETURN = r"""
neighbors:
  description: Who was heard, in the order of O(interfaces). What a neighbour did not say is null or empty.
  returned: success
  type: list
  elements: dict
  sample:
    - interface: eth2
      source: 02:00:00:00:00:07
      shape: standard
      chassis_id: {subtype: mac_address, value: "02:00:00:00:00:07"}
      port_id: {subtype: interface_name, value: Ethernet3}
      ttl_s: 120
      port_description: to alpha
      system_name: s1
      system_description: null
      capabilities: {available: [bridge, router], enabled: [bridge]}
      management_addresses: [192.0.2.7]
      port_vlan_id: 1
      protocol_vlans: []
      vlan_names: {}
      autonegotiation: {supported: true, enabled: true}
      speed_bps: 10000000000
      max_frame_size_bytes: 9216
      organizational: []
interfaces:
  description: By interface, the frames that came, those that were malformed, and those of neighbours beyond the 64th.
  returned: success, with O(heard_by=module)
  type: dict
  sample: {eth2: {frames: 1, malformed: 0, left_out: 0}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _lldp_daemon,
    _lldp_interface,
    _lldp_socket,
)
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_daemon import DaemonError
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_hearing import Hearing

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "interfaces": {"type": "list", "elements": "str", "required": True},
    "duration_s": {"type": "int", "default": 31},
    "expected": {"type": "int", "default": 1},
    "heard_by": {"type": "str", "choices": ["module", "lldpd"], "default": "module"},
}
COUNTS = ("frames", "malformed", "left_out")


def listen(module: AnsibleModule, interfaces: list[str]) -> dict[str, t.Any]:
    """Return the result of listening. Raises OSError."""
    hearing = Hearing(interfaces, module.params["expected"])
    _lldp_socket.hear(interfaces, module.params["duration_s"], hearing.take, hearing.enough)
    for warning in hearing.warnings():
        module.warn(warning)
    counts = {
        name: {count: getattr(heard, count) for count in COUNTS} for name, heard in hearing.heard.items()
    }
    return {"neighbors": hearing.neighbors(), "interfaces": counts}


def ask(module: AnsibleModule, interfaces: list[str]) -> dict[str, t.Any]:
    """Return the result of asking lldpd. Raises DaemonError."""
    lldpcli = module.get_bin_path("lldpcli")
    if lldpcli is None:
        raise DaemonError("there is no lldpcli here; install lldpd, or let the module listen")
    command = [lldpcli, "-f", "json0", "show", "neighbors", "ports", ",".join(interfaces), "details"]
    status, printed, complaint = module.run_command(command)
    if status:
        raise DaemonError(f"lldpcli ended with {status}: {complaint.strip()}; is lldpd running?")
    return {"neighbors": _lldp_daemon.neighbors(printed)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    interfaces = list(dict.fromkeys(module.params["interfaces"]))
    wrong = [
        f"{name} is {module.params[name]}, below 0"
        for name in ("duration_s", "expected")
        if module.params[name] < 0
    ]
    wrong += _lldp_interface.problems(interfaces)
    if wrong:
        module.fail_json(msg=f"Cannot hear LLDP: {'; '.join(wrong)}")
    try:
        result = HEARD_BY[module.params["heard_by"]](module, interfaces)
    except OSError as exc:
        module.fail_json(msg=f"Cannot hear LLDP on {', '.join(interfaces)}: {_lldp_interface.explained(exc)}")
    except DaemonError as exc:
        module.fail_json(msg=f"Cannot ask lldpd for the neighbours of {', '.join(interfaces)}: {exc}")
    module.exit_json(changed=False, **result)


HEARD_BY = {"module": listen, "lldpd": ask}

if __name__ == "__main__":
    main()
