# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kernel_line, with GRUB's files in a small tree and a generator that sources them as the real one does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file, _grub, _grub_loader
from ansible_collections.detnet.testbed.plugins.modules import kernel_line

Run = t.Callable[..., dict[str, t.Any]]

ISOLATE = ["isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "rcu_nocb_poll"]
USERS = "quiet console=ttyS0"

# What FAULT says goes wrong. The order of the two files and of the parts of a line is that of Debian's grub-mkconfig.
GENERATOR = """#!/bin/sh
set -e
out=$2
echo run >> "$TREE/generated"
. "$TREE/etc/default/grub"
for x in "$TREE"/etc/default/grub.d/*.cfg; do if [ -e "$x" ]; then . "$x"; fi; done
case "$FAULT" in
  fails) echo 'partial' > "$out.new"; echo "grub-probe: error: no space left on device" >&2; exit 1 ;;
  killed) echo half > "$out.new"; kill -9 $PPID; exit 1 ;;
  forgets) GRUB_CMDLINE_LINUX_DEFAULT=quiet ;;
esac
{
  echo "### BEGIN /etc/grub.d/10_linux ###"
  for kernel in "$TREE"/boot/vmlinuz-*; do
    if [ "$FAULT" = loses ] && [ "${kernel%-2}" != "$kernel" ]; then continue; fi
    name=/boot/${kernel##*/}
    echo "menuentry 'Debian' {"
    echo "	linux	$name root=UUID=1 ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
    echo "}"
    echo "menuentry 'Debian (recovery mode)' {"
    echo "	linux	$name root=UUID=1 ro single $GRUB_CMDLINE_LINUX"
    echo "}"
  done
  if [ "$FAULT" != ends ]; then echo "### END /etc/grub.d/10_linux ###"; fi
  if [ "$FAULT" = misspells ]; then echo "menuentry {{"; fi
} > "$out"
"""
CHECKER = """#!/bin/sh
if grep -q '{{' "$1"; then echo "error: line 9: syntax error" >&2; exit 1; fi
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Tree:
    """A machine that GRUB starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drop_in = root / "etc/default/grub.d/95-detnet-testbed.cfg"
        self.configuration = root / "boot/grub/grub.cfg"

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def generate(self) -> None:
        """Run the generator as update-grub does."""
        subprocess.run(["grub-mkconfig", "-o", str(self.configuration)], check=True)
        (self.root / "generated").unlink()

    def generated(self) -> int:
        """Return how often the generator was run."""
        path = self.root / "generated"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def restart(self) -> None:
        """Run the kernel with the line of the first entry."""
        line = next(line for line in self.configuration.read_text().splitlines() if "linux\t" in line)
        self.write("proc/cmdline", "BOOT_IMAGE=" + line.split("\t", 2)[2] + "\n")
        (self.root / "run/detnet-testbed/kernel_line.json").unlink(missing_ok=True)

    def files(self) -> dict[str, str]:
        """Return all files but those of the running machine."""
        paths = [path for path in self.root.rglob("*") if path.is_file() or path.name.endswith(".d")]
        ours = {str(path.relative_to(self.root)): path for path in paths}
        return {
            name: path.read_text() if path.is_file() else "a folder"
            for name, path in ours.items()
            if not name.startswith(("run/", "proc/", "bin/", "generated"))
        }


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    made = Tree(tmp_path)
    program(tmp_path / "bin/grub-mkconfig", GENERATOR)
    program(tmp_path / "bin/grub-script-check", CHECKER)
    made.write("etc/default/grub", f'GRUB_CMDLINE_LINUX_DEFAULT="{USERS}"\nGRUB_CMDLINE_LINUX=""\n')
    made.write("etc/default/grub.d/init-select.cfg", "")
    made.write("boot/vmlinuz-1", "")
    made.write("boot/vmlinuz-2", "")
    made.write("boot/grub/grub.cfg", "")
    monkeypatch.setattr(kernel_line, "ROOT", str(tmp_path))
    monkeypatch.setenv("TREE", str(tmp_path))
    monkeypatch.setenv("FAULT", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    made.generate()
    made.configuration.chmod(0o444)
    made.restart()
    return made


def test_sets_the_parameters_beside_the_users(run: Run, tree: Tree) -> None:
    result = run(kernel_line.main, parameters=ISOLATE)
    assert result["changed"] is True
    assert result["configured"] == ISOLATE
    assert result["loader"] == "grub"
    assert result["reboot_needed"] is True
    assert f"ro  {USERS} {' '.join(ISOLATE)}\n" in tree.configuration.read_text()
    assert tree.configuration.stat().st_mode & 0o777 == 0o444
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"] == tree.drop_in.read_text()
    assert sorted(path.name for path in tree.drop_in.parent.iterdir()) == [
        tree.drop_in.name,
        "init-select.cfg",
    ]
    assert sorted(path.name for path in tree.configuration.parent.iterdir()) == ["grub.cfg"]


def test_a_second_run_changes_nothing_and_runs_no_generator(run: Run, tree: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    result = run(kernel_line.main, parameters=ISOLATE)
    assert (result["changed"], result["reboot_needed"], tree.generated()) == (False, True, 1)
    tree.restart()
    result = run(kernel_line.main, parameters=ISOLATE)
    assert (result["changed"], result["reboot_needed"]) == (False, False)
    assert "nohz_full=2-7" in result["running"]


def test_other_parameters_replace_those_of_an_earlier_run(run: Run, tree: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    tree.restart()
    result = run(kernel_line.main, parameters=[{"nohz_full": "2-5"}])
    assert (result["changed"], result["reboot_needed"], result["configured"]) == (
        True,
        True,
        ["nohz_full=2-5"],
    )
    assert "isolcpus" not in tree.configuration.read_text()
    tree.restart()
    assert run(kernel_line.main, parameters=[{"nohz_full": "2-5"}])["reboot_needed"] is False


def test_what_the_kernel_still_has_of_an_earlier_run_needs_a_restart_also_later(run: Run, tree: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    tree.restart()
    run(kernel_line.main, parameters=["nohz_full=2-7"])
    assert run(kernel_line.main, parameters=["nohz_full=2-7"])["reboot_needed"] is True
    assert run(kernel_line.main, state="absent")["reboot_needed"] is True
    assert run(kernel_line.main, state="absent")["reboot_needed"] is True
    tree.restart()
    assert run(kernel_line.main, state="absent")["reboot_needed"] is False


@pytest.mark.parametrize(
    "folder", [pytest.param(True, id="with-a-folder"), pytest.param(False, id="without-one")]
)
def test_gives_everything_back(run: Run, tree: Tree, folder: bool) -> None:
    if not folder:
        (tree.drop_in.parent / "init-select.cfg").unlink()
        tree.drop_in.parent.rmdir()
    before = tree.files()
    run(kernel_line.main, parameters=ISOLATE)
    run(kernel_line.main, parameters=["nohz_full=2-5"])
    tree.restart()
    result = run(kernel_line.main, state="absent")
    assert (result["changed"], result["configured"], result["reboot_needed"]) == (True, [], True)
    assert tree.files() == before
    again = run(kernel_line.main, state="absent", parameters=ISOLATE)
    assert (again["changed"], again["reboot_needed"]) == (False, True)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"parameters": ISOLATE}, id="the-same"),
        pytest.param({"parameters": ["nohz_full=2-5", "rcu_nocbs"]}, id="others"),
        pytest.param({"parameters": []}, id="none"),
        pytest.param({"state": "absent"}, id="absent"),
    ],
)
@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "not-restarted"])
def test_check_mode_predicts_and_writes_nothing(
    run: Run, tree: Tree, arguments: dict[str, t.Any], restarted: bool
) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    if restarted:
        tree.restart()
    before, runs = tree.files(), tree.generated()
    note = (tree.root / "run").exists() and sorted((tree.root / "run").rglob("*"))
    predicted = run(kernel_line.main, check_mode=True, **arguments)
    assert (tree.files(), tree.generated()) == (before, runs)
    assert ((tree.root / "run").exists() and sorted((tree.root / "run").rglob("*"))) == note
    assert predicted == run(kernel_line.main, **arguments)


def test_check_mode_predicts_the_first_change(run: Run, tree: Tree) -> None:
    before = tree.files()
    predicted = run(kernel_line.main, check_mode=True, parameters=ISOLATE)
    assert tree.files() == before
    assert predicted == run(kernel_line.main, parameters=ISOLATE)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        pytest.param(
            "fails",
            "grub-mkconfig -o {tree}/boot/grub/grub.cfg.detnet-new failed with 1: grub-probe: error: no space left",
            id="the-generator-fails",
        ),
        pytest.param("misspells", "failed with 1: error: line 9: syntax error", id="the-syntax-is-wrong"),
        pytest.param(
            "forgets",
            f"no entry of it has {' '.join(ISOLATE)}; see /etc/grub.d",
            id="our-parameters-are-missing",
        ),
        pytest.param(
            "loses",
            "it has lost the kernel /boot/vmlinuz-2, which the old one boots",
            id="a-kernel-is-missing",
        ),
        pytest.param("ends", "it ends within /etc/grub.d/10_linux", id="the-end-is-missing"),
    ],
)
@pytest.mark.parametrize("earlier", [[], ["nohz_full=1"]], ids=["the-first-time", "over-an-earlier-one"])
def test_a_bad_generation_leaves_everything_as_it_was(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch, fault: str, says: str, earlier: list[str]
) -> None:
    run(kernel_line.main, parameters=earlier)
    before = tree.files()
    monkeypatch.setenv("FAULT", fault)
    result = run(kernel_line.main, parameters=ISOLATE)
    assert result["failed"] is True
    assert result["msg"].startswith("Cannot set kernel parameters: ")
    assert says.format(tree=tree.root) in result["msg"]
    assert "grub.cfg is as it was, and so is" in result["msg"]
    assert tree.files() == before
    monkeypatch.setenv("FAULT", "")
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True


def test_a_bad_generation_on_giving_back_keeps_our_parameters(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    before = tree.files()
    monkeypatch.setenv("FAULT", "fails")
    result = run(kernel_line.main, state="absent")
    assert result["msg"].startswith("Cannot take kernel parameters off the line: grub-mkconfig")
    assert tree.files() == before


@pytest.mark.parametrize(
    "arguments", [{"parameters": ["nohz_full=2-7"]}, {"state": "absent"}], ids=["fewer-parameters", "none"]
)
def test_a_power_cut_during_the_generation_is_made_up_for(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, t.Any]
) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    old = tree.configuration.read_text()
    child = os.fork()
    if child == 0:
        os.environ["FAULT"] = "killed"  # the generator kills its parent, which has no time for anything
        loader = _grub_loader.Grub(str(tree.root))
        loader.apply(tuple(arguments.get("parameters", ())), loader.read())
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert tree.configuration.read_text() == old
    # What the old configuration has contains what the new one is to have, so its text alone would not tell.
    assert run(kernel_line.main, check_mode=True, **arguments)["changed"] is True
    assert run(kernel_line.main, **arguments)["changed"] is True
    assert "isolcpus" not in tree.configuration.read_text()
    assert run(kernel_line.main, **arguments)["changed"] is False
    assert [path.name for path in tree.configuration.parent.iterdir()] == ["grub.cfg"]
    assert not list(tree.drop_in.parent.glob(".*"))


@pytest.mark.parametrize("cut", ["before the drop-in is written", "after that"])
def test_a_failure_after_a_power_cut_is_made_up_for_later(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    tree.drop_in.rename(tree.drop_in.parent / f".{tree.drop_in.name}.before")
    if cut == "after that":
        tree.drop_in.write_text(_grub.drop_in(("nohz_full=2-7",), folder_is_ours=False))
    monkeypatch.setenv("FAULT", "fails")
    arguments = {"state": "absent"} if cut != "after that" else {"parameters": ["nohz_full=2-7"]}
    assert "failed with 1" in run(kernel_line.main, **arguments)["msg"]
    monkeypatch.setenv("FAULT", "")
    assert run(kernel_line.main, **arguments)["changed"] is True
    assert "isolcpus" not in tree.configuration.read_text()


def test_a_bad_generation_leaves_no_folder_behind(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.drop_in.parent / "init-select.cfg").unlink()
    tree.drop_in.parent.rmdir()
    monkeypatch.setenv("FAULT", "fails")
    assert "failed with 1" in run(kernel_line.main, parameters=ISOLATE)["msg"]
    assert not tree.drop_in.parent.exists()


def test_a_drop_in_without_its_configuration_is_noticed(run: Run, tree: Tree) -> None:
    old = tree.configuration.read_text()
    run(kernel_line.main, parameters=ISOLATE)
    tree.configuration.chmod(0o644)
    tree.configuration.write_text(old)
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True
    assert "isolcpus" in tree.configuration.read_text()


def test_an_edited_drop_in_is_written_anew(run: Run, tree: Tree) -> None:
    run(kernel_line.main, parameters=ISOLATE)
    good = tree.drop_in.read_text()
    tree.drop_in.write_text("GRUB_TIMEOUT=0\n" + good)
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True
    assert tree.drop_in.read_text() == good
    tree.drop_in.write_text("GARBAGE\n")
    assert run(kernel_line.main, state="absent")["changed"] is True
    assert not tree.drop_in.exists()


def test_a_kernel_that_was_removed_by_hand_may_go(run: Run, tree: Tree) -> None:
    (tree.root / "boot/vmlinuz-1").unlink()
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True
    assert "vmlinuz-1" not in tree.configuration.read_text()


@pytest.mark.parametrize(
    ("path", "text", "wins", "value"),
    [
        pytest.param(
            "99-other.cfg",
            'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT nohz-full=1"',
            True,
            "1",
            id="after-ours",
        ),
        pytest.param(
            "50-cloud.cfg",
            'GRUB_CMDLINE_LINUX_DEFAULT="${GRUB_CMDLINE_LINUX_DEFAULT} nohz_full=3"',
            False,
            "3",
            id="before-ours",
        ),
        pytest.param(
            "99-other.cfg",
            'GRUB_CMDLINE_LINUX_DEFAULT="nohz_full=1 $GRUB_CMDLINE_LINUX_DEFAULT"',
            False,
            "1",
            id="put-in-front-of-ours",
        ),
        pytest.param(
            "99-other.cfg", 'GRUB_CMDLINE_LINUX="nohz_full=1"', False, "1", id="in-the-variable-before-ours"
        ),
    ],
)
def test_names_who_else_sets_a_parameter(
    run: Run, tree: Tree, path: str, text: str, wins: bool, value: str
) -> None:
    tree.write(f"etc/default/grub.d/{path}", text)
    result = run(kernel_line.main, parameters=["nohz_full=2-7"])
    assert result["conflicts"] == [
        {"parameter": "nohz_full", "value": value, "file": f"/etc/default/grub.d/{path}", "wins": wins}
    ]
    line = next(line for line in tree.configuration.read_text().splitlines() if "linux\t" in line)
    ours = line.index("nohz_full=2-7")
    theirs = line.replace("nohz_full=2-7", " " * 13).replace("-full", "_full").index("nohz_full")
    assert (theirs > ours) is wins  # as the generator has it


def test_refuses_a_drop_in_that_sets_the_line_anew_after_ours(run: Run, tree: Tree) -> None:
    tree.write("etc/default/grub.d/99-other.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"')
    before = tree.files()
    result = run(kernel_line.main, parameters=ISOLATE)
    assert (
        "/etc/default/grub.d/99-other.cfg sets GRUB_CMDLINE_LINUX_DEFAULT anew after "
        "/etc/default/grub.d/95-detnet-testbed.cfg: append to it there" in result["msg"]
    )
    assert tree.files() == before


@pytest.mark.parametrize("missing", ["grub-mkconfig", "grub-script-check"])
def test_a_missing_program_is_named_before_any_change(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (tree.root / "bin" / missing).unlink()
    monkeypatch.setenv("PATH", str(tree.root / "bin"))
    monkeypatch.setattr(
        "ansible_collections.detnet.testbed.plugins.module_utils._kernel_line_loader.SBIN", ()
    )
    before = tree.files()
    for check_mode in (True, False):
        result = run(kernel_line.main, check_mode=check_mode, parameters=ISOLATE)
        assert f"{missing} is not installed; install grub-common" in result["msg"]
    assert tree.files() == before


@pytest.mark.parametrize("place", ["etc/default", "boot/grub"])
def test_a_full_disk_leaves_everything_as_it_was(
    run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run(kernel_line.main, parameters=["nohz_full=1"])
    before, fsync = tree.files(), os.fsync

    def full(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if place in path and not path.endswith(".d"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(_durable_file.os, "fsync", full)
        result = run(kernel_line.main, parameters=ISOLATE)
    assert "cannot be written: No space left on device; make room" in result["msg"]
    assert tree.files() == before
    assert run(kernel_line.main, parameters=ISOLATE)["changed"] is True


def test_a_machine_without_a_boot_loader_needs_none_to_have_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_line, "ROOT", str(tmp_path))
    for arguments in ({"state": "absent"}, {"parameters": []}):
        result = run(kernel_line.main, **arguments)
        assert (result["changed"], result["loader"], result["reboot_needed"]) == (False, None, False)
    result = run(kernel_line.main, parameters=ISOLATE)
    assert "there is neither /boot/grub/grub.cfg, nor grubby" in result["msg"]


def test_two_boot_loaders_are_not_guessed_between(run: Run, tree: Tree) -> None:
    tree.write("boot/loader/loader.conf", "")
    result = run(kernel_line.main, parameters=ISOLATE)
    assert "the machine has grub and systemd_boot; set loader to the one that starts it" in result["msg"]
    assert run(kernel_line.main, parameters=ISOLATE, loader="grub")["changed"] is True


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        pytest.param(
            ["isolcpu=2-7"], "isolcpu=2-7: isolcpu is none that this collection sets", id="misspelt"
        ),
        pytest.param(["selinux=0"], "selinux is none that this collection sets", id="selinux"),
        pytest.param(["isolcpus=$(reboot)"], "isolcpus is '$(reboot)'; give letters", id="shell-code"),
    ],
)
def test_refuses_before_any_change(run: Run, tree: Tree, parameters: list[str], says: str) -> None:
    before = tree.files()
    assert says in run(kernel_line.main, parameters=parameters)["msg"]
    assert tree.files() == before


def test_takes_an_unknown_parameter_that_is_named(run: Run, tree: Tree) -> None:
    result = run(kernel_line.main, parameters=["vendor.knob=1"], allow_unknown=["vendor.knob"])
    assert result["configured"] == ["vendor.knob=1"]
