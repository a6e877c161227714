# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up host as the small files from which its state is read, for the tests to write, change and break."""

from __future__ import annotations

import errno
import json
import struct
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
NET = "sys/class/net"
PCI = "sys/devices/pci0000:00"

CPUS = range(8)
ISOLATED = range(2, 8)
IRQS = {  # number: listener, asked, effective
    24: ("ACPI:Ged", "0-1", "0"),
    33: ("nvme0q0", "0-1", "1"),
    34: ("nvme0q3", "2", "2"),
    40: ("PCIe PME", "0-1", "0"),
    41: ("PCIe PME", "0-1", "0"),
    50: ("eth0-TxRx-0", "0-1", "1"),
}


def interrupts() -> str:
    lines = ["      " + "".join(f"{f'CPU{cpu}':>11}" for cpu in CPUS)]
    lines += [
        f"{irq:4}: {'         0 ' * len(CPUS)} IR-PCI-MSIX-0000:00:01.0 {irq - 20:4}-edge      {name}"
        for irq, (name, _asked, _effective) in IRQS.items()
    ]
    return "\n".join(
        [*lines, f" NMI: {'         0 ' * len(CPUS)}  Non-maskable interrupts", " ERR:          0"]
    )


def frequency(cpu: int) -> dict[str, str]:
    return {
        "cpufreq/scaling_governor": "performance" if cpu in ISOLATED else "powersave",
        "cpufreq/energy_performance_preference": "performance",
        "cpufreq/scaling_driver": "intel_pstate",
        "cpufreq/scaling_min_freq": "2600000" if cpu in ISOLATED else "800000",
        "cpufreq/scaling_max_freq": "2600000",
        "cpuidle/state0/name": "POLL",
        "cpuidle/state0/disable": "0",
        "cpuidle/state1/name": "C6",
        "cpuidle/state1/disable": "1" if cpu in ISOLATED else "0",
        "power/pm_qos_resume_latency_us": "0",
    }


FILES: dict[str, str] = {
    "sys/class/dmi/id/sys_vendor": "Maker",
    "sys/class/dmi/id/product_name": "R 2000",
    "sys/class/dmi/id/bios_version": "1.7.2",
    "sys/class/dmi/id/bios_date": "03/01/2026",
    "proc/sys/kernel/osrelease": "6.1.0-28-amd64",
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro isolcpus=managed_irq,domain,2-7 nohz_full=2-7 quiet",
    f"{CPU}/isolated": "2-7",
    f"{CPU}/nohz_full": "2-7",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "proc/sys/kernel/nmi_watchdog": "0",
    "proc/sys/kernel/numa_balancing": "0",
    "proc/sys/kernel/printk": "4\t4\t1\t7",
    "proc/sys/kernel/sched_rt_runtime_us": "-1",
    "proc/sys/kernel/timer_migration": "0",
    "proc/sys/kernel/watchdog": "0",
    "proc/sys/kernel/watchdog_cpumask": "0-7",
    "proc/sys/vm/stat_interval": "60",
    "proc/cpuinfo": "\n\n".join(
        f"processor\t: {cpu}\nmodel\t\t: 106\nmodel name\t: Xeon X\nmicrocode\t: 0xd0003a5" for cpu in CPUS
    ),
    f"{CPU}/online": "0-7",
    f"{CPU}/offline": "8-15",
    f"{CPU}/smt/control": "off",
    f"{CPU}/smt/active": "0",
    "sys/devices/system/machinecheck/machinecheck0/check_interval": "12c",
    f"{CPU}/intel_pstate/no_turbo": "1",
    f"{CPU}/vulnerabilities/spectre_v2": "Mitigation: Enhanced IBRS",
    f"{CPU}/vulnerabilities/meltdown": "Not affected",
    **{f"{CPU}/cpu{cpu}/{name}": text for cpu in CPUS for name, text in frequency(cpu).items()},
    "proc/interrupts": interrupts(),
    "proc/irq/default_smp_affinity": "03",
    **{f"proc/irq/{irq}/smp_affinity_list": asked for irq, (_name, asked, _effective) in IRQS.items()},
    **{
        f"proc/irq/{irq}/effective_affinity_list": effective
        for irq, (_name, _asked, effective) in IRQS.items()
    },
    "sys/devices/virtual/workqueue/cpumask": "03",
    "sys/devices/virtual/workqueue/writeback/cpumask": "03",
    **{
        f"{NODE}/node{node}/{name}": text
        for node in (0, 1)
        for name, text in {
            "meminfo": f"Node {node} MemTotal:       65536000 kB\nNode {node} MemFree:        1 kB",
            "hugepages/hugepages-2048kB/nr_hugepages": "512",
            "hugepages/hugepages-2048kB/free_hugepages": "500",
            "hugepages/hugepages-1048576kB/nr_hugepages": "0",
            "hugepages/hugepages-1048576kB/free_hugepages": "0",
        }.items()
    },
    "sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]",
    "sys/kernel/mm/transparent_hugepage/defrag": "always defer defer+madvise [madvise] never",
    "sys/kernel/mm/ksm/run": "0",
    "proc/self/mounts": "sysfs /sys sysfs rw 0 0\n"
    "hugetlbfs /dev/huge\\040pages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
    "resctrl /sys/fs/resctrl resctrl rw,relatime 0 0",
    f"{PCI}/0000:00:01.0/class": "0x020000",
    f"{PCI}/0000:00:01.0/numa_node": "1",
    f"{PCI}/0000:00:01.0/driver_override": "(null)",
    f"{PCI}/0000:00:01.0/sriov_numvfs": "4",
    f"{PCI}/0000:00:01.0/net/eth0/mtu": "9000",
    f"{PCI}/0000:00:01.0/net/eth0/speed": "25000",
    f"{PCI}/0000:00:01.0/net/eth0/queues/rx-0/rps_cpus": "00",
    f"{PCI}/0000:00:01.0/net/eth0/queues/rx-10/rps_cpus": "03",
    f"{PCI}/0000:00:01.0/net/eth0/queues/rx-9/rps_cpus": "03",
    f"{PCI}/0000:00:01.0/net/eth0/queues/tx-0/xps_cpus": "01",
    f"{PCI}/0000:00:02.0/class": "0x020000",
    f"{PCI}/0000:00:02.0/driver_override": "vfio-pci",
    f"{PCI}/0000:00:02.0/numa_node": "-1",
    f"{PCI}/0000:00:03.0/class": "0x010802",  # a disk
    "sys/devices/virtual/net/lo/mtu": "65536",
    "etc/tuned/active_profile": "detnet-testbed",
    "etc/default/irqbalance": '# comment\nIRQBALANCE_BANNED_CPULIST="2-7"',
    "run/systemd/system/multi-user.target": "",
    "proc/1/comm": "systemd",
    "proc/700/comm": "tuned",
    "sys/fs/resctrl/schemata": "    L3:0=7ff;1=7ff\n    MB:0=100;1=100",
    "sys/fs/resctrl/cpus_list": "0-1",
    "sys/fs/resctrl/switch/schemata": "    L3:0=700;1=700\n    MB:0=100;1=100",
    "sys/fs/resctrl/switch/cpus_list": "2-3",
    "sys/fs/resctrl/info/L3/num_closids": "16",
    "var/lib/dpkg/status": "\n\n".join(
        f"Package: {name}\nStatus: install ok {status}\nMaintainer: none\nArchitecture: amd64\nVersion: {version}\n"
        f"Description: none"
        for name, status, version in (
            ("tuned", "installed", "2.20.0-1"),
            ("dpdk", "installed", "22.11.7-1~deb12u1"),
            ("podman", "config-files", "4.3.1+ds1-8"),
            ("bash", "installed", "5.2.15-2"),
        )
    ),
}

LINKS = {
    f"{NET}/eth0": "../../devices/pci0000:00/0000:00:01.0/net/eth0",
    f"{NET}/lo": "../../devices/virtual/net/lo",
    f"{PCI}/0000:00:01.0/net/eth0/device": "../..",
    f"{PCI}/0000:00:01.0/driver": "../../../bus/pci/drivers/ice",
    f"{PCI}/0000:00:02.0/driver": "../../../bus/pci/drivers/vfio-pci",
    f"{PCI}/0000:00:03.0/driver": "../../../bus/pci/drivers/nvme",
    **{
        f"sys/bus/pci/devices/0000:00:0{device}.0": f"../../../devices/pci0000:00/0000:00:0{device}.0"
        for device in (1, 2, 3)
    },
}


def write(root: Path, files: dict[str, str], links: dict[str, str] | None = None) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    for name, target in (links or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return str(root)


def write_host(root: Path) -> str:
    return write(root, FILES, LINKS)


def ask(interface: str, request: bytes) -> bytes:
    """Answer as the driver of eth0 does, which knows rings, pause frames and versions."""
    command = struct.unpack("=I", request[:4])[0]
    if interface != "eth0":
        raise OSError(errno.ENODEV, "no such device")
    if command == 0x10:
        return struct.pack("=9I", command, 4096, 0, 0, 8192, 512, 0, 0, 1024)
    if command == 0x12:
        return struct.pack("=4I", command, 1, 0, 1)
    if command == 0x03:
        said = struct.pack("=I32s32s32s32s", command, b"ice", b"1.12.7", b"4.40 0x8001c7d4", b"0000:00:01.0")
        return said.ljust(len(request), b"\0")
    raise OSError(errno.EOPNOTSUPP, "not supported")


def is_json(value: t.Any) -> bool:
    return bool(json.loads(json.dumps(value)) == value)
