# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from what a machine is: for each capability what was found, its consequence and the way out.

Nothing here touches the machine.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._machine import Machine

# What the pocket testbed takes: three guests and two switches on hugepages, and what builds and runs them.
POCKET_MEMORY_MIB = 3072
POCKET_DISK_MIB = 4096
POCKET_CPUS = 2

# Drivers of NICs that sort packets to VMs by MAC address and VLAN (VMDq) under DPDK.
VMDQ_DRIVERS = ("ixgbe", "i40e")

GOOD = "good"
LIMITED = "limited"  # works, with the consequence
BLOCKING = "blocking"  # the pocket testbed cannot run


@dataclasses.dataclass(frozen=True)
class Finding:
    """One capability: its status, what was found, and if it is not good, what follows and what to do."""

    capability: str
    status: str
    found: str
    consequence: str = ""
    remedy: str = ""


def assess(machine: Machine) -> list[Finding]:
    """Return the findings about a machine, in the order in which a person wants to read them."""
    return [judge(machine) for judge in JUDGES]


def pocket_possible(findings: t.Iterable[Finding]) -> bool:
    """Return whether the pocket testbed can run at all."""
    return all(finding.status != BLOCKING for finding in findings)


def system(machine: Machine) -> Finding:
    found = f"{machine.distribution}, {machine.architecture}, {'root' if machine.root else 'not root'}"
    if "debian" not in machine.families or machine.architecture != "x86_64":
        consequence, remedy = (
            "the roles know only Debian's packages on x86_64",
            "use Debian 12 or 13 on x86_64",
        )
    elif not machine.root:
        consequence, remedy = "nothing can be installed or started", "become root"
    else:
        return Finding("system", GOOD, found)
    return Finding("system", BLOCKING, found, consequence, remedy)


def packages(machine: Machine) -> Finding:
    if machine.apt_error is None:
        return Finding("packages", GOOD, "the package mirror answers")
    remedy = "correct /etc/apt/sources.list or apt's proxy"
    if machine.missing_programs:
        missing = ", ".join(machine.missing_programs)
        return Finding(
            "packages", BLOCKING, machine.apt_error, f"these cannot be installed: {missing}", remedy
        )
    consequence = "what is installed serves, but new images cannot be built"
    return Finding("packages", LIMITED, machine.apt_error, consequence, remedy)


def processors(machine: Machine) -> Finding:
    found = f"{machine.cpus} CPUs, isolated: {machine.isolated_cpus or 'none'}"
    if machine.cpus < POCKET_CPUS:
        return Finding(
            "processors", BLOCKING, found, "switches and guests starve each other", "give it 2 CPUs"
        )
    if not machine.isolated_cpus:
        consequence = "whatever else runs adds to the latency; fine for trying, not for measuring"
        return Finding("processors", LIMITED, found, consequence, "boot with isolcpus= for the data cores")
    return Finding("processors", GOOD, found)


def memory(machine: Machine) -> Finding:
    # Reserved pages are not available memory, but they are what the testbed wants it for.
    usable = machine.available_mib + sum(pages.free * pages.size_kib for pages in machine.pages) // 1024
    found = f"{machine.memory_mib} MiB, {usable} usable"
    if usable < POCKET_MEMORY_MIB:
        consequence = f"the pocket testbed takes {POCKET_MEMORY_MIB} MiB"
        return Finding("memory", BLOCKING, found, consequence, "end what uses the memory, or add some")
    return Finding("memory", GOOD, found)


def hugepages(machine: Machine) -> Finding:
    if not machine.pages:
        consequence = "neither switch nor guest has memory that they can share"
        return Finding(
            "hugepages", BLOCKING, "the kernel has none", consequence, "boot a kernel with hugetlbfs"
        )
    sizes = ", ".join(
        f"{pages.free} of {pages.total} free ({pages.size_kib // 1024} MiB each)" for pages in machine.pages
    )
    found = f"{sizes}; mounted at {', '.join(machine.hugetlbfs) or 'no place'}"
    if any(pages.total for pages in machine.pages) and machine.hugetlbfs:
        return Finding("hugepages", GOOD, found)
    consequence = "the role host_tuning reserves and mounts them; late after boot it may not find whole pages"
    return Finding(
        "hugepages", LIMITED, found, consequence, "reserve them at boot: hugepages= on the kernel's line"
    )


def kvm(machine: Machine) -> Finding:
    slow = "guests run under TCG, several times slower; good for function, not for figures"
    if not machine.kvm_device:
        return Finding(
            "KVM", LIMITED, "there is no /dev/kvm", slow, "switch on virtualization in the firmware or host"
        )
    if machine.kvm_runs is None:
        later = "whether a guest runs under it is found out when the first VM is created"
        return Finding(
            "KVM", LIMITED, "/dev/kvm is there, QEMU is not", later, "install qemu-system-x86, ask again"
        )
    if not machine.kvm_runs:
        found = "/dev/kvm is there, but a guest does not run under it"
        return Finding(
            "KVM", LIMITED, found, slow, "switch on nested virtualization in the host, or use another"
        )
    return Finding("KVM", GOOD, "a guest runs under it")


def iommu(machine: Machine) -> Finding:
    found = f"{machine.iommu_groups} IOMMU groups, vfio {'there' if machine.vfio else 'missing'}"
    if machine.iommu_groups and machine.vfio:
        return Finding("IOMMU", GOOD, found)
    consequence = "DPDK cannot drive a NIC safely; uplinks are kernel interfaces (af_packet)"
    remedy = "switch on VT-d or AMD-Vi in the firmware, boot with intel_iommu=on iommu=pt, load vfio-pci"
    return Finding("IOMMU", LIMITED, found, consequence, remedy)


def nics(machine: Machine) -> Finding:
    def line(name: str, driver: str, speed_mbps: int | None) -> str:
        speed = f"{speed_mbps} Mbit/s" if speed_mbps is not None else "speed unknown"
        vmdq = ", VMDq" if driver in VMDQ_DRIVERS else ""
        return f"{name} ({driver}, {speed}{vmdq})"

    found = ", ".join(line(nic.name, nic.driver, nic.speed_mbps) for nic in machine.nics) or "none"
    if any(nic.driver in VMDQ_DRIVERS for nic in machine.nics):
        return Finding("NICs", GOOD, found)
    consequence = "packets are sorted to VMs in software; the pocket testbed needs no NIC"
    return Finding(
        "NICs", LIMITED, found, consequence, f"for VMDq, a NIC of the drivers {', '.join(VMDQ_DRIVERS)}"
    )


def cgroups(machine: Machine) -> Finding:
    if machine.cgroups == "v2":
        return Finding("cgroups", GOOD, "v2")
    consequence = "crun refuses them; containers run under runc"
    return Finding(
        "cgroups", LIMITED, machine.cgroups, consequence, "boot with systemd.unified_cgroup_hierarchy=1"
    )


def services(machine: Machine) -> Finding:
    found = f"PID 1 is {machine.init}"
    if machine.init == "systemd":
        return Finding("services", GOOD, found)
    consequence = "the roles start daemons themselves; they are gone after a restart of the machine"
    return Finding("services", LIMITED, found, consequence, "boot with systemd for a testbed that comes back")


def containers(machine: Machine) -> Finding:
    found = ", ".join(machine.runtimes) or "no runtime"
    if {"podman", "docker"} & set(machine.runtimes):
        return Finding("containers", GOOD, found)
    consequence = "the role tagging_switch installs podman"
    return Finding("containers", LIMITED, found, consequence, "nothing to do, or apt-get install podman runc")


def disk(machine: Machine) -> Finding:
    found = f"{machine.disk_free_mib} MiB free below {machine.disk_path}"
    if machine.disk_free_mib < POCKET_DISK_MIB:
        consequence = f"the images and the guests' disks take {POCKET_DISK_MIB} MiB"
        return Finding(
            "disk", BLOCKING, found, consequence, "free some, or set testbed_cache_dir to a larger disk"
        )
    return Finding("disk", GOOD, found)


JUDGES: tuple[t.Callable[[Machine], Finding], ...] = (
    system,
    packages,
    processors,
    memory,
    hugepages,
    kvm,
    iommu,
    nics,
    cgroups,
    services,
    containers,
    disk,
)


def table(findings: t.Iterable[Finding], width: int = 110) -> str:
    """Return the findings as a text of lines no longer than width."""
    lines = []
    for finding in findings:
        rows = [finding.found]
        if finding.status != GOOD:
            rows += [finding.consequence, f"way out: {finding.remedy}"]
        margin = f"{finding.capability:<12}{finding.status:<10}"
        for row in rows:
            lines += textwrap.wrap(row, width, initial_indent=margin, subsequent_indent=" " * 24)
            margin = " " * 22
    return "\n".join(lines)
