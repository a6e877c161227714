# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM under a real libvirt and QEMU, on a real switch: it runs where it was told to.

libvirt is in the module's own process, with a directory of the test's own: it does not see the machine's domains.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

import ansible
import pytest
from switch_fixtures import MACS, REPOSITORY, Switch, run, running
from testbed_plays import guest_image

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHON = "/usr/bin/python3"  # as on an end host: the distribution's, which has libvirt's binding
NAME = "cores-vm-01"
VM_CPU, EMULATOR_CPU, NODE, PAGE_KIB, MEMORY_MIB = 1, 0, 0, 2048, 64

# Runs the module for each line of arguments. A libvirt inside a process needs an event loop, as libvirtd has, and lasts
# as long as a connection to it.
MODULE = """
import json, sys, threading, libvirt
from ansible.module_utils.testing import patch_module_args
from ansible_collections.detnet.testbed.plugins.module_utils import _hypervisor
from ansible_collections.detnet.testbed.plugins.modules import vm

def serve():
    while True:
        libvirt.virEventRunDefaultImpl()

libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=serve, daemon=True).start()
_hypervisor.URI = sys.argv[1]
connection = libvirt.open(_hypervisor.URI)
for line in sys.stdin:
    with patch_module_args(json.loads(line)):
        try:
            vm.main()
        except SystemExit:
            sys.stdout.flush()
"""
# Nothing of the machine's: no log daemon, no user of its own, and pages from the test's own mount.
QEMU_CONF = """
stdio_handler = "file"
user = "root"
group = "root"
security_driver = "none"
remember_owner = 0
hugetlbfs_mount = "{pages}"
"""


@pytest.fixture
def image() -> Path:
    if subprocess.run([PYTHON, "-c", "import libvirt"], check=False, capture_output=True).returncode:
        pytest.skip("the roles' packages are not installed; run the scenario pocket_end_to_end first")
    newest = guest_image()
    if newest is None:
        pytest.skip("there is no guest image; run the scenario pocket_end_to_end first")
    if not {VM_CPU, EMULATOR_CPU} <= os.sched_getaffinity(0):
        pytest.skip(f"this machine has not the CPUs {EMULATOR_CPU} and {VM_CPU}")
    return newest


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a directory for libvirt with the pages of the VM mounted in it."""
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        pages = home / "pages"
        pages.mkdir()
        (home / "etc").mkdir()
        (home / "etc" / "qemu.conf").write_text(QEMU_CONF.format(pages=pages))
        run("mount", "-t", "hugetlbfs", "-o", f"pagesize={PAGE_KIB}K", "none", pages)
        try:
            yield home
        finally:
            run("umount", pages)


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """Serve a VM's socket by a switch, until the VM is gone."""
    with running(Switch(tmp_path)) as switch:
        switch.add_port(1)
        yield switch.vhost(1)


@pytest.fixture
def vm(image: Path, home: Path, socket: Path) -> Iterator[Callable[..., dict[str, t.Any]]]:
    """Run the module for one VM with a place; at the end the VM is gone."""
    options = {
        "id": 1,
        "name": NAME,
        "memory_mib": MEMORY_MIB,
        "vcpus": 1,
        "interfaces": [{"mac": MACS[1], "address": "10.20.0.11/24", "socket": str(socket)}],
        "vcpu_cpus": [str(VM_CPU)],
        "emulator_cpus": str(EMULATOR_CPU),
        "memory_node": NODE,
        "page_size_kib": PAGE_KIB,
    }
    arguments = {
        "vms": [options],
        "image": str(image),
        "state_dir": str(home / "vms"),
        "management_address": "127.0.0.77",
        "ssh_authorized_key": "ssh-ed25519 AAAA test",
        "accelerator": "tcg",
    }
    libraries = [str(REPOSITORY / "build" / "collections"), str(Path(ansible.__file__).parents[1])]
    with (
        (home / "messages").open("w") as log,
        subprocess.Popen(
            [PYTHON, "-c", MODULE, f"qemu:///embed?root={home}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": ":".join(libraries)},
        ) as module,
    ):

        def vm(state: str) -> dict[str, t.Any]:
            assert module.stdin
            assert module.stdout
            print(json.dumps({**arguments, "state": state}), file=module.stdin, flush=True)
            answer = next((line for line in module.stdout if line.strip()), "")
            assert answer, (home / "messages").read_text()
            result: dict[str, t.Any] = json.loads(answer)
            assert "failed" not in result, result["msg"]
            return result

        try:
            yield vm
        finally:
            vm("absent")


def threads(pid: int) -> list[tuple[str, str]]:
    """Return the name of each thread of a process and the CPUs on which it may run."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found.append((status["Name"].strip(), status["Cpus_allowed_list"].strip()))
    return found


def test_a_vm_has_the_cpus_and_the_memory_that_it_was_given(
    vm: Callable[..., dict[str, t.Any]], home: Path
) -> None:
    assert vm("running")["changed"]
    pid = int((home / "run" / "qemu" / f"{NAME}.pid").read_text())

    found = threads(pid)
    assert [cpus for name, cpus in found if name == "CPU 0/TCG"] == [str(VM_CPU)], found
    assert {cpus for name, cpus in found if name != "CPU 0/TCG"} == {str(EMULATOR_CPU)}, found

    mapped = Path(f"/proc/{pid}/numa_maps").read_text().splitlines()
    (memory,) = [words for line in mapped if "huge" in (words := line.split())]
    assert f"bind:{NODE}" in memory
    assert f"N{NODE}={MEMORY_MIB * 1024 // PAGE_KIB}" in memory
    assert f"kernelpagesize_kB={PAGE_KIB}" in memory

    assert not vm("running")["changed"]
