# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of what came in, also from somebody who sends what he likes."""

from __future__ import annotations

from ansible_collections.detnet.testbed.plugins.module_utils import _lldp
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_hearing import NEIGHBORS_MAX, Hearing

NOW = "2026-11-22T10:00:00Z"


def frame(number: int = 1, ttl_s: int = 120) -> bytes:
    address = f"10.0.{number // 250}.{number % 250}"
    return _lldp.encode(_lldp.chameleon("02:00:00:00:00:01", address, ttl_s=ttl_s))


def names(hearing: Hearing) -> list[str]:
    return [found["chassis_id"]["value"] for found in hearing.neighbors()]


def test_a_neighbour_that_sends_again_is_one() -> None:
    hearing = Hearing(["eth2"], expected=1)
    for _again in range(3):
        hearing.take("eth2", frame(), NOW)
    assert names(hearing) == ["10.0.0.1"]
    assert hearing.neighbors()[0]["heard_at"] == NOW
    assert hearing.heard["eth2"].frames == 3
    assert hearing.warnings() == []


def test_one_that_goes_away_is_none() -> None:
    hearing = Hearing(["eth2"], expected=1)
    hearing.take("eth2", frame(ttl_s=0), NOW)
    hearing.take("eth2", frame(), NOW)
    assert hearing.enough()
    hearing.take("eth2", frame(ttl_s=0), NOW)
    assert (names(hearing), hearing.enough()) == ([], False)


def test_all_is_heard_when_each_interface_has_its_neighbours() -> None:
    hearing = Hearing(["eth2", "eth3"], expected=2)
    for number in (1, 2, 3):
        hearing.take("eth2", frame(number), NOW)
    hearing.take("eth3", frame(4), NOW)
    assert not hearing.enough()
    hearing.take("eth3", frame(5), NOW)
    assert hearing.enough()
    assert names(hearing) == [f"10.0.0.{number}" for number in (1, 2, 3, 4, 5)]


def test_who_expects_none_hears_to_the_end() -> None:
    hearing = Hearing(["eth2"], expected=0)
    hearing.take("eth2", frame(), NOW)
    assert not hearing.enough()


def test_ten_thousand_neighbours_take_no_more_memory_than_a_few() -> None:
    hearing = Hearing(["eth2"], expected=0)
    for number in range(10_000):
        hearing.take("eth2", frame(number), NOW)
    assert len(hearing.neighbors()) == NEIGHBORS_MAX
    assert hearing.heard["eth2"].left_out == 10_000 - NEIGHBORS_MAX
    assert "makes up neighbours" in hearing.warnings()[0]


def test_malformed_frames_are_told_and_hide_nobody() -> None:
    hearing = Hearing(["eth2"], expected=1)
    for _again in range(9):
        hearing.take("eth2", frame()[:16], NOW)
    hearing.take("eth2", frame(), NOW)
    assert names(hearing) == ["10.0.0.1"]
    (warning,) = hearing.warnings()
    assert warning.startswith("eth2: 9 malformed LLDP frames, the first from 02:00:00:00:00:01: ")
    assert warning.count("02:00:00:00:00:01") == 4
