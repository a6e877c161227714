# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state document of a host: all that decides on its latency, what of it is stable, and the fingerprint of that.

The document has only what JSON has. What a machine does not have is null or empty.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _ethtool,
    _kernel_line,
    _state_interrupts,
    _state_kernel,
    _state_machine,
    _state_memory,
    _state_network,
    _state_processor,
    _state_services,
)

SCHEMA = 1  # to be raised when a key gets another name or meaning
FINGERPRINT_DIGITS = 16
EMPTY: tuple[t.Any, ...] = (None, "", [], {})

COMMAND_LINE = ("kernel", "command_line")
IRQS = ("interrupts", "irqs")
PER_CPU = "per_cpu"  # the parent of the settings that give for each value the CPUs that have it
ANY = "*"

# What changes while a host is left alone, or differs between two hosts that are set alike. None ends with ANY.
VOLATILE: tuple[tuple[str, ...], ...] = (
    (*IRQS, ANY, "irq"),  # numbered anew with each boot
    (*IRQS, ANY, "effective_cpus"),
    ("memory", "nodes", ANY, "hugepages_by_size_kib", ANY, "free"),
    ("processor", "latency_limit_us"),  # cyclictest holds it down as long as it runs
    *(
        (*COMMAND_LINE, name)  # where this host's disk is, not how it is set
        for name in ("BOOT_IMAGE", "cryptdevice", "initrd", "resume", "resume_offset", "root", "rootflags")
    ),
)
# irqbalance moves interrupts all the time.
BALANCED: tuple[tuple[str, ...], ...] = ((*IRQS, ANY, "asked_cpus"),)

Document = t.Mapping[str, t.Any]
Setting = tuple[str, ...]  # the keys that lead to it


class StateError(ValueError):
    """Something is not a state document; the message says what, and where to get one."""


def read(root: str = "/", ask: _ethtool.Ask = _ethtool.ask) -> dict[str, t.Any]:
    """Return the state of the machine whose file system is at root; its network drivers are asked by ask."""
    return {
        "schema": SCHEMA,
        "machine": _state_machine.read(root),
        "kernel": _state_kernel.read(root),
        "processor": _state_processor.read(root),
        "interrupts": _state_interrupts.read(root),
        "memory": _state_memory.read(root),
        "network": _state_network.read(root, ask),
        "services": _state_services.read(root),
    }


def checked(document: t.Any) -> Document:
    """Return a state document. Raises StateError for what is none."""
    if not isinstance(document, Mapping) or not isinstance(document.get("schema"), int):
        raise StateError(
            f"{str(document)[:40]!r} is not a state document; give the state that detnet.testbed.host_state returns"
        )
    return document


def volatile(state: Document) -> tuple[Setting, ...]:
    """Return the patterns of the settings that are volatile on this host."""
    return VOLATILE + (BALANCED if value_at(state, ("services", "irqbalance", "running")) else ())


def value_at(state: t.Any, setting: t.Iterable[str]) -> t.Any:
    """Return a setting's value, None where there is none."""
    for key in setting:
        state = state.get(key) if isinstance(state, Mapping) else None
    return state


def settings(state: Document, without: t.Iterable[Setting] = ()) -> dict[Setting, t.Any]:
    """Return the settings of a document by their keys, without empty ones and those of the patterns."""
    patterns: dict[str, list[Setting]] = {}  # by their last key, for there are thousands of settings
    for pattern in without:
        patterns.setdefault(pattern[-1], []).append(pattern)
    leaves: list[tuple[Setting, t.Any]] = []
    _collect((), state, leaves)
    return {
        setting: value
        for setting, value in leaves
        if value not in EMPTY
        and not any(_matches(setting, pattern) for pattern in patterns.get(setting[-1], ()))
    }


def _collect(path: Setting, value: t.Any, leaves: list[tuple[Setting, t.Any]]) -> None:
    """Add the settings below a path; a list is filled because thousands of nested generators take long."""
    if path == COMMAND_LINE and isinstance(value, list):
        value = _by_name(value)
    if isinstance(value, Mapping) and path[-2:-1] != (PER_CPU,):
        for key, below in value.items():
            _collect((*path, str(key)), below, leaves)
    else:
        leaves.append((path, value))


def _by_name(line: t.Sequence[str]) -> dict[str, str]:
    """Return the words of a kernel's command line by parameter; of different ones the order means nothing."""
    found: dict[str, str] = {}
    for word in line:
        name = _kernel_line.name_of(word)
        found[name] = f"{found[name]} {word}" if name in found else word
    return found


def _matches(setting: Setting, pattern: Setting) -> bool:
    return len(setting) == len(pattern) and all(
        want in (ANY, key) for key, want in zip(setting, pattern, strict=True)
    )


def canonical(value: t.Any) -> str:
    """Return a value as the one JSON text that it has."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def fingerprint(state: Document) -> str:
    """Return 16 hexadecimal digits, equal for two documents between which fingerprint_diff finds nothing."""
    stable = settings(state, volatile(state))
    text = canonical(sorted([list(setting), value] for setting, value in stable.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]
