"""The pocket testbed as a whole, with its faults: bad input, interruption, a taken port, a killed guest, teardown.

The tests are steps of one life and run in the order of the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from testbed_plays import PAGES, POCKET, REPOSITORY, Snapshot, changed, difference, play, snapshot

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Inventory = dict[str, t.Any]
CPUS = f"0-{max(os.sched_getaffinity(0))}"


@pytest.fixture(scope="module")
def before() -> Iterator[Snapshot]:
    """The machine without a testbed; whatever a failed test leaves is taken away at the end."""
    if os.geteuid() != 0:
        pytest.skip("the testbed needs root")
    if shutil.which("virsh") is None:
        pytest.skip("the roles' packages are not installed; run the scenario pocket_end_to_end first")
    assert play("playbooks/teardown.yml").returncode == 0
    yield snapshot()
    play("playbooks/teardown.yml")


def edit(path: Path, change: Callable[[Inventory], None]) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def second_vm_of_one_id(pocket: Path) -> None:
    def change(hosts: Inventory) -> None:
        hosts["end_hosts"]["hosts"]["alpha"]["testbed_vms"].append({"id": 1, "address": "10.20.0.99/24"})

    edit(pocket / "hosts.yml", change)


RULE = {"from": "alpha-vm-01", "to": "beta-vm-01", "protocol": "tcp", "tags": [21, 21, 1]}


def rule(**values: t.Any) -> Callable[[Path], None]:
    """Return what adds a rule with a fault."""
    return lambda pocket: edit(
        pocket / "group_vars" / "all.yml", lambda variables: variables.update(testbed_rules=[RULE | values])
    )


def flow(**values: t.Any) -> Callable[[Path], None]:
    """Return what spoils the first flow."""
    return lambda pocket: edit(
        pocket / "group_vars" / "all.yml", lambda variables: variables["testbed_flows"][0].update(values)
    )


def stranger(pocket: Path) -> None:
    edit(
        pocket / "group_vars" / "all.yml",
        lambda variables: variables["testbed_journey"].update(to="gamma-vm-01"),
    )


def misspelled(pocket: Path) -> None:
    edit(pocket / "group_vars" / "all.yml", lambda variables: variables.update(testbed_rulez=[]))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(second_vm_of_one_id, ["alpha", "VM id 1 is used twice"], id="two VMs of one id"),
        pytest.param(
            rule(tags=[21, 4095, 1]), ["testbed_rules[0]", "4095", "4094"], id="a tag outside 1..4094"
        ),
        pytest.param(rule(tags=[21] * 11), ["testbed_rules[0]", "11", "10"], id="more than 10 tags"),
        pytest.param(
            rule(to="beta-vm-07"), ["testbed_rules[0]", "beta-vm-07"], id="a rule for a VM that is not"
        ),
        pytest.param(flow(via=["s4"]), ["testbed_flows[0]", "s4"], id="a flow by a switch that is not"),
        pytest.param(stranger, ["gamma-vm-01", "testbed_journey"], id="a journey to a VM that is not"),
        pytest.param(misspelled, ["testbed_rulez", "testbed_rules"], id="an unknown variable"),
    ],
)
def test_bad_input_is_refused_before_anything_changes(
    before: Snapshot, tmp_path: Path, spoil: Callable[[Path], None], says: list[str]
) -> None:
    pocket = shutil.copytree(POCKET, tmp_path / "pocket")
    spoil(pocket)
    done = play("playbooks/site.yml", inventory=pocket)
    assert done.returncode != 0
    for words in says:
        assert words in done.stdout + done.stderr
    assert difference(before, snapshot()) == {}


def test_hugepages_that_the_memory_cannot_give_are_refused(before: Snapshot) -> None:
    pages = {"node": 0, "page_size_kib": 2048, "pages": 100_000_000}
    done = play("playbooks/site.yml", "--extra-vars", json.dumps({"host_tuning_hugepages": [pages]}))
    assert done.returncode != 0
    assert "Cannot tune pocket: 200000000 MiB of hugepages are asked for on node 0" in done.stdout
    assert difference(before, snapshot()) == {}


def test_check_mode_predicts_a_first_run_and_touches_nothing(before: Snapshot) -> None:
    done = play("--check", "playbooks/site.yml")
    assert done.returncode == 0, done.stdout
    assert changed(done) > 0
    assert difference(before, snapshot()) == {}


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_under_the_cache_is_refused(before: Snapshot, tmp_path: Path) -> None:
    with small_disk(tmp_path / "cache") as place:
        done = play("playbooks/hosts.yml", "--extra-vars", f"testbed_cache_dir={place}")
        assert done.returncode != 0
        assert str(place) in done.stdout
        assert "MiB free" in done.stdout


@pytest.mark.parametrize(
    "task",
    [
        "Start the container",
        *(
            pytest.param(task, marks=pytest.mark.soak)
            for task in (
                "Set the values of the running kernel",
                "Start the daemons that do not answer",
                "Build the container image",
                "Build the switches and their links",
                "Create the container",
                "Generate the testbed's SSH key",
                "Give each VM a port on the switch",
                "Create and start the VMs, and wait until all answer",
                "Give each tagging switch the rules of its VMs",
            )
        ),
    ],
)
def test_a_run_that_is_killed_half_way_can_be_run_again(before: Snapshot, task: str) -> None:
    assert play("playbooks/teardown.yml").returncode == 0
    command = ["ansible-playbook", "--inventory", str(POCKET), "playbooks/site.yml"]
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert any(task in line for line in running.stdout), f"the run has no task {task!r}"
        time.sleep(1)
        os.killpg(running.pid, signal.SIGKILL)
    done = play(
        "playbooks/hosts.yml", "playbooks/switches.yml", "playbooks/create_vms.yml", "playbooks/rules.yml"
    )
    assert done.returncode == 0, done.stdout


def test_a_port_that_is_taken_is_refused_before_a_vm_is_made(before: Snapshot) -> None:
    assert play("playbooks/teardown.yml").returncode == 0
    assert play("playbooks/hosts.yml", "playbooks/switches.yml").returncode == 0
    with socket.create_server(("127.0.0.11", 20001)):
        done = play("playbooks/create_vms.yml", "--limit", "alpha")
    assert done.returncode != 0
    assert "20001" in done.stdout
    assert not snapshot()["domains"]


def test_the_testbed_comes_up_after_all_that(before: Snapshot) -> None:
    done = play("playbooks/site.yml")
    assert done.returncode == 0, done.stdout
    assert snapshot()["domains"] == ["alpha-vm-00.xml", "alpha-vm-01.xml", "beta-vm-01.xml"]


def test_pages_that_somebody_took_away_are_named(before: Snapshot) -> None:
    assert play("playbooks/verify_hosts.yml").returncode == 0
    try:
        PAGES.write_text("800")
        done = play("playbooks/verify_hosts.yml")
    finally:
        PAGES.write_text("1024")
    assert done.returncode != 0
    assert "pocket is not as host_tuning was asked to have it" in done.stdout
    assert re.search(r"memory\.nodes\.0\.hugepages_by_size_kib\.2048\.total +1024 +800 ", done.stdout)


def test_what_somebody_did_to_vms_and_a_switch_by_hand_is_named(before: Snapshot) -> None:
    podman = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    for command in (
        ["virsh", "vcpupin", "alpha-vm-00", "0", "0", "--live"],
        ["virsh", "emulatorpin", "alpha-vm-01", "0", "--live"],
        ["virsh", "suspend", "beta-vm-01"],
        [*podman, "stop", "detnet-switch-beta"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    done = play("playbooks/verify_vms.yml")
    assert done.returncode != 0
    for row in (
        rf"alpha-vm-00 +vcpu_cpus\[0\] +{CPUS} +libvirt 0, thread 0 ",
        rf"alpha-vm-01 +emulator_cpus +{CPUS} +libvirt 0, threads? ",
        r"beta-vm-01 +state +running +paused ",
        r"all +switch +answers +does not ",
    ):
        assert re.search(row, done.stdout), done.stdout


def test_the_same_playbooks_have_it_all_back(before: Snapshot) -> None:
    done = play("playbooks/switches.yml", "playbooks/create_vms.yml", "playbooks/rules.yml")
    assert done.returncode == 0, done.stdout
    for mode in ([], ["--check"]):
        done = play(*mode, "playbooks/verify_vms.yml")
        assert done.returncode == 0, done.stdout
        assert changed(done) == 0


def test_check_mode_of_what_is_there_predicts_nothing_and_touches_nothing(before: Snapshot) -> None:
    there = snapshot()
    done = play("--check", "playbooks/site.yml")
    assert done.returncode == 0, done.stdout
    assert changed(done) == 0
    assert difference(there, snapshot()) == {}


def test_two_runs_at_once_are_refused(before: Snapshot) -> None:
    exclusive = str(REPOSITORY / "scripts" / "exclusive")
    with subprocess.Popen([exclusive, "sleep", "60"], start_new_session=True) as first:
        try:
            time.sleep(0.5)
            done = play("playbooks/site.yml")
        finally:
            os.killpg(first.pid, signal.SIGTERM)
    assert done.returncode != 0
    assert "another run is changing this machine's testbed" in done.stderr
    assert not done.stdout


def test_a_killed_guest_is_started_again(before: Snapshot) -> None:
    found = subprocess.run(
        ["pgrep", "--full", "qemu-system.*guest=beta-vm-01"], check=True, capture_output=True, text=True
    )
    os.kill(int(found.stdout), signal.SIGKILL)
    done = play("playbooks/create_vms.yml", "--limit", "beta")
    assert done.returncode == 0, done.stdout
    assert changed(done) == 1


def test_teardown_leaves_the_machine_as_it_was(before: Snapshot) -> None:
    done = play("playbooks/teardown.yml")
    assert done.returncode == 0, done.stdout
    assert difference(before, snapshot()) == {}


def test_teardown_of_nothing_changes_nothing(before: Snapshot) -> None:
    done = play("playbooks/teardown.yml")
    assert done.returncode == 0, done.stdout
    assert changed(done) == 0
