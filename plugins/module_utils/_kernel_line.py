# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the kernel's command line: which a role may set, in which order, and how two lines differ.

Source: Documentation/admin-guide/kernel-parameters.txt of Linux. A dash and an underscore in a name are the same.
"""

from __future__ import annotations

import re
import typing as t

Words = tuple[str, ...]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Nothing that a shell, GRUB's language, sed or the kernel's own parser reads as anything but itself.
VALUE = re.compile(r"[A-Za-z0-9_.,:/@+-]+")
WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')

NEEDED, OPTIONAL, NONE = "needed", "optional", "none"  # whether a parameter has a value
KNOWN = {
    "amd_iommu": NEEDED,
    "amd_pstate": NEEDED,
    "audit": NEEDED,
    "clocksource": NEEDED,
    "cpufreq.default_governor": NEEDED,
    "cpuidle.off": NEEDED,
    "default_hugepagesz": NEEDED,
    "hugepages": NEEDED,
    "hugepagesz": NEEDED,
    "idle": NEEDED,
    "intel_idle.max_cstate": NEEDED,
    "intel_iommu": NEEDED,
    "intel_pstate": NEEDED,
    "iommu": NEEDED,
    "iommu.passthrough": NEEDED,
    "iommu.strict": NEEDED,
    "irqaffinity": NEEDED,
    "isolcpus": NEEDED,
    "kthread_cpus": NEEDED,
    "mce": NEEDED,
    "mitigations": NEEDED,
    "nmi_watchdog": NEEDED,
    "nohz": NEEDED,
    "nohz_full": NEEDED,
    "nosmt": OPTIONAL,
    "nosoftlockup": NONE,
    "nowatchdog": NONE,
    "numa_balancing": NEEDED,
    "pcie_aspm": NEEDED,
    "preempt": NEEDED,
    "processor.max_cstate": NEEDED,
    "rcu_nocb_poll": NONE,
    "rcu_nocbs": OPTIONAL,
    "rcupdate.rcu_normal_after_boot": NEEDED,
    "rdt": NEEDED,
    "skew_tick": NEEDED,
    "threadirqs": NONE,
    "transparent_hugepage": NEEDED,
    "tsc": NEEDED,
    "workqueue.power_efficient": NEEDED,
    "workqueue.unbound_cpus": NEEDED,
}
PAIRS = (
    "hugepagesz",
    "hugepages",
)  # given once for each size, the size first; of all others the last one counts


class WordsError(Exception):
    """These are no parameters; faults say why and the way out, each by itself."""

    def __init__(self, faults: t.Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def of_parameters(parameters: t.Iterable[t.Any], allow_unknown: t.Iterable[str] = ()) -> Words:
    """Return the words of parameters as a task gives them: texts, and dicts of names with values, in their order.

    A value of a dict is a text, a number, None for no value, or a list of these. Raises WordsError.
    """
    words: list[str] = []
    faults: list[str] = []
    for parameter in parameters:
        if isinstance(parameter, dict):
            for name, values in parameter.items():
                for value in values if isinstance(values, list) else [values]:
                    _add(str(name), value, words, faults)
        elif isinstance(parameter, str) and parameter:
            name, equals, value = parameter.partition("=")
            _add(name, value if equals else None, words, faults)
        else:
            faults.append(f"{parameter!r} is neither a text such as isolcpus=2-7 nor a dict; write it as one")
    faults += _faults(words, {canonical(name) for name in allow_unknown})
    if faults:
        raise WordsError(faults)
    return tuple(words)


def _add(name: str, value: t.Any, words: list[str], faults: list[str]) -> None:
    if isinstance(value, bool):
        faults.append(f"{name} is the truth value {value}; put on, off, yes and no in quotes")
    elif value is not None and not isinstance(value, (str, int)):
        faults.append(f"{name} is {value!r}; give a text, a number, or null for a parameter without a value")
    elif not NAME.fullmatch(name):
        faults.append(f"{name!r} is no name of a kernel parameter; give letters, digits, '_', '.' and '-'")
    elif value is not None and not VALUE.fullmatch(str(value)):
        faults.append(f"{name} is {value!r}; give letters, digits and any of _.,:/@+- and nothing else")
    else:
        words.append(name if value is None else f"{name}={value}")


def _faults(words: t.Sequence[str], allowed: set[str]) -> t.Iterator[str]:
    seen: set[str] = set()
    for word in words:
        name = name_of(word)
        if name not in KNOWN and name not in allowed:
            yield f"{word}: {name} is none that this collection sets; correct it, or name it in allow_unknown"
        elif name in KNOWN and KNOWN[name] == NEEDED and "=" not in word:
            yield f"{word} has no value; give one"
        elif name in KNOWN and KNOWN[name] == NONE and "=" in word:
            yield f"{word} has a value, and the kernel takes none; give null"
        if name in seen and name not in PAIRS:
            yield f"{name} is given twice, and the kernel takes the last one; give it once"
        seen.add(name)
    yield from _pair_faults(words)


def _pair_faults(words: t.Iterable[str]) -> t.Iterator[str]:
    """Say where a number of pages has no size of its own before it: the kernel would take another one, or none."""
    pages = [word for word in words if name_of(word) in (*PAIRS, "default_hugepagesz")]
    sized = all(name_of(word) == "hugepages" for word in pages)
    for word in pages:
        if name_of(word) == "hugepages" and not sized:
            yield f"{word} has no hugepagesz before it; give the size first, then the number, for each size"
        sized = name_of(word) != "hugepages"


def canonical(name: str) -> str:
    """Return a parameter's name as the kernel compares it."""
    return name.replace("-", "_")


def name_of(word: str) -> str:
    return canonical(word.partition("=")[0].strip('"'))


def names_of(words: t.Iterable[str]) -> set[str]:
    return {name_of(word) for word in words}


def split(line: str) -> Words:
    """Return the words of a command line that are for the kernel; what is behind "--" is for the first process."""
    words = WORD.findall(line)
    return tuple(words[: words.index("--")] if "--" in words else words)


def carries(line: t.Iterable[str], words: t.Iterable[str]) -> bool:
    """Return whether a line has these words, in their order; others may stand between them."""
    rest = iter(line)
    return all(any(word == there for there in rest) for word in words)


def named(line: t.Iterable[str], names: t.Container[str]) -> Words:
    """Return the words of a line that have one of these names."""
    return tuple(word for word in line if name_of(word) in names)


def without(line: t.Iterable[str], words: t.Iterable[str]) -> Words:
    """Return a line without these words, each taken away once, from the end."""
    rest = list(reversed(list(line)))
    for word in words:
        if word in rest:
            rest.remove(word)
    return tuple(reversed(rest))


def differ(one: t.Iterable[str], other: t.Iterable[str], names: t.Iterable[str]) -> bool:
    """Return whether two lines give the kernel other values of these parameters."""
    line, line_2 = tuple(one), tuple(other)
    groups = {frozenset(PAIRS) if name in PAIRS else frozenset({name}) for name in names}
    return any(_values(line, group) != _values(line_2, group) for group in groups)


def _values(line: Words, names: frozenset[str]) -> list[tuple[str, str]]:
    return [(name_of(word), word.partition("=")[2].strip('"')) for word in named(line, names)]
