# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric under a controller by OpenFlow 1.0 and 1.3: what it hears of end hosts, and that its rules carry frames.

The controller is a process of its own, on the machine that carries the fabric. In OpenFlow 1.0 a rule ends with the
action ENQUEUE, in 1.3 with SET_QUEUE and OUTPUT. Open vSwitch takes both, and its userspace datapath has no queues.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _fabric_document
from fabric_machine import FabricMachine, frame, read, two_switches
from kernel_fixtures import Wire
from namespace_modules import link, run_module
from switch_fixtures import run, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLLER = Path(__file__).with_name("openflow_controller.py")
ADDRESS = "tcp:127.0.0.1:6653"
SWITCHES = ["c1", "c2"]
# The number of a version on the wire, and its name for ovs-ofctl.
VERSIONS = {"1.0": (1, "OpenFlow10"), "1.3": (4, "OpenFlow13")}
HEADER = bytes.fromhex("0180c200000e 02000000000a 88cc")
CHASSIS, PORT, TTL, END = map(bytes.fromhex, ("0205050a000001", "0403070000", "06020078", "0000"))
QUIET_S = 0.5


@dataclasses.dataclass
class Controlled:
    """A fabric, and what its controller has told so far."""

    machine: FabricMachine
    version: str
    events: list[dict[str, t.Any]]

    def of(self, kind: str) -> list[dict[str, t.Any]]:
        return [event for event in self.events if event["event"] == kind]

    def packets(self, count: int) -> list[dict[str, t.Any]]:
        """Return the frames that came to the controller, once there are so many."""
        return wait_until(
            f"{count} packet-ins", lambda: len(found := self.of("packet_in")) >= count and found
        )


@pytest.fixture(scope="module")
def machine() -> Iterator[FabricMachine]:
    with two_switches("c") as made:
        run("ip", "-n", made.name, "link", "set", "lo", "up")
        yield made


def listens(machine: FabricMachine, process: subprocess.Popen[str], log: Path) -> bool:
    assert process.poll() is None, f"the controller ended with {process.returncode}:\n{log.read_text()}"
    return ":6653" in machine.run("ss", "-Hltn")


@pytest.fixture(scope="module", params=VERSIONS)
def controlled(
    request: pytest.FixtureRequest, machine: FabricMachine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controlled]:
    """Give the fabric with a controller of a version of OpenFlow, which has installed its rules."""
    log = tmp_path_factory.mktemp("controller") / "log"
    command = ["nsenter", f"--net=/run/netns/{machine.name}", sys.executable, str(CONTROLLER), request.param]
    with (
        log.open("w") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        events: list[dict[str, t.Any]] = []
        hearing = threading.Thread(target=lambda: events.extend(map(json.loads, process.stdout or ())))
        hearing.start()
        try:
            wait_until("the controller listens", lambda: listens(machine, process, log))
            for switch in SWITCHES:
                machine.vsctl("set-controller", switch, ADDRESS)
            made = Controlled(machine, request.param, events)
            ready = {(switch, VERSIONS[request.param][0]) for switch in SWITCHES}
            wait_until(
                "both switches have their rules",
                lambda: {(event["switch"], event["version"]) for event in made.of("ready")} == ready,
            )
            yield made
        finally:
            for switch in SWITCHES:
                machine.vsctl("del-controller", switch)
            process.terminate()
            hearing.join()
    assert log.read_text() == ""
    assert machine.fabric()["changed"]  # the module has the rules as it wants them again


@pytest.fixture
def fabric(controlled: Controlled) -> Iterator[Controlled]:
    """Give the fabric under its controller, to which nothing has come yet."""
    controlled.events.clear()
    yield controlled
    assert controlled.of("error") == []


@pytest.fixture
def wire(machine: FabricMachine) -> Iterator[Wire]:
    made = Wire(machine.host(0), "uplink")
    yield made
    made.close()


@pytest.fixture
def other_wire(machine: FabricMachine) -> Iterator[Wire]:
    made = Wire(machine.host(1), "uplink")
    yield made
    made.close()


def rules(version: str) -> list[str]:
    """Return the rules of a switch with the ports 1 and 2, as Open vSwitch prints those of a version."""
    miss = "priority=30 actions=CONTROLLER:65535"
    if version == "1.3":
        return sorted([*_fabric_document.flows([1, 2]), miss])
    tagged = (
        f"priority=50,dl_vlan={port}{queue} actions=strip_vlan,enqueue:{port}:{queue}"
        for port in (1, 2)
        for queue in range(10)
    )
    return sorted([*tagged, miss])


def test_the_switches_have_the_rules_of_the_controller(controlled: Controlled) -> None:
    _number, protocol = VERSIONS[controlled.version]
    for switch in SWITCHES:
        options = [f"--protocols={protocol}", "--no-names", "--no-stats"]
        dump = controlled.machine.run(
            "ovs-ofctl", *options, "dump-flows", f"unix:{controlled.machine.directory}/{switch}.mgmt"
        )
        lines = [line.strip() for line in dump.splitlines() if "priority" in line]
        assert sorted(lines) == rules(controlled.version)


@pytest.mark.parametrize(
    ("host", "switch", "port"),
    [pytest.param(0, "c1", 1, id="at-c1"), pytest.param(1, "c2", 2, id="at-c2")],
)
def test_the_controller_hears_of_an_end_host_once(
    fabric: Controlled, host: int, switch: str, port: int
) -> None:
    namespace = fabric.machine.host(host).name
    run_module(namespace, "lldp_send", interface="uplink", shape="chameleon", address="10.0.0.1")
    source = bytes.fromhex(link(namespace, "uplink")["address"].replace(":", ""))
    data = (HEADER[:6] + source + HEADER[12:] + CHASSIS + PORT + TTL + END).ljust(60, b"\0")
    fabric.packets(1)
    time.sleep(QUIET_S)
    heard = {"switch": switch, "port": port, "reason": "action", "data": data.hex(), "end_host": "10.0.0.1"}
    assert fabric.events == [{"event": "packet_in", **heard}]


def test_a_standard_frame_is_no_end_host_to_it(fabric: Controlled) -> None:
    sent = run_module(fabric.machine.host(0).name, "lldp_send", interface="uplink", address="10.0.0.1")
    (heard,) = fabric.packets(1)
    assert (heard["data"], heard["end_host"]) == (sent["frame_hex"], None)


@pytest.mark.parametrize(
    ("tlvs", "address"),
    [
        pytest.param([CHASSIS, PORT, TTL, END], "10.0.0.1", id="as-in-the-contract"),
        pytest.param(["0205050a000002", "0403070007", TTL, END], "10.0.0.2", id="another-host-and-port"),
        pytest.param(["020605010a000001", PORT, TTL, END], None, id="address-with-its-family"),
        pytest.param(["0205040a000001", PORT, TTL, END], None, id="chassis-of-another-kind"),
        pytest.param(["0204050a0000", PORT, TTL, END], None, id="short-address"),
        pytest.param([CHASSIS, "0403050000", TTL, END], None, id="port-of-another-kind"),
        pytest.param([CHASSIS, "04020700", TTL, END], None, id="short-port"),
        pytest.param([CHASSIS, PORT, "06020001", END], None, id="another-time-to-live"),
        pytest.param([CHASSIS, PORT, TTL, "0a0161", END], None, id="one-tlv-more"),
        pytest.param([PORT, CHASSIS, TTL, END], None, id="another-order"),
        pytest.param([CHASSIS, PORT, END], None, id="no-time-to-live"),
    ],
)
def test_it_takes_the_shape_of_chameleon_alone(
    fabric: Controlled, wire: Wire, tlvs: list[str | bytes], address: str | None
) -> None:
    values = (bytes.fromhex(tlv) if isinstance(tlv, str) else tlv for tlv in tlvs)
    data = (HEADER + b"".join(values)).ljust(60, b"\0")
    wire.send(data)
    (heard,) = fabric.packets(1)
    assert (heard["data"], heard["end_host"]) == (data.hex(), address)


@pytest.mark.parametrize(
    ("back", "tags"),
    [
        pytest.param(False, [21, 21, 7], id="there"),
        pytest.param(True, [11, 11, 7], id="back"),
        pytest.param(False, [20, 29, 4094], id="by-other-queues"),
        pytest.param(False, [21, 21, 1, 2, 3, 4, 5, 6, 7, 8], id="with-ten-tags"),
    ],
)
def test_its_rules_carry_a_frame_to_the_other_end_host(
    fabric: Controlled, wire: Wire, other_wire: Wire, back: bool, tags: list[int]
) -> None:
    sender, receiver = (other_wire, wire) if back else (wire, other_wire)
    sender.send(frame(tags, b"one tag less"))
    data = receiver.receive()
    assert data
    assert read(data) == (tags[2:], b"one tag less")
    assert receiver.receive(QUIET_S) is None
    assert fabric.events == []


@pytest.mark.parametrize(
    ("tags", "switch", "left"),
    [
        pytest.param([31, 21, 7], "c1", [31, 21, 7], id="port-that-does-not-exist"),
        pytest.param([21, 9, 7], "c2", [9, 7], id="port-0-of-the-second-switch"),
        pytest.param([], "c1", [], id="no-tag"),
    ],
)
def test_what_no_rule_knows_comes_to_it_whole(
    fabric: Controlled, wire: Wire, other_wire: Wire, tags: list[int], switch: str, left: list[int]
) -> None:
    wire.send(frame(tags, b"where to"))
    (heard,) = fabric.packets(1)
    assert (heard["switch"], heard["port"], heard["end_host"]) == (switch, 1, None)
    assert bytes.fromhex(heard["data"]) == frame(left, b"where to")
    assert other_wire.receive(QUIET_S) is None
