"""The programs under test, built as the role `tagging_switch` builds them."""

from __future__ import annotations

import typing as t

from benchmarks.switch.process import run

if t.TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("dpdk-tagging", "bench/bench-generator", "bench/bench-reference", "bench/bench-stages")


def build(source: Path, directory: Path) -> Path:
    """Build what has changed, and return where the programs are."""
    if not (directory / "build.ninja").exists():
        run("meson", "setup", "--buildtype=release", "-Dtests=disabled", str(directory), str(source))
    run("ninja", "-C", str(directory), *PROGRAMS)
    return directory
