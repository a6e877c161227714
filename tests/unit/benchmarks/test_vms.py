# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the module vm: its arithmetic, from recorded figures; no VM is started."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import jinja2
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _domain_xml, _vm

from benchmarks.switch.process import BenchmarkError
from benchmarks.vms import __main__ as bench
from benchmarks.vms import bed, command, contenders, memory, ssh
from benchmarks.vms.report import report
from benchmarks.vms.results import GOALS, Results

if t.TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {
    "create_8_vs_vagrant",
    "create_8_vs_community_libvirt",
    "noop_64_s",
    "delete_8_s",
    "lean_65_answered",
    "lean_overhead_mib",
    "lean_boot_s",
}

# Of each figure its rounds.
RECORDED = {
    "create_8_ours_s": [30.0, 20.0, 60.0],
    "create_8_community_libvirt_s": [60.0, 50.0, 80.0],
    "create_8_vagrant_s": [120.0, 100.0, 75.0],
    "delete_8_ours_s": [3.0, 2.0, 4.0],
    "delete_8_vagrant_s": [30.0, 20.0, 40.0],
    "noop_64_s": [2.0, 1.0, 1.5],
    "lean_65_answered": [65.0, 64.0, 65.0],
    "lean_overhead_mib": [50.0, 51.0, 52.0],
    "plain_overhead_mib": [70.0, 71.0, 72.0],
    "lean_boot_s": [6.0, 9.0, 5.0],
}


@pytest.fixture
def results() -> Results:
    made = Results()
    for name, rounds in RECORDED.items():
        made.figures[name] = dict(enumerate(rounds, start=1))
    return made


def test_goals_are_for_the_summary() -> None:
    assert {goal.key for goal in GOALS} == KEYS


def test_the_summary_has_the_median_of_each_goal(results: Results) -> None:
    assert results.summary() == {
        "create_8_vs_vagrant": 0.25,  # of 0.25, 0.2, 0.8
        "create_8_vs_community_libvirt": 0.5,  # of 0.5, 0.4, 0.8: in the last round Vagrant was the better one
        "noop_64_s": 1.5,
        "delete_8_s": 3.0,
        "lean_65_answered": 64,  # one that was silent once is not hidden by a median
        "lean_overhead_mib": 51.0,
        "lean_boot_s": 6.0,
    }


def test_ratios_have_their_spread(results: Results) -> None:
    assert results.ratios()["create_8_vs_community_libvirt"].as_json() == {
        "min": 0.4,
        "median": 0.5,
        "max": 0.8,
    }


def test_without_one_peer_there_is_no_better_one(results: Results) -> None:
    del results.figures["create_8_community_libvirt_s"]
    assert results.ratios().keys() == {"create_8_vs_vagrant"}


def test_what_was_not_measured_is_not_in_the_summary() -> None:
    assert Results().summary() == {}


def test_the_document_has_each_figure_round_by_round(results: Results) -> None:
    document = results.as_json()
    assert document["figures"]["plain_overhead_mib"] == {
        "min": 70,
        "median": 71,
        "max": 72,
        "by_round": {1: 70, 2: 71, 3: 72},
    }
    assert document["goals"]["lean_65_answered"]["met"] is False
    assert document["goals"]["create_8_vs_vagrant"]["met"] is True


def test_the_report_names_what_is_missed_and_what_was_not_measured(results: Results) -> None:
    del results.figures["noop_64_s"]
    verdicts = {
        line.split(":")[0]: line.split("  ")[-1].strip()
        for line in report(results).splitlines()
        if ":" in line
    }
    assert verdicts["lean_65_answered"] == "missed"
    assert verdicts["create_8_vs_vagrant"] == "met"
    assert verdicts["noop_64_s"] == "not measured"


class FakeContender:
    def __init__(self, _bed: bed.Bed) -> None: ...

    def create(self) -> contenders.Took:
        return contenders.Took(8.0, {"first": 3.0, "second": 4.0})

    def delete(self) -> contenders.Took:
        return contenders.Took(2.0, {"third": 1.0})


def test_each_part_is_measured_once_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CONTENDERS", dict.fromkeys(contenders.CONTENDERS, FakeContender))
    monkeypatch.setattr(bench.lean, "measure_lean", lambda _bed: {"lean_boot_s": 5.0})
    found = bench.measure(t.cast(bed.Bed, None), bench.PARTS, rounds=2, seed=1)
    assert found.figures["create_8_vagrant_s"] == {1: 8.0, 2: 8.0}
    assert found.figures["delete_8_ours_s"] == {1: 2.0, 2: 2.0}
    assert found.figures["lean_boot_s"] == {1: 5.0, 2: 5.0}
    assert found.steps["community_libvirt"] == {
        "first": {1: 3.0, 2: 3.0},
        "second": {1: 4.0, 2: 4.0},
        "third": {1: 1.0, 2: 1.0},
    }


def rollup(**kib: int) -> str:
    return "55d0-7ffc ---p 00000000 00:00 0  [rollup]\n" + "".join(
        f"{key}:{value:>16} kB\n" for key, value in kib.items()
    )


def test_the_overhead_is_what_is_not_in_hugepages() -> None:
    text = rollup(Rss=90000, Pss=51200, Pss_Anon=40000, Shared_Hugetlb=96 << 10, Private_Hugetlb=0)
    assert memory.overhead_mib(text, 96) == 50


@pytest.mark.parametrize(
    "hugepages_kib",
    [
        pytest.param(0, id="memory-of-the-guest-in-small-pages"),
        pytest.param(128 << 10, id="more-hugepages-than-the-guest-has-memory"),
    ],
)
def test_an_overhead_that_is_not_known_is_no_figure(hugepages_kib: int) -> None:
    with pytest.raises(BenchmarkError, match="Cannot tell"):
        memory.overhead_mib(rollup(Pss=51200, Shared_Hugetlb=hugepages_kib, Private_Hugetlb=0), 96)


@contextlib.contextmanager
def server(answers: t.Callable[[int], bytes]) -> Iterator[tuple[str, int]]:
    """Accept connections until the block ends; say to each what its number gives, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept = []

        def accept() -> None:
            for number in itertools.count():
                try:
                    connection, _address = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                connection.sendall(answers(number))

        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def test_a_greeting_is_heard_on_whichever_connection_it_comes() -> None:
    with server(lambda number: b"SSH-2.0-x\r\n" if number == 1 else b"") as (address, port):
        took = ssh.seconds_until_greeting(time.monotonic(), address, port)
    assert ssh.KNOCK_EACH_S <= took < 2 * ssh.KNOCK_EACH_S


@pytest.mark.parametrize("said", [b"", b"Exceeded MaxStartups\r\n"], ids=["silent", "refusing"])
def test_a_server_that_does_not_greet_has_not_answered(said: bytes) -> None:
    with (
        server(lambda _number: said) as (address, port),
        pytest.raises(BenchmarkError, match=r"No SSH server answered at 127\.0\.0\.1:\d+ within 0\.1 s"),
    ):
        ssh.seconds_until_greeting(time.monotonic(), address, port, timeout_s=0.1)


def ran(name: str, start: str, end: str, **result: t.Any) -> dict[str, t.Any]:
    return {"task": {"name": name, "duration": {"start": start, "end": end}}, "hosts": {"machine": result}}


def test_a_task_took_what_its_moments_say() -> None:
    document = {
        "plays": [
            {
                "tasks": [
                    ran(
                        "Have it", "2026-11-22T03:00:59.500000Z", "2026-11-22T03:01:01.000000Z", changed=True
                    ),
                    ran(
                        "Skip it", "2026-11-22T03:01:01.000000Z", "2026-11-22T03:01:02.000000Z", skipped=True
                    ),
                ]
            }
        ]
    }
    assert command.tasks(document) == {"Have it": command.Task(1.5, {"changed": True})}


def test_a_command_that_fails_tells_what_it_said() -> None:
    program = "import sys; print('out'); print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(BenchmarkError, match=r"ended with 3 and said:\nout\nwhy"):
        command.run([sys.executable, "-c", program])


def test_a_command_gets_our_environment_and_its_own() -> None:
    program = "import os; print(os.environ['PATH'] and os.environ['OWN'])"
    assert command.run([sys.executable, "-c", program], {"OWN": "yes"}) == "yes\n"


def test_what_a_command_started_in_another_session_ends_with_it() -> None:
    program = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True).wait()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, command.MARK: "mine"},
        start_new_session=True,
        text=True,
    )
    while len(command.marked("mine")) < 2:
        time.sleep(0.01)
    command.end(process, "mine")
    assert command.marked("mine") == []


def shape(text: str) -> collections.Counter[str]:
    """Return the elements of a domain, but for what is a VM's own or is told to libvirt only."""
    found = collections.Counter(element.tag for element in ET.fromstring(text).iter())  # noqa: S314 - our own
    for tag in ("metadata", "{urn:detnet:testbed:vm}vm", "log"):
        del found[tag]
    return found


def test_the_vm_of_the_template_has_our_devices(tmp_path: Path) -> None:
    (entry,) = bed.vms(range(1, 2), 256)
    key = tmp_path / "key"
    key.with_suffix(".pub").write_text("ssh-ed25519 AAAA bench\n")
    made = bed.Bed(tmp_path, tmp_path, "tcg", key)
    vm = _vm.Vm(
        **entry,
        image=str(tmp_path),
        directory=str(tmp_path),
        management_address=bed.ADDRESS,
        authorized_keys_sha256="",
        accelerator="tcg",
    )
    template = jinja2.Template((command.HERE / "domain.xml.j2").read_text(), undefined=jinja2.StrictUndefined)
    theirs = template.render(**contenders.CommunityLibvirt(made).variables, item=entry)
    ours = _domain_xml.domain_xml(vm, _vm.Image(str(tmp_path / "root.ext4")))
    assert shape(theirs) == shape(ours)
    for told in ("os/cmdline", "features/tcg/tb-cache"):
        one, other = (ET.fromstring(text).findtext(told) for text in (theirs, ours))  # noqa: S314 - our own
        assert one
        assert one == other
