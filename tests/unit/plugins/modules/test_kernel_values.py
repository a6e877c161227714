# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kernel_values, with files in a small tree, a file that refuses, and the kernel's own."""

from __future__ import annotations

import errno
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _kernel_files
from ansible_collections.detnet.testbed.plugins.modules import kernel_values

Run = t.Callable[..., dict[str, t.Any]]

MIGRATION = "/proc/sys/kernel/timer_migration"
THP = "/sys/kernel/mm/transparent_hugepage/enabled"
IRQ = "/proc/irq/34/smp_affinity"
WORKQUEUE = "/sys/devices/virtual/workqueue/cpumask"
SMT = "/sys/devices/system/cpu/smt/control"


class Machine:
    """The kernel's files. refusals has the error, or the value that sticks instead, by path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = str(root / "state/values.json")
        self.refusals: dict[str, int | str] = {}
        for path, text in {
            MIGRATION: "1\n",
            THP: "always [madvise] never\n",
            IRQ: "0000,000000ff\n",
            WORKQUEUE: "ff\n",
            SMT: "on\n",
            "/proc/sys/kernel/random/boot_id": "first\n",
        }.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).write_text(text)

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str:
        return self.at(path).read_text().strip()

    def values(self) -> dict[str, str]:
        paths = (MIGRATION, THP, IRQ, WORKQUEUE, SMT)
        return {path: self.text(path) for path in paths if self.at(path).exists()}

    def open(self, path: str, flags: int, *args: t.Any, **named: t.Any) -> int:
        inner = "/" + os.path.relpath(path, self.root)
        refusal = self.refusals.get(inner) if flags & os.O_WRONLY else None
        if isinstance(refusal, int):
            raise OSError(refusal, os.strerror(refusal), path)
        if isinstance(refusal, str):
            self.write(inner, refusal)
            return os_open("/dev/null", os.O_WRONLY)
        return os_open(path, flags, *args, **named)


os_open = os.open


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(kernel_values, "ROOT", str(tmp_path))
    monkeypatch.setattr(_kernel_files.os, "open", made.open)
    return made


@pytest.fixture
def set_(run: Run, machine: Machine) -> Run:
    """Set values, given as {path: value}; a path that begins with "?" is optional."""

    def set_(values: dict[str, str], *, check_mode: bool = False) -> dict[str, t.Any]:
        rows = [
            {"path": path.lstrip("?"), "value": value, "optional": path.startswith("?")}
            for path, value in values.items()
        ]
        return run(kernel_values.main, values=rows, ledger=machine.ledger, check_mode=check_mode)

    return set_


@pytest.fixture
def give_back(run: Run, machine: Machine) -> Run:
    def give_back(*, check_mode: bool = False) -> dict[str, t.Any]:
        return run(kernel_values.main, state="returned", ledger=machine.ledger, check_mode=check_mode)

    return give_back


def test_sets_and_gives_back(machine: Machine, set_: Run, give_back: Run) -> None:
    before = machine.values()
    result = set_({MIGRATION: "0", THP: "never", IRQ: "3", SMT: "on"})
    assert result["changed"] is True
    assert (machine.text(MIGRATION), machine.text(THP), machine.text(IRQ)) == ("0", "never", "3")
    assert result["changes"] == [
        {"path": MIGRATION, "before": "1", "after": "0"},
        {"path": THP, "before": "madvise", "after": "never"},
        {"path": IRQ, "before": "0000,000000ff", "after": "3"},
    ]
    assert result["diff"] == {
        "before": f"{MIGRATION}: 1\n{THP}: madvise\n{IRQ}: 0000,000000ff\n",
        "after": f"{MIGRATION}: 0\n{THP}: never\n{IRQ}: 3\n",
    }
    assert set_({MIGRATION: "0", THP: "never", IRQ: "3"})["changed"] is False
    result = give_back()
    assert [row["path"] for row in result["changes"]] == [IRQ, THP, MIGRATION]
    assert machine.values() == before | {THP: "madvise"}  # the kernel shows the choice among all again
    assert not Path(machine.ledger).exists()
    assert give_back()["changed"] is False


@pytest.mark.parametrize(
    ("path", "real", "wanted", "changed"),
    [
        pytest.param(THP, "always madvise [never]\n", "never", False, id="a-choice"),
        pytest.param(IRQ, "00000000,000000ff\n", "ff", False, id="a-mask-with-leading-zeros"),
        pytest.param(IRQ, "1,00000000\n", "00000001,00000000", False, id="a-mask-of-two-words"),
        pytest.param(IRQ, "1,00000000\n", "1", True, id="another-mask"),
        pytest.param(IRQ + "_list", "0-1\n", "0,1", False, id="a-list"),
        pytest.param("/proc/sys/kernel/watchdog_cpumask", "0-3\n", "0,1,2-3", False, id="a-list-called-mask"),
        pytest.param("/proc/sys/kernel/printk", "4\t4\t1\t7\n", "4 4 1 7", False, id="several-numbers"),
        pytest.param("/sys/module/workqueue/parameters/power_efficient", "N\n", "0", False, id="a-switch"),
        pytest.param(
            "/sys/module/workqueue/parameters/power_efficient", "N\n", "1", True, id="another-switch"
        ),
        pytest.param("/proc/sys/vm/stat_interval", "1\n", "10", True, id="another-number"),
    ],
)
def test_compares_as_the_kernel_means_it(
    machine: Machine, set_: Run, path: str, real: str, wanted: str, changed: bool
) -> None:
    machine.write(path, real)
    assert set_({path: wanted}, check_mode=True)["changed"] is changed


def test_an_earlier_value_is_never_overwritten_by_a_later_one(
    machine: Machine, set_: Run, give_back: Run
) -> None:
    set_({MIGRATION: "0"})
    set_({MIGRATION: "2", WORKQUEUE: "3"})
    give_back()
    assert (machine.text(MIGRATION), machine.text(WORKQUEUE)) == ("1", "ff")


def test_the_ledger_is_on_the_disk_before_the_first_write(
    machine: Machine, set_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, t.Any]] = []

    def write(path: str, value: str, root: str) -> str:
        seen.append(json.loads(Path(machine.ledger).read_text()))
        return value

    monkeypatch.setattr(_kernel_files, "write", write)
    set_({MIGRATION: "0", IRQ: "3"})
    assert [(row["path"], row["before"]) for row in seen[0]["values"]] == [
        (MIGRATION, "1"),
        (IRQ, "0000,000000ff"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({MIGRATION: "0", THP: "never"}, id="new-values"),
        pytest.param({MIGRATION: "1"}, id="nothing-new"),
        pytest.param({MIGRATION: "0", "?/sys/not/there": "1"}, id="a-missing-optional-one"),
    ],
)
def test_check_mode_predicts_and_writes_nothing(
    machine: Machine, set_: Run, give_back: Run, values: dict[str, str]
) -> None:
    before = machine.values()
    predicted = set_(values, check_mode=True)
    assert (machine.values(), Path(machine.ledger).exists()) == (before, False)
    assert predicted == set_(values)
    real = machine.values()
    predicted = give_back(check_mode=True)
    assert machine.values() == real
    assert predicted == give_back()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param(
            {"/etc/passwd": "x"}, "/etc/passwd is not below /proc/irq, /proc/sys or /sys", id="elsewhere"
        ),
        pytest.param({"/proc/sysrq-trigger": "c"}, "is not below", id="a-name-that-begins-alike"),
        pytest.param({"/sys/../etc/passwd": "x"}, "is not a plain absolute path", id="upwards"),
        pytest.param({"sys/x": "x"}, "is not a plain absolute path", id="relative"),
        pytest.param({"/proc/irq/*/smp_affinity": "3"}, "has a wildcard; name each file", id="wildcard"),
        pytest.param({MIGRATION: "0\n1"}, "has more than one line", id="two-lines"),
        pytest.param({SMT: "False"}, "is the truth value False; put on, off", id="truth-value"),
        pytest.param({"/sys/not/there": "1"}, "/sys/not/there is not there", id="missing"),
        pytest.param({"/sys/kernel": "1"}, "/sys/kernel is not a file", id="a-folder"),
        pytest.param({"/sys/read_only": "1"}, "/sys/read_only cannot be written", id="read-only"),
        pytest.param(
            {"/sys/write_only": "1"}, "/sys/write_only cannot be read, so it could not", id="write-only"
        ),
        pytest.param(
            {"/sys/out": "1"}, "/sys/out leads to /etc/passwd, out of the kernel's files", id="link-out"
        ),
        pytest.param({"/sys/binary": "1"}, "/sys/binary is not text", id="not-text"),
        pytest.param(
            {WORKQUEUE: "3", "/sys/link": "1"},
            f"/sys/link is to be '1' and, as {WORKQUEUE}, '3'; give one of them",
            id="two-values-for-one-file",
        ),
    ],
)
def test_refuses_before_any_write(machine: Machine, set_: Run, values: dict[str, str], says: str) -> None:
    machine.write("/etc/passwd", "secret\n")
    machine.at("/sys/out").symlink_to("../etc/passwd")
    machine.at("/sys/link").symlink_to("devices/virtual/workqueue/cpumask")
    machine.at("/sys/binary").write_bytes(b"\xff\xfe")
    for name, mode in {"read_only": 0o444, "write_only": 0o200}.items():
        machine.write(f"/sys/{name}", "1\n")
        machine.at(f"/sys/{name}").chmod(mode)
    before = machine.values()
    result = set_({MIGRATION: "0"} | values if MIGRATION not in values else {THP: "never"} | values)
    assert result["failed"] is True
    assert result["msg"].startswith("Cannot set values of the running kernel: ")
    assert says in result["msg"]
    assert machine.values() == before
    assert machine.text("/etc/passwd") == "secret"
    assert not Path(machine.ledger).exists()


def test_a_link_that_stays_among_the_kernels_files_is_followed(
    machine: Machine, set_: Run, give_back: Run
) -> None:
    machine.at("/sys/link").symlink_to("devices/virtual/workqueue/cpumask")
    assert set_({"/sys/link": "3", WORKQUEUE: "03"})["changes"] == [
        {"path": "/sys/link", "before": "ff", "after": "3"}
    ]
    give_back()
    assert machine.text(WORKQUEUE) == "ff"


@pytest.mark.parametrize(
    ("path", "refusal", "row"),
    [
        pytest.param(
            IRQ,
            errno.EIO,
            {
                "real": "0000,000000ff",
                "errno": "EIO",
                "reason": "managed interrupt: the kernel alone chooses its CPUs",
            },
            id="managed-interrupt",
        ),
        pytest.param(
            WORKQUEUE,
            errno.EINVAL,
            {"real": "ff", "errno": "EINVAL", "reason": "the kernel does not take this value here"},
            id="invalid",
        ),
        pytest.param(
            WORKQUEUE, errno.EBUSY, {"real": "ff", "errno": "EBUSY", "reason": "it is in use"}, id="busy"
        ),
        pytest.param(
            WORKQUEUE,
            "ff",
            {"real": "ff", "errno": None, "reason": "the kernel took it and shows another value"},
            id="does-not-stick",
        ),
    ],
)
def test_a_refused_value_is_an_error_or_a_row(
    machine: Machine, set_: Run, give_back: Run, path: str, refusal: int | str, row: dict[str, t.Any]
) -> None:
    machine.refusals[path] = refusal
    result = set_({path: "3"})
    said = f" ({row['errno']})" if row["errno"] else ""
    assert f"{path}: wanted '3', real '{row['real']}', reason: {row['reason']}{said}" in result["msg"]
    assert "no value was changed" in result["msg"]
    assert not Path(machine.ledger).exists()
    result = set_({f"?{path}": "3", MIGRATION: "0"})
    assert result["refused"] == [{"path": path, "wanted": "3", **row}]
    assert [change["path"] for change in result["changes"]] == [MIGRATION]
    again = set_({f"?{path}": "3", MIGRATION: "0"})
    assert (again["changed"], again["refused"]) == (False, result["refused"])
    predicted = set_({f"?{path}": "3", MIGRATION: "0"}, check_mode=True)
    assert (predicted["changed"], [found["reason"] for found in predicted["refused"]]) == (
        False,
        [row["reason"]],
    )
    machine.refusals.clear()
    give_back()
    assert machine.text(MIGRATION) == "1"


def test_what_was_refused_before_a_restart_is_tried_in_the_prediction(machine: Machine, set_: Run) -> None:
    machine.refusals[IRQ] = errno.EIO
    set_({f"?{IRQ}": "3"})
    machine.write("/proc/sys/kernel/random/boot_id", "second\n")
    assert set_({f"?{IRQ}": "3"}, check_mode=True)["changed"] is True


def test_a_refusal_in_the_middle_keeps_what_was_set_in_the_ledger(
    machine: Machine, set_: Run, give_back: Run
) -> None:
    before = machine.values()
    machine.refusals[IRQ] = errno.EINVAL
    result = set_({WORKQUEUE: "3", IRQ: "3", MIGRATION: "0"})
    assert "none of these CPUs is online (EINVAL); set another value" in result["msg"]
    assert "1 of 3 values are changed already; state=returned gives them back" in result["msg"]
    assert (machine.text(WORKQUEUE), machine.text(MIGRATION)) == ("3", "1")
    give_back()
    assert machine.values() == before


def test_a_part_of_a_value_is_given_back_too(machine: Machine, set_: Run, give_back: Run) -> None:
    pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    machine.write(pages, "0\n")
    machine.refusals[pages] = "300\n"
    assert f"{pages}: wanted '512', real '300'" in set_({pages: "512"})["msg"]
    machine.refusals.clear()
    assert give_back()["changes"] == [{"path": pages, "before": "300", "after": "0"}]


def test_gives_back_also_what_somebody_else_changed_and_says_so(
    machine: Machine, set_: Run, give_back: Run
) -> None:
    set_({MIGRATION: "0", WORKQUEUE: "3", IRQ: "3"})
    machine.write(WORKQUEUE, "7\n")
    machine.write(MIGRATION, "1\n")
    result = give_back()
    assert result["overridden"] == [{"path": WORKQUEUE, "written": "3", "real": "7"}]
    assert [row["path"] for row in result["changes"]] == [IRQ, WORKQUEUE]
    assert machine.text(WORKQUEUE) == "ff"


def test_a_file_that_is_gone_is_told(machine: Machine, set_: Run, give_back: Run) -> None:
    set_({IRQ: "3", MIGRATION: "0"})
    machine.at(IRQ).unlink()
    predicted = give_back(check_mode=True)
    result = give_back()
    assert predicted == result
    assert (result["gone"], machine.text(MIGRATION)) == ([IRQ], "1")
    assert not Path(machine.ledger).exists()


def test_what_cannot_be_given_back_stays_in_the_ledger(machine: Machine, set_: Run, give_back: Run) -> None:
    set_({IRQ: "3", MIGRATION: "0"})
    machine.refusals[IRQ] = errno.EBUSY
    result = give_back()
    assert result["msg"].startswith("Cannot give back values of the running kernel: ")
    assert f"{IRQ}: wanted '0000,000000ff', real '3', reason: it is in use (EBUSY)" in result["msg"]
    assert f"the ledger {machine.ledger} keeps these" in result["msg"]
    assert machine.text(MIGRATION) == "1"
    machine.refusals.clear()
    assert [row["path"] for row in give_back()["changes"]] == [IRQ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "it is not JSON", id="empty"),
        pytest.param('{"version": 1, "val', "it is not JSON", id="half-written"),
        pytest.param("[1]", "it is not a ledger", id="another-document"),
        pytest.param('{"version": 1}', "it is not a ledger (KeyError('values'))", id="fields-missing"),
        pytest.param('{"version": 9}', "its version is 9, this module knows 1", id="later-version"),
        pytest.param(
            '{"version": 1, "boot_id": "", "refused": [], '
            '"values": [{"path": "/etc/passwd", "before": "", "written": ""}]}',
            "/etc/passwd is not below",
            id="another-file",
        ),
        pytest.param(
            '{"version": 1, "boot_id": "", "refused": [], '
            f'"values": [{{"path": "{IRQ}", "before": 1, "written": ""}}]}}',
            "1 is not a text",
            id="no-text",
        ),
    ],
)
def test_a_spoilt_ledger_is_refused_with_the_way_out(
    machine: Machine, set_: Run, give_back: Run, text: str, says: str
) -> None:
    machine.write("/state/values.json", text)
    before = machine.values()
    for result in (set_({MIGRATION: "0"}), give_back(), give_back(check_mode=True)):
        assert says in result["msg"]
        assert "put back a good copy, or move it away and restart the machine" in result["msg"]
    assert (machine.values(), machine.text("/state/values.json")) == (before, text)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        pytest.param("../etc/passwd", "/sys/link leads to /etc/passwd", id="out"),
        pytest.param(
            "kernel/secret", "/sys/link of the ledger is a link to /sys/kernel/secret; name that", id="inside"
        ),
    ],
)
def test_a_ledger_that_names_a_link_is_refused(
    machine: Machine, give_back: Run, target: str, says: str
) -> None:
    machine.write("/etc/passwd", "secret\n")
    machine.write("/sys/kernel/secret", "secret\n")
    machine.at("/sys/link").symlink_to(target)
    row = {"path": "/sys/link", "before": "x", "written": "y"}
    ledger = {"version": 1, "boot_id": "", "values": [row], "refused": []}
    machine.write("/state/values.json", json.dumps(ledger))
    assert says in give_back()["msg"]
    assert machine.at("/sys/link").read_text() == "secret\n"


def test_a_full_disk_is_noticed_before_any_write(
    machine: Machine, set_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_({MIGRATION: "0"})
    before, ledger = machine.values(), machine.text("/state/values.json")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(_durable_file.os, "fsync", full)
        result = set_({WORKQUEUE: "3"})
    assert (
        f"the ledger {machine.ledger} cannot be written: No space left on device; make room" in result["msg"]
    )
    assert (machine.values(), machine.text("/state/values.json")) == (before, ledger)
    assert os.listdir(os.path.dirname(machine.ledger)) == ["values.json"]


def test_what_a_power_cut_left_beside_the_ledger_is_no_matter(
    machine: Machine, set_: Run, give_back: Run
) -> None:
    machine.write("/state/.values.json.detnet-new", '{"half')
    set_({MIGRATION: "0"})
    give_back()
    assert machine.text(MIGRATION) == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets the kernel's values")
@pytest.mark.skipif(
    not os.access("/proc/sys/vm/stat_interval", os.W_OK), reason="this container's /proc/sys is read-only"
)
def test_the_real_kernel_takes_a_value_and_gets_it_back(run: Run, tmp_path: Path) -> None:
    path, ledger = Path("/proc/sys/vm/stat_interval"), str(tmp_path / "ledger.json")
    before = path.read_text()
    wanted = str(int(before) + 7)
    try:
        row = {"path": str(path), "value": wanted}
        assert run(kernel_values.main, values=[row], ledger=ledger)["changed"] is True
        assert path.read_text() == f"{wanted}\n"
        assert run(kernel_values.main, values=[row], ledger=ledger)["changed"] is False
        refused = run(kernel_values.main, values=[{**row, "value": "many"}], ledger=ledger)
        assert (
            f"wanted 'many', real '{wanted}', reason: the kernel does not take this value here"
            in refused["msg"]
        )
        assert run(kernel_values.main, state="returned", ledger=ledger)["changed"] is True
        assert path.read_text() == before
    finally:
        path.write_text(before)
