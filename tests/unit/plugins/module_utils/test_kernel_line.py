# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the kernel's command line."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _kernel_line
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param(["isolcpus=2-7", "rcu_nocb_poll"], ("isolcpus=2-7", "rcu_nocb_poll"), id="texts"),
        pytest.param(
            [{"isolcpus": "2-7", "rcu_nocb_poll": None}], ("isolcpus=2-7", "rcu_nocb_poll"), id="a-dict"
        ),
        pytest.param([{"skew_tick": 1}], ("skew_tick=1",), id="a-number"),
        pytest.param(
            [
                "default_hugepagesz=2M",
                {"hugepagesz": "1G"},
                {"hugepages": "0:4,1:4"},
                "hugepagesz=2M",
                "hugepages=512",
            ],
            ("default_hugepagesz=2M", "hugepagesz=1G", "hugepages=0:4,1:4", "hugepagesz=2M", "hugepages=512"),
            id="pages-of-two-sizes",
        ),
        pytest.param(["hugepages=512"], ("hugepages=512",), id="pages-of-the-default-size"),
        pytest.param(
            ["default_hugepagesz=1G", "hugepages=4"], ("default_hugepagesz=1G", "hugepages=4"), id="default"
        ),
        pytest.param(
            [{"vendor.a": ["1", "2"]}], ("vendor.a=1", "vendor.a=2"), id="a-list-gives-it-several-times"
        ),
        pytest.param(["nohz-full=2-7"], ("nohz-full=2-7",), id="a-dash-is-an-underscore"),
    ],
)
def test_words_of_parameters(parameters: list[t.Any], words: tuple[str, ...]) -> None:
    if "vendor" not in words[0]:
        assert _kernel_line.of_parameters(parameters) == words
    else:
        with pytest.raises(_kernel_line.WordsError, match=r"vendor\.a is given twice"):
            _kernel_line.of_parameters(parameters, ["vendor.a"])


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        pytest.param(
            ["isolcpu=2"], "isolcpu=2: isolcpu is none that this collection sets; correct it", id="misspelt"
        ),
        pytest.param(["selinux=0"], "selinux is none that this collection sets", id="selinux"),
        pytest.param(["init=/bin/sh"], "init is none", id="the-first-process"),
        pytest.param(["isolcpus"], "isolcpus has no value; give one", id="no-value"),
        pytest.param([{"isolcpus": None}], "isolcpus has no value; give one", id="null"),
        pytest.param(
            ["rcu_nocb_poll=1"], "rcu_nocb_poll=1 has a value, and the kernel takes none", id="a-value"
        ),
        pytest.param(["isolcpus="], "isolcpus is ''; give letters, digits", id="an-empty-value"),
        pytest.param(
            [{"mitigations": False}], "mitigations is the truth value False; put on, off", id="truth-value"
        ),
        pytest.param([{"isolcpus": {"a": 1}}], "isolcpus is {'a': 1}; give a text", id="a-dict-as-a-value"),
        pytest.param([3], "3 is neither a text such as isolcpus=2-7 nor a dict", id="a-number"),
        pytest.param([""], "'' is neither a text", id="nothing"),
        pytest.param(["--"], "'--' is no name of a kernel parameter", id="the-end-of-the-line"),
        pytest.param(["nohz_full=2", "nohz-full=3"], "nohz_full is given twice", id="twice"),
        pytest.param(["hugepages=4", "hugepagesz=1G"], "hugepages=4 has no hugepagesz before it", id="order"),
        pytest.param(
            ["hugepagesz=1G", "hugepages=4", "hugepages=5"], "hugepages=5 has no hugepagesz", id="no-size"
        ),
    ],
)
def test_refuses(parameters: list[t.Any], says: str) -> None:
    with pytest.raises(_kernel_line.WordsError) as refused:
        _kernel_line.of_parameters(parameters)
    assert says in str(refused.value)


@pytest.mark.parametrize("bad", list("$`\"'\\;&|<>(){}[]*?!~^#% \t\n\0\u00e4"))
def test_refuses_whatever_a_shell_or_grub_would_read_as_code(bad: str) -> None:
    for word in (f"isolcpus=2{bad}", f"isol{bad}cpus=2"):
        with pytest.raises(_kernel_line.WordsError):
            _kernel_line.of_parameters([word], [word.partition("=")[0]])


@given(st.text())
def test_a_word_is_one_word_for_the_kernel_too(text: str) -> None:
    try:
        words = _kernel_line.of_parameters([{"isolcpus": text}])
    except _kernel_line.WordsError:
        return
    assert _kernel_line.split(" ".join(words)) == words


def test_splits_as_the_kernel_does() -> None:
    line = 'ro  dyndbg="file a +p" nohz_full=2 -- nohz_full=3\n'
    assert _kernel_line.split(line) == ("ro", 'dyndbg="file a +p"', "nohz_full=2")


@pytest.mark.parametrize(
    ("line", "words", "carries"),
    [
        pytest.param(("a", "b=1", "c"), ("a", "c"), True, id="with-others-between"),
        pytest.param(("c", "a"), ("a", "c"), False, id="another-order"),
        pytest.param(("a",), ("a", "a"), False, id="once-for-twice"),
        pytest.param(("b=12",), ("b=1",), False, id="a-longer-value"),
        pytest.param((), (), True, id="nothing"),
    ],
)
def test_carries(line: tuple[str, ...], words: tuple[str, ...], carries: bool) -> None:
    assert _kernel_line.carries(line, words) is carries


WORDS = st.lists(st.sampled_from(["a", "b=1", "b=2", "c"])).map(tuple)


@given(WORDS, WORDS)
def test_taking_away_what_was_appended_leaves_the_line(line: tuple[str, ...], words: tuple[str, ...]) -> None:
    # Of two equal words the later one goes, so the rest keeps its order.
    assert sorted(_kernel_line.without(line + words, words)) == sorted(line)
    assert _kernel_line.without(line, words) == line or set(line) & set(words)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        pytest.param(("nohz_full=1",), ("x", "nohz-full=1"), False, id="the-same-with-others"),
        pytest.param(("nohz_full=1",), (), True, id="missing"),
        pytest.param(
            ("nohz_full=1", "nohz_full=2"), ("nohz_full=2", "nohz_full=1"), True, id="another-last-one"
        ),
        pytest.param(
            ("nohz_full=1", "idle=poll"), ("idle=poll", "nohz_full=1"), False, id="another-order-of-names"
        ),
        pytest.param(
            ("hugepagesz=1G", "hugepages=1", "hugepagesz=2M"),
            ("hugepagesz=1G", "hugepagesz=2M", "hugepages=1"),
            True,
            id="pages-of-another-size",
        ),
        pytest.param(("quiet",), (), False, id="not-asked-about"),
    ],
)
def test_differ(one: tuple[str, ...], other: tuple[str, ...], differ: bool) -> None:
    assert _kernel_line.differ(one, other, {"nohz_full", "idle", "hugepages", "hugepagesz"}) is differ
