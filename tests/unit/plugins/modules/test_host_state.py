# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module host_state, on the machine that runs the test."""

from __future__ import annotations

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _host_state
from ansible_collections.detnet.testbed.plugins.module_utils._state_diff import diff
from ansible_collections.detnet.testbed.plugins.modules import host_state

Run = t.Callable[..., dict[str, t.Any]]


def test_reads_this_machine(run: Run) -> None:
    result = run(host_state.main)
    assert result["changed"] is False
    assert result["state"]["kernel"]["release"]
    assert result["state"]["processor"]["online_cpus"]
    assert result["fingerprint"] == _host_state.fingerprint(result["state"])
    assert result["summary"].startswith("CPU: ")


def test_check_mode_reads_the_same(run: Run) -> None:
    one, two = run(host_state.main), run(host_state.main, check_mode=True)
    assert diff(one["state"], two["state"]) == []
    assert one["fingerprint"] == two["fingerprint"]


def test_takes_no_options(run: Run) -> None:
    assert "Unsupported parameters" in run(host_state.main, root="/")["msg"]
