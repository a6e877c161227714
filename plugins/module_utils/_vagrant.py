# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a VM by Vagrant: python-vagrant, bounded in time, in an environment of the VM's own.

Each VM has its own home of Vagrant: VMs share nothing that they would wait for, two commands for one VM exclude
each other, and all is gone with the VM's directory.
"""

from __future__ import annotations

import logging
import os
import subprocess
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _vagrantfile
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

# It warns where there is no Vagrant, which hosts without it need not hear.
logging.getLogger("vagrant").addHandler(logging.NullHandler())
try:
    import vagrant  # type: ignore[import-not-found, unused-ignore]

    HAS_VAGRANT = True
except ImportError:
    HAS_VAGRANT = False

VAGRANTFILE = "Vagrantfile"
LOG = "vagrant.log"  # what Vagrant said last
HOME = ".vagrant.d"
INSTALLER = "the role detnet.testbed.hypervisor with hypervisor_vagrant: true"

# Vagrant does not wait for the guest's boot, only for QEMU.
TIMEOUT_S = 120
SHUTDOWN_TIMEOUT_S = 30
KILL_AFTER_S = 10
TIMED_OUT = (124, -9)  # of timeout(1): by its first signal, or by its last, which ends itself too
SHOWN_LINES = 10

# What the provider calls a state, as python-vagrant hands it on, and what it is here.
STATES = {
    "not_created": "absent",
    "poweroff": "stopped",
    "crashed": "stopped",
    "saved": "paused",
    "pmsuspended": "paused",
    "running": "running",
    "blocked": "running",
    "shutting_down": "running",
}

Result = t.TypeVar("Result")


class Machine:
    """A VM as Vagrant knows it: the machine name of the Vagrantfile in directory. Methods raise VmError."""

    def __init__(self, name: str, directory: str) -> None:
        self.name = name
        self.directory = directory

    def write(self, vagrantfile: str, domain_xml: str, known_hosts: str) -> None:
        """Write the files from which Vagrant creates the VM. Raises OSError."""
        for name, text in (
            (_vagrantfile.DOMAIN, domain_xml),
            (_vagrantfile.KNOWN_HOSTS, known_hosts + "\n"),
            (VAGRANTFILE, vagrantfile),
        ):
            _durable_file.write_text(os.path.join(self.directory, name), text, mode=0o600)

    def adopt(self, uuid: str) -> None:
        """Let Vagrant hold the domain with this UUID as the VM's; it need not exist yet. Raises OSError.

        Told before the domain is created, Vagrant finds it even if it is killed before it has noted it itself.
        """
        path = os.path.join(self.directory, ".vagrant", "machines", self.name, "libvirt", "id")
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                known = file.read().strip()
        except FileNotFoundError:
            known = ""
        if known != uuid:
            _durable_file.write_text(path, uuid)

    def create(self) -> None:
        """Create the VM without starting it."""
        self._do(
            "up", lambda client: client.up(self.name, provider="libvirt"), {_vagrantfile.CREATE_ONLY: "1"}
        )

    def up(self) -> None:
        """Create the VM if there is none, and start or resume it."""
        # Not `vagrant resume`, which waits for an SSH session of its own.
        self._do("up", lambda client: client.up(self.name, provider="libvirt"))

    def halt(self) -> None:
        """Ask the guest to shut down; switch it off if it has not after SHUTDOWN_TIMEOUT_S seconds."""
        try:
            self._halt(SHUTDOWN_TIMEOUT_S)
        except VmError:  # a guest that does not listen is an error to Vagrant
            self._halt(0)

    def suspend(self) -> None:
        self._do("suspend", lambda client: client.suspend(self.name))

    def destroy(self) -> None:
        """Switch the VM off at once and forget its domain; one that does not exist is no error."""
        self._do("destroy", lambda client: client.destroy(self.name))

    def status(self) -> str:
        """Return "running", "stopped", "paused" or "absent"."""
        if not os.path.exists(os.path.join(self.directory, VAGRANTFILE)):
            return "absent"
        found = {
            entry.name: entry.state for entry in self._do("status", lambda client: client.status(self.name))
        }
        state = found.get(self.name)
        if state not in STATES:
            raise VmError(
                f"vagrant status calls VM {self.name} {state!r}, which it is not known to; see {self._log}"
            )
        return STATES[state]

    @property
    def _log(self) -> str:
        return os.path.join(self.directory, LOG)

    def _halt(self, timeout_s: int) -> None:
        # By force means: by ACPI, and without an SSH session of Vagrant's own.
        self._do(
            "halt",
            lambda client: client.halt(self.name, force=True),
            {_vagrantfile.HALT_TIMEOUT: str(timeout_s)},
        )

    def _do(
        self, verb: str, call: t.Callable[[t.Any], Result], extra: t.Mapping[str, str] | None = None
    ) -> Result:
        with open(self._log, "w", encoding="utf-8"):
            pass  # of this call alone
        try:
            return call(_client(self.directory, {**environment(self.directory), **(extra or {})}, self._log))
        except RuntimeError as exc:
            raise VmError(f"vagrant is not installed; run {INSTALLER}") from exc
        except subprocess.CalledProcessError as exc:
            if exc.returncode in TIMED_OUT:
                raise VmError(
                    f"vagrant {verb} was ended after {TIMEOUT_S} s; see {self._log}, and whether libvirt answers"
                ) from exc
            said = " ".join(complaint(self._log)) or "nothing said"
            raise VmError(
                f"vagrant {verb} failed with status {exc.returncode}: {said}; see {self._log}"
            ) from exc


def environment(directory: str) -> dict[str, str]:
    """Return all that Vagrant gets to know: nothing of its caller's environment, and no way to ask the internet."""
    return {
        "HOME": directory,
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "VAGRANT_HOME": os.path.join(directory, HOME),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
        "VAGRANT_NO_COLOR": "1",
    }


def complaint(log: str) -> list[str]:
    """Return the last lines of a log of Vagrant that are no report of its progress."""
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith(("==>", "Bringing machine"))][
        -SHOWN_LINES:
    ]


def _client(directory: str, env: dict[str, str], log: str) -> t.Any:
    sink = vagrant.make_file_cm(log)
    client = vagrant.Vagrant(root=directory, env=env, out_cm=sink, err_cm=sink)
    command = client._make_vagrant_command
    # python-vagrant knows no time limit. This one holds even if the module is killed meanwhile.
    client._make_vagrant_command = lambda arguments: [
        "timeout", "--signal=INT", f"--kill-after={KILL_AFTER_S}", str(TIMEOUT_S), *command(arguments)
    ]  # fmt: skip
    return client
