# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flows of a testbed as a person wants to see them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: flow_table
short_description: The flows of a testbed as a table of text
version_added: 0.3.0
description:
  - Renders the flows that P(detnet.testbed.compile_testbed#filter) or P(detnet.testbed.flow_rules#filter) returns,
    each on a line, with its path, tags, rate and delay bound.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The flows.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the flows
  ansible.builtin.debug:
    msg: "{{ testbed.flows | detnet.testbed.flow_table }}"
"""

RETURN = r"""
_value:
  description: Several lines, without a newline at the end; empty for no flows.
  type: str
"""

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._flow_bounds import megabits
from ansible_collections.detnet.testbed.plugins.module_utils._state_table import table


def flow_table(flows: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return the flows as lines; what is not known is a hyphen."""
    return table(
        [
            {
                "flow": flow["name"],
                "from": flow["from"],
                "to": flow["to"],
                "path": " > ".join(flow["path"]),
                "tags": flow["tags"],
                "rate": megabits(flow["rate_bps"]),
                "at most (us)": flow["delay_bound_us"],
                "deadline (us)": flow["deadline_us"],
            }
            for flow in flows
        ]
    )


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"flow_table": flow_table}
