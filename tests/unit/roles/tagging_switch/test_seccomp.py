"""The list of system calls that the switch may make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROFILE = json.loads(
    (Path(__file__).parents[4] / "roles/tagging_switch/files/seccomp.json").read_text(encoding="utf-8")
)
CLONE_THREAD = 0x00010000  # sched.h


def allowed() -> dict[str, list[dict[str, int]]]:
    """Return the allowed system calls with the conditions on their arguments."""
    return {
        name: rule.get("args", [])
        for rule in PROFILE["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for name in rule["names"]
    }


def test_what_is_not_listed_does_not_exist_for_the_switch() -> None:
    """The C library then takes another way where it has one, as for clone3 and close_range."""
    assert (PROFILE["defaultAction"], PROFILE["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)


@pytest.mark.parametrize(
    "call",
    [
        *("bpf", "clone3", "fork", "init_module", "io_uring_setup", "kexec_load", "keyctl", "kill", "mount"),
        *("open_by_handle_at", "perf_event_open", "process_vm_readv", "process_vm_writev", "ptrace"),
        *("reboot", "setns", "setuid", "unshare", "userfaultfd", "vfork"),
    ],
)
def test_the_switch_has_no_use_for(call: str) -> None:
    assert call not in allowed()


def test_a_new_task_is_a_thread_and_never_a_process() -> None:
    masked = {"index": 0, "value": CLONE_THREAD, "valueTwo": CLONE_THREAD, "op": "SCMP_CMP_MASKED_EQ"}
    assert allowed()["clone"] == [masked]


def test_nothing_else_depends_on_arguments_or_is_listed_twice() -> None:
    names = [name for rule in PROFILE["syscalls"] for name in rule["names"]]
    assert len(names) == len(set(names))
    assert [name for name, arguments in allowed().items() if arguments] == ["clone"]
