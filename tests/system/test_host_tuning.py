"""The role host_tuning on this machine, as far as it may go: it refuses, and never restarts the controller."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state

REPOSITORY = Path(__file__).parents[2]
GRUB = Path("/boot/grub/grub.cfg")


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("the role needs root")


def role(directory: Path, tasks_from: str = "main", **variables: t.Any) -> subprocess.CompletedProcess[str]:
    """Run the role's tasks on this machine; nothing here is allowed to be set while it runs."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": "/usr/bin/python3",
            "host_tuning_state_dir": str(directory / "state"),
            "host_tuning_run_time": False,
            **variables,
        },
        "tasks": [
            {
                "ansible.builtin.include_role": {
                    "name": "detnet.testbed.host_tuning",
                    "tasks_from": tasks_from,
                }
            }
        ],
    }
    path = directory / "play.yml"
    path.write_text(json.dumps([play]))
    command = [
        str(REPOSITORY / "scripts" / "exclusive"),
        "ansible-playbook",
        "--inventory",
        "localhost,",
        str(path),
    ]
    return subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param(
            {"host_tuning_cores": {"housekeeping_cpus": "0", "switch_worker_cpus": "4095"}},
            ["CPU 4095 for the switch is not there", "this machine has"],
            id="an-unknown-cpu",
        ),
        pytest.param(
            {"host_tuning_cores": {"housekeeping_cpus": "0", "switch_worker_cpus": "1,1"}},
            ["CPU 1 is in '1,1' twice", "name it once"],
            id="a-cpu-that-is-named-twice",
        ),
        pytest.param(
            {"host_tuning_cores": {"housekeeping_cpus": "1", "switch_worker_cpus": "0"}},
            ["CPU 0, which boots the machine"],
            id="the-cpu-that-boots-the-machine",
        ),
        pytest.param(
            {"host_tuning_cores": {"switch_worker": 2}},
            ["host_tuning_cores has switch_worker;", "switch_workers"],
            id="an-unknown-option-of-the-plan",
        ),
        pytest.param(
            {"host_tuning_cores": {"isolate": False}, "host_tuning_kernel_parameters": ["isolcpu=1"]},
            ["Cannot tune localhost", "isolcpu"],
            id="an-unknown-kernel-parameter",
        ),
        pytest.param(
            {
                "host_tuning_cores": {"isolate": False},
                "host_tuning_hugepages": [{"node": 0, "page_size_kib": 2048, "pages": 100_000_000}],
            },
            ["Cannot tune localhost: 200000000 MiB of hugepages", "kept for everything else"],
            id="pages-beyond-the-memory",
        ),
        pytest.param(
            {"host_tuning_cores": {"isolate": False}, "host_tuning_sysctls": 7},
            ["host_tuning_sysctls"],
            id="no-dict",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_changes(
    tmp_path: Path, variables: dict[str, t.Any], says: list[str]
) -> None:
    before = _host_state.fingerprint(_host_state.read())
    done = role(tmp_path, **variables)
    assert done.returncode != 0
    for words in says:
        assert words in done.stdout
    assert _host_state.fingerprint(_host_state.read()) == before
    assert not (tmp_path / "state").exists()


def test_a_mount_point_of_something_else_is_refused_before_anything_changes(tmp_path: Path) -> None:
    place = tmp_path / "pages"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
    try:
        done = role(
            tmp_path,
            host_tuning_cores={"isolate": False},
            host_tuning_hugepages=[{"node": 0, "page_size_kib": 2048, "pages": 1}],
            host_tuning_hugepages_at_boot=False,
            host_tuning_hugetlbfs={"2048": str(place)},
        )
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert done.returncode != 0
    assert (
        f"something else is mounted at {place}; give host_tuning_hugetlbfs another directory" in done.stdout
    )
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(GRUB.exists(), reason="this machine boots by GRUB, so its line could be set")
def test_a_machine_whose_boot_loader_nobody_knows_is_refused_before_anything_changes(tmp_path: Path) -> None:
    before = _host_state.fingerprint(_host_state.read())
    done = role(tmp_path, host_tuning_cores={"isolate": False}, host_tuning_tsc="reliable")
    assert done.returncode != 0
    assert "set these parameters where the machine is started from" in done.stdout
    assert _host_state.fingerprint(_host_state.read()) == before
    assert not (tmp_path / "state").exists()


def test_the_host_on_which_ansible_runs_is_not_restarted(tmp_path: Path) -> None:
    up = Path("/proc/sys/kernel/random/boot_id").read_text()
    done = role(tmp_path, tasks_from="restart", host_tuning_reboot_allowed=True)
    assert done.returncode == 0, done.stdout
    assert "Ansible runs on localhost itself: restart it by hand" in done.stdout
    assert "skipped=1" in done.stdout
    assert Path("/proc/sys/kernel/random/boot_id").read_text() == up


def test_a_host_that_nobody_tuned_is_left_alone_by_teardown(tmp_path: Path) -> None:
    done = role(tmp_path, tasks_from="teardown")
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout
