"""What the switch tells beside its control socket: DPDK's telemetry socket, and its log after a signal."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import typing as t

import pytest
from switch_fixtures import Bench, bench, wait_until
from switch_lldp import lldp
from switch_rules import TAGS, THERE, datagram, identity, normal, rule

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 32
CLIENT = "/usr/bin/dpdk-telemetry.py"


@pytest.fixture(scope="module")
def whole_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("telemetry"), {1: "switch", 2: "switch"}) as made:
        yield made


@contextlib.contextmanager
def telemetry(on: Bench) -> Iterator[socket.socket]:
    [path] = on.switch.directory.glob("dpdk/*/dpdk_telemetry.v2")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(str(path))
        client.settimeout(10)
        client.recv(1 << 14)  # its greeting
        yield client


def ask(client: socket.socket, command: str) -> t.Any:
    client.sendall(command.encode())
    return json.loads(client.recv(1 << 16))[command.partition(",")[0]]


def pass_one(on: Bench) -> None:
    on.vms[1].send(bytes(datagram()))
    on.wire.receive()


def test_tells_what_it_is(on: Bench) -> None:
    with telemetry(on) as client:
        told = ask(client, "/dpdk_tagging/info")
    info = on.switch.call("switch.info")
    for member in ("name", "version", "dpdk", "pid", "ports", "rules", "rules_bytes"):
        assert told[member] == info[member]
    assert told["generation"] == info["state"]["generation"]
    assert told["hz"] == on.switch.call("stats.get")["hz"]


def test_tells_what_each_vm_sent_and_got(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    pass_one(on)
    on.vms[1].send(bytes(datagram(dst="10.9.9.9")))
    wait_until("it is dropped", lambda: on.switch.drops() == {"no_rule": 1})
    with telemetry(on) as client:
        assert ask(client, "/dpdk_tagging/ports") == [1, 2]
        told = ask(client, "/dpdk_tagging/ports,1")
        assert ask(client, "/dpdk_tagging/ports,9") is None
        assert ask(client, "/dpdk_tagging/ports,one") is None
    counted = on.switch.of_vm(1)
    assert told.pop("connected") == 1
    assert told.pop("rules") == 1
    drops = {name.removeprefix("drop_"): told.pop(name) for name in list(told) if name.startswith("drop_")}
    assert drops == counted["drops"]
    assert told == {
        "vm": 1,
        "core": counted["core"],
        "from_vm_packets": 2,
        "from_vm_bytes": 200,
        "to_vm_packets": 0,
        "to_vm_bytes": 0,
        "waiting": 0,
    }


def test_tells_what_passed_the_uplink(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    pass_one(on)
    wait_until("it is counted", lambda: on.switch.call("stats.get")["uplink"]["sent"]["packets"] == 1)
    with telemetry(on) as client:
        told = ask(client, "/dpdk_tagging/stats")
    assert (told["sent_packets"], told["sent_bytes"]) == (1, 100 + 4 * len(TAGS))
    assert told["packets"] == 1
    assert told["busy_cycles"] > 0
    assert told["drop_untagged"] == 0


def test_tells_of_lldp_at_the_uplink(on: Bench) -> None:
    on.wire.send(lldp(), lldp(ttl_s=0), lldp()[:32])
    on.switch.call("lldp.announce")
    assert on.wire.receive()
    wait_until(
        "it is counted", lambda: on.switch.call("stats.get")["uplink"]["lldp"] == {"received": 3, "sent": 1}
    )
    with telemetry(on) as client:
        told = ask(client, "/dpdk_tagging/stats")
    assert (told["lldp_received"], told["lldp_sent"], told["sent_packets"]) == (3, 1, 1)
    assert (told["drop_malformed"], told["drop_lldp_full"]) == (1, 0)


def test_tells_rules_page_by_page(on: Bench) -> None:
    rules = [rule(source_port=port) for port in range(100)]
    on.switch.call("rule.set", rules=[*rules, rule(2), {"vm": 2, "source_ip": "fd00::/16"}])
    on.switch.call("rule.set", rules=[rule()])
    pass_one(on)
    ports: list[int] = []
    packets: dict[int, int] = {}
    with telemetry(on) as client:
        for first in range(0, 101, PAGE):
            told = ask(client, f"/dpdk_tagging/rules,1,{first}")
            assert (told["vm"], told["rules"], told["first"]) == (1, 101, first)
            assert set(told["destination_ip"]) == {f"{THERE}/32"}
            ports += told["source_port"]
            packets |= dict(zip(told["source_port"], told["packets"], strict=True))
        other = ask(client, "/dpdk_tagging/rules,2")
        assert ask(client, "/dpdk_tagging/rules") is None
        assert ask(client, "/dpdk_tagging/rules,9") is None
        assert ask(client, "/dpdk_tagging/rules,1,1,1") is None
    assert sorted(ports) == [*range(100), 5000]
    assert packets == {**dict.fromkeys(range(100), 0), 5000: 1}
    assert sorted(zip(other["source_ip"], other["protocol"], other["source_port"], strict=True)) == [
        ("10.20.0.11/32", 17, 5000),
        ("fd00::/16", -1, -1),
    ]


def test_an_answer_of_full_pages_is_whole(on: Bench) -> None:
    """The longest texts there are, in the largest page."""
    longest = [
        {
            "vm": 1,
            "destination_mac": "02:ff:ff:ff:ff:ff",
            "protocol": 17,
            "source_ip": f"fd00:ffff:ffff:ffff:ffff:ffff:ffff:{number:x}",
            "destination_ip": "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "source_port": 65535,
            "destination_port": 65535,
        }
        for number in range(0xFF00, 0xFF00 + PAGE)
    ]
    on.switch.call("rule.set", rules=longest)
    with telemetry(on) as client:
        told = ask(client, "/dpdk_tagging/rules,1")
    assert sorted(told["source_ip"]) == sorted(f"{of['source_ip']}/128" for of in longest)


def test_dpdks_own_client_reads_it(on: Bench) -> None:
    done = subprocess.run(
        [sys.executable, CLIENT, "--file-prefix", "switch"],
        input="/dpdk_tagging/info\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        env={"RUNTIME_DIRECTORY": str(on.switch.directory), "PATH": "/usr/bin:/bin"},
    )
    assert '"name": "alpha"' in done.stdout


def lines_after(on: Bench, how: signal.Signals, last: str) -> list[str]:
    """Send a signal, and return what the log gets from it."""
    assert on.switch.process is not None
    before = len(on.switch.log)
    on.switch.process.send_signal(how)
    wait_until(f"the log says {last}", lambda: last in on.switch.log[before:])
    return on.switch.log[before:].splitlines()


def test_usr1_writes_statistics_and_the_matching_table_to_the_log(on: Bench) -> None:
    wildcard = {"vm": 2, "source_ip": "10.0.0.0/8", "tags": [7]}
    on.switch.call("rule.set", rules=[rule(), wildcard])
    pass_one(on)
    lines = lines_after(on, signal.SIGUSR1, '"source_ip":"10.0.0.0/8","tags"')

    read = [json.loads(line) for line in lines if line.startswith("{")]
    stats = on.switch.call("stats.get")
    assert [of["vm"] for of in read if "vm" in of] == stats["vms"]
    counted = {json.dumps(identity(of)): of for of in stats["rules"]}
    rules = [of["rule"] for of in read if "rule" in of]
    assert rules == [{**normal(of), **counted[json.dumps(identity(of))]} for of in (rule(), wildcard)]
    assert rules[0]["packets"] == 1

    people = [line.split() for line in lines if not line.startswith("{")]
    assert people[0][:2] == ["VM", "guest"]
    assert people[1] == ["1", "connected", "1", "0", "0", "0"]
    assert people[3][:3] == ["VM", "packets", "dropped"]
    assert people[4][:4] == ["1", "1", "0", "0"]
    assert people[4][6] == "21,22,7"


def test_usr2_resets_the_counters(on: Bench) -> None:
    on.switch.call("rule.set", rules=[rule()])
    pass_one(on)
    lines_after(on, signal.SIGUSR2, "counters reset")
    stats = on.switch.call("stats.get")
    assert stats["rules"][0]["packets"] == 0
    assert stats["vms"][0]["from_vm"] == {"packets": 0, "bytes": 0}
    pass_one(on)
    wait_until("it counts again", lambda: on.switch.call("stats.get")["rules"][0]["packets"] == 1)


def test_features_are_those_of_the_guest(on: Bench) -> None:
    told = on.switch.call("port.features", vm=1)
    assert told["connected"]
    features = told["features"]
    assert features["ring_to_vm"] == features["ring_from_vm"] > 0
    assert not features["offloads"]
    assert not features["packed_ring"]
    on.switch.call("port.add", vm=7, mac="02:00:00:00:00:07", socket_server="switch")
    assert on.switch.call("port.features", vm=7) == {"vm": 7, "connected": False, "features": None}
    on.switch.call("port.remove", vm=7)


def test_is_read_while_rules_change(on: Bench) -> None:
    """By a thread of its own; every answer is of one moment."""
    on.switch.call("rule.set", rules=[rule(source_port=port) for port in range(500)])
    with telemetry(on) as client:
        for number in range(200):
            client.sendall(f"/dpdk_tagging/rules,1,{number}".encode())
            on.switch.call("rule.replace", rules=[rule(source_port=port) for port in range(number % 7 + 1)])
            told = json.loads(client.recv(1 << 16))["/dpdk_tagging/rules"]
            assert len(told["packets"]) == min(PAGE, max(0, told["rules"] - number))
