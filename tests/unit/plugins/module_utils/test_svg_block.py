# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of a picture, which know their size."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _svg_block as svg


def square(size: float = 10.0) -> svg.Block:
    return svg.Block(svg.element("rect", width=size), size, size)


@pytest.mark.parametrize(
    ("count", "width", "size"),
    [
        pytest.param(1, 5, (10, 10), id="one-that-is-too-wide-is-there-nevertheless"),
        pytest.param(3, 32, (22, 22), id="gaps-count"),
        pytest.param(3, 34, (34, 10), id="all-fit-in-one-row"),
        pytest.param(5, 58, (58, 10), id="five-fit"),
        pytest.param(6, 58, (34, 22), id="two-rows-of-three-and-not-five-and-one"),
        pytest.param(0, 58, (0, 0), id="nothing-has-no-size"),
    ],
)
def test_a_grid_has_even_rows(count: int, width: float, size: tuple[float, float]) -> None:
    made = svg.grid([square() for _place in range(count)], width, 2)
    assert (made.width, made.height) == size


def test_a_row_is_as_high_as_its_highest_block() -> None:
    made = svg.grid([square(10), square(20), square(5)], 42, 2)
    assert (made.width, made.height) == (42, 27)


def test_a_frame_adds_its_padding() -> None:
    made = svg.framed(square(), 3, fill="#ffffff")
    assert (made.width, made.height) == (16, 16)
    assert made.element[0].attrib == {
        "x": "0.5",
        "y": "0.5",
        "width": "15",
        "height": "15",
        "fill": "#ffffff",
    }


def test_a_column_is_as_wide_as_its_widest_block() -> None:
    made = svg.column([square(4), square(7)], 2)
    assert (made.width, made.height) == (7, 13)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("0-3,8", "0-3,8", id="what-fits-stays"),
        pytest.param("0-3,8-11", "0-3,8\N{HORIZONTAL ELLIPSIS}", id="what-does-not-is-cut-off-visibly"),
    ],
)
def test_text_is_cut_to_the_room_there_is(text: str, shown: str) -> None:
    assert svg.shortened(text, 36, 10) == shown


def test_names_of_attributes_are_those_of_svg() -> None:
    made = svg.element("text", text="<1>", stroke_width=0.5, class_="cpu")
    assert ET.tostring(made, encoding="unicode") == '<text stroke-width="0.5" class="cpu">&lt;1&gt;</text>'


def test_a_document_says_what_it_shows() -> None:
    image = ET.fromstring(svg.text_of(svg.document(square(), "Plan & more", "0 H | 1 W", 5)))  # noqa: S314
    name = {"svg": svg.NAMESPACE}
    assert image.get("viewBox") == "0 0 20 20"
    assert image.get("role") == "img"
    labels = (image.get("aria-labelledby") or "").split()
    said = {part.get("id"): part.text for part in image if part.get("id")}
    assert [said[label] for label in labels] == ["Plan & more", "0 H | 1 W"]
    assert image.find(".//svg:rect[@width='10']", name) is not None
