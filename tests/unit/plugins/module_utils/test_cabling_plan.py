# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hosts listen and speak for the topology, and to whom belongs what they heard."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter import topology_observations, topology_plan
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import mac_prefix
from cablings import PORT, compiled, said

TESTBED = compiled(("alpha:0", "s1:1"), ("s1:2", "s2:1"), ("s2:2", "beta:0"), s2={"Ethernet192": 49})
plan = topology_plan.FilterModule().filters()["topology_plan"]
observations = topology_observations.FilterModule().filters()["topology_observations"]


def test_the_machine_of_a_pocket_fabric_speaks_for_its_network_switches() -> None:
    found = plan(TESTBED, "pocket", ["lo", "s1", "s1-1", "s2-2", "s9-1", "alpha-1x", "s1-"])
    assert found == {
        "interfaces": ["s1-1", "s2-2"],
        "announce": [
            {
                "interface": f"{switch}-{port}",
                "system_name": switch,
                "chassis_id": f"{mac_prefix(switch)}:00",
                "port_description": f"port {port} of {switch}",
            }
            for switch, port in (("s1", 1), ("s2", 2))
        ],
    }


def test_a_network_switch_speaks_for_itself() -> None:
    found = plan(TESTBED, "s2", ["lo", "eth0", "Ethernet192", "Ethernet49", "Ethernet4"])
    assert found == {"interfaces": ["Ethernet192", "Ethernet4"], "announce": []}


def test_a_host_without_a_port_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="no interface of it that is up is a port of s1, s2"):
        plan(TESTBED, "pocket", ["lo", "eth0"])


def test_what_the_machine_heard_belongs_to_its_network_switches() -> None:
    heard = {
        "alpha": {"interfaces": {"uplink": PORT}, "neighbors": [said("alpha:0", "s1:1")]},
        "pocket": {"interfaces": {"s1-1": PORT}, "neighbors": [said("s1:1", "alpha:0")]},
    }
    assert observations(heard, TESTBED) == [
        {
            "node": "alpha",
            "kind": "end_host",
            "ports": {"uplink": PORT},
            "neighbors": [said("alpha:0", "s1:1")],
        },
        {
            "node": "s1",
            "kind": "network_switch",
            "ports": {"s1-1": PORT},
            "neighbors": [said("s1:1", "alpha:0")],
        },
        {"node": "s2", "kind": "network_switch", "ports": {}, "neighbors": []},
    ]
