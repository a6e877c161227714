# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host is not as it was wanted.

What is wanted has the keys of the state document, and only those that matter; the key * is any that is not named
beside it. Lists of CPUs are compared as sets. A setting under per_cpu compares only the CPUs that it names. An
interrupt is right where it is within the wanted CPUs. The kernel's line must have the wanted parameters, in force.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _kernel_line,
    _state_kernel,
    _state_reasons,
)
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import (
    ANY,
    COMMAND_LINE,
    EMPTY,
    IRQS,
    PER_CPU,
    Document,
    Setting,
    checked,
)

# Of these a kernel's line may have several, each of which counts.
REPEATED = (*_kernel_line.PAIRS, "console", "earlycon")
AFFINITIES = {"asked_cpus": "asked", "effective_cpus": "effective"}
OTHER = {"asked_cpus": "effective_cpus", "effective_cpus": "asked_cpus"}

Row = dict[str, t.Any]


class WantedError(ValueError):
    """What is wanted cannot be compared; the message says which setting, its value and the way out."""


def differences(wanted: t.Any, state: Document) -> list[Row]:
    """Return a row for each difference: setting, wanted, real and the reason, which is empty if unknown.

    Raises WantedError, and StateError for what is no state document.
    """
    if not isinstance(wanted, Mapping):
        raise WantedError(f"what is wanted is {str(wanted)[:40]!r}; give a dict with the keys of the state")
    return list(_walk((), wanted, checked(state), state))


def _walk(path: Setting, wanted: t.Any, real: t.Any, state: Document) -> t.Iterator[Row]:
    if path == COMMAND_LINE:
        yield from _line(wanted, real or [])
    elif path[-2:-1] == (PER_CPU,):
        yield from _groups(path, wanted, real or {}, state)
    elif path[:-1] == IRQS:
        yield from _interrupt(path, wanted, real, state)
    elif isinstance(wanted, Mapping) and (real is None or isinstance(real, Mapping)):
        for key, value in _expanded(wanted, real):
            yield from _walk((*path, key), value, real.get(key) if real else None, state)
    elif not _equal(path, wanted, real):
        yield _row(".".join(path), _shown(path, wanted), real, _state_reasons.of_setting(path, wanted, state))


def _row(setting: str, wanted: t.Any, real: t.Any, reason: str) -> Row:
    return {"setting": setting, "wanted": wanted, "real": real, "reason": reason}


def _expanded(wanted: t.Mapping[t.Any, t.Any], real: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """Yield what is wanted of each key, * replaced by the keys that are there and not named."""
    named = {str(key): value for key, value in wanted.items()}  # YAML has numbers as keys
    rest = named.pop(ANY, None)
    if rest is not None and isinstance(real, Mapping):
        named.update({key: rest for key in real if key not in named})
    yield from sorted(named.items(), key=lambda item: files.natural(item[0]))


def _is_cpus(path: Setting) -> bool:
    return path[-1] == "cpus" or path[-1].endswith("_cpus")


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> frozenset[int]:
    # Of hundreds of interrupts, most have the same list.
    return frozenset(_cpu_list.parse(text))


def _cpus(path: Setting, wanted: t.Any) -> frozenset[int]:
    """Return the CPUs of a list, in the kernel's notation or of numbers."""
    try:
        if isinstance(wanted, (list, tuple)):
            return frozenset(int(cpu) for cpu in wanted)
        return _parsed("" if wanted is None else str(wanted))
    except (TypeError, ValueError) as exc:
        raise WantedError(
            f"{'.'.join(path)} is wanted as {wanted!r}, which is no list of CPUs: {exc}"
        ) from exc


def _equal(path: Setting, wanted: t.Any, real: t.Any) -> bool:
    if wanted in EMPTY and real in EMPTY:
        return True
    if _is_cpus(path):
        return real is not None and _cpus(path, wanted) == _parsed(real)
    return bool(wanted == real) or str(wanted) == str(real)  # a template makes text of a number


def _shown(path: Setting, wanted: t.Any) -> t.Any:
    return _cpu_list.text(_cpus(path, wanted)) if _is_cpus(path) else wanted


def _line(wanted: t.Any, real: t.Sequence[str]) -> t.Iterator[Row]:
    """Compare the kernel's line; of most parameters the last one counts."""
    line = _kernel_line.split(wanted) if isinstance(wanted, str) else wanted
    if not isinstance(line, (list, tuple)):
        raise WantedError(f"{'.'.join(COMMAND_LINE)} is wanted as {wanted!r}; give a list of parameters")
    for parameter in map(str, line):
        name, _equals, value = parameter.partition("=")
        said = _state_kernel.values_of(real, name)
        in_force = value in said if name in REPEATED else said[-1:] == [value]
        if not in_force:
            has = " ".join(f"{name}={one}" if one else name for one in said) or None
            setting = ".".join((*COMMAND_LINE, _kernel_line.name_of(parameter)))
            yield _row(setting, parameter, has, _state_reasons.of_parameter(name, value, said))


def _groups(path: Setting, wanted: t.Any, real: t.Mapping[str, str], state: Document) -> t.Iterator[Row]:
    """Compare what each CPU has: {"performance": "2-7"}, of which the other CPUs may have anything."""
    if not isinstance(wanted, Mapping):
        raise WantedError(f"{'.'.join(path)} is wanted as {wanted!r}; give a dict from value to list of CPUs")
    has = {value: _parsed(cpus) for value, cpus in real.items()}
    for value, listed in sorted(((str(key), cpus) for key, cpus in wanted.items()), key=lambda item: item[0]):
        cpus = _cpus((*path, value), listed)
        wrong = cpus - has.get(value, frozenset())
        if wrong:
            others = {other: _cpu_list.text(of & wrong) for other, of in has.items() if of & wrong}
            reason = _state_reasons.of_setting(path, value, state)
            yield _row(".".join(path), {value: _cpu_list.text(cpus)}, others or None, reason)


def _interrupt(path: Setting, wanted: t.Any, real: t.Any, state: Document) -> t.Iterator[Row]:
    """Compare where an interrupt may go and goes: both must be within what is wanted."""
    label = path[-1]
    if not isinstance(wanted, Mapping) or not wanted or not wanted.keys() <= AFFINITIES.keys():
        raise WantedError(
            f"{'.'.join(path)} is wanted as {wanted!r}; give a dict of {' and '.join(AFFINITIES)}"
        )
    if not isinstance(real, Mapping):
        allowed = {_shown((*path, key), wanted[key]) for key in wanted}
        yield _row(f"irq {label}", ", ".join(sorted(allowed)), None, "nothing listens to such an interrupt")
        return
    # Only what is wanted is a fault, but the asked affinity explains the effective one, so both are shown.
    limits = {key: wanted[key if key in wanted else other] for key, other in OTHER.items()}
    found = {key: _outside(path, key, limit, real) for key, limit in limits.items()}
    outside = {key: said for key, said in found.items() if said is not None}
    if outside.keys() & wanted.keys():
        allowed = {_shown((*path, key), limits[key]) for key in outside}
        has = ", ".join(f"{AFFINITIES[key]} {said}" for key, said in outside.items())
        reason = _state_reasons.of_interrupt(label, real, "asked_cpus" not in outside, state)
        yield _row(f"irq {real.get('irq')} {label}", ", ".join(sorted(allowed)), has, reason)


def _outside(path: Setting, key: str, wanted: t.Any, real: t.Mapping[str, t.Any]) -> str | None:
    """Return an interrupt's CPUs if one of them is not wanted."""
    said = real.get(key)
    if said is None and key == "effective_cpus":
        said = real.get("asked_cpus")  # some kernels do not say where it goes: anywhere it may
    if said is None:
        return "unreadable"
    return said if _parsed(said) - _cpus((*path, key), wanted) else None
