# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel lets in: the filter is run here by an interpreter of its few instructions."""

from __future__ import annotations

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_socket
from ansible_collections.detnet.testbed.plugins.module_utils._lldp_socket import (
    INSTRUCTION,
    JUMP_IF_EQUAL,
    LOAD_HALF,
    LOAD_WORD,
    RETURN,
)

SOURCE = "020000000001"


def accepted(data: bytes) -> int:
    """Return how many bytes of a frame the filter lets in, as the kernel's interpreter does."""
    program = list(INSTRUCTION.iter_unpack(_lldp_socket.kernel_filter()))
    accumulator, at = 0, 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == RETURN:
            return int(value)
        if code == JUMP_IF_EQUAL:
            at += yes if accumulator == value else no
        else:
            size = {LOAD_HALF: 2, LOAD_WORD: 4}[code]
            if value + size > len(data):
                return 0
            accumulator = int.from_bytes(data[value : value + size], "big")


@pytest.mark.parametrize("group", _lldp.GROUPS.values())
def test_each_group_is_let_in(group: str) -> None:
    assert accepted(bytes.fromhex(group.replace(":", "") + SOURCE + "88cc0000")) == 1514


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("0180c200000e" + SOURCE + "0800", id="no-lldp"),
        pytest.param("0180c2000001" + SOURCE + "88cc", id="another-group"),
        pytest.param("0180c300000e" + SOURCE + "88cc", id="another-prefix"),
        pytest.param("020000000002" + SOURCE + "88cc", id="a-station"),
        pytest.param("ffffffffffff" + SOURCE + "88cc", id="broadcast"),
        pytest.param("0180c200000e", id="short"),
    ],
)
def test_nothing_else_is(frame: str) -> None:
    assert accepted(bytes.fromhex(frame)) == 0
