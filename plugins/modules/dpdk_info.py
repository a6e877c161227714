#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dpdk_info
short_description: Releases of DPDK on a machine, and what it has for them
version_added: 0.3.0
description:
  - Says which releases of DPDK are installed, with their drivers and how to compile for them, which network devices
    could be handed to a DPDK program, and how many hugepages each NUMA node has.
  - Nothing has to be installed for it.
author:
  - The detnet.testbed authors (@detnet)
extends_documentation_fragment:
  - detnet.testbed.info
options:
  prefix_dir:
    description:
      - Directory with releases that have a prefix each, as the role P(detnet.testbed.dpdk#role) builds them. It need
        not exist.
    type: path
    default: /opt/detnet-testbed/dpdk
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
"""

EXAMPLES = r"""
- name: Learn which DPDK the machine has
  detnet.testbed.dpdk_info:
  register: dpdk

- name: Compile against 24.11.1, wherever it is
  ansible.builtin.command:
    argv: [meson, setup, build]
    chdir: /srv/my-program
    creates: /srv/my-program/build
  environment:
    PKG_CONFIG_PATH: "{{ release.pkg_config_path }}"
  vars:
    complete: "{{ dpdk.installations | selectattr('state', 'eq', 'complete') }}"
    release: "{{ complete | selectattr('version', 'eq', '24.11.1') | first }}"

- name: Show the NICs that vfio-pci could take
  ansible.builtin.debug:
    msg: "{{ dpdk.devices | selectattr('bindable_by', 'contains', 'vfio-pci') | map(attribute='address') }}"
"""

RETURN = r"""
installations:
  description: The releases, the distribution's before others.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The release, such as V(22.11.11); null if its C(libdpdk.pc) does not say.
      type: str
    origin:
      description: V(distribution), V(local) for one in C(/usr/local), or V(prefix) for one in O(prefix_dir).
      type: str
    prefix:
      description: Directory that it is installed in.
      type: str
    pkg_config_path:
      description: Directory of its C(libdpdk.pc), for C(PKG_CONFIG_PATH); null if only its libraries are installed.
      type: str
    state:
      description: >-
        V(complete); V(incomplete) if its build was interrupted; V(foreign) if it is in O(prefix_dir), but was not
        built by the role.
      type: str
    drivers:
      description: Its drivers by their class and name, as in V(net/virtio).
      type: list
      elements: str
    package:
      description: The distribution's package with its version; otherwise null.
      type: str
    built:
      description:
        - What the role noted about its build - C(version), C(key), C(sha256) of the archive, C(drivers), C(options),
          C(compiler), C(state). Null for others.
      type: dict
kernel_drivers:
  description: For each kernel driver that hands devices to programs, whether the kernel has it.
  returned: success
  type: dict
  sample: {vfio-pci: true, uio_pci_generic: true, igb_uio: false}
devices:
  description: The network devices on PCI.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: Its PCI address.
      type: str
    vendor_id:
      description: Number of its vendor, as in V(0x8086).
      type: str
    device_id:
      description: Number that the vendor gave it.
      type: str
    driver:
      description: Its kernel driver; null if it has none.
      type: str
    driver_override:
      description: The driver that it is reserved for, as by C(driverctl); otherwise null.
      type: str
    node:
      description: Its NUMA node; null if the firmware does not say.
      type: int
    iommu_group:
      description: Number of its IOMMU group; null without IOMMU.
      type: int
    interfaces:
      description: Its network interfaces.
      type: list
      elements: str
    bound:
      description: Whether its driver is one that hands it to a program.
      type: bool
    bindable_by:
      description:
        - The kernel drivers that could do so, best first. V(vfio-pci) needs an IOMMU group, or that the kernel was
          told to do without. Whether its interfaces can be done without is not asked.
      type: list
      elements: str
hugepages:
  description: The hugepages of each node and size; a number is null if the kernel does not tell it.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: The node; V(0) on a kernel without nodes.
      type: int
    size_kib:
      description: Size of a page in KiB.
      type: int
    total:
      description: Number of pages.
      type: int
    free:
      description: Those that nobody has.
      type: int
    surplus:
      description: Those beyond the number that was reserved; they go once they are free.
      type: int
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils import _dpdk, _dpdk_devices, _hugepages

ARGUMENT_SPEC: dict[str, t.Any] = {"prefix_dir": {"type": "path", "default": _dpdk.PREFIX_DIR}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.exit_json(
        changed=False,
        installations=list(map(dataclasses.asdict, _dpdk.read(module.params["prefix_dir"]))),
        kernel_drivers=_dpdk_devices.read_drivers(),
        devices=list(map(dataclasses.asdict, _dpdk_devices.read_devices())),
        hugepages=list(map(dataclasses.asdict, _hugepages.read())),
    )


if __name__ == "__main__":
    main()
