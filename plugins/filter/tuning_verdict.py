# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that judges what the role host_tuning has reached."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tuning_verdict
short_description: What of a host's tuning is wrong, accepted, or waits for a restart
version_added: 0.3.0
description:
  - Compares the plan of P(detnet.testbed.tuning_plan#filter) with the state of the host and with the line that its next
    start gives the kernel.
  - As long as the host has to be restarted, what only a start can bring is not wrong; it waits.
positional: _input, line, state, managed_accepted
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The result of P(detnet.testbed.tuning_plan#filter).
    type: dict
    required: true
  line:
    description: What M(detnet.testbed.kernel_line) returned, in check mode, for its parameters.
    type: dict
    required: true
  state:
    description: The RV(detnet.testbed.host_state#module:state) of the host.
    type: dict
    required: true
  managed_accepted:
    description: Whether managed interrupts that go to other CPUs than wanted are accepted.
    type: bool
    default: false
seealso:
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a host that is not as wanted
  vars:
    verdict: "{{ tuning | detnet.testbed.tuning_verdict(line, host.state) }}"
  ansible.builtin.assert:
    that: verdict.wrong | length == 0
    fail_msg: "{{ verdict.wrong | detnet.testbed.difference_table }}"
"""

RETURN = r"""
_value:
  description: The verdict; the rows are those of P(detnet.testbed.state_differences#filter).
  type: dict
  contains:
    overridden:
      description: Parameters on which another file of the boot loader has the last word.
      type: list
      elements: dict
    wrong:
      description: These, and all else that is not as wanted.
      type: list
      elements: dict
    accepted:
      description: What is not as wanted and was accepted.
      type: list
      elements: dict
    waiting:
      description: The parameters that the running kernel does not have yet.
      type: list
      elements: str
    report:
      description: What was skipped, is accepted and waits, as lines for people.
      type: list
      elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import StateError
from ansible_collections.detnet.testbed.plugins.module_utils._state_differences import WantedError
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_verdict import verdict


def tuning_verdict(
    tuning: t.Any, line: t.Any, state: t.Any, managed_accepted: bool = False
) -> dict[str, t.Any]:
    """Return the verdict. Raises AnsibleFilterError for what cannot be compared."""
    try:
        return verdict(tuning, line, state, managed_accepted)
    except (StateError, WantedError) as exc:
        raise AnsibleFilterError(f"Cannot judge the tuning: {exc}") from exc
    except KeyError as exc:
        raise AnsibleFilterError(
            f"Cannot judge the tuning: {exc} is missing; give the unchanged results of detnet.testbed.tuning_plan "
            "and detnet.testbed.kernel_line"
        ) from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"tuning_verdict": tuning_verdict}
