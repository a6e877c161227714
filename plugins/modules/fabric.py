#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fabric
short_description: Network switches of a pocket testbed, as Open vSwitch bridges on one machine
version_added: 0.1.0
description:
  - Builds the network between the end hosts of a testbed on one machine. Each network switch is a bridge of
    Open vSwitch's userspace datapath, each link a veth pair, each end host a network namespace.
  - A switch matches the outermost VLAN id of a frame (port * 10 + queue), pops it, and sends the frame to
    that port and queue. It drops every other frame.
  - Open vSwitch runs as an instance of the fabric's own. A system-wide one is neither needed nor touched.
  - A fabric that has lost a part, or whose daemon was killed, is repaired. What is still whole is left alone.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description: Predicts the result from what the machine has now, without changing it.
    support: full
  diff_mode:
    description: Shows the daemons, namespaces, interfaces, bridges and flows before and after.
    support: full
  idempotent:
    description: The same task again changes nothing.
    support: full
options:
  switches:
    description:
      - Names of the network switches. The interface of port P of switch S is named S-P, with at most 15
        characters.
      - Required unless O(state=absent).
    type: list
    elements: str
  links:
    description:
      - The links, each a list of its two ends, each end written as NODE:PORT.
      - A switch has the ports 1 to 409, an end host has port 0.
      - Required unless O(state=absent).
    type: list
    elements: list
  end_hosts:
    description:
      - Names of the end hosts. End host H gets the network namespace C(detnet-H) and in it the interface
        C(uplink).
      - Required unless O(state=absent).
    type: list
    elements: str
  mtu:
    description:
      - MTU of every link, in bytes, 68 to 65535. Linux counts all VLAN tags but the first of a frame into it.
    type: int
    default: 9216
  directory:
    description:
      - Directory of the fabric's database, sockets, pid files, logs, and of its ledger, which names what the
        fabric made on the machine.
      - It belongs to the fabric alone and goes with it, and so does the directory above it if then empty.
    type: path
    default: /run/detnet-testbed/fabric
  state:
    description:
      - V(present) makes the fabric as described, and removes what it had beyond that.
      - V(absent) ends the daemons and removes all that the fabric made.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Run the task as root.
  - Open vSwitch's userspace datapath has no queues on veth interfaces. The queue is set and has no effect.
requirements:
  - Open vSwitch >= 3.1 (package openvswitch-switch)
  - pyroute2 >= 0.7 (package python3-pyroute2)
  - ethtool
  - setpriv of util-linux
"""

EXAMPLES = r"""
- name: Join two end hosts by two network switches
  detnet.testbed.fabric:
    switches: [s1, s2]
    end_hosts: [alpha, beta]
    links:
      - ["alpha:0", "s1:1"]
      - ["s1:2", "s2:1"]
      - ["s2:2", "beta:0"]
  register: fabric

- name: Remove the fabric
  detnet.testbed.fabric:
    state: absent
"""

RETURN = r"""
capture_points:
  description:
    - For each link, in the order of O(links), an interface outside the end hosts' namespaces on which all its
      frames can be captured. Empty if O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    at:
      description: The link, by its two nodes.
      type: str
      sample: alpha - s1
    interface:
      description: Name of the interface.
      type: str
      sample: s1-1
fabric:
  description:
    - The fabric as it is after the task. C(directory), C(daemons) by name, C(namespaces), C(taps); C(interfaces) by
      C(INTERFACE) or C(NAMESPACE/INTERFACE); C(bridges) by switch, with ports and flows.
  returned: success
  type: dict
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._fabric_document import (
    Document,
    FabricError,
    Run,
    capture_points,
    faults,
    nothing,
    wanted,
)
from ansible_collections.detnet.testbed.plugins.module_utils._fabric_host import Host
from ansible_collections.detnet.testbed.plugins.module_utils._fabric_links import HAS_PYROUTE2
from ansible_collections.detnet.testbed.plugins.module_utils._open_vswitch import PROGRAMS

ARGUMENT_SPEC: dict[str, t.Any] = {
    "switches": {"type": "list", "elements": "str"},
    "links": {"type": "list", "elements": "list"},
    "end_hosts": {"type": "list", "elements": "str"},
    "mtu": {"type": "int", "default": 9216},
    "directory": {"type": "path", "default": "/run/detnet-testbed/fabric"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

PACKAGES = {
    "ethtool": "ethtool",
    "ip": "iproute2",
    "setpriv": "util-linux",
    **dict.fromkeys(PROGRAMS, "openvswitch-switch"),
}


def missing(module: AnsibleModule) -> list[str]:
    """Return the packages that the fabric needs and the machine does not have."""
    packages = {package for program, package in PACKAGES.items() if not module.get_bin_path(program)}
    return sorted(packages | (set() if HAS_PYROUTE2 else {"python3-pyroute2"}))


def runner(module: AnsibleModule) -> Run:
    directory = module.params["directory"]
    environment = {"OVS_RUNDIR": directory, "OVS_LOGDIR": directory, "OVS_DBDIR": directory, "LC_ALL": "C"}

    def run(command: list[str], text: str | None = None) -> str:
        status, output, errors = module.run_command(
            command, data=text, environ_update=environment, path_prefix="/usr/sbin:/sbin"
        )
        if status:
            raise FabricError(
                f"{' '.join(command)} failed with status {status}: {errors.strip() or output.strip()}"
            )
        return str(output)

    return run


def described(params: dict[str, t.Any]) -> Document:
    """Return the fabric that the options ask for. Raises FabricError if they contradict themselves."""
    if params["state"] == "absent":
        return nothing()
    names = {key: params[key] for key in ("switches", "links", "end_hosts", "mtu")}
    if wrong := faults(**names):
        raise FabricError("; ".join(wrong))
    return wanted(str(Path(params["directory"])), **names)


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["switches", "links", "end_hosts"])],
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    packages = missing(module)
    host = Host(module.params["directory"], runner(module))
    try:
        after = described(module.params)
        if packages and present and not module.check_mode:
            raise FabricError(f"{', '.join(packages)} must be installed first; the fabric role does it")
        # Without its software a machine has no fabric, which is what check mode meets on a new machine.
        before = nothing() if packages else host.observe(after)
        if before != after and not module.check_mode:
            (host.build if present else host.remove)(before, after)
    except (FabricError, OSError) as exc:
        module.fail_json(msg=f"Cannot make the fabric {module.params['state']}: {exc}")
    points = capture_points(module.params["switches"], module.params["links"]) if present else []
    module.exit_json(
        changed=before != after, fabric=after, capture_points=points, diff={"before": before, "after": after}
    )


if __name__ == "__main__":
    main()
