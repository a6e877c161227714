# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of differences as a table of text."""

from __future__ import annotations

import itertools
import textwrap
import typing as t
from collections.abc import Mapping

CELL_WIDTH = 48
EMPTY = "-"


def table(rows: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return rows that have the same keys as lines under a line of those keys; empty for no rows."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = [names, ["-" * len(name) for name in names]]
    for row in rows:
        cells = [wrapped(cell(row.get(name))) for name in names]
        lines += map(list, itertools.zip_longest(*cells, fillvalue=""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def wrapped(text: str) -> list[str]:
    if len(text) <= CELL_WIDTH and text.isprintable():
        return [text]  # most are, and textwrap takes long
    # A name is left whole, so that it can be searched for.
    return textwrap.wrap(text, CELL_WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def cell(value: t.Any) -> str:
    """Return a value as people write it; a dict has for each value the CPUs that have it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} on {cpus}" for name, cpus in value.items()) or EMPTY
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or EMPTY
    return EMPTY if value in (None, "") else str(value)
