# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine has room for VMs."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_preflight
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Vm

VM = Vm(1, "a-vm-01", 256, 1, "", "", "/s", "switch", 1024, "/i", "/d/vm-01", "127.0.0.1", "")
SMALL = dataclasses.replace(VM, name="a-vm-02", memory_mib=2)


@pytest.mark.parametrize(
    ("vms", "released_mib", "page_kib", "free", "says"),
    [
        pytest.param([], 0, 0, 0, [], id="no-vm-needs-no-page"),
        pytest.param([VM], 0, 2048, 128, [], id="exactly-enough"),
        pytest.param(
            [VM], 0, 2048, 127, ["VMs a-vm-01 need 128 hugepages of 2048 KiB, 127 are free"], id="one-too-few"
        ),
        pytest.param([VM], 256, 2048, 0, [], id="a-replaced-vm-gives-back-first"),
        pytest.param([VM, SMALL], 0, 2048, 128, ["VMs a-vm-01, a-vm-02 need 129"], id="all-together"),
        pytest.param([VM], 0, 0, 0, ["this kernel has no hugepages"], id="no-hugepages"),
        pytest.param([VM], 0, 1048576, 1, ["memory_mib=256 is no multiple"], id="part-of-a-page"),
    ],
)
def test_hugepages(vms: list[Vm], released_mib: int, page_kib: int, free: int, says: list[str]) -> None:
    problems = _vm_preflight.page_problems(vms, released_mib, page_kib, free)
    assert len(problems) == len(says)
    assert all(part in problem for part, problem in zip(says, problems, strict=True))


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 300 << 20})
    monkeypatch.setattr(_vm_preflight.shutil, "disk_usage", lambda _place: usage)
    assert _vm_preflight.missing_space([VM]) == []
    (problem,) = _vm_preflight.missing_space([VM, SMALL])
    assert problem == "/ has 300 MiB free, 2 VMs need 512 MiB; free some, or choose another state_dir"


def test_an_address_of_another_machine_is_named() -> None:
    (problem,) = _vm_preflight.taken_ports([dataclasses.replace(VM, management_address="192.0.2.1")])
    assert problem.startswith("VM a-vm-01: its management port 192.0.2.1:20001 cannot be bound: ")


def test_qemu_as_server_needs_the_directory_only() -> None:
    serves = dataclasses.replace(VM, socket_server="qemu", socket="/usr/new.sock")
    assert _vm_preflight.missing_sockets([serves]) == []
    (problem,) = _vm_preflight.missing_sockets([dataclasses.replace(serves, socket="/missing/new.sock")])
    assert "the directory of /missing/new.sock is missing" in problem
