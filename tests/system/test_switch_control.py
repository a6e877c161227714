"""The switch's control socket: the contract, and what it answers to those who break it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import random
import stat
import threading
import time
import typing as t

import pytest
from switch_fixtures import RpcError, Switch, build, run, running
from switch_rules import normal, rule

if t.TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_MAX = 32 << 20
PIDFD_GETFD = 438  # system call, on every architecture; Python has no function for it


@pytest.fixture(scope="module")
def quiet_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A switch without uplink and guests."""
    with running(Switch(tmp_path_factory.mktemp("control"))) as switch:
        yield switch


@pytest.fixture
def switch(quiet_switch: Switch) -> Switch:
    """Return a switch with the ports 1 and 2 and no rule; the last test cannot have ended it."""
    for port in quiet_switch.call("port.list")["ports"]:
        quiet_switch.call("port.remove", vm=port["vm"])
    quiet_switch.add_port(1)
    quiet_switch.add_port(2, "qemu")
    return quiet_switch


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
        "mtu": 1500,
        "buffers": info["buffers"],
        "vm_buffers": info["vm_buffers"],
        "accept_untagged": False,
        "lldp": {"interval_s": 0, "ttl_s": 120, "system_name": "alpha"},
        "data_cores": [1],
        "uplink": None,
        "ports": 2,
        "rules": 0,
        "rules_bytes": info["rules_bytes"],
        "state": {"path": str(switch.state), "report": "", "generation": info["state"]["generation"]},
    }
    assert 0 < info["vm_buffers"] < info["buffers"]
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
        pytest.param(b"[" + b"1," * 1000 + b"1]\n", -32600, id="a-batch-of-1001"),
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


def test_a_batch_is_done_in_its_order(switch: Switch) -> None:
    def request(method: str, number: int | None = None, **params: t.Any) -> dict[str, t.Any]:
        marked = {} if number is None else {"id": number}
        return {"jsonrpc": "2.0", "method": method, "params": params, **marked}

    batch = [
        request("port.add", 1, vm=3, mac="02:00:00:00:00:03", socket_server="switch"),
        request("rule.set", rules=[rule(3)]),
        request("rule.list", 2, vm=3),
        request("port.remove", 3, vm=4095),
        request("port.remove", 4, vm=3),
    ]
    answers = json.loads(switch.say(json.dumps(batch).encode() + b"\n"))
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    assert answers[1]["result"] == {"rules": [normal(rule(3))]}
    assert answers[2]["error"]["code"] == -32602
    assert answers[3]["result"] == {"removed": True}


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


def test_a_client_with_too_many_requests_is_served_later_and_in_full(switch: Switch) -> None:
    """15 000 at once: the first 10 000 as fast as it can, the others at 10 000 in a second."""
    line = b'{"jsonrpc": "2.0", "id": 1, "method": "stats.reset"}\n'
    count = 15_000
    with switch.connect() as client, client.makefile("rb") as answers:
        sender = threading.Thread(target=client.sendall, args=(line * count,))
        start = time.monotonic()
        sender.start()
        for number in range(count):
            assert answers.readline() == b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
            if number == count // 2:
                assert switch.call("switch.info")["ports"] == 2  # another client does not wait
        sender.join()
    assert time.monotonic() - start > 0.4


def test_of_too_many_big_requests_one_is_refused(switch: Switch) -> None:
    """Four clients send 30 MiB each; all the memory for requests is 96 MiB."""
    clients = [switch.connect() for _number in range(4)]
    refused = 0
    for client in clients:
        with contextlib.suppress(ConnectionError):  # it is not read to its end
            client.sendall(b" " * (30 << 20))
    for client in clients:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"\n")
        with client.makefile("rb") as answers:
            refused += b"take too much memory, and it is the biggest" in answers.readline()
        client.close()
    assert refused in (1, 2)
    assert switch.call("switch.info")["ports"] == 2


def test_a_client_that_goes_while_somebody_keeps_its_socket(switch: Switch) -> None:
    """As the vhost library does for a moment, which polls the number of a socket that it has closed."""
    assert switch.process is not None
    process = os.pidfd_open(switch.process.pid)
    client = switch.connect()
    switch.call("switch.info")  # it has been accepted then
    files = pathlib.Path(f"/proc/{switch.process.pid}/fd").iterdir()
    sockets = [int(file.name) for file in files if os.readlink(file).startswith("socket:")]
    kept = [ctypes.CDLL(None).syscall(PIDFD_GETFD, process, number, 0) for number in sockets]
    client.close()
    for _call in range(10):
        assert switch.call("switch.info")["ports"] == 2
    for descriptor in (*kept, process):
        os.close(descriptor)


def test_random_lines_never_end_it(switch: Switch) -> None:
    """Requests with one part replaced or some bytes changed, by a fixed seed: an answer each, always JSON."""
    chance = random.Random(20)
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
    methods = [
        *("switch.info", "port.add", "port.remove", "port.features", "rule.set", "rule.delete"),
        *("rule.replace", "rule.list", "stats.get", "trace"),
    ]
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
        pytest.param(
            ["--lldp-interval", "3601"], "--lldp-interval is 3601; give 0 to 3600", id="a-rare-lldp"
        ),
        pytest.param(["--lldp-interval", "120"], "--lldp-ttl 120 is not above", id="a-short-life-in-lldp"),
        pytest.param(
            ["--lldp-system-name", "x" * 256], "has 256 bytes; give 1 to 255", id="a-long-lldp-name"
        ),
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
