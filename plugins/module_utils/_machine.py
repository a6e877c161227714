# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine is and has, read from it without changing or needing anything."""

from __future__ import annotations

import dataclasses
import glob
import os
import platform
import re
import shutil
import subprocess
import tempfile

from ansible_collections.detnet.testbed.plugins.module_utils import _accelerator

RUNTIMES = ("podman", "docker", "runc", "crun")
PROGRAMS = (
    _accelerator.QEMU,
    "libvirtd",
    "podman",
    "ovs-vswitchd",
    "mmdebstrap",
    "meson",
)  # one of each package
APT_TIMEOUT_S = 10


@dataclasses.dataclass(frozen=True)
class Nic:
    """A network interface with a device behind it; speed_mbps is None where the driver does not say."""

    name: str
    driver: str
    speed_mbps: int | None


@dataclasses.dataclass(frozen=True)
class Pages:
    """The hugepages of one size."""

    size_kib: int
    total: int
    free: int


@dataclasses.dataclass(frozen=True)
class Machine:
    """What was read. Memory and disk in MiB."""

    distribution: str  # as people know it: "Debian GNU/Linux 12 (bookworm)"
    families: tuple[str, ...]  # ID and ID_LIKE of os-release
    architecture: str
    root: bool
    cpus: int
    isolated_cpus: str
    memory_mib: int
    available_mib: int
    pages: tuple[Pages, ...]
    hugetlbfs: tuple[str, ...]  # mount points
    kvm_device: bool
    kvm_runs: bool | None  # None: not tried, there is no QEMU
    iommu_groups: int
    vfio: bool
    nics: tuple[Nic, ...]
    cgroups: str  # "v1", "hybrid", "v2" or "none"
    init: str  # the name of PID 1
    runtimes: tuple[str, ...]
    missing_programs: tuple[str, ...]
    disk_path: str
    disk_free_mib: int
    apt_error: str | None  # None: the package mirror answers


def read(cache_dir: str, root: str = "/") -> Machine:
    """Return what the machine is whose file system is at root; tries KVM for some seconds, and the mirror."""
    release = _os_release(_text(root, "etc/os-release"))
    memory = _meminfo(_text(root, "proc/meminfo"))
    mounts = [line.split() for line in _text(root, "proc/self/mounts").splitlines()]
    kvm_device = os.path.exists(os.path.join(root, "dev/kvm"))
    disk = _existing(cache_dir)
    return Machine(
        distribution=release.get("PRETTY_NAME", "unknown"),
        families=(release.get("ID", ""), *release.get("ID_LIKE", "").split()),
        architecture=platform.machine(),
        root=os.geteuid() == 0,
        cpus=len(os.sched_getaffinity(0)),
        isolated_cpus=_text(root, "sys/devices/system/cpu/isolated").strip(),
        memory_mib=memory.get("MemTotal", 0) // 1024,
        available_mib=memory.get("MemAvailable", 0) // 1024,
        pages=_pages(root),
        hugetlbfs=tuple(mount[1] for mount in mounts if mount[2] == "hugetlbfs"),
        kvm_device=kvm_device,
        kvm_runs=_kvm_runs() if kvm_device else False,
        iommu_groups=len(glob.glob(os.path.join(root, "sys/kernel/iommu_groups/*"))),
        vfio=os.path.exists(os.path.join(root, "dev/vfio/vfio")),
        nics=_nics(root),
        cgroups=_cgroups({mount[2] for mount in mounts if mount[1].startswith("/sys/fs/cgroup")}),
        init=_text(root, "proc/1/comm").strip(),
        runtimes=tuple(filter(shutil.which, RUNTIMES)),
        missing_programs=tuple(program for program in PROGRAMS if not shutil.which(program)),
        disk_path=disk,
        disk_free_mib=shutil.disk_usage(disk).free >> 20,
        apt_error=_apt_error(),
    )


def _text(root: str, path: str) -> str:
    """Return a file's text, empty if it cannot be read: then the machine does not have what it tells of."""
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _os_release(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, _equals, value in pairs}


def _meminfo(text: str) -> dict[str, int]:
    """Return the values of /proc/meminfo that are in KiB."""
    return {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}


def _pages(root: str) -> tuple[Pages, ...]:
    found = []
    for directory in sorted(glob.glob(os.path.join(root, "sys/kernel/mm/hugepages/hugepages-*kB"))):
        size_kib = int(os.path.basename(directory)[len("hugepages-") : -len("kB")])
        total, free = (int(_text(directory, f"{name}_hugepages") or 0) for name in ("nr", "free"))
        found.append(Pages(size_kib, total, free))
    return tuple(sorted(found, key=lambda pages: pages.size_kib))


def _nics(root: str) -> tuple[Nic, ...]:
    found = []
    for directory in sorted(glob.glob(os.path.join(root, "sys/class/net/*"))):
        driver = os.path.join(directory, "device/driver")
        if os.path.exists(driver):  # a virtual interface has no device
            speed = _text(directory, "speed").strip()
            known = int(speed) if speed.isdigit() else None  # -1: the driver does not know
            found.append(Nic(os.path.basename(directory), os.path.basename(os.path.realpath(driver)), known))
    return tuple(found)


def _cgroups(types: set[str]) -> str:
    if types >= {"cgroup", "cgroup2"}:
        return "hybrid"
    return "v2" if "cgroup2" in types else "v1" if "cgroup" in types else "none"


def _existing(path: str) -> str:
    """Return path, or the directory nearest above it that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _kvm_runs() -> bool | None:
    return _accelerator.kvm_works() if shutil.which(_accelerator.QEMU) else None


def _apt_error() -> str | None:
    """Return why the package mirror does not answer, None if it does; apt itself asks, by its own proxies."""
    try:
        listed = _run(["apt-get", "--print-uris", "update"])
        uri = re.search(r"^'([^']+)'", listed, re.MULTILINE)
        if not uri:
            return "no package source is configured"
        with tempfile.TemporaryDirectory() as directory:
            _run(["/usr/lib/apt/apt-helper", "download-file", uri[1], os.path.join(directory, "index")])
    except FileNotFoundError:
        return "there is no apt"
    except subprocess.TimeoutExpired:
        return f"the mirror did not answer within {APT_TIMEOUT_S} s"
    except subprocess.CalledProcessError as exc:
        said: list[str] = exc.stderr.strip().splitlines()
        return said[-1] if said else f"apt exited with {exc.returncode}"
    return None


def _run(command: list[str]) -> str:
    finished = subprocess.run(command, check=True, capture_output=True, text=True, timeout=APT_TIMEOUT_S)
    return finished.stdout
