# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What setting network devices and giving them back have in common: the host, its ledger, and one change."""

from __future__ import annotations

import contextlib
import dataclasses

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _ethtool,
    _kernel_files,
    _nic_command,
    _nic_ledger,
)
from ansible_collections.detnet.testbed.plugins.module_utils._ledger_file import LedgerError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_binding import Binding, VirtualFunctions
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_interface import (
    EnergyEfficient,
    Pause,
    Ring,
)
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Ledger, Value
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import Host, Setting, shown


@dataclasses.dataclass(frozen=True)
class Change:
    """A setting that is not as it should be."""

    nic: Nic
    setting: str
    before: Value
    after: Value

    def row(self) -> dict[str, Value]:
        return {
            "device": self.nic.label,
            "setting": self.setting,
            "before": self.before,
            "after": self.after,
        }


@dataclasses.dataclass
class Result:
    """What was done, or would be."""

    nic: Nic | None = None
    settings: dict[str, Value] = dataclasses.field(default_factory=dict)  # those asked for, as they are now
    changes: list[Change] = dataclasses.field(default_factory=list)
    refused: list[dict[str, Value]] = dataclasses.field(default_factory=list)
    overridden: list[dict[str, Value]] = dataclasses.field(default_factory=list)
    gone: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    forgotten: bool = False  # entries of the ledger that need no change, or no device is there for

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.forgotten


def settings(host: Host) -> dict[str, Setting]:
    """Return all settings by the names of their options, in the order in which they are made."""
    return {
        "driver": Binding(host),
        "virtual_functions": VirtualFunctions(host),
        "rx_ring_packets": Ring(host, "rx"),
        "tx_ring_packets": Ring(host, "tx"),
        "pause": Pause(host),
        "energy_efficient": EnergyEfficient(host),
    }


class Work:
    """The network devices of one machine, whose files are at root, and their ledger at path."""

    def __init__(
        self,
        path: str,
        root: str = "/",
        ask: _ethtool.Ask = _ethtool.ask,
        run: _nic_command.Run = _nic_command.run,
    ) -> None:
        self.path, self.root = path, root
        self.host = Host(root, ask, run)
        self.settings = settings(self.host)
        self.boot_id = _kernel_files.boot_id(root)

    def make(self, change: Change) -> tuple[Value, int | None, str | None]:
        """Make a change; return the value then, and if that is not as it should be, the error and why.

        What could only be done in part is undone.
        """
        setting = self.settings[change.setting]
        try:
            setting.write(change.nic, change.before, change.after)
        except (OSError, NicError) as exc:
            with contextlib.suppress(OSError, NicError):
                if (now := setting.real(change.nic)) != change.before:
                    setting.write(change.nic, now, change.before)
            number = exc.errno if isinstance(exc, OSError) else None
            return setting.real(change.nic), number, exc.strerror if isinstance(exc, OSError) else str(exc)
        after = setting.real(change.nic)
        if setting.reached(change.before, after, change.after):
            return after, None, None
        return after, None, f"the driver took {shown(change.after)}, and shows {shown(after)}"

    def load(self) -> Ledger:
        """Return the ledger. Raises LedgerError."""
        ledger = _nic_ledger.load(self.path, self.boot_id)
        for (_label, name), entry in ledger.entries.items():
            setting = self.settings.get(name)
            if not (
                setting
                and setting.valid(entry.before)
                and (not entry.written or setting.valid(entry.written))
            ):
                raise LedgerError(
                    f"the ledger {self.path} cannot be used: {name} of {entry.nic} was {entry.before!r} and became "
                    f"{entry.written!r}, which is not possible; put back a good copy"
                )
        return ledger

    def store(self, ledger: Ledger) -> None:
        _nic_ledger.store(self.path, ledger, self.boot_id)
