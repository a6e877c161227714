# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A libvirt whose domains are files, so that several processes see the same ones. A domain that runs greets like SSH.

LIBVIRT_DIR has a file for each domain, and for one that runs another with its process. A file hang-NAME, refuse-NAME or
mute-NAME there has its start or removal hang, its start fail, or end without an SSH server that greets.
"""

# ruff: noqa: N802  libvirt-python chose these names

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

VIR_DOMAIN_RUNNING, VIR_DOMAIN_PAUSED, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_CRASHED, VIR_DOMAIN_PMSUSPENDED = (
    1,
    3,
    5,
    6,
    7,
)
VIR_DOMAIN_XML_INACTIVE = VIR_DOMAIN_AFFECT_LIVE = 1
VIR_DOMAIN_UNDEFINE_MANAGED_SAVE, VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA, VIR_DOMAIN_UNDEFINE_NVRAM = 1, 2, 4
VIR_DOMAIN_UNDEFINE_NVRAM = 4
PLACE = Path(os.environ["LIBVIRT_DIR"])
GUEST = """
import socket, sys, time
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    print("ready", flush=True)
    while sys.argv[3] == "mute":
        time.sleep(1)
    while True:
        connection, _address = server.accept()
        with connection:
            connection.sendall(b"SSH-2.0-guest\\r\\n")
"""


class libvirtError(Exception):  # noqa: N801
    pass


def replace(path: Path, text: str) -> None:
    """Write a file that nobody sees half-written, whenever this process is killed."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


class Domain:
    def __init__(self, name: str) -> None:
        self.called = name
        self.file, self.process = PLACE / f"{name}.xml", PLACE / f"{name}.pid"

    def name(self) -> str:
        return self.called

    def UUIDString(self) -> str:
        return "be84f475-9644-4cef-ab83-fc0808a93ce6"

    def XMLDesc(self, _flags: int) -> str:
        try:
            return self.file.read_text()
        except FileNotFoundError:
            raise libvirtError(f"no domain {self.called}") from None

    def state(self) -> tuple[int, int]:
        return (VIR_DOMAIN_RUNNING if self.isActive() else VIR_DOMAIN_SHUTOFF), 0

    def isPersistent(self) -> bool:
        return True

    def hang(self) -> None:
        while (PLACE / f"hang-{self.called}").exists():
            time.sleep(0.01)

    def isActive(self) -> bool:
        return self.process.exists()

    def create(self) -> None:
        if (PLACE / f"refuse-{self.called}").exists():
            raise libvirtError("no such luck")
        self.hang()
        address, port = re.findall(r"hostfwd=tcp:([0-9.]+):([0-9]+)-:22", self.XMLDesc(0))[0]
        mute = "mute" if (PLACE / f"mute-{self.called}").exists() else ""
        command = [sys.executable, "-I", "-S", "-c", GUEST, address, port, mute]
        guest = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert guest.stdout
        replace(self.process, str(guest.pid))
        guest.stdout.readline()
        guest.returncode = 0  # it outlives this process

    def destroy(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(self.process.read_text()), signal.SIGKILL)
        self.process.unlink()

    def undefineFlags(self, _flags: int) -> None:
        self.hang()
        self.file.unlink()


class Connection:
    def getLibVersion(self) -> int:
        return 9_000_000

    def listAllDomains(self) -> list[Domain]:
        return [Domain(path.stem) for path in PLACE.glob("*.xml")]

    def lookupByName(self, name: str) -> Domain:
        domain = Domain(name)
        domain.XMLDesc(0)
        return domain

    def defineXML(self, xml: str) -> None:
        name = ET.fromstring(xml).findtext("name", "")  # noqa: S314
        replace(PLACE / f"{name}.xml", xml)

    def close(self) -> None:
        pass


def open(_uri: str) -> Connection:  # noqa: A001
    if (PLACE / "down").exists():
        raise libvirtError("Failed to connect socket to '/var/run/libvirt/libvirt-sock'")
    return Connection()


def registerErrorHandler(_handler: object, _context: object) -> None:
    pass
