# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules switch_port, switch_rule and switch_info against a real tagging switch, without guests."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest
from switch_fixtures import MACS, REPOSITORY, Switch, running

PORTS = [{"vm": vm, "mac": MACS[vm]} for vm in (1, 2, 3)]
UDP: dict[str, t.Any] = {
    "vm": 1,
    "protocol": "udp",
    "source_ip": "10.20.0.11",
    "destination_ip": "10.20.0.21",
    "source_port": 5000,
    "destination_port": 6000,
    "tags": [21, 21, 1],
    "rate_bps": 10**7,
    "burst_bits": 120_000,
}
ICMP = {key: value for key, value in UDP.items() if not key.endswith("_port")} | {"protocol": "icmp"}
UDP_LINE = "vm 1 udp 10.20.0.11:5000 > 10.20.0.21:6000 tags 21,21,1 rate 10000000 bit/s burst 120000 bit\n"


# One of each form that a rule may have.
FORMS: dict[str, dict[str, t.Any]] = {
    "any-frame": {"vm": 1, "tags": [1]},
    "ether-type-by-name": {"vm": 1, "ether_type": "ptp", "tags": [1]},
    "destination-mac": {"vm": 1, "destination_mac": "01:1B:19:00:00:00", "tags": [1]},
    "prefixes": {
        "vm": 1,
        "source_ip": "10.0.0.0/8",
        "destination_ip": "10.20.0.0/16",
        "tags": [1],
        "priority": 7,
    },
    "ipv6": UDP | {"source_ip": "FD20:0::11", "destination_ip": "fd20::21"},
    "one-port": {"vm": 1, "protocol": "udp", "destination_port": 53, "tags": [1]},
    "icmpv6": {"vm": 1, "protocol": "icmpv6", "tags": [1]},
    "police": UDP | {"source_port": 1, "mode": "police"},
    "only-tags": {key: UDP[key] for key in UDP if key not in ("rate_bps", "burst_bits")} | {"source_port": 2},
    "only-shaping": UDP | {"source_port": 3, "tags": []},
    "own-queue": UDP | {"source_port": 4, "queue_packets": 9, "queue_bytes": 9000},
    "802.1ad": UDP | {"source_port": 5, "tpid": "802.1ad"},
    "to-a-vm": UDP | {"source_port": 6, "tags": [], "destination_vm": 2},
}


class Modules:
    """Runs a module as Ansible does on the target host: a Python process with its arguments."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def run(self, name: str, *, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        internal = {"_ansible_check_mode": check_mode, "_ansible_diff": True}
        given = {"ANSIBLE_MODULE_ARGS": {"socket": str(self.switch.socket)} | arguments | internal}
        done = subprocess.run(
            [sys.executable, "-m", f"ansible_collections.detnet.testbed.plugins.modules.{name}"],
            input=json.dumps(given),
            env={"PYTHONPATH": str(REPOSITORY / "build" / "collections")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout, done.stderr
        result: dict[str, t.Any] = json.loads(done.stdout)
        return result

    def ports(
        self, ports: list[dict[str, t.Any]], state: str = "present", **options: t.Any
    ) -> dict[str, t.Any]:
        return self.run("switch_port", ports=ports, state=state, **options)

    def rules(
        self, rules: list[dict[str, t.Any]], state: str = "present", **options: t.Any
    ) -> dict[str, t.Any]:
        return self.run("switch_rule", rules=rules, state=state, **options)

    def info(self) -> dict[str, t.Any]:
        return self.run("switch_info")


@pytest.fixture
def modules(tmp_path: pathlib.Path) -> t.Iterator[Modules]:
    with running(Switch(tmp_path)) as switch:
        yield Modules(switch)


def test_ports_and_rules_come_and_go(modules: Modules) -> None:
    predicted = modules.ports(PORTS, check_mode=True)
    assert modules.info()["ports"] == []
    made = modules.ports(PORTS)
    assert made["changed"]
    assert (predicted["changed"], predicted["ports"], predicted["diff"]) == (
        True,
        made["ports"],
        made["diff"],
    )
    assert not modules.ports(PORTS)["changed"]
    assert not modules.ports(PORTS, state="exact", check_mode=True)["changed"]

    predicted = modules.rules([UDP, ICMP], check_mode=True)
    assert modules.info()["rules"] == []
    made = modules.rules([UDP, ICMP])
    assert made["changed"]
    assert (predicted["changed"], predicted["rules"], predicted["diff"]) == (
        True,
        made["rules"],
        made["diff"],
    )
    assert modules.info()["rules"] == made["rules"]
    assert not modules.rules([ICMP, UDP], state="exact")["changed"]

    assert modules.rules([UDP], state="exact")["changed"]
    assert [rule["protocol"] for rule in modules.info()["rules"]] == [17]
    assert modules.rules([UDP], state="absent")["diff"] == {"before": UDP_LINE, "after": ""}
    assert not modules.rules([UDP], state="absent")["changed"]

    assert modules.ports([{"vm": 2}], state="absent")["changed"]
    assert modules.ports(PORTS[:1], state="exact")["changed"]
    assert [port["vm"] for port in modules.info()["ports"]] == [1]


def test_an_update_shows_what_changed(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    modules.rules([UDP])
    faster = modules.rules([UDP | {"rate_bps": 2 * 10**7}])
    assert faster["diff"] == {"before": UDP_LINE, "after": UDP_LINE.replace("10000000", "20000000")}
    assert modules.info()["rules"] == faster["rules"]


def test_every_form_of_a_rule_is_recognized_again(modules: Modules) -> None:
    modules.ports(PORTS[:2])
    made = modules.rules(list(FORMS.values()))
    assert made["changed"], made
    listed = modules.info()["rules"]
    assert len(listed) == len(FORMS)
    assert sorted(map(str, listed)) == sorted(map(str, made["rules"]))
    assert not modules.rules(list(FORMS.values()))["changed"]
    assert not modules.rules(list(reversed(FORMS.values())), state="exact")["changed"]
    assert modules.rules(list(FORMS.values()), state="absent")["changed"]
    assert modules.info()["rules"] == []


def test_exact_is_one_change(modules: Modules) -> None:
    """However many rules come, go and stay."""
    modules.ports(PORTS[:1])
    modules.rules([UDP | {"source_port": port} for port in range(1, 200)])
    before = modules.info()["info"]["state"]["generation"]
    assert modules.rules([UDP | {"source_port": port} for port in range(100, 300)], state="exact")["changed"]
    assert modules.info()["info"]["state"]["generation"] == before + 1
    assert len(modules.info()["rules"]) == 200


def test_a_trace_names_the_rule_or_the_drop(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    modules.rules([UDP])
    packet = {
        key: UDP[key]
        for key in ("protocol", "source_ip", "destination_ip", "source_port", "destination_port")
    }
    traced = modules.run("switch_trace", vm=1, packet=packet)
    assert (traced["verdict"], traced["drop"]) == ("dropped", "no_uplink")
    traced = modules.run("switch_trace", vm=1, packet=packet | {"source_port": 1})
    assert (traced["verdict"], traced["drop"]) == ("dropped", "no_rule")
    assert not traced["changed"]


def test_information_has_the_documented_parts(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    modules.rules([UDP])
    found = modules.info()
    assert found["info"].keys() >= {
        "name",
        "version",
        "dpdk",
        "pid",
        "uptime_s",
        "idle_sleep_us",
        "data_cores",
    }
    assert (found["info"]["uplink"], found["info"]["ports"], found["info"]["rules"]) == (None, 1, 1)
    assert found["ports"][0].keys() >= {"vm", "mac", "socket", "socket_server", "connected"}
    assert found["stats"].keys() >= {"vms", "uplink", "rules"}
    assert found["stats"]["vms"][0].keys() >= {"vm", "from_vm", "to_vm", "drops"}
    assert found["stats"]["rules"][0].keys() >= {"vm", "protocol", "packets", "bytes", "drops"}


def test_a_rule_of_a_vm_without_a_port_is_refused_as_a_whole(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    refused = modules.rules([UDP, UDP | {"vm": 2}])
    assert refused["failed"]
    assert "VM 2 has no port; add it first" in refused["msg"]
    assert modules.info()["rules"] == []


def test_a_port_that_would_change_is_refused_and_by_exact_replaced(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    other = {"vm": 1, "mac": "02:00:00:00:00:99", "socket_server": "qemu"}
    assert "remove it first by state=absent" in modules.ports([other])["msg"]
    assert modules.ports([other], state="exact")["ports"] == [other]
    assert modules.info()["ports"][0]["mac"] == other["mac"]


def test_two_ports_may_swap_their_addresses(modules: Modules) -> None:
    modules.ports(PORTS[:2])
    swapped = [{"vm": 1, "mac": MACS[2]}, {"vm": 2, "mac": MACS[1]}]
    assert modules.ports(swapped, state="exact")["changed"]
    assert [port["mac"] for port in modules.info()["ports"]] == [MACS[2], MACS[1]]


def test_a_switch_that_was_killed_needs_no_change(modules: Modules) -> None:
    modules.ports(PORTS)
    modules.rules([UDP, ICMP])
    modules.switch.end(signal.SIGKILL)
    assert "nobody listens; start the tagging switch" in modules.info()["msg"]
    modules.switch.start()
    assert not modules.ports(PORTS, state="exact")["changed"]
    assert not modules.rules([UDP, ICMP], state="exact")["changed"]


def test_the_limits_of_the_modules_are_within_those_of_the_switch(modules: Modules) -> None:
    modules.ports([{"vm": 0, "mac": MACS[1]}, {"vm": 4094, "mac": MACS[2]}])
    lowest = UDP | {
        "vm": 0,
        "source_port": 0,
        "destination_port": 0,
        "tags": [1],
        "rate_bps": 1,
        "burst_bits": 1,
    }
    highest = UDP | {"vm": 4094, "source_port": 65535, "destination_port": 65535}
    highest |= {"tags": [4094] * 10, "rate_bps": 400 * 10**9, "burst_bits": 2**63 - 1}
    made = modules.rules([lowest, highest])
    assert modules.info()["rules"] == made["rules"]


def test_five_thousand_rules_take_a_few_requests(modules: Modules) -> None:
    modules.ports(PORTS[:1])
    rules = [UDP | {"source_port": 10_000 + n} for n in range(5000)]
    assert modules.rules(rules, state="exact")["changed"]
    assert not modules.rules(rules, state="exact")["changed"]
    assert modules.rules([], state="exact")["changed"]
    assert modules.info()["rules"] == []
