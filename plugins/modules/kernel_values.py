#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_values
short_description: Set values of the running kernel, and give every one back
version_added: 0.3.0
description:
  - Writes values to files below C(/sys), C(/proc/sys) and C(/proc/irq) while the machine runs, and reads each back.
  - Before the first change of a file, its value goes to a ledger, which is on the disk before anything is written. The
    state V(returned) restores from it. A value that is in the ledger stays there, whatever is set later.
  - All values are checked before the first one is written.
  - Values are compared as the kernel means them - the chosen word of C(always [madvise] never), CPU masks with or
    without leading zeros and commas, lists of CPUs.
  - Nothing of this outlives a restart of the machine, except the ledger. Restoring from it after one writes what the
    kernel has by itself, or had before the first change.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description:
      - Predicts everything but what only the kernel knows, that it will refuse a value. What an optional value met
        since the machine was started is in the ledger, and is predicted.
    support: full
  diff_mode:
    description: Shows the changed files, one line C(path - value) for each, with a colon.
    support: full
  idempotent:
    description: The same task again writes nothing but optional values that were refused; these it tries again.
    support: full
options:
  values:
    description:
      - The values, written in this order. Required if O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - File below C(/sys), C(/proc/sys) or C(/proc/irq), without wildcards and without C(..).
          - A link is followed, if it stays there.
        type: str
        required: true
      value:
        description:
          - Value, of one line. Put V(on), V(off), V(yes) and V(no) in quotes.
        type: str
        required: true
      optional:
        description:
          - Whether a file that is missing, cannot be written or refuses the value goes to RV(refused), in place of a
            failure. Managed interrupts are such files.
        type: bool
        default: false
  ledger:
    description:
      - File of the values that were there before.
    type: path
    default: /var/lib/detnet-testbed/host_tuning_values.json
  state:
    description:
      - V(present) sets O(values), and leaves other values of the ledger as they are.
      - V(returned) restores all values of the ledger, the last change first, and removes it. Also those that somebody
        else has changed since; they are reported in RV(overridden).
    type: str
    choices: [present, returned]
    default: present
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
seealso:
  - module: detnet.testbed.kernel_line
"""

EXAMPLES = r"""
- name: Keep the kernel's housekeeping away from the isolated CPUs
  detnet.testbed.kernel_values:
    values:
      - {path: /sys/devices/virtual/workqueue/cpumask, value: "00000003"}
      - {path: /proc/sys/kernel/timer_migration, value: "0"}
      - {path: /sys/kernel/mm/transparent_hugepage/enabled, value: never}
      - {path: /proc/irq/34/smp_affinity_list, value: 0-1, optional: true}
  register: tuned

- name: Show what the kernel refused
  ansible.builtin.debug:
    var: tuned.refused

- name: Give all of them back
  detnet.testbed.kernel_values:
    state: returned
"""

RETURN = r"""
changes:
  description: The changed files in the order of the writes, with the value C(before) and C(after).
  returned: success
  type: list
  elements: dict
  sample: [{path: /proc/sys/kernel/timer_migration, before: "1", after: "0"}]
refused:
  description:
    - Optional values that were not set, with the value that was C(wanted), the C(real) one and the C(errno), both null
      where there is none, and the C(reason) in words.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /proc/irq/34/smp_affinity_list
      wanted: 0-1
      real: "5"
      errno: EIO
      reason: "managed interrupt: the kernel alone chooses its CPUs"
overridden:
  description:
    - With O(state=returned), files that somebody else changed since, with the value C(written) by us and the C(real)
      one.
  returned: success
  type: list
  elements: dict
gone:
  description:
    - With O(state=returned), files of the ledger that are not there any more, because a CPU or device was removed.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_change import (
    Change,
    Result,
    Values,
    ValuesError,
    Wanted,
)
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "values": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "optional": {"type": "bool", "default": False},
        },
    },
    "ledger": {"type": "path", "default": "/var/lib/detnet-testbed/host_tuning_values.json"},
    "state": {"type": "str", "choices": ["present", "returned"], "default": "present"},
}

ROOT = "/"


def diff(changes: list[Change]) -> dict[str, str]:
    """Return the changed files before and after, one line for each."""
    return {
        "before": "".join(f"{change.given}: {change.before}\n" for change in changes),
        "after": "".join(f"{change.given}: {change.after}\n" for change in changes),
    }


def document(result: Result) -> dict[str, t.Any]:
    """Return what the module tells."""
    rows = [
        {"path": change.given, "before": change.before, "after": change.after} for change in result.changes
    ]
    return {
        "changed": result.changed,
        "changes": rows,
        "refused": result.refused,
        "overridden": result.overridden,
        "gone": result.gone,
        "diff": diff(result.changes),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["values"])],
        supports_check_mode=True,
    )
    returned = module.params["state"] == "returned"
    values = Values(module.params["ledger"], ROOT)
    try:
        if returned:
            result = values.give_back(module.check_mode)
        else:
            result = values.set([Wanted(**value) for value in module.params["values"]], module.check_mode)
    except (ValuesError, LedgerError) as exc:
        verb = "give back" if returned else "set"
        module.fail_json(msg=f"Cannot {verb} values of the running kernel: {exc}")
    module.exit_json(**document(result))


if __name__ == "__main__":
    main()
