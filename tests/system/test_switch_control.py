"""The switch's control socket: the contract, and what it answers to those who break it."""

from __future__ import annotations

import contextlib
import json
import random
import stat
import typing as t

import pytest
from switch_fixtures import RpcError, Switch, build, run, running

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

REQUEST_MAX = 1 << 20
RULES_MAX = 131072


@pytest.fixture(scope="module")
def quiet_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A switch without uplink and guests."""
    with running(Switch(tmp_path_factory.mktemp("control"))) as switch:
        yield switch


@pytest.fixture
def switch(quiet_switch: Switch) -> Switch:
    """A switch with the ports 1 and 2 and no rule; the last test cannot have ended it."""
    for port in quiet_switch.call("port.list")["ports"]:
        quiet_switch.call("port.remove", vm=port["vm"])
    quiet_switch.add_port(1)
    quiet_switch.add_port(2, "qemu")
    return quiet_switch


def rule(vm: int = 1, source_port: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "vm": vm,
        "protocol": 17,
        "source_ip": "10.20.0.11",
        "destination_ip": "10.20.0.21",
        "source_port": source_port,
        "destination_port": 5001,
        "tags": [21, 7],
        "rate_bps": 10**6,
        "burst_bits": 12000,
        **changes,
    }


def identity(of: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: of[key] for key in list(of)[:6]}


def test_says_what_it_is(switch: Switch) -> None:
    info = switch.call("switch.info")
    version = json.loads(run("meson", "introspect", "--projectinfo", build().parent))["version"]
    assert switch.process is not None
    assert info == {
        "name": "alpha",
        "version": version,
        "dpdk": info["dpdk"],
        "pid": switch.process.pid,
        "uptime_s": info["uptime_s"],
        "idle_sleep_us": 100,
        "data_cores": [1],
        "uplink": None,
        "ports": 2,
        "rules": 0,
    }
    assert info["dpdk"].startswith("DPDK 2")


def test_lists_ports_in_order_of_their_vms(switch: Switch) -> None:
    switch.call("port.add", vm=0, mac="02:00:00:00:00:00", socket_server="switch")
    assert switch.call("port.list")["ports"] == [
        {
            "vm": vm,
            "mac": f"02:00:00:00:00:0{vm}",
            "socket": str(switch.vhost(vm)),
            "socket_server": server,
            "connected": False,
        }
        for vm, server in ((0, "switch"), (1, "switch"), (2, "qemu"))
    ]


def test_adding_the_same_port_again_changes_nothing(switch: Switch) -> None:
    before = switch.vhost(1).stat().st_ino
    assert switch.add_port(1) == switch.call("port.list")["ports"][0]
    assert switch.vhost(1).stat().st_ino == before


@pytest.mark.parametrize(
    ("vm", "mac", "server", "code"),
    [
        pytest.param(1, "02:00:00:00:00:09", "switch", -32002, id="another-mac-for-the-vm"),
        pytest.param(1, "02:00:00:00:00:01", "qemu", -32002, id="another-server-for-the-vm"),
        pytest.param(9, "02:00:00:00:00:01", "switch", -32002, id="the-mac-of-another-vm"),
        pytest.param(4095, "02:00:00:00:00:09", "switch", -32602, id="an-id-that-is-no-vlan-id"),
        pytest.param(9, "02:00:00:00:00", "switch", -32602, id="a-short-mac"),
        pytest.param(9, "02:00:00:00:00:09", "neither", -32602, id="no-server"),
    ],
)
def test_refuses_a_port(switch: Switch, vm: int, mac: str, server: str, code: int) -> None:
    before = switch.call("port.list")
    with pytest.raises(RpcError, match=r"^Cannot add a port: ") as error:
        switch.call("port.add", vm=vm, mac=mac, socket_server=server)
    assert error.value.code == code
    assert switch.call("port.list") == before


def test_a_file_where_the_socket_should_be_is_left_alone(switch: Switch) -> None:
    switch.vhost(9).write_text("precious")
    with pytest.raises(RpcError, match="is not a socket; move it away"):
        switch.call("port.add", vm=9, mac="02:00:00:00:00:09", socket_server="switch")
    assert switch.vhost(9).read_text() == "precious"
    assert switch.call("switch.info")["ports"] == 2


def test_sockets_are_for_the_group_and_not_for_all(switch: Switch) -> None:
    for path in (switch.socket, switch.vhost(1)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o770
    assert stat.S_IMODE(switch.state.stat().st_mode) == 0o600


def test_sets_rules_and_counts_what_changed(switch: Switch) -> None:
    assert switch.call("rule.set", rules=[rule(2), rule(1, 3), rule(1, 2)]) == {"changed": 3}
    assert switch.call("rule.list")["rules"] == [rule(1, 2), rule(1, 3), rule(2)]
    assert switch.call("rule.list", vm=1)["rules"] == [rule(1, 2), rule(1, 3)]
    assert switch.call("rule.set", rules=[rule(2), rule(1, 3, tags=[9])]) == {"changed": 1}
    assert switch.call("rule.list", vm=1)["rules"] == [rule(1, 2), rule(1, 3, tags=[9])]
    assert switch.call("rule.set", rules=[]) == {"changed": 0}


def test_deletes_rules_and_ignores_absent_ones(switch: Switch) -> None:
    switch.call("rule.set", rules=[rule(1, 2), rule(1, 3)])
    gone = [identity(rule(1, 2)), identity(rule(1, 9)), identity(rule(1, 2))]
    assert switch.call("rule.delete", rules=gone) == {"deleted": 1}
    assert switch.call("rule.list")["rules"] == [rule(1, 3)]


def test_the_rules_of_a_port_go_with_it(switch: Switch) -> None:
    switch.call("rule.set", rules=[rule(1), rule(2)])
    assert switch.call("port.remove", vm=1) == {"removed": True}
    assert switch.call("port.remove", vm=1) == {"removed": False}
    switch.add_port(1)
    assert switch.call("rule.list")["rules"] == [rule(2)]


@pytest.mark.parametrize(
    ("wrong", "code", "index"),
    [
        pytest.param(rule(9), -32001, 1, id="a-vm-without-a-port"),
        pytest.param(rule(1, 1), -32602, 1, id="the-same-flow-twice"),
        pytest.param(rule(tags=list(range(1, 12))), -32602, 1, id="eleven-tags"),
        pytest.param(rule(tags=[]), -32602, 1, id="no-tag"),
        pytest.param(rule(tags=[4095]), -32602, 1, id="a-reserved-tag"),
        pytest.param(rule(protocol=1), -32602, 1, id="a-port-where-there-is-none"),
        pytest.param(rule(rate_bps=0), -32602, 1, id="no-rate"),
        pytest.param(rule(rate_bps=1e6), -32602, 1, id="a-rate-that-is-no-integer"),
        pytest.param(rule(source_ip="10.20.0"), -32602, 1, id="half-an-address"),
        pytest.param(rule(color="red"), -32602, 1, id="an-unknown-member"),
        pytest.param({"vm": 1}, -32602, 1, id="missing-members"),
        pytest.param("rule", -32602, 1, id="no-object"),
    ],
)
def test_one_wrong_rule_refuses_all(switch: Switch, wrong: t.Any, code: int, index: int) -> None:
    with pytest.raises(RpcError, match=r"^Cannot set rules: .*; ") as error:
        switch.call("rule.set", rules=[rule(1, 1), wrong])
    assert (error.value.code, error.value.index) == (code, index)
    assert switch.call("rule.list")["rules"] == []


def test_stats_name_every_vm_and_rule(switch: Switch) -> None:
    switch.call("rule.set", rules=[rule(2), rule(1)])
    stats = switch.call("stats.get")
    nothing = {"packets": 0, "bytes": 0}
    assert [(vm["vm"], vm["from_vm"], vm["to_vm"]) for vm in stats["vms"]] == [
        (1, nothing, nothing),
        (2, nothing, nothing),
    ]
    assert stats["rules"] == [{**identity(rule(vm)), **nothing, "drops": {"over_rate": 0}} for vm in (1, 2)]
    assert {"source_mac", "over_rate", "guest_full"} <= set(stats["vms"][0]["drops"])
    assert {"untagged", "unknown_vm"} <= set(stats["uplink"]["drops"])
    assert switch.call("stats.reset") == {}


def test_more_rules_than_there_is_room_for(switch: Switch) -> None:
    """Fill the table, each rule between ends of its own; the next one is refused and all are still there."""
    full = [
        rule(1 + n % 2, destination_ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(RULES_MAX)
    ]
    for start in range(0, RULES_MAX, 4096):
        switch.call("rule.set", rules=full[start : start + 4096])
    with pytest.raises(RpcError, match="131073 rules would be more than 131072; delete some") as error:
        switch.call("rule.set", rules=[rule(destination_ip="11.0.0.0")])
    assert error.value.code == -32003
    assert switch.call("rule.set", rules=[full[5] | {"tags": [9]}]) == {"changed": 1}
    assert len(switch.call("stats.get")["rules"]) == RULES_MAX
    for vm in (1, 2):
        assert switch.call("port.remove", vm=vm) == {"removed": True}
    assert switch.call("switch.info")["rules"] == 0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"\n", -32700, id="an-empty-line"),
        pytest.param(b"GET / HTTP/1.1\n", -32700, id="http"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": "switch.info"\n', -32700, id="an-open-object"),
        pytest.param(b"[" * 500_000 + b"\n", -32700, id="deep-nesting"),
        pytest.param(b'{"a":' * 100_000 + b"\n", -32700, id="deep-objects"),
        pytest.param(b"\xff\xfe\x00\n", -32700, id="no-utf-8"),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": 1, "id": 1, "method": "switch.info"}\n', -32700, id="a-member-twice"
        ),
        pytest.param(b"[]\n", -32600, id="an-empty-batch"),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": {}, "method": "switch.info"}\n', -32600, id="an-id-that-is-an-object"
        ),
        pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method": 7}\n', -32600, id="a-method-that-is-a-number"),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": 1, "method": "switch.stop"}\n', -32601, id="an-unknown-method"
        ),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": 1, "method": "port.list", "params": 1}\n', -32602, id="params-of-1"
        ),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": 1, "method": "port.list", "params": {"x": 1}}\n',
            -32602,
            id="unknown-params",
        ),
        pytest.param(b" " * (REQUEST_MAX + 1), -32600, id="a-request-without-end"),
    ],
)
def test_answers_a_hostile_line_with_an_error(switch: Switch, line: bytes, code: int) -> None:
    answer = json.loads(switch.say(line))
    assert answer["error"]["code"] == code
    assert answer["jsonrpc"] == "2.0"
    assert switch.call("switch.info")["ports"] == 2


def test_a_notification_is_done_and_not_answered(switch: Switch) -> None:
    notice = {"jsonrpc": "2.0", "method": "rule.set", "params": {"rules": [rule()]}}
    question = {"jsonrpc": "2.0", "id": 7, "method": "switch.info"}
    answer = switch.say(f"{json.dumps(notice)}\n{json.dumps(question)}\n".encode())
    assert json.loads(answer)["id"] == 7
    assert json.loads(answer)["result"]["rules"] == 1


def test_a_client_that_stops_in_the_middle_holds_up_nobody(switch: Switch) -> None:
    with contextlib.ExitStack() as stack:
        for _round in range(100):
            client = stack.enter_context(switch.connect())
            client.sendall(b'{"jsonrpc": "2.0", "id": 1, "met')
        assert switch.call("switch.info")["ports"] == 2


def test_more_clients_than_it_serves_at_once_wait_for_their_turn(switch: Switch) -> None:
    """128 are served, the others wait in the backlog until one of those leaves."""
    request = b'{"jsonrpc": "2.0", "id": 1, "method": "switch.info"}\n'
    clients = [switch.connect() for _round in range(200)]
    for client in clients:
        client.sendall(request)
    for client in clients:
        assert b'"result"' in client.recv(1 << 16)
        client.close()


def test_random_lines_never_end_it(switch: Switch) -> None:
    """Requests with one part replaced or some bytes changed, by a fixed seed: an answer each, always JSON."""
    chance = random.Random(20)  # noqa: S311 - nothing secret is drawn
    odd: list[t.Any] = [
        None,
        True,
        -1,
        0,
        2**63 - 1,
        1.5,
        "",
        "é\x00",
        [],
        {},
        [[]],
        {"rules": [{}]},
        "x" * 1000,
    ]
    methods = ["switch.info", "port.add", "port.remove", "rule.set", "rule.delete", "rule.list", "stats.get"]
    with switch.connect() as client, client.makefile("rb") as answers:
        for _round in range(3000):
            params: t.Any = (
                {"rules": [rule()]} if chance.random() < 0.5 else {"vm": 9, "mac": "02:00:00:00:00:09"}
            )
            target = params["rules"][0] if "rules" in params and chance.random() < 0.8 else params
            target[chance.choice([*target, "odd"])] = chance.choice(odd)
            line = bytearray(
                json.dumps(
                    {"jsonrpc": "2.0", "id": 1, "method": chance.choice(methods), "params": params}
                ).encode()
            )
            if chance.random() < 0.3:
                line[chance.randrange(len(line))] = chance.choice([b for b in range(256) if b != ord("\n")])
            client.sendall(
                bytes(line) + b"\n" + b'{"jsonrpc": "2.0", "id": "end", "method": "switch.info"}\n'
            )
            while json.loads(answers.readline()).get("id") != "end":
                pass


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(["--name", ""], "--name is empty", id="no-name"),
        pytest.param(["--vhost-dir", "/nowhere"], "the directory /nowhere: No such file", id="no-directory"),
        pytest.param(
            ["--state", "/dev/null/state.json"], "/dev/null: it is no directory", id="a-file-as-directory"
        ),
        pytest.param(
            ["--control-socket", "/run/" + "x" * 108], "has 113 bytes; give 1 to 107", id="a-long-path"
        ),
        pytest.param(
            ["--idle-sleep-us", "-1"], "--idle-sleep-us is -1; give 0 to 1000000", id="a-negative-sleep"
        ),
        pytest.param(
            ["--uplink-port", "two"], "--uplink-port is two; give 0 to 31, or none", id="a-port-by-word"
        ),
        pytest.param(["--uplink-port", "7"], "DPDK has no port 7", id="a-port-that-is-not-there"),
        pytest.param(["--color"], "--color is not known; see --help", id="an-unknown-option"),
        pytest.param(["--name"], "--name needs a value", id="no-value"),
        pytest.param(["extra"], "extra is not known; see --help", id="an-extra-word"),
    ],
)
def test_refuses_wrong_arguments_with_status_2(
    tmp_path: pathlib.Path, wrong: list[str], message: str
) -> None:
    switch = Switch(tmp_path, arguments=tuple(wrong))
    switch.state.parent.mkdir()
    ended = switch.refuse()
    assert ended.returncode == 2
    assert message in ended.stderr
