# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done for a VM, in order."""

from __future__ import annotations

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_steps
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed
from ansible_collections.detnet.testbed.plugins.module_utils._vm_changes import Change
from vms import VM

RUNNING = Observed("running", "uuid", VM, VM)
PAUSED = Observed("paused", "uuid", VM, VM)
STOPPED = Observed("stopped", "uuid", VM)
PIN = Change("vcpu_cpus", ["1"], ["2"], "live")
MEMORY = Change("memory_mib", 256, 512, "reboot")
IMAGE = Change("image", "/images/1", "/images/2", "recreate")
ID = Change("id", 1, 2, "never")
WAITS = Change("memory_mib", 256, 512, "reboot", configured=True)
PINNED_BY_HAND = Change("vcpu_cpus", ["1"], ["2"], "live", configured=True)


@pytest.mark.parametrize(
    ("state", "observed", "changes", "steps"),
    [
        pytest.param("running", None, [], "create start", id="creates-and-starts"),
        pytest.param("running", RUNNING, [], "", id="running-stays"),
        pytest.param("running", STOPPED, [], "start", id="starts-again"),
        pytest.param("running", PAUSED, [], "resume", id="resumes"),
        pytest.param("running", RUNNING, [PIN], "define pin", id="pins-while-it-runs"),
        pytest.param("running", PAUSED, [PIN], "define pin resume", id="pins-what-is-paused"),
        pytest.param("running", STOPPED, [PIN], "define start", id="starts-with-its-pins"),
        pytest.param("running", RUNNING, [PIN, MEMORY], "stop define start", id="restarts-for-memory"),
        pytest.param("running", STOPPED, [MEMORY], "define start", id="starts-with-its-memory"),
        pytest.param("running", PAUSED, [MEMORY], "stop define start", id="restarts-what-is-paused"),
        pytest.param("running", RUNNING, [IMAGE], "remove create start", id="recreates-for-an-image"),
        pytest.param("running", RUNNING, [WAITS], "stop start", id="restarts-for-what-waited"),
        pytest.param("running", RUNNING, [PINNED_BY_HAND], "pin", id="pins-what-is-configured"),
        pytest.param("present", None, [], "create", id="present-creates-only"),
        pytest.param("present", RUNNING, [], "", id="present-leaves-running"),
        pytest.param("present", STOPPED, [], "", id="present-leaves-stopped"),
        pytest.param("present", RUNNING, [MEMORY], "stop define start", id="present-restarts-what-ran"),
        pytest.param("present", PAUSED, [MEMORY], "stop define start pause", id="present-pauses-again"),
        pytest.param("present", STOPPED, [MEMORY], "define", id="present-defines-what-is-stopped"),
        pytest.param("present", RUNNING, [IMAGE], "remove create start", id="present-recreates-what-ran"),
        pytest.param("present", STOPPED, [IMAGE], "remove create", id="present-recreates-stopped"),
        pytest.param("stopped", None, [], "create", id="stopped-creates-only"),
        pytest.param("stopped", RUNNING, [], "stop", id="stops"),
        pytest.param("stopped", PAUSED, [], "stop", id="stops-what-is-paused"),
        pytest.param("stopped", RUNNING, [MEMORY], "stop define", id="stops-and-defines"),
        pytest.param("stopped", STOPPED, [IMAGE], "remove create", id="recreates-without-start"),
        pytest.param("paused", None, [], "create start pause", id="creates-and-pauses"),
        pytest.param("paused", RUNNING, [], "pause", id="pauses"),
        pytest.param("paused", PAUSED, [], "", id="paused-stays"),
        pytest.param("paused", PAUSED, [MEMORY], "stop define start pause", id="restarts-and-pauses"),
        pytest.param("rebooted", None, [], "create start", id="a-new-vm-is-only-started"),
        pytest.param("rebooted", RUNNING, [], "stop start", id="reboots"),
        pytest.param("rebooted", STOPPED, [], "start", id="what-is-stopped-is-only-started"),
        pytest.param("rebooted", RUNNING, [MEMORY], "stop define start", id="reboots-once-for-both"),
        pytest.param("rebooted", RUNNING, [PIN], "define pin stop start", id="pins-and-reboots"),
        pytest.param("recreated", None, [], "create start", id="a-new-vm-is-only-created"),
        pytest.param("recreated", RUNNING, [], "remove create start", id="recreates"),
        pytest.param("recreated", STOPPED, [MEMORY], "remove create start", id="recreates-what-is-stopped"),
    ],
)
def test_steps(state: str, observed: Observed | None, changes: list[Change], steps: str) -> None:
    assert " ".join(_vm_steps.steps(state, changes, observed, leftovers=True, reach="recreate")) == steps


@pytest.mark.parametrize(
    ("state", "observed", "changes", "steps"),
    [
        pytest.param("running", RUNNING, [MEMORY], "define", id="what-runs-waits"),
        pytest.param("running", RUNNING, [WAITS], "", id="what-waits-already-waits-on"),
        pytest.param("running", STOPPED, [MEMORY], "define start", id="what-is-stopped-has-it-at-once"),
        pytest.param("rebooted", RUNNING, [MEMORY], "define stop start", id="what-was-asked-is-done"),
        pytest.param("stopped", RUNNING, [MEMORY], "define stop", id="stops"),
    ],
)
def test_steps_without_leave_to_restart(
    state: str, observed: Observed, changes: list[Change], steps: str
) -> None:
    assert " ".join(_vm_steps.steps(state, changes, observed, leftovers=True, reach="live")) == steps


@pytest.mark.parametrize(
    ("observed", "leftovers", "steps"),
    [
        pytest.param(None, False, (), id="nothing-to-remove"),
        pytest.param(None, True, ("delete",), id="removes-what-a-half-done-creation-left"),
        pytest.param(RUNNING, True, ("remove", "delete"), id="removes"),
        pytest.param(STOPPED, False, ("remove", "delete"), id="removes-a-domain-without-files"),
    ],
)
def test_steps_to_absent(observed: Observed | None, leftovers: bool, steps: tuple[str, ...]) -> None:
    assert _vm_steps.steps("absent", [], observed, leftovers, "live") == steps


@pytest.mark.parametrize(
    ("changes", "state", "reach", "says"),
    [
        pytest.param([PIN, MEMORY], "running", "live", [], id="what-can-wait"),
        pytest.param([IMAGE], "running", "recreate", [], id="with-leave"),
        pytest.param([IMAGE], "recreated", "live", [], id="as-asked"),
        pytest.param([IMAGE], "running", "reboot", ["its image", "apply=recreate"], id="disk-would-be-lost"),
        pytest.param(
            [ID], "recreated", "recreate", ["its id is 1", "remove this one first"], id="another-vm"
        ),
    ],
)
def test_refused(changes: list[Change], state: str, reach: str, says: list[str]) -> None:
    messages = _vm_steps.refused(changes, state, reach)
    assert bool(messages) is bool(says)
    for words in says:
        assert words in messages[0]


@pytest.mark.parametrize(
    ("before", "done", "state"),
    [
        pytest.param(None, [], "absent", id="nothing-was-and-nothing-done"),
        pytest.param(RUNNING, [], "running", id="unchanged"),
        pytest.param(RUNNING, ["define"], "running", id="defined"),
        pytest.param(None, ["create"], "stopped", id="created"),
        pytest.param(RUNNING, ["remove"], "absent", id="failed-after-removal"),
        pytest.param(RUNNING, ["stop", "define", "start", "pause"], "paused", id="paused"),
        pytest.param(PAUSED, ["resume"], "running", id="resumed"),
    ],
)
def test_state_after(before: Observed | None, done: list[str], state: str) -> None:
    assert _vm_steps.state_after(before, done) == state
