"""Runs the playbooks of a testbed on this machine, and says what they changed on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
POCKET = REPOSITORY / "inventories" / "pocket"
PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
IMAGES = Path("/var/cache/detnet-testbed/images")
Snapshot = dict[str, t.Any]


def snapshot() -> Snapshot:
    command = [sys.executable, str(Path(__file__).parent / "snapshot.py")]
    found: Snapshot = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def difference(before: Snapshot, after: Snapshot) -> dict[str, dict[str, list[str]]]:
    """Return what came and what went, by kind; empty if nothing did."""
    found = {}
    for kind, was in before.items():
        old, new = (set(value if isinstance(value, list) else [value]) for value in (was, after[kind]))
        if old != new:
            found[kind] = {"came": sorted(new - old), "went": sorted(old - new)}
    return found


def guest_image() -> Path | None:
    """Return the newest image that the role base_image built, not one of a cloud; None if there is none."""
    descriptions = sorted(IMAGES.glob("*/image.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    # Images of older versions do not say how they boot.
    return next(
        (path.parent for path in descriptions if json.loads(path.read_text()).get("boot") == "kernel"), None
    )


def play(*words: str, inventory: Path = POCKET) -> subprocess.CompletedProcess[str]:
    command = [
        str(REPOSITORY / "scripts" / "exclusive"),
        "ansible-playbook",
        "--inventory",
        str(inventory),
        *words,
    ]
    return subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)


def changed(done: subprocess.CompletedProcess[str]) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
