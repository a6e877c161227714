# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the processor runs, and what the kernel does by itself while programs run: speed, sleep, watchdogs, pages.

Source: Documentation/admin-guide/pm, admin-guide/sysctl and admin-guide/mm of Linux.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _state_kernel
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import value_at
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Cpus,
    Document,
    Home,
    Part,
    Value,
    nested,
)

CPU = "/sys/devices/system/cpu"
MM = "/sys/kernel/mm"
# With the governor performance, some drivers refuse every other preference; so the governor is the last to be set,
# and the first to be given back (Documentation/admin-guide/pm/intel_pstate.rst).
FREQUENCY = {"energy_preference": "energy_performance_preference", "governor": "scaling_governor"}
MACHINE_CHECK = "/sys/devices/system/machinecheck/machinecheck0/check_interval"


def of_host(options: Document, home: Home, state: Document) -> Part:
    part = Part()
    for setting in FREQUENCY:
        part.add(frequency(setting, options[setting], home, state))
    part.add(turbo(options["turbo"], state))
    part.add(resume_latency(options["resume_latency_us"], home, state))
    part.add(machine_check(options["machine_check_interval_s"], state))
    part.add(sysctls(options["sysctls"], state))
    part.add(transparent_hugepages(options["transparent_hugepages"], state))
    part.add(ksm(options["ksm"], state))
    part.add(threads(options["smt"], state))  # the last, for the files of CPUs that it stops are gone
    return part


def per_cpu(setting: str, file: str, value: str, cpus: Cpus) -> Part:
    paths = [f"{CPU}/cpu{cpu}/{file}" for cpu in cpus]
    return Part(
        values=[Value(path, value, at_boot=path) for path in paths],
        wanted=nested(("processor", "per_cpu", setting), {value: _cpu_list.text(cpus)}),
    )


def frequency(setting: str, value: str | None, home: Home, state: Document) -> Part:
    if value is None:
        return Part()
    found = value_at(state, ("processor", "per_cpu", setting))
    has = {cpu for cpus in found.values() for cpu in _cpu_list.parse(cpus)}
    part = Part()
    if has:
        part = per_cpu(setting, f"cpufreq/{FREQUENCY[setting]}", value, tuple(sorted(has & set(home.cpus))))
    else:
        part.skip(setting, "no driver here lets the kernel choose it; the firmware or the hypervisor does")
    return part


def turbo(wanted: bool | None, state: Document) -> Part:
    part = Part()
    if wanted is None:
        return part
    if value_at(state, ("processor", "turbo")) is None:
        part.skip("turbo", "the kernel cannot switch it here; the firmware or the hypervisor decides")
        return part
    drivers = value_at(state, ("processor", "per_cpu", "scaling_driver"))
    intel = any(driver.startswith("intel_") for driver in drivers)
    path, value = (f"{CPU}/intel_pstate/no_turbo", not wanted) if intel else (f"{CPU}/cpufreq/boost", wanted)
    part.values.append(Value(path, str(int(value)), at_boot=path))
    part.wanted = nested(("processor", "turbo"), wanted)
    return part


def resume_latency(limit_us: int | None, home: Home, state: Document) -> Part:
    """Keep isolated CPUs out of idle states from which they come back later than that; 0 forbids all."""
    if limit_us is None or not home.isolated:
        return Part()
    part = Part()
    if not value_at(state, ("processor", "per_cpu", "resume_latency_us")):
        part.skip("resume_latency_us", "this kernel has no limit for each CPU")
        return part
    # In the kernel's file 0 is no limit, and n/a is no latency at all.
    return per_cpu(
        "resume_latency_us",
        "power/pm_qos_resume_latency_us",
        str(limit_us) if limit_us else "n/a",
        home.isolated,
    )


def machine_check(interval_s: int | None, state: Document) -> Part:
    """Set how often each CPU looks for corrected errors, 0 for never; those that interrupt are told all the same."""
    part = Part()
    if interval_s is None:
        return part
    if value_at(state, ("processor", "machine_check_interval_s")) is None:
        part.skip("machine_check_interval_s", "this kernel does not look for machine checks")
        return part
    part.values.append(Value(MACHINE_CHECK, f"{interval_s:x}", at_boot=MACHINE_CHECK))
    part.wanted = nested(("processor", "machine_check_interval_s"), interval_s)
    return part


def sysctls(wanted: t.Mapping[str, int | str], state: Document) -> Part:
    part = Part()
    for name, value in wanted.items():
        if name not in _state_kernel.SYSCTLS:
            part.faults.append(
                f"host_tuning_sysctls has {name}, which this role cannot prove; take ansible.posix.sysctl for it, "
                f"here are {', '.join(_state_kernel.SYSCTLS)}"
            )
        elif value_at(state, ("kernel", "sysctls", name)) is None:
            part.skip(name, "this kernel does not have it")
        else:
            path = f"/proc/sys/{name.replace('.', '/')}"
            part.values.append(Value(path, str(value), at_boot=path))
            part.add(Part(wanted=nested(("kernel", "sysctls", name), value)))
    return part


def transparent_hugepages(wanted: str | None, state: Document) -> Part:
    part = Part()
    if wanted is None:
        return part
    if value_at(state, ("memory", "transparent_hugepages", "enabled")) is None:
        part.skip("transparent_hugepages", "this kernel has none")
        return part
    path = f"{MM}/transparent_hugepage/enabled"
    part.values.append(Value(path, wanted, at_boot=path))
    part.wanted = nested(("memory", "transparent_hugepages", "enabled"), wanted)
    return part


def ksm(wanted: bool | None, state: Document) -> Part:
    part = Part()
    if wanted is None:
        return part
    if value_at(state, ("memory", "ksm_run")) is None:
        part.skip("ksm", "this kernel does not merge pages")
        return part
    path = f"{MM}/ksm/run"
    # 2 stops it and gives each program its own page back.
    value = "1" if wanted else "2"
    part.values.append(Value(path, value, at_boot=path))
    part.wanted = nested(("memory", "ksm_run"), int(value))
    return part


def threads(wanted: bool, state: Document) -> Part:
    """Stop the second threads of all cores, unless wanted."""
    part = Part()
    control = value_at(state, ("processor", "smt", "control"))
    if wanted:
        return part
    if control not in ("on", "off"):
        part.skip("smt", f"its switch says {control}")
        return part
    path = f"{CPU}/smt/control"
    part.values.append(Value(path, "off", at_boot=path))
    part.wanted = nested(("processor", "smt", "control"), "off")
    return part
