# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that says what of a host is not as it was wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: state_differences
short_description: What of a host is not as it was wanted
version_added: 0.3.0
description:
  - Compares wanted settings with the document of M(detnet.testbed.host_state), and gives the reason where the document
    tells it.
  - Only what is wanted is compared. Lists of CPUs, in the kernel's notation or of numbers, are compared as sets.
  - The key V(*) stands for each that is not named beside it, as for all interrupts.
  - An interrupt is right if it is within the wanted CPUs, and its effective affinity counts even where the asked one
    is right.
  - Of the settings below C(per_cpu), only the CPUs that are named are compared, whatever the others have.
  - Of C(kernel.command_line), the parameters that are named must be in force, so not be overridden by a later one.
  - A wanted null is for what shall not be there.
positional: _input, state
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: What is wanted, with the keys of the state.
    type: dict
    required: true
  state:
    description: The RV(detnet.testbed.host_state#module:state) of the host.
    type: dict
    required: true
seealso:
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Compare what is wanted with what is
  ansible.builtin.debug:
    msg: "{{ wanted | detnet.testbed.state_differences(host.state) }}"
  vars:
    wanted:
      kernel:
        command_line:
          - isolcpus=managed_irq,domain,2-7
          - nohz_full=2-7
        isolated_cpus: 2-7
      processor:
        per_cpu:
          governor: {performance: 2-7}
      interrupts:
        irqs:
          "*": {effective_cpus: 0-1}
      memory:
        nodes:
          0: {hugepages_by_size_kib: {2048: {total: 512}}}
"""

RETURN = r"""
_value:
  description: A row for each difference, in a stable order; none if all is as wanted.
  type: list
  elements: dict
  contains:
    setting:
      description: The dotted name of the setting, or number and name of an interrupt.
      type: str
    wanted:
      description: What was wanted.
      type: raw
    real:
      description: What is; null where there is nothing.
      type: raw
    reason:
      description: Why, as far as the state tells; else empty.
      type: str
  sample:
    - setting: irq 34 nvme0q3
      wanted: 0-1
      real: effective 5
      reason: managed interrupt
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import StateError
from ansible_collections.detnet.testbed.plugins.module_utils._state_differences import (
    WantedError,
    differences,
)


def state_differences(wanted: t.Any, state: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows. Raises AnsibleFilterError for what cannot be compared."""
    try:
        return differences(wanted, state)
    except (StateError, WantedError) as exc:
        raise AnsibleFilterError(f"Cannot compare what is wanted with the host: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"state_differences": state_differences}
