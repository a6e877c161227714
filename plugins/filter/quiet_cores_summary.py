# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that says in a few rows how quiet CPUs are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quiet_cores_summary
short_description: How quiet CPUs are in a few rows
version_added: 0.3.0
description:
  - Returns of what M(detnet.testbed.quiet_cores) returns the worst of each program and kind of CPU.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The result of M(detnet.testbed.quiet_cores).
    type: dict
    required: true
seealso:
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show how quiet the CPUs are
  ansible.builtin.debug:
    msg: "{{ (quiet | detnet.testbed.quiet_cores_summary | detnet.testbed.difference_table).splitlines() }}"
"""

RETURN = r"""
_value:
  description: The rows, for P(detnet.testbed.difference_table#filter).
  type: list
  elements: dict
  sample:
    - kind: isolated
      tool: oslat
      cpus: 2-7
      p99_9_us: "1"
      p99_99_us: "2"
      max_us: 31
      on_cpus: "5"
      note: ""
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_results


def quiet_cores_summary(results: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows. Raises AnsibleFilterError for what are no results."""
    try:
        return _quiet_results.summary(_quiet_results.checked(results))
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"Cannot say how quiet the CPUs are: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"quiet_cores_summary": quiet_cores_summary}
