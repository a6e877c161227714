# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and masks of CPUs."""

from __future__ import annotations

import re

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list
from hypothesis import given
from hypothesis import strategies as st

CPU_SETS = st.sets(st.integers(0, 300))


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        pytest.param("", (), id="none"),
        pytest.param("0", (0,), id="one"),
        pytest.param("0-3,8", (0, 1, 2, 3, 8), id="a-range-and-one"),
        pytest.param("8,0-1", (0, 1, 8), id="in-any-order"),
        pytest.param(" 0-1 , 4\n", (0, 1, 4), id="with-white-space"),
    ],
)
def test_parses(text: str, cpus: tuple[int, ...]) -> None:
    assert _cpu_list.parse(text) == cpus


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("0-", "'0-' in '0-' is neither a CPU nor a range", id="half-a-range"),
        pytest.param("0,,1", "'' in '0,,1' is neither", id="nothing-between-commas"),
        pytest.param("all", "'all' in 'all' is neither", id="a-word"),
        pytest.param("-1", "'-1' in '-1' is neither", id="below-zero"),
        pytest.param("3-1", "'3-1' in '3-1' ends before it begins", id="backwards"),
        pytest.param("0-2,2", "CPU 2 is in '0-2,2' twice", id="twice"),
        pytest.param(
            "0-99999999999", "'0-99999999999' in '0-99999999999' is beyond 8191", id="more-than-a-kernel-has"
        ),
    ],
)
def test_refuses(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(says)):
        _cpu_list.parse(text)


@pytest.mark.parametrize(
    ("cpus", "mask"),
    [
        pytest.param([], "00000000", id="none"),
        pytest.param([0, 1], "00000003", id="the-first"),
        pytest.param([31], "80000000", id="the-end-of-a-word"),
        pytest.param([0, 32], "00000001,00000001", id="two-words"),
        pytest.param([64], "00000001,00000000,00000000", id="empty-words"),
    ],
)
def test_masks(cpus: list[int], mask: str) -> None:
    assert _cpu_list.mask(cpus) == mask


@given(CPU_SETS)
def test_parses_what_it_writes(cpus: set[int]) -> None:
    assert set(_cpu_list.parse(_cpu_list.text(cpus))) == cpus


@given(CPU_SETS)
def test_a_mask_has_a_bit_for_each(cpus: set[int]) -> None:
    bits = int(_cpu_list.mask(cpus).replace(",", ""), 16)
    assert {cpu for cpu in range(400) if bits >> cpu & 1} == cpus
