# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that tells two hosts, or two days of a host, apart."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fingerprint_diff
short_description: What differs between two states of hosts
version_added: 0.3.0
description:
  - Compares two documents of M(detnet.testbed.host_state), of two hosts or of two days, setting by setting.
  - Without O(volatile), there are rows if and only if the fingerprints differ.
positional: _input, other
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The RV(detnet.testbed.host_state#module:state) of one host or day.
    type: dict
    required: true
  other:
    description: That of the other.
    type: dict
    required: true
  names:
    description: Two names for the two columns, such as those of the hosts.
    type: list
    elements: str
    default: [before, after]
  volatile:
    description: Whether settings are compared, too, that change while a host is left alone, such as free pages.
    type: bool
    default: false
seealso:
  - plugin: detnet.testbed.difference_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Say what differs between two hosts
  vars:
    alpha: "{{ hostvars.alpha.host.state }}"
    beta: "{{ hostvars.beta.host.state }}"
    rows: "{{ alpha | detnet.testbed.fingerprint_diff(beta, names=['alpha', 'beta']) }}"
  ansible.builtin.debug:
    msg: "{{ rows | detnet.testbed.difference_table }}"
"""

RETURN = r"""
_value:
  description: >-
    A row for each setting that differs, in the order of the settings' names - the dotted name as C(setting), and the
    values under the two O(names), null where there is none.
  type: list
  elements: dict
  sample:
    - setting: kernel.isolated_cpus
      before: 2-7
      after: null
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _state_diff
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import StateError


def fingerprint_diff(
    state: t.Any, other: t.Any, names: t.Sequence[str] = _state_diff.NAMES, volatile: bool = False
) -> list[dict[str, t.Any]]:
    """Return the rows. Raises AnsibleFilterError for what cannot be compared."""
    if isinstance(names, str) or len({"setting", *names}) != 3:
        raise AnsibleFilterError(f"Cannot compare two states: names is {names!r}; give two different names")
    try:
        return _state_diff.diff(state, other, names, volatile)
    except StateError as exc:
        raise AnsibleFilterError(f"Cannot compare two states: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"fingerprint_diff": fingerprint_diff}
