# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of the kernel, sound, odd, absent and forbidden."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs as files
from host_trees import write

if t.TYPE_CHECKING:
    from pathlib import Path

Reader = t.Callable[[str, str], t.Any]


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        pytest.param(files.text, " a b ", "a b", id="text"),
        pytest.param(files.text, "", "", id="an-empty-file"),
        pytest.param(files.word, "", None, id="an-empty-word"),
        pytest.param(files.word, "(null)", None, id="a-word-that-was-never-set"),
        pytest.param(files.number, "-1", -1, id="a-negative-number"),
        pytest.param(files.number, "1 2", None, id="two-numbers"),
        pytest.param(files.number, "9" * 5000, None, id="an-endless-number"),
        pytest.param(files.number, "٣", None, id="a-digit-of-another-script"),
        pytest.param(files.switch, "1", True, id="on"),
        pytest.param(files.switch, "0", False, id="off"),
        pytest.param(files.switch, "2", None, id="neither-on-nor-off"),
        pytest.param(files.cpus, "3,1-2", "1-3", id="cpus-in-the-shortest-form"),
        pytest.param(files.cpus, "", "", id="no-cpus"),
        pytest.param(files.cpus, "(null)", "", id="cpus-that-were-never-set"),
        pytest.param(files.cpus, "1-", None, id="half-a-range"),
        pytest.param(files.cpus_of_mask, "00000001,0000000f", "0-3,32", id="a-mask-of-two-words"),
        pytest.param(files.cpus_of_mask, "3", "0-1", id="a-short-mask"),
        pytest.param(files.cpus_of_mask, "0", "", id="an-empty-mask"),
        pytest.param(files.cpus_of_mask, "0x3", None, id="no-mask"),
        pytest.param(
            files.cpus_of_mask, "00000001" + ",00000000" * 256, None, id="a-mask-beyond-the-last-cpu"
        ),
        pytest.param(files.chosen, "always [madvise] never", "madvise", id="the-word-in-brackets"),
        pytest.param(files.chosen, "always", None, id="no-brackets"),
    ],
)
def test_reads(tmp_path: Path, reader: Reader, text: str, value: t.Any) -> None:
    assert reader(write(tmp_path, {"sys/file": text}), "sys/file") == value


READERS = (
    files.text,
    files.word,
    files.number,
    files.switch,
    files.cpus,
    files.cpus_of_mask,
    files.chosen,
    files.link,
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("path", ["sys/none", "sys", "sys/\0"], ids=["absent", "a-directory", "no-path"])
def test_what_is_no_file_says_nothing(tmp_path: Path, reader: Reader, path: str) -> None:
    assert reader(write(tmp_path, {"sys/file": "1"}), path) is None


@pytest.mark.parametrize("reader", READERS[:-1], ids=lambda reader: reader.__name__)
def test_a_forbidden_file_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    def forbidden(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files, "open", forbidden, raising=False)
    assert reader(write(tmp_path, {"file": "1"}), "file") is None


def test_garbage_bytes_are_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\0a\n")
    assert files.text(str(tmp_path), "file") == "\ufffd\0a"


def test_names_sort_as_people_do(tmp_path: Path) -> None:
    root = write(tmp_path, {f"dir/{name}": "" for name in ("rx-10", "rx-9", "a", "tx-0", "7")})
    assert files.names(root, "dir") == ["7", "a", "rx-9", "rx-10", "tx-0"]
    assert files.names(root, "none") == []


def test_values_are_grouped_by_their_cpus() -> None:
    values = {0: "800", 1: "2600", 2: "2600", 3: None, 4: "2600"}
    assert list(files.grouped(values).items()) == [("800", "0"), ("2600", "1-2,4")]


def test_mounts_of_a_kind(tmp_path: Path) -> None:
    text = "none /a\\040b hugetlbfs rw,pagesize=2M 0 0\nnone /c tmpfs rw 0 0\nnone\n\n"
    assert files.mounts(write(tmp_path, {"proc/self/mounts": text}), "hugetlbfs") == [
        ("/a b", "rw,pagesize=2M")
    ]
    assert files.mounts(str(tmp_path / "none"), "hugetlbfs") == []
