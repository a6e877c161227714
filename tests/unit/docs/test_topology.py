# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of docs/topology.md are what the code draws of the inventories."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from drawn_topologies import drawn, said, sources, table_of_wrong_cables

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "topology.md").read_text()


def test_the_page_shows_each_picture() -> None:
    assert set(re.findall(r"\]\((topology-[a-z-]+\.svg)\)", PAGE)) == set(sources())


def test_the_page_shows_the_table_that_the_code_makes() -> None:
    assert f"```\n{table_of_wrong_cables()}\n```" in PAGE


@pytest.mark.skipif(not shutil.which("dot"), reason="graphviz is not installed")
@pytest.mark.parametrize("name", sources())
def test_the_picture_is_what_the_code_draws(name: str) -> None:
    kept = (DOCS / name).read_text()
    assert said(kept) == said(drawn(sources()[name])), "draw it anew, as drawn_topologies.py says"
