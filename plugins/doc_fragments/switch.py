# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of every module that talks to a tagging switch has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  socket:
    description:
      - Path of the tagging switch's control socket on the target host, at most 107 bytes.
    type: path
    required: true
notes:
  - Run the task as root or as a member of the socket's group.
  - The switch saves every change before it answers, so it has them again after a restart.
requirements:
  - python >= 3.11 on the target host, nothing beyond its standard library
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    description: Predicts the result from what the switch has now, without a changing request.
    support: full
  diff_mode:
    description: Shows what changes, one line for each item, in a stable order.
    support: full
  idempotent:
    description: The same task again changes nothing and sends no changing request.
    support: full
"""
