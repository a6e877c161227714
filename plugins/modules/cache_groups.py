#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_groups
short_description: Give groups of CPUs a part of the last cache for themselves
version_added: 0.3.0
description:
  - Divides the last cache that the processor can divide, by Intel's Cache Allocation Technology or AMD's Quality of
    Service, through the kernel's C(resctrl) file system. What runs on the CPUs of a group, the kernel included, evicts
    nothing but what the same group brought into the cache.
  - The ways of a group are in one piece, apart from those of all other groups, in each cache that one of its CPUs uses.
    Everything else keeps the rest, among it those ways that network cards write to.
  - The groups are directories with C(detnet-) in front of their names. Groups of somebody else are never touched; where
    they are in the way, that is refused.
  - Mounts C(resctrl) at C(/sys/fs/resctrl) if it is not mounted, and unmounts it when all is given back.
  - Where processor or kernel cannot do it, the task is skipped, with the reason in RV(msg).
  - Nothing of this outlives a restart of the machine. RV(boot_commands) and RV(boot_values) have it made again; after
    that it can be given back as before.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description:
      - Predicts everything while C(resctrl) is mounted. Otherwise which ways there are is not known, and the masks are
        left out.
    support: full
  diff_mode:
    description: Shows each group that changes, with its CPUs and masks, in a line.
    support: full
  idempotent:
    description: The same task again writes nothing.
    support: full
options:
  groups:
    description:
      - All groups. A group of an earlier run that is not among them is removed; an empty list gives everything back.
        Required if O(state=present).
    type: list
    elements: dict
    suboptions:
      group:
        description: Name, of small letters, digits, C(-) and C(_).
        type: str
        required: true
      cpus:
        description: Its CPUs, as in V(2-5,8).
        type: str
        required: true
      ways:
        description:
          - How many ways of each cache it gets. C(info/L3/cbm_mask) in C(/sys/fs/resctrl) has a bit for each way there
            is.
        type: int
        required: true
  ledger:
    description:
      - File of what was there before. It is on the disk before the first change.
    type: path
    default: /var/lib/detnet-testbed/host_tuning_cache.json
  state:
    description:
      - V(present) has these groups and no others of ours.
      - V(returned) removes our groups, restores the masks of everything else, and removes the ledger.
    type: str
    choices: [present, returned]
    default: present
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
seealso:
  - module: detnet.testbed.core_plan
  - module: detnet.testbed.host_state
  - name: User Interface for Resource Control feature
    description: What the kernel says of it.
    link: https://docs.kernel.org/filesystems/resctrl.html
"""

EXAMPLES = r"""
- name: Give the switch and two VMs their own part of the cache
  detnet.testbed.cache_groups:
    groups:
      - {group: switch, cpus: 2-3, ways: 4}
      - {group: vms, cpus: 4-9, ways: 3}
  register: caches

- name: Say why it was not possible
  ansible.builtin.debug:
    var: caches.msg
  when: caches is skipped

- name: Give the cache back
  detnet.testbed.cache_groups:
    state: returned
"""

RETURN = r"""
groups:
  description:
    - Our groups with their C(cpus), and for each C(resource) the C(masks), as the number of the cache and the mask in
      hexadecimal digits. Of a cache that none of its CPUs uses, a group has what everything else has.
  returned: success
  type: list
  elements: dict
  sample: [{group: switch, cpus: 2-3, masks: {L3: "0=f;1=7ff"}}]
boot_commands:
  description: What the next start has to run first, each as a list of words.
  returned: success
  type: list
  elements: list
  sample:
    - [mount, -t, resctrl, resctrl, /sys/fs/resctrl]
    - [mkdir, -p, /sys/fs/resctrl/detnet-switch]
boot_values:
  description: The C(path) and C(value) of what it then has to write, each with the C(\n) of C(tmpfiles.d) at its end.
  returned: success
  type: list
  elements: dict
  sample: [{path: /sys/fs/resctrl/detnet-switch/schemata, value: "L3:0=f;1=7ff\\n"}]
everything_else:
  description: The masks of everything that is in no group; empty if they were not looked at.
  returned: success
  type: dict
  sample: {L3: "0=7f0;1=7ff"}
msg:
  description: Why nothing was done.
  returned: when skipped
  type: str
  sample: this processor cannot divide its caches (it has neither Intel's RDT nor AMD's QoS)
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _resctrl
from ansible_collections.detnet.testbed.plugins.module_utils._cache_change import CacheGroups, Result
from ansible_collections.detnet.testbed.plugins.module_utils._cache_groups import PREFIX, Groups, GroupsError
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import Group, ResctrlError
from ansible_collections.detnet.testbed.plugins.module_utils._state_services import WHOLE_MACHINE

ARGUMENT_SPEC: dict[str, t.Any] = {
    "groups": {
        "type": "list",
        "elements": "dict",
        "options": {
            "group": {"type": "str", "required": True},
            "cpus": {"type": "str", "required": True},
            "ways": {"type": "int", "required": True},
        },
    },
    "ledger": {"type": "path", "default": "/var/lib/detnet-testbed/host_tuning_cache.json"},
    "state": {"type": "str", "choices": ["present", "returned"], "default": "present"},
}

ROOT = "/"


def masks(group: Group | None) -> dict[str, str]:
    return (
        {resource: _resctrl.text(of_caches) for resource, of_caches in group.masks.items()} if group else {}
    )


def boot_commands(groups: Groups) -> list[list[str]]:
    made = [["mkdir", "-p", f"{_resctrl.MOUNT_POINT}/{name}"] for name in groups if name.startswith(PREFIX)]
    return [_resctrl.MOUNT, *made] if made else []


def boot_values(groups: Groups) -> list[dict[str, str]]:
    """Return what is to be written after the commands, CPUs last; the kernel wants the end of each line."""
    own = {name: group for name, group in groups.items() if name == WHOLE_MACHINE or name.startswith(PREFIX)}
    places = {name: f"{_resctrl.MOUNT_POINT}/{name}".rstrip("/") for name in own}
    written = [
        (f"{places[name]}/schemata", f"{resource}:{_resctrl.text(of_caches)}")
        for name, group in own.items()
        for resource, of_caches in group.masks.items()
    ]
    written += [
        (f"{places[name]}/cpus_list", _cpu_list.text(group.cpus))
        for name, group in own.items()
        if name != WHOLE_MACHINE
    ]
    return [{"path": path, "value": f"{value}\\n"} for path, value in written] if boot_commands(own) else []


def lines(groups: Groups, other: Groups) -> str:
    """Return the groups that are not the same in other, one line for each."""
    return "".join(
        f"{name}: {_resctrl.said(group)}\n" for name, group in groups.items() if group != other.get(name)
    )


def document(result: Result) -> dict[str, t.Any]:
    """Return what the module tells."""
    told: dict[str, t.Any] = {
        "changed": result.changed,
        "groups": [
            {
                "group": name.removeprefix(PREFIX),
                "cpus": _cpu_list.text(group.cpus),
                "masks": masks(group),
            }
            for name, group in result.after.items()
            if name.startswith(PREFIX)
        ],
        "boot_commands": boot_commands(result.after),
        "boot_values": boot_values(result.after),
        "everything_else": masks(result.after.get(WHOLE_MACHINE)),
        "diff": {
            "before": lines(result.before, result.after),
            "after": lines(result.after, result.before),
        },
    }
    return told | ({"skipped": True, "msg": result.skipped} if result.skipped else {})


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["groups"])],
        supports_check_mode=True,
    )
    returned = module.params["state"] == "returned"
    caches = CacheGroups(module.params["ledger"], ROOT)
    try:
        if returned:
            result = caches.give_back(module.check_mode)
        else:
            result = caches.set(module.params["groups"], module.check_mode)
    except (GroupsError, ResctrlError, LedgerError) as exc:
        verb = "give back" if returned else "divide"
        module.fail_json(msg=f"Cannot {verb} the caches: {exc}")
    for warning in result.warnings:
        module.warn(warning)
    module.exit_json(**document(result))


if __name__ == "__main__":
    main()
