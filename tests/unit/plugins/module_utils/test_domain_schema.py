# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our domains by the schema of the libvirt that is installed: it drops in silence what it does not know."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import recorded_vms
from ansible_collections.detnet.testbed.plugins.module_utils import _domain_xml

SCHEMA = "/usr/share/libvirt/schemas/domain.rng"

pytestmark = [
    pytest.mark.skipif(not os.path.exists(SCHEMA), reason=f"no {SCHEMA}: libvirt is not installed"),
    pytest.mark.skipif(not shutil.which("xmllint"), reason="xmllint (libxml2-utils) is not installed"),
]


def fault(xml: str) -> str:
    """Return what xmllint has against a domain, nothing if it is valid."""
    lint = subprocess.run(
        ["xmllint", "--noout", "--relaxng", SCHEMA, "-"],
        check=False,
        input=xml,
        capture_output=True,
        text=True,
    )
    return "" if lint.returncode == 0 else lint.stderr


@pytest.mark.parametrize("subject", recorded_vms.SUBJECTS)
def test_is_valid(subject: str) -> None:
    vm, image = recorded_vms.SUBJECTS[subject]
    assert fault(_domain_xml.domain_xml(vm, image)) == ""


def test_an_element_that_libvirt_does_not_know_is_found() -> None:
    vm, image = recorded_vms.SUBJECTS["kvm"]
    xml = _domain_xml.domain_xml(vm, image).replace("<acpi />", "<acpi /><apci />")
    assert "features" in fault(xml)
