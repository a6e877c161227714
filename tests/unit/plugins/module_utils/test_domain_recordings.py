# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirt 7, 9 and 11 really make of our domains, as tests/unit/domains/record.py recorded it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import recorded_vms
from ansible_collections.detnet.testbed.plugins.module_utils import _domain_reader, _domain_xml, _vm_changes
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Image, Observed, Vm

DIRECTORY = Path(recorded_vms.__file__).parent / "domains"
NAME = re.compile(r"libvirt-(?P<version>[0-9]+\.[0-9]+)-(?P<subject>[a-z-]+?)(-running)?\.xml")
RECORDED = {**recorded_vms.SUBJECTS, **recorded_vms.LIVE}
# What a libvirt refuses to define.
REFUSED = {"7.0": {"tcg", "live"}}

recordings = sorted(DIRECTORY.glob("*.xml"))
ours = [path for path in recordings if "-foreign" not in path.name]
foreign = [path for path in recordings if "-foreign" in path.name]
each_of_ours = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in ours])


def recorded(path: Path) -> tuple[Vm, Image]:
    found = NAME.fullmatch(path.name)
    assert found is not None
    return RECORDED[found["subject"]]


@pytest.mark.parametrize("version", ["7.0", "9.0", "11.3"])
def test_every_subject_is_recorded(version: str) -> None:
    subjects = RECORDED.keys() - REFUSED.get(version, set())
    running = {f"{subject}-running" for subject in subjects & recorded_vms.LIVE.keys()}
    assert {path.name for path in DIRECTORY.glob(f"libvirt-{version}-*")} == {
        f"libvirt-{version}-{subject}.xml" for subject in subjects | running | {"foreign"}
    }


@each_of_ours
def test_is_read_as_the_vm_that_it_was_made_of(path: Path) -> None:
    vm, _image = recorded(path)
    assert _domain_reader.vm(path.read_text()) == vm


@each_of_ours
def test_has_nothing_to_change(path: Path) -> None:
    vm, _image = recorded(path)
    read = _domain_reader.vm(path.read_text())
    assert _vm_changes.changes(vm, Observed("running", "", configured=read, running=read)) == []


@each_of_ours
def test_is_the_same_when_written_and_read_again(path: Path) -> None:
    _vm, image = recorded(path)
    read = _domain_reader.vm(path.read_text())
    assert read is not None
    assert _domain_reader.vm(_domain_xml.domain_xml(read, image)) == read


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in foreign])
def test_a_domain_of_somebody_else_is_no_vm(path: Path) -> None:
    assert _domain_reader.vm(path.read_text()) is None
