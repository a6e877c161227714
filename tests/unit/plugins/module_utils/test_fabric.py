# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Port, parse_links

NODES = {"alpha": False, "beta": False, "gamma": False, "s1": True, "s2": True, "a-rather-long-switch": True}
LINKS = [["alpha:0", "s1:1"], ["s1:2", "s2:1"], ["s2:2", "beta:0"]]


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        pytest.param(
            "s1:3", """'s1:3' is no link; write its two ends, such as ["s1:2", "s2:1"]""", id="one-end"
        ),
        pytest.param(["s1:3"] * 3, "is no link; write its two ends", id="three-ends"),
        pytest.param(["s1", "s2:3"], "'s1' is no end of a link; write node:port, such as s1:2", id="no-port"),
        pytest.param(["s1:x", "s2:3"], "'s1:x' is no end of a link", id="a-port-that-is-no-number"),
        pytest.param([17, "s2:3"], "17 is no end of a link", id="no-text"),
        pytest.param(
            ["s3:1", "s2:3"], "'s3:1' names no node; choose one of alpha, beta,", id="an-unknown-node"
        ),
        pytest.param(
            ["s1:0", "s2:3"], "'s1:0': a network switch has the ports 1 to 409", id="port-0-of-a-switch"
        ),
        pytest.param(
            ["s1:410", "s2:3"], "a network switch has the ports 1 to 409", id="a-port-that-no-tag-stands-for"
        ),
        pytest.param(
            ["gamma:1", "s2:3"], "an end host has one port; write gamma:0", id="port-1-of-an-end-host"
        ),
        pytest.param(["s1:2", "s2:3"], "s1:2 is linked with s2:1 too; use another port", id="a-port-in-use"),
        pytest.param(["s1:3", "s1:3"], "s1:3 is linked with itself; name the other end", id="a-loop"),
        pytest.param(
            {"ends": ["s1:3", "s2:3"], "speed": 1},
            "unknown key 'speed'; choose from ends, speed_bps, mtu",
            id="an-unknown-key",
        ),
        pytest.param(
            {"ends": ["s1:3", "s2:3"], "speed_bps": "10G"},
            "speed_bps is '10G'; give bits per second above 0",
            id="a-speed-that-is-no-number",
        ),
        pytest.param(
            {"ends": ["s1:3", "s2:3"], "mtu": 0}, "mtu is 0; give bytes above 0", id="an-mtu-of-nothing"
        ),
        pytest.param({"mtu": 1500}, "is no link; write its two ends", id="no-ends"),
        pytest.param(
            ["a-rather-long-switch:1", "s2:3"],
            "the interface name a-rather-long-switch-1 has 22 characters; "
            "choose a name for the network switch that leaves at most 15",
            id="a-name-too-long-for-an-interface",
        ),
    ],
)
def test_refuses_a_link(link: t.Any, fault: str) -> None:
    _fabric, faults = parse_links([*LINKS, link], NODES)
    assert len(faults) == 1
    assert faults[0].startswith("testbed_links[3]: ")
    assert fault in faults[0]


def test_a_link_in_its_long_form_says_what_it_is_meant_to_be() -> None:
    fabric, faults = parse_links(
        [{"ends": ["alpha:0", "s1:1"], "speed_bps": 10**10, "mtu": 9000}, LINKS[1]], NODES
    )
    assert faults == []
    assert [link.described() for link in fabric.links] == [
        {"ends": ["alpha:0", "s1:1"], "speed_bps": 10**10, "mtu": 9000},
        {"ends": ["s1:2", "s2:1"], "speed_bps": None, "mtu": None},
    ]


def test_a_link_is_readable_from_both_ends() -> None:
    fabric, faults = parse_links(LINKS, NODES)
    assert faults == []
    assert fabric.peers[Port("s1", 2)] == Port("s2", 1)
    assert fabric.peers[Port("s2", 1)] == Port("s1", 2)


@pytest.mark.parametrize(
    ("source", "tags", "way", "left", "end"),
    [
        pytest.param("alpha", [21, 21, 1], "alpha s1 s2 beta", [1], None, id="one-tag-per-switch"),
        pytest.param("beta", [13, 10, 1], "beta s2 s1 alpha", [1], None, id="any-queue"),
        pytest.param(
            "alpha",
            [11, 5],
            "alpha s1",
            [5],
            "s1 sends no frame back out of the port s1:1 that it came in by",
            id="back-out-of-the-same-port",
        ),
        pytest.param("alpha", [21, 21, 7, 1], "alpha s1 s2 beta", [7, 1], None, id="a-tag-too-many"),
        pytest.param(
            "alpha",
            [21, 1],
            "alpha s1 s2",
            [1],
            "s2 is a network switch, and the last tag is not for it",
            id="too-few",
        ),
        pytest.param("alpha", [31, 21, 1], "alpha s1", [21, 1], "s1:3 has no link", id="out-of-an-open-port"),
        pytest.param(
            "gamma", [21, 1], "gamma", [21, 1], "gamma:0 has no link", id="from-a-host-without-a-link"
        ),
    ],
)
def test_follows_the_tags(
    *, source: str, tags: list[int], way: str, left: list[int], end: str | None
) -> None:
    fabric, _faults = parse_links(LINKS, NODES)
    assert fabric.follow(source, tags) == (way.split(), left, end)
