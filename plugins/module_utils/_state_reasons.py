# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a setting is not as it was wanted, as far as the rest of the state document tells."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.detnet.testbed.plugins.module_utils import _state_kernel
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import (
    COMMAND_LINE,
    EMPTY,
    PER_CPU,
    Document,
    Setting,
    value_at,
)

# Interrupts that only the kernel places: one for each CPU of drivers that ask for that, and those of its old clocks.
MANAGED = re.compile(
    r"(nvme\d+q[1-9]\d*|virtio\d+-req\.\d+|(megasas|mpt[23]sas)\d+-msix\d+|timer|hpet\d+)( #\d+)?"
)
MANAGED_INTERRUPT = "managed interrupt"  # how the reason begins
MASKS = {("kernel", "isolated_cpus"): "isolcpus", ("kernel", "nohz_full_cpus"): "nohz_full"}
# What a TuneD profile can set, too.
TUNED_SETS: tuple[Setting, ...] = (
    ("kernel", "sysctls"),
    ("processor", PER_CPU),
    ("processor", "turbo"),
    ("processor", "latency_limit_us"),
    ("memory", "transparent_hugepages"),
    ("memory", "ksm_run"),
    ("interrupts", "unbound_workqueue_cpus"),
    ("interrupts", "workqueues"),
)


def of_setting(setting: Setting, wanted: t.Any, state: Document) -> str:
    """Return why a setting differs, empty if that is not known."""
    real = value_at(state, setting)
    for known in REASONS:
        found = known(setting, wanted, real, state)
        if found:
            return found
    return ""


def mask(setting: Setting, _wanted: t.Any, real: t.Any, state: Document) -> str:
    if setting not in MASKS:
        return ""
    name = MASKS[setting]
    said = _state_kernel.values_of(value_at(state, COMMAND_LINE) or (), name)
    if not said:
        return f"{name} is not on the kernel's line; a reboot is due, or another file of the boot loader overrides it"
    if real is None:
        return f"this kernel knows no {name}, or does not say"
    if len(said) > 1:
        return f"{name} is on the kernel's line {len(said)} times; the last says {said[-1]}"
    return f"the kernel's line says {name}={said[0]}"


def missing(setting: Setting, _wanted: t.Any, real: t.Any, state: Document) -> str:
    """Say which of the keys the document does not have, or that it has nothing to say."""
    if real not in EMPTY:
        return ""
    for length, key in enumerate(setting):
        above = value_at(state, setting[:length])
        if not isinstance(above, Mapping):
            return f"{'.'.join(setting[:length])} is not there"
        if key not in above:
            return f"{'.'.join(setting[: length + 1])} is not there"
    return "nothing is set, or the machine does not have it"


def pages(setting: Setting, wanted: t.Any, real: t.Any, _state: Document) -> str:
    if setting[:2] != ("memory", "nodes") or setting[-1] not in ("total", "free"):
        return ""
    if not isinstance(real, int) or not str(wanted).isdecimal() or real >= int(wanted):
        return ""
    if setting[-1] == "free":
        return "programs hold them"
    return "the kernel found no more whole pages there, or was not asked; reserve them at boot"


def tuned(setting: Setting, _wanted: t.Any, real: t.Any, state: Document) -> str:
    profile = value_at(state, ("services", "tuned", "active_profile"))
    running = value_at(state, ("services", "tuned", "running"))
    if setting == ("services", "tuned", "active_profile"):
        return "" if running else "TuneD does not run"
    if profile and running and real not in EMPTY and setting[:2] in TUNED_SETS:
        return f"the TuneD profile {profile} is active and may set it"
    return ""


REASONS: tuple[t.Callable[[Setting, t.Any, t.Any, Document], str], ...] = (mask, tuned, missing, pages)


def of_parameter(name: str, value: str, said: t.Sequence[str]) -> str:
    """Return why a parameter is not in force on the kernel's line, where it is said so."""
    if not said:
        return "not on the kernel's line; a reboot is due, or another file of the boot loader overrides ours"
    if value in said:
        return f"a later {name} on the kernel's line overrides it"
    return f"the kernel's line has another {name}; a reboot is due, or another file of the boot loader overrides ours"


def of_interrupt(label: str, real: Document, asked_right: bool, state: Document) -> str:
    """Return why an interrupt is not where it was wanted."""
    if MANAGED.fullmatch(label) or real.get("writable") is False:
        said = ",".join(_state_kernel.values_of(value_at(state, COMMAND_LINE) or (), "isolcpus"))
        hint = "" if "managed_irq" in said.split(",") else "; isolcpus=managed_irq,... keeps such away"
        return f"{MANAGED_INTERRUPT}{hint}"
    if value_at(state, ("services", "irqbalance", "running")):
        return "irqbalance runs and moves it"
    if asked_right:
        return "it moves with its next occurrence, or no vector was free on the wanted CPUs"
    return ""
