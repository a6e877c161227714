#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop tcpdump on interfaces, one pcap file each."""

from __future__ import annotations

DOCUMENTATION = r"""
module: capture
short_description: Capture the frames of interfaces into pcap files
version_added: 0.1.0
description:
  - Starts one tcpdump per interface in the background and returns once all really capture, or stops them.
  - Starting ends what an interrupted run left in the same directory and removes its files. A capture that
    nobody stops ends by itself after O(duration_s).
author: The detnet.testbed authors (@detnet)
options:
  state:
    description: V(started) begins new captures; V(stopped) ends those of the directory and keeps their files.
    type: str
    choices: [started, stopped]
    default: started
  directory:
    description: Directory for C(<interface>.pcap), C(.log) and C(.pid); made if absent, parents too.
    type: path
    required: true
  interfaces:
    description: Names of the interfaces. Required with V(started).
    type: list
    elements: str
  snapshot_bytes:
    description: Bytes kept of every frame.
    type: int
    default: 2048
  duration_s:
    description: Seconds after which a capture ends by itself.
    type: int
    default: 300
attributes:
  check_mode:
    description: Predicts without starting or ending anything.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Stopping is idempotent; starting always begins a new capture.
    support: partial
"""

EXAMPLES = r"""
- name: Capture both links
  detnet.testbed.capture:
    directory: /run/detnet-testbed/captures
    interfaces: [s1-1, s1-2]

- name: Stop the captures
  detnet.testbed.capture:
    directory: /run/detnet-testbed/captures
    state: stopped
"""

RETURN = r"""
captures:
  description: The captures that were started or stopped, sorted by interface.
  returned: always
  type: list
  elements: dict
  contains:
    interface:
      description: Name of the interface.
      type: str
    path:
      description: The pcap file.
      type: str
    summary:
      description: What tcpdump said at its end; with V(stopped).
      type: list
      elements: str
      sample: [2011 packets captured, 2011 packets received by filter, 0 packets dropped by kernel]
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._capture import (
    CaptureError,
    open_captures,
    start,
)

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "directory": {"type": "path", "required": True},
    "interfaces": {"type": "list", "elements": "str"},
    "snapshot_bytes": {"type": "int", "default": 2048},
    "duration_s": {"type": "int", "default": 300},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "started", ["interfaces"])],
        supports_check_mode=True,
    )
    params = module.params
    module.get_bin_path("tcpdump", required=True)
    directory, started = Path(params["directory"]), params["state"] == "started"
    captures = open_captures(directory)
    if module.check_mode:
        module.exit_json(changed=started or bool(captures), captures=[])
    try:
        if started:
            captures = start(directory, params["interfaces"], params["snapshot_bytes"], params["duration_s"])
            module.exit_json(changed=True, captures=[capture.result() for capture in captures])
        for capture in captures:
            capture.stop()
    except (CaptureError, OSError) as exc:
        verb = "start" if started else "stop"
        module.fail_json(msg=f"Cannot {verb} the captures in {directory}: {exc}")
    module.exit_json(
        changed=bool(captures),
        captures=[capture.result() | {"summary": capture.summary()} for capture in captures],
    )


if __name__ == "__main__":
    main()
