"""A large server as the small files from which its state is read, and one state document for each of many hosts."""

from __future__ import annotations

import errno
import json
import os
import typing as t
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _host_state

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
NICS, QUEUES, DISKS = 4, 64, 2
PAGE_SIZES_KIB = (2048, 1048576)

PER_CPU = {
    "cpufreq/scaling_governor": "powersave",
    "cpufreq/energy_performance_preference": "balance_performance",
    "cpufreq/scaling_driver": "intel_pstate",
    "cpufreq/scaling_min_freq": "800000",
    "cpufreq/scaling_max_freq": "3600000",
    "cpuidle/state0/name": "POLL",
    "cpuidle/state0/disable": "0",
    "cpuidle/state1/name": "C1",
    "cpuidle/state1/disable": "0",
    "cpuidle/state2/name": "C6",
    "cpuidle/state2/disable": "0",
    "power/pm_qos_resume_latency_us": "0",
}
ONCE = {
    "sys/class/dmi/id/product_name": "R 2000",
    "proc/sys/kernel/osrelease": "6.1.0-28-amd64",
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro quiet",
    f"{CPU}/isolated": "",
    f"{CPU}/nohz_full": "(null)",
    f"{CPU}/smt/control": "on",
    f"{CPU}/intel_pstate/no_turbo": "0",
    "sys/devices/system/machinecheck/machinecheck0/check_interval": "12c",
    "proc/sys/kernel/nmi_watchdog": "1",
    "proc/sys/kernel/numa_balancing": "1",
    "proc/sys/kernel/sched_rt_runtime_us": "950000",
    "proc/sys/kernel/timer_migration": "1",
    "proc/sys/vm/stat_interval": "1",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "sys/kernel/mm/ksm/run": "0",
}


def documents(topology: Topology, directory: Path, count: int) -> list[dict[str, t.Any]]:
    """Return the states of as many hosts. They differ in a few settings, and share no object."""
    for name, text in files(topology):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    for nic in range(NICS):
        (directory / f"sys/class/net/eth{nic}/device").mkdir(parents=True)
    text = json.dumps(_host_state.read(str(directory), silent))
    found = [json.loads(text) for _number in range(count)]
    for number, state in enumerate(found):
        state["machine"]["product"] = f"R {number}"
        state["network"]["interfaces"]["eth0"]["mtu_bytes"] = 1500 + number
        next(iter(state["interrupts"]["irqs"].values()))["effective_cpus"] = str(number % len(topology.cpus))
    return found


def silent(_interface: str, _request: bytes) -> bytes:
    """Answer for a driver that knows nothing, so that no device of this machine is asked."""
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def files(topology: Topology) -> Iterator[tuple[str, str]]:
    cpus = _cpu_list.text(topology.cpus)
    yield from ONCE.items()
    yield f"{CPU}/online", cpus
    yield "proc/cpuinfo", "\n\n".join(f"processor\t: {cpu}\nmodel name\t: Xeon X" for cpu in topology.cpus)
    for cpu in topology.cpus:
        yield from ((f"{CPU}/cpu{cpu}/{name}", text) for name, text in PER_CPU.items())
    for node in topology.nodes:
        for size in PAGE_SIZES_KIB:
            for name in ("nr_hugepages", "free_hugepages"):
                yield f"{NODE}/node{node}/hugepages/hugepages-{size}kB/{name}", "0"
    yield "sys/devices/virtual/workqueue/cpumask", _cpu_list.mask(topology.cpus)
    yield "sys/devices/virtual/workqueue/writeback/cpumask", _cpu_list.mask(topology.cpus)
    for nic in range(NICS):
        queues = f"sys/class/net/eth{nic}/queues"
        for queue in range(QUEUES):
            yield f"{queues}/rx-{queue}/rps_cpus", "0"
            yield f"{queues}/tx-{queue}/xps_cpus", _cpu_list.mask([queue])
    yield from interrupts(irqs(topology), len(topology.cpus))


def irqs(topology: Topology) -> dict[str, str]:
    """Return the CPUs of each interrupt: a NIC has one for each queue, a disk one for each CPU."""
    order = list(topology.cpus)
    found = {f"eth{nic}-TxRx-{queue}": str(order[queue]) for nic in range(NICS) for queue in range(QUEUES)}
    found |= {f"nvme{disk}q{place}": str(cpu) for disk in range(DISKS) for place, cpu in enumerate(order)}
    return found


def interrupts(cpus_of: Mapping[str, str], cpus: int) -> Iterator[tuple[str, str]]:
    table = ["".join(f"{f'CPU{cpu}':>11}" for cpu in range(cpus))]
    for irq, (name, listed) in enumerate(cpus_of.items(), start=24):
        table.append(f"{irq:4}: {'0 ' * cpus} IR-PCI-MSIX-0000:00:01.0 {irq}-edge      {name}")
        for file in ("smp_affinity_list", "effective_affinity_list"):
            yield f"proc/irq/{irq}/{file}", listed
    yield "proc/irq/default_smp_affinity", _cpu_list.mask(range(cpus))
    yield "proc/interrupts", "\n".join(table)
