# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of divided caches: who mounted resctrl, and what the default group had before."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _ledger_file
from ansible_collections.detnet.testbed.plugins.module_utils._resctrl import Masks

WITHOUT = "restart the machine, which gives the caches back, too"


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Whether we mounted resctrl, and the masks of the default group before our first change.

    boot_id is the start of the machine in which that was. The next one gives everything back, unless the groups are
    made again.
    """

    mounted: bool
    masks: Masks
    boot_id: str


def load(path: str) -> Ledger | None:
    """Return the ledger at path, None if there is none. Raises LedgerError."""
    return _ledger_file.load(path, _ledger, WITHOUT)


def store(path: str, ledger: Ledger) -> None:
    """Have the ledger on the disk. Raises LedgerError."""
    masks = {
        resource: {str(number): f"{mask:x}" for number, mask in of_caches.items()}
        for resource, of_caches in ledger.masks.items()
    }
    _ledger_file.store(path, {"boot_id": ledger.boot_id, "mounted": ledger.mounted, "masks": masks})


def remove(path: str) -> None:
    """Remove the ledger. Raises LedgerError."""
    _ledger_file.store(path, None)


def _ledger(document: t.Any) -> Ledger:
    return Ledger(bool(document["mounted"]), _masks(document["masks"]), str(document["boot_id"]))


def _masks(document: t.Any) -> Masks:
    return {
        resource: {int(number): int(mask, 16) for number, mask in of_caches.items()}
        for resource, of_caches in document.items()
    }
