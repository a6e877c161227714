# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""create-vm, delete-vm and list-vms as processes, as a controller runs them: side by side, badly asked, killed."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _testbed_settings
from controller_server import NOTHING, Server, wait_until

FOREIGN = "<domain type='kvm'><name>server-vm-01</name></domain>"


@pytest.fixture(name="server")
def new_server(tmp_path: Path) -> t.Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.end()


def running(server: Server, vm_id: int) -> bool:
    return (server.libvirt / f"server-vm-{vm_id:02d}.pid").exists()


def test_a_vm_is_made_listed_and_removed_without_trace(server: Server) -> None:
    assert server.good("list-vms") == "ID  NAME  STATE  SSH\n"
    made = server.good("create-vm", "1")
    assert made == "VM 1 (server-vm-01) runs; log in with: ssh -p 20001 root@127.0.0.98\n"
    assert server.left() == {
        "domains": ["server-vm-01"],
        "files": ["vm-01"],
        "ports": [1],
        "folders": ["1"],
    }
    assert server.good("list-vms").splitlines() == [
        "ID  NAME          STATE    SSH",
        "1   server-vm-01  running  127.0.0.98:20001",
    ]
    assert server.good("delete-vm", "1") == "VM 1 (server-vm-01) is removed\n"
    assert server.left() == NOTHING


def test_the_folder_says_how_to_log_in_and_is_roots(server: Server) -> None:
    server.good("create-vm", "1")
    folder = server.vagrant / "1"
    file = folder / "vm.json"
    prefix = _testbed_settings.mac_prefix("alpha")
    assert json.loads(file.read_text()) == {
        "id": 1,
        "complete": True,
        "name": "server-vm-01",
        "mac": f"{prefix}:01",
        "known_hosts": "[127.0.0.98]:20001 ssh-ed25519 AAAA",
        "login": ["ssh", "-p", "20001", "root@127.0.0.98"],
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o755, 0o600]
    assert server.switch.ports[1][0]["mac"] == f"{prefix}:01"


def test_several_are_made_side_by_side(server: Server) -> None:
    ids = ["0", "1", "2", "64"]
    for name in ("server-vm-00", "server-vm-64"):
        (server.libvirt / f"hang-{name}").touch()
    processes = {vm_id: server.start("create-vm", vm_id) for vm_id in ids}
    assert processes["1"].wait(timeout=20) == 0  # while others hang
    assert processes["2"].wait(timeout=20) == 0
    for hanging in server.libvirt.glob("hang-*"):
        hanging.unlink()
    assert [process.wait(timeout=20) for process in processes.values()] == [0, 0, 0, 0]
    assert [line.split()[0] for line in server.good("list-vms").splitlines()] == ["ID", *ids]
    gone = [server.start("delete-vm", vm_id) for vm_id in ids]
    assert [process.wait(timeout=20) for process in gone] == [0, 0, 0, 0]
    assert server.left() == NOTHING


@pytest.mark.parametrize("second", ["create-vm", "delete-vm"])
def test_for_one_id_the_second_is_told_at_once(server: Server, second: str) -> None:
    (server.libvirt / "hang-server-vm-01").touch()
    first = server.start("create-vm", "1")
    wait_until(lambda: "server-vm-01" in server.domains())
    told = server.bad(second, "1")
    verb = second.partition("-")[0]
    assert told == (
        f"{second}: cannot {verb} VM 1: create-vm (process {first.pid}) is working on it;"
        " try again when that has ended\n"
    )
    (server.libvirt / "hang-server-vm-01").unlink()
    assert first.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param([], "one id is needed, not 0 arguments", id="none"),
        pytest.param(["1", "2"], "one id is needed, not 2 arguments", id="two"),
        pytest.param(["-1"], "'-1' is no id; give a number of 0 to 4094", id="negative"),
        pytest.param(["65"], "the id 65 is outside 0..64; choose one inside", id="above-the-limit"),
        pytest.param(["4095"], "'4095' is no id", id="above-every-limit"),
        pytest.param(["1; reboot"], "'1; reboot' is no id", id="shell"),
        pytest.param(["../1"], "'../1' is no id", id="path"),
        pytest.param(["\u0661"], "is no id", id="digit-of-another-script"),
        pytest.param(["1\n"], "is no id", id="line-end"),
        pytest.param([""], "'' is no id", id="empty"),
    ],
)
def test_a_bad_id_is_refused(server: Server, words: list[str], says: str) -> None:
    status, out, error = server.run("create-vm", *words)
    assert (status, out) == (2, "")
    assert says in error
    assert error.endswith("usage: create-vm ID\n")
    assert server.left() == NOTHING


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(["list-vms", "all"], 2, "list-vms: it takes no arguments\nusage: list-vms\n", id="list"),
        pytest.param(["delete-vm", "x"], 2, "'x' is no id", id="delete"),
        pytest.param(["create-vm", "--help"], 0, "usage: create-vm ID\n", id="help"),
        pytest.param(["list-vms", "-h"], 0, "usage: list-vms\n", id="short-help"),
    ],
)
def test_arguments(server: Server, words: list[str], status: int, says: str) -> None:
    found, out, error = server.run(*words)
    assert found == status
    assert says in out + error


def test_an_existing_vm_is_refused_and_untouched(server: Server) -> None:
    server.good("create-vm", "1")
    before, process = server.left(), (server.libvirt / "server-vm-01.pid").read_text()
    assert server.bad("create-vm", "1") == (
        "create-vm: cannot create VM 1: it exists already: server-vm-01 is running;"
        " remove it first with delete-vm 1\n"
    )
    assert server.left() == before
    assert (server.libvirt / "server-vm-01.pid").read_text() == process


def test_a_vm_that_is_gone_is_no_error(server: Server) -> None:
    for vm_id in ("0", "1", "65"):
        assert server.good("delete-vm", vm_id) == f"there is no VM {vm_id}\n"
    assert server.left() == NOTHING


@pytest.mark.parametrize("command", ["create-vm", "delete-vm"])
def test_a_foreign_domain_is_left_alone(server: Server, command: str) -> None:
    (server.libvirt / "server-vm-01.xml").write_text(FOREIGN)
    assert "a domain server-vm-01 exists that is no VM of" in server.bad(command, "1")
    assert server.left() == {**NOTHING, "domains": ["server-vm-01"]}
    assert server.good("list-vms") == "ID  NAME  STATE  SSH\n"


def test_the_vm_of_another_server_of_the_same_machine_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.good("create-vm", "1")
    server.configure(state_dir=str(tmp_path / "other"))
    assert server.good("list-vms") == "ID  NAME  STATE  SSH\n"
    for command in ("create-vm", "delete-vm"):
        assert "exists that is no VM of" in server.bad(command, "1")
    assert running(server, 1)


@pytest.mark.parametrize("command", ["create-vm", "delete-vm"])
def test_somebody_elses_files_are_left_alone(server: Server, command: str) -> None:
    (server.vagrant / "1").mkdir()
    (server.vagrant / "1" / "Vagrantfile").touch()
    told = server.bad(command, "1")
    assert "vagrant/1 has files that these commands did not make (Vagrantfile); move them away" in told
    assert (server.vagrant / "1" / "Vagrantfile").exists()
    assert server.domains() == []


def test_an_empty_folder_is_in_nobodys_way(server: Server) -> None:
    (server.vagrant / "1").mkdir()
    server.good("create-vm", "1")
    server.good("delete-vm", "1")
    (server.vagrant / "1").mkdir()
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def silent(server: Server) -> None:
    server.switch.end()


def switch_refuses(server: Server) -> None:
    server.switch.refuses = "port.add"


def libvirt_is_down(server: Server) -> None:
    (server.libvirt / "down").touch()


def without_image(server: Server) -> None:
    (server.place / "image/vmlinuz").unlink()


def disk_fails(server: Server) -> None:
    (server.place / "bin/qemu-img").write_text('#!/bin/sh\necho "No space left on device" >&2\nexit 1\n')


def start_fails(server: Server) -> None:
    (server.libvirt / "refuse-server-vm-01").touch()


def guest_is_mute(server: Server) -> None:
    (server.libvirt / "mute-server-vm-01").touch()
    server.configure(wait_timeout_s=1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(silent, "the socket does not exist; start the tagging switch", id="no-switch"),
        pytest.param(switch_refuses, "port.add is refused", id="switch-refuses"),
        pytest.param(libvirt_is_down, "cannot connect to libvirt", id="no-libvirt"),
        pytest.param(without_image, "lacks vmlinuz; build it with", id="no-image"),
        pytest.param(disk_fails, "No space left on device", id="disk-full"),
        pytest.param(start_fails, "cannot start it: no such luck", id="qemu-does-not-start"),
        pytest.param(guest_is_mute, "no SSH server answered at 127.0.0.98:20001", id="guest-is-mute"),
        pytest.param(lambda server: server.configure(memory_mib=2048), "hugepages", id="too-few-pages"),
        pytest.param(
            lambda server: server.configure(mac_prefix="03:00:00:00:00"),
            "is a group address",
            id="bad-mac-prefix",
        ),
        pytest.param(
            lambda server: server.configure(first_address="10.0.0.255/32"), "is outside", id="no-address-left"
        ),
        pytest.param(
            lambda server: server.configure(first_address="ten"), "is no address", id="address-of-letters"
        ),
        pytest.param(lambda server: server.configure(hostname="-"), "is no host name", id="bad-host-name"),
        pytest.param(
            lambda server: server.configure(vms=[{"id": 1, "name": "x", "interfaces": [{"mak": 1}]}]),
            "correct controller_commands_vms",
            id="described-wrongly",
        ),
        pytest.param(
            lambda server: server.configure(vms=[{"id": 1, "name": "x", "interfaces": []}]),
            "without an interface; correct controller_commands_vms",
            id="described-without-interface",
        ),
    ],
)
def test_what_fails_leaves_nothing(server: Server, spoil: t.Callable[[Server], None], says: str) -> None:
    spoil(server)
    told = server.bad("create-vm", "1")
    assert told.startswith("create-vm: cannot create VM 1: ")
    assert says in told
    assert server.left() == NOTHING


def test_what_cannot_be_cleaned_up_is_told(server: Server) -> None:
    start_fails(server)
    server.switch.refuses_with_a_port = "port.remove"
    error = server.bad("create-vm", "1")
    assert "no such luck; then it could not be removed: port.remove is refused; run delete-vm 1" in error


def test_a_vm_is_removed_also_while_the_switch_is_away(server: Server) -> None:
    server.good("create-vm", "1")
    server.switch.end()
    status, out, error = server.run("delete-vm", "1")
    assert (status, out) == (0, "VM 1 (server-vm-01) is removed\n")
    assert "the switch may still have a port of VM 1: cannot call port.remove" in error
    assert server.good("delete-vm", "1") == "there is no VM 1\n"
    assert server.left() == {**NOTHING, "ports": [1]}


def test_the_rules_of_a_vm_are_not_inherited(server: Server) -> None:
    server.switch.add(vm=1, mac="02:00:00:00:00:01", socket_server="switch")
    server.good("create-vm", "1")
    assert server.switch.changes == ["port.remove 1", "port.add 1"]


def killed_in_create(server: Server, vm_id: str) -> None:
    """Kill create-vm while it waits for QEMU or for the guest, as the files in libvirt's folder have it."""
    process = server.start("create-vm", vm_id)
    wait_until(lambda: "server-vm-01" in server.domains())
    if not (server.libvirt / "hang-server-vm-01").exists():
        wait_until(lambda: running(server, 1))
    process.kill()
    process.wait(timeout=20)
    for file in server.libvirt.glob("*-server-vm-01"):
        file.unlink()


@pytest.mark.parametrize("at", ["hang", "mute"])
@pytest.mark.parametrize("command", ["create-vm", "delete-vm"])
def test_what_was_killed_half_way_is_no_obstacle(server: Server, at: str, command: str) -> None:
    (server.libvirt / f"{at}-server-vm-01").touch()
    killed_in_create(server, "1")
    assert server.left()["domains"] == ["server-vm-01"]
    server.good(command, "1")
    assert running(server, 1) == (command == "create-vm")
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def test_a_removal_that_was_killed_is_no_obstacle(server: Server) -> None:
    server.good("create-vm", "1")
    (server.libvirt / "hang-server-vm-01").touch()
    process = server.start("delete-vm", "1")
    wait_until(lambda: not running(server, 1))
    process.kill()
    process.wait(timeout=20)
    (server.libvirt / "hang-server-vm-01").unlink()
    assert server.domains() == ["server-vm-01"]
    server.good("create-vm", "1")
    assert running(server, 1)


def test_files_of_a_vm_without_a_domain_are_removed(server: Server) -> None:
    server.good("create-vm", "1")
    os.kill(int((server.libvirt / "server-vm-01.pid").read_text()), 9)
    for file in server.libvirt.glob("server-vm-01.*"):
        file.unlink()
    assert server.good("delete-vm", "1") == "there is no VM 1\n"
    assert server.left() == NOTHING


def test_files_of_somebody_else_in_the_folder_of_a_vm_stop_its_removal(server: Server) -> None:
    server.good("create-vm", "1")
    (server.vagrant / "1" / "vm.json").rename(server.vagrant / "1" / "Vagrantfile")
    assert "did not make (Vagrantfile); move them away" in server.bad("delete-vm", "1")
    assert running(server, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"complete": null}'])
def test_a_record_that_somebody_edited_removes_no_vm(server: Server, text: str) -> None:
    server.good("create-vm", "1")
    (server.vagrant / "1" / "vm.json").write_text(text)
    assert "it exists already" in server.bad("create-vm", "1")
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def test_a_folder_that_was_being_made_is_no_obstacle(server: Server) -> None:
    (server.vagrant / ".1.detnet-new").mkdir()
    server.good("create-vm", "1")
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def test_no_command_hangs_with_libvirt(server: Server) -> None:
    (server.libvirt / "hang-server-vm-01").touch()
    server.configure(wait_timeout_s=0)
    server.limit_s = 1
    assert "gave up after 1 s; see whether libvirtd and the switch answer" in server.bad("create-vm", "1")
    (server.libvirt / "hang-server-vm-01").unlink()
    server.limit_s = 30
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def test_a_vm_that_is_described_is_made_so(server: Server) -> None:
    socket = str(server.place / "run/alpha/vhost/vm-01.sock")
    interface = {"mac": "02:00:00:00:00:AA", "socket": socket, "address": "10.0.0.7/24"}
    vm = {"id": 1, "name": "alpha-vm-01", "memory_mib": 32, "vcpus": 2, "interfaces": [interface]}
    server.configure(vms=[vm], first_address="10.0.0.100/24")
    server.good("create-vm", "1")
    server.good("create-vm", "2")
    assert server.domains() == ["alpha-vm-01", "server-vm-02"]
    assert "10.0.0.7" in (server.libvirt / "alpha-vm-01.xml").read_text()
    assert "ip=10.0.0.102:::255.255.255.0::net0" in (server.libvirt / "server-vm-02.xml").read_text()
    server.configure()  # what is described no more is found by its place
    assert server.good("delete-vm", "1") == "VM 1 (alpha-vm-01) is removed\n"


def test_a_vm_of_a_playbook_is_refused_listed_and_removed(server: Server) -> None:
    server.good("create-vm", "1")
    (server.vagrant / "1" / "vm.json").unlink()
    (server.vagrant / "1").rmdir()
    assert "it exists already" in server.bad("create-vm", "1")
    assert "server-vm-01" in server.good("list-vms")
    server.good("delete-vm", "1")
    assert server.left() == NOTHING


def test_the_servers_own_name_is_the_default(server: Server) -> None:
    server.configure(hostname="")
    name = os.uname().nodename.partition(".")[0].lower()
    assert f"VM 7 ({name}-vm-07) runs" in server.good("create-vm", "7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, "is missing; run the role detnet.testbed.controller_commands", id="missing"),
        pytest.param("{", "is no configuration of these commands", id="cut-off"),
        pytest.param("[]", "is no configuration of these commands", id="a-list"),
        pytest.param("{}", "is no configuration of these commands", id="empty"),
        pytest.param('{"shell": 1}', "is no configuration of these commands", id="of-another-version"),
    ],
)
@pytest.mark.parametrize("words", [["list-vms"], ["create-vm", "1"], ["delete-vm", "1"]])
def test_a_configuration_that_cannot_be_used(
    server: Server, words: list[str], text: str | None, says: str
) -> None:
    file = server.place / "controller.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert says in server.bad(*words)
