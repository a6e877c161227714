"""What a switch has answered is there after kill -9, and nothing is there by halves."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import pathlib
import random
import signal
import subprocess
import threading
import time
import typing as t

import pytest
from switch_fixtures import PATIENCE_S, Bench, Switch, bench, environment, running, wait_until
from switch_rules import TAGS, datagram, identity, normal, rule, tagged

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Figures
    from vhost_guest import Guest

Rule = dict[str, t.Any]
Table = dict[int, Rule]  # by source port; in the order in which they were first set

ROUNDS, SOAK_ROUNDS = 10, 200
START_ROUNDS = 5
BATCH_MAX = 200  # rules
TABLE_MAX = 1000
LONGEST_ROUND_S = 0.3
LARGE = 100_000


def dice_of_now() -> random.Random:
    """Return dice whose throws can be repeated from the seed that pytest shows when a test fails."""
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)


def line(method: str, **params: t.Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


def ask(switch: Switch, method: str, **params: t.Any) -> t.Any:
    """Call without the check against the API's description, which takes its time for thousands of rules."""
    return json.loads(switch.say(line(method, **params)))["result"]


@dataclasses.dataclass
class Writer:
    """A client that changes the table of its VM, one request after the other, until its connection breaks."""

    switch: Switch
    vm: int
    dice: random.Random
    answered: Table = dataclasses.field(default_factory=dict)
    under_way: Table = dataclasses.field(default_factory=dict)  # as the last request makes it
    answers: int = 0  # since the last settle()
    generations: list[int] = dataclasses.field(default_factory=list)
    refusals: list[t.Any] = dataclasses.field(default_factory=list)
    numbers: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def batch(self, ports: list[int]) -> Table:
        """Return rules that no table before had."""
        number = next(self.numbers)
        return {port: rule(self.vm, source_port=port, rate_bps=number) for port in ports}

    def some_ports(self) -> list[int]:
        return self.dice.sample(range(1, TABLE_MAX + 1), self.dice.randint(1, BATCH_MAX))

    def set_rules(self) -> tuple[str, Table, dict[str, t.Any]]:
        batch = self.batch(self.some_ports())
        return "rule.set", self.answered | batch, {"rules": list(batch.values())}

    def replace_rules(self) -> tuple[str, Table, dict[str, t.Any]]:
        batch = self.batch(self.some_ports())
        kept = {port: batch[port] for port in self.answered if port in batch}
        return "rule.replace", kept | batch, {"vm": self.vm, "rules": list(batch.values())}

    def delete_rules(self) -> tuple[str, Table, dict[str, t.Any]]:
        gone = {port: self.answered[port] for port in self.some_ports() if port in self.answered}
        left = {port: kept for port, kept in self.answered.items() if port not in gone}
        return "rule.delete", left, {"rules": [identity(each) for each in gone.values()]}

    def change(self) -> tuple[str, Table, dict[str, t.Any]]:
        """Return a request that changes something, and the table that it leads to."""
        makers = (self.set_rules, self.replace_rules, self.delete_rules)
        method, table, params = self.dice.choices(makers, weights=(6, 1, 3))[0]()
        return (method, table, params) if params["rules"] else self.set_rules()

    def run(self) -> None:
        with (
            contextlib.suppress(ConnectionError),
            self.switch.connect() as client,
            client.makefile("rb") as lines,
        ):
            while True:
                method, self.under_way, params = self.change()
                client.sendall(line(method, **params))
                said = lines.readline()
                if not said.endswith(b"\n"):
                    return
                answer = json.loads(said)
                if "error" in answer:
                    self.refusals.append(answer)
                    return
                self.generations.append(answer["result"]["generation"])
                self.answered = self.under_way
                self.answers += 1

    def settle(self) -> int:
        """Take what the switch has as the truth; return how many changes it has made since the last time."""
        found = ask(self.switch, "rule.list", vm=self.vm)["rules"]
        tables = {"answered": self.answered, "under way": self.under_way}
        which = [name for name, table in tables.items() if list(map(normal, table.values())) == found]
        assert which, (
            f"VM {self.vm} has {len(found)} rules, which are neither the {len(self.answered)} "
            f"that were answered nor the {len(self.under_way)} that were under way"
        )
        made = self.answers + ("answered" not in which)
        self.answered = self.under_way = tables[which[0]]
        self.answers = 0
        assert not self.refusals
        assert self.generations == sorted(set(self.generations))
        return made


@pytest.fixture
def switch(tmp_path: pathlib.Path) -> Iterator[Switch]:
    """A switch without uplink and guests."""
    with running(Switch(tmp_path)) as made:
        yield made


def write_and_kill(switch: Switch, writers: list[Writer], after_s: float) -> None:
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(after_s)
    switch.end(signal.SIGKILL)
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_every_answered_change_outlives_a_kill(
    switch: Switch, figures: Figures, pytestconfig: pytest.Config
) -> None:
    """Two clients write all the while; each has all that it was answered, and of what was under way all or nothing."""
    rounds = SOAK_ROUNDS if pytestconfig.getoption("--soak") else ROUNDS
    dice = dice_of_now()
    writers = [Writer(switch, vm, dice_of_now()) for vm in (1, 2)]
    for writer in writers:
        switch.add_port(writer.vm)
    generation = switch.call("switch.info")["state"]["generation"]
    answers = unanswered = 0
    for _round in range(rounds):
        write_and_kill(switch, writers, dice.uniform(0, LONGEST_ROUND_S))
        switch.start()
        answered = sum(writer.answers for writer in writers)
        made = sum(writer.settle() for writer in writers)
        state = switch.call("switch.info")["state"]
        assert state["report"] == ""
        assert state["generation"] == generation + made
        generation += made
        answers += answered
        unanswered += made - answered
    assert answers > rounds
    figures.add(f"changes answered before {rounds} kills, none lost", answers, "")
    figures.add(f"changes made in {rounds} kills without an answer, whole", unanswered, "")


def test_a_kill_while_it_starts_loses_nothing(switch: Switch) -> None:
    switch.add_port(1)
    switch.call("rule.set", rules=[rule(source_port=port) for port in range(1, 2001)])
    before = (switch.call("rule.list"), switch.call("port.list"))
    switch.end(signal.SIGKILL)
    dice = dice_of_now()
    for _round in range(START_ROUNDS):
        with subprocess.Popen(
            switch.command(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(switch.directory),
        ) as starting:
            time.sleep(dice.uniform(0, 0.5))
            starting.kill()
    switch.start()
    assert (switch.call("rule.list"), switch.call("port.list")) == before
    assert switch.call("switch.info")["state"]["report"] == ""


VERSION_1_RULES = [
    {
        "vm": vm,
        "protocol": protocol,
        "source_ip": "10.20.0.11",
        "destination_ip": "10.20.0.21",
        "source_port": port,
        "destination_port": port,
        "tags": [21, 22, 7],
        "rate_bps": 100_000_000,
        "burst_bits": 1_000_000,
    }
    for vm, protocol, port in ((1, 1, 0), (1, 17, 5000), (2, 6, 80))
]
VERSION_1_PORTS = [
    {"vm": 1, "mac": "02:00:00:00:00:01", "socket_server": "switch"},
    {"vm": 2, "mac": "02:00:00:00:00:02", "socket_server": "qemu"},
]


def write_version_1(directory: pathlib.Path) -> pathlib.Path:
    """Write the state as version 1.0 did, to the byte."""

    def lines(items: list[Rule]) -> str:
        return ",".join("\n" + json.dumps(item, separators=(",", ":")) for item in items)

    path = directory / "state" / "state.json"
    path.parent.mkdir()
    path.write_text(
        f'{{"format": 1, "ports": [{lines(VERSION_1_PORTS)}], "rules": [{lines(VERSION_1_RULES)}]}}\n'
    )
    return path


def test_the_state_of_version_1_is_taken_over_once(tmp_path: pathlib.Path) -> None:
    path = write_version_1(tmp_path)
    with running(Switch(tmp_path)) as switch:
        for report in (f"{path} was taken over; it is now {path}.migrated", ""):
            assert switch.call("switch.info")["state"]["report"] == report
            assert report in switch.log
            assert switch.call("rule.list")["rules"] == list(map(normal, VERSION_1_RULES))
            ports = switch.call("port.list")["ports"]
            assert [{key: port[key] for key in VERSION_1_PORTS[0]} for port in ports] == VERSION_1_PORTS
            switch.end(signal.SIGKILL)
            switch.start()
    assert not path.exists()


def test_a_corrupt_state_is_set_aside_and_said(switch: Switch) -> None:
    switch.add_port(1)
    switch.call("rule.set", rules=[rule()])
    switch.end()
    whole = bytearray(switch.state.read_bytes())
    at = whole.index(b"10.20.0.21")
    whole[at] ^= 1
    switch.state.write_bytes(whole)
    switch.start()

    aside = switch.state.with_name("state.db.corrupt")
    report = switch.call("switch.info")["state"]["report"]
    assert report.startswith(f"{switch.state} is corrupt: ")
    assert report.endswith(f"it is now {aside}, and the switch starts empty")
    assert report in switch.log
    assert aside.read_bytes() == whole
    assert switch.call("port.list")["ports"] == switch.call("rule.list")["rules"] == []

    switch.add_port(1)
    switch.end(signal.SIGKILL)
    switch.start()
    assert switch.call("switch.info")["state"]["report"] == ""
    assert [port["vm"] for port in switch.call("port.list")["ports"]] == [1]


def test_a_newer_state_is_refused_and_kept(switch: Switch) -> None:
    switch.end()
    newer = bytearray(switch.state.read_bytes())
    newer[63] += 1  # user_version and application_id of the file, see SQLite's file format, 1.3
    newer[71] += 1
    switch.state.write_bytes(newer)
    ended = switch.refuse()
    assert ended.returncode == 1
    assert "was written by a newer switch (schema 2, this one knows 1)" in ended.stderr
    assert switch.state.read_bytes() == newer


@pytest.fixture
def on(tmp_path: pathlib.Path) -> Iterator[Bench]:
    with bench(tmp_path, {1: "switch"}) as made:
        yield made


def set_large_table(switch: Switch) -> None:
    """Set many rules, of which the last one is for datagram()."""
    rules = [
        *(rule(source_ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", source_port=1) for n in range(LARGE - 1)),
        rule(),
    ]
    assert ask(switch, "rule.set", rules=rules)["changed"] == LARGE


def connects(guest: Guest) -> bool:
    try:
        guest.open()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def send_as_soon_as_possible(on: Bench) -> None:
    on.wire.open()
    wait_until("the guest connects", lambda: connects(on.vms[1]))
    on.vms[1].send(bytes(datagram()))


def test_a_large_table_is_there_before_the_first_frame(on: Bench, figures: Figures) -> None:
    """The guest connects and sends as soon as there is a socket: no frame is dropped for want of a rule."""
    switch = on.switch
    set_large_table(switch)
    for _round in range(2):
        switch.end(signal.SIGKILL)
        on.vms[1].disconnect()
        on.wire.disconnect()
        sender = threading.Thread(target=send_as_soon_as_possible, args=(on,))
        sender.start()
        started = time.monotonic()
        switch.start()
        figures.add(f"start with {LARGE:,} rules", (time.monotonic() - started) * 1e3, "ms")
        sender.join(PATIENCE_S)
        assert on.wire.receive() == tagged(datagram(), *TAGS)
        (counters,) = switch.call("stats.get", rules=False)["vms"]
        assert counters["from_vm"]["packets"] == 1
        assert not any(counters["drops"].values())
        assert switch.call("switch.info")["rules"] == LARGE
