"""Ports and rules that come and go under traffic: no frame of an untouched rule is lost, and nothing piles up."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import random
import re
import threading
import typing as t

import pytest
from switch_fixtures import Bench, bench, wait_until
from switch_rules import (
    TAGS,
    arriving,
    datagram,
    delivered,
    identity,
    normal,
    numbered,
    rule,
    tagged,
    wildcard,
)
from vhost_guest import Guest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Figures

PORT_CHANGES, RULE_CHANGES = 1000, 100_000  # a tenth of them without --soak
SHORT_ROUND = 10
WARM_UP = 0.3  # of the rounds, after which memory is what it needs
GROWTH_KIB = 2048  # of caches that are still filled; what leaks is far above it in the long campaign
HUGEPAGES_KIB = 2 * 2048  # which DPDK's heap takes and gives back as it needs
BATCH = 200  # rules, at most
FLOWS = 5000  # of the VM whose rules change
PAUSE_S = 0.002  # in which the changes have the processor for themselves
STEADY, CHURNED, COMING = 1, 2, range(10, 20)  # VMs


class Traffic(threading.Thread):
    """Sends frames of the steady VM, and to it, and looks for each of them."""

    def __init__(self, on: Bench) -> None:
        super().__init__()
        self.guest, self.wire = on.vms[STEADY], on.wire
        self.stop = threading.Event()
        self.frames = 0
        self.lost: list[str] = []

    def run(self) -> None:
        out, back = numbered(100, vm=STEADY), [arriving(STEADY)] * 100
        while not self.stop.wait(PAUSE_S) and not self.lost:
            self.guest.send(*out)
            self.wire.send(*back)
            self.expect(self.wire, [tagged(frame, *TAGS) for frame in out])
            self.expect(self.guest, [delivered(STEADY)] * len(back))
            self.frames += len(out) + len(back)

    def expect(self, guest: Guest, frames: list[bytes]) -> None:
        for expected in frames:
            frame = guest.receive()
            while frame and frame[:12] != expected[:12]:  # another VM's
                frame = guest.receive()
            if frame != expected:
                self.lost.append(
                    f"{expected.hex()}, and not {frame.hex() if frame else 'any'}, after {self.frames} frames"
                )
                return


@pytest.fixture
def on(tmp_path: pathlib.Path) -> Iterator[Bench]:
    with bench(tmp_path, {STEADY: "switch", CHURNED: "qemu"}) as made:
        made.switch.call("rule.set", rules=[rule(STEADY)])
        yield made


@dataclasses.dataclass
class Churn:
    """Changes at random by a fixed seed, and what has to come of them."""

    on: Bench
    chance: random.Random
    rules: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    changed_rules: int = 0
    changed_ports: int = 0

    def flow(self) -> dict[str, t.Any]:
        number = self.chance.randrange(FLOWS)
        terms = {"tags": [1 + self.chance.randrange(4094)], "rate_bps": 1 + self.chance.randrange(10**9)}
        if number % 50 == 0:
            return wildcard(
                CHURNED, source_ip=f"10.{number % 250}.0.0/16", tags=terms["tags"], priority=number
            )
        return rule(CHURNED, source_port=1 + number, **terms)

    def flows(self) -> list[dict[str, t.Any]]:
        drawn = [self.flow() for _rule in range(self.chance.randrange(1, BATCH))]
        return list({str(identity(one)): one for one in drawn}.values())

    def set(self) -> None:
        flows = self.flows()
        self.on.switch.call("rule.set", rules=flows)
        self.rules |= {str(identity(one)): one for one in flows}
        self.changed_rules += len(flows)

    def delete(self) -> None:
        gone = self.chance.sample(sorted(self.rules), min(len(self.rules), self.chance.randrange(BATCH)))
        answer = self.on.switch.call("rule.delete", rules=[identity(self.rules.pop(name)) for name in gone])
        assert answer["deleted"] == len(gone)
        self.changed_rules += len(gone)

    def replace(self) -> None:
        flows = self.flows()
        self.on.switch.call("rule.replace", vm=CHURNED, rules=flows)
        self.changed_rules += len(self.rules) + len(flows)
        self.rules = {str(identity(one)): one for one in flows}

    def come_and_go(self) -> None:
        """Add a VM with a rule and traffic, and remove it while frames wait."""
        vm = self.chance.choice(COMING)
        server = self.chance.choice(["switch", "qemu"])
        guest = Guest(self.on.switch.vhost(vm))
        if server == "qemu":
            guest.listen()
        self.on.switch.add_port(vm, server)
        self.on.switch.call("rule.set", rules=[rule(vm, rate_bps=10**6, burst_bits=10**4)])
        guest.open()
        guest.send(*[bytes(datagram(vm=vm))] * 20)
        if self.chance.random() < 0.5:
            guest.disconnect()
        self.on.switch.call("port.remove", vm=vm)
        guest.close()
        self.changed_ports += 2

    def round(self) -> None:
        self.chance.choices([self.set, self.delete, self.replace], weights=[5, 4, 1])[0]()
        self.on.vms[CHURNED].send(*[bytes(datagram(vm=CHURNED))] * 3)


def opened(place: pathlib.Path) -> list[str]:
    """Return what the files of a process are, but for those that it closes meanwhile, such as a connection of ours."""
    found = []
    for file in place.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(file))
    return found


def used(pid: int) -> dict[str, int]:
    """Return what the process has of each resource; the files are those that are no hugepages."""
    place = pathlib.Path(f"/proc/{pid}")
    kib = {
        name: int(size)
        for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", (place / "smaps_rollup").read_text(), re.M)
    }
    return {
        "resident KiB": kib["Rss"],
        "hugepage KiB": kib["Private_Hugetlb"] + kib["Shared_Hugetlb"],
        "files": sum(not file.startswith("/memfd:seg_") for file in opened(place / "fd")),
        "threads": len(list((place / "task").iterdir())),
    }


def test_churn(on: Bench, figures: Figures, pytestconfig: pytest.Config) -> None:
    part = 1 if pytestconfig.getoption("--soak") else SHORT_ROUND
    ports, rules = PORT_CHANGES // part, RULE_CHANGES // part
    churn, traffic = Churn(on, random.Random(2)), Traffic(on)
    pid, before = on.switch.call("switch.info")["pid"], None
    traffic.start()
    try:
        while churn.changed_ports < ports or churn.changed_rules < rules:
            if churn.changed_rules < rules:
                churn.round()
            if churn.changed_ports / ports <= churn.changed_rules / rules:
                churn.come_and_go()
            if before is None and churn.changed_rules > WARM_UP * rules:
                before = used(pid)
            assert traffic.is_alive(), traffic.lost
    finally:
        traffic.stop.set()
        traffic.join()
    assert traffic.lost == []
    listed = on.switch.call("rule.list", vm=CHURNED)["rules"]
    assert in_order(listed) == in_order(map(normal, churn.rules.values()))

    on.switch.call("rule.replace", vm=CHURNED, rules=[])
    wait_until("every buffer is free", lambda: on.switch.buffers_in_use() == 0, 20)
    assert before is not None
    # A connection that was closed is noticed by another thread.
    wait_until("no file is left open", lambda: used(pid)["files"] <= before["files"])
    after = used(pid)
    for what, count in after.items():
        figures.add(
            f"churn: {what} after {churn.changed_rules} rule and {churn.changed_ports} port changes",
            count,
            "",
        )
        figures.add(f"churn: {what} more than after the first {WARM_UP:.0%}", count - before[what], "")
    figures.add("churn: frames of the untouched rule, of which none was lost", traffic.frames, "")
    assert after["resident KiB"] <= before["resident KiB"] + GROWTH_KIB
    assert after["hugepage KiB"] <= before["hugepage KiB"] + HUGEPAGES_KIB
    assert after["threads"] <= before["threads"]


def in_order(rules: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return sorted(rules, key=lambda one: sorted(map(str, one.items())))
