"""What a reader needs to know of the host and the programs to judge the figures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _host_state

from benchmarks.switch.open_vswitch import PROGRAM as OVS_VSWITCHD

if t.TYPE_CHECKING:
    from benchmarks.switch.machine import Cores

FLAGS = ("sse4_2", "avx2", "avx512f", "avx512bw", "pclmulqdq", "constant_tsc", "nonstop_tsc", "hypervisor")
CPU = Path("/sys/devices/system/cpu")


def cpu_info() -> dict[str, str]:
    """Return what /proc/cpuinfo says of the first core."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _colon, value in pairs}


def content(path: Path) -> str:
    """Return what a file of the kernel says; empty where the kernel has none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def first_line(*command: str) -> str:
    """Return the first line that a program prints; empty where it is missing."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return next(iter(done.stdout.splitlines()), "")


def caches() -> dict[str, str]:
    """Return the size of each cache of the first core."""
    found = {}
    for index in sorted((CPU / "cpu0/cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(content(index / "type"), "")
        found[f"L{content(index / 'level')}{kind}"] = content(index / "size")
    return found


def version(text: str) -> str:
    """Return the number in a line like "ovs-vswitchd (Open vSwitch) 3.1.0"."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else ""


def commit() -> str:
    """Return the collection's commit, with a mark if files differ from it."""
    return first_line("git", "describe", "--always", "--abbrev=12", "--dirty")


def fingerprint(cores: Cores, state: Path) -> dict[str, t.Any]:
    """Return the host's state and its fingerprint, as the module host_state has them, and what is measured with."""
    info = cpu_info()
    flags = set(info["flags"].split())
    host = _host_state.read()
    return {
        "fingerprint": _host_state.fingerprint(host),
        "cpu": info["model name"],
        "cpu_family_model_stepping": [int(info[key]) for key in ("cpu family", "model", "stepping")],
        "cpu_mhz": float(info["cpu MHz"]),
        "flags": [flag for flag in FLAGS if flag in flags],
        "caches": caches(),
        "cores_used": {"control": cores.control, "generator": cores.generator, "data": cores.data},
        "state_file_system": first_line("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", str(state)),
        "dpdk": version(first_line("pkg-config", "--modversion", "libdpdk")),
        "open_vswitch": version(first_line(OVS_VSWITCHD, "--version")),
        "compiler": first_line("gcc", "--version"),
        "collection": commit(),
        "state": host,
    }


def load_average() -> list[float]:
    return list(os.getloadavg())
