# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares out the ways of a cache, which are the bits of a mask: each share is in one piece.

Source: Documentation/filesystems/resctrl.rst of Linux, "Cache Bit Masks".
"""

from __future__ import annotations

import itertools
import typing as t


def allot(have: int, taken: int, hardware: int, ways: t.Sequence[int]) -> tuple[int, ...] | None:
    """Return a mask of as many bits of have for each number of ways, or None if there is no room.

    The masks lie side by side at an end of have, so that its rest stays in one piece if it was. Of its two ends the
    one with fewer bits of hardware is taken, which other devices write to as well, and these are given out last.
    None of the masks has a bit of taken.
    """
    total = sum(ways)
    low = (have & -have).bit_length() - 1 if have else 0
    high = have.bit_length() - total
    upwards = list(itertools.accumulate(ways, initial=low))[:-1]
    downwards = [have.bit_length() - end for end in itertools.accumulate(ways)]
    ends = [
        tuple(_ones(count) << start for count, start in zip(ways, starts, strict=True))
        for block, starts in ((low, upwards), (high, downwards))
        if block >= 0 and _ones(total) << block & (~have | taken) == 0
    ]
    return min(ends, key=lambda masks: (sum(masks) & hardware).bit_count(), default=None)


def _ones(count: int) -> int:
    return (1 << count) - 1
