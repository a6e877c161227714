"""All figures of a run, the goals, and the JSON document that they become."""

from __future__ import annotations

import dataclasses
import typing as t
from collections import defaultdict

from benchmarks.switch.goals import Goal, verdicts
from benchmarks.switch.spread import Spread, ratios, significant, spread

if t.TYPE_CHECKING:
    from benchmarks.switch.results import Rounds

GOALS = (
    Goal("create_8_vs_vagrant", True, 0.35, "8 VMs to SSH: ours over `vagrant up` one after the other"),
    Goal("create_8_vs_community_libvirt", True, 0.6, "ours over the better of community.libvirt and Vagrant"),
    Goal("noop_64_s", True, 3, "s of the module for 64 VMs that run already"),
    Goal("delete_8_s", True, 5, "s to remove 8 VMs that run"),
    Goal("lean_65_answered", False, 65, "VMs of 96 MiB that let us in by SSH, of 65"),
    Goal("lean_overhead_mib", True, 60, "MiB of the host for each of them beyond its memory"),
    Goal("lean_boot_s", True, 8, "s from the start of one, alone, until SSH answers"),
)
PEERS = ("community_libvirt", "vagrant")


def create(contender: str) -> str:
    """Return the name of the figure."""
    return f"create_8_{contender}_s"


def delete(contender: str) -> str:
    return f"delete_8_{contender}_s"


@dataclasses.dataclass
class Results:
    """What was measured so far: figures by name, and by contender what its steps took."""

    figures: dict[str, Rounds] = dataclasses.field(default_factory=lambda: defaultdict(dict))
    steps: dict[str, dict[str, Rounds]] = dataclasses.field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )

    def ratios(self) -> dict[str, Spread]:
        """Return ours over theirs, each computed within the rounds."""
        ours, community, vagrant = (
            self.figures.get(create(name), {}) for name in ("ours", "community_libvirt", "vagrant")
        )
        # The goal is against whichever is better, round by round.
        better = {
            number: min(community[number], vagrant[number]) for number in community.keys() & vagrant.keys()
        }
        pairs = {"create_8_vs_vagrant": vagrant, "create_8_vs_community_libvirt": better}
        return {name: spread(found) for name, theirs in pairs.items() if (found := ratios(ours, theirs))}

    def summary(self) -> dict[str, float]:
        """Return the figures that the goals are for; those that were measured."""
        found = {name: ratio.median for name, ratio in self.ratios().items()}
        found |= {name: spread(list(rounds.values())).median for name, rounds in self.figures.items()}
        if delete("ours") in found:
            found["delete_8_s"] = found[delete("ours")]
        if answered := self.figures.get("lean_65_answered"):
            found["lean_65_answered"] = min(answered.values())  # one that was silent once is too many
        return {goal.key: significant(found[goal.key]) for goal in GOALS if goal.key in found}

    def as_json(self) -> dict[str, t.Any]:
        summary = self.summary()
        return {
            "summary": summary,
            "goals": verdicts(GOALS, summary),
            "ratios": {name: ratio.as_json() for name, ratio in self.ratios().items()},
            "figures": {name: _as_json(rounds) for name, rounds in self.figures.items()},
            "steps_s": {
                contender: {step: _as_json(rounds) for step, rounds in steps.items()}
                for contender, steps in self.steps.items()
            },
        }


def _as_json(rounds: Rounds) -> dict[str, t.Any]:
    by_round = {number: significant(value) for number, value in rounds.items()}
    return {**spread(list(rounds.values())).as_json(), "by_round": by_round}
