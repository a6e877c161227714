# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that plans what the role host_tuning does on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tuning_plan
short_description: What is to be set on a host, and what then must be true of it
version_added: 0.3.0
description:
  - Takes the options of the role P(detnet.testbed.host_tuning#role), the core plan of the host and its state, and
    returns the arguments of the modules that set it, and what M(detnet.testbed.host_state) must tell afterwards.
  - Looks at nothing else, so the same input gives the same result.
positional: _input, cores, state, available_mib
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The options of the role, without C(host_tuning_) in their names.
    type: dict
    required: true
  cores:
    description: What M(detnet.testbed.core_plan) returned for the host.
    type: dict
    required: true
  state:
    description: The RV(detnet.testbed.host_state#module:state) of the host.
    type: dict
    required: true
  available_mib:
    description: Memory that is available now, to refuse pages that cannot be had without a restart.
    type: int
seealso:
  - plugin: detnet.testbed.state_differences
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Plan the tuning
  ansible.builtin.set_fact:
    tuning: "{{ options | detnet.testbed.tuning_plan(cores, host.state) }}"
"""

RETURN = r"""
_value:
  description: What to do, and what to expect.
  type: dict
  contains:
    faults:
      description: What this host cannot be asked, each with the way out. With any, nothing may be done.
      type: list
      elements: str
    kernel_parameters:
      description: The parameters for M(detnet.testbed.kernel_line), in their order.
      type: list
      elements: str
    values:
      description: The O(detnet.testbed.kernel_values#module:values).
      type: list
      elements: dict
    boot_values:
      description: >-
        The C(path), with wildcards where each boot gives new names, and C(value) of what a boot has to set again.
      type: list
      elements: dict
    tuned:
      description: The values that a profile of TuneD sets, as C(sysfs) and C(sysctl); null where TuneD does not run.
      type: dict
    mounts:
      description: >-
        The mount points of hugepages, with C(path), C(page_size_kib), its C(size) as text, and whether it is
        C(mounted).
      type: list
      elements: dict
    cache_groups:
      description: The O(detnet.testbed.cache_groups#module:groups).
      type: list
      elements: dict
    isolated_cpus:
      description: The CPUs to isolate, as a list in the kernel's notation.
      type: str
    wanted:
      description: What M(detnet.testbed.host_state) must tell at once.
      type: dict
    wanted_after_boot:
      description: What it must tell once the machine was restarted.
      type: dict
    skipped:
      description: Each C(setting) that this host does not have, with the C(reason).
      type: list
      elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import StateError
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_plan import tuning


def tuning_plan(
    options: t.Any, cores: t.Any, state: t.Any, available_mib: int | None = None
) -> dict[str, t.Any]:
    """Return the plan. Raises AnsibleFilterError for what is not a plan or state."""
    try:
        return tuning(options, cores, state, available_mib)
    except StateError as exc:
        raise AnsibleFilterError(f"Cannot plan the tuning: {exc}") from exc
    except KeyError as exc:
        raise AnsibleFilterError(
            f"Cannot plan the tuning: {exc} is missing; give the role's options and the unchanged results of "
            "detnet.testbed.core_plan and detnet.testbed.host_state"
        ) from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"tuning_plan": tuning_plan}
