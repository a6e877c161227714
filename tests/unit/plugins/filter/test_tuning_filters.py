# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what the filters tuning_plan and tuning_verdict say of what they cannot take."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter import tuning_plan, tuning_verdict


def test_a_plan_needs_a_state_document() -> None:
    with pytest.raises(AnsibleFilterError, match="is not a state document"):
        tuning_plan.tuning_plan({}, {}, {"state": 1})


def test_a_plan_needs_the_result_of_core_plan() -> None:
    with pytest.raises(AnsibleFilterError, match="'plan' is missing; give the role's options"):
        tuning_plan.tuning_plan({}, {}, {"schema": 1})


def test_a_verdict_needs_a_plan() -> None:
    with pytest.raises(AnsibleFilterError, match="is missing; give the unchanged results"):
        tuning_verdict.tuning_verdict({}, {"reboot_needed": False}, {"schema": 1})


def test_a_verdict_needs_a_state_document() -> None:
    tuning = {"wanted": {}, "wanted_after_boot": {}}
    line = {"reboot_needed": False, "conflicts": []}
    with pytest.raises(AnsibleFilterError, match="is not a state document"):
        tuning_verdict.tuning_verdict(tuning, line, {})


def test_the_filters_have_their_names() -> None:
    assert list(tuning_plan.FilterModule().filters()) == ["tuning_plan"]
    assert list(tuning_verdict.FilterModule().filters()) == ["tuning_verdict"]
