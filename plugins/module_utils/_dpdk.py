# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases of DPDK a machine has, and which drivers each of them has.

A release is found by its libdpdk.pc, as the compiler of a DPDK program finds it. The distribution's may be there
without one: then programs run with it, and none can be compiled.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import os
import re
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

PREFIX_DIR = "/opt/detnet-testbed/dpdk"
NOTE = "detnet-testbed.json"  # the role dpdk writes it into each prefix that it fills

DISTRIBUTION = "distribution"
LOCAL = "local"  # below /usr/local, by somebody's hand
PREFIX = "prefix"

# Where libdpdk.pc is below a prefix: the places of Debian, of most others, and of the role dpdk.
PC_FILES = ("lib/*/pkgconfig/libdpdk.pc", "lib64/pkgconfig/libdpdk.pc", "lib/pkgconfig/libdpdk.pc")
# Where the libraries are, if only those are installed.
LIBRARIES = ("lib/*/librte_eal.so.*", "lib64/librte_eal.so.*", "lib/librte_eal.so.*")

COMPLETE = "complete"
INCOMPLETE = "incomplete"  # the role dpdk began to fill it
FOREIGN = "foreign"  # nothing says that the role dpdk made it

# Of its libraries, DPDK calls these drivers. Those of its core have no second part (librte_net), or another first one.
CLASSES = (
    "baseband",
    "bus",
    "common",
    "compress",
    "crypto",
    "dma",
    "event",
    "gpu",
    "mempool",
    "ml",
    "net",
    "power",
    "raw",
    "regex",
    "vdpa",
)
DRIVER = re.compile(rf"librte_({'|'.join(CLASSES)})_(\w+)\.(?:a|so(?:\.\d+)*)")
VARIABLE = re.compile(r"(\w+)=(.*)")
FIELD = re.compile(r"(\w[\w.]*):(.*)")
REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclasses.dataclass(frozen=True)
class Installation:
    """One release of DPDK, and how to compile for it."""

    version: str | None  # None: its libdpdk.pc does not say
    origin: str
    prefix: str
    pkg_config_path: str | None  # None: no program can be compiled for it
    state: str
    drivers: tuple[str, ...]  # as meson knows them: "net/virtio"
    package: str | None  # the distribution's, with its version
    built: dict[str, t.Any] | None  # what the role dpdk noted about its build


@dataclasses.dataclass(frozen=True)
class PkgConfig:
    """What a .pc file says, as far as it is asked."""

    version: str | None
    libdir: str | None


def parse_pkg_config(text: str) -> PkgConfig:
    """Return what a .pc file says; a value that refers to a variable that is not there is not known."""
    variables: dict[str, str] = {}
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if found := VARIABLE.fullmatch(line.strip()):
            variables[found[1]] = _resolved(found[2], variables)
        elif found := FIELD.fullmatch(line.strip()):
            fields[found[1]] = _resolved(found[2].strip(), variables)
    version, libdir = fields.get("Version", ""), variables.get("libdir", "")
    return PkgConfig(version or None, libdir if libdir.startswith("/") else None)


def _resolved(value: str, variables: dict[str, str]) -> str:
    # A file may only refer to what it said before, so one pass is enough.
    return REFERENCE.sub(lambda found: variables.get(found[1], found[0]), value)


def drivers_of(libraries: t.Iterable[str]) -> tuple[str, ...]:
    """Return the drivers among the file names of libraries, each once, in order."""
    found = filter(None, map(DRIVER.fullmatch, libraries))
    return tuple(sorted({f"{driver[1]}/{driver[2]}" for driver in found}))


def state_of(note: str | None) -> tuple[str, dict[str, t.Any] | None]:
    """Return how far a prefix is by its note, and what was noted.

    The note is there before the first file of the prefix, and says last that all are there. If it cannot be read, as
    after a power cut, nothing is known, and the prefix counts as incomplete.
    """
    if note is None:
        return FOREIGN, None
    try:
        built = json.loads(note)
    except ValueError:
        return INCOMPLETE, None
    if not isinstance(built, dict):
        return INCOMPLETE, None
    return (COMPLETE if built.get("state") == COMPLETE else INCOMPLETE), built


def package_of(listed: str) -> str | None:
    """Return the package that has DPDK, and its version, from what dpkg-query lists; None if none is installed.

    The package with the headers goes before the one with the core library, whose name has the number of its ABI.
    """
    lines = (line.split("\t") for line in listed.splitlines())
    installed = {
        name: version for name, version, status in (x for x in lines if len(x) == 3) if status == "installed"
    }
    for name in sorted(installed, key=lambda name: (name != "libdpdk-dev", name)):
        return f"{name} {installed[name]}"
    return None


def upstream_version(package: str | None) -> str | None:
    """Return the release in "librte-eal23 22.11.11-0+deb12u1": 22.11.11."""
    found = re.search(r" (?:\d+:)?([\d.]+)", package or "")
    return found[1] if found else None


def read(prefix_dir: str = PREFIX_DIR, root: str = "/") -> list[Installation]:
    """Return the releases that the machine has whose file system is at root: the distribution's before others."""
    found = [*_system(root), *_below("/usr/local", LOCAL, root)]
    for directory in sorted(glob.glob(os.path.join(glob.escape(_inside(root, prefix_dir)), "*/"))):
        state, built = state_of(_sysfs.text(directory, NOTE))
        found += [
            dataclasses.replace(installation, state=state, built=built)
            for installation in _below("/" + os.path.relpath(directory, root), PREFIX, root)
        ]
    return found


def _system(root: str) -> list[Installation]:
    package = package_of(_dpkg_query(root))
    found = _below("/usr", DISTRIBUTION, root)
    if found or package is None:
        return [dataclasses.replace(installation, package=package) for installation in found]
    # No headers: the core library tells where the drivers are.
    for library in _matches(root, "/usr", LIBRARIES)[:1]:
        drivers = drivers_of(_sysfs.names(os.path.dirname(library), ""))
        version = upstream_version(package)
        return [Installation(version, DISTRIBUTION, "/usr", None, COMPLETE, drivers, package, None)]
    return []


def _below(prefix: str, origin: str, root: str) -> list[Installation]:
    """Return what is installed in a prefix: one release, or one for each place of libdpdk.pc, as with multiarch."""
    found = []
    for path in _matches(root, prefix, PC_FILES):
        config = parse_pkg_config(_sysfs.text("/", path) or "")
        directory = os.path.dirname(path)
        libdir = _inside(root, config.libdir) if config.libdir else os.path.dirname(directory)
        pkg_config_path = "/" + os.path.relpath(directory, root)
        drivers = drivers_of(_sysfs.names(libdir, ""))
        found.append(
            Installation(config.version, origin, prefix, pkg_config_path, COMPLETE, drivers, None, None)
        )
    return found


def _inside(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _matches(root: str, prefix: str, patterns: t.Iterable[str]) -> list[str]:
    """Return the files of these patterns in a prefix, each once, even if lib64 is a link to lib."""
    place = glob.escape(_inside(root, prefix))
    paths = [path for pattern in patterns for path in sorted(glob.glob(os.path.join(place, pattern)))]
    return list({os.path.realpath(path): path for path in reversed(paths)}.values())[::-1]


def _dpkg_query(root: str) -> str:
    """Return name, version and status of the packages that could have DPDK; nothing where there is no dpkg."""
    command = [
        "dpkg-query",
        f"--admindir={os.path.join(root, 'var/lib/dpkg')}",
        "--show",
        "--showformat=${Package}\\t${Version}\\t${db:Status-Status}\\n",
        "libdpdk-dev",
        "librte-eal*",
    ]
    try:
        # It fails if one of the names is not known, and lists the others all the same.
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
