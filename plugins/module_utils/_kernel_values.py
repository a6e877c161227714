# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the kernel's files below /sys, /proc/sys and /proc/irq: which may be named, and when two are the same."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

TREES = ("/proc/irq", "/proc/sys", "/sys")
WILDCARD = re.compile(r"[*?\[\]]")
WORD_BITS = 32

# Of the files that hold CPUs: these as masks in hexadecimal words, those as lists.
MASK_FILE = re.compile(r"(default_)?smp_affinity|[rx]ps_cpus|xps_rxqs|(.*_)?cpumask")
LIST_FILE = re.compile(r".*_list|watchdog_cpumask")
MASK = re.compile(r"(0[xX])?[0-9a-fA-F]+(,[0-9a-fA-F]{1,8})*")
SWITCH = {"1": "Y", "y": "Y", "0": "N", "n": "N"}  # what a module's switch takes, and shows


def inside(path: str) -> bool:
    """Return whether a path without links lies in one of the trees."""
    return any(path.startswith(f"{tree}/") for tree in TREES)


def path_fault(path: str) -> str | None:
    """Return what is wrong with a path, before the machine is asked."""
    if WILDCARD.search(path):
        return f"{path} has a wildcard; name each file"
    if not os.path.isabs(path) or os.path.normpath(path) != path:
        return f"{path} is not a plain absolute path; write it from the root, without '..', '.' and '//'"
    if not inside(path):
        return f"{path} is not below {', '.join(TREES[:-1])} or {TREES[-1]}; only values of the running kernel are set"
    return None


def value_fault(path: str, value: str) -> str | None:
    """Return what is wrong with a value, before the machine is asked."""
    if "\n" in value or "\0" in value:
        return f"the value of {path}, {value!r}, has more than one line; give one"
    if value in ("True", "False"):
        return f"the value of {path} is the truth value {value}; put on, off, yes and no in quotes"
    return None


def shown(text: str) -> str:
    """Return the value that a file's text shows: of "always [madvise] never" the chosen one."""
    words = text.split()
    chosen = [word for word in words if re.fullmatch(r"\[[^\[\]]+\]", word)]
    return chosen[0][1:-1] if len(chosen) == 1 else " ".join(words)


def same(path: str, one: str, other: str) -> bool:
    """Return whether two values of a file are the same, however they are written."""
    return normal(path, one) == normal(path, other) or _same_switch(one, other)


def normal(path: str, value: str) -> t.Hashable:
    """Return a value in one form: CPUs as a number or a tuple, all else as its words."""
    name = os.path.basename(path)
    text = " ".join(value.split())
    if LIST_FILE.fullmatch(name):
        try:
            return _cpu_list.parse(text)
        except ValueError:
            return text  # the kernel will say so
    if MASK_FILE.fullmatch(name) and MASK.fullmatch(text):
        bits = 0
        for word in text.split(","):
            bits = bits << WORD_BITS | int(word, 16)
        return bits
    return text


def _same_switch(one: str, other: str) -> bool:
    shows = {"Y", "N"} & {one, other}
    return bool(shows) and SWITCH.get(one.lower(), one) == SWITCH.get(other.lower(), other)
