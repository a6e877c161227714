"""The cores and hugepages that the benchmark takes."""

from __future__ import annotations

import typing as t

import pytest

from benchmarks.switch import machine
from benchmarks.switch.machine import Cores, choose_cores, hugepages, parse_cpu_list
from benchmarks.switch.process import BenchmarkError

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "cores"),
    [("\n", []), ("3\n", [3]), ("1-3,7,9-10\n", [1, 2, 3, 7, 9, 10])],
)
def test_parse_cpu_list(text: str, cores: list[int]) -> None:
    assert parse_cpu_list(text) == cores


@pytest.mark.parametrize(
    ("allowed", "isolated", "cores"),
    [
        pytest.param({0, 1}, set(), Cores(0, 0, 1), id="two-cores"),
        pytest.param({0, 1, 2, 3}, set(), Cores(0, 2, 3), id="none-is-isolated"),
        pytest.param({0, 1, 2, 3}, {1, 2}, Cores(0, 1, 2), id="isolated-ones-forward-and-send"),
        pytest.param({0, 1, 2}, {1}, Cores(0, 2, 1), id="one-isolated-forwards"),
        pytest.param({4, 5}, {1, 2}, Cores(4, 4, 5), id="isolated-ones-are-not-allowed"),
    ],
)
def test_choose_cores(allowed: set[int], isolated: set[int], cores: Cores) -> None:
    assert choose_cores(allowed, isolated) == cores


def test_one_core_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="one core"):
        choose_cores({0}, set())


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A kernel that has 100 pages, 60 of them free."""
    (tmp_path / "nr_hugepages").write_text("100\n")
    (tmp_path / "free_hugepages").write_text("60\n")
    return tmp_path


def test_free_pages_are_left_as_they_are(pages: Path) -> None:
    with hugepages(60, pages):
        assert (pages / "nr_hugepages").read_text() == "100\n"
    assert (pages / "nr_hugepages").read_text() == "100\n"


def reserve(pages: Path, monkeypatch: pytest.MonkeyPatch, gives: int) -> None:
    """Have the kernel give so many pages more when it is asked."""
    given = machine.write_count

    def write(path: Path, count: int) -> None:
        given(path, min(count, 100 + gives))
        (pages / "free_hugepages").write_text(f"{60 + min(count - 100, gives)}\n")

    monkeypatch.setattr(machine, "write_count", write)


def test_missing_pages_are_reserved_and_given_back(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve(pages, monkeypatch, gives=1000)
    with hugepages(75, pages):
        assert (pages / "nr_hugepages").read_text() == "115"
    assert (pages / "nr_hugepages").read_text() == "100"


def test_what_others_reserved_meanwhile_stays(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve(pages, monkeypatch, gives=1000)
    with hugepages(75, pages):
        (pages / "nr_hugepages").write_text("150")
    assert (pages / "nr_hugepages").read_text() == "135"


def test_too_few_pages_are_refused_and_given_back(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve(pages, monkeypatch, gives=5)
    with (
        pytest.raises(BenchmarkError, match="Cannot reserve 75 pages of 2 MiB: the kernel has 65"),
        hugepages(75, pages),
    ):
        pass
    assert (pages / "nr_hugepages").read_text() == "100"
