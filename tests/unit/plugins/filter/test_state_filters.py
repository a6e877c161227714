# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three filters about the states of hosts."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter import (
    difference_table,
    fingerprint_diff,
    state_differences,
)

STATE: dict[str, t.Any] = {"schema": 1, "kernel": {"isolated_cpus": "2-7", "command_line": ["isolcpus=2-7"]}}
OTHER: dict[str, t.Any] = {"schema": 1, "kernel": {"isolated_cpus": "", "command_line": ["isolcpus=2-7"]}}

FILTERS = {
    name: function
    for plugin in (difference_table, fingerprint_diff, state_differences)
    for name, function in plugin.FilterModule().filters().items()
}


def test_two_hosts_are_told_apart() -> None:
    rows = FILTERS["fingerprint_diff"](STATE, OTHER, names=["alpha", "beta"])
    assert rows == [{"setting": "kernel.isolated_cpus", "alpha": "2-7", "beta": None}]
    assert FILTERS["difference_table"](rows).splitlines() == [
        "setting               alpha  beta",
        "-------               -----  ----",
        "kernel.isolated_cpus  2-7    -",
    ]


def test_two_days_have_names_by_default() -> None:
    rows = FILTERS["fingerprint_diff"](STATE, OTHER)
    assert rows == [{"setting": "kernel.isolated_cpus", "before": "2-7", "after": None}]


def test_what_is_not_as_wanted() -> None:
    rows = FILTERS["state_differences"]({"kernel": {"isolated_cpus": [2, 3]}}, STATE)
    reason = "the kernel's line says isolcpus=2-7"
    assert rows == [{"setting": "kernel.isolated_cpus", "wanted": "2-3", "real": "2-7", "reason": reason}]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        pytest.param(
            "fingerprint_diff", (STATE, {}), "Cannot compare two states: '{}' is not", id="no-state"
        ),
        pytest.param(
            "fingerprint_diff", (STATE, OTHER, ["a"]), "names is ['a']; give two different", id="one-name"
        ),
        pytest.param(
            "fingerprint_diff", (STATE, OTHER, ["a", "a"]), "give two different names", id="the-same-name"
        ),
        pytest.param(
            "fingerprint_diff", (STATE, OTHER, ["a", "setting"]), "give two different", id="a-taken-name"
        ),
        pytest.param(
            "fingerprint_diff", (STATE, OTHER, "ab"), "give two different names", id="a-text-for-names"
        ),
        pytest.param(
            "state_differences", ({}, None), "Cannot compare what is wanted with the host", id="no-host"
        ),
        pytest.param(
            "state_differences", ("x", STATE), "what is wanted is 'x'; give a dict", id="nothing-wanted"
        ),
        pytest.param("difference_table", ("x",), "Cannot make a table of 'x'; give the rows", id="no-list"),
        pytest.param("difference_table", ([1],), "Cannot make a table of '[1]'; give the rows", id="no-rows"),
    ],
)
def test_refuses(name: str, arguments: tuple[t.Any, ...], says: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        FILTERS[name](*arguments)
    assert says in str(caught.value)
