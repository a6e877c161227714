# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A state document in a few lines for people."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._host_state import Document, value_at

UNKNOWN = "unknown"
NONE = "none"


def summary(state: Document) -> str:
    """Return the lines, without a newline at the end."""
    rows = [(name, line(state)) for name, line in LINES]
    return "\n".join(f"{name + ':':<11} {text}" for name, text in rows)


def processor(state: Document) -> str:
    of = state["processor"]
    turbo = {True: "on", False: "off"}.get(of["turbo"], UNKNOWN)
    parts = [
        of["model"] or UNKNOWN,
        f"microcode {of['microcode'] or UNKNOWN}",
        f"CPUs {of['online_cpus'] or UNKNOWN}",
        f"SMT {of['smt']['control'] or UNKNOWN}",
        f"turbo {turbo}",
    ]
    return ", ".join(parts)


def kernel(state: Document) -> str:
    real_time = ", PREEMPT_RT" if state["kernel"]["realtime"] else ""
    return f"{state['kernel']['release'] or UNKNOWN}{real_time}"


def isolation(state: Document) -> str:
    of = state["kernel"]
    return f"isolated {of['isolated_cpus'] or NONE}, without tick {of['nohz_full_cpus'] or NONE}"


def governor(state: Document) -> str:
    groups: t.Mapping[str, str] = state["processor"]["per_cpu"]["governor"]
    return ", ".join(f"{name} on {cpus}" for name, cpus in groups.items()) or "none: no frequency scaling"


def hugepages(state: Document) -> str:
    nodes: t.Mapping[str, t.Any] = state["memory"]["nodes"]
    return "; ".join(f"node {number}: {pages_of(node)}" for number, node in nodes.items()) or NONE


def pages_of(node: t.Mapping[str, t.Any]) -> str:
    sizes: t.Mapping[str, t.Mapping[str, int | None]] = node["hugepages_by_size_kib"]
    reserved = [
        f"{pages['total']} of {size(int(size_kib))}, {pages['free']} free"
        for size_kib, pages in sizes.items()
        if pages["total"]
    ]
    return ", ".join(reserved) or NONE


def size(size_kib: int) -> str:
    for unit, kib in (("GiB", 1 << 20), ("MiB", 1 << 10)):
        if size_kib % kib == 0:
            return f"{size_kib // kib} {unit}"
    return f"{size_kib} KiB"


def nics(state: Document) -> str:
    """Without a driver or an interface, a device has only its address."""
    of = state["network"]
    drivers = {**of["interfaces"], **of["devices_without_interface"]}
    return ", ".join(f"{name} ({nic['driver'] or 'no driver'})" for name, nic in drivers.items()) or NONE


def tuned(state: Document) -> str:
    profile = value_at(state, ("services", "tuned", "active_profile"))
    running = "runs" if value_at(state, ("services", "tuned", "running")) else "does not run"
    return f"{running}, profile {profile or NONE}"


LINES: tuple[tuple[str, t.Callable[[Document], str]], ...] = (
    ("CPU", processor),
    ("Kernel", kernel),
    ("Isolation", isolation),
    ("Governor", governor),
    ("Hugepages", hugepages),
    ("NICs", nics),
    ("TuneD", tuned),
)
