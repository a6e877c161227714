# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives network devices back: each setting as it was before the first change."""

from __future__ import annotations

import os
import time

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _dpdk_devices,
    _durable_file,
    _nic_device,
    _sysfs,
)
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Entry, Ledger
from ansible_collections.detnet.testbed.plugins.module_utils._nic_setting import shown
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Change, Result, Work

INTERFACE_WAIT_S = 10
POLL_S = 0.1


class Returner:
    """Gives devices back, the last change first."""

    def __init__(self, work: Work, check_mode: bool) -> None:
        self.work, self.check_mode = work, check_mode
        self.result = Result()

    def give_back(self, device: str | None = None) -> Result:
        """Restore the settings of one device, or of all. Raises NicError."""
        ledger, faults = self.work.load(), []
        kept = dict(ledger.entries)
        for key, entry in reversed(ledger.entries.items()):
            if device is None or self._is(device, entry.nic):
                try:
                    self._restore(key[1], entry)
                    del kept[key]
                except NicError as exc:
                    faults.append(str(exc))
        left = Ledger(kept, {} if device is None and not faults else ledger.refused)
        self.result.forgotten = left != ledger
        if self.result.forgotten and not self.check_mode:
            self.work.store(left)
        if faults:
            raise NicError(
                "; ".join(
                    [*faults, f"the ledger {self.work.path} keeps these; correct that and run it again"]
                )
            )
        return self.result

    def _restore(self, name: str, entry: Entry) -> None:
        """Restore one setting. Raises NicError."""
        nic, setting = self._now(entry.nic), self.work.settings[name]
        if nic is None:
            self._forget(name, entry)
            return
        real = setting.real(nic)
        if real is None:
            if nic.address in self.work.host.released:
                return  # in check mode: its own driver will begin with values of its own
            raise NicError(f"{name} of {nic} cannot be given back: {setting.lack(nic)}")
        if setting.reached(real, real, entry.before):
            return
        if faults := setting.faults(nic, real, entry.before):
            raise NicError("; ".join(faults))
        self._make(Change(nic, name, real, entry.before), entry)
        if real != entry.written:
            self.result.overridden.append(
                {"device": nic.label, "setting": name, "written": entry.written, "real": real}
            )

    def _make(self, change: Change, entry: Entry) -> None:
        if self.check_mode:
            if change.setting == "driver":
                self.work.host.released.add(change.nic.label)
        else:
            after, _error, reason = self.work.make(change)
            if reason:
                raise NicError(
                    f"{change.setting} of {change.nic} cannot be given back: {reason}; it has {shown(after)}"
                )
            if change.setting == "driver":
                self._await_interface(entry)
        self.result.changes.append(change)

    def _forget(self, name: str, entry: Entry) -> None:
        """Note that a device has gone. Should it come back, driverctl is not to bind it as we said."""
        self.result.gone.append(f"{name} of {entry.nic}")
        path = _nic_device.saved(entry.nic.label)
        if name != "driver" or self.check_mode or entry.before["at_boot"]:
            return
        if _sysfs.word(self.work.root, path) == (entry.written or {}).get("at_boot"):
            try:
                _durable_file.remove(os.path.join(self.work.root, path))
            except OSError as exc:
                raise NicError(f"/{path} cannot be removed: {exc.strerror}; become root") from exc

    def _now(self, nic: Nic) -> Nic | None:
        """Return a device of the ledger with the interface that it has now, None if it is not there."""
        if nic.address is None:
            return nic if _nic_device.is_interface(self.work.root, nic.interface or "") else None
        if nic.address not in _dpdk_devices.addresses(self.work.root):
            return None
        interfaces = _dpdk_devices.interfaces(self.work.root, nic.address)
        same = [name for name in interfaces if name == nic.interface] or interfaces
        return Nic(nic.address, same[0] if len(same) == 1 else None)

    def _is(self, device: str, nic: Nic) -> bool:
        """Return whether a device of the ledger is meant, by its name then or now, or its address."""
        now = self._now(nic)
        return device in (nic.interface, now and now.interface) or device.lower() == nic.address

    def _await_interface(self, entry: Entry) -> None:
        """Wait until a device has its interface again, by its name: udev gives that a moment later."""
        if entry.nic.interface is None or entry.before["driver"] in (None, *_dpdk_devices.HAND_OVER):
            return
        end = time.monotonic() + INTERFACE_WAIT_S
        while (interfaces := _dpdk_devices.interfaces(self.work.root, entry.nic.label)) != (
            entry.nic.interface,
        ):
            if time.monotonic() > end:
                has = ", ".join(interfaces) or "none"
                self.result.warnings.append(
                    f"{entry.nic} has its driver again, but not its interface {entry.nic.interface}: it has {has}"
                )
                return
            time.sleep(POLL_S)
