"""LLDP over real interfaces, by the modules: what is sent, what is heard, and what is left of an interface."""

from __future__ import annotations

import json
import re
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp
from kernel_fixtures import Namespace, Wire, namespace
from namespace_modules import link, run_module, started
from switch_fixtures import run, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_exactly_one_frame_in_the_shape_that_a_chameleon_controller_reads(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    result = run_module(cable.name, "lldp_send", interface=HERE, shape="chameleon", address="10.0.0.1")
    source = bytes.fromhex(link(cable.name, HERE)["address"].replace(":", ""))
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
    with started(cable.name, "lldp_send", **options, count=100):
        result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE])
    (heard,) = result["neighbors"]
    assert heard["interface"] == HERE
    assert heard["shape"] == "standard"
    assert heard["chassis_id"] == {"subtype": "mac_address", "value": link(cable.name, THERE)["address"]}
    assert heard["port_id"] == {"subtype": "interface_name", "value": THERE}
    assert heard["port_description"] == "to alpha"
    assert heard["management_addresses"] == ["192.0.2.7"]
    assert heard["system_name"]
    assert result["interfaces"][HERE]["frames"] == 1


def test_nobody_hears_himself_and_nobody_else(cable: Namespace) -> None:
    with started(cable.name, "lldp_send", interface=HERE, interval_s=0.1, count=100):
        result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=1)
    assert result["neighbors"] == []
    assert result["interfaces"][HERE] == {
        "mtu": 1500,
        "speed_bps": 10**10,  # what the kernel says of a veth
        "frames": 0,
        "malformed": 0,
        "left_out": 0,
    }


@pytest.mark.parametrize("later_s", [0.0, 0.7])
def test_who_hears_each_other_at_the_same_time_needs_one_run_each(cable: Namespace, later_s: float) -> None:
    named = {
        name: {
            "interface": name,
            "system_name": f"switch of {name}",
            "chassis_id": "02:00:00:00:00:0a",
            "port_id": "7",
        }
        for name in (HERE, THERE)
    }
    with started(cable.name, "lldp_neighbors", interfaces=[THERE], announce=[named[THERE]]) as other:
        time.sleep(later_s)
        mine = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], announce=[named[HERE]])
        theirs = json.loads(other.communicate(timeout=20)[0])
    for result, interface, peer in ((mine, HERE, THERE), (theirs, THERE, HERE)):
        (heard,) = result["neighbors"]
        assert heard["interface"] == interface
        assert heard["system_name"] == f"switch of {peer}"
        assert heard["chassis_id"] == {"subtype": "mac_address", "value": "02:00:00:00:00:0a"}
        assert heard["port_id"]["value"] == "7"
        assert heard["source"] == link(cable.name, peer)["address"]


def test_nothing_is_announced_in_check_mode(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    said = [{"interface": HERE, "system_name": "s1"}]
    run_module(
        cable.name, "lldp_neighbors", interfaces=[HERE], announce=said, duration_s=1, _ansible_check_mode=True
    )
    assert wire.receive(QUIET_S) is None
    wire.close()


@pytest.mark.parametrize("ends", ["by itself", "killed"])
def test_an_interface_is_promiscuous_only_while_somebody_listens(cable: Namespace, ends: str) -> None:
    assert link(cable.name, HERE)["promiscuity"] == 0
    with started(
        cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=60 if ends == "killed" else 2
    ) as listener:
        wait_until("the module listens", lambda: link(cable.name, HERE)["promiscuity"] == 1)
        if ends == "by itself":
            assert json.loads(listener.communicate(timeout=20)[0])["neighbors"] == []
    assert link(cable.name, HERE)["promiscuity"] == 0


def flap(cable: Namespace) -> None:
    for state in ("down", "up") * 3:
        cable.set_link(THERE, state)


@pytest.mark.parametrize("disturb", [flap, lambda _cable: None], ids=["a-link-that-flaps", "a-steady-link"])
def test_who_speaks_after_the_link_came_back_is_heard(
    cable: Namespace, disturb: t.Callable[[Namespace], None]
) -> None:
    with started(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=20) as listener:
        wait_until("the module listens", lambda: link(cable.name, HERE)["promiscuity"] == 1)
        disturb(cable)
        run_module(cable.name, "lldp_send", interface=THERE)
        result = json.loads(listener.communicate(timeout=30)[0])
    assert [heard["port_id"]["value"] for heard in result["neighbors"]] == [THERE]
    assert link(cable.name, HERE)["promiscuity"] == 0


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param(("set", "dev", HERE, "down"), "an interface went down; is its cable loose?", id="down"),
        pytest.param(("delete", "dev", HERE), "an interface (is gone|went down)", id="gone"),
    ],
)
def test_an_interface_that_goes_while_somebody_listens_is_told(
    cable: Namespace, command: tuple[str, ...], why: str
) -> None:
    with started(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=20) as listener:
        wait_until("the module listens", lambda: link(cable.name, HERE)["promiscuity"] == 1)
        run("ip", "-n", cable.name, "link", *command)
        result = json.loads(listener.communicate(timeout=30)[0])
    assert result["failed"]
    assert re.search(why, result["msg"])


def test_a_neighbour_that_makes_up_ten_thousand_is_bounded_and_told(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    with started(cable.name, "lldp_neighbors", interfaces=[HERE], expected=0, duration_s=3) as listener:
        wait_until("the module listens", lambda: link(cable.name, HERE)["promiscuity"] == 1)
        for number in range(10_000):
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            wire.send(_lldp.encode(_lldp.chameleon("02:00:00:00:00:01", address)))
        memory_kib = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{listener.pid}/status").read_text())[1])  # type: ignore[index]
        result = json.loads(listener.communicate(timeout=30)[0])
    assert len(result["neighbors"]) == 64
    assert result["interfaces"][HERE]["left_out"] > 0
    assert "Somebody there makes up neighbours" in json.dumps(result["warnings"])
    assert memory_kib < 100 << 10
    wire.close()


def test_malformed_frames_are_a_warning(cable: Namespace) -> None:
    wire = Wire(cable, THERE)
    with started(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=2) as listener:
        wait_until("the module listens", lambda: link(cable.name, HERE)["promiscuity"] == 1)
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
        pytest.param("lldp_neighbors", {}, "interfaces is empty; name some", id="no-interface"),
        pytest.param(
            "lldp_neighbors",
            {"interfaces": [HERE], "announce": [{"interface": THERE, "system_name": "s1"}]},
            f"announce names {THERE}, which is none of interfaces",
            id="announce-elsewhere",
        ),
        pytest.param(
            "lldp_neighbors",
            {
                "interfaces": [HERE],
                "announce": [{"interface": HERE, "system_name": "s1", "chassis_id": "s1"}],
            },
            "'s1' is no MAC address",
            id="chassis",
        ),
        pytest.param(
            "lldp_neighbors",
            {"interfaces": [HERE], "heard_by": "switch", "socket": "/nowhere/s"},
            "not for the switch, which has one uplink",
            id="interfaces-of-the-switch",
        ),
        pytest.param(
            "lldp_neighbors",
            {"heard_by": "switch", "socket": "/nowhere/s"},
            "start the tagging switch",
            id="no-switch",
        ),
    ],
)
def test_bad_input(cable: Namespace, name: str, options: dict[str, t.Any], why: str) -> None:
    result = run_module(cable.name, name, **options)
    assert result["failed"]
    assert why in result["msg"]


def test_who_may_not_is_told(cable: Namespace) -> None:
    result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], without="net_raw")
    assert "become root" in result["msg"]
