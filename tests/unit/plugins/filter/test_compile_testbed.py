# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that come with the collection, read by Ansible; and what Ansible says about a faulty one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[4]


def evaluate(inventory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let the first end host show its testbed, with the variables of the playbooks."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible"),
            "end_hosts[0]",
            "--inventory",
            inventory,
            "--playbook-dir",
            "playbooks",
            *options,
            "--module-name",
            "ansible.builtin.debug",
            "--args",
            "var=testbed",
        ],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "guests"),
    [
        pytest.param("pocket", ["alpha-vm-00", "alpha-vm-01", "beta-vm-01"], id="pocket"),
        pytest.param("lab", ["server1-vm-00", "server1-vm-01", "server2-vm-01", "server3-vm-01"], id="lab"),
    ],
)
def test_the_inventory_describes_a_testbed(name: str, guests: list[str]) -> None:
    done = evaluate(TOP / "inventories" / name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.strip(" :") for line in done.stdout.splitlines() if line.strip(" :") in guests] == guests


def test_ansible_shows_each_fault_on_a_line_of_its_own() -> None:
    wrong = {"testbed_rule": [], "testbed_name": "a b"}
    done = evaluate(TOP / "inventories" / "pocket", "--extra-vars", json.dumps(wrong))
    assert done.returncode == 2
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    assert "- testbed_name is 'a b'; use a-z, 0-9 and, between them, hyphens" in lines
    assert (
        "- alpha, beta, s1, s2, pocket: testbed_rule is no variable of a testbed; did you mean testbed_rules?"
        in lines
    )
