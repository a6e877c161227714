# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that shows differences to people."""

from __future__ import annotations

DOCUMENTATION = r"""
name: difference_table
short_description: Differences as a table of text
version_added: 0.3.0
description:
  - Renders the rows of P(detnet.testbed.fingerprint_diff#filter), P(detnet.testbed.state_differences#filter) or
    P(detnet.testbed.vm_differences#filter) as a table with aligned columns.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The rows.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is not as wanted
  ansible.builtin.debug:
    msg: "{{ (wanted | detnet.testbed.state_differences(host.state) | detnet.testbed.difference_table).splitlines() }}"
"""

RETURN = r"""
_value:
  description: Several lines, without a newline at the end; empty for no rows.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._state_table import table


def difference_table(rows: t.Any) -> str:
    """Return the table. Raises AnsibleFilterError for what are no rows."""
    if not isinstance(rows, list) or not all(isinstance(row, t.Mapping) for row in rows):
        raise AnsibleFilterError(
            f"Cannot make a table of {str(rows)[:40]!r}; give the rows of fingerprint_diff or state_differences"
        )
    return table(rows)


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"difference_table": difference_table}
