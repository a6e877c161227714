# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as text."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._state_table import cell, table


def test_columns_are_aligned() -> None:
    rows = [
        {"setting": "irq 34 nvme0q3", "wanted": "0-1", "real": "effective 5", "reason": "managed interrupt"},
        {"setting": "a", "wanted": 1, "real": None, "reason": ""},
    ]
    assert table(rows).splitlines() == [
        "setting         wanted  real         reason",
        "-------         ------  ----         ------",
        "irq 34 nvme0q3  0-1     effective 5  managed interrupt",
        "a               1       -            -",
    ]


def test_long_values_take_several_lines() -> None:
    rows = [{"setting": "a" * 60, "before": "word " * 12, "after": "x"}]
    assert table(rows).splitlines()[2:] == [
        f"{'a' * 60}  {'word ' * 9} x",
        f"{'':60}  word word word",
    ]


def test_no_rows_are_no_text() -> None:
    assert table([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "yes", id="true"),
        pytest.param(False, "no", id="false"),
        pytest.param(0, "0", id="zero"),
        pytest.param(None, "-", id="nothing"),
        pytest.param("", "-", id="an-empty-text"),
        pytest.param([], "-", id="an-empty-list"),
        pytest.param({}, "-", id="an-empty-dict"),
        pytest.param([1, "b"], "1 b", id="a-list"),
        pytest.param(
            {"performance": "2-7", "powersave": "0"}, "performance on 2-7, powersave on 0", id="groups"
        ),
    ],
)
def test_cells(value: t.Any, text: str) -> None:
    assert cell(value) == text
