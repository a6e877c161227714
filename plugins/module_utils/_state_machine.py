# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was bought and which firmware it has: two hosts that should be equal often differ in no more."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files

DMI = "sys/class/dmi/id"
FILES = {
    "vendor": "sys_vendor",
    "product": "product_name",
    "firmware_version": "bios_version",
    "firmware_date": "bios_date",
}


def read(root: str = "/") -> dict[str, t.Any]:
    """Return maker, model and firmware of the machine; nothing that differs between two of a kind."""
    return {name: files.word(root, f"{DMI}/{file}") for name, file in FILES.items()}
