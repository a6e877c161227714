#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_line
short_description: Kernel parameters of our own on a server's command line
version_added: 0.3.0
description:
  - Has parameters on the line that the boot loader gives the kernel, beside the user's, and takes them off again. The
    user's lines are never edited. The machine is not restarted.
  - With GRUB on Debian and Ubuntu the parameters are in C(/etc/default/grub.d/95-detnet-testbed.cfg), which appends
    to the user's line. C(grub.cfg) is generated beside the old one and put in its place only if it is whole, has the
    parameters and all kernels of the old one. Otherwise both files stay as they were. After a power cut between the
    two, the next run generates it again.
  - In the RHEL family C(grubby) sets them on all boot entries and leaves C(/etc/default/grub) alone. With systemd-boot
    they are appended to the C(options) of the entries, and to C(/etc/kernel/cmdline) if that is there. A note in
    C(/var/lib/detnet-testbed/kernel_line.json) says which words are ours.
  - Only GRUB was tried on a machine that restarts, with Debian 12. The two others were tested with imitations of their
    programs and files.
author:
  - The detnet.testbed authors (@detnet)
attributes:
  check_mode:
    description: Predicts the result from the files, without running the generator.
    support: full
  diff_mode:
    description: Shows the file that says which parameters are ours.
    support: full
  idempotent:
    description: The same task again changes nothing and runs no generator.
    support: full
options:
  parameters:
    description:
      - The parameters, in the order in which the kernel reads them. They replace those of an earlier run.
      - Each is a text as on the command line, such as V(isolcpus=2-7) or V(rcu_nocb_poll), or a dict of names with
        values. In a dict, null is a parameter without a value, and a list gives the parameter several times.
      - Numbers of hugepages come after their size, so write these as texts, or as dicts of one name each.
      - Values have letters, digits and any of C(_.,:/@+-). In dicts, put V(on), V(off) and values such as V(1:30) in
        quotes.
      - With O(state=absent) they only tell, for RV(reboot_needed), what the running kernel may still have.
      - Required if O(state=present). An empty list is the same as O(state=absent).
    type: list
    elements: raw
  allow_unknown:
    description:
      - Names that are allowed beside those that this collection knows. All others are refused, because the kernel
        says nothing about a misspelt one.
    type: list
    elements: str
    default: []
  loader:
    description:
      - The boot loader. V(auto) looks which one there is.
    type: str
    choices: [auto, grub, bls, systemd_boot]
    default: auto
  state:
    description:
      - Whether the parameters are on the line.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
seealso:
  - module: detnet.testbed.core_plan
  - module: detnet.testbed.kernel_values
"""

EXAMPLES = r"""
- name: Isolate the planned CPUs and reserve pages of two sizes
  detnet.testbed.kernel_line:
    parameters:
      - "{{ cores.kernel_parameters }}"
      - default_hugepagesz=2M
      - hugepagesz=1G
      - hugepages=0:4,1:4
      - hugepagesz=2M
      - hugepages=0:512
      - intel_iommu: "on"
        iommu: pt
      - rcu_nocb_poll
  register: line

- name: Restart the machine if its kernel runs with another line
  ansible.builtin.reboot:
  when: line.reboot_needed

- name: Take them off again
  detnet.testbed.kernel_line:
    state: absent
"""

RETURN = r"""
configured:
  description: Those of our parameters that the next start of the machine gives the kernel.
  returned: success
  type: list
  elements: str
  sample: ["isolcpus=managed_irq,domain,2-7", "nohz_full=2-7"]
running:
  description: The line with which the kernel was started.
  returned: success
  type: str
reboot_needed:
  description:
    - Whether the running kernel has other values of our parameters than the next start gives it, or still has some
      that were ours since it was started.
  returned: success
  type: bool
conflicts:
  description:
    - Who else sets one of our parameters, with C(parameter), C(value) and C(file), and whether it C(wins) because it
      comes after ours. The kernel takes the last one of most parameters.
    - The parameter C(GRUB_CMDLINE_LINUX_DEFAULT) is a file that sets the whole line anew after ours.
  returned: success
  type: list
  elements: dict
  sample:
    - {parameter: isolcpus, value: "1-3", file: /etc/default/grub.d/99-other.cfg, wins: true}
loader:
  description: The boot loader, null if there is none that this module knows and nothing to do for it.
  returned: success
  type: str
"""

import dataclasses
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line import Words, WordsError
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import (
    Found,
    LineError,
    Loader,
    names_since_boot,
    note_since_boot,
    read_text,
)
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loaders import AUTO, LOADERS, choose

ARGUMENT_SPEC: dict[str, t.Any] = {
    "parameters": {"type": "list", "elements": "raw"},
    "allow_unknown": {"type": "list", "elements": "str", "default": []},
    "loader": {"type": "str", "choices": [AUTO, *LOADERS], "default": AUTO},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

ROOT = "/"


def differs(wanted: Words, found: Found) -> bool:
    """Return whether there is something to do."""
    return wanted != (found.words or ()) or not found.settled


def predicted(wanted: Words, found: Found) -> Words:
    """Return the line of the next start, once the wanted words are on it."""
    return (*_kernel_line.without(found.line, found.words or ()), *wanted)


def change(loader: Loader, wanted: Words, names: set[str], check_mode: bool) -> dict[str, t.Any]:
    """Have the wanted words on the line, and tell. Raises LineError."""
    found = loader.read()
    names = names | _kernel_line.names_of(found.words or ()) | names_since_boot(ROOT)
    running = read_text(os.path.join(ROOT, "proc/cmdline")) or ""
    changed, line = differs(wanted, found), found.line
    after = loader.text(wanted)
    if changed:
        loader.check(wanted)
        if check_mode:
            line = predicted(wanted, found)
        else:
            note_since_boot(ROOT, names)
            loader.apply(wanted, found)
            line = loader.read().line
    conflicts = loader.conflicts(_kernel_line.names_of(wanted))
    return {
        "changed": changed,
        "configured": [word for word in wanted if word in line],
        "running": running.strip(),
        "reboot_needed": _kernel_line.differ(_kernel_line.split(running), line, names),
        "conflicts": [dataclasses.asdict(conflict) for conflict in conflicts],
        "loader": loader.name,
        "diff": {
            "before": found.text,
            "after": after,
            "before_header": loader.path,
            "after_header": loader.path,
        },
    }


def nothing() -> dict[str, t.Any]:
    """Return what is told of a machine without a boot loader, from which nothing is wanted."""
    running = read_text(os.path.join(ROOT, "proc/cmdline")) or ""
    return {
        "changed": False,
        "configured": [],
        "running": running.strip(),
        "reboot_needed": False,
        "conflicts": [],
        "loader": None,
        "diff": {"before": "", "after": ""},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["parameters"])],
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    failed = "Cannot set kernel parameters" if present else "Cannot take kernel parameters off the line"
    try:
        words = _kernel_line.of_parameters(module.params["parameters"] or [], module.params["allow_unknown"])
        wanted = words if present else ()
        loader = choose(module.params["loader"], ROOT)
        if loader is None and wanted:
            raise LineError(
                "there is neither /boot/grub/grub.cfg, nor grubby with /boot/loader/entries, nor systemd-boot's "
                "loader.conf; mount /boot, or set these parameters where the machine is started from"
            )
        if loader is None:
            result = nothing()
        else:
            result = change(loader, wanted, _kernel_line.names_of(words), module.check_mode)
    except (LineError, WordsError) as exc:
        module.fail_json(msg=f"{failed}: {exc}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
