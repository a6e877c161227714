# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that tell two documents apart."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._host_state import StateError
from ansible_collections.detnet.testbed.plugins.module_utils._state_diff import diff


def document(**parts: t.Any) -> dict[str, t.Any]:
    return {"schema": 1, **parts}


def irq(number: int, effective: str) -> dict[str, t.Any]:
    return document(interrupts={"irqs": {"x": {"irq": number, "effective_cpus": effective}}})


@pytest.mark.parametrize(
    ("left", "right", "rows"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)], id="a-value"),
        pytest.param({"a": {"b": 1}}, {}, [("a.b", 1, None)], id="a-value-less"),
        pytest.param({}, {"a": {"b": 1}}, [("a.b", None, 1)], id="a-value-more"),
        pytest.param({"a": None, "b": {}, "c": ""}, {}, [], id="nothing-is-nothing"),
        pytest.param({"a": 0}, {"a": False}, [("a", 0, False)], id="zero-is-not-off"),
        pytest.param({"a": 0}, {}, [("a", 0, None)], id="zero-is-a-value"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, [("a", [1], [1, 2])], id="a-list"),
        pytest.param(
            {"q": {"rx-10": 1, "rx-9": 1}},
            {"q": {}},
            [("q.rx-9", 1, None), ("q.rx-10", 1, None)],
            id="in-order",
        ),
        pytest.param(
            {"processor": {"per_cpu": {"governor": {"performance": "0-7"}}}},
            {"processor": {"per_cpu": {"governor": {"performance": "0-6", "powersave": "7"}}}},
            [
                (
                    "processor.per_cpu.governor",
                    {"performance": "0-7"},
                    {"performance": "0-6", "powersave": "7"},
                )
            ],
            id="values-of-cpus-together",
        ),
        pytest.param(
            {"kernel": {"command_line": ["ro", "isolcpus=2"]}},
            {"kernel": {"command_line": ["isolcpus=2", "isolcpus=3"]}},
            [
                ("kernel.command_line.isolcpus", "isolcpus=2", "isolcpus=2 isolcpus=3"),
                ("kernel.command_line.ro", "ro", None),
            ],
            id="the-kernel-s-line-by-parameter",
        ),
    ],
)
def test_rows(left: dict[str, t.Any], right: dict[str, t.Any], rows: list[tuple[str, t.Any, t.Any]]) -> None:
    found = diff(document(**left), document(**right))
    assert [(row["setting"], row["before"], row["after"]) for row in found] == rows


def test_volatile_settings_only_if_asked_for() -> None:
    assert diff(irq(34, "0"), irq(35, "1")) == []
    assert diff(irq(34, "0"), irq(35, "1"), ("alpha", "beta"), with_volatile=True) == [
        {"setting": "interrupts.irqs.x.effective_cpus", "alpha": "0", "beta": "1"},
        {"setting": "interrupts.irqs.x.irq", "alpha": 34, "beta": 35},
    ]


@pytest.mark.parametrize("pair", [(None, document()), (document(), {})], ids=["left", "right"])
@pytest.mark.parametrize("with_volatile", [False, True])
def test_refuses_what_is_no_document(pair: tuple[t.Any, t.Any], with_volatile: bool) -> None:
    with pytest.raises(StateError, match="not a state document"):
        diff(*pair, with_volatile=with_volatile)
