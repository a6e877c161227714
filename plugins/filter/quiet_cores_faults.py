# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that judges how quiet isolated CPUs are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quiet_cores_faults
short_description: Which isolated CPUs are not quiet enough
version_added: 0.3.0
description:
  - Compares what M(detnet.testbed.quiet_cores) returns with thresholds. CPUs of housekeeping are not judged.
  - A threshold of a program that measured no isolated CPU is not met, either.
positional: _input, threshold_us
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The result of M(detnet.testbed.quiet_cores).
    type: dict
    required: true
  threshold_us:
    description:
      - For C(cyclictest), C(oslat) and C(hwlatdetect), the longest wait that is still accepted, in microseconds. One
        that is null or missing is not compared.
    type: dict
    required: true
seealso:
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse CPUs that wait for longer than 20 us
  vars:
    faults: "{{ quiet | detnet.testbed.quiet_cores_faults({'cyclictest': 20, 'oslat': 20}) }}"
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | detnet.testbed.difference_table }}"
"""

RETURN = r"""
_value:
  description: A row for each fault, for P(detnet.testbed.difference_table#filter).
  type: list
  elements: dict
  sample:
    - cpus: "5"
      tool: oslat
      max_us: 31
      threshold_us: 20
      reason: longer than the threshold
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_results


def quiet_cores_faults(results: t.Any, threshold_us: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows. Raises AnsibleFilterError for what are no results or no thresholds."""
    try:
        return _quiet_results.faults(_quiet_results.checked(results), threshold_us)
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"Cannot judge how quiet the CPUs are: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"quiet_cores_faults": quiet_cores_faults}
