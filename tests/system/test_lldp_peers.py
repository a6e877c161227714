"""Our LLDP beside that of others, on real cables: lldpd, Wireshark's dissector, Open vSwitch."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_tlv
from ansible_collections.detnet.testbed.plugins.module_utils._lldp import Frame
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import (
    ChassisId,
    MacPhy,
    ManagementAddress,
    MaxFrameSize,
    Organizational,
    PortDescription,
    PortId,
    PortVlanId,
    ProtocolVlanId,
    Reserved,
    SystemCapabilities,
    SystemDescription,
    SystemName,
    TimeToLive,
    VlanName,
)
from fabric_machine import FabricMachine, frame, read, two_switches
from kernel_fixtures import Namespace, Wire, namespace
from namespace_modules import link, run_module, started
from peer_programs import Dissection, dissect, lldpd, peer_root
from switch_fixtures import wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE, THERE = "eth1", "port1"
SOURCE, MAC = "02:00:00:00:00:07", bytes.fromhex("020000000007")
GROUP = _lldp.GROUPS["nearest_bridge"]
CHASSIS, PORT, TTL = ChassisId(4, MAC), PortId(5, b"Ethernet3"), TimeToLive(120)
IPV4, IPV6 = bytes([192, 0, 2, 7]), bytes.fromhex("20010db8000000000000000000000007")

RESERVED = 9
EVERY_TLV = (
    PortDescription(b"to alpha"),
    SystemName(b"s1"),
    SystemDescription(b"Switch\n1"),
    SystemCapabilities(0xFF, 0x04),
    ManagementAddress(1, IPV4, 2, 7, b"\x2b\x06"),
    ManagementAddress(2, IPV6, 2, 7),
    PortVlanId(1),
    ProtocolVlanId(6, 20),
    VlanName(1, b"default"),
    MacPhy(3, 0x8000, 30),
    MaxFrameSize(9216),
    Organizational(b"\x00\x26\xe1", 9, b"\x01\x02"),
    Reserved(RESERVED, b"later"),
)
CHASSIS_IDS = {
    1: b"slot 1",
    2: b"alias",
    3: b"backplane",
    4: MAC,
    5: b"\x01" + IPV4,
    6: b"eth0",
    7: b"rack 1",
}
PORT_IDS = {1: b"alias", 2: b"card", 3: MAC, 4: b"\x02" + IPV6, 5: b"eth0", 6: b"circuit", 7: b"3"}
IEEE_8023 = "00:12:0f"
UNKNOWN_TO_LLDPD = {ChassisId: (1, 3), PortId: (2, 6)}

FRAMES = {
    "with-every-tlv": Frame(SOURCE, GROUP, (ChassisId(7, b"whole"), PORT, TTL, *EVERY_TLV)),
    "longest": Frame(
        SOURCE,
        GROUP,
        (ChassisId(7, b"long"), PORT, TTL, *[Organizational(b"\x00\x26\xe1", 1, bytes(507))] * 2),
    ),
    **{
        f"chassis-id-{subtype}": Frame(SOURCE, GROUP, (ChassisId(subtype, id_), PORT, TTL))
        for subtype, id_ in CHASSIS_IDS.items()
    },
    **{
        f"port-id-{subtype}": Frame(SOURCE, GROUP, (CHASSIS, PortId(subtype, id_), TTL))
        for subtype, id_ in PORT_IDS.items()
    },
    "standard": _lldp.standard(
        SOURCE, "eth2", ttl_s=0, system_name="a", port_description="b", management_address="2001:db8::1"
    ),
    "chameleon": _lldp.chameleon(SOURCE, "10.0.0.1"),
    "chameleon-with-a-port": _lldp.chameleon(SOURCE, "192.0.2.1", 0x4142),
}


@pytest.fixture(scope="module")
def root(request: pytest.FixtureRequest) -> Path:
    return peer_root(request.config.pluginmanager.getplugin("terminalreporter").write_line)


@pytest.fixture
def cable() -> Iterator[Namespace]:
    with namespace(f"detnet-peers-{os.getpid()}") as made:
        made.add_pair(HERE, THERE)
        yield made


def test_the_frames_have_every_tlv_that_is_written() -> None:
    written = {*_lldp_tlv.TYPES, *_lldp_tlv.ORGANIZATIONS, Organizational, Reserved}
    assert {type(tlv) for tlv in FRAMES["with-every-tlv"].tlvs} == written


def test_lldpd_hears_what_we_say(cable: Namespace, root: Path) -> None:
    with lldpd(root, cable, THERE, "s1") as peer:
        run_module(cable.name, "lldp_send", interface=HERE, port_description="to s1", address="192.0.2.7")
        (heard,) = wait_until("lldpd has a neighbour", peer.neighbors)
        (chassis,), (port,) = heard["chassis"], heard["port"]
        assert (heard["name"], heard["via"]) == (THERE, "LLDP")
        assert chassis == {
            "id": [{"type": "mac", "value": link(cable.name, HERE)["address"]}],
            "name": [{"value": os.uname().nodename}],
            "mgmt-ip": [{"value": "192.0.2.7"}],
        }
        assert port == {
            "id": [{"type": "ifname", "value": HERE}],
            "descr": [{"value": "to s1"}],
            "ttl": [{"value": "120"}],
        }
        run_module(cable.name, "lldp_send", interface=HERE, ttl_s=0)
        wait_until("lldpd forgets who goes away", lambda: not peer.neighbors())


def test_lldpd_hears_a_chameleon_end_host(cable: Namespace, root: Path) -> None:
    with lldpd(root, cable, THERE, "s1") as peer:
        run_module(cable.name, "lldp_send", interface=HERE, shape="chameleon", address="10.0.0.1")
        (heard,) = wait_until("lldpd has a neighbour", peer.neighbors)
        assert heard["chassis"] == [{"id": [{"type": "ip", "value": "0a 00 00 01"}]}]
        assert heard["port"] == [{"id": [{"type": "local", "value": ""}], "ttl": [{"value": "120"}]}]


def test_we_hear_lldpd(cable: Namespace, root: Path) -> None:
    with lldpd(root, cable, THERE, "s1") as peer:
        peer.configure("system", "description", "a network switch")
        peer.configure("lldp", "portidsubtype", "ifname")
        peer.configure("ports", THERE, "lldp", "portdescription", "to alpha")
        peer.configure("lldp", "custom-tlv", "oui", "33,44,55", "subtype", "44", "oui-info", "45,46")
        wanted = {
            "interface": HERE,
            "source": link(cable.name, THERE)["address"],
            "shape": "standard",
            "chassis_id": {"subtype": "mac_address", "value": link(cable.name, THERE)["address"]},
            "port_id": {"subtype": "interface_name", "value": THERE},
            "port_description": "to alpha",
            "system_name": "s1",
            "system_description": "a network switch",
        }

        def heard() -> list[dict[str, t.Any]]:
            result = run_module(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=5)
            assert result["interfaces"][HERE]["malformed"] == 0
            return [one for one in result["neighbors"] if one["port_description"] == "to alpha"]

        (found,) = wait_until("lldpd says what it is to say", heard)
    assert {name: found[name] for name in wanted} == wanted
    assert {"oui": "33:44:55", "subtype": 44, "info_hex": "4546"} in found["organizational"]


def known_to_lldpd(frame: Frame) -> bool:
    """Whether lldpd(8) reads the ids of a frame, and keeps it: one that says goodbye is nobody."""
    return frame.tlvs[2] == TTL and all(
        tlv.subtype not in UNKNOWN_TO_LLDPD[type(tlv)]
        for tlv in frame.tlvs
        if isinstance(tlv, ChassisId | PortId)
    )


def timeless(neighbors: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return neighbours in an order of their own, without the time, which lldpd counts in seconds of age."""
    return sorted(({**one, "heard_at": None} for one in neighbors), key=json.dumps)


@pytest.fixture
def lldpcli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory in which modules look for lldpcli first."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_lldpd_tells_us_the_same_as_the_wire(cable: Namespace, root: Path, lldpcli: Path) -> None:
    frames = [frame for frame in FRAMES.values() if known_to_lldpd(frame)]
    wire = Wire(cable, HERE)
    with lldpd(root, cable, THERE, "s1") as peer:
        peer.make_client(lldpcli)
        heard = {"interfaces": [THERE], "duration_s": 10, "expected": len(frames)}
        with started(cable.name, "lldp_neighbors", **heard) as listener:
            wait_until("the module listens", lambda: link(cable.name, THERE)["promiscuity"] == 1)
            wire.send(*map(_lldp.encode, frames))
            by_wire = json.loads(listener.communicate(timeout=20)[0])["neighbors"]
        wait_until("lldpd has them all", lambda: len(peer.neighbors()) == len(frames))
        told = run_module(cable.name, "lldp_neighbors", interfaces=[THERE], heard_by="lldpd")["neighbors"]
    wire.close()
    assert len(by_wire) == len(frames)
    for one in by_wire:
        one["source"] = None
        if one["port_id"]["value"] == "0" and one["shape"] == "chameleon":
            one["port_id"]["value"] = ""  # lldpd's text ends at the first of its bytes, which is zero
        if one["port_id"]["value"] == str(0x4142):
            one["port_id"]["value"] = "AB"
    assert timeless(told) == timeless(by_wire)


@pytest.mark.parametrize(
    ("address", "told"),
    [pytest.param("1.2.3.4", "2.3.4.0", id="as-ipv4"), pytest.param("2.3.4.5", "304:500::", id="as-ipv6")],
)
def test_lldpd_takes_the_first_byte_of_a_chameleon_address_for_its_family(
    cable: Namespace, root: Path, lldpcli: Path, address: str, told: str
) -> None:
    with lldpd(root, cable, THERE, "s1") as peer:
        peer.make_client(lldpcli)
        run_module(cable.name, "lldp_send", interface=HERE, shape="chameleon", address=address)
        wait_until("lldpd has a neighbour", peer.neighbors)
        result = run_module(cable.name, "lldp_neighbors", interfaces=[THERE], heard_by="lldpd")
    (heard,) = result["neighbors"]
    assert (heard["shape"], heard["chassis_id"]["value"]) == ("standard", told)


def test_one_lldpd_tells_of_another_what_the_wire_says(cable: Namespace, root: Path, lldpcli: Path) -> None:
    with lldpd(root, cable, THERE, "s1"), lldpd(root, cable, HERE, "alpha") as ours:
        ours.make_client(lldpcli)

        def both() -> list[list[dict[str, t.Any]]]:
            heard = [
                run_module(cable.name, "lldp_neighbors", interfaces=[HERE], duration_s=5, heard_by=by)
                for by in ("module", "lldpd")
            ]
            return [[one for one in each["neighbors"] if one["system_name"] == "s1"] for each in heard]

        (wire,), (told,) = map(timeless, wait_until("both hear s1", lambda: all(found := both()) and found))
    assert [one["oui"] for one in wire["organizational"]] == [
        IEEE_8023
    ]  # link aggregation, which lldpd reads itself
    assert told == wire | {"source": None, "organizational": []}


@pytest.fixture(scope="module")
def dissected(root: Path) -> dict[str, Dissection]:
    frames = [*map(_lldp.encode, FRAMES.values())]
    return dict(zip(FRAMES, dissect(root, frames), strict=True))


@pytest.mark.parametrize("name", FRAMES)
def test_tshark_has_no_complaint(dissected: dict[str, Dissection], name: str) -> None:
    types = [
        tlv.type if isinstance(tlv, Reserved) else _lldp_tlv.TYPES.get(type(tlv), _lldp_tlv.ORGANIZATION)
        for tlv in FRAMES[name].tlvs
    ]
    found = dissected[name]
    assert found.layers == "eth:ethertype:lldp"
    assert found.types == [*types, _lldp_tlv.END]
    assert (found.malformed, found.warnings) == (False, [])


@pytest.mark.parametrize(
    ("address", "why"),
    [
        pytest.param("1.2.3.4", "IPv4), expected (6)", id="as-ipv4"),
        pytest.param("2.3.4.5", "IPv6), expected (18)", id="as-ipv6"),
    ],
)
def test_tshark_takes_the_first_byte_of_a_chameleon_address_for_its_family(
    root: Path, address: str, why: str
) -> None:
    (found,) = dissect(root, [_lldp.encode(_lldp.chameleon(SOURCE, address))])
    (warning,) = found.warnings
    assert warning == f"Invalid Chassis ID Length (5) for Type (Network address, {why}"
    assert found.malformed


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="standard"),
        pytest.param({"port_description": "to s1", "address": "192.0.2.7", "ttl_s": 0}, id="all-options"),
        pytest.param({"shape": "chameleon", "address": "10.0.0.1"}, id="chameleon"),
    ],
)
def test_tshark_has_no_complaint_of_what_the_module_puts_on_the_wire(
    cable: Namespace, root: Path, options: dict[str, t.Any]
) -> None:
    wire = Wire(cable, THERE)
    run_module(cable.name, "lldp_send", interface=HERE, **options)
    data = wire.receive()
    wire.close()
    assert data
    (found,) = dissect(root, [data])
    assert (found.layers, found.malformed, found.warnings) == ("eth:ethertype:lldp", False, [])


PATIENCE_S, QUIET_S = 10, 0.5
ADVERTISING = "lldp:enable"


@pytest.fixture(scope="module")
def switches() -> Iterator[FabricMachine]:
    with two_switches("p") as machine:
        yield machine


@pytest.fixture
def advertising(switches: FabricMachine) -> Iterator[FabricMachine]:
    """Give the fabric with LLDP of Open vSwitch on both ports of p1."""
    ports = ("p1-1", "p1-2")
    for port in ports:
        switches.vsctl("set", "interface", port, f"{ADVERTISING}=true")
    yield switches
    for port in ports:
        switches.vsctl("remove", "interface", port, *ADVERTISING.split(":"))


@pytest.fixture
def learning(switches: FabricMachine) -> Iterator[FabricMachine]:
    """Give the fabric with p1 as a bridge that forwards what it knows nothing of."""
    switches.vsctl("set-fail-mode", "p1", "standalone")
    switches.run("ovs-ofctl", "add-flow", f"unix:{switches.directory}/p1.mgmt", "priority=0,actions=NORMAL")
    yield switches
    assert switches.fabric()["changed"]


def what_comes(wire: Wire) -> list[bytes]:
    found = []
    while data := wire.receive(QUIET_S):
        found.append(data)
    return found


def test_we_hear_open_vswitch_by_its_names(advertising: FabricMachine) -> None:
    result = run_module(
        advertising.host(0).name, "lldp_neighbors", interfaces=["uplink"], duration_s=PATIENCE_S
    )
    (heard,) = result["neighbors"]
    mac = link(advertising.name, "p1-1")["address"]
    assert heard["shape"] == "standard"
    assert (heard["source"], heard["chassis_id"]) == (mac, {"subtype": "mac_address", "value": mac})
    assert heard["port_id"] == {"subtype": "interface_name", "value": "p1-1"}
    version = advertising.run("ovs-vswitchd", "--version").split()[3]
    assert heard["system_description"] == f"openvswitch {version}"
    assert heard["capabilities"] == {"available": ["bridge"], "enabled": ["bridge"]}
    assert result["interfaces"]["uplink"]["malformed"] == 0


@pytest.mark.parametrize(
    ("bridge", "passes"),
    [
        pytest.param("switches", [b"last"], id="of-the-fabric"),
        pytest.param("learning", [b"ordinary", b"last"], id="that-forwards-all-else"),
        pytest.param("advertising", [b"last"], id="that-speaks-lldp"),
    ],
)
def test_no_bridge_passes_on_what_we_say(
    request: pytest.FixtureRequest, bridge: str, passes: list[bytes]
) -> None:
    machine: FabricMachine = request.getfixturevalue(bridge)
    beyond, ours = Wire(Namespace(machine.name), "p2-1"), Wire(machine.host(0), "uplink")
    for shape in ("standard", "chameleon"):
        run_module(machine.host(0).name, "lldp_send", interface="uplink", shape=shape, address="192.0.2.1")
    ours.send(*map(_lldp.encode, FRAMES.values()), frame([], b"ordinary"), frame([21, 21, 7], b"last"))
    said_by_itself = bytes.fromhex(link(machine.name, "p1-2")["address"].replace(":", ""))
    passed = [read(data)[1] for data in what_comes(beyond) if data[6:12] != said_by_itself]
    beyond.close()
    ours.close()
    assert passed == passes


def complaints(machine: FabricMachine) -> set[str]:
    """Return what the daemons' logs have of warnings and errors."""
    lines = [line for log in machine.directory.glob("*.log") for line in log.read_text().splitlines()]
    return {line.split("|", 4)[-1] for line in lines if "|INFO|" not in line}


def daemons(machine: FabricMachine) -> dict[str, int]:
    return {file.name: int(file.read_text()) for file in machine.directory.glob("*.pid")}


def test_open_vswitch_is_not_disturbed(advertising: FabricMachine) -> None:
    before, said = daemons(advertising), complaints(advertising)
    ours, there = (Wire(advertising.host(number), "uplink") for number in (0, 1))
    for _round in range(100):
        ours.send(*map(_lldp.encode, FRAMES.values()))
    ours.send(frame([21, 21, 7], b"still here"))
    data = there.receive()
    assert data
    assert read(data) == ([7], b"still here")
    ours.close()
    there.close()
    assert len(before) == 2
    assert daemons(advertising) == before
    assert complaints(advertising) - said <= {f"unknown tlv ({RESERVED}) received on p1-1"}
    assert not advertising.fabric()["changed"]
