# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vm_states as states

OPTIONS: dict[str, t.Any] = {**dict.fromkeys(states.SSH_READS), "host": "server1", "ssh_executable": "ssh"}
RUNNING = "Domain: 'alpha-vm-01'\n  state.state=1\n  state.reason=1\n"


def shell(script: str) -> states.Command:
    return ("sh", "-c", script)


def one(script: str, timeout_s: float = 20) -> states.Answer:
    return states.ask([shell(script)], timeout_s)[shell(script)]


def ended(pid: int) -> bool:
    """Return whether a process has ended, soon."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("number", "state"),
    [
        pytest.param(0, "unknown", id="no-state"),
        pytest.param(1, "running", id="running"),
        pytest.param(2, "running", id="blocked"),
        pytest.param(3, "paused", id="paused"),
        pytest.param(4, "running", id="being-shut-down"),
        pytest.param(5, "stopped", id="shut-off"),
        pytest.param(6, "stopped", id="crashed"),
        pytest.param(7, "paused", id="suspended-by-the-guest"),
        pytest.param(8, "unknown", id="of-a-later-libvirt"),
    ],
)
def test_a_number_of_libvirt_is_a_state(number: int, state: str) -> None:
    answer = states.answer(0, f"Domain: 'vm'\n  state.state={number}\n  state.reason=1\n\n")
    assert answer == states.Answer({"vm": state})


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param("", {}, id="no-domain"),
        pytest.param(
            RUNNING + "\n" + RUNNING.replace("01", "02"),
            {"alpha-vm-01": "running", "alpha-vm-02": "running"},
            id="two",
        ),
        pytest.param(
            "Welcome to server1!\n" + RUNNING,
            {"alpha-vm-01": "running"},
            id="after-the-greeting-of-a-login-shell",
        ),
        pytest.param(
            "Domain: 'gone'\n\n" + RUNNING,
            {"alpha-vm-01": "running"},
            id="a-domain-without-state-does-not-take-the-next-one's",
        ),
        pytest.param(
            "Domain: 'a'\n  cpu.time=1\n  state.state=5\n", {"a": "stopped"}, id="after-other-statistics"
        ),
        pytest.param("\0\xff%", {}, id="garbage"),
    ],
)
def test_the_output_of_virsh_is_read(output: str, expected: dict[str, str]) -> None:
    assert states.answer(0, output).states == expected


def test_a_real_virsh_is_read() -> None:
    virsh = [word.replace("qemu:///system", "test:///default") for word in states.VIRSH]
    try:
        done = subprocess.run(virsh, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("virsh is not installed; the role hypervisor does it")
    if done.returncode == 127:
        pytest.skip("virsh is not installed; the role hypervisor does it")
    assert states.answer(done.returncode, done.stdout) == states.Answer({"test": "running"})


@pytest.mark.parametrize(
    ("status", "output", "fault"),
    [
        pytest.param(
            1,
            "error: failed to connect\nerror: No such file\n",
            "error: No such file",
            id="the-last-line-says-most",
        ),
        pytest.param(255, "a\n\n \n", " ", id="a-line-of-spaces"),
        pytest.param(127, "", "exit status 127", id="nothing-said"),
        pytest.param(-9, "\n", "exit status -9", id="killed"),
        pytest.param(1, "bad \x1b[2Jhost\n", "bad [2Jhost", id="what-commands-a-terminal-is-left-out"),
    ],
)
def test_a_failure_is_told_and_is_no_state(status: int, output: str, fault: str) -> None:
    assert states.answer(status, output) == states.Answer(None, fault)


def test_each_command_has_its_own_answer() -> None:
    good, bad, missing = (
        shell(f'printf "%s" "{RUNNING}"'),
        shell("echo no >&2; exit 3"),
        ("/no/such/program",),
    )
    assert states.ask([good, bad, missing], 20) == {
        good: states.Answer({"alpha-vm-01": "running"}),
        bad: states.Answer(None, "no"),
        missing: states.Answer(None, "cannot start /no/such/program: No such file or directory"),
    }


def test_all_are_asked_at_once() -> None:
    commands = [shell(f"sleep 0.5 # {number}") for number in range(20)]
    began = time.monotonic()
    assert all(answer.states == {} for answer in states.ask(commands, 20).values())
    assert time.monotonic() - began < 5


def test_those_that_answered_in_time_are_read_after_one_that_did_not() -> None:
    slow, quick = shell("sleep 60"), shell(f'printf "%s" "{RUNNING}"')
    began = time.monotonic()
    assert states.ask([slow, quick], 1) == {
        slow: states.Answer(None, "no answer within 1 s"),
        quick: states.Answer({"alpha-vm-01": "running"}),
    }
    assert time.monotonic() - began < 10


def test_one_that_does_not_answer_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    answer = one(f"trap '' TERM; sleep 60 & echo $$ $! > {pids}; wait", timeout_s=1)
    assert answer.fault == "no answer within 1 s"
    assert all(ended(int(pid)) for pid in pids.read_text().split())


def test_a_helper_that_stays_does_not_hold_the_answer_up() -> None:
    began = time.monotonic()
    answer = one(f'sleep 8 & printf "%s" "{RUNNING}"')
    assert answer.states == {"alpha-vm-01": "running"}
    assert time.monotonic() - began < 6


def test_much_output_does_not_block() -> None:
    assert one(f'head -c 300000 /dev/zero; printf "\\n%s" "{RUNNING}"').states == {"alpha-vm-01": "running"}


def test_nothing_can_be_asked_of_the_user() -> None:
    # Standard input is empty, and a session of its own has no terminal.
    answer = one("read -r line && echo input; (: </dev/tty) 2>/dev/null && echo terminal; exit 1")
    assert answer.fault == "exit status 1"
    asked = one('test "$(ps -o sid= -p $$ | tr -d " ")" = $$')
    assert asked == states.Answer({})


def test_no_room_for_the_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert one("true").fault == "cannot start sh: No space left on device"


def test_an_interruption_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> t.NoReturn:
        started.append(process)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one("sleep 60")
    assert ended(started[0].pid)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["--", "server1"], id="nothing-but-its-name"),
        pytest.param(
            {"port": 2222, "private_key_file": "~/.ssh/lab", "remote_user": "admin"},
            ["-p", "2222", "-i", "~/.ssh/lab", "-l", "admin", "--", "server1"],
            id="port-key-and-user",
        ),
        pytest.param(
            {
                "ssh_args": "-C",
                "ssh_common_args": "-o 'ProxyCommand=ssh -W %h:%p jump'",
                "ssh_extra_args": "-4",
            },
            ["-C", "-o", "ProxyCommand=ssh -W %h:%p jump", "-4", "--", "server1"],
            id="arguments-in-ansible's-order",
        ),
        pytest.param({"host": "-oProxyCommand=x"}, ["--", "-oProxyCommand=x"], id="a-name-is-no-option"),
    ],
)
def test_ssh_has_the_options_that_ansible_would_give_it(
    options: dict[str, t.Any], expected: list[str]
) -> None:
    program, *words, command = states.over_ssh(OPTIONS | options, ("virsh", "list", "a b"))
    assert program == "ssh"
    assert words == [*states.SSH_OPTIONS, *expected]
    assert command == "virsh list 'a b'"


def test_ssh_takes_our_options_before_those_of_the_user() -> None:
    words = states.over_ssh(OPTIONS | {"ssh_args": "-o ControlMaster=auto -o BatchMode=no"}, ("true",))
    done = subprocess.run(
        ["ssh", "-G", *words[1:-3], "server1"], check=True, capture_output=True, text=True, env=os.environ
    )
    assert {"batchmode yes", "controlmaster false", "requesttty false"} <= set(done.stdout.splitlines())
