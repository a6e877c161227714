# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of rt-tests are told, and what they say."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _quiet_tools
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import TOOLS, Job, ToolError
from hypothesis import given
from hypothesis import strategies as st
from quiet_results import recorded

JOB = Job((0, 1), 0, 3, "/tmp/rt.json")  # noqa: S108


def rows(tool: str, written: str = "", printed: str = "", job: Job = JOB) -> list[dict[str, t.Any]]:
    return TOOLS[tool].rows(job, written, printed)


def changed(name: str, change: t.Callable[[dict[str, t.Any]], t.Any]) -> str:
    document = json.loads(recorded(name))
    change(document["thread"])
    return json.dumps(document)


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        pytest.param(
            "cyclictest",
            [
                "--affinity=2-3,6",
                "--threads=3",
                "--mainaffinity=1",
                "--duration=60",
                "--json=/x",
                "--default-system",
            ],
            id="cyclictest-has-a-thread-for-each-cpu-and-leaves-the-host-as-it-is",
        ),
        pytest.param(
            "oslat",
            ["--cpu-list=2-3,6", "--cpu-main-thread=1", "--duration=60", "--json=/x", "--bucket-size=1024"],
            id="oslat",
        ),
        pytest.param(
            "hwlatdetect",
            ["--cpu-list=2-3,6", "--duration=60", "--threshold=1us"],
            id="hwlatdetect-tells-all-gaps",
        ),
    ],
)
def test_programs_are_told_what_to_measure(tool: str, says: list[str]) -> None:
    told = TOOLS[tool].arguments(Job((2, 3, 6), 1, 60, "/x"))
    assert set(says) <= set(told)
    assert all(word.startswith("--") for word in told)


def test_oslat_gets_no_real_time_priority() -> None:
    assert not [word for word in TOOLS["oslat"].arguments(JOB) if word.startswith(("-f", "--rtprio"))]


def test_cyclictest_s_recording() -> None:
    one, two = rows("cyclictest", recorded("cyclictest.json"))
    assert (one["cpus"], one["samples"], one["min_us"], one["avg_us"], one["max_us"], one["overflows"]) == (
        "0", 3000, 15, 33.98, 947, 0
    )  # fmt: skip
    assert (two["cpus"], two["samples"], two["max_us"]) == ("1", 3000, 270)
    assert sum(one["histogram"].values()) == 3000
    assert (one["p99_99_us"], two["p99_99_us"]) == (947, 270)


def test_oslat_s_last_bucket_is_what_is_beyond() -> None:
    one, two = rows("oslat", recorded("oslat.json"))
    assert (one["overflows"], two["overflows"]) == (514, 371)
    assert "1024" not in one["histogram"]
    assert one["samples"] == 44221368
    assert (one["min_us"], one["avg_us"], one["max_us"]) == (1, 1.046, 17091)
    assert (one["p99_9_us"], one["p99_99_us"]) == (1, 1)


def test_cyclictest_s_overflows_are_missing_in_its_histogram() -> None:
    def lose(threads: dict[str, t.Any]) -> None:
        threads["0"]["cycles"] += 30

    one, two = rows("cyclictest", changed("cyclictest.json", lose))
    assert (one["samples"], one["overflows"], two["overflows"]) == (3030, 30, 0)
    assert one["p99_9_us"] is None


def test_hwlatdetect_s_recording_is_of_all_cpus() -> None:
    (row,) = rows("hwlatdetect", printed=recorded("hwlatdetect.txt"))
    assert (row["cpus"], row["samples"], row["max_us"], row["overflows"]) == ("0-1", 6, 77209, 6)
    assert (row["min_us"], row["avg_us"], row["p99_9_us"]) == (None, None, None)


@pytest.mark.parametrize(
    ("samples", "max_us", "histogram"),
    [
        pytest.param("", 0, {}, id="none"),
        pytest.param(
            "ts: 1.1, inner:3, outer:2\nts: 2.1, inner:0, outer:14\nts: 3.1, inner:3, outer:3\n",
            14,
            {"3": 2, "14": 1},
            id="the-longer-of-both",
        ),
        pytest.param("ts: 1.1, inner:3, outer:2, cpu:5\n", 3, {"3": 1}, id="later-releases-add-the-cpu"),
    ],
)
def test_gaps_of_hwlatdetect(samples: str, max_us: int, histogram: dict[str, int]) -> None:
    (row,) = rows("hwlatdetect", printed=f"Starting test\ntest finished\n{samples}")
    assert (row["max_us"], row["histogram"]) == (max_us, histogram)


@pytest.mark.parametrize(
    ("tool", "written", "printed", "says"),
    [
        pytest.param("cyclictest", "", "", "its results are not those of rt-tests 2", id="nothing-written"),
        pytest.param("oslat", "{", "", "its results are not those", id="half-a-file"),
        pytest.param("oslat", "[]", "", "its results are not those", id="a-list"),
        pytest.param(
            "oslat", '{"thread": {"0": {"cpu": 0}}}', "", "KeyError('histogram')", id="no-histogram"
        ),
        pytest.param("cyclictest", '{"thread": {"0": 1}}', "", "TypeError", id="a-thread-that-is-a-number"),
        pytest.param("cyclictest", '{"thread": {}}', "", "it did not measure CPU 0-1", id="no-thread"),
        pytest.param(
            "hwlatdetect",
            "",
            recorded("hwlatdetect_without_tracer.txt"),
            "hwlat tracer not available",
            id="no-tracer",
        ),
    ],
)
def test_says_why_a_program_measured_nothing(tool: str, written: str, printed: str, says: str) -> None:
    with pytest.raises(ToolError) as caught:
        rows(tool, written, printed)
    assert says in str(caught.value)


def test_says_which_cpu_was_not_measured() -> None:
    written = changed("oslat.json", lambda threads: threads.pop("1"))
    with pytest.raises(ToolError, match="it did not measure CPU 1"):
        rows("oslat", written)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.integers(0, 5), st.integers(1, 10000))
def test_a_percentile_is_that_of_all_samples_in_order(values: list[int], overflows: int, parts: int) -> None:
    found = {value: values.count(value) for value in values}
    in_order: list[int | None] = [*sorted(values), *[None] * overflows]
    rank = -(-len(in_order) * parts // 10000)
    assert _quiet_tools.percentile(found, overflows, parts) == in_order[rank - 1]


@pytest.mark.parametrize(
    ("written", "release"),
    [
        pytest.param(recorded("oslat.json"), "2.40", id="recorded"),
        pytest.param('{"rt_test_version": "2.80"}', "2.80", id="without-the-colon-that-slipped-in"),
        pytest.param("{}", None, id="none"),
        pytest.param("[1]", None, id="a-list"),
        pytest.param("", None, id="no-file"),
    ],
)
def test_knows_the_release(written: str, release: str | None) -> None:
    assert _quiet_tools.version(written) == release


def test_a_long_text_keeps_its_ends() -> None:
    assert _quiet_tools.said("one\n two ") == "one two"
    text = _quiet_tools.said("begin " + "x" * 1000 + " end")
    assert len(text) < 310
    assert text.startswith("begin x")
    assert text.endswith("x end")
