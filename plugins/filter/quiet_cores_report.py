# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes a page of how quiet CPUs are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: quiet_cores_report
short_description: How quiet CPUs are as a page of HTML
version_added: 0.3.0
description:
  - Renders the results of the playbook C(quiet_cores.yml) as one file that needs nothing else - what is beyond its
    threshold, the worst of each kind, who has which CPU, the histograms, a table of each CPU, and the host.
positional: _input, histograms
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description:
      - The result of M(detnet.testbed.quiet_cores), and beside it C(host), the C(fingerprint) and C(summary) of
        M(detnet.testbed.host_state), C(versions) as a dict, C(threshold_us), and the C(faults) that
        P(detnet.testbed.quiet_cores_faults#filter) returns.
    type: dict
    required: true
  histograms:
    description: What P(detnet.testbed.quiet_cores_svg#filter) returns.
    type: str
    required: true
  core_plan:
    description: The result of M(detnet.testbed.core_plan), to be drawn. By default, or if empty, none is.
    type: dict
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ results | detnet.testbed.quiet_cores_report(histograms, core_plan=cores) }}"
    dest: "{{ playbook_dir }}/report.html"
    mode: "0644"
  vars:
    histograms: "{{ results | detnet.testbed.quiet_cores_svg }}"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text of the HTML file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_report, _quiet_results


def quiet_cores_report(results: t.Any, histograms: str, core_plan: t.Any = None) -> str:
    """Return the page. Raises AnsibleFilterError for what are no results."""
    try:
        return _quiet_report.report(_quiet_results.checked(results), histograms, core_plan)
    except (ValueError, KeyError) as exc:
        raise AnsibleFilterError(f"Cannot make a page of how quiet the CPUs are: {exc}") from exc


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"quiet_cores_report": quiet_cores_report}
