# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a probe's datagram begins, for its sender and for whoever reads it from a capture."""

from __future__ import annotations

import struct

HEADER = struct.Struct("!IQ")  # sequence number, the sender's CLOCK_MONOTONIC in ns
