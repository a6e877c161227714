# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that draws a core plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: core_plan_svg
short_description: A core plan as an image
version_added: 0.3.0
description:
  - Draws what M(detnet.testbed.core_plan) returns - each NUMA node with its memory and hugepages, within it the caches
    and cores, the threads of a core side by side, each with its owner by color and symbol, and a legend.
  - The image is one SVG file that needs nothing else. For people who cannot see it, its description is the
    RV(detnet.testbed.core_plan#module:picture). Each CPU has its owner, or the number of its vCPU, as a tooltip.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The whole result of M(detnet.testbed.core_plan), or its RV(detnet.testbed.core_plan#module:topology)
      and RV(detnet.testbed.core_plan#module:plan) under these names.
    type: dict
    required: true
  title:
    description: Heading of the image, such as the name of the host.
    type: str
    default: Who has which CPU
  nic_node:
    description: The NUMA node of the uplink, which is marked; by default none is.
    type: int
"""

EXAMPLES = r"""
- name: Plan the CPUs
  detnet.testbed.core_plan:
    nic_node: 1
    vms: [{vm: 1, vcpus: 4, memory_mib: 8192}]
  register: cores

- name: Draw the plan
  ansible.builtin.copy:
    content: "{{ cores | detnet.testbed.core_plan_svg(title=inventory_hostname, nic_node=1) }}"
    dest: "{{ playbook_dir }}/{{ inventory_hostname }}.svg"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the SVG file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._core_svg import image_of
from ansible_collections.detnet.testbed.plugins.module_utils._svg_block import text_of


def core_plan_svg(result: t.Any, title: str = "Who has which CPU", nic_node: int | None = None) -> str:
    """Return the image. Raises AnsibleFilterError for what is no plan."""
    try:
        return text_of(image_of(result, title, nic_node))
    except ValueError as exc:
        raise AnsibleFilterError(f"Cannot draw a core plan: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"core_plan_svg": core_plan_svg}
