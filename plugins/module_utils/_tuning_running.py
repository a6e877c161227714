# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the processor runs, and what the kernel does by itself while programs run: speed, sleep, watchdogs, pages.

Source: Documentation/admin-guide/pm, admin-guide/sysctl and admin-guide/mm of Linux.
"""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _state_kernel,
    _state_processor,
)
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import value_at
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Cpus,
    Document,
    Home,
    Part,
    Value,
    left_alone,
    nested,
    setting,
)

CPU = f"/{_state_processor.CPU}"
MM = "/sys/kernel/mm"
# With the governor performance, some drivers refuse every other preference; so the governor is the last to be set,
# and the first to be given back (Documentation/admin-guide/pm/intel_pstate.rst).
FREQUENCY = ("energy_preference", "governor")


def of_host(options: Document, home: Home, state: Document) -> Part:
    part = Part()
    for name in FREQUENCY:
        part.add(frequency(name, options[name], home, state))
    part.add(turbo(options["turbo"], state))
    part.add(resume_latency(options["resume_latency_us"], home, state))
    part.add(machine_check(options["machine_check_interval_s"], state))
    part.add(sysctls(options["sysctls"], state))
    part.add(transparent_hugepages(options["transparent_hugepages"], state))
    part.add(ksm(options["ksm"], state))
    part.add(threads(options["smt"], state))  # the last, for the files of CPUs that it stops are gone
    return part


def per_cpu(name: str, file: str, value: str, cpus: Cpus) -> Part:
    paths = [f"{CPU}/cpu{cpu}/{file}" for cpu in cpus]
    return Part(
        values=[Value(path, value, at_boot=path) for path in paths],
        wanted=nested(("processor", "per_cpu", name), {value: _cpu_list.text(cpus)}),
    )


def frequency(name: str, value: str | None, home: Home, state: Document) -> Part:
    if value is None:
        return Part()
    found = value_at(state, ("processor", "per_cpu", name))
    has = {cpu for cpus in found.values() for cpu in _cpu_list.parse(cpus)}
    if not has:
        return left_alone(
            name, "no driver here lets the kernel choose it; the firmware or the hypervisor does"
        )
    file = f"cpufreq/{_state_processor.FREQUENCY_FILES[name]}"
    return per_cpu(name, file, value, tuple(sorted(has & set(home.cpus))))


def turbo(wanted: bool | None, state: Document) -> Part:
    if wanted is None:
        return Part()
    keys = ("processor", "turbo")
    if value_at(state, keys) is None:
        return left_alone("turbo", "the kernel cannot switch it here; the firmware or the hypervisor decides")
    drivers = value_at(state, ("processor", "per_cpu", "scaling_driver"))
    intel = any(driver.startswith("intel_") for driver in drivers)
    path, on = _state_processor.TURBO[0 if intel else 1]
    return setting(f"/{path}", str(int(wanted == on)), keys, wanted)


def resume_latency(limit_us: int | None, home: Home, state: Document) -> Part:
    """Keep isolated CPUs out of idle states from which they come back later than that; 0 forbids all."""
    if limit_us is None or not home.isolated:
        return Part()
    name = "resume_latency_us"
    if not value_at(state, ("processor", "per_cpu", name)):
        return left_alone(name, "this kernel has no limit for each CPU")
    # In the kernel's file 0 is no limit, and n/a is no latency at all.
    value = str(limit_us) if limit_us else "n/a"
    return per_cpu(name, "power/pm_qos_resume_latency_us", value, home.isolated)


def machine_check(interval_s: int | None, state: Document) -> Part:
    """Set how often each CPU looks for corrected errors, 0 for never; those that interrupt are told all the same."""
    if interval_s is None:
        return Part()
    name = "machine_check_interval_s"
    if value_at(state, ("processor", name)) is None:
        return left_alone(name, "this kernel does not look for machine checks")
    return setting(f"/{_state_processor.MACHINE_CHECK}", f"{interval_s:x}", ("processor", name), interval_s)


def sysctls(wanted: t.Mapping[str, int | str], state: Document) -> Part:
    part = Part()
    for name, value in wanted.items():
        keys = ("kernel", "sysctls", name)
        if name not in _state_kernel.SYSCTLS:
            part.faults.append(
                f"host_tuning_sysctls has {name}, which this role cannot prove; take ansible.posix.sysctl for it, "
                f"here are {', '.join(_state_kernel.SYSCTLS)}"
            )
        elif value_at(state, keys) is None:
            part.add(left_alone(name, "this kernel does not have it"))
        else:
            part.add(setting(f"/proc/sys/{name.replace('.', '/')}", str(value), keys, value))
    return part


def transparent_hugepages(wanted: str | None, state: Document) -> Part:
    if wanted is None:
        return Part()
    keys = ("memory", "transparent_hugepages", "enabled")
    if value_at(state, keys) is None:
        return left_alone("transparent_hugepages", "this kernel has none")
    return setting(f"{MM}/transparent_hugepage/enabled", wanted, keys, wanted)


def ksm(wanted: bool | None, state: Document) -> Part:
    if wanted is None:
        return Part()
    keys = ("memory", "ksm_run")
    if value_at(state, keys) is None:
        return left_alone("ksm", "this kernel does not merge pages")
    run = 1 if wanted else 2  # 2 stops it and gives each program its own page back
    return setting(f"{MM}/ksm/run", str(run), keys, run)


def threads(wanted: bool, state: Document) -> Part:
    """Stop the second threads of all cores, unless wanted."""
    if wanted:
        return Part()
    keys = ("processor", "smt", "control")
    control = value_at(state, keys)
    if control not in ("on", "off"):
        return left_alone("smt", f"its switch says {control}")
    return setting(f"{CPU}/smt/control", "off", keys, "off")
