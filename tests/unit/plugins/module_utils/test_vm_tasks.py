# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many VMs boot at the same time; all else of the tasks is tested by the module vm."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from unittest import mock

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_tasks
from ansible_collections.detnet.testbed.plugins.module_utils._vm_tasks import Task
from vms import VM


def tasks(count: int, accelerator: str) -> list[Task]:
    vm = dataclasses.replace(VM, accelerator=accelerator)
    return [Task(number, vm.name, "/", vm, None, [], ("create", "start")) for number in range(count)]


@pytest.mark.parametrize(
    ("accelerator", "cpus", "boots"),
    [
        pytest.param("tcg", 3, 3, id="emulated-guests-have-a-cpu-each"),
        pytest.param("tcg", None, 2, id="nobody-knows-how-many-cpus-there-are"),
        pytest.param("kvm", 2, 8, id="kvm-guests-mostly-wait-for-their-disks"),
        pytest.param("kvm", 64, 64, id="a-large-host"),
    ],
)
def test_boots_at_once(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, cpus: int | None, boots: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    assert _vm_tasks.boots_at_once(tasks(2, accelerator)) == boots


class Work:
    """What counts how often it is called at the same time."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def __call__(self, *_arguments: object) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1


def test_no_more_than_allowed_are_worked_on_at_once() -> None:
    work = Work()
    _vm_tasks.for_each(tasks(9, "tcg"), 3, work)
    _vm_tasks.for_each([], 0, work)
    assert (work.now, work.most) == (0, 3)


def test_guests_that_run_already_are_asked_no_more_at_once_than_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of 64 at once on two CPUs never came to an end."""
    work = Work()
    running = [dataclasses.replace(task, steps=()) for task in tasks(9, "tcg")]
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(_vm_tasks, "plan", lambda *_: running)
    monkeypatch.setattr(_vm_tasks, "wait", work)
    for name in ("preflight", "refuse_old_libvirt", "act", "result"):
        monkeypatch.setattr(_vm_tasks, name, lambda *_: None)
    _vm_tasks.run(mock.MagicMock(), {}, check_mode=False)
    assert work.most == 3
