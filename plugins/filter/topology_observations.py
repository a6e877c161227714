# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each node heard."""

from __future__ import annotations

DOCUMENTATION = r"""
name: topology_observations
short_description: What each node of a testbed heard, from what each host heard
version_added: 0.3.0
description:
  - Gives what was heard on the machine of a pocket fabric to the network switches that it carries.
author: The detnet.testbed authors (@detnet)
positional: testbed
options:
  _input:
    description: What M(detnet.testbed.lldp_neighbors) returned, by host.
    type: dict
    required: true
  testbed:
    description: The testbed, from P(detnet.testbed.compile_testbed#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell the topology
  detnet.testbed.topology_info:
    observations: "{{ {'alpha': of_alpha, 'pocket': of_pocket} | detnet.testbed.topology_observations(testbed) }}"
    testbed: "{{ testbed }}"
"""

RETURN = r"""
_value:
  description: The observations, as M(detnet.testbed.topology_info) takes them.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._cabling_plan import observations


def topology_observations(
    heard: t.Mapping[str, t.Mapping[str, t.Any]], testbed: t.Mapping[str, t.Any]
) -> list[dict[str, t.Any]]:
    return observations(testbed, heard)


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"topology_observations": topology_observations}
