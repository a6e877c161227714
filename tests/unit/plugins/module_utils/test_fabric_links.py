# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces are the two ends of a pair, and which offloads are in use."""

from __future__ import annotations

import json

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _fabric_links as links
from ansible_collections.detnet.testbed.plugins.module_utils._fabric_links import Row


@pytest.mark.parametrize(
    ("rows", "peers"),
    [
        pytest.param(
            [Row("s1-2", 8, 9, False), Row("s2-1", 9, 8, False)],
            {"s1-2": "s2-1", "s2-1": "s1-2"},
            id="in-one-namespace",
        ),
        pytest.param(
            [
                Row("s1-1", 8, 2, True),
                Row("s2-2", 9, 2, True),
                Row("a/uplink", 2, 8, True),
                Row("b/uplink", 2, 9, True),
            ],
            {"s1-1": "a/uplink", "s2-2": "b/uplink", "a/uplink": "s1-1", "b/uplink": "s2-2"},
            id="indexes-repeat-in-namespaces",
        ),
        pytest.param([Row("s1-1", 8, 2, True)], {"s1-1": None}, id="other-end-is-elsewhere"),
        pytest.param(
            [Row("s1-1", 8, 2, False), Row("a/uplink", 2, 8, True)],
            {"s1-1": None, "a/uplink": None},
            id="same-indexes-by-chance",
        ),
        pytest.param([Row("s1-1", 8, None, False)], {"s1-1": None}, id="no-pair-at-all"),
    ],
)
def test_peers(rows: list[Row], peers: dict[str, str | None]) -> None:
    assert links.peers(rows) == peers


def test_only_offloads_that_are_on_are_in_use() -> None:
    features = {
        "ifname": "s1-1",
        "rx-checksumming": {"active": True},
        "tx-checksumming": {"active": False},
        "rx-vlan-offload": {"active": True},
        "highdma": {"active": True},
    }
    assert links.in_use(json.dumps([features])) == ["rx", "rxvlan"]
