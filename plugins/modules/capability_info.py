#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: capability_info
short_description: What a machine can do for a testbed
version_added: 0.1.0
description:
  - Says for each capability of a machine what was found, what follows from that, and the way out.
  - Nothing has to be installed for it, and nothing is changed. If there is QEMU, a guest is run under KVM for
    at most 5 seconds, for only that proves that KVM works. The package mirror is asked for its index.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.info
options:
  cache_dir:
    description:
      - Directory of what is costly to make; its file system is measured, and it need not exist.
    type: path
    default: /var/cache/detnet-testbed
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
notes:
  - Run the task as root.
"""

EXAMPLES = r"""
- name: Learn what the machine can do
  detnet.testbed.capability_info:
  register: found

- name: Say what is not as it could be
  ansible.builtin.debug:
    msg: "{{ found.capabilities | rejectattr('status', 'eq', 'good') }}"
"""

RETURN = r"""
capabilities:
  description: One entry for each capability.
  returned: success
  type: list
  elements: dict
  contains:
    capability:
      description: What was looked at, such as V(KVM) or V(hugepages).
      type: str
    status:
      description: >-
        V(good), V(limited) if a testbed works, with the consequence, V(blocking) if even the pocket testbed
        cannot run.
      type: str
    found:
      description: What was found.
      type: str
    consequence:
      description: What follows from it; empty if all is good.
      type: str
    remedy:
      description: What to do about it; empty if all is good.
      type: str
pocket_possible:
  description: Whether the pocket testbed can run, so nothing is V(blocking).
  returned: success
  type: bool
report:
  description: The same as a text for people.
  returned: success
  type: str
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _capabilities, _machine

ARGUMENT_SPEC: dict[str, t.Any] = {"cache_dir": {"type": "path", "default": "/var/cache/detnet-testbed"}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    findings = _capabilities.assess(_machine.read(module.params["cache_dir"]))
    module.exit_json(
        changed=False,
        capabilities=[dataclasses.asdict(finding) for finding in findings],
        pocket_possible=_capabilities.pocket_possible(findings),
        report=_capabilities.table(findings),
    )


if __name__ == "__main__":
    main()
