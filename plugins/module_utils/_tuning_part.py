# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a host's tuning: the values that make it, the state that proves it, and what this host cannot have."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list

Document = t.Mapping[str, t.Any]
Cpus = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of the running kernel. at_boot is the path at the next boot, with wildcards where names change."""

    path: str
    value: str
    optional: bool = False
    at_boot: str | None = None


@dataclasses.dataclass
class Part:
    """What a part of the tuning does. wanted has the keys of the state document."""

    values: list[Value] = dataclasses.field(default_factory=list)
    wanted: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    skipped: list[dict[str, str]] = dataclasses.field(default_factory=list)
    faults: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: Part) -> None:
        self.values += other.values
        self.skipped += other.skipped
        self.faults += other.faults
        self.wanted = merged(self.wanted, other.wanted)


def setting(path: str, value: str, keys: t.Sequence[str], wanted: t.Any) -> Part:
    """Return the part of one value that the next boot sets, too, and what the state's keys then lead to."""
    return Part(values=[Value(path, value, at_boot=path)], wanted=nested(keys, wanted))


def left_alone(name: str, reason: str) -> Part:
    """Return the part of a setting that this host does not have."""
    return Part(skipped=[{"setting": name, "reason": reason}])


@dataclasses.dataclass(frozen=True)
class Home:
    """Who runs where: all CPUs that run, those for everything else, and those that are isolated."""

    cpus: Cpus
    housekeeping: Cpus
    isolated: Cpus

    @property
    def housekeeping_list(self) -> str:
        return _cpu_list.text(self.housekeeping)

    @property
    def housekeeping_mask(self) -> str:
        return _cpu_list.mask(self.housekeeping)


def merged(one: Document, other: Document) -> dict[str, t.Any]:
    """Return the keys of both documents, those of dicts likewise."""
    found = dict(one)
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found


def nested(keys: t.Sequence[str], value: t.Any) -> dict[str, t.Any]:
    """Return the document that has a value at the end of these keys."""
    for key in reversed(keys):
        value = {key: value}
    return t.cast("dict[str, t.Any]", value)
