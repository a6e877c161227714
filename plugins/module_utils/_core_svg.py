# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A core plan as an image: what _core_picture says in text, drawn to be read at a glance.

Color never says anything alone: each thread has its owner's symbol, too, and as a tooltip its name.
"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_of
from ansible_collections.detnet.testbed.plugins.module_utils._core_picture import (
    Core,
    caches,
    node_title,
    picture,
    symbol,
)
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import SPARE, Plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_pool import CorePool
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import (
    EMULATORS,
    HOUSEKEEPING,
    SWITCH_CONTROL,
    SWITCH_WORKERS,
)
from ansible_collections.detnet.testbed.plugins.module_utils._svg_block import (
    Block,
    column,
    document,
    element,
    framed,
    grid,
    placed,
    shortened,
    words,
)
from ansible_collections.detnet.testbed.plugins.module_utils._topology import Topology

OFFLINE, OFFLINE_SIGN = "offline", "off"
# Light, so that black text can be read on them, and told apart with any color vision (P. Tol, "light").
COLORS = {
    HOUSEKEEPING: "#dddddd",
    SWITCH_CONTROL: "#ffaabb",
    SWITCH_WORKERS: "#ee8866",
    EMULATORS: "#eedd88",
    CorePool.EMPTY: "url(#empty)",
    SPARE: "#ffffff",
    OFFLINE: "url(#offline)",
}
VM_COLORS = ("#77aadd", "#44bb99", "#bbcc33", "#99ddff", "#aaaa00")
EFFICIENT_COLOR = "#4ac26b"
INK, QUIET, LINE = "#1f2328", "#57606a", "#afb8c1"

THREAD = 36.0
GAP = 5.0
PADDING = 10.0
NODE_WIDTH = 700.0  # eight cores of two threads in a row
PAGE_WIDTH = 1500.0  # two nodes
NARROWEST = 420.0  # a page, for its heading and the legend
ENTRY_WIDTH = 320.0


def core_image(topology: Topology, plan: Plan, title: str, nic_node: int | None = None) -> ET.Element:
    """Return the image as an element of SVG; nic_node is the node of the uplink, if that is known."""
    painter = _Painter(topology, plan)
    machine = painter.machine(nic_node)
    width = max(machine.width, NARROWEST)
    page = column([painter.heading(title, width), machine, painter.legend(width)], 2 * PADDING)
    return document(page, title, picture(topology, plan), 2 * PADDING, *_patterns())


def image_of(result: t.Any, title: str, nic_node: int | None = None) -> ET.Element:
    """Return the image of what the module core_plan returned. Raises ValueError for something else."""
    try:
        topology, plan = _topology.from_document(result["topology"]), plan_of(result["plan"])
        return core_image(topology, plan, title, nic_node)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ValueError(
            f"{str(result)[:40]!r} is not what detnet.testbed.core_plan returned ({exc!r}); give that unchanged"
        ) from exc


class _Painter:
    def __init__(self, topology: Topology, plan: Plan) -> None:
        self.topology = topology
        self.plan = plan
        self.colors = dict(COLORS)
        self.vms = {vm.owner for vm in plan.vms}
        self.work: dict[int, list[str]] = {}  # where nothing is isolated, a CPU can have several vCPUs
        for place, vm in enumerate(plan.vms):
            self.colors[vm.owner] = VM_COLORS[place % len(VM_COLORS)]
            for number, cpu in enumerate(vm.vcpus):
                self.work.setdefault(cpu, []).append(f"{vm.owner}, vCPU {number}")

    def heading(self, title: str, width: float) -> Block:
        cpus, isolated = len(self.topology.cpus), _cpu_list.text(self.plan.isolated)
        below = f"{cpus} CPUs, {f'isolated {isolated}' if isolated else 'none isolated'}"
        return column(
            [
                words(shortened(title, width, 20), 20, fill=INK, font_weight=600),
                words(shortened(below, width, 13), 13, fill=QUIET),
            ],
            2,
        )

    def machine(self, nic_node: int | None) -> Block:
        """Return the nodes, those without CPUs after the others."""
        nodes: dict[bool, list[Block]] = {True: [], False: []}
        for node in sorted(self.topology.nodes):
            there = caches(self.topology, node)
            nodes[bool(there)].append(self.node(node, there, node == nic_node))
        if self.topology.offline:
            nodes[False].append(self.offline())
        return column(
            [grid(blocks, PAGE_WIDTH, 2 * PADDING) for blocks in nodes.values() if blocks], 2 * PADDING
        )

    def node(self, node: int, there: t.Sequence[t.Sequence[Core]], has_nic: bool) -> Block:
        title = words(node_title(self.topology, self.plan, node), 13, fill=INK, font_weight=600)
        badge = [(title.width + PADDING, 0.0, _badge("NIC"))] if has_nic else []
        panels = [self.cache(cores) for cores in there] or [words("no CPU", 12, fill=QUIET)]
        return _panel(placed([(0.0, 0.0, title), *badge]), grid(panels, NODE_WIDTH, PADDING))

    def cache(self, cores: t.Sequence[Core]) -> Block:
        """Return the cores behind one last cache."""
        title = words(f"cache of {_cpu_list.text(cpu for core in cores for cpu in core)}", 10, fill=QUIET)
        room = NODE_WIDTH - 2 * PADDING
        inside = column([title, grid([self.core(core) for core in cores], room, GAP)], GAP)
        return framed(inside, PADDING, rx=6, fill="#ffffff", stroke=LINE)

    def core(self, core: Core) -> Block:
        """Return the threads of a core side by side."""
        threads = [self.thread(cpu, self.plan.owners[cpu]) for cpu in core]
        efficient = self.topology.cpus[core[0]].efficient
        beside = placed((place * THREAD, 0.0, block) for place, block in enumerate(threads))
        return framed(beside, 2, rx=4, fill=EFFICIENT_COLOR if efficient else "#d0d7de")

    def thread(self, cpu: int, owner: str) -> Block:
        work = self.work.get(cpu, [])
        named = "; ".join(work if owner in self.vms else [owner, *work])
        return _square(str(cpu), symbol(owner), self.colors[owner], f"CPU {cpu}: {named}")

    def offline(self) -> Block:
        """Return the CPUs that are switched off, of which nobody knows where they are."""
        squares = [
            _square(str(cpu), OFFLINE_SIGN, COLORS[OFFLINE], f"CPU {cpu}: offline")
            for cpu in self.topology.offline
        ]
        return _panel(words(OFFLINE, 13, fill=INK, font_weight=600), grid(squares, NODE_WIDTH, GAP))

    def legend(self, width: float) -> Block:
        """Return what each color and symbol stands for, and the CPUs of each owner."""
        entries = [
            _entry(
                OFFLINE_SIGN if owner == OFFLINE else symbol(owner), color, f"{owner}: {_cpu_list.text(cpus)}"
            )
            for owner, color in self.colors.items()
            if (cpus := self.topology.offline if owner == OFFLINE else self.plan.of(owner))
        ]
        efficient = [cpu.cpu for cpu in self.topology.cpus.values() if cpu.efficient]
        if efficient:
            entries.append(
                _entry("", EFFICIENT_COLOR, f"frame of a core that saves power: {_cpu_list.text(efficient)}")
            )
        return grid(entries, max(width, ENTRY_WIDTH), PADDING)


def _panel(heading: Block, content: Block) -> Block:
    return framed(column([heading, content], PADDING), 1.5 * PADDING, rx=8, fill="#f6f8fa", stroke=LINE)


def _badge(text: str) -> Block:
    width, height = 34.0, 16.0
    rect = element("rect", width=width, height=height, rx=4, fill="#0969da")
    label = _label(text, width / 2, 12, 11, fill="#ffffff", font_weight=600)
    return Block(element("g", rect, label), width, height)


def _square(number: str, sign: str, color: str, tip: str) -> Block:
    middle = THREAD / 2
    rect = _box(1, THREAD - 2, THREAD - 2, color)
    over = _label(number, middle, 16, 12, font_weight=600)
    return Block(
        element("g", element("title", text=tip), rect, over, _label(sign, middle, 29, 11)), THREAD, THREAD
    )


def _entry(sign: str, color: str, text: str) -> Block:
    width, height = 32.0, 22.0
    swatch = element("g", _box(0.5, width - 1, height - 1, color), _label(sign, width / 2, 15, 11))
    said = words(shortened(text, ENTRY_WIDTH - 40, 12), 12, fill=INK)
    return placed([(0.0, 0.0, Block(swatch, width, height)), (width + GAP, 3.0, said)])


def _box(at: float, width: float, height: float, color: str) -> ET.Element:
    return element(
        "rect", x=at, y=at, width=width, height=height, rx=3, fill=color, stroke="#8c959f", stroke_width=0.5
    )


def _label(text: str, x: float, y: float, size: float, **attributes: t.Any) -> ET.Element:
    return element(
        "text", text=text, x=x, y=y, font_size=size, text_anchor="middle", **{"fill": INK, **attributes}
    )


def _patterns() -> list[ET.Element]:
    """Return what fills CPUs that run nothing: stripes where they stay empty, crosses where they are off."""
    size: dict[str, t.Any] = {"width": 6, "height": 6, "patternUnits": "userSpaceOnUse"}
    ground = element("rect", width=6, height=6, fill="#ffffff")
    rising = element("path", d="M0 6L6 0", stroke="#d0d7de")
    falling = element("path", d="M0 0L6 6", stroke="#d0d7de")
    return [
        element("pattern", ground, rising, id="empty", **size),
        element("pattern", ground, rising, falling, id="offline", **size),
    ]
