#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send LLDP frames on a network interface."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lldp_send
short_description: Say by LLDP who is here, on a network interface
version_added: 0.3.0
description:
  - Sends one LLDP frame, or some at an interval, on an interface. No daemon stays behind.
  - The frame is that of IEEE 802.1AB, or the one from which a Chameleon controller takes the address of an end host.
author: The detnet.testbed authors (@detnet)
options:
  interface:
    description: Name of a network interface, which is up.
    type: str
    required: true
  shape:
    description:
      - V(standard) names the interface's MAC address as the chassis and its name as the port, with the host's name.
      - V(chameleon) names O(address) as the chassis in the way that a Chameleon controller reads, and port 0.
    type: str
    choices: [standard, chameleon]
    default: standard
  address:
    description: IPv4 address of the host, for O(shape=chameleon); or its management address, for O(shape=standard).
    type: str
  port_description:
    description: What the interface is for, for O(shape=standard).
    type: str
  ttl_s:
    description: How long a neighbour may believe it, in seconds; 0 says that the host goes away.
    type: int
    default: 120
  count:
    description: How many frames to send.
    type: int
    default: 1
  interval_s:
    description: Time between two frames, in seconds.
    type: float
    default: 30
requirements:
  - CAP_NET_RAW on the target host
attributes:
  check_mode:
    description: Sends nothing in check mode; the module is then skipped.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Every run sends; the host is not changed.
    support: full
seealso:
  - module: detnet.testbed.lldp_neighbors
"""

EXAMPLES = r"""
- name: Make a Chameleon controller know this end host, by exactly one frame
  detnet.testbed.lldp_send:
    interface: eth2
    shape: chameleon
    address: 192.0.2.11

- name: Tell the neighbour of eth2 who is here
  detnet.testbed.lldp_send:
    interface: eth2
    port_description: uplink of alpha
"""

RETURN = r"""
sent:
  description: Frames that were sent.
  returned: success
  type: int
frame_hex:
  description: The frame, without its FCS.
  returned: success
  type: str
  sample: 0180c200000e02000000000188cc0205050a000001040307000006020078
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _lldp,
    _lldp_interface,
    _lldp_socket,
)
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import LldpError

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "interface": {"type": "str", "required": True},
    "shape": {"type": "str", "choices": ["standard", "chameleon"], "default": "standard"},
    "address": {"type": "str"},
    "port_description": {"type": "str"},
    "ttl_s": {"type": "int", "default": 120},
    "count": {"type": "int", "default": 1},
    "interval_s": {"type": "float", "default": 30.0},
}


def faults(params: dict[str, t.Any]) -> list[str]:
    wrong = [
        f"{name} is {params[name]}, below {least}"
        for name, least in (("count", 1), ("interval_s", 0))
        if params[name] < least
    ]
    if params["shape"] == "chameleon" and params["port_description"] is not None:
        wrong.append("port_description is nothing that the shape chameleon can say")
    found = _lldp_interface.problem(params["interface"])
    return [*wrong, found] if found else wrong


def frame(params: dict[str, t.Any], mac: str) -> _lldp.Frame:
    """Return the frame of the module's params for an interface with a MAC address. Raises LldpError."""
    if params["shape"] == "chameleon":
        return _lldp.chameleon(mac, params["address"], ttl_s=params["ttl_s"])
    return _lldp.standard(
        mac,
        params["interface"],
        ttl_s=params["ttl_s"],
        system_name=os.uname().nodename,
        port_description=params["port_description"],
        management_address=params["address"],
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("shape", "chameleon", ["address"])],
        supports_check_mode=True,
    )
    params = module.params
    if wrong := faults(params):
        module.fail_json(msg=f"Cannot send LLDP: {'; '.join(wrong)}")
    mac = _lldp_interface.mac(params["interface"])
    try:
        data = _lldp.encode(frame(params, mac))
        if module.check_mode:
            module.exit_json(skipped=True, msg="check mode sends nothing", frame_hex=data.hex())
        sent = _lldp_socket.send(params["interface"], data, params["count"], params["interval_s"])
    except LldpError as exc:
        module.fail_json(msg=f"Cannot send LLDP on {params['interface']}: {exc}")
    except OSError as exc:
        module.fail_json(msg=f"Cannot send LLDP on {params['interface']}: {_lldp_interface.explained(exc)}")
    module.exit_json(changed=False, sent=sent, frame_hex=data.hex())


if __name__ == "__main__":
    main()
