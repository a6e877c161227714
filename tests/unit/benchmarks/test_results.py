"""The summary and the tables."""

from __future__ import annotations

import pytest

from benchmarks.switch import plan
from benchmarks.switch.goals import GOALS, Goal
from benchmarks.switch.measure import Sample
from benchmarks.switch.report import number, report, table
from benchmarks.switch.results import CONTROL_KEYS, STAGE_KEYS, Results

KEYS = {
    "ns_match_shape_tag_1k",
    "ns_match_shape_tag_100k",
    "vhost_vs_testpmd_io",
    "vs_ovs_meter_256",
    "vs_ovs_meter_100k",
    "cost_10_tags_vs_1",
    "durable_rules_per_s",
    "bytes_per_rule",
    "load_100k_s",
}


def headline(setup: plan.Setup) -> plan.Case:
    return plan.Case(setup, plan.HEADLINE_TRAFFIC)


@pytest.fixture
def results() -> Results:
    """Two rounds of the path: the second one on a machine that is twice as fast."""
    made = Results()
    for round_number, factor in ((1, 1.0), (2, 2.0)):
        for case, rate in (
            (headline(plan.ours(1000)), 30e6),
            (headline(plan.TESTPMD_IO), 40e6),
            (headline(plan.ours(256)), 33e6),
            (headline(plan.open_vswitch(256)), 10e6),
        ):
            made.samples[case][round_number] = Sample(rate * factor, ring_full=0.5)
    return made


def test_goals_are_for_the_summary() -> None:
    assert {goal.key for goal in GOALS} == KEYS


def test_ratios_do_not_see_that_the_machine_changed(results: Results) -> None:
    assert results.ratios()["vhost_vs_testpmd_io"].as_json() == {"min": 0.75, "median": 0.75, "max": 0.75}


def test_the_summary_has_what_was_measured(results: Results) -> None:
    assert results.summary() == {"vhost_vs_testpmd_io": 0.75, "vs_ovs_meter_256": 3.3}


def test_a_whole_run_has_exactly_the_keys_of_the_summary() -> None:
    made = Results()
    for case in plan.CASES:
        made.samples[case][1] = Sample(1e6, 0.5)
    for name in STAGE_KEYS.values():
        made.stages[name][1] = 1.0
    for name in CONTROL_KEYS.values():
        made.control[name][1] = 1.0
    assert made.summary().keys() == KEYS
    assert all(isinstance(value, float) for value in made.summary().values())


@pytest.mark.parametrize(
    ("at_most", "value", "met"),
    [
        pytest.param(True, 12.0, True, id="at-the-upper-bound"),
        pytest.param(True, 12.1, False, id="above-the-upper-bound"),
        pytest.param(False, 12.0, True, id="at-the-lower-bound"),
        pytest.param(False, 11.9, False, id="below-the-lower-bound"),
    ],
)
def test_goal(at_most: bool, value: float, met: bool) -> None:
    assert Goal("key", at_most, 12, "").is_met(value) is met


def test_the_report_names_what_is_missed_and_what_was_not_measured(results: Results) -> None:
    for sample in (1, 2):
        results.samples[headline(plan.open_vswitch(256))][sample] = Sample(20e6, 0.5)
    verdicts = {
        line.split(":")[0]: line.split("  ")[-1].strip()
        for line in report(results).splitlines()
        if ":" in line
    }
    assert verdicts["vhost_vs_testpmd_io"] == "met"
    assert verdicts["vs_ovs_meter_256"] == "missed"
    assert verdicts["load_100k_s"] == "not measured"


def test_a_table_is_aligned() -> None:
    assert table([["name", "n"], ["a", "10"]]) == "name   n\na     10"


@pytest.mark.parametrize(("value", "text"), [(0.01234, "0.0123"), (12.3456, "12.3"), (123456.7, "123 457")])
def test_number(value: float, text: str) -> None:
    assert number(value) == text
