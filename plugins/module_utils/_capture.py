# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcpdump in the background: one process and one pcap file per interface.

A capture is known by its files in a directory, so a later task, or a later run, finds and ends it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
import typing as t
from pathlib import Path

PCAP_HEADER_BYTES = 24
PATIENCE_S = 10
BUFFER_KIB = 8192


class CaptureError(Exception):
    """A capture that cannot be started or stopped; says what, why and what to do."""


class Capture:
    """One tcpdump on one interface; its files say all there is to know."""

    def __init__(self, directory: Path, interface: str) -> None:
        self.interface = interface
        self.pcap = directory / f"{interface}.pcap"
        self.log = directory / f"{interface}.log"
        self.pid_file = directory / f"{interface}.pid"

    def pid(self) -> int | None:
        """Return the process id while it runs. Another program that got the same id is not ours."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(self.pid_file.read_text())
            if os.fsencode(self.pcap) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        return None

    def start(self, snapshot_bytes: int, duration_s: int) -> None:
        """Start tcpdump; raise CaptureError if it cannot be run."""
        for old in (self.pcap, self.log, self.pid_file):
            old.unlink(missing_ok=True)
        self.pcap.touch(mode=0o600)
        with contextlib.suppress(KeyError):  # Debian's tcpdump becomes this user before it opens the file
            os.chown(self.pcap, pwd.getpwnam("tcpdump").pw_uid, -1)
        # -U and immediate mode: every frame is in the file as soon as it was seen, whatever ends the capture.
        argv = ["timeout", str(duration_s), "tcpdump", "-n", "-U", "--immediate-mode"]
        argv += ["-B", str(BUFFER_KIB), "-s", str(snapshot_bytes), "-i", self.interface, "-w", str(self.pcap)]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        self.pid_file.write_text(f"{process.pid}\n")
        while self.pid() is None and process.poll() is None:
            time.sleep(0.001)  # the kernel shows the new program's arguments a moment later

    def wait_until_it_captures(self) -> None:
        """Return when tcpdump has written the file's header, which it does after opening the interface."""
        deadline = time.monotonic() + PATIENCE_S
        while self.pcap.stat().st_size < PCAP_HEADER_BYTES:
            if self.pid() is None or time.monotonic() > deadline:
                said = " ".join(self.log.read_text(errors="replace").split())
                raise CaptureError(
                    f"tcpdump on {self.interface} does not capture and says {said!r}; see ip link"
                )
            time.sleep(0.01)

    def stop(self) -> None:
        """End tcpdump; the pcap file stays."""
        deadline = time.monotonic() + PATIENCE_S
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGTERM)
        while (pid := self.pid()) is not None:
            if time.monotonic() > deadline:
                raise CaptureError(
                    f"tcpdump on {self.interface} (process {pid}) does not end; end it by hand"
                )
            time.sleep(0.01)
        self.pid_file.unlink(missing_ok=True)

    def result(self) -> dict[str, t.Any]:
        return {"interface": self.interface, "path": str(self.pcap)}

    def summary(self) -> list[str]:
        """Return what tcpdump said at its end."""
        if not self.log.exists():
            return []
        return [line for line in self.log.read_text(errors="replace").splitlines() if " packets " in line]


def open_captures(directory: Path) -> list[Capture]:
    """Return the captures of a directory that nobody has stopped, sorted by interface."""
    return [Capture(directory, pid_file.stem) for pid_file in sorted(directory.glob("*.pid"))]


def start(directory: Path, interfaces: list[str], snapshot_bytes: int, duration_s: int) -> list[Capture]:
    """Start a capture on every interface; all or none."""
    captures = [Capture(directory, interface) for interface in sorted(interfaces)]
    if absent := set(interfaces) - {path.name for path in Path("/sys/class/net").iterdir()}:
        raise CaptureError(f"there is no interface {', '.join(sorted(absent))}; see ip link")
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    for old in open_captures(directory):
        old.stop()
    try:
        for capture in captures:
            capture.start(snapshot_bytes, duration_s)
        for capture in captures:
            capture.wait_until_it_captures()
    except CaptureError:
        for capture in captures:
            capture.stop()
        raise
    return captures
