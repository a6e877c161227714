# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the commands as a process of its own, on a machine that is a folder: python run_command.py FOLDER NAME ..."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _controller_commands,
    _controller_record,
    _controller_switch,
    _controller_vms,
    _vm_files,
    _vm_pages,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hugepages import Pages

machine = Path(sys.argv[1])
_controller_commands.CONFIG = str(machine / "controller.json")
_controller_vms.SWITCH_TIMEOUT_S = 1.0
_controller_commands.VM_LIMIT_S = _controller_commands.SWITCH_LIMIT_S = float(os.environ["LIMIT_S"])
_controller_switch.ROOT = str(machine)
_controller_switch.READY_TIMEOUT_S = 1.0
_controller_switch.PATIENCE_S = 3.0
_controller_record.VAGRANT = str(machine / "vagrant")
_vm_files.LIBVIRT_LOGS = str(machine / "log")
HOST = _vm_pages.HostPages(2048, [Pages(0, 2048, 512, 512, 0)], {}, {2048})
_vm_pages.read = lambda *_root: HOST
sys.exit(_controller_commands.main(sys.argv[2:]))
