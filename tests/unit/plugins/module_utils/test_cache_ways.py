# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the ways of a cache are shared out."""

from __future__ import annotations

import re

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cache_ways import allot
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("have", "taken", "hardware", "ways", "masks"),
    [
        pytest.param(0x7FF, 0, 0x600, [4, 3], (0x00F, 0x070), id="from-the-lower-end-away-from-the-hardware"),
        pytest.param(
            0x7FF, 0, 0x003, [4, 3], (0x780, 0x070), id="from-the-upper-end-if-the-hardware-is-below"
        ),
        pytest.param(0xFFFF, 0, 0, [2], (0x3,), id="from-the-lower-end-where-no-hardware-is-known"),
        pytest.param(0x7FF, 0, 0x600, [9, 1], (0x1FF, 0x200), id="the-hardwares-ways-last"),
        pytest.param(0x7FF, 0x00F, 0x600, [3], (0x700,), id="from-the-other-end-if-somebody-has-this-one"),
        pytest.param(0x7F0, 0x00F, 0x600, [3], (0x070,), id="above-what-everything-else-does-not-have"),
        pytest.param(0x7FF, 0x401, 0x600, [3], None, id="nothing-where-somebody-has-both-ends"),
        pytest.param(0x7FF, 0, 0x600, [8, 4], None, id="nothing-beyond-the-ways-there-are"),
        pytest.param(0, 0, 0, [1], None, id="nothing-of-nothing"),
        pytest.param(0xF0F, 0, 0, [5], None, id="nothing-in-two-pieces"),
    ],
)
def test_allot(have: int, taken: int, hardware: int, ways: list[int], masks: tuple[int, ...] | None) -> None:
    assert allot(have, taken, hardware, ways) == masks


MASKS = st.integers(0, (1 << 20) - 1)


def in_one_piece(mask: int) -> bool:
    return re.fullmatch("0*1*0*", f"{mask:b}") is not None


@given(have=MASKS, taken=MASKS, hardware=MASKS, ways=st.lists(st.integers(1, 8), min_size=1, max_size=4))
def test_shares_are_apart_in_one_piece_and_as_large_as_asked(
    have: int, taken: int, hardware: int, ways: list[int]
) -> None:
    masks = allot(have, taken, hardware, ways)
    if masks is None:
        return
    assert [mask.bit_count() for mask in masks] == ways
    assert all(in_one_piece(mask) for mask in masks)
    given_out = sum(masks)
    assert given_out.bit_count() == sum(ways)  # none of them overlap
    assert given_out & ~have == 0
    assert given_out & taken == 0


@given(
    size=st.integers(1, 32),
    hardware=st.integers(0, (1 << 32) - 1),
    ways=st.lists(st.integers(1, 8), max_size=4),
)
def test_a_whole_cache_has_room_for_all_that_fits_and_keeps_its_rest_in_one_piece(
    size: int, hardware: int, ways: list[int]
) -> None:
    full = (1 << size) - 1
    masks = allot(full, 0, hardware & full, ways)
    assert (masks is not None) == (sum(ways) <= size)
    if masks is not None:
        assert in_one_piece(full & ~sum(masks))


@given(
    size=st.integers(2, 32), above=st.integers(1, 8), ways=st.lists(st.integers(1, 8), min_size=1, max_size=4)
)
def test_the_hardwares_ways_are_given_out_only_when_nothing_else_is_left(
    size: int, above: int, ways: list[int]
) -> None:
    full = (1 << size) - 1
    hardware = full & ~(full >> above)
    masks = allot(full, 0, hardware, ways)
    if masks is not None:
        needed = max(0, sum(ways) - (size - hardware.bit_count()))
        assert (sum(masks) & hardware).bit_count() == needed
