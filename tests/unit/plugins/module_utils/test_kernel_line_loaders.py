# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line by grubby and by systemd-boot, with an imitation of grubby and files in a small tree."""

from __future__ import annotations

import errno
import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _kernel_line_loader
from ansible_collections.detnet.testbed.plugins.modules import kernel_line

Run = t.Callable[..., dict[str, t.Any]]

ISOLATE = ["isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "rcu_nocb_poll"]
USERS = "root=UUID=1  ro quiet"
NOTE = "var/lib/detnet-testbed/kernel_line.json"

# It keeps one value of each parameter, as grubby does, and sets etc/default/grub, too, unless told not to.
GRUBBY = f"""#!{sys.executable}
import os, pathlib, sys
tree = pathlib.Path(os.environ["TREE"])
fault = os.environ["FAULT"]
entries = sorted((tree / "boot/loader/entries").glob("*.conf"), reverse=True)
options = dict(arg.lstrip("-").partition("=")[::2] for arg in sys.argv[1:])
if "info" in options:
    for index, entry in enumerate(entries if options["info"] == "ALL" else entries[:1]):
        kernel, line = entry.read_text().splitlines()
        print(f'index={{index}}\\nkernel="{{kernel[6:]}}"\\nargs="{{line[8:]}}"\\nroot="UUID=1"')
    sys.exit()
assert options["update-kernel"] == "ALL"
if "no-etc-grub-update" not in options:
    (tree / "etc/default/grub").write_text("changed")
if fault == "fails" and "args" in options:
    sys.exit("grubby: cannot write: no space left on device")
for entry in entries:
    kernel, line = entry.read_text().splitlines()
    words = line.split(" ")
    for word in options.get("remove-args", "").split():
        words = [there for there in words if there != word]
    for word in options.get("args", "").split():
        words = [there for there in words if there.partition("=")[0] != word.partition("=")[0]]
        words += [] if fault == "forgets" and word.startswith("nohz") else [word]
    entry.write_text(kernel + "\\n" + " ".join(words) + "\\n")
"""


class Tree:
    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def files(self) -> dict[str, str]:
        paths = {str(path.relative_to(self.root)): path for path in self.root.rglob("*") if path.is_file()}
        return {
            name: path.read_text() for name, path in paths.items() if not name.startswith(("run/", "bin/"))
        }


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    made = Tree(tmp_path)
    made.write("proc/cmdline", f"BOOT_IMAGE=x {USERS}\n")
    made.write("etc/default/grub", "user's\n")
    for kernel in ("5", "6"):
        made.write(f"boot/loader/entries/id-{kernel}.conf", f"linux /vmlinuz-{kernel}\noptions {USERS}\n")
    monkeypatch.setattr(kernel_line, "ROOT", str(tmp_path))
    monkeypatch.setenv("TREE", str(tmp_path))
    monkeypatch.setenv("FAULT", "")
    monkeypatch.setattr(_kernel_line_loader, "SBIN", (str(tmp_path / "bin"),))
    return made


@pytest.fixture
def bls(tree: Tree) -> Tree:
    tree.write("bin/grubby", GRUBBY)
    (tree.root / "bin/grubby").chmod(0o755)
    return tree


@pytest.fixture
def systemd_boot(tree: Tree) -> Tree:
    tree.write("boot/loader/loader.conf", "timeout 3\n")
    tree.write("etc/kernel/cmdline", f"{USERS}\n")
    return tree


@pytest.fixture(params=["bls", "systemd_boot"])
def either(request: pytest.FixtureRequest) -> Tree:
    made: Tree = request.getfixturevalue(request.param)
    return made


def test_sets_and_gives_back(run: Run, either: Tree) -> None:
    before = either.files()
    predicted = run(kernel_line.main, check_mode=True, parameters=ISOLATE)
    assert either.files() == before
    result = run(kernel_line.main, parameters=ISOLATE)
    assert predicted == result
    assert (result["changed"], result["configured"], result["reboot_needed"]) == (True, ISOLATE, True)
    assert result["diff"]["after"] == either.text(NOTE)
    for kernel in ("5", "6"):
        options = either.text(f"boot/loader/entries/id-{kernel}.conf").splitlines()[1]
        assert options == f"options {USERS} {' '.join(ISOLATE)}"
    assert either.text("etc/default/grub") == "user's\n"
    again = run(kernel_line.main, parameters=ISOLATE)
    assert (again["changed"], again["reboot_needed"]) == (False, True)
    assert run(kernel_line.main, parameters=["nohz_full=2-5"])["changed"] is True
    assert "isolcpus" not in either.text("boot/loader/entries/id-5.conf")
    predicted = run(kernel_line.main, check_mode=True, state="absent")
    assert predicted == run(kernel_line.main, state="absent")
    assert either.files() == before
    assert run(kernel_line.main, state="absent")["changed"] is False


def test_a_kernel_that_came_without_our_parameters_gets_them(run: Run, either: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    either.write("boot/loader/entries/id-7.conf", f"linux /vmlinuz-7\noptions {USERS}\n")
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True
    for kernel in ("5", "6", "7"):
        assert either.text(f"boot/loader/entries/id-{kernel}.conf").count("nohz_full=2-7") == 1


def test_a_power_cut_in_the_middle_is_made_up_for(run: Run, either: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    note = json.loads(either.text(NOTE))
    either.write(NOTE, json.dumps(note | {"pending": ["nohz_full=2-5"]}))
    either.write("boot/loader/entries/id-6.conf", f"linux /vmlinuz-6\noptions {USERS} nohz_full=2-5\n")
    assert run(kernel_line.main, state="absent")["changed"] is True
    for kernel in ("5", "6"):
        assert either.text(f"boot/loader/entries/id-{kernel}.conf").endswith(f"options {USERS}\n")
    assert not (either.root / NOTE).exists()


@pytest.mark.parametrize(
    "text", ["", '{"loader": "bl', "[]", '{"loader": "x", "words": "y", "pending": null}']
)
def test_a_spoilt_note_is_refused_with_the_way_out(run: Run, either: Tree, text: str) -> None:
    either.write(NOTE, text)
    before = either.files()
    for arguments in ({"parameters": ISOLATE}, {"state": "absent"}):
        assert "is no note of kernel parameters" in run(kernel_line.main, **arguments)["msg"]
    assert either.files() == before


def test_a_note_of_another_loader_is_refused(run: Run, either: Tree) -> None:
    either.write(NOTE, '{"loader": "other", "words": [], "pending": null}')
    assert "has words for other, not for" in run(kernel_line.main, parameters=ISOLATE)["msg"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        pytest.param("fails", "failed with 1: grubby: cannot write: no space left", id="it-fails"),
        pytest.param("forgets", "grubby left the entry of /vmlinuz-6 with", id="it-does-not-set-one"),
    ],
)
def test_a_failing_grubby_leaves_the_entries_as_they_were(
    run: Run, bls: Tree, monkeypatch: pytest.MonkeyPatch, fault: str, says: str
) -> None:
    before = bls.files()
    monkeypatch.setenv("FAULT", fault)
    result = run(kernel_line.main, parameters=ISOLATE)
    assert says in result["msg"]
    assert "the boot entries are as they were" in result["msg"]
    assert {name: " ".join(text.split()) for name, text in bls.files().items()} == {
        name: " ".join(text.split()) for name, text in before.items()
    }


@pytest.mark.parametrize(
    ("users", "parameters", "says"),
    [
        pytest.param(
            "nohz_full=1",
            ISOLATE,
            "the boot entries have nohz_full already, which grubby would",
            id="the-user's",
        ),
        pytest.param(
            "quiet",
            ["hugepagesz=1G", "hugepages=1", "hugepagesz=2M", "hugepages=2"],
            "grubby keeps one value of hugepagesz and of hugepages",
            id="several-values",
        ),
    ],
)
def test_refuses_what_grubby_would_replace(
    run: Run, bls: Tree, users: str, parameters: list[str], says: str
) -> None:
    bls.write("boot/loader/entries/id-6.conf", f"linux /vmlinuz-6\noptions {users}\n")
    before = bls.files()
    assert says in run(kernel_line.main, parameters=parameters)["msg"]
    assert bls.files() == before


def test_grubby_is_missing(run: Run, tree: Tree) -> None:
    result = run(kernel_line.main, parameters=ISOLATE, loader="bls")
    assert "grubby is not installed; install grubby" in result["msg"]


def test_the_user_s_options_stay_as_they_are_written(run: Run, systemd_boot: Tree) -> None:
    entry = "title x\nlinux /a\noptions  a   b\noptions\tnohz_full=1\n\ninitrd /i\n"
    systemd_boot.write("boot/loader/entries/id-6.conf", entry)
    systemd_boot.write("etc/kernel/cmdline", "a  b\nc")
    result = run(kernel_line.main, parameters=["nohz_full=2", "idle=poll"])
    assert systemd_boot.text("boot/loader/entries/id-6.conf") == entry.replace(
        "nohz_full=1\n", "nohz_full=1 nohz_full=2 idle=poll\n"
    )
    assert systemd_boot.text("etc/kernel/cmdline") == "a  b\nc nohz_full=2 idle=poll"
    assert result["conflicts"] == [
        {"parameter": "nohz_full", "value": "1", "file": "/boot/loader/entries/id-6.conf", "wins": False}
    ]
    run(kernel_line.main, state="absent")
    assert systemd_boot.text("boot/loader/entries/id-6.conf") == entry
    assert systemd_boot.text("etc/kernel/cmdline") == "a  b\nc"


def test_bytes_that_are_no_text_stay_as_they_are(run: Run, systemd_boot: Tree) -> None:
    entry = systemd_boot.root / "boot/loader/entries/id-6.conf"
    entry.write_bytes(b"title M\xfcller\noptions ro\n")
    run(kernel_line.main, parameters=["nohz_full=2"])
    assert entry.read_bytes() == b"title M\xfcller\noptions ro nohz_full=2\n"


def test_our_words_are_found_where_the_user_has_moved_them(run: Run, systemd_boot: Tree) -> None:
    run(kernel_line.main, parameters=["nohz_full=2", "idle=poll"])
    moved = "linux /a\noptions nohz_full=2 ro\noptions idle=poll quiet\n"
    systemd_boot.write("boot/loader/entries/id-6.conf", moved)
    run(kernel_line.main, state="absent")
    assert systemd_boot.text("boot/loader/entries/id-6.conf") == "linux /a\noptions ro\noptions quiet\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("ro nohz_full=2-7", "id-6.conf has nohz_full=2-7 already", id="the-same-word"),
        pytest.param("ro -- single", "id-6.conf has '--' in its line", id="the-end-of-the-line"),
    ],
)
def test_refuses_lines_that_would_not_do(run: Run, systemd_boot: Tree, line: str, says: str) -> None:
    systemd_boot.write("boot/loader/entries/id-6.conf", f"linux /vmlinuz-6\noptions {line}\n")
    before = systemd_boot.files()
    assert says in run(kernel_line.main, parameters=ISOLATE)["msg"]
    assert systemd_boot.files() == before


def test_unified_kernel_images_are_refused(run: Run, systemd_boot: Tree) -> None:
    for kernel in ("5", "6"):
        (systemd_boot.root / f"boot/loader/entries/id-{kernel}.conf").unlink()
    assert "systemd-boot has no entries with options" in run(kernel_line.main, parameters=ISOLATE)["msg"]


def test_a_full_boot_partition_leaves_the_entries_as_they_were(
    run: Run, systemd_boot: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, fsync = systemd_boot.files(), os.fsync

    def full(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if "id-6" in path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(_durable_file.os, "fsync", full)
        result = run(kernel_line.main, parameters=ISOLATE)
    assert "id-6.conf cannot be written: No space left on device; make room" in result["msg"]
    assert "the boot entries are as they were" in result["msg"]
    assert systemd_boot.files() == before
