# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook quiet_cores.yml on this machine, where all CPUs are shared: it measures, judges and leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = ("cyclictest", "oslat", "hwlatdetect")
SECONDS = 2


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("installing rt-tests and measuring need root")


def command(place: Path, **variables: t.Any) -> list[str]:
    given = {"quiet_cores_results_dir": str(place), "quiet_cores_duration_s": SECONDS, **variables}
    playbook = ["ansible-playbook", "playbooks/quiet_cores.yml", "--extra-vars", json.dumps(given)]
    return [str(REPOSITORY / "scripts" / "exclusive"), *playbook]


def play(place: Path, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, **variables), cwd=REPOSITORY, check=False, capture_output=True, text=True
    )


def programs() -> list[str]:
    """Return the command lines of the programs that run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if {Path(word).name for word in words[:2]} & set(PROGRAMS):
            found.append(" ".join(words))
    return found


def tracing() -> list[str]:
    """Return the mounts of debugfs and tracefs; hwlatdetect would make one."""
    mounts = Path("/proc/mounts").read_text().splitlines()
    return [mount for mount in mounts if mount.split()[2] in ("debugfs", "tracefs")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one run that judges nothing."""
    place = tmp_path_factory.mktemp("quiet_cores")
    before = tracing()
    done = play(place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tracing() == before
    assert programs() == []
    (made,) = place.iterdir()
    return made


def results(run: Path) -> dict[str, t.Any]:
    found: dict[str, t.Any] = json.loads((run / "quiet_cores.json").read_text())
    return found


def test_a_run_has_a_directory_of_its_own(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [
        "histograms.svg",
        "quiet_cores.json",
        "report.html",
    ]
    assert run.name == f"pocket-{results(run)['started'].replace('-', '').replace(':', '')}"


def test_each_cpu_was_measured_by_each_program_that_can_run(run: Path) -> None:
    found = results(run)
    online = set(os.sched_getaffinity(0))
    for tool in ("cyclictest", "oslat"):
        rows = [row for row in found["measurements"] if row["tool"] == tool]
        assert {int(row["cpus"]) for row in rows} == online
        for row in rows:
            assert 0 <= row["min_us"] <= row["avg_us"] <= row["max_us"]
            assert sum(row["histogram"].values()) + row["overflows"] == row["samples"]
    wakes = [row["samples"] for row in found["measurements"] if row["tool"] == "cyclictest"]
    assert all(0 < samples <= SECONDS * 1000 + 100 for samples in wakes)
    assert {row["tool"] for row in found["measurements"] + found["not_measured"]} == set(PROGRAMS)
    assert all(row["reason"] for row in found["not_measured"])


def test_the_results_are_stamped_with_the_host(run: Path) -> None:
    found = results(run)
    assert len(found["fingerprint"]) == 16
    assert found["summary"].startswith("CPU: ")
    assert found["state"]["kernel"]["release"] == found["versions"]["kernel"] == os.uname().release
    assert found["versions"]["rt-tests"]


def test_the_report_shows_the_host_and_the_image_is_one(run: Path) -> None:
    assert "Quiet cores of pocket" in (run / "report.html").read_text()
    assert ET.parse(run / "histograms.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314


def test_cpus_beyond_their_threshold_fail_with_a_table_and_the_results_are_kept(tmp_path: Path) -> None:
    thresholds = {"cyclictest": 0.5, "oslat": 10**9}
    done = play(
        tmp_path,
        quiet_cores_cpus="1",
        quiet_cores_housekeeping_cpus="",
        quiet_cores_threshold_us=thresholds,
    )
    assert done.returncode != 0
    assert "The isolated CPUs of pocket are not within quiet_cores_threshold_us" in done.stdout
    (made,) = tmp_path.iterdir()
    (fault,) = results(made)["faults"]
    assert (fault["cpus"], fault["tool"], fault["threshold_us"]) == ("1", "cyclictest", 0.5)
    assert "cyclictest" in done.stdout
    assert str(fault["max_us"]) in done.stdout


def test_a_wrong_threshold_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    done = play(tmp_path, quiet_cores_threshold_us={"cyclic": 5}, quiet_cores_duration_s=3600)
    assert done.returncode != 0
    assert "there is a threshold for 'cyclic'" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_mode_measures_nothing(tmp_path: Path) -> None:
    words = [*command(tmp_path, quiet_cores_duration_s=3600), "--check"]
    done = subprocess.run(words, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_no_program(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path, quiet_cores_duration_s=3600),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        deadline = time.monotonic() + 120
        while not programs() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert programs(), "no program was started"
        os.killpg(running.pid, signal.SIGINT)
        running.wait(timeout=30)
    deadline = time.monotonic() + 10
    while programs() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert programs() == []
    assert list(tmp_path.iterdir()) == []
