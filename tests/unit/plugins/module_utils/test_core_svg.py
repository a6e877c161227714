# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a plan."""

from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document, plan_of
from ansible_collections.detnet.testbed.plugins.module_utils._core_picture import picture
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import Plan, make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request, Vm
from ansible_collections.detnet.testbed.plugins.module_utils._core_svg import OFFLINE, core_image
from ansible_collections.detnet.testbed.plugins.module_utils._svg_block import NAMESPACE, text_of
from core_topologies import NAMES, machine, recorded

SVG = f"{{{NAMESPACE}}}"
TOPOLOGY = dataclasses.replace(machine(nodes=2, cores=4, threads=2, cores_per_cache=2), offline=(16,))
PLAN = make_plan(
    TOPOLOGY,
    Request(
        switch_worker_cpus=(1,),
        vms=(Vm(1, 2, memory_mib=512, node=0), Vm(2, 1, node=1)),
        emulator_cpus=(4, 12),
    ),
)


def drawn(topology: _topology.Topology, plan: Plan, nic_node: int | None = None) -> ET.Element:
    return ET.fromstring(text_of(core_image(topology, plan, "alpha", nic_node)))  # noqa: S314


def tips(image: ET.Element) -> dict[int, str]:
    """Return what the tooltip of each CPU says."""
    found = (re.fullmatch(r"CPU (\d+): (.*)", title.text or "") for title in image.iter(f"{SVG}title"))
    return {int(match[1]): match[2] for match in found if match}


def texts(image: ET.Element) -> list[str]:
    return [text.text or "" for text in image.iter(f"{SVG}text")]


def request_for(topology: _topology.Topology) -> Request:
    return Request(isolate=len(topology.cpus) > 4, switch_workers=1)


@pytest.mark.parametrize("name", NAMES)
def test_shows_each_cpu_of_every_machine_once_with_its_owner(name: str) -> None:
    topology = recorded(name)
    plan = make_plan(topology, request_for(topology))
    shown = tips(drawn(topology, plan))
    assert shown == plan.owners | dict.fromkeys(topology.offline, OFFLINE)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_reaches_beyond_the_image(name: str) -> None:
    topology = recorded(name)
    image = drawn(topology, make_plan(topology, request_for(topology)))
    width, height = (float(image.get(side) or 0) for side in ("width", "height"))
    for right, bottom in corners(image, 0, 0):
        assert right <= width
        assert bottom <= height


def corners(group: ET.Element, x: float, y: float) -> list[tuple[float, float]]:
    """Return the lower right corner of each rectangle, and the ends of the lines of text."""
    found = []
    for part in group:
        if part.tag == f"{SVG}defs" or (part.get("width") or "").endswith("%"):
            continue
        moved = re.fullmatch(r"translate\((\S+) (\S+)\)", part.get("transform") or "translate(0 0)")
        assert moved
        left, top = x + float(moved[1]), y + float(moved[2])
        if part.tag == f"{SVG}rect":
            found.append(
                tuple(
                    start + float(part.get(at) or 0) + float(part.get(size) or 0)
                    for start, at, size in ((left, "x", "width"), (top, "y", "height"))
                )
            )
        elif part.tag == f"{SVG}text":
            end = 0.5 if part.get("text-anchor") == "middle" else 1.0
            size = float(part.get("font-size") or 0)
            found.append(
                (left + float(part.get("x") or 0) + len(part.text or "") * size * 0.5 * end, top + size)
            )
        found += corners(part, left, top)
    return found  # type: ignore[return-value]


def test_threads_have_the_symbols_of_the_picture_in_text() -> None:
    shown = texts(drawn(TOPOLOGY, PLAN))
    for cpu, sign in ((0, "H"), (1, "W"), (9, "-"), (2, "v1"), (4, "E"), (5, "v2"), (6, "."), (16, "off")):
        assert shown[shown.index(str(cpu)) + 1] == sign


def test_names_each_vcpu() -> None:
    shown = tips(drawn(TOPOLOGY, PLAN))
    assert (shown[2], shown[3], shown[5]) == ("VM 1, vCPU 0", "VM 1, vCPU 1", "VM 2, vCPU 0")


def test_names_all_that_share_a_cpu() -> None:
    topology = machine(cores=2)
    plan = make_plan(topology, Request(isolate=False, vms=(Vm(1, 2), Vm(2, 1))))
    assert tips(drawn(topology, plan)) == {
        0: "housekeeping; VM 1, vCPU 1",
        1: "housekeeping; VM 1, vCPU 0; VM 2, vCPU 0",
    }


def test_shows_nodes_caches_and_a_legend() -> None:
    shown = texts(drawn(TOPOLOGY, PLAN))
    assert [text for text in shown if text.startswith("node ")] == [
        "node 0: 65536 MiB, 256 pages of 2 MiB",
        "node 1: 65536 MiB",
    ]
    assert [text for text in shown if text.startswith("cache ")] == [
        "cache of 0-1,8-9",
        "cache of 2-3,10-11",
        "cache of 4-5,12-13",
        "cache of 6-7,14-15",
    ]
    assert [text for text in shown if re.match(r"[a-zA-Z '0-9]+: [0-9,-]+$", text)] == [
        "housekeeping: 0,8",
        "the switch: 1",
        "emulators: 4,12",
        "empty: 9-11,13",
        "spare: 6-7,14-15",
        "offline: 16",
        "VM 1: 2-3",
        "VM 2: 5",
    ]


@pytest.mark.parametrize(
    ("nic_node", "badges"),
    [
        pytest.param(None, 0, id="not-known"),
        pytest.param(0, 1, id="node-0"),
        pytest.param(7, 0, id="no-node"),
    ],
)
def test_marks_the_node_of_the_nic(nic_node: int | None, badges: int) -> None:
    shown = texts(drawn(TOPOLOGY, PLAN, nic_node))
    assert shown.count("NIC") == badges
    if badges:
        assert shown.index("NIC") < shown.index("node 1: 65536 MiB")


def test_tells_people_who_cannot_see_it_the_same() -> None:
    image = drawn(TOPOLOGY, PLAN)
    assert image.findtext(f"{SVG}title") == "alpha"
    assert image.findtext(f"{SVG}desc") == picture(TOPOLOGY, PLAN)


def test_says_which_cores_save_power() -> None:
    topology = recorded("hybrid")
    shown = texts(drawn(topology, make_plan(topology, Request())))
    assert "frame of a core that saves power: 0-3" in shown


def test_vms_have_colors_until_they_run_out() -> None:
    topology = machine(cores=16)
    plan = make_plan(topology, Request(vms=tuple(Vm(number, 1) for number in range(1, 8))))
    image = drawn(topology, plan)
    colors = {}
    for group in image.iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and rect is not None:
            colors[title.text] = rect.get("fill")
    of_vms = [color for tip, color in colors.items() if tip and "VM" in tip]
    assert len(of_vms) == 7
    assert len(set(of_vms)) == 5
    assert of_vms[0] == of_vms[5]


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("siblings", ["empty", "same_owner", "any"])
def test_a_plan_comes_back_from_its_document(isolate: bool, siblings: str) -> None:
    topology = machine(nodes=2, cores=8, threads=2)
    vms = (Vm(1, 3, memory_mib=512, io_threads=2), Vm(2, 1, memory_mib=1024, page_size_kib=1048576, node=1))
    request = Request(
        isolate=isolate, siblings=siblings, switch_control=1, emulators=2, switch_memory_mib=64, vms=vms
    )
    plan = make_plan(topology, request)
    assert plan_of(plan_document(plan)) == plan
