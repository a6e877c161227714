# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wall time per phase of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: phases
type: aggregate
short_description: Wall time per phase
version_added: 0.1.0
description:
  - Adds up the wall time of plays by phase and prints a table at the end. The phase of a play is its first
    tag; C(always) and C(never) are none. A run without any phase prints nothing.
  - A run that names a JSON file of results with C(ansible.builtin.set_stats) as C(testbed_results) gets its
    phases written there too, as C(phases_s), in seconds.
author: The detnet.testbed authors (@detnet)
requirements:
  - C(detnet.testbed.phases) in C(callbacks_enabled) of ansible.cfg
"""

EXAMPLES = r"""
- name: Prepare the hosts
  hosts: machines
  tags: [hosts]
  roles:
    - detnet.testbed.dpdk

- name: Keep the results
  hosts: localhost
  tags: [verify]
  tasks:
    - name: Let the phases be added to them
      ansible.builtin.set_stats:
        data:
          testbed_results: build/pocket/site.json
"""

import json
import os
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

NO_PHASE = frozenset({"always", "never"})


class Stopwatch:
    """Seconds per phase; one phase at a time, None is none."""

    def __init__(self, clock: t.Callable[[], float]) -> None:
        self.clock = clock
        self.phase: str | None = None
        self.since = 0.0
        self.seconds: dict[str, float] = {}

    def enter(self, phase: str | None) -> None:
        now = self.clock()
        if self.phase is not None:
            self.seconds[self.phase] = self.seconds.get(self.phase, 0.0) + now - self.since
        self.phase, self.since = phase, now


def phase_of(tags: t.Iterable[str]) -> str | None:
    """Return the phase of a play with these tags."""
    return next((tag for tag in tags if tag not in NO_PHASE), None)


def table(seconds: dict[str, float]) -> str:
    """Return the phases and their sum as text."""
    rows = [*seconds.items(), ("total", sum(seconds.values()))]
    width = max(len(name) for name, _s in rows)
    return "\n".join(f"{name:<{width}}  {s:7.1f} s" for name, s in rows)


def merge(results: Path, seconds: dict[str, float]) -> None:
    """Put the phases into a file of results; raise OSError or ValueError."""
    merged = json.loads(results.read_text()) | {
        "phases_s": {name: round(s, 1) for name, s in seconds.items()}
    }
    new = results.with_suffix(".new")
    new.write_text(json.dumps(merged, indent=2) + "\n")
    os.replace(new, results)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Listen to the starts of plays and to the end of the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "detnet.testbed.phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.stopwatch = Stopwatch(time.monotonic)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self.stopwatch.enter(phase_of(play.tags))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self.stopwatch.enter(None)
        seconds = self.stopwatch.seconds
        if not seconds:
            return
        self._display.banner("PHASES")
        self._display.display(table(seconds) + "\n")
        results = stats.custom.get("_run", {}).get("testbed_results")
        if results is None:
            return
        try:
            merge(Path(results), seconds)
        except (OSError, ValueError) as exc:
            self._display.warning(f"Cannot add the phases to {results}: {exc}")
