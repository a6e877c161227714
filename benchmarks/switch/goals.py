"""What the switch shall reach."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound for one figure of the summary."""

    key: str
    at_most: bool
    bound: float
    meaning: str

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    @property
    def relation(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


def verdicts(goals: Iterable[Goal], summary: Mapping[str, float]) -> dict[str, dict[str, t.Any]]:
    """Return of each goal whose figure is in the summary what it is, and whether it is met."""
    return {
        goal.key: {"relation": goal.relation, "meaning": goal.meaning, "met": goal.is_met(summary[goal.key])}
        for goal in goals
        if goal.key in summary
    }


GOALS = (
    Goal("ns_match_shape_tag_1k", True, 12, "ns to match, shape and push 2 tags, 64 B, 1000 rules"),
    Goal("ns_match_shape_tag_100k", True, 20, "the same, 100 000 rules"),
    Goal("vhost_vs_testpmd_io", False, 0.65, "rate over testpmd io's, 64 B, 1000 rules, 2 tags, shaping"),
    Goal("vs_ovs_meter_256", False, 3, "rate over Open vSwitch's with meters, 64 B, 2 tags, 256 rules"),
    Goal("vs_ovs_meter_100k", False, 5, "the same, 100 000 rules"),
    Goal("cost_10_tags_vs_1", True, 1.2, "ns to match, shape and push 10 tags over the same with 1"),
    Goal("durable_rules_per_s", False, 50_000, "rules set and saved per second, in batches of 10 000"),
    Goal("bytes_per_rule", True, 256, "bytes of memory for each of 100 000 rules"),
    Goal("load_100k_s", True, 1, "s to load 100 000 rules, the slower of: from the store, by rule.replace"),
)
