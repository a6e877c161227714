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
    Chameleon controller's end hosts send. Or asks the tagging switch, which alone hears its uplink, or lldpd, where
    that runs; the result has the same shape.
  - The kernel lets in nothing but LLDP. An interface is promiscuous only while the module listens, and the kernel
    ends that even if the module is killed.
  - What a neighbour says is not to be trusted. Memory is bounded, malformed frames are counted and told as a
    warning, and of text only what can be printed is returned.
author: The detnet.testbed authors (@detnet)
extends_documentation_fragment: detnet.testbed.info
options:
  interfaces:
    description: Names of network interfaces, which are up. The tagging switch has one, its uplink.
    type: list
    elements: str
  duration_s:
    description:
      - How long to listen at the most, in seconds. Most switches and hosts send every 30 seconds.
      - With O(heard_by=switch), 0 tells at once what the switch knows; else only what comes in meanwhile is told.
    type: int
    default: 31
  expected:
    description:
      - Neighbours of each interface after which the module returns before O(duration_s) is over; 0 to listen all the
        time.
    type: int
    default: 1
  announce:
    description:
      - What to say on interfaces, at once and then each second while the module listens, so that nodes that hear each
        other at the same time need one task. With O(heard_by=switch), the switch speaks for itself.
      - Nothing is sent in check mode.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: One of O(interfaces).
        type: str
        required: true
      system_name:
        description: Name of the node that speaks.
        type: str
        required: true
      chassis_id:
        description: MAC address of the node; by default that of the interface.
        type: str
      port_id:
        description: Name of the node's port; by default that of the interface.
        type: str
      port_description:
        description: What the port is for.
        type: str
      ttl_s:
        description: How long a neighbour may believe it, in seconds.
        type: int
        default: 120
  heard_by:
    description:
      - V(module) listens. V(switch) asks the tagging switch at O(socket). V(lldpd) asks the daemon at once for what it
        knows; it has to be configured for the interfaces.
      - lldpd keeps no source address. Its time is that at which a neighbour last said something new, and organizational
        are the TLVs that lldpd does not read. Of a Chameleon end host it keeps no port, and it misreads an address that
        begins with 1 or 2.
    type: str
    choices: [module, switch, lldpd]
    default: module
  socket:
    description: Path of the tagging switch's control socket, for O(heard_by=switch).
    type: path
requirements:
  - CAP_NET_RAW on the target host for O(heard_by=module), lldpcli for O(heard_by=lldpd)
seealso:
  - module: detnet.testbed.lldp_send
"""

EXAMPLES = r"""
- name: See who is at the other end of two cables
  detnet.testbed.lldp_neighbors:
    interfaces: [eth2, eth3]

- name: See who is at the uplink of a tagging switch
  detnet.testbed.lldp_neighbors:
    heard_by: switch
    socket: /run/detnet-testbed/alpha/control/switch.sock

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
      heard_at: "2026-11-22T10:00:00Z"
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
  description:
    - By interface its MTU in bytes and its speed, null where it tells none. Unless lldpd heard, also the frames that
      came, those that were malformed, and those of neighbours that had no place any more; the switch counts from its
      start.
  returned: success
  type: dict
  sample: {eth2: {mtu: 1500, speed_bps: 10000000000, frames: 1, malformed: 0, left_out: 0}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _lldp,
    _lldp_daemon,
    _lldp_interface,
    _lldp_neighbor,
    _lldp_socket,
    _lldp_switch,
)
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_daemon import DaemonError
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_hearing import Hearing
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import LldpError
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "interfaces": {"type": "list", "elements": "str"},
    "duration_s": {"type": "int", "default": 31},
    "expected": {"type": "int", "default": 1},
    "announce": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "interface": {"type": "str", "required": True},
            "system_name": {"type": "str", "required": True},
            "chassis_id": {"type": "str"},
            "port_id": {"type": "str"},
            "port_description": {"type": "str"},
            "ttl_s": {"type": "int", "default": 120},
        },
    },
    "heard_by": {"type": "str", "choices": ["module", "switch", "lldpd"], "default": "module"},
    "socket": {"type": "path"},
}
COUNTS = ("frames", "malformed", "left_out")


def announcement(said: dict[str, t.Any]) -> tuple[str, bytes]:
    """Return an interface and the frame to send on it. Raises LldpError."""
    interface = said["interface"]
    frame = _lldp.standard(
        _lldp_interface.mac(interface),
        said["port_id"] or interface,
        ttl_s=said["ttl_s"],
        system_name=said["system_name"],
        chassis_id=said["chassis_id"],
        port_description=said["port_description"],
    )
    return interface, _lldp.encode(frame)


def listen(module: AnsibleModule, interfaces: list[str]) -> dict[str, t.Any]:
    """Return the result of listening. Raises OSError, LldpError."""
    announce = [] if module.check_mode else list(map(announcement, module.params["announce"]))
    hearing = Hearing(interfaces, module.params["expected"])

    def take(interface: str, data: bytes) -> None:
        hearing.take(interface, data, _lldp_neighbor.instant())

    _lldp_socket.hear(interfaces, module.params["duration_s"], take, hearing.enough, announce)
    for warning in hearing.warnings():
        module.warn(warning)
    ports = {
        name: _lldp_interface.port(name) | {count: getattr(heard, count) for count in COUNTS}
        for name, heard in hearing.heard.items()
    }
    return {"neighbors": hearing.neighbors(), "interfaces": ports}


def ask_switch(module: AnsibleModule, _interfaces: list[str]) -> dict[str, t.Any]:
    """Return the result of asking the tagging switch. Raises SwitchError."""
    duration_s = module.params["duration_s"]
    hearing, answer = _lldp_switch.hear(
        Switch(module.params["socket"]),
        duration_s,
        module.params["expected"],
        announce=duration_s > 0 and not module.check_mode,
    )
    return {"neighbors": hearing.neighbors(), "interfaces": _lldp_switch.interfaces(answer)}


def ask_lldpd(module: AnsibleModule, interfaces: list[str]) -> dict[str, t.Any]:
    """Return the result of asking lldpd. Raises DaemonError."""
    lldpcli = module.get_bin_path("lldpcli")
    if lldpcli is None:
        raise DaemonError("there is no lldpcli here; install lldpd, or let the module listen")
    command = [lldpcli, "-f", "json0", "show", "neighbors", "ports", ",".join(interfaces), "details"]
    status, printed, complaint = module.run_command(command)
    if status:
        raise DaemonError(f"lldpcli ended with {status}: {complaint.strip()}; is lldpd running?")
    ports = {name: _lldp_interface.port(name) for name in interfaces}
    return {"neighbors": _lldp_daemon.neighbors(printed), "interfaces": ports}


def faults(params: dict[str, t.Any], interfaces: list[str]) -> list[str]:
    """Return what keeps the module from its work."""
    wrong = [f"{name} is {params[name]}, below 0" for name in ("duration_s", "expected") if params[name] < 0]
    if params["heard_by"] == "switch":
        return wrong + ["interfaces and announce are not for the switch, which has one uplink"] * bool(
            interfaces or params["announce"]
        )
    if not interfaces:
        wrong.append("interfaces is empty; name some")
    wrong += [
        f"announce names {said['interface']}, which is none of interfaces"
        for said in params["announce"]
        if said["interface"] not in interfaces
    ]
    return wrong + _lldp_interface.problems(interfaces)


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("heard_by", "switch", ["socket"])],
        supports_check_mode=True,
    )
    interfaces = list(dict.fromkeys(module.params["interfaces"] or []))
    if wrong := faults(module.params, interfaces):
        module.fail_json(msg=f"Cannot hear LLDP: {'; '.join(wrong)}")
    try:
        result = HEARD_BY[module.params["heard_by"]](module, interfaces)
    except OSError as exc:
        module.fail_json(msg=f"Cannot hear LLDP on {', '.join(interfaces)}: {_lldp_interface.explained(exc)}")
    except LldpError as exc:
        module.fail_json(msg=f"Cannot announce on {', '.join(interfaces)}: {exc}")
    except SwitchError as exc:
        module.fail_json(msg=f"Cannot ask the switch at {module.params['socket']} for its neighbours: {exc}")
    except DaemonError as exc:
        module.fail_json(msg=f"Cannot ask lldpd for the neighbours of {', '.join(interfaces)}: {exc}")
    module.exit_json(changed=False, **result)


HEARD_BY = {"module": listen, "switch": ask_switch, "lldpd": ask_lldpd}

if __name__ == "__main__":
    main()
