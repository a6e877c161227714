# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""start-dpdk-tagging and stop-dpdk-tagging as processes: twice, side by side, with each fault, killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _controller_config, _controller_switch
from controller_server import Server, wait_until

RUNTIME = Path(__file__).parent / "container_runtime.sh"
VERBS = ("listed", "running", "create", "start", "stop", "remove", "log")
IP = """
case "$*" in
*'link show') echo '[{"ifname": "lo"}, {"ifname": "uplink"MASTER}]' ;;
*route*) echo '[{"dst": "default", "dev": "eth0"}]' ;;
*'set dev uplink up') : > UP ;;
esac
"""


class Switched:
    """A server whose uplink is the kernel interface `uplink`, and whose switch has a container of files."""

    def __init__(self, server: Server) -> None:
        self.server, self.place = server, server.place / "runtime"
        self.place.mkdir()
        self.up = server.place / "up"
        self.program("ip", IP.replace("MASTER", "").replace("UP", str(self.up)))
        (server.place / "sys/class/net/uplink").mkdir(parents=True)
        self.describe()

    def program(self, name: str, script: str) -> None:
        (self.server.place / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.server.place / "bin" / name).chmod(0o755)

    def describe(self, **changes: t.Any) -> None:
        described = {
            "name": "alpha",
            "socket": str(self.server.switch.place / "control/switch.sock"),
            "uplink": {
                "pci": "",
                "interface": "uplink",
                "network_namespace": "",
                "vfio_group": "",
                "user": "root",
            },
            "commands": {verb: ["/bin/sh", str(RUNTIME), str(self.place), verb] for verb in VERBS},
        }
        (self.server.place / "container.json").write_text(json.dumps(described | changes))

    def touch(self, name: str) -> None:
        (self.place / name).touch()

    @property
    def runs(self) -> bool:
        return (self.place / "running").exists()

    def done(self) -> list[str]:
        """Return what the runtime was told to do, without what was asked, and forget it."""
        file = self.place / "told"
        words = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return [word for word in words if word not in ("listed", "running")]


@pytest.fixture(name="server")
def new_server(tmp_path: Path) -> t.Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.end()


@pytest.fixture(name="switched")
def new_switched(server: Server) -> Switched:
    return Switched(server)


def start(switched: Switched) -> str:
    return switched.server.good("start-dpdk-tagging", "uplink")


def stop(switched: Switched) -> str:
    return switched.server.good("stop-dpdk-tagging", "uplink")


def test_the_switch_is_started_once_and_stopped_once(switched: Switched) -> None:
    assert start(switched) == "the switch alpha runs on uplink\n"
    assert switched.done() == ["create", "start"]
    assert start(switched) == "the switch alpha runs already on uplink\n"
    assert switched.done() == []
    assert stop(switched) == "the switch alpha is stopped, and uplink is up\n"
    assert (switched.done(), switched.up.exists()) == (["stop"], True)
    start(switched)
    assert switched.done() == ["stop", "remove", "create", "start"]  # the container of before


def test_to_stop_what_does_not_run_is_good_and_gives_the_uplink_back(switched: Switched) -> None:
    stop(switched)
    assert (switched.done(), switched.up.exists()) == ([], True)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(["start-dpdk-tagging"], 2, "one PCI address or interface is needed, not 0", id="none"),
        pytest.param(["stop-dpdk-tagging", "a", "b"], 2, "is needed, not 2 arguments", id="two"),
        pytest.param(["start-dpdk-tagging", ""], 2, "one PCI address or interface is needed", id="empty"),
        pytest.param(
            ["start-dpdk-tagging", "--help"], 0, "usage: start-dpdk-tagging PCI|INTERFACE", id="help"
        ),
        pytest.param(
            ["start-dpdk-tagging", "eth9"],
            1,
            "cannot start the switch on eth9: there is no interface eth9; name one of uplink",
            id="unknown",
        ),
        pytest.param(
            ["stop-dpdk-tagging", "eth9"], 1, "cannot stop the switch on eth9:", id="unknown-to-stop"
        ),
        pytest.param(
            ["start-dpdk-tagging", "0000:01:00.0"], 1, "is not a network device on PCI", id="unknown-PCI"
        ),
    ],
)
def test_arguments(switched: Switched, words: list[str], status: int, says: str) -> None:
    found, out, error = switched.server.run(*words)
    assert found == status
    assert says in out + error
    assert switched.done() == []


def test_an_uplink_of_a_bridge_is_refused_before_anything_runs(switched: Switched) -> None:
    switched.program("ip", IP.replace("MASTER", ', "master": "br0"').replace("UP", str(switched.up)))
    assert "uplink is a port of br0" in switched.server.bad("start-dpdk-tagging", "uplink")
    assert switched.done() == []


@pytest.mark.parametrize("verb", ["running", "listed", "create", "start"])
def test_a_runtime_that_refuses_is_told_and_leaves_nothing_running(switched: Switched, verb: str) -> None:
    switched.touch(f"refuse-{verb}")
    said = switched.server.bad("start-dpdk-tagging", "uplink")
    assert f"{verb} the container of the switch alpha by /bin/sh: status 125: no such luck" in said
    assert not switched.runs
    (switched.place / f"refuse-{verb}").unlink()
    start(switched)
    assert switched.runs


def test_a_runtime_that_is_not_installed_is_told(switched: Switched) -> None:
    switched.describe(commands={verb: ["/nowhere/podman"] for verb in VERBS})
    assert (
        "running the container of the switch alpha by /nowhere/podman: No such file or directory; run the role"
        in switched.server.bad("start-dpdk-tagging", "uplink")
    )


def test_a_runtime_that_cannot_stop_it_is_told(switched: Switched) -> None:
    start(switched)
    switched.touch("refuse-stop")
    assert "stop the container of the switch alpha" in switched.server.bad("stop-dpdk-tagging", "uplink")


@pytest.mark.parametrize("verb", ["create", "start", "running"])
def test_no_command_hangs_with_the_runtime(switched: Switched, verb: str) -> None:
    switched.server.limit_s = 1
    switched.touch(f"hang-{verb}")
    assert "gave up after 1 s; see whether the container runtime answers" in switched.server.bad(
        "start-dpdk-tagging", "uplink"
    )
    (switched.place / f"hang-{verb}").unlink()
    switched.server.limit_s = 30
    start(switched)


def test_a_switch_that_never_answers_is_stopped_and_its_log_shown(switched: Switched) -> None:
    switched.server.switch.end()
    said = switched.server.bad("start-dpdk-tagging", "uplink")
    assert "the switch does not accept connections within 1 s: cannot call port.list" in said
    assert "its log ends with: EAL: Detected CPU lcores: 2 / EAL: no free hugepages" in said
    assert (switched.runs, switched.up.exists()) == (False, True)


def test_a_switch_that_then_cannot_be_stopped_is_told(switched: Switched) -> None:
    switched.server.switch.end()
    switched.touch("refuse-stop")
    said = switched.server.bad("start-dpdk-tagging", "uplink")
    assert "then it could not be stopped: stop the container of the switch alpha" in said


def test_a_switch_whose_sockets_take_nobody_is_not_ready(switched: Switched) -> None:
    port = {"vm": 1, "socket_server": "switch", "socket": str(switched.server.place / "vm-01.sock")}
    switched.server.switch.ports[1] = port, socket.socket(socket.AF_UNIX)
    switched.server.switch.connected = False
    assert "No such file or directory" in switched.server.bad("start-dpdk-tagging", "uplink")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(port["socket"])
        listening.listen()
        start(switched)


def test_a_socket_on_which_qemu_listens_is_not_waited_for(switched: Switched) -> None:
    port = {"vm": 1, "socket_server": "qemu", "socket": str(switched.server.place / "vm-01.sock")}
    switched.server.switch.ports[1] = port, socket.socket(socket.AF_UNIX)
    switched.server.switch.connected = False
    start(switched)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            None, "container.json is missing; run the role detnet.testbed.tagging_switch", id="missing"
        ),
        pytest.param("{", "is no configuration of these commands", id="cut off"),
        pytest.param("{}", "is no configuration of these commands", id="empty"),
        pytest.param(
            '{"uplink": {"usb": "1"}}', "is no configuration of these commands", id="of another version"
        ),
    ],
)
def test_a_description_that_cannot_be_used(switched: Switched, text: str | None, says: str) -> None:
    file = switched.server.place / "container.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(_controller_config.ConfigError, match=says):
        _controller_switch.read(str(file))
    assert says in switched.server.bad("stop-dpdk-tagging", "uplink")


def test_start_and_stop_wait_for_each_other(switched: Switched) -> None:
    start(switched)
    switched.touch("slow")
    stopping = switched.server.start("stop-dpdk-tagging", "uplink")
    wait_until(lambda: "stop" in (switched.place / "told").read_text().split())
    assert start(switched) == "the switch alpha runs on uplink\n"
    assert stopping.wait(timeout=20) == 0
    assert switched.runs


def test_several_starts_start_once(switched: Switched) -> None:
    starts = [switched.server.start("start-dpdk-tagging", "uplink") for _number in range(4)]
    assert [process.wait(timeout=20) for process in starts] == [0] * 4
    assert switched.done() == ["create", "start"]


def test_a_lock_that_is_never_free_is_told(switched: Switched) -> None:
    switched.touch("hang-start")
    first = switched.server.start("start-dpdk-tagging", "uplink")
    wait_until((switched.place / "container").exists)
    said = switched.server.bad("stop-dpdk-tagging", "uplink")
    assert f"start-dpdk-tagging (process {first.pid}) is working on it; try again" in said
    (switched.place / "hang-start").unlink()
    assert first.wait(timeout=20) == 0


@pytest.mark.parametrize("verb", ["listed", "running", "create", "start"])
def test_a_start_that_is_killed_is_mended(switched: Switched, verb: str) -> None:
    switched.touch(f"hang-{verb}")
    killed = switched.server.start("start-dpdk-tagging", "uplink")
    done = switched.place / "told"
    wait_until(lambda: done.exists() and verb in done.read_text().split())
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=20)
    # What it began goes on, and is waited for where it would undo what comes next.
    (switched.place / f"hang-{verb}").unlink()
    start(switched)
    time.sleep(0.2)
    assert switched.runs
    stop(switched)
    assert not switched.runs


def test_a_stop_that_is_killed_does_not_end_the_switch_of_the_next_start(switched: Switched) -> None:
    start(switched)
    switched.touch("hang-stop")
    killed = switched.server.start("stop-dpdk-tagging", "uplink")
    wait_until(lambda: "stop" in (switched.place / "told").read_text().split())
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=20)
    starting = switched.server.start("start-dpdk-tagging", "uplink")
    time.sleep(0.3)
    assert starting.poll() is None
    (switched.place / "hang-stop").unlink()
    assert starting.wait(timeout=20) == 0
    time.sleep(0.2)
    assert switched.runs


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(["192.0.2.11"], 2, "and an interface are needed, not 1 arguments", id="no interface"),
        pytest.param(
            ["192.0.2.256", "uplink"], 2, "'192.0.2.256' is no IPv4 address; give one", id="no address"
        ),
        pytest.param(["192.0.2.11", "lo"], 1, "lo is no Ethernet interface", id="no Ethernet"),
        pytest.param(["192.0.2.11", "../lo"], 1, "there is no interface ../lo", id="a path"),
    ],
)
def test_a_frame_that_cannot_be_sent(switched: Switched, words: list[str], status: int, says: str) -> None:
    found, _out, error = switched.server.run("send-lldp", *words)
    assert (found, says in error) == (status, True), error
