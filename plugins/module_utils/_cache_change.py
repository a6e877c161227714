# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes groups of CPUs with ways of their own, and gives the caches back as they were."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _cache_groups,
    _cache_ledger,
    _kernel_files,
)
from ansible_collections.detnet.testbed.plugins.module_utils._cache_groups import Groups, GroupsError, Wanted
from ansible_collections.detnet.testbed.plugins.module_utils._cache_ledger import Ledger
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import (
    Cache,
    Group,
    Masks,
    Resctrl,
    ResctrlError,
    said,
)
from ansible_collections.detnet.testbed.plugins.module_utils._state_services import WHOLE_MACHINE

UNSEEN = "the kernel divides no cache here; rdt= on its line may forbid it, or a hypervisor"


@dataclasses.dataclass
class Result:
    """The groups before and after, nothing in them where they could not be looked at."""

    changed: bool = False
    skipped: str | None = None
    before: Groups = dataclasses.field(default_factory=dict)
    after: Groups = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)


class CacheGroups:
    """The caches of one machine, whose files are at root, and the ledger of what was there before."""

    def __init__(self, ledger: str, root: str = "/") -> None:
        self.ledger, self.resctrl = ledger, Resctrl(root)
        self.boot_id = _kernel_files.boot_id(root)

    def set(self, rows: t.Sequence[t.Mapping[str, t.Any]], check_mode: bool = False) -> Result:
        """Have these groups, and no others of ours. Raises GroupsError, ResctrlError, LedgerError."""
        if not rows:
            return self.give_back(check_mode)
        wanted = _cache_groups.wanted(rows, self.resctrl.online())
        missing = self.resctrl.missing()
        if missing:
            return Result(skipped=missing)
        if self.resctrl.mounted:
            return self._divide(wanted, _cache_ledger.load(self.ledger), check_mode)
        if check_mode:  # only a mount would tell which ways there are
            return Result(True, after={group.name: Group(group.cpus, {}) for group in wanted})
        return self._mount_and_divide(wanted)

    def give_back(self, check_mode: bool = False) -> Result:
        """Remove our groups, restore the default one, unmount what we mounted. Raises ResctrlError, LedgerError."""
        ledger = _cache_ledger.load(self.ledger)
        result = Result(changed=ledger is not None)
        cache = self.resctrl.cache() if ledger and self.resctrl.mounted else None
        there = self.resctrl.groups(cache) if cache else {}
        counts = ledger is not None and self._counts(ledger, there)
        if cache and ledger and counts:
            result.before, result.after = there, _without_us(there, ledger)
        if check_mode or not ledger:
            return result
        if cache and counts:
            self._write(cache, result.before, result.after)
        if ledger.mounted and counts and self.resctrl.mounted:
            others = [name for name in result.after if _cache_groups.foreign(name)]
            if others:
                result.warnings.append(f"resctrl stays mounted: the groups {', '.join(others)} are in it")
            else:
                self.resctrl.unmount()
        _cache_ledger.remove(self.ledger)
        return result

    def _counts(self, ledger: Ledger, there: Groups) -> bool:
        """Return whether a ledger is of this start of the machine, or our groups were made again in it."""
        return ledger.boot_id == self.boot_id or bool(_ours(there))

    def _mount_and_divide(self, wanted: t.Sequence[Wanted]) -> Result:
        fresh = Ledger(mounted=True, masks={}, boot_id=self.boot_id)
        _cache_ledger.store(self.ledger, fresh)  # before the mount, which is a change
        try:
            self.resctrl.mount()
        except ResctrlError:
            _cache_ledger.remove(self.ledger)
            raise
        try:
            result = self._divide(wanted, fresh, check_mode=False)
        except GroupsError:  # nothing was written yet
            self._unmount()
            raise
        if result.skipped:
            self._unmount()
        return result

    def _unmount(self) -> None:
        self.resctrl.unmount()
        _cache_ledger.remove(self.ledger)

    def _divide(self, wanted: t.Sequence[Wanted], ledger: Ledger | None, check_mode: bool) -> Result:
        cache = self.resctrl.cache()
        if cache is None:
            return Result(skipped=UNSEEN)
        there = self.resctrl.groups(cache)
        if not ledger or not self._counts(ledger, there):
            self._refuse_strays(there)
            ledger = Ledger(mounted=False, masks={}, boot_id=self.boot_id)
        noted = dataclasses.replace(ledger, masks=_masks_before(there, ledger))
        plan = _cache_groups.planned(wanted, cache, noted.masks, there)
        others = {name: group for name, group in there.items() if _cache_groups.foreign(name)}
        result = Result(before=there, after=plan | others)
        result.changed = there.keys() != result.after.keys() or bool(_differences(there, result.after))
        if result.changed and not check_mode:
            _cache_ledger.store(self.ledger, noted)  # before the first write
            self._write(cache, there, result.after)
        return result

    def _refuse_strays(self, there: Groups) -> None:
        if _ours(there):
            raise GroupsError(
                [
                    f"the groups {', '.join(_ours(there))} are there, and the ledger {self.ledger} does not know of "
                    "them, so they could not be given back; name the ledger that does, or remove them with rmdir in "
                    f"{self.resctrl.mounted}"
                ]
            )

    def _write(self, cache: Cache, there: Groups, after: Groups) -> None:
        """Make after of the groups that are there, first the default one's masks, last the CPUs."""
        for name in there.keys() - after.keys():
            self.resctrl.remove(name)
        own = {name: group for name, group in after.items() if not _cache_groups.foreign(name)}
        for name, group in own.items():
            if name not in there:
                self.resctrl.make(name)
            wrong = _wrong_masks(self.resctrl.group(name, cache), group)
            if wrong:
                self.resctrl.set_masks(name, wrong)
        for name, group in own.items():
            # A CPU that one group gets leaves the other by itself, and what a group loses goes to the default one.
            if name != WHOLE_MACHINE and self.resctrl.group(name, cache).cpus != group.cpus:
                self.resctrl.set_cpus(name, group.cpus)
        differences = _differences(self.resctrl.groups(cache), own)
        if differences:
            raise ResctrlError(
                f"{'; '.join(differences)}: the kernel took all of it and shows another; see who else writes to "
                f"{self.resctrl.mounted}"
            )


def _ours(there: Groups) -> list[str]:
    return [name for name in there if name.startswith(_cache_groups.PREFIX)]


def _masks_before(there: Groups, ledger: Ledger) -> Masks:
    """Return the masks of the default group without us; a cache that came later has its present one."""
    return {
        resource: of_caches | ledger.masks.get(resource, {})
        for resource, of_caches in there[WHOLE_MACHINE].masks.items()
    }


def _without_us(there: Groups, ledger: Ledger) -> Groups:
    others = {name: group for name, group in there.items() if _cache_groups.foreign(name)}
    cpus = sorted(cpu for name in there.keys() - others.keys() for cpu in there[name].cpus)
    return {WHOLE_MACHINE: Group(tuple(cpus), _masks_before(there, ledger)), **others}


def _differences(real: Groups, wanted: Groups) -> list[str]:
    return [
        f"group {name}: wanted {said(group)}, real {said(real[name])}"
        for name, group in wanted.items()
        if name in real and (real[name].cpus != group.cpus or _wrong_masks(real[name], group))
    ]


def _wrong_masks(real: Group, wanted: Group) -> Masks:
    """Return the wanted masks that a group does not have, of the caches that are there."""
    wrong = {
        resource: {
            number: mask
            for number, mask in of_caches.items()
            if real.masks[resource].get(number, mask) != mask
        }
        for resource, of_caches in wanted.masks.items()
    }
    return {resource: of_caches for resource, of_caches in wrong.items() if of_caches}
