# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document in a few lines."""

from __future__ import annotations

import copy
import typing as t

import host_trees
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state
from ansible_collections.detnet.testbed.plugins.module_utils._state_summary import size, summary

if t.TYPE_CHECKING:
    from pathlib import Path


def test_says_the_most_important(tmp_path: Path) -> None:
    state = _host_state.read(host_trees.write_host(tmp_path), host_trees.ask)
    assert summary(state).splitlines() == [
        "CPU:        Xeon X, microcode 0xd0003a5, CPUs 0-7, SMT off, turbo off",
        "Kernel:     6.1.0-28-amd64",
        "Isolation:  isolated 2-7, without tick 2-7",
        "Governor:   performance on 2-7, powersave on 0-1",
        "Hugepages:  node 0: 512 of 2 MiB, 500 free; node 1: 512 of 2 MiB, 500 free",
        "NICs:       eth0 (ice), 0000:00:02.0 (vfio-pci)",
        "TuneD:      runs, profile detnet-testbed",
    ]


def test_says_what_is_not_known(tmp_path: Path) -> None:
    state = _host_state.read(str(tmp_path), host_trees.ask)
    assert summary(state).splitlines() == [
        "CPU:        unknown, microcode unknown, CPUs unknown, SMT unknown, turbo unknown",
        "Kernel:     unknown",
        "Isolation:  isolated none, without tick none",
        "Governor:   none: no frequency scaling",
        "Hugepages:  node 0: none",
        "NICs:       none",
        "TuneD:      does not run, profile none",
    ]


def test_names_a_realtime_kernel_and_a_nic_without_driver(tmp_path: Path) -> None:
    state = copy.deepcopy(_host_state.read(host_trees.write_host(tmp_path), host_trees.ask))
    state["kernel"]["realtime"] = True
    state["network"]["devices_without_interface"]["0000:00:02.0"]["driver"] = None
    lines = summary(state).splitlines()
    assert lines[1] == "Kernel:     6.1.0-28-amd64, PREEMPT_RT"
    assert lines[5] == "NICs:       eth0 (ice), 0000:00:02.0 (no driver)"


def test_sizes_have_the_largest_unit_that_fits() -> None:
    assert [size(kib) for kib in (64, 2048, 32768, 1048576)] == ["64 KiB", "2 MiB", "32 MiB", "1 GiB"]
