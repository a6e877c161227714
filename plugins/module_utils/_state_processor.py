# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processor: model, microcode, which CPUs run, and for each of them what decides on its speed and its sleep."""

from __future__ import annotations

import os
import re
import struct
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

CPU = "sys/devices/system/cpu"
# Where it says whether the highest frequencies are used, and what it says if they are.
TURBO = ((f"{CPU}/intel_pstate/no_turbo", False), (f"{CPU}/cpufreq/boost", True))
LATENCY = "dev/cpu_dma_latency"
MACHINE_CHECK = "sys/devices/system/machinecheck/machinecheck0/check_interval"
NO_LATENCY_LIMIT_US = 2_000_000_000  # PM_QOS_CPU_LATENCY_DEFAULT_VALUE of Linux
FREQUENCY_FILES = {
    "governor": "scaling_governor",
    "energy_preference": "energy_performance_preference",
    "scaling_driver": "scaling_driver",
    "frequency_min_khz": "scaling_min_freq",
    "frequency_max_khz": "scaling_max_freq",
}


def read(root: str = "/") -> dict[str, t.Any]:
    cpuinfo = files.text(root, "proc/cpuinfo") or ""
    return {
        "model": field(cpuinfo, "model name"),
        "microcode": field(cpuinfo, "microcode"),
        "online_cpus": files.cpus(root, f"{CPU}/online"),
        "offline_cpus": files.cpus(root, f"{CPU}/offline"),
        "smt": {
            "control": files.word(root, f"{CPU}/smt/control"),
            "active": files.switch(root, f"{CPU}/smt/active"),
        },
        "turbo": turbo(root),
        "latency_limit_us": latency_limit_us(root),
        "machine_check_interval_s": machine_check_interval_s(root),
        "vulnerabilities": {
            name: files.word(root, f"{CPU}/vulnerabilities/{name}")
            for name in files.names(root, f"{CPU}/vulnerabilities")
        },
        "per_cpu": per_cpu(root),
    }


def field(cpuinfo: str, name: str) -> str | None:
    """Return what /proc/cpuinfo says of all CPUs; the values in order where the CPUs differ."""
    found = set(re.findall(rf"^{name}\s*:[ \t]*(.*\S)", cpuinfo, re.MULTILINE))
    return ", ".join(sorted(found)) or None


def turbo(root: str) -> bool | None:
    for path, on in TURBO:
        said = files.switch(root, path)
        if said is not None:
            return said == on
    return None


def latency_limit_us(root: str) -> int | None:
    """Return how long a CPU may take to wake up, as the strictest program that holds the device open asks for."""
    try:
        with open(os.path.join(root, LATENCY), "rb", buffering=0) as file:
            said = file.read(4) or b""
    except OSError:
        return None
    limit = struct.unpack("=i", said)[0] if len(said) == 4 else NO_LATENCY_LIMIT_US
    return limit if 0 <= limit < NO_LATENCY_LIMIT_US else None


def machine_check_interval_s(root: str) -> int | None:
    """Return how often each CPU looks for corrected errors, 0 for never; the kernel writes it in hexadecimal digits."""
    said = files.word(root, MACHINE_CHECK) or ""
    return int(said, 16) if re.fullmatch("[0-9a-f]{1,8}", said) else None


def per_cpu(root: str) -> dict[str, dict[str, str]]:
    """Return for each setting its values, each with the list of online CPUs that have it."""
    online = _cpu_list.parse(files.cpus(root, f"{CPU}/online") or "")
    found = {
        setting: files.grouped({cpu: files.word(root, f"{CPU}/cpu{cpu}/cpufreq/{file}") for cpu in online})
        for setting, file in FREQUENCY_FILES.items()
    }
    found["disabled_idle_states"] = files.grouped({cpu: disabled_idle_states(root, cpu) for cpu in online})
    found["resume_latency_us"] = files.grouped(
        {cpu: files.word(root, f"{CPU}/cpu{cpu}/power/pm_qos_resume_latency_us") for cpu in online}
    )
    return found


def disabled_idle_states(root: str, cpu: int) -> str | None:
    """Return the names of the states into which a CPU must not go, "none" without any; None if it has no states."""
    place = f"{CPU}/cpu{cpu}/cpuidle"
    states = [f"state{number}" for number in files.numbered(root, place, "state")]
    if not states:
        return None
    disabled = [state for state in states if files.switch(root, f"{place}/{state}/disable")]
    return ",".join(files.word(root, f"{place}/{state}/name") or state for state in disabled) or "none"
