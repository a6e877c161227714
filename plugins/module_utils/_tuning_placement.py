# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the kernel's own work on housekeeping's CPUs: interrupts, workqueues, and what network queues hand over.

Source: Documentation/core-api/irq/irq-affinity.rst, core-api/workqueue.rst and networking/scaling.rst of Linux.
"""

from __future__ import annotations

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cpu_list,
    _state_interrupts,
    _state_network,
)
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import value_at
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_part import (
    Document,
    Home,
    Part,
    Value,
    left_alone,
    nested,
    setting,
)

IRQ = f"/{_state_interrupts.IRQS}"
WORKQUEUES = f"/{_state_interrupts.WORKQUEUES}"
INTERFACES = f"/{_state_network.INTERFACES}"
WATCHDOG = "/proc/sys/kernel/watchdog_cpumask"


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
    default = f"{IRQ}/default_smp_affinity"
    part = setting(default, home.housekeeping_mask, ("interrupts", "default_cpus"), cpus)
    part.wanted["interrupts"]["irqs"] = {"*": {"asked_cpus": cpus, "effective_cpus": cpus}}
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
    if not value_at(state, ("services", "irqbalance", "running")):
        return left_alone("irqbalance", "it does not run")
    return Part(wanted=nested(("services", "irqbalance", "banned_cpus"), _cpu_list.text(home.isolated)))


def workqueues(home: Home, state: Document) -> Part:
    """Keep unbound work at home; workqueues with CPUs of their own in sysfs are asked, too."""
    found = value_at(state, ("interrupts",))
    if found["unbound_workqueue_cpus"] is None:
        return left_alone("workqueues", f"this kernel has no {WORKQUEUES}/cpumask")
    mask, cpus = home.housekeeping_mask, home.housekeeping_list
    part = setting(f"{WORKQUEUES}/cpumask", mask, ("interrupts", "unbound_workqueue_cpus"), cpus)
    for name in found["workqueues"]:
        keys = ("interrupts", "workqueues", name, "cpus")
        part.add(setting(f"{WORKQUEUES}/{name}/cpumask", mask, keys, cpus))
    return part


def network_queues(home: Home, state: Document) -> Part:
    """Have packets handled where their interrupt is (no RPS), and queues to send by chosen for housekeeping (XPS)."""
    part = Part()
    for interface, of in value_at(state, ("network", "interfaces")).items():
        for queue, files in of["queues"].items():
            for file, real in files.items():
                if real is None:  # one queue to send by is everybody's
                    continue
                chosen = () if file == _state_network.QUEUE_FILES["rx"] else home.housekeeping
                path = f"{INTERFACES}/{interface}/queues/{queue}/{file}"
                keys = ("network", "interfaces", interface, "queues", queue, file)
                part.add(setting(path, _cpu_list.mask(chosen), keys, _cpu_list.text(chosen)))
    return part


def watchdog(home: Home, state: Document) -> Part:
    """Have the watchdog's threads on housekeeping's CPUs; nohz_full does the same."""
    keys = ("kernel", "watchdog_cpus")
    if value_at(state, keys) is None:
        return left_alone("kernel.watchdog_cpumask", "this kernel has no watchdog of lockups")
    return setting(WATCHDOG, home.housekeeping_list, keys, home.housekeeping_list)
