# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the kernel's own work on housekeeping's CPUs: interrupts, workqueues, and what network queues hand over.

Source: Documentation/core-api/irq/irq-affinity.rst, core-api/workqueue.rst and networking/scaling.rst of Linux.
"""

from __future__ import annotations

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import value_at
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Document,
    Home,
    Part,
    Value,
    nested,
)

IRQ = "/proc/irq"
WORKQUEUES = "/sys/devices/virtual/workqueue"
INTERFACES = "/sys/class/net"
WATCHDOG = "/proc/sys/kernel/watchdog_cpumask"
QUEUE_FILES = {"rx": "rps_cpus", "tx": "xps_cpus"}


def of_host(home: Home, state: Document) -> Part:
    """Return the part; nothing where no CPU is isolated, for then there is nothing to keep away from."""
    part = Part()
    if home.isolated:
        part.add(interrupts(home, state))
        part.add(irqbalance(home, state))
        part.add(workqueues(home, state))
        part.add(network_queues(home, state))
        part.add(watchdog(home, state))
    return part


def interrupts(home: Home, state: Document) -> Part:
    """Move each interrupt, and those to come. Managed ones refuse, and isolcpus=managed_irq keeps them away."""
    cpus = home.housekeeping_list
    part = Part(
        values=[
            Value(
                f"{IRQ}/default_smp_affinity",
                home.housekeeping_mask,
                at_boot=f"{IRQ}/default_smp_affinity",
            )
        ],
        wanted={
            "interrupts": {
                "default_cpus": cpus,
                "irqs": {"*": {"asked_cpus": cpus, "effective_cpus": cpus}},
            }
        },
    )
    balanced = value_at(state, ("services", "irqbalance", "running"))
    for irq in value_at(state, ("interrupts", "irqs")).values():
        if balanced and set(_cpu_list.parse(irq["asked_cpus"] or "")) <= set(home.housekeeping):
            continue  # it chooses among housekeeping's CPUs, and what was chosen here it would change
        # Each boot numbers them anew.
        part.values.append(
            Value(
                f"{IRQ}/{irq['irq']}/smp_affinity_list", cpus, True, at_boot=f"{IRQ}/[0-9]*/smp_affinity_list"
            )
        )
    return part


def irqbalance(home: Home, state: Document) -> Part:
    part = Part()
    if value_at(state, ("services", "irqbalance", "running")):
        part.wanted = nested(("services", "irqbalance", "banned_cpus"), _cpu_list.text(home.isolated))
    else:
        part.skip("irqbalance", "it does not run")
    return part


def workqueues(home: Home, state: Document) -> Part:
    """Keep unbound work at home; workqueues with CPUs of their own in sysfs are asked, too."""
    part = Part()
    found = value_at(state, ("interrupts",))
    if found["unbound_workqueue_cpus"] is None:
        part.skip("workqueues", f"this kernel has no {WORKQUEUES}/cpumask")
        return part
    path = f"{WORKQUEUES}/cpumask"
    part.values.append(Value(path, home.housekeeping_mask, at_boot=path))
    part.wanted = nested(("interrupts", "unbound_workqueue_cpus"), home.housekeeping_list)
    for name in found["workqueues"]:
        path = f"{WORKQUEUES}/{name}/cpumask"
        part.values.append(Value(path, home.housekeeping_mask, at_boot=path))
        part.wanted["interrupts"].setdefault("workqueues", {})[name] = {"cpus": home.housekeeping_list}
    return part


def network_queues(home: Home, state: Document) -> Part:
    """Have packets handled where their interrupt is (no RPS), and queues to send by chosen for housekeeping (XPS)."""
    part = Part()
    for interface, of in value_at(state, ("network", "interfaces")).items():
        for queue, cpus in of["queues"].items():
            file = QUEUE_FILES[queue.partition("-")[0]]
            if cpus[file] is None:  # one queue to send by is everybody's
                continue
            chosen = () if file == "rps_cpus" else home.housekeeping
            path = f"{INTERFACES}/{interface}/queues/{queue}/{file}"
            part.values.append(Value(path, _cpu_list.mask(chosen), at_boot=path))
            keys = ("network", "interfaces", interface, "queues", queue, file)
            part.add(Part(wanted=nested(keys, _cpu_list.text(chosen))))
    return part


def watchdog(home: Home, state: Document) -> Part:
    """Have the watchdog's threads on housekeeping's CPUs; nohz_full does the same."""
    part = Part()
    if value_at(state, ("kernel", "watchdog_cpus")) is None:
        part.skip("kernel.watchdog_cpumask", "this kernel has no watchdog of lockups")
    else:
        part.values.append(Value(WATCHDOG, home.housekeeping_list, at_boot=WATCHDOG))
        part.wanted = nested(("kernel", "watchdog_cpus"), home.housekeeping_list)
    return part
