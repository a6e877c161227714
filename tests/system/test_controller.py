"""A server as a Chameleon controller drives it over SSH: a whole sequence, again on what is left, and after any kill.

The tests are steps of one life and run in the order of the file. The scenario controller_drives_a_host runs them on the
server that it made; the long campaign makes its own.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from controller_sequence import RULE, UPLINK, Controller, ssh_server
from testbed_plays import REPOSITORY, changed, play

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIO = REPOSITORY / "molecule/controller_drives_a_host"
WORDS = ("--inventory", str(SCENARIO / "inventory"), "--limit", "all:!beta")
PLACE = Path("/var/lib/detnet-testbed/controller")
RECORD = Path("/etc/detnet-testbed/controller.json")
FEW_IDS = range(4)
# The step before which a command is killed, the command, and after how many seconds.
SOON = (
    pytest.param("start_switch", f"start-dpdk-tagging {UPLINK}", 0.7, id="start-dpdk-tagging"),
    pytest.param("create_control_vm", "create-vm 0", 2.0, id="create-vm"),
)
KILLS = (
    ("delete_all", "delete-vm 1", (0.1, 0.3, 0.5, 0.8)),
    ("stop_switch", f"stop-dpdk-tagging {UPLINK}", (0.1, 0.3, 0.5, 0.8, 1.2)),
    ("send_lldp", f"send-lldp 127.0.0.11 {UPLINK}", (0.1, 0.2, 0.4)),
    ("start_switch", f"start-dpdk-tagging {UPLINK}", (0.2, 0.4, 0.6, 0.8, 1.0, 1.5)),
    ("create_control_vm", "create-vm 0", (0.3, 0.6, 1.0, 4.0, 8.0)),
    ("create_vms", "create-vm 1", (0.3, 0.6, 1.0, 4.0, 8.0)),
    ("install_rules", "update-matching-table", (0.1, 0.3)),
)


@pytest.fixture(scope="module")
def host_key(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that has a controller, with an SSH server; what was made for the campaign is given back."""
    made = not RECORD.exists()
    if made:
        if not request.config.getoption("--soak"):
            pytest.skip("no server has a controller; the scenario controller_drives_a_host runs this on one")
        for name in ("prepare", "converge"):
            assert play(*WORDS, str(SCENARIO / f"{name}.yml")).returncode == 0
    with ssh_server(PLACE) as key:
        yield key
    if made:
        play(*WORDS, "playbooks/teardown.yml")


def test_the_whole_sequence(host_key: str) -> None:
    Controller(PLACE, host_key).play()


def test_what_a_vm_is(host_key: str) -> None:
    controller = Controller(PLACE, host_key)
    record = json.loads(controller.server.run("cat /vagrant/1/vm.json"))
    inside = controller.vm(1).run("hostname; cat /sys/class/net/net0/address; ip -o -4 address show dev net0")
    name, mac, address = inside.splitlines()
    assert (name, mac) == ("alpha-vm-01", record["mac"])
    assert mac.startswith("02:")
    assert mac.endswith(":01")
    assert "10.20.0.11/24" in address


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        pytest.param("create-vm 1", 1, "it exists already", id="a VM that exists"),
        pytest.param("create-vm 65", 2, "outside 0..64", id="an id that no VM may have"),
        pytest.param("start-dpdk-tagging eth9", 1, "there is no interface eth9", id="an unknown interface"),
        pytest.param(
            "start-dpdk-tagging lo", 1, "the uplink of this server's switch is uplink", id="another interface"
        ),
        pytest.param("stop-dpdk-tagging eth9", 1, "there is no interface eth9", id="nothing to give back"),
        pytest.param("send-lldp 127.0.0.11 eth9", 1, "there is no interface eth9", id="nowhere to send"),
        pytest.param("send-lldp 127.0.0.11 lo", 1, "lo is no Ethernet interface", id="no Ethernet"),
        pytest.param(f"send-lldp alpha {UPLINK}", 2, "'alpha' is no IPv4 address", id="no address"),
    ],
)
def test_what_is_refused(host_key: str, command: str, status: int, says: str) -> None:
    assert says in Controller(PLACE, host_key).server.run(command, status=status)


def test_a_second_start_leaves_the_switch_as_it_is(host_key: str) -> None:
    controller = Controller(PLACE, host_key)
    controller.start_switch()
    controller.see_traffic()


def test_the_testbeds_own_plays_change_nothing(host_key: str) -> None:
    controller = Controller(PLACE, host_key)
    controller.server.run("delete-vm 0")
    look = "virsh list --all; cat /run/libvirt/qemu/*.pid"
    before = controller.server.run(look)
    done = play(*WORDS, str(SCENARIO / "converge.yml"))
    assert (done.returncode, changed(done)) == (0, 0), done.stdout
    # The same processes, and no VM 0, which the inventory describes.
    assert controller.server.run(look) == before
    controller.see_traffic()


@pytest.mark.parametrize(("step", "command", "after_s"), SOON)
def test_a_command_is_killed(host_key: str, step: str, command: str, after_s: float) -> None:
    """What it leaves is found by the next test, which begins with the sequence's first step."""
    controller = Controller(PLACE, host_key, FEW_IDS)
    controller.play(until=step)
    controller.server.kill(command, after_s)


def test_the_sequence_again_on_what_is_left(host_key: str) -> None:
    controller = Controller(PLACE, host_key, FEW_IDS)
    controller.play()
    controller.clean_up()
    assert controller.server.run("ls /var/lib/detnet-testbed/alpha/vms /run/detnet-testbed/alpha/vhost") == (
        "/run/detnet-testbed/alpha/vhost:\n\n/var/lib/detnet-testbed/alpha/vms:\n"
    )
    controller.stop_switch()  # nothing runs
    state = controller.server.run(f"ip -json -n detnet-alpha link show dev {UPLINK}")
    assert "UP" in json.loads(state)[0]["flags"]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("step", "command", "after_s"),
    [
        pytest.param(step, command, after_s, id=f"{command.split()[0]}-after-{after_s}-s")
        for step, command, moments in KILLS
        for after_s in moments
    ],
)
def test_the_sequence_after_any_kill(host_key: str, step: str, command: str, after_s: float) -> None:
    controller = Controller(PLACE, host_key, FEW_IDS)
    controller.play(until=step)
    if step == "install_rules":
        controller.vm(0).kill(RULE, after_s)
    else:
        controller.server.kill(command, after_s)
    controller.play()
