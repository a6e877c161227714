"""VMs when a process is killed at any moment, when the disk is full, when memory is short by one page.

The same run then ends well, or says what is missing before anything changes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from testbed_plays import PAGES, REPOSITORY, guest_image, play

if t.TYPE_CHECKING:
    from collections.abc import Iterator

RUN = Path("/run/detnet-testbed/alpha")
STATE = Path("/var/lib/detnet-testbed/alpha/vms")
LIBVIRTD = Path("/run/detnet-testbed/libvirtd.pid")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKmVsC4tuRfvthwRGOKGezKNXMOxKs6C8WB80kNPp3mB test"
ADDRESS = "127.0.0.11"
NAMES = ("alpha-vm-01", "alpha-vm-02")
# What the module does, in a process that can be killed like it.
DRIVER = """
import json, sys
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor, _vm_tasks
with _hypervisor.connect() as hypervisor:
    done = _vm_tasks.run(hypervisor, json.load(sys.stdin), False)
print(json.dumps([vm.get("error") for vm in done["vms"]]))
"""


def mac(vm_id: int) -> str:
    return f"02:00:00:00:00:{vm_id:02x}"


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A machine with libvirt and a switch that has a port for each VM; afterwards it is given back."""
    if os.geteuid() != 0:
        pytest.skip("VMs need root")
    if shutil.which("virsh") is None:
        pytest.skip("the roles' packages are not installed; run the scenario pocket_end_to_end first")
    assert play("playbooks/hosts.yml").returncode == 0
    assert play("playbooks/switches.yml").returncode == 0
    if not LIBVIRTD.exists():
        pytest.skip("libvirt was here before the testbed; other people's VMs would suffer with it")
    ports = [{"vm": vm_id, "mac": mac(vm_id)} for vm_id in (1, 2)]
    options = json.dumps({"socket": str(RUN / "control/switch.sock"), "ports": ports})
    command = ["ansible", "localhost", "-m", "detnet.testbed.switch_port", "-a", options]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    made = guest_image()
    assert made, "the play made no guest image"
    yield made
    play("playbooks/teardown.yml")


def request(image: Path, state: str, memory_mib: int) -> dict[str, t.Any]:
    """Return the parameters of the module for both VMs."""
    interface = {
        "socket_server": "switch",
        "reconnect_s": 1,
        "queues": 1,
        "queue_size": 1024,
        "packed": False,
        "mergeable_buffers": True,
        "offloads": True,
        "address_v6": "",
        "mtu": 1500,
    }
    vms = [
        {
            "id": vm_id,
            "name": name,
            "memory_mib": memory_mib,
            "vcpus": 1,
            "interfaces": [
                {
                    **interface,
                    "mac": mac(vm_id),
                    "socket": str(RUN / f"vhost/vm-{vm_id:02d}.sock"),
                    "address": f"10.20.0.{vm_id}/24",
                }
            ],
        }
        for vm_id, name in enumerate(NAMES, start=1)
    ]
    return {
        "vms": vms,
        "state": state,
        "apply": "recreate",
        "image": str(image),
        "state_dir": str(STATE),
        "management_address": ADDRESS,
        "ssh_authorized_key": KEY,
        "backend": "libvirt",
        "accelerator": "tcg",
        "wait_for": "started",
        "wait_timeout_s": 60,
        "switch_socket": None,
    }


def start(params: dict[str, t.Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "build/collections")},
    )
    assert process.stdin
    process.stdin.write(json.dumps(params))
    process.stdin.close()
    process.stdin = None
    return process


def converge(params: dict[str, t.Any]) -> None:
    process = start(params)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert json.loads(out) == [None, None]


def domains() -> dict[str, str]:
    """Return the state of each VM of ours that libvirt knows."""
    command = ["virsh", "-c", "qemu:///system", "list", "--all", "--name"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    states = {}
    for name in set(names) & set(NAMES):
        state = ["virsh", "-c", "qemu:///system", "domstate", name]
        states[name] = subprocess.run(state, check=True, capture_output=True, text=True).stdout.strip()
    return states


def leftovers() -> list[str]:
    """Return what there is of VMs: directories, logs, processes, ports."""
    found = [str(path) for path in STATE.glob("vm-*")] + list(domains())
    found += [str(path) for name in NAMES for path in Path("/var/log/libvirt/qemu").glob(f"{name}*")]
    found += [str(path) for path in Path("/run/libvirt/qemu").glob("alpha-vm-*")]
    for command in (["pgrep", "--full", "guest=alpha-vm-"], ["ss", "-Hlt", "src", ADDRESS]):
        found += subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    return found


def kill(victim: str, module: subprocess.Popen[str]) -> None:
    """End a process of ours without a chance to clean up; it may be gone already."""
    pids = [module.pid]
    if victim == "libvirtd":
        pids = [int(LIBVIRTD.read_text())]
    elif victim == "qemu":
        pids = [int(path.read_text()) for path in Path("/run/libvirt/qemu").glob("alpha-vm-*.pid")]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def survive(image: Path, seed: int) -> None:
    chance = random.Random(seed)
    victim = ("module", "qemu", "libvirtd")[seed % 3]
    converge(request(image, chance.choice(["running", "stopped", "absent"]), 256))
    state, memory_mib = (
        chance.choice(["running", "recreated", "rebooted", "absent"]),
        chance.choice([256, 192]),
    )
    module = start(request(image, state, memory_mib))
    time.sleep(chance.uniform(0, 3))
    kill(victim, module)
    module.communicate(timeout=120)
    if victim == "libvirtd":
        assert play("playbooks/hosts.yml").returncode == 0
    converge(request(image, "running", 256))
    assert domains() == dict.fromkeys(NAMES, "running"), (seed, victim, state)
    converge(request(image, "absent", 256))
    assert leftovers() == [], (seed, victim, state)


@pytest.mark.parametrize("seed", range(4))
def test_a_kill(image: Path, seed: int) -> None:
    survive(image, seed)


@pytest.mark.soak
def test_many_kills(image: Path) -> None:
    for seed in range(4, 104):
        survive(image, seed)


def answer(params: dict[str, t.Any]) -> tuple[int, str]:
    """Return the exit status, and all that was said."""
    process = start(params)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out + errors


def test_a_disk_that_is_full_half_way(image: Path) -> None:
    place = STATE.with_name("small")  # where QEMU's user may look, unlike pytest's places
    params = {**request(image, "running", 256), "state_dir": str(place)}
    place.mkdir()
    # Enough for the files of one VM and the directory of the other.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=9,mode=711", "none", str(place)], check=True)
    try:
        _status, said = answer(params)
        assert "No space left on device" in said
        assert "vm-0" in said
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", str(place)], check=True)
        converge(params)
        assert domains() == dict.fromkeys(NAMES, "running")
        converge({**params, "state": "absent"})
        assert list(place.iterdir()) == []
    finally:
        answer({**params, "state": "absent"})
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_memory_that_is_short_by_one_page(image: Path) -> None:
    free = int(PAGES.with_name("free_hugepages").read_text())
    params = request(image, "running", 256)
    params["vms"][0]["memory_mib"] = 2 * (free - 128 + 1)
    status, said = answer(params)
    assert status != 0
    assert f"VMs alpha-vm-01, alpha-vm-02 need {free + 1} hugepages of 2048 KiB, {free} are free" in said
    assert leftovers() == []


def test_an_image_that_is_not_there(image: Path, tmp_path: Path) -> None:
    status, said = answer(request(tmp_path, "running", 256))
    assert status != 0
    assert f"the image {tmp_path} lacks" in said
    assert leftovers() == []
