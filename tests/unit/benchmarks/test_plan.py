"""What the benchmark measures, and in which order."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from benchmarks.switch import plan


def order_of(seed: str, cases: tuple[plan.Case, ...] = plan.CASES) -> list[plan.Case]:
    sittings = plan.sittings(cases, random.Random(seed))
    return [case for sitting in sittings for case in sitting.cases]


def test_a_round_has_every_case_once() -> None:
    assert Counter(order_of("1/1")) == Counter(plan.CASES)


def test_the_same_seed_gives_the_same_order() -> None:
    assert order_of("1/1") == order_of("1/1")


def test_another_round_has_another_order() -> None:
    assert order_of("1/1") != order_of("1/2")


def test_what_the_ratios_need_comes_first() -> None:
    """With it comes all of Open vSwitch, which takes long to settle, so that it need not settle again."""
    needed = {plan.Case(setup, plan.HEADLINE_TRAFFIC) for pair in plan.RATIOS.values() for setup in pair}
    first = needed | {case for case in plan.CASES if case.setup.contender == "ovs"}
    assert set(order_of("1/1")[: len(first)]) == first


def test_open_vswitch_settles_once_for_each_number_of_rules() -> None:
    numbers = [s.rules for s in plan.sittings(plan.CASES, random.Random(1)) if s.contender == "ovs"]
    assert sorted(numbers) == [256, 10_000, 100_000]


def test_rules_are_set_once_for_all_traffic_of_a_setup() -> None:
    for sitting in plan.sittings(plan.CASES, random.Random(1)):
        setups = [case.setup for case in sitting.cases]
        changes = sum(before != after for before, after in itertools.pairwise(setups))
        assert changes == len(set(setups)) - 1


def test_a_sitting_has_one_contender_with_one_number_of_rules() -> None:
    for sitting in plan.sittings(plan.CASES, random.Random(1)):
        assert {(case.setup.contender, case.setup.rules) for case in sitting.cases} == {
            (sitting.contender, sitting.rules)
        }


def test_every_setup_has_every_traffic() -> None:
    assert Counter(case.setup for case in plan.CASES) == {setup: len(plan.TRAFFIC) for setup in plan.SETUPS}


@pytest.mark.parametrize("name", plan.RATIOS)
def test_ratios_compare_what_is_measured(name: str) -> None:
    assert set(plan.RATIOS[name]) <= set(plan.SETUPS)


@pytest.mark.parametrize(
    ("setup", "name"),
    [
        pytest.param(plan.TESTPMD_IO, "testpmd, 1000 rules", id="without-tags"),
        pytest.param(plan.ours(3, 1), "ours, 3 rules, 1 tag, shaping", id="one-tag"),
        pytest.param(plan.ours(3, 10, shaping=False), "ours, 3 rules, 10 tags", id="without-shaping"),
    ],
)
def test_a_setup_has_a_name(setup: plan.Setup, name: str) -> None:
    assert str(setup) == name


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        pytest.param("", 114, id="everything"),
        pytest.param("^testpmd", 3, id="one-contender"),
        pytest.param("ours, 1000 rules, 2 tags, shaping, 64 B", 1, id="one-case"),
        pytest.param("no such thing", 0, id="nothing"),
    ],
)
def test_a_pattern_selects_cases(pattern: str, count: int) -> None:
    assert len(plan.select(plan.CASES, pattern)) == count
