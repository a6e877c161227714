"""LLDP over real interfaces, by the modules: what is sent, what is heard, and what is left of an interface."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import typing as t

import pytest
from kernel_fixtures import Namespace, Wire, namespace
from namespace_modules import module_command, run_module
from switch_fixtures import run, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.beside

HERE, THERE, IDLE = "lldp0", "lldp1", "lldp2"
QUIET_S = 0.5


@pytest.fixture
def cable() -> Iterator[Namespace]:
    """Make a namespace with a cable between two interfaces, and an interface that is down."""
    with namespace("detnet-lldp") as made:
        made.add_pair(HERE, THERE)
        made.add_pair(IDLE, "lldp3")
        made.set_link(IDLE, "down")
        yield made


def link(where: Namespace, interface: str) -> dict[str, t.Any]:
    (found,) = json.loads(run("ip", "-n", where.name, "-json", "-details", "link", "show", "dev", interface))
    return dict(found)


@contextlib.contextmanager
def started(where: Namespace, name: str, **options: t.Any) -> Iterator[subprocess.Popen[str]]:
    """Run a module until the block ends."""
    command, environment = module_command(where.name, name, options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def test_exactly_one_frame_in_the_shape_that_a_chameleon_controller_reads(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    result = run_module(cable.name, "lldp_send", interface=HERE, shape="chameleon", address="10.0.0.1")
    source = bytes.fromhex(link(cable, HERE)["address"].replace(":", ""))
    body = bytes.fromhex("88cc0205050a0000010403070000060200780000")
    assert wire.receive() == (bytes.fromhex("0180c200000e") + source + body).ljust(60, b"\0")
    assert wire.receive(QUIET_S) is None
    assert (result["sent"], result["changed"]) == (1, False)
    wire.close()


def test_check_mode_sends_nothing(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    result = run_module(cable.name, "lldp_send", interface=HERE, _ansible_check_mode=True)
    assert result["skipped"]
    assert wire.receive(QUIET_S) is None
    wire.close()


def test_who_sends_is_heard(cable: Namespace) -> None:
    options = {"interface": THERE, "port_description": "to alpha", "address": "192.0.2.7", "interval_s": 0.2}
    with started(cable, "lldp_send", **options, count=100):
        result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE])
    (heard,) = result["neighbors"]
    assert heard["interface"] == HERE
    assert heard["shape"] == "standard"
    assert heard["chassis_id"] == {"subtype": "mac_address", "value": link(cable, THERE)["address"]}
    assert heard["port_id"] == {"subtype": "interface_name", "value": THERE}
    assert heard["port_description"] == "to alpha"
    assert heard["management_addresses"] == ["192.0.2.7"]
    assert heard["system_name"]
    assert result["interfaces"][HERE]["frames"] == 1


def test_nobody_hears_himself_and_nobody_else(cable: Namespace) -> None:
    with started(cable, "lldp_send", interface=HERE, interval_s=0.1, count=100):
        result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=1)
    assert result["neighbors"] == []
    assert result["interfaces"] == {HERE: {"frames": 0, "malformed": 0, "left_out": 0}}


@pytest.mark.parametrize("ends", ["by itself", "killed"])
def test_an_interface_is_promiscuous_only_while_somebody_listens(cable: Namespace, ends: str) -> None:
    assert link(cable, HERE)["promiscuity"] == 0
    with started(
        cable, "lldp_neighbors", interfaces=[HERE], duration_s=60 if ends == "killed" else 2
    ) as listener:
        wait_until("the module listens", lambda: link(cable, HERE)["promiscuity"] == 1)
        if ends == "by itself":
            assert json.loads(listener.communicate(timeout=20)[0])["neighbors"] == []
    assert link(cable, HERE)["promiscuity"] == 0


def test_malformed_frames_are_a_warning(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    with started(cable, "lldp_neighbors", interfaces=[HERE], duration_s=2) as listener:
        wait_until("the module listens", lambda: link(cable, HERE)["promiscuity"] == 1)
        wire.send(bytes.fromhex("0180c200000e02000000000188cc0201").ljust(60, b"\0"))
        result = json.loads(listener.communicate(timeout=20)[0])
    assert result["interfaces"][HERE]["malformed"] == 1
    assert re.search(r"malformed LLDP frames.*02:00:00:00:00:01", json.dumps(result["warnings"]))
    wire.close()


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        pytest.param("lldp_send", {"interface": IDLE}, f"ip link set dev {IDLE} up", id="down"),
        pytest.param("lldp_send", {"interface": "eth9"}, "there is no interface eth9", id="unknown"),
        pytest.param("lldp_send", {"interface": HERE, "count": 0}, "count is 0, below 1", id="count"),
        pytest.param(
            "lldp_send", {"interface": HERE, "shape": "chameleon", "address": "::1"}, "no IPv4", id="v6"
        ),
        pytest.param("lldp_neighbors", {"interfaces": [HERE, IDLE]}, f"{IDLE} is down", id="one-is-down"),
        pytest.param("lldp_neighbors", {"interfaces": [HERE], "duration_s": -1}, "below 0", id="duration"),
    ],
)
def test_bad_input(cable: Namespace, name: str, options: dict[str, t.Any], why: str) -> None:
    result = run_module(cable.name, name, **options)
    assert result["failed"]
    assert why in result["msg"]


def test_who_may_not_is_told(cable: Namespace) -> None:
    result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], without="net_raw")
    assert "become root" in result["msg"]
