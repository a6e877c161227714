# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run on groups of CPUs, and end whatever happens. The programs are small scripts of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_cores
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_cores import Groups
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import QuietError
from quiet_results import RECORDINGS, recorded

ASLEEP = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A kernel with four CPUs of which it isolates two, and no debugfs."""
    place = tmp_path / "root"
    (place / "sys/devices/system/cpu").mkdir(parents=True)
    (place / "sys/devices/system/cpu/online").write_text("0-3\n")
    (place / "sys/devices/system/cpu/isolated").write_text("2-3\n")
    (place / "proc/self").mkdir(parents=True)
    (place / "proc/self/mounts").write_text("")
    return place


@pytest.mark.parametrize(
    ("isolated", "housekeeping", "found"),
    [
        pytest.param(None, None, Groups((2, 3), (0, 1), 0), id="what-the-kernel-isolates-and-the-others"),
        pytest.param("1,3", None, Groups((1, 3), (0, 2), 0), id="named-ones-and-the-others"),
        pytest.param("0", "2", Groups((0,), (2,), 1), id="the-programs-are-on-a-cpu-that-is-not-isolated"),
        pytest.param("", None, Groups((), (0, 1, 2, 3), 0), id="none-isolated"),
        pytest.param(None, "", Groups((2, 3), (), 0), id="isolated-ones-alone"),
        pytest.param("0-3", None, Groups((0, 1, 2, 3), (), 0), id="all-isolated"),
    ],
)
def test_knows_the_groups(root: Path, isolated: str | None, housekeeping: str | None, found: Groups) -> None:
    assert _quiet_cores.groups(isolated, housekeeping, str(root)) == found


def test_a_kernel_that_says_nothing_of_isolated_cpus_isolates_none(root: Path) -> None:
    (root / "sys/devices/system/cpu/isolated").unlink()
    assert _quiet_cores.groups(None, None, str(root)) == Groups((), (0, 1, 2, 3), 0)


@pytest.mark.parametrize(
    ("isolated", "housekeeping", "says"),
    [
        pytest.param("2-", None, "isolated_cpus: '2-' in '2-' is neither a CPU nor a range", id="no-list"),
        pytest.param(
            "3-4",
            None,
            "CPU 4 of isolated_cpus is not online; this machine has 0-3",
            id="a-cpu-that-is-not-there",
        ),
        pytest.param(
            "2-3", "1-2", "CPU 2 is in isolated_cpus and in housekeeping_cpus; name it once", id="in-both"
        ),
        pytest.param("", "", "no CPU is named; name one", id="none"),
    ],
)
def test_refuses_cpus(root: Path, isolated: str, housekeeping: str | None, says: str) -> None:
    with pytest.raises(QuietError) as caught:
        _quiet_cores.groups(isolated, housekeeping, str(root))
    assert says in str(caught.value)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for programs, beside setpriv, which runs them."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "setpriv").symlink_to("/usr/bin/setpriv")
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(_quiet_cores, "SYSTEM_PATH", str(place))
    return place


def install(place: Path, name: str, code: str) -> None:
    """Install a program in Python whose options are in the dict given, and whose words are in the list log."""
    head = (
        f"#!{sys.executable}\n"
        "import os, shutil, sys, time\n"
        "given = dict(word.lstrip('-').split('=', 1) for word in sys.argv[1:] if '=' in word)\n"
        f"open({str(place / 'log')!r}, 'a').write(f'{name} {{sys.argv[1:]}}\\n')\n"
    )
    (place / name).write_text(head + code + "\n")
    (place / name).chmod(0o755)


def replays(name: str) -> str:
    return f"shutil.copy({str(RECORDINGS / name)!r}, given['json'])"


def test_measures_isolated_cpus_before_the_others_and_one_program_after_the_other(
    root: Path, programs: Path, tmp_path: Path
) -> None:
    install(programs, "cyclictest", replays("cyclictest.json"))
    install(programs, "oslat", replays("oslat.json"))
    found = _quiet_cores.measure(Groups((0, 1), (), 0), 3, str(tmp_path), str(root))
    assert [(row["tool"], row["kind"], row["cpus"]) for row in found.measurements] == [
        ("cyclictest", "isolated", "0"),
        ("cyclictest", "isolated", "1"),
        ("oslat", "isolated", "0"),
        ("oslat", "isolated", "1"),
    ]
    assert found.rt_tests == "2.40"
    assert found.not_measured == [
        {
            "tool": "hwlatdetect",
            "kind": "isolated",
            "cpus": "0-1",
            "reason": "it is not installed; install rt-tests",
        }
    ]
    log = (programs / "log").read_text().splitlines()
    assert [line.split()[0] for line in log] == ["cyclictest", "oslat"]
    assert "'--duration=3'" in log[0]


def test_both_groups_have_their_own_runs(root: Path, programs: Path, tmp_path: Path) -> None:
    install(programs, "oslat", "sys.exit(3)")
    found = _quiet_cores.measure(Groups((2, 3), (0, 1), 0), 1, str(tmp_path), str(root))
    log = (programs / "log").read_text().splitlines()
    assert ["--cpu-list=2-3" in line for line in log] == [True, False]
    assert ["--cpu-list=0-1" in line for line in log] == [False, True]
    assert [(row["kind"], row["cpus"]) for row in found.not_measured if row["tool"] == "oslat"] == [
        ("isolated", "2-3"),
        ("housekeeping", "0-1"),
    ]


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        pytest.param(
            "cyclictest",
            f"print({recorded('cyclictest_unprivileged.txt')!r}); sys.exit(1)",
            "it ended with 1 and said 'Unable to change scheduling policy!",
            id="no-real-time-priority",
        ),
        pytest.param("oslat", "", "its results are not those of rt-tests 2", id="nothing-written"),
        pytest.param(
            "oslat",
            "open(given['json'], 'w').write('{')",
            "its results are not those of rt-tests 2",
            id="a-full-disk",
        ),
        pytest.param("oslat", "os.kill(os.getpid(), 9)", "it ended with -9 and said ''", id="killed"),
        pytest.param(
            "hwlatdetect",
            "",
            "debugfs is not mounted; mount it on /sys/kernel/debug",
            id="hwlatdetect-may-not-mount",
        ),
    ],
)
def test_says_why_a_program_measured_nothing(
    root: Path, programs: Path, tmp_path: Path, program: str, code: str, says: str
) -> None:
    install(programs, program, code)
    found = _quiet_cores.measure(Groups((0, 1), (), 0), 1, str(tmp_path), str(root))
    assert found.measurements == []
    (reason,) = [row["reason"] for row in found.not_measured if row["tool"] == program]
    assert reason.startswith(says)


def test_hwlatdetect_that_found_something_ends_with_1_and_its_settings_are_given_back(
    root: Path, programs: Path, tmp_path: Path
) -> None:
    tracing = root / "sys/kernel/debug/tracing"
    (tracing / "hwlat_detector").mkdir(parents=True)
    (tracing / "current_tracer").write_text("nop\n")
    (tracing / "tracing_on").write_text("1\n")
    (root / "proc/self/mounts").write_text("none /sys/kernel/debug debugfs rw 0 0\n")
    used = f"open({str(tracing / 'tracing_on')!r}, 'w').write('0')"
    install(
        programs,
        "hwlatdetect",
        f"{used}; print(open({str(RECORDINGS / 'hwlatdetect.txt')!r}).read()); sys.exit(1)",
    )
    found = _quiet_cores.measure(Groups((0, 1), (), 0), 6, str(tmp_path), str(root))
    assert [(row["tool"], row["max_us"]) for row in found.measurements] == [("hwlatdetect", 77209)]
    assert (tracing / "tracing_on").read_text() == "1"


def gone(pid: int) -> bool:
    """Return whether a process ends soon."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.01)
    return False


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(QuietError, match=r"did not end within 1 s; see what else keeps its CPUs busy"):
        _quiet_cores.run([sys.executable, "-c", ASLEEP, str(pid)], signal.SIGKILL, 1)
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize("number", _quiet_cores.INTERRUPTS, ids=lambda number: number.name)
def test_an_interrupt_ends_the_program_and_is_told(tmp_path: Path, number: signal.Signals) -> None:
    pid, before = tmp_path / "pid", signal.getsignal(number)

    def interrupt() -> None:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(QuietError, match=f"interrupted by {number.name}; run it again"):
        _quiet_cores.run([sys.executable, "-c", ASLEEP, str(pid)], signal.SIGKILL, 30)
    assert gone(int(pid.read_text()))
    assert signal.getsignal(number) == before


def test_a_program_does_not_outlive_the_module_that_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import signal, sys\n"
        "from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_cores\n"
        f"_quiet_cores.run([sys.executable, '-c', {ASLEEP!r}, {str(pid)!r}], signal.SIGKILL, 30)\n"
    )
    collections = Path(_quiet_cores.__file__).parents[5]
    environment = {**os.environ, "PYTHONPATH": str(collections)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as module:
        deadline = time.monotonic() + 20
        while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        module.kill()
    assert gone(int(pid.read_text()))


def test_what_a_program_prints_is_kept_together() -> None:
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(4)"
    assert _quiet_cores.run([sys.executable, "-c", code], signal.SIGKILL, 30) == (4, "one\ntwo\n")
