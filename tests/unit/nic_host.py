# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up host with network devices on PCI: its files, its drivers, driverctl and ip."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import shutil
import struct
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _nic_command

if t.TYPE_CHECKING:
    from pathlib import Path

DEVICES = "sys/bus/pci/devices"
NET = "sys/class/net"
ETH0, ETH1, ETH2 = "0000:41:00.0", "0000:41:00.1", "0000:42:00.0"
DISK = "0000:01:00.0"
LISTENING, ESTABLISHED = "0A", "01"


class NicHost:
    """eth0 has the address 192.0.2.10, eth1 and eth2 none; all are ice's. Errors by request of ethtool."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = str(root / "state/nics.json")
        self.commands: list[list[str]] = []
        self.requests: list[tuple[str, int]] = []
        self.errors: dict[int, int] = {}  # errno by request
        self.failing: dict[str, int] = {}  # how many probes of a driver fail
        self.addresses: dict[str, list[str]] = {"lo": ["127.0.0.1", "::1"], "eth0": ["192.0.2.10"]}
        self.routes: dict[str, list[str]] = {"default": ["eth0"]}  # by destination
        self.masters: dict[str, str] = {}  # bridge or bond by port
        self.names: dict[str, str] = {}
        self.own: dict[str, str | None] = {}  # the driver that takes a device by itself
        self.drivers: dict[str, dict[str, t.Any]] = {}
        self.round = 1
        self.refuse_forced_pause = False
        self.negotiated_pause: list[int] | None = (
            None  # what comes of a negotiation, in place of what is asked
        )
        self.on_command: t.Callable[[list[str]], None] = lambda _command: None
        self.write("proc/sys/kernel/random/boot_id", "first")
        self.write("proc/net/tcp", "  sl  local_address rem_address   st")
        for driver in ("ice", "vfio-pci", "e1000e"):
            (root / "sys/bus/pci/drivers" / driver).mkdir(parents=True)
        self.write(f"{DEVICES}/{DISK}/class", "0x010802")
        self.virtual("lo")
        for address, name in ((ETH0, "eth0"), (ETH1, "eth1"), (ETH2, "eth2")):
            self.add(address, name)
            self.write(f"{DEVICES}/{address}/sriov_totalvfs", "8")
            self.write(f"{DEVICES}/{address}/sriov_numvfs", "0")

    # the machine's files

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def text(self, path: str) -> str:
        return (self.root / path).read_text().strip()

    def link(self, path: str, target: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    def add(self, address: str, name: str | None, driver: str = "ice") -> None:
        self.write(f"{DEVICES}/{address}/class", "0x020000")
        self.write(f"{DEVICES}/{address}/driver_override", "(null)")
        group = f"sys/kernel/iommu_groups/{len(self.own) + 10}"
        (self.root / group).mkdir(parents=True, exist_ok=True)
        self.link(f"{DEVICES}/{address}/iommu_group", f"../../../../../{group}")
        self.own[address] = "ice"
        if name:
            self.names[address] = name
        self.bind(address, driver)

    def bind(self, address: str, driver: str | None) -> None:
        folder = self.root / DEVICES / address
        (folder / "driver").unlink(missing_ok=True)
        shutil.rmtree(folder / "net", ignore_errors=True)
        name = self.names.get(address)
        if name:
            (self.root / NET / name).unlink(missing_ok=True)
        if driver is None:
            return
        self.link(f"{DEVICES}/{address}/driver", f"../../drivers/{driver}")
        if name and driver not in ("vfio-pci", "uio_pci_generic"):
            self.write(f"{DEVICES}/{address}/net/{name}/flags", "0x1003")
            self.link(f"{DEVICES}/{address}/net/{name}/device", "../..")
            self.link(f"{NET}/{name}", f"../../bus/pci/devices/{address}/net/{name}")
            self.drivers[name] = {
                "rings": [4096, 0, 0, 8192, 512, 0, 0, 1024],
                "pause": [1, 1, 1],
                "eee": [6, 6, 0, 0, 1, 1, 17, 0, 0],
            }

    def driver(self, address: str) -> str | None:
        place = self.root / DEVICES / address / "driver"
        return os.path.basename(place.readlink()) if place.is_symlink() else None

    def remove(self, address: str) -> None:
        self.bind(address, None)
        shutil.rmtree(self.root / DEVICES / address)

    def virtual(self, name: str, lower: t.Sequence[str] = ()) -> None:
        """Add an interface without a device, on top of others."""
        self.write(f"sys/devices/virtual/net/{name}/flags", "0x1003")
        self.link(f"{NET}/{name}", f"../../devices/virtual/net/{name}")
        for below in lower:
            self.link(f"sys/devices/virtual/net/{name}/lower_{below}", f"../{below}")

    def virtual_functions(self, address: str, count: int, driver: str = "ice") -> list[str]:
        """Have a device's virtual functions, as its driver does after a write to sriov_numvfs."""
        found = [f"0000:43:00.{number}" for number in range(count)]
        self.write(f"{DEVICES}/{address}/sriov_numvfs", str(count))
        for number, at in enumerate(found):
            self.add(at, f"{self.names[address]}v{number}", driver)
            self.link(f"{DEVICES}/{address}/virtfn{number}", f"../{at}")
        return found

    # the machine's processes

    def process(
        self, pid: int, comm: str, parent: int = 0, environment: str = "", opened: t.Sequence[str] = ()
    ) -> None:
        self.write(f"proc/{pid}/comm", comm)
        self.write(f"proc/{pid}/stat", f"{pid} ({comm} ) S {parent} {pid} 0")
        (self.root / f"proc/{pid}/environ").write_bytes(environment.encode() + b"\0")
        (self.root / f"proc/{pid}/fd").mkdir(exist_ok=True)
        for number, target in enumerate(opened):
            self.link(f"proc/{pid}/fd/{number}", target)

    def socket(self, local: str, peer: str, inode: int, state: str = ESTABLISHED) -> None:
        """Add a TCP connection, with port 22 here."""
        table = "proc/net/tcp6" if ":" in local else "proc/net/tcp"
        ends = f"{in_kernel(local)}:0016 {in_kernel(peer)}:C350"
        line = f"   1: {ends} {state} 00000000:00000000 02:00089 00000000     0        0 {inode} 2 0"
        known = self.text(table) if (self.root / table).exists() else "  sl  local_address"
        self.write(table, f"{known}\n{line}")

    def ssh(self, local: str = "192.0.2.10", peer: str = "198.51.100.7", comm: str = "sshd") -> None:
        """Have an SSH connection."""
        self.socket(local, peer, 777)
        self.process(700, comm, opened=["/dev/null", "socket:[777]"])

    # the machine's programs and drivers

    def run(self, command: list[str]) -> str:
        self.commands.append(command)
        self.on_command(command)
        if command[0] == "ip":
            return self.ip(command[2:])
        self.driverctl(command[1:])
        return ""

    def ip(self, words: list[str]) -> str:
        if words[0] == "set":  # ip link set dev NAME up
            self.write(f"{NET}/{words[2]}/flags", "0x1003")
            return ""
        if words == ["link", "show"]:
            names = [path.name for path in sorted((self.root / NET).iterdir())]
            masters = [{"master": self.masters[name]} if name in self.masters else {} for name in names]
            return json.dumps([{"ifname": name, **more} for name, more in zip(names, masters, strict=True)])
        if words == ["address", "show"]:
            rows = [
                {"ifname": name, "addr_info": [{"local": address} for address in found]}
                for name, found in self.addresses.items()
            ]
            return json.dumps(rows)
        to = words[-1] if words[0] in ("-4", "-6") else words[2]
        if words[0] == "-6":
            return '[{"type":"unreachable","dst":"default","dev":"lo"}]'
        if to not in self.routes and to != "default":
            raise _nic_command.CommandError("ip failed with 2: Network is unreachable")
        return json.dumps([{"dst": to, "dev": name} for name in self.routes.get(to, [])])

    def driverctl(self, words: list[str]) -> None:
        """Do as driverctl 0.111 does, with its order of steps."""
        options = [word for word in words if word.startswith("--")]
        action, address, *driver = [word for word in words if not word.startswith("--")]
        override = driver[0] if action == "set-override" else ""
        self.bind(address, None)
        self.write(f"{DEVICES}/{address}/driver_override", override or "(null)")
        if "--noprobe" not in options:
            takes = override or self.own[address]
            if takes is None or self.failing.get(takes):
                self.failing[takes or ""] = self.failing.get(takes or "", 1) - 1
                raise _nic_command.CommandError(f"driverctl failed with 1: failed to bind device {address}")
            self.bind(address, takes)
        if "--nosave" not in options:
            saved = self.root / "etc/driverctl.d" / f"pci-{address}"
            if override:
                self.write(f"etc/driverctl.d/pci-{address}", override)
            else:
                saved.unlink(missing_ok=True)

    def ask(self, interface: str, request: bytes) -> bytes:
        command, *numbers = struct.unpack(f"={len(request) // 4}I", request)
        self.requests.append((interface, command))
        if command in self.errors:
            raise OSError(self.errors[command], os.strerror(self.errors[command]))
        if interface not in self.drivers:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        has = self.drivers[interface]
        name = {0x10: "rings", 0x11: "rings", 0x12: "pause", 0x13: "pause", 0x44: "eee", 0x45: "eee"}[command]
        if name not in has:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        if command & 1:  # a request that sets
            if name == "pause" and self.refuse_forced_pause and not numbers[0]:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            if name == "rings":
                numbers = [*numbers[:4], *(-(-number // self.round) * self.round for number in numbers[4:])]
            if name == "pause" and numbers[0] and self.negotiated_pause:
                numbers = self.negotiated_pause
            has[name] = numbers
        return struct.pack(f"={1 + len(numbers)}I", command, *has[name])

    def snapshot(self) -> dict[str, t.Any]:
        """Return all that must be as it was after giving back."""
        files = {
            str(path.relative_to(self.root)): path.readlink() if path.is_symlink() else path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }
        for name, text in files.items():  # the kernel shows nothing so
            if name.endswith("driver_override") and text == "\n":
                files[name] = "(null)\n"
        return {"files": files, "drivers": json.dumps(self.drivers, sort_keys=True)}


def in_kernel(address: str) -> str:
    """Return an address as /proc/net/tcp shows it."""
    packed = ipaddress.ip_address(address).packed
    return "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
