#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quiet_cores
short_description: Measure how quiet the isolated CPUs of a machine are
version_added: 0.3.0
description:
  - Runs C(cyclictest), C(oslat) and C(hwlatdetect) of rt-tests on the isolated CPUs, then on those of housekeeping, one
    program after the other, and returns what each CPU had to wait, as histograms with their ends.
  - C(cyclictest) wakes up a thread of real-time priority each millisecond and measures how late it is. C(oslat) runs a
    loop, as a switch does, and measures for how long it was away. C(hwlatdetect) does so with interrupts off, and so
    finds what firmware and hardware take.
  - A program that cannot run here is not a failure, but among RV(not_measured), with the reason.
  - The host is measured as it is. Other programs should be quiet, for they are measured, too.
author:
  - The detnet.testbed authors (@detnet)
options:
  isolated_cpus:
    description:
      - The CPUs that should be quiet, as in V(2-7). By default those that the running kernel isolates; empty for none.
    type: str
  housekeeping_cpus:
    description:
      - CPUs to compare them with. By default all others; empty for none.
    type: str
  duration_s:
    description:
      - How long each program measures each of the two groups.
    type: int
    default: 60
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
  - rt-tests >= 2.0
  - setpriv of util-linux
attributes:
  check_mode:
    description: Measures nothing, and checks the options.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing. What C(hwlatdetect) sets for the kernel's tracer is given back at its end.
    support: full
notes:
  - Run the task as root.
  - When the module is interrupted, or a program does not end in time, the program is ended, and the module fails.
  - C(hwlatdetect) keeps one CPU after the other from all work for half a second. Do not use the module while the CPUs
    carry traffic.
"""

EXAMPLES = r"""
- name: Measure for ten minutes each
  detnet.testbed.quiet_cores:
    duration_s: 600
  register: quiet

- name: Show the longest wait of each isolated CPU
  ansible.builtin.debug:
    msg: "CPU {{ item.cpus }}, {{ item.tool }}: {{ item.max_us }} us"
  loop: "{{ quiet.measurements | selectattr('kind', 'eq', 'isolated') }}"
  loop_control:
    label: "{{ item.cpus }}"
"""

RETURN = r"""
measurements:
  description: >-
    What was measured, for each program and CPU, isolated ones first. C(hwlatdetect) has one row for all CPUs of a
    group, and only what is longer than 1 us.
  returned: success
  type: list
  elements: dict
  contains:
    tool:
      description: V(cyclictest), V(oslat) or V(hwlatdetect).
      type: str
    kind:
      description: V(isolated) or V(housekeeping).
      type: str
    cpus:
      description: The CPU, or the CPUs of the row.
      type: str
    samples:
      description: Number of times that a thread woke up, of turns of the loop, or of gaps.
      type: int
    min_us:
      description: The shortest; null with C(hwlatdetect).
      type: int
    avg_us:
      description: The mean; null with C(hwlatdetect).
      type: float
    max_us:
      description: The longest; with C(hwlatdetect), V(0) if there was none beyond 1 us.
      type: int
    p99_9_us:
      description: What 99.9 % of the samples do not exceed; null if that is beyond the histogram.
      type: int
    p99_99_us:
      description: Likewise for 99.99 %.
      type: int
    overflows:
      description: Number of samples beyond the histogram, which ends before 1024 us.
      type: int
    histogram:
      description: >-
        Number of samples by their microseconds, without those of which there are none. C(cyclictest) rounds down,
        C(oslat) up.
      type: dict
      sample: {"2": 59012, "3": 871, "11": 1}
not_measured:
  description: What was not measured - the C(tool), the C(kind) and C(cpus), and the C(reason).
  returned: success
  type: list
  elements: dict
isolated_cpus:
  description: The CPUs that should be quiet.
  returned: success
  type: str
  sample: 2-7
housekeeping_cpus:
  description: Those they were compared with.
  returned: success
  type: str
  sample: 0-1
duration_s:
  description: How long each program measured each of the two groups.
  returned: success
  type: int
started:
  description: When the first program began, in UTC.
  returned: success
  type: str
  sample: "2026-11-21T18:40:55Z"
rt_tests:
  description: The release of rt-tests; null if no program has told it.
  returned: success
  type: str
  sample: "2.40"
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _quiet_cores
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import QuietError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "isolated_cpus": {"type": "str"},
    "housekeeping_cpus": {"type": "str"},
    "duration_s": {"type": "int", "default": 60},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    duration_s = module.params["duration_s"]
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    results = _quiet_cores.Results([], [], None)
    try:
        if duration_s < 1:
            raise QuietError(f"duration_s is {duration_s}; give 1 or more")
        groups = _quiet_cores.groups(module.params["isolated_cpus"], module.params["housekeeping_cpus"])
        if not module.check_mode:
            results = _quiet_cores.measure(groups, duration_s, module.tmpdir)
    except (QuietError, OSError) as exc:
        module.fail_json(msg=f"Cannot measure how quiet the CPUs are: {exc}")
    module.exit_json(
        changed=False,
        **results._asdict(),
        isolated_cpus=_cpu_list.text(groups.isolated),
        housekeeping_cpus=_cpu_list.text(groups.housekeeping),
        duration_s=duration_s,
        started=started,
    )


if __name__ == "__main__":
    main()
