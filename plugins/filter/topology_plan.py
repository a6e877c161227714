# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host listens for the topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: topology_plan
short_description: On which interfaces a host listens for the topology, and what it says there
version_added: 0.3.0
description:
  - Picks those interfaces of a network switch, or of the machine that carries a pocket fabric, which are ports of the
    testbed. The number of a port is that of C(testbed_ports), or else the one in which the interface's name ends.
author: The detnet.testbed authors (@detnet)
positional: host, interfaces
options:
  _input:
    description: The testbed, from P(detnet.testbed.compile_testbed#filter).
    type: dict
    required: true
  host:
    description:
      - Name of the host in the inventory. One that is no node of the testbed carries a pocket fabric, whose interfaces
        are named SWITCH-PORT.
    type: str
    required: true
  interfaces:
    description: Names of the host's interfaces.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Hear who is at the ports of the pocket fabric, and speak for its network switches
  detnet.testbed.lldp_neighbors:
    interfaces: "{{ plan.interfaces }}"
    announce: "{{ plan.announce }}"
  vars:
    plan: "{{ testbed | detnet.testbed.topology_plan(inventory_hostname, ['s1-1', 's1-2', 's2-1', 's2-2']) }}"
"""

RETURN = r"""
_value:
  description: C(interfaces) and C(announce) as M(detnet.testbed.lldp_neighbors) takes them.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import CablingError
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_plan import plan


def topology_plan(testbed: t.Mapping[str, t.Any], host: str, interfaces: t.Iterable[str]) -> dict[str, t.Any]:
    try:
        return plan(testbed, host, interfaces)
    except CablingError as exc:
        raise AnsibleFilterError(str(exc)) from None


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"topology_plan": topology_plan}
