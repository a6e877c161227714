"""What a machine has that a testbed could change, as one JSON document in a stable order.

Left out, because they change by themselves or belong to packages: what a person or a test is running, logs,
the package manager's files, and the cache, which teardown keeps.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

WATCHED = ("/etc", "/run", "/var/lib", "/usr/local", "/opt", "/srv", "/dev/hugepages", "/root/.local")
IGNORED = (
    "/etc/apparmor.d/cache",
    "/etc/ld.so.cache",
    "/run/containers",  # podman's own, made by any podman command
    "/run/host_tuning_survives_reboot",  # a server that scenarios emulate beside the testbed
    "/run/libpod",
    "/run/libvirt",  # libvirt's own, left when it ends; domains are listed apart
    "/run/lock",
    "/run/runc",
    "/run/sudo",
    "/run/systemd",
    "/run/udev",
    "/var/lib/apt",
    "/var/lib/containers",
    "/var/lib/cni",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/lib/libvirt",
)
SCENARIO = b"MOLECULE_SCENARIO_NAME"  # in the environment of what a scenario starts
KEPT_OPEN = "ssh:"  # connections to guests, which Ansible keeps open for a minute
SOCKETS = ("/root/.local", "/ssh")  # how the folder of their sockets begins and ends


def output(*command: str) -> str:
    """Return what a command prints; nothing if it cannot run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def daemons() -> list[str]:
    """Return the command lines of all processes that PID 1 has as children, so what a test left behind as well.

    Not those of a scenario that runs beside the one that asks.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
            scenario = re.search(SCENARIO + rb"=([^\0]*)", (place / "environ").read_bytes())
        except OSError:
            continue
        of_another = scenario is not None and os.environb.get(SCENARIO) not in (None, scenario[1])
        if line and parent == "1" and not of_another and not line.startswith(KEPT_OPEN):
            found.append(line)
    return sorted(found)


def files() -> list[str]:
    """Return the paths of all files and folders in the watched places."""
    found = []
    for top in WATCHED:
        for folder, names, leaves in os.walk(top):
            names[:] = [name for name in names if os.path.join(folder, name) not in IGNORED]
            if folder.startswith(SOCKETS[0]) and folder.endswith(SOCKETS[1]):
                leaves.clear()
            found += [os.path.join(folder, name) for name in (*names, *leaves)]
    return sorted(path for path in found if path not in IGNORED)


def stored(kind: str) -> list[str]:
    """Return the names of podman's containers or images, read from its store: asking podman would change things."""
    path = Path(f"/var/lib/containers/storage/overlay-{kind}/{kind}.json")
    entries = json.loads(path.read_text()) if path.exists() else []
    return sorted(name for entry in entries for name in entry.get("names") or [entry["id"]])


def snapshot() -> dict[str, object]:
    """Return the state of this machine."""
    return {
        "daemons": daemons(),
        "mounts": sorted(line.rsplit(" ", 2)[0] for line in Path("/proc/mounts").read_text().splitlines()),
        "links": sorted(os.listdir("/sys/class/net")),
        "namespaces": sorted(output("ip", "netns", "list").split()),
        "hugepages": Path("/proc/sys/vm/nr_hugepages").read_text().strip(),
        "containers": stored("containers"),
        "images": stored("images"),
        "domains": sorted(path.name for path in Path("/etc/libvirt/qemu").glob("*.xml")),
        "users": sorted(entry.pw_name for entry in pwd.getpwall()),
        "groups": sorted(entry.gr_name for entry in grp.getgrall()),
        "files": files(),
    }


if __name__ == "__main__":
    json.dump(snapshot(), sys.stdout, indent=1)
