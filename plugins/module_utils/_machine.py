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

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _accelerator,
    _host_state,
    _state_memory,
    _sysfs,
)

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
    state = _host_state.read(root)
    release = _os_release(_sysfs.text(root, "etc/os-release") or "")
    mounts = [line.split() for line in (_sysfs.text(root, "proc/self/mounts") or "").splitlines()]
    kvm_device = os.path.exists(os.path.join(root, "dev/kvm"))
    disk = _existing(cache_dir)
    return Machine(
        distribution=release.get("PRETTY_NAME", "unknown"),
        families=(release.get("ID", ""), *release.get("ID_LIKE", "").split()),
        architecture=platform.machine(),
        root=os.geteuid() == 0,
        cpus=len(os.sched_getaffinity(0)),
        isolated_cpus=state["kernel"]["isolated_cpus"] or "",
        memory_mib=sum(node["memory_mib"] or 0 for node in state["memory"]["nodes"].values()),
        available_mib=_state_memory.available_mib(root) or 0,
        pages=_pages(state),
        hugetlbfs=tuple(state["memory"]["hugetlbfs_mounts"]),
        kvm_device=kvm_device,
        kvm_runs=_kvm_runs() if kvm_device else False,
        iommu_groups=len(glob.glob(os.path.join(root, "sys/kernel/iommu_groups/*"))),
        vfio=os.path.exists(os.path.join(root, "dev/vfio/vfio")),
        nics=tuple(
            Nic(name, nic["driver"] or "no driver", nic["speed_mbps"])
            for name, nic in state["network"]["interfaces"].items()
        ),
        cgroups=_cgroups({mount[2] for mount in mounts if mount[1].startswith("/sys/fs/cgroup")}),
        init=_sysfs.text(root, "proc/1/comm") or "",
        runtimes=tuple(filter(shutil.which, RUNTIMES)),
        missing_programs=tuple(program for program in PROGRAMS if not shutil.which(program)),
        disk_path=disk,
        disk_free_mib=shutil.disk_usage(disk).free >> 20,
        apt_error=_apt_error(),
    )


def _os_release(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, _equals, value in pairs}


def _pages(state: _host_state.Document) -> tuple[Pages, ...]:
    """Return the pages of all nodes by size."""
    found: dict[int, list[int]] = {}
    for node in state["memory"]["nodes"].values():
        for size_kib, pages in node["hugepages_by_size_kib"].items():
            sums = found.setdefault(int(size_kib), [0, 0])
            sums[0] += pages["total"] or 0
            sums[1] += pages["free"] or 0
    return tuple(Pages(size_kib, *found[size_kib]) for size_kib in sorted(found))


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
