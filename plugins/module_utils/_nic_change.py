# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets a network device: all is checked and noted before the first write."""

from __future__ import annotations

import dataclasses
import errno
import json
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _nic_device
from ansible_collections.detnet.testbed.plugins.module_utils._nic_command import NicError
from ansible_collections.detnet.testbed.plugins.module_utils._nic_device import Nic
from ansible_collections.detnet.testbed.plugins.module_utils._nic_ledger import Ledger, Value
from ansible_collections.detnet.testbed.plugins.module_utils._nic_work import Change, Result, Work

NOT_THE_DRIVER_S = (errno.EPERM, errno.EACCES, errno.ENODEV)  # errors that no option excuses


class Setter:
    """Sets one device after the other."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def set(
        self, device: str, wanted: t.Mapping[str, Value], optional: bool = False, check_mode: bool = False
    ) -> Result:
        """Have these settings, after all were checked. Raises NicError."""
        ledger = self.work.load()
        nic = _nic_device.find(self.work.root, device, ledger.nics())
        result = self._survey(nic, wanted, optional, ledger)
        if check_mode and optional:
            self._foresee(result, ledger)
        elif result.changes and not check_mode:
            self._write(result, optional, ledger)
        return result

    def _survey(self, nic: Nic, wanted: t.Mapping[str, Value], optional: bool, ledger: Ledger) -> Result:
        """Return what has to change and what cannot, before any write."""
        result, faults = Result(nic), []
        for name in [name for name in self.work.settings if name in wanted]:
            setting, entry = self.work.settings[name], ledger.entries.get((nic.label, name))
            goal, real = setting.goal(wanted[name]), setting.real(nic)
            if real is None and optional and setting.driver_may_lack_it:
                result.refused.append(_refusal(Change(nic, name, None, goal), None, setting.lack(nic)))
            elif real is None:
                faults.append(setting.lack(nic))
            elif real == goal or (entry and (entry.asked, entry.written) == (goal, real)):
                result.settings[name] = real
            else:
                faults += setting.faults(nic, real, goal)
                result.changes.append(Change(nic, name, real, goal))
                result.settings[name] = goal
        if faults:
            raise NicError("; ".join(faults))
        return result

    def _foresee(self, result: Result, ledger: Ledger) -> None:
        """Take out the changes that the driver has refused since the machine was started."""
        for change in list(result.changes):
            if reason := ledger.refused.get(_memory_key(change)):
                result.changes.remove(change)
                result.refused.append(_refusal(change, None, reason))
                del result.settings[change.setting]

    def _write(self, result: Result, optional: bool, ledger: Ledger) -> None:
        """Make the changes of a result, which then has what became of them. Raises NicError."""
        planned, result.changes = result.changes, []
        noted = ledger
        for change in planned:
            noted = noted.noted(change.nic, change.setting, change.before, change.after, change.after)
        self.work.store(noted)  # before the first write
        made, fault = ledger, None
        for change in planned:
            after, error, reason = self.work.make(change)
            if after != change.before:
                made = made.noted(change.nic, change.setting, change.before, change.after, after)
                result.changes.append(dataclasses.replace(change, after=after))
                result.settings[change.setting] = after
            memory = {key: why for key, why in made.refused.items() if key != _memory_key(change)}
            if reason and optional and self._is_excused(change.setting, error):
                memory[_memory_key(change)] = reason
                result.refused.append(_refusal(change, error, reason))
                result.settings.pop(change.setting)
            elif reason:
                fault = f"{change.setting} of {change.nic}: {reason}"
                break
            made = dataclasses.replace(made, refused=memory)
        if made != noted:
            self.work.store(made)
        if fault:
            done = ", ".join(change.setting for change in result.changes)
            raise NicError(
                f"{fault}; " + (f"{done} changed: state=returned gives back" if done else "nothing changed")
            )

    def _is_excused(self, name: str, error: int | None) -> bool:
        return self.work.settings[name].driver_may_lack_it and error not in NOT_THE_DRIVER_S


def _memory_key(change: Change) -> tuple[str, str, str]:
    return change.nic.label, change.setting, json.dumps(change.after, sort_keys=True)


def _refusal(change: Change, error: int | None, reason: str) -> dict[str, Value]:
    return {
        "device": change.nic.label,
        "setting": change.setting,
        "wanted": change.after,
        "real": change.before,
        "errno": None if error is None else errno.errorcode.get(error, str(error)),
        "reason": reason,
    }
