# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin as Ansible runs it, with a virsh and an ssh of our own in place of the end hosts'."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[4]
HOSTS: dict[str, t.Any] = {
    "end_hosts": {
        "hosts": {
            "alpha": {
                "ansible_connection": "local",
                "testbed_management_address": "127.0.0.11",
                "testbed_vms": [
                    {"id": 0, "address": "10.20.0.10/24"},
                    {"id": 1, "address": "10.20.0.11/24", "address_v6": "fd20::11/64"},
                ],
            },
            "rack-2": {
                "ansible_host": "192.0.2.12",
                "testbed_management_address": "{{ ansible_host }}",
                "testbed_vms": [{"id": "{{ first + 1 }}", "address": "10.20.0.21/24"}],
                "first": 0,
            },
            "empty": {
                "ansible_connection": "ansible.builtin.local",
                "testbed_management_address": "127.0.0.13",
            },
        }
    },
    "network_switches": {"hosts": {"s1": {"broken": "{{ nowhere }}"}}},
}


def unmarked(value: dict[str, t.Any]) -> t.Any:
    """Return a value without the mark of text that is never a template."""
    return value.get("__ansible_unsafe", value)


class Lab:
    """A directory with an inventory, and the programs that are found instead of the real ones."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.inventory = top / "inventory"
        self.said = top / "said"  # what was asked by ssh
        (top / "bin").mkdir()
        (self.inventory / "group_vars").mkdir(parents=True)
        self.write("hosts.yml", HOSTS)
        # As group_vars/all of the collection's inventories: not in a source, beside it.
        self.write("group_vars/all.yml", {"testbed_name": "lab"})
        self.configure()
        self.virsh(("alpha-vm-00", 1), ("alpha-vm-01", 3), ("rack-2-vm-01", 5), ("other", 1))
        self.program("ssh", f'printf "%s\\n" "$@" >{self.said}', 'for last; do :; done; eval "$last"')

    def write(self, name: str, content: t.Any) -> None:
        (self.inventory / name).write_text(yaml.safe_dump(content))

    def configure(self, name: str = "vms.testbed.yml", **options: t.Any) -> None:
        self.write(name, {"plugin": "detnet.testbed.testbed", **options})

    def program(self, name: str, *lines: str) -> None:
        path = self.top / "bin" / name
        path.write_text("\n".join(("#!/bin/sh", *lines, "")))
        path.chmod(0o755)

    def virsh(self, *domains: tuple[str, int]) -> None:
        self.program(
            "virsh",
            *(f"echo \"Domain: '{name}'\"; echo '  state.state={number}'" for name, number in domains),
        )

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-inventory")),
                "--inventory",
                str(self.inventory),
                *words,
            ],
            cwd=TOP,
            env=os.environ
            | {
                "PATH": f"{self.top / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.top),
                "XDG_STATE_HOME": "/state",
            }
            | environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

    def read(self, *words: str, **environ: str) -> tuple[dict[str, t.Any], str]:
        """Return the inventory, and what was said beside it."""
        done = self.run("--list", *words, **environ)
        return json.loads(done.stdout, object_hook=unmarked), " ".join(done.stderr.split())


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def members(inventory: dict[str, t.Any], group: str) -> list[str]:
    return inventory.get(group, {}).get("hosts", [])  # type: ignore[no-any-return]


def states(inventory: dict[str, t.Any]) -> dict[str, str]:
    hosts = inventory["_meta"]["hostvars"]
    return {name: hosts[name]["testbed_vm"]["state"] for name in members(inventory, "vms")}


def test_each_vm_is_a_host_in_the_groups_of_its_end_host_role_and_state(lab: Lab) -> None:
    inventory, said = lab.read()
    assert said == ""
    assert {group: members(inventory, group) for group in inventory if "vms" in group} == {
        "vms": ["alpha-vm-00", "alpha-vm-01", "rack-2-vm-01"],
        "alpha_vms": ["alpha-vm-00", "alpha-vm-01"],
        "rack_2_vms": ["rack-2-vm-01"],
        "control_vms": ["alpha-vm-00"],
        "guest_vms": ["alpha-vm-01", "rack-2-vm-01"],
        "vms_running": ["alpha-vm-00"],
        "vms_paused": ["alpha-vm-01"],
        "vms_stopped": ["rack-2-vm-01"],
    }


def test_the_variables_of_a_vm_are_those_that_playbooks_need(lab: Lab) -> None:
    variables = lab.read()[0]["_meta"]["hostvars"]
    assert variables["alpha-vm-01"] == {
        "ansible_connection": "ssh",
        "ansible_control_path_dir": "/state/detnet-testbed/lab/ssh",
        "ansible_host": "127.0.0.11",
        "ansible_port": 20001,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=\"/state/detnet-testbed/lab/known_hosts-alpha\"' "
        "-o StrictHostKeyChecking=yes",
        "ansible_ssh_private_key_file": "/state/detnet-testbed/lab/id_ed25519",
        "ansible_user": "root",
        "testbed_name": "lab",
        "testbed_vm": {
            "id": 1,
            "end_host": "alpha",
            "mac": "02:8e:d3:f6:ad:01",
            "ip": "10.20.0.11",
            "ip_v6": "fd20::11",
            "management_address": "127.0.0.11",
            "management_port": 20001,
            "state": "paused",
        },
    }
    assert variables["rack-2-vm-01"]["ansible_host"] == "192.0.2.12"  # by a template


def test_groups_without_a_vm_can_be_named_too(lab: Lab) -> None:
    shown = lab.run("--graph").stdout
    assert all(f"@{group}:" in shown for group in ("empty_vms", "vms_absent", "vms_unknown"))


def test_the_graph_of_the_pocket_testbed_shows_its_vms(lab: Lab) -> None:
    lab.configure(live_state=False)
    (lab.inventory / "hosts.yml").unlink()
    (lab.inventory / "group_vars" / "all.yml").unlink()
    source = lab.inventory / "vms.testbed.yml"
    done = lab.run(
        "--inventory", str(TOP / "inventories" / "pocket"), "--inventory", str(source), "--graph", "vms"
    )
    assert done.stdout.split() == ["@vms:", "|--alpha-vm-00", "|--alpha-vm-01", "|--beta-vm-01"]


@pytest.mark.parametrize(
    ("variables", "words", "directory"),
    [
        pytest.param(
            {"testbed_controller_dir": "/keys/{{ testbed_name }}"}, [], "/keys/lab", id="from-the-inventory"
        ),
        pytest.param(
            {}, ["--extra-vars", "testbed_controller_dir=/other"], "/other", id="from-the-command-line"
        ),
        pytest.param(
            {}, ["--extra-vars", "testbed_name=b"], "/state/detnet-testbed/b", id="with-another-name"
        ),
    ],
)
def test_the_keys_may_be_elsewhere(
    lab: Lab, variables: dict[str, str], words: list[str], directory: str
) -> None:
    lab.write("group_vars/all.yml", {"testbed_name": "lab", **variables})
    hosts = lab.read(*words)[0]["_meta"]["hostvars"]
    assert hosts["alpha-vm-01"]["ansible_ssh_private_key_file"] == f"{directory}/id_ed25519"


def test_the_nearest_variable_wins_as_in_a_playbook(lab: Lab) -> None:
    def prefix(number: int) -> dict[str, str]:
        return {"testbed_mac_prefix": f"02:00:00:00:{number:02x}"}

    # The group a sorts before all, and is nearer all the same.
    lab.write("more.yml", {"a": {"hosts": {"alpha": {}, "rack-2": {}}}})
    lab.write("group_vars/all.yml", {"testbed_name": "lab", **prefix(1)})
    lab.write("group_vars/a.yml", prefix(2))
    (lab.inventory / "host_vars").mkdir()
    lab.write("host_vars/rack-2.yml", prefix(3))
    hosts = lab.read()[0]["_meta"]["hostvars"]
    assert hosts["alpha-vm-01"]["testbed_vm"]["mac"] == "02:00:00:00:02:01"
    assert hosts["rack-2-vm-01"]["testbed_vm"]["mac"] == "02:00:00:00:03:01"


def test_no_end_host_is_asked_if_the_live_state_is_off(lab: Lab) -> None:
    lab.configure(live_state=False)
    for name in ("virsh", "ssh"):
        lab.program(name, f"touch {lab.said}")
    inventory, said = lab.read()
    assert set(states(inventory).values()) == {"unknown"}
    assert members(inventory, "vms_unknown") == members(inventory, "vms")
    assert said == ""
    assert not lab.said.exists()


def test_an_end_host_is_asked_by_ssh_as_ansible_would_reach_it(lab: Lab) -> None:
    hosts = {"rack-2": {"ansible_port": 2222, "ansible_user": "{{ who }}", "who": "admin"}}
    lab.write("more.yml", {"end_hosts": {"hosts": hosts}})
    lab.write("group_vars/end_hosts.yml", {"ansible_ssh_common_args": "-o UserKnownHostsFile=/lab/hosts"})
    lab.read(ANSIBLE_PRIVATE_KEY_FILE="/lab/key", ANSIBLE_SSH_ARGS="-C")
    words = lab.said.read_text().splitlines()
    assert words[:5] == ["-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no"]
    assert words[5:] == [
        *[
            "-C",
            "-p",
            "2222",
            "-i",
            "/lab/key",
            "-l",
            "admin",
            "-o",
            "UserKnownHostsFile=/lab/hosts",
            "--",
            "192.0.2.12",
        ],
        "env LC_ALL=C virsh --connect qemu:///system --readonly domstats --state",
    ]


def test_a_template_of_a_password_is_not_rendered(lab: Lab) -> None:
    password = "{{ lookup('ansible.builtin.pipe', 'touch " + str(lab.top / "asked") + "') }}"
    lab.write("group_vars/all.yml", {"testbed_name": "lab", "ansible_password": password})
    assert states(lab.read()[0])["rack-2-vm-01"] == "stopped"
    assert not (lab.top / "asked").exists()


def test_an_end_host_that_fails_is_a_warning_and_the_others_are_read(lab: Lab) -> None:
    lab.program("ssh", "echo 'Host key verification failed.' >&2; exit 255")
    inventory, said = lab.read()
    assert states(inventory) == {"alpha-vm-00": "running", "alpha-vm-01": "paused", "rack-2-vm-01": "unknown"}
    assert said.count("WARNING") == 1
    assert "Cannot read the states of the VMs of rack-2: Host key verification failed. See" in said
    assert "ssh -T -o BatchMode=yes" in said


def test_end_hosts_with_one_fault_are_one_warning(lab: Lab) -> None:
    (lab.top / "bin" / "virsh").unlink()
    inventory, said = lab.read(PATH=f"{lab.top / 'bin'}:{Path(sys.executable).parent}:{no_virsh(lab)}")
    assert set(states(inventory).values()) == {"unknown"}
    assert said.count("WARNING") == 1
    assert "the VMs of alpha, empty, rack-2: env: " in said
    assert "virsh" in said.partition("env: ")[2].partition(": No such file or directory. See")[0]


def no_virsh(lab: Lab) -> Path:
    """Return a directory with the few programs that this needs, and without virsh."""
    directory = lab.top / "few"
    directory.mkdir()
    for name in ("env", "sh"):
        (directory / name).symlink_to(f"/usr/bin/{name}")
    return directory


def test_the_time_is_bounded(lab: Lab) -> None:
    lab.configure(timeout_s=0.5)
    lab.program("ssh", "sleep 60")
    began = time.monotonic()
    inventory, said = lab.read()
    assert time.monotonic() - began < 20
    assert states(inventory)["rack-2-vm-01"] == "unknown"
    assert "of rack-2: no answer within 0.5 s" in said


def test_variables_and_groups_can_be_constructed(lab: Lab) -> None:
    lab.configure(
        compose={"ansible_user": "'detnet'"},
        groups={"even": "testbed_vm.id % 2 == 0"},
        keyed_groups=[{"key": "testbed_vm.end_host ~ '_' ~ testbed_vm.state", "separator": ""}],
    )
    inventory, said = lab.read()
    assert said == ""
    assert members(inventory, "even") == ["alpha-vm-00"]
    assert members(inventory, "rack_2_stopped") == ["rack-2-vm-01"]
    assert "even" not in inventory["_meta"]["hostvars"]["alpha"]
    assert inventory["_meta"]["hostvars"]["alpha-vm-01"]["ansible_user"] == "detnet"
    assert "ansible_user" not in inventory["_meta"]["hostvars"]["alpha"]


def test_a_wrong_expression_is_a_fault_where_it_is_strict(lab: Lab) -> None:
    lab.configure(compose={"a": "nowhere.b"}, strict=True)
    assert "Could not set a for host alpha-vm-00" in lab.read()[1]


BAD_VM = {"end_hosts": {"hosts": {"alpha": {"testbed_vms": [{"id": 65, "adress": "10.20.0.11/24"}]}}}}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            BAD_VM, "- alpha: testbed_vms[0]: unknown key 'adress'; did you mean address?", id="a-wrong-key"
        ),
        pytest.param(BAD_VM, "- alpha: testbed_vms[0]: id is 65; choose 0 to 64", id="and-all-other-faults"),
        pytest.param(
            {"network_switches": {"hosts": {"s1": {"testbed_vm": []}}}},
            "- s1: testbed_vm is no variable of a testbed; did you mean testbed_vms?",
            id="of-a-host-that-is-no-end-host",
        ),
        pytest.param(
            {"end_hosts": {"hosts": {"alpha": {"testbed_vms": "{{ nowhere }}"}}}},
            "Cannot read testbed_vms of alpha: 'nowhere' is undefined",
            id="an-undefined-variable",
        ),
        pytest.param(
            {"end_hosts": {"hosts": {"alpha": {"testbed_controller_dir": "{{ nowhere }}"}}}},
            "Cannot read testbed_controller_dir of alpha: 'nowhere' is undefined",
            id="an-undefined-directory",
        ),
        pytest.param(
            {"end_hosts": {"hosts": {"rack-2": {"ansible_port": "{{ nowhere }}"}}}},
            "Cannot read ansible_port of rack-2: 'nowhere' is undefined",
            id="an-undefined-connection",
        ),
        pytest.param(
            {"end_hosts": {"hosts": {"rack-2": {"ansible_ssh_common_args": "-o 'a"}}}},
            "Cannot split the SSH arguments of rack-2: No closing quotation; mend their quotes",
            id="an-open-quotation",
        ),
        pytest.param(
            {"end_hosts": {"hosts": {"control": {"testbed_management_address": "127.0.0.14"}}}},
            "control: its VMs would be in the group control_vms of another meaning; give the end host another name",
            id="a-name-that-is-a-role's",
        ),
    ],
)
def test_a_bad_description_is_refused_by_its_file_and_adds_nothing(
    lab: Lab, source: t.Any, message: str
) -> None:
    lab.write("more.yml", source)
    inventory, said = lab.read()
    assert f"{lab.inventory / 'vms.testbed.yml'}: " in said
    assert message in said
    assert not [group for group in inventory if "vms" in group]
    assert "alpha" in inventory["_meta"]["hostvars"]


def test_the_messages_are_those_of_the_filter(lab: Lab) -> None:
    lab.write("more.yml", BAD_VM)
    said = lab.read()[1]
    program, message = (
        Path(sys.executable).with_name("ansible"),
        "{{ hostvars | detnet.testbed.compile_testbed(groups) }}",
    )
    done = subprocess.run(
        [str(program), "alpha", "-i", str(lab.inventory), "-m", "debug", "-a", json.dumps({"msg": message})],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": f"{lab.top / 'bin'}:{os.environ['PATH']}"},
    )
    shown = (done.stdout + done.stderr).splitlines()
    faults = {line.strip() for line in shown if line.strip().startswith("- alpha")}
    assert len(faults) == 3
    assert all(fault in said for fault in faults)


def test_a_file_before_the_end_hosts_is_told_what_it_lacks(lab: Lab) -> None:
    (lab.inventory / "vms.testbed.yml").rename(lab.inventory / "a.testbed.yml")
    assert "a.testbed.yml: The inventory describes no testbed." in lab.read()[1]


def test_a_file_of_another_name_is_not_ours(lab: Lab) -> None:
    (lab.inventory / "vms.testbed.yml").rename(lab.inventory / "vms.yml")
    assert "could not be verified" in lab.read()[1]


def test_what_asks_can_be_run_by_hand(lab: Lab) -> None:
    lab.program("virsh", "exit 3")
    said = lab.read()[1]
    command = said.partition("set live_state to false: ")[2].partition(" [WARNING]")[0]
    assert shlex.split(command)[-1] in (
        "--state",
        "env LC_ALL=C virsh --connect qemu:///system --readonly domstats --state",
    )
