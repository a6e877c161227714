"""65 small VMs on this machine: whether all answer, how soon the first does, what each costs, and the second run."""

from __future__ import annotations

import concurrent.futures
import contextlib
import subprocess
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._domain_xml import CREDENTIALS
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import DEFAULTS

from benchmarks.switch.process import BenchmarkError, running
from benchmarks.vms import memory, ssh
from benchmarks.vms.bed import ADDRESS, DIRECTORY, PORT_BASE, VIRSH, Bed, Entry, vms
from benchmarks.vms.command import run
from benchmarks.vms.contenders import Ours

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 65
AGAIN = 64
MEMORY_MIB = 96
LOGINS_AT_ONCE = 4
ALL = vms(range(COUNT), MEMORY_MIB)
PLAIN_PORT = PORT_BASE + COUNT


def measure_lean(bed: Bed) -> dict[str, float]:
    """Return the figures of one round, by their names."""
    ours = Ours(bed)
    figures = {
        "lean_boot_s": boot_s(ours, DEFAULTS["memory_mib"]),
        "lean_96_boot_s": boot_s(ours, MEMORY_MIB),
    }
    with plain_qemu(bed) as (_pid, began):
        figures["plain_boot_s"] = ssh.seconds_until_greeting(began, ADDRESS, PLAIN_PORT)

    created = ours.have(ALL, "running", "ssh")
    figures["lean_65_create_s"] = created.seconds
    with plain_qemu(bed) as (pid, began):
        ssh.seconds_until_greeting(began, ADDRESS, PLAIN_PORT)
        figures["lean_65_answered"] = answered(bed, created.only().result["vms"])
        figures["lean_overhead_mib"] = memory.mean([memory.of_domain(vm["name"], MEMORY_MIB) for vm in ALL])
        figures["plain_overhead_mib"] = memory.of_process(pid, MEMORY_MIB)
    figures |= again(ours, ALL[:AGAIN])
    figures["lean_65_delete_s"] = ours.have(ALL, "absent").seconds
    return figures


def boot_s(ours: Ours, memory_mib: int) -> float:
    """Return the seconds from `virsh start` of a VM to its greeting, while nothing else runs."""
    first = vms(range(1), memory_mib)
    ours.have(first, "present")
    began = time.monotonic()
    run([*VIRSH, "start", first[0]["name"]])
    took = ssh.seconds_until_greeting(began, ADDRESS, PORT_BASE + first[0]["id"])
    ours.have(first, "absent")
    return took


def answered(bed: Bed, results: list[dict[str, t.Any]]) -> int:
    """Return how many guests let us in, with the host key that the module said, and call themselves as they should."""
    known_hosts = DIRECTORY / "known_hosts"
    known_hosts.write_text("".join(f"{vm['known_hosts']}\n" for vm in results))

    def answers(vm: dict[str, t.Any]) -> bool:
        name: str = vm["name"]
        return ssh.host_name(ADDRESS, vm["management_port"], bed.key, known_hosts) == name

    with concurrent.futures.ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        return sum(pool.map(answers, results))


def again(ours: Ours, entries: list[Entry]) -> dict[str, float]:
    """Return the time of the module for VMs that run already, by default, and with a look at each one's SSH."""
    found = {}
    for name, wait_for in (("noop_64_s", "none"), ("noop_64_with_ssh_s", "ssh")):
        task = ours.have(entries, "running", wait_for).only()
        if task.result["changed"]:
            raise BenchmarkError("The second run changed something, so its time means nothing")
        found[name] = task.seconds
    return found


@contextlib.contextmanager
def plain_qemu(bed: Bed) -> Iterator[tuple[int, float]]:
    """Run the same VM by QEMU alone until the block ends; give its process id, and when it started."""
    disk, log = DIRECTORY / "plain.qcow2", DIRECTORY / "plain.log"
    root = bed.image / "root.ext4"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", root, "-F", "raw", disk], check=True)
    began = time.monotonic()
    with running("qemu", plain_command(bed, disk), log, {}) as process:
        yield process.pid, began


def plain_command(bed: Bed, disk: Path) -> list[str]:
    mac = "06:00:00:00:ff:ff"
    forward = f"hostfwd=tcp:{ADDRESS}:{PLAIN_PORT}-:22"
    return [
        *("/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", f"q35,accel={bed.accelerator},usb=off,memory-backend=memory"),
        *("-cpu", "host" if bed.accelerator == "kvm" else "max"),
        *("-m", f"{MEMORY_MIB}M"),
        *("-object", f"memory-backend-file,id=memory,size={MEMORY_MIB}M,mem-path=/dev/hugepages,share=on"),
        *("-kernel", str(bed.image / "vmlinuz"), "-initrd", str(bed.image / "initrd.img")),
        *("-append", f"{bed.kernel_words} ifname=mgmt0:{mac} ip=mgmt0:dhcp"),
        # Any key serves as the host's; a guest that is given none makes one.
        *("-fw_cfg", f"name={CREDENTIALS}/ssh.authorized_keys.root,file={bed.key.with_suffix('.pub')}"),
        *("-fw_cfg", f"name={CREDENTIALS}/ssh_host_ed25519_key,file={bed.key}"),
        *("-drive", f"file={disk},if=virtio,discard=unmap", "-serial", "stdio"),
        *("-netdev", f"user,id=mgmt,restrict=on,{forward}"),
        *("-device", f"virtio-net-pci,netdev=mgmt,mac={mac},romfile="),
    ]
