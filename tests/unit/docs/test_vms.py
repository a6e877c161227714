# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays of docs/vms.md are playbooks, and name options that the modules have."""

from __future__ import annotations

import importlib
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
PREFIX = "detnet.testbed."
PAGE = (REPOSITORY / "docs/vms.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(HEADER,) = (block for block in BLOCKS if block.startswith("- hosts"))
PLAYS = [block for block in BLOCKS if block.startswith("  tasks:")]


def tasks_of(block: str) -> list[dict[str, t.Any]]:
    tasks: list[dict[str, t.Any]] = yaml.safe_load(HEADER + block)[0]["tasks"]
    return tasks


def test_there_are_the_twelve() -> None:
    numbered = {
        int(number): text.count("```yaml\n  tasks:")
        for number, text in re.findall(r"^## ([0-9]+)\. (.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    }
    assert numbered == dict.fromkeys(range(1, 13), 1)


@pytest.mark.parametrize(
    "block", PLAYS, ids=[tasks_of(block)[0]["name"].replace(" ", "-") for block in PLAYS]
)
def test_play(block: str, tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(HEADER + block)
    command = ["ansible-playbook", "--inventory", "alpha,", "--syntax-check", str(playbook)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    for task in tasks_of(block):
        for name in (key for key in task if key.startswith(PREFIX)):
            module = importlib.import_module(
                f"ansible_collections.{PREFIX}plugins.modules.{name.removeprefix(PREFIX)}"
            )
            assert set(task[name]) <= set(module.ARGUMENT_SPEC)
