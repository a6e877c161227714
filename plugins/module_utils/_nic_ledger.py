# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of network devices: each setting's first value, in the order of the changes."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _ledger_file, _state_network
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import INTERFACE, Nic

WITHOUT = "give the devices back by hand with driverctl and ethtool"

# A number, a truth value, or an object of texts or truth values.
Value = t.Any


@dataclasses.dataclass(frozen=True)
class Entry:
    """A setting's value before our first change, the one that we asked for last, and what the device made of it."""

    nic: Nic
    before: Value
    asked: Value
    written: Value


Key = tuple[str, str]  # a device's label and the setting


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Entries, the first change first. refused has what drivers refused since the machine was started."""

    entries: dict[Key, Entry] = dataclasses.field(default_factory=dict)
    refused: dict[tuple[str, str, str], str] = dataclasses.field(
        default_factory=dict
    )  # device, setting, JSON

    def noted(self, nic: Nic, setting: str, before: Value, asked: Value, written: Value) -> Ledger:
        """Return the ledger with one more change; an older first value stays, and the name that came with it."""
        key = nic.label, setting
        first = self.entries.get(key)
        entry = Entry(nic, before, asked, written)
        if first is not None:
            entry = dataclasses.replace(first, asked=asked, written=written)
        return dataclasses.replace(self, entries={**self.entries, key: entry})

    def nics(self) -> list[Nic]:
        return [entry.nic for entry in self.entries.values()]


def load(path: str, boot_id: str) -> Ledger:
    """Return the ledger at path, an empty one if there is none. Raises LedgerError for what is no ledger."""
    return _ledger_file.load(path, functools.partial(_ledger, boot_id=boot_id), WITHOUT) or Ledger()


def store(path: str, ledger: Ledger, boot_id: str) -> None:
    """Have the ledger on the disk; remove one with nothing in it. Raises LedgerError."""
    document = {
        "boot_id": boot_id,
        "settings": [
            {
                "address": entry.nic.address,
                "interface": entry.nic.interface,
                "setting": setting,
                "before": entry.before,
                "asked": entry.asked,
                "written": entry.written,
            }
            for (_label, setting), entry in ledger.entries.items()
        ],
        "refused": [[*key, reason] for key, reason in ledger.refused.items()],
    }
    _ledger_file.store(path, document if ledger.entries or ledger.refused else None)


def _ledger(document: t.Any, boot_id: str) -> Ledger:
    ledger = Ledger()
    for row in document["settings"]:
        nic = _nic(row["address"], row["interface"])
        ledger = ledger.noted(nic, row["setting"], row["before"], row["asked"], row["written"])
    rows = document["refused"] if document["boot_id"] == boot_id else []
    return dataclasses.replace(
        ledger, refused={(label, setting, goal): reason for label, setting, goal, reason in rows}
    )


def _nic(address: t.Any, interface: t.Any) -> Nic:
    """Return the device, if these are names of one: they become parts of paths."""
    if address is not None and not _state_network.PCI_ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not a PCI address")
    if interface is not None and not INTERFACE.fullmatch(interface):
        raise ValueError(f"{interface!r} is not the name of an interface")
    if address is None and interface is None:
        raise ValueError("an entry is of no device")
    return Nic(address, interface)
