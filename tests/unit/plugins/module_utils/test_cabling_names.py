# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of nodes and numbers of ports, from what neighbours call them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._cabling_names import (
    TEXT_MAX,
    Directory,
    End,
    clean,
    port_of,
)
from cablings import compiled, said
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("names", "numbers", "port"),
    [
        pytest.param(["2"], {}, "2", id="the number itself"),
        pytest.param(["s1-2"], {}, "2", id="as the pocket fabric names it"),
        pytest.param(["Ethernet12"], {}, "12", id="the number in which an interface's name ends"),
        pytest.param(["Ethernet1/3"], {}, "3", id="the last number of several"),
        pytest.param(["Ethernet192"], {"Ethernet192": 49}, "49", id="as the description says"),
        pytest.param(["etp49", "Ethernet192"], {"Ethernet192": 49}, "49", id="by the port's description"),
        pytest.param(
            ["Ethernet49"], {"Ethernet192": 49}, "Ethernet49", id="whose number is another's has none"
        ),
        pytest.param(["Ethernet4096"], {}, "Ethernet4096", id="no number of a port"),
        pytest.param(["Ethernet0"], {}, "Ethernet0", id="ports begin with 1"),
        pytest.param(["Ethernet٣"], {}, "Ethernet٣", id="no digit of another script"),
        pytest.param(["mgmt"], {}, "mgmt", id="without a number"),
        pytest.param([None], {}, "?", id="without a name"),
    ],
)
def test_port_of_a_network_switch(names: list[str | None], numbers: dict[str, int], port: str) -> None:
    assert port_of("network_switch", names, numbers) == port


def test_an_end_host_has_one_port() -> None:
    assert port_of("end_host", ["enp59s0f1"], {}) == "0"


TESTBED = compiled(("alpha:0", "s1:1"), ("s1:2", "s2:1"), s2={"Ethernet192": 49})


def chassis(subtype: str, value: str) -> dict[str, t.Any]:
    return {"chassis_id": {"subtype": subtype, "value": value}, "system_name": None}


def port(subtype: str, value: str, description: str | None = None) -> dict[str, t.Any]:
    return {"port_id": {"subtype": subtype, "value": value}, "port_description": description}


MAC = port("mac_address", "02:00:00:00:00:12", "Ethernet192")


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        pytest.param({}, "s2:1", id="by its system's name"),
        pytest.param({"system_name": "s2.example.org"}, "s2:1", id="by a name with a domain"),
        pytest.param({"system_name": None}, "s2:1", id="by the chassis id that a pocket fabric says for it"),
        pytest.param(
            chassis("network_address", TESTBED["nodes"]["alpha"]["management_address"]) | port("local", "0"),
            "alpha:0",
            id="an end host by its address, as a Chameleon controller sees it",
        ),
        pytest.param(MAC, "s2:49", id="by its description, if the port's id is a MAC address"),
        pytest.param(
            port("mac_address", "02:00:00:00:00:12"), "s2:?", id="without a number, if that is all it says"
        ),
        pytest.param(
            chassis("local", "nobody") | port("interface_name", "Gi1/0/3"),
            "unknown nobody:Gi1/0/3",
            id="unknown",
        ),
        pytest.param(
            chassis("local", "x") | {"system_name": "s9"} | port("local", "1"),
            "unknown x:1",
            id="unknown by name",
        ),
    ],
)
def test_who_speaks(changes: dict[str, t.Any], end: str) -> None:
    neighbor = said("s1:2", "s2:1", **changes)
    assert str(Directory(TESTBED["nodes"], [neighbor]).end(neighbor)) == end


def test_a_neighbour_without_a_name_is_known_by_what_it_told_others() -> None:
    of_lab = {"s1": {"kind": "network_switch"}, "alpha": {"kind": "end_host"}}
    named, nameless = said("alpha:0", "s1:1"), said("alpha:0", "s1:2", system_name=None)
    assert Directory(of_lab, [named]).end(nameless) == End("s1", "2")
    assert Directory(of_lab, []).end(nameless).node.startswith("unknown ")


def test_a_chassis_id_of_two_nodes_names_neither() -> None:
    other = said("alpha:0", "s1:1", system_name="alpha")
    nameless = said("alpha:0", "s1:1", system_name=None)
    assert Directory(TESTBED["nodes"], [other]).end(nameless).node.startswith("unknown ")


@given(st.text())
def test_cleaned_text_is_short_and_can_be_printed(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert len(shown) <= TEXT_MAX


def test_text_that_is_short_and_can_be_printed_is_kept() -> None:
    assert clean("Ethernet1/3 to Zürich") == "Ethernet1/3 to Zürich"
    assert clean("a\x1b[2Jb\u202e") == r"a\x1b[2Jb\u202e"
