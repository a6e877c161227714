# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in SVG made of blocks: each knows its size, and is put beside others, or into a frame with a heading."""

from __future__ import annotations

import dataclasses
import math
import typing as t
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.w3.org/2000/svg"
FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
GLYPH_EM = 0.6  # how wide a character is, of its height; wide enough for all of these fonts


@dataclasses.dataclass(frozen=True)
class Block:
    """A group whose upper left corner is at 0, 0."""

    element: ET.Element
    width: float
    height: float


def element(name: str, *children: ET.Element, text: str | None = None, **attributes: t.Any) -> ET.Element:
    """Return an element; stroke_width is written stroke-width, and class_ class."""
    made = ET.Element(
        name, {key.rstrip("_").replace("_", "-"): _written(value) for key, value in attributes.items()}
    )
    made.text = text
    made.extend(children)
    return made


def _written(value: t.Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def words(text: str, size: float, **attributes: t.Any) -> Block:
    """Return a line of text."""
    line = element("text", text=text, x=0, y=size, font_size=size, **attributes)
    return Block(line, len(text) * size * GLYPH_EM, size * 1.3)


def shortened(text: str, width: float, size: float) -> str:
    """Return as much of a text as this width has room for."""
    room = int(width / (size * GLYPH_EM))
    return text if len(text) <= room else text[: room - 1] + "\N{HORIZONTAL ELLIPSIS}"


def placed(blocks: t.Iterable[tuple[float, float, Block]]) -> Block:
    """Return blocks at their places as one."""
    there = list(blocks)
    group = element("g")
    for x, y, block in there:
        moved = element("g", block.element, transform=f"translate({x:g} {y:g})")
        group.append(moved if x or y else block.element)
    return Block(
        group,
        max((x + block.width for x, _y, block in there), default=0.0),
        max((y + block.height for _x, y, block in there), default=0.0),
    )


def column(blocks: t.Iterable[Block], gap: float) -> Block:
    """Return blocks below each other."""
    y, there = 0.0, []
    for block in blocks:
        there.append((0.0, y, block))
        y += block.height + gap
    return placed(there)


def grid(blocks: t.Sequence[Block], width: float, gap: float) -> Block:
    """Return blocks in rows of the same number, as many beside each other as fit in the width."""
    if not blocks:
        return placed([])
    wide = max(block.width for block in blocks)
    fitting = max(1, int((width + gap) // (wide + gap)))
    rows = math.ceil(len(blocks) / fitting)
    per_row = math.ceil(len(blocks) / rows)
    y, there = 0.0, []
    for row in (blocks[start : start + per_row] for start in range(0, len(blocks), per_row)):
        there += [(place * (wide + gap), y, block) for place, block in enumerate(row)]
        y += max(block.height for block in row) + gap
    return placed(there)


def framed(inside: Block, padding: float, **attributes: t.Any) -> Block:
    """Return a block in a rectangle."""
    width, height = inside.width + 2 * padding, inside.height + 2 * padding
    frame = element("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, **attributes)
    content = element("g", inside.element, transform=f"translate({padding:g} {padding:g})")
    return Block(element("g", frame, content), width, height)


def document(
    block: Block, title: str, description: str, margin: float, *definitions: ET.Element
) -> ET.Element:
    """Return an image of a block, which says to people who cannot see it what it shows."""
    width, height = block.width + 2 * margin, block.height + 2 * margin
    return element(
        "svg",
        element("title", text=title, id="picture-title"),
        element("desc", text=description, id="picture-description"),
        element("defs", *definitions),
        element("rect", width="100%", height="100%", fill="#ffffff"),
        element("g", block.element, transform=f"translate({margin:g} {margin:g})"),
        xmlns=NAMESPACE,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_labelledby="picture-title picture-description",
        font_family=FONT,
    )


def text_of(image: ET.Element) -> str:
    """Return an image as the text of a file."""
    return ET.tostring(image, encoding="unicode") + "\n"
