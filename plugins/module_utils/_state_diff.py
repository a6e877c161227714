# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two state documents: of two hosts, or of one host on two days."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import (
    Document,
    Setting,
    canonical,
    checked,
    settings,
    volatile,
)

NAMES = ("before", "after")


def diff(
    left: Document, right: Document, names: t.Sequence[str] = NAMES, with_volatile: bool = False
) -> list[dict[str, t.Any]]:
    """Return a row for each setting that differs: its dotted name, and under two names its two values.

    A value that one of the documents does not have is None. Raises StateError for what is no state document.
    """
    without = () if with_volatile else {*volatile(checked(left)), *volatile(checked(right))}
    here, there = settings(checked(left), without), settings(checked(right), without)
    differing = (key for key in here.keys() | there.keys() if not same(here.get(key), there.get(key)))
    return [
        {"setting": dotted(setting), names[0]: here.get(setting), names[1]: there.get(setting)}
        for setting in sorted(differing, key=order)
    ]


def same(one: t.Any, other: t.Any) -> bool:
    """Return whether two values are one in JSON, where 0 is not false; texts are most of them, and quickly told."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return canonical(one) == canonical(other)


def dotted(setting: Setting) -> str:
    return ".".join(setting)


def order(setting: Setting) -> t.Any:
    """Return a key that sorts settings by name, rx-9 before rx-10."""
    return [files.natural(key) for key in setting], setting
