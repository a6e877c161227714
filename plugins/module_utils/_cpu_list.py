# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of CPUs in the kernel's two notations: a list such as 0-3,8 and a mask such as 00000001,0000000f.

Source: Documentation/admin-guide/kernel-parameters.rst, "cpu lists", and lib/bitmap-str.c of Linux.
"""

from __future__ import annotations

import re
import typing as t

LARGEST = 8191  # CONFIG_NR_CPUS is at most 8192
PART = re.compile(r"(\d+)(?:-(\d+))?")
WORD_BITS = 32


def parse(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list, in order. Raises ValueError, which says what is wrong with which part."""
    found: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} in {text!r} is neither a CPU nor a range; write it as 0-3,8")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise ValueError(f"{part.strip()!r} in {text!r} ends before it begins")
        if last > LARGEST:
            raise ValueError(
                f"{part.strip()!r} in {text!r} is beyond {LARGEST}, the last CPU a kernel can have"
            )
        again = found.intersection(range(first, last + 1))
        if again:
            raise ValueError(f"CPU {min(again)} is in {text!r} twice; name it once")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def text(cpus: t.Iterable[int]) -> str:
    """Return the shortest list of these CPUs; an empty one for none."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, bounds)) for bounds in ranges)


def mask(cpus: t.Iterable[int]) -> str:
    """Return these CPUs as words of 32 bits in hexadecimal digits, the highest CPUs first."""
    bits = sum(1 << cpu for cpu in set(cpus))
    words: list[str] = []
    while bits or not words:
        words.append(f"{bits & (1 << WORD_BITS) - 1:08x}")
        bits >>= WORD_BITS
    return ",".join(reversed(words))
