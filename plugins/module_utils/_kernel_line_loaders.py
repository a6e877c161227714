# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boot loader a machine has."""

from __future__ import annotations

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _grub_loader,
    _kernel_line_bls,
    _kernel_line_entries,
)
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader import LineError, Loader

AUTO = "auto"
LOADERS: dict[str, type[Loader]] = {
    "grub": _grub_loader.Grub,
    "bls": _kernel_line_bls.Bls,
    "systemd_boot": _kernel_line_entries.SystemdBoot,
}
FOUND = {
    "grub": _grub_loader.is_there,
    "bls": _kernel_line_bls.is_there,
    "systemd_boot": _kernel_line_entries.is_there,
}


def choose(name: str, root: str = "/") -> Loader | None:
    """Return the named loader, or the machine's; None if it has none. Raises LineError if it has several."""
    found = [loader for loader, is_there in FOUND.items() if is_there(root)] if name == AUTO else [name]
    if len(found) > 1:
        raise LineError(f"the machine has {' and '.join(found)}; set loader to the one that starts it")
    return LOADERS[found[0]](root) if found else None
