# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python runs for each of the commands: the collection's library, without Ansible."""

from __future__ import annotations

import sys

from ansible_collections.detnet.testbed.plugins.module_utils import _controller_commands

sys.exit(_controller_commands.main(sys.argv[1:]))
