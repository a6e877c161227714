"""All figures of a run, and the JSON document that they become."""

from __future__ import annotations

import dataclasses
import typing as t
from collections import defaultdict

from benchmarks.switch.goals import GOALS, verdicts
from benchmarks.switch.plan import HEADLINE_TRAFFIC, RATIOS, Case
from benchmarks.switch.spread import Spread, ratios, significant, spread

if t.TYPE_CHECKING:
    from benchmarks.switch.measure import Sample

# Key of the summary by the name of the figure that it is the median of.
CONTROL_KEYS = {
    "durable_rules_per_s": "rules_per_s_in_batches_of_10000",
    "bytes_per_rule": "bytes_per_rule",
    "load_100k_s": "load_100k_s",
}
STAGE_KEYS = {
    "ns_match_shape_tag_1k": "match_shape_tag_1000_rules_2_tags_ns",
    "ns_match_shape_tag_100k": "match_shape_tag_100000_rules_2_tags_ns",
    "cost_10_tags_vs_1": "cost_10_tags_vs_1",
}

Rounds = dict[int, float]  # a figure by the number of its round


@dataclasses.dataclass
class Results:
    """What was measured so far."""

    samples: dict[Case, dict[int, Sample]] = dataclasses.field(default_factory=lambda: defaultdict(dict))
    stages: dict[str, Rounds] = dataclasses.field(default_factory=lambda: defaultdict(dict))
    control: dict[str, Rounds] = dataclasses.field(default_factory=lambda: defaultdict(dict))

    def rates(self, case: Case) -> Rounds:
        """Return the packets per second of each round that has the case."""
        return {number: sample.packets_per_s for number, sample in self.samples.get(case, {}).items()}

    def ratios(self) -> dict[str, Spread]:
        """Return the ratios, each computed within the rounds."""
        found = {}
        for name, pair in RATIOS.items():
            if values := ratios(*(self.rates(Case(setup, HEADLINE_TRAFFIC)) for setup in pair)):
                found[name] = spread(values)
        return found

    def summary(self) -> dict[str, float]:
        """Return the medians that the goals are for; those that were measured."""
        medians = {name: ratio.median for name, ratio in self.ratios().items()}
        for keys, figures in ((CONTROL_KEYS, self.control), (STAGE_KEYS, self.stages)):
            medians |= {
                key: spread(list(figures[name].values())).median
                for key, name in keys.items()
                if name in figures
            }
        return {goal.key: significant(medians[goal.key]) for goal in GOALS if goal.key in medians}

    def as_json(self) -> dict[str, t.Any]:
        summary = self.summary()
        return {
            "summary": summary,
            "goals": verdicts(GOALS, summary),
            "ratios": {name: ratio.as_json() for name, ratio in self.ratios().items()},
            "path": [self._case_as_json(case) for case in sorted(self.samples)],
            "stages": {name: spread(list(rounds.values())).as_json() for name, rounds in self.stages.items()},
            "control": {
                name: spread(list(rounds.values())).as_json() for name, rounds in self.control.items()
            },
        }

    def _case_as_json(self, case: Case) -> dict[str, t.Any]:
        samples = self.samples[case]
        return {
            **dataclasses.asdict(case.setup),
            "traffic": case.traffic,
            "packets_per_s": spread(list(self.rates(case).values())).as_json(),
            "packets_per_s_by_round": {
                number: significant(rate, 6) for number, rate in self.rates(case).items()
            },
            "ring_full": spread([sample.ring_full for sample in samples.values()]).as_json(),
        }
