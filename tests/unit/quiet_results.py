# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of rt-tests wrote on real machines, and results made of that, for the tests of quiet cores.

cyclictest and oslat ran on a small shared VM, hwlatdetect in an emulated one with Debian's real-time kernel.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

RECORDINGS = Path(__file__).with_name("quiet_cores")


def recorded(name: str) -> str:
    return (RECORDINGS / name).read_text()


def row(
    tool: str = "cyclictest", kind: str = "isolated", cpus: str = "2", max_us: int = 9, **values: t.Any
) -> dict[str, t.Any]:
    """Return a measurement."""
    return {
        "tool": tool,
        "kind": kind,
        "cpus": cpus,
        "samples": 1000,
        "min_us": 1,
        "avg_us": 2.5,
        "max_us": max_us,
        "p99_9_us": 4,
        "p99_99_us": 6,
        "overflows": 0,
        "histogram": {"1": 600, "4": 399, str(max_us): 1},
        **values,
    }


def gaps(kind: str = "isolated", cpus: str = "2-3", max_us: int = 0) -> dict[str, t.Any]:
    """Return a measurement of hwlatdetect."""
    found = {str(max_us): 1} if max_us else {}
    return row(
        "hwlatdetect",
        kind,
        cpus,
        max_us,
        samples=len(found),
        min_us=None,
        avg_us=None,
        p99_9_us=None,
        p99_99_us=None,
        histogram=found,
    )


def results(*measurements: dict[str, t.Any], **values: t.Any) -> dict[str, t.Any]:
    """Return what the playbook keeps."""
    return {
        "host": "alpha",
        "started": "2026-11-21T18:40:55Z",
        "duration_s": 60,
        "isolated_cpus": "2-3",
        "housekeeping_cpus": "0-1",
        "fingerprint": "3f0c9a7d52e81b64",
        "summary": "CPU: a <small> one",
        "versions": {"kernel": "6.1.0", "rt-tests": "2.40"},
        "threshold_us": {},
        "faults": [],
        "measurements": list(measurements),
        "not_measured": [],
        **values,
    }
