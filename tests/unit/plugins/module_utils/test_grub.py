# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's files as texts."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _grub
from ansible_collections.detnet.testbed.plugins.module_utils._grub import Assignment

# As Debian 12 generates it, shortened.
CONFIGURATION = """\
### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {
\tload_video
\tif [ x$grub_platform = xxen ]; then insmod xzio; fi
\tsearch --no-floppy --fs-uuid --set=root 1
\techo	'Loading Linux 6.1.0-18-amd64 ...'
\tlinux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro  quiet isolcpus=2-7
\tinitrd	/boot/initrd.img-6.1.0-18-amd64
}
submenu 'Advanced options for Debian GNU/Linux' {
\tmenuentry 'Debian GNU/Linux, with Linux 6.1.0-18-amd64 (recovery mode)' {
\t\tlinux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro single
\t}
}
### END /etc/grub.d/10_linux ###
### BEGIN /etc/grub.d/30_os-prober ###
menuentry 'Other' {
\tlinuxefi /vmlinuz-other root=/dev/sdb1
}
### END /etc/grub.d/30_os-prober ###
### BEGIN /etc/grub.d/30_uefi-firmware ###
fwsetup --is-supported
### END /etc/grub.d/30_uefi-firmware ###
"""


def test_reads_what_each_entry_boots() -> None:
    kernel = "/boot/vmlinuz-6.1.0-18-amd64"
    assert [(entry.kernel, entry.words) for entry in _grub.entries(CONFIGURATION)] == [
        (kernel, ("root=UUID=1", "ro", "quiet", "isolcpus=2-7")),
        (kernel, ("root=UUID=1", "ro", "single")),
        ("/vmlinuz-other", ("root=/dev/sdb1",)),
    ]
    assert _grub.next_line(CONFIGURATION, ("single",)) == ("root=UUID=1", "ro", "single")
    assert _grub.next_line(CONFIGURATION, ("nowhere",))[-1] == "isolcpus=2-7"
    assert _grub.next_line("", ()) == ()


@pytest.mark.parametrize(
    ("new", "installed", "faults"),
    [
        pytest.param(CONFIGURATION, True, [], id="good"),
        pytest.param(
            CONFIGURATION.replace("isolcpus=2-7", "isolcpus=2-70"),
            True,
            ["no entry of it has isolcpus=2-7"],
            id="another-value",
        ),
        pytest.param(
            CONFIGURATION.replace("6.1.0-18", "6.1.0-20"),
            True,
            ["it has lost the kernel /boot/vmlinuz-6.1.0-18-amd64, which the old one boots"],
            id="an-installed-kernel-is-lost",
        ),
        pytest.param(CONFIGURATION.replace("6.1.0-18", "6.1.0-20"), False, [], id="a-removed-kernel-is-gone"),
        pytest.param(
            CONFIGURATION.replace("/vmlinuz-other", "/vmlinuz-new"),
            False,
            ["it has lost the kernel /vmlinuz-other, which the old one boots"],
            id="another-system-is-lost",
        ),
        pytest.param(
            CONFIGURATION.rsplit("### END", 1)[0],
            True,
            ["it ends within /etc/grub.d/30_uefi-firmware"],
            id="half",
        ),
        pytest.param(
            "", False, ["it has no entry that boots Linux", "lost the kernel /vmlinuz-other"], id="empty"
        ),
    ],
)
def test_finds_what_is_wrong_with_a_generated_configuration(
    new: str, installed: bool, faults: list[str]
) -> None:
    found = _grub.faults(new, CONFIGURATION, ("isolcpus=2-7",), lambda _kernel: installed)
    assert len(found) == len(faults)
    assert all(says in fault for says, fault in zip(faults, found, strict=True))


@pytest.mark.parametrize(
    ("text", "assignments"),
    [
        pytest.param("GRUB_TIMEOUT=1\n# GRUB_CMDLINE_LINUX=x\n", [], id="nothing"),
        pytest.param(
            "GRUB_CMDLINE_LINUX='a b' # why\n",
            [Assignment("GRUB_CMDLINE_LINUX", "a b", False, False)],
            id="anew",
        ),
        pytest.param(
            'export GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT a"\n',
            [Assignment(_grub.VARIABLE, "$GRUB_CMDLINE_LINUX_DEFAULT a", True, True)],
            id="appended",
        ),
        pytest.param(
            'GRUB_CMDLINE_LINUX_DEFAULT="a ${GRUB_CMDLINE_LINUX_DEFAULT:-}"\n',
            [Assignment(_grub.VARIABLE, "a ${GRUB_CMDLINE_LINUX_DEFAULT:-}", True, False)],
            id="put-in-front",
        ),
        pytest.param(
            'GRUB_CMDLINE_LINUX_DEFAULT+=" a"\n', [Assignment(_grub.VARIABLE, " a", True, True)], id="plus"
        ),
        pytest.param(
            'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULTS a"\n',
            [Assignment(_grub.VARIABLE, "$GRUB_CMDLINE_LINUX_DEFAULTS a", False, False)],
            id="another-variable",
        ),
        pytest.param(
            'GRUB_CMDLINE_LINUX="a \\\n  b"\n',
            [Assignment("GRUB_CMDLINE_LINUX", "a    b", False, False)],
            id="two-lines",
        ),
        pytest.param(
            'GRUB_CMDLINE_LINUX="a\n', [Assignment("GRUB_CMDLINE_LINUX", "a", False, False)], id="open-quote"
        ),
    ],
)
def test_reads_what_a_settings_file_does_to_the_line(text: str, assignments: list[Assignment]) -> None:
    assert _grub.assignments(text) == assignments


@pytest.mark.parametrize("folder_is_ours", [True, False])
def test_the_drop_in_is_what_a_shell_appends(tmp_path: Path, folder_is_ours: bool) -> None:
    words = ("isolcpus=managed_irq,domain,2-7", "hugepages=0:4,1:4", "rcu_nocb_poll")
    text = _grub.drop_in(words, folder_is_ours)
    assert _grub.drop_in_words(text) == words
    path = tmp_path / "drop-in"
    path.write_text(text)
    shell = shutil.which("sh") or "sh"
    script = f'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"; . {path}; printf %s "$GRUB_CMDLINE_LINUX_DEFAULT"'
    printed = subprocess.run([shell, "-c", script], check=True, capture_output=True, text=True).stdout
    assert printed == " ".join(("quiet splash", *words))


@pytest.mark.parametrize("text", ["", "GARBAGE", 'GRUB_CMDLINE_LINUX_DEFAULT="isolcpus=2"\n'])
def test_a_drop_in_that_is_not_ours_has_no_words(text: str) -> None:
    assert _grub.drop_in_words(text) == ()


def conflicts(files: t.Sequence[tuple[str, str]]) -> list[tuple[str, str | None, str, bool]]:
    found = _grub.conflicts(files, {"nohz_full", "rcu_nocbs"})
    return [(conflict.parameter, conflict.value, conflict.file, conflict.wins) for conflict in found]


def test_names_everybody_who_sets_our_parameters() -> None:
    ours = (_grub.DROP_IN, _grub.drop_in(("nohz_full=2-7", "rcu_nocbs"), False))
    user = (
        "/etc/default/grub",
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet nohz-full=1"\nGRUB_CMDLINE_LINUX="rcu_nocbs"',
    )
    later = ("/99.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="nohz_full=3"')
    assert conflicts([user, ours]) == [
        ("nohz_full", "1", "/etc/default/grub", False),
        ("rcu_nocbs", None, "/etc/default/grub", False),
    ]
    assert conflicts([ours, later]) == [
        ("GRUB_CMDLINE_LINUX_DEFAULT", "nohz_full=3", "/99.cfg", True),
        ("nohz_full", "3", "/99.cfg", True),
    ]
