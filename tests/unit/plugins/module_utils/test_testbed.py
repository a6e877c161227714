# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole inventory: one that describes a testbed, and what is said about each way of spoiling it."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._testbed import TestbedError, compile_testbed

Hostvars = dict[str, dict[str, t.Any]]

GROUPS = {"machines": ["pocket"], "end_hosts": ["alpha", "beta"], "network_switches": ["s1", "s2"]}
SHARED: dict[str, t.Any] = {
    "testbed_name": "pocket",
    "testbed_links": [["alpha:0", "s1:1"], ["s1:2", "s2:1"], ["s2:2", "beta:0"]],
    "testbed_rules": [
        {
            "from": "alpha-vm-01",
            "to": "beta-vm-02",
            "protocol": "udp",
            "source_port": 40000,
            "destination_port": 7,
            "tags": [21, 21, 2],
            "rate_bps": 10**7,
            "burst_bits": 200_000,
        },
        {
            "from": "beta-vm-02",
            "to": "alpha-vm-01",
            "protocol": "icmp",
            "tags": [11, 11, 1],
            "rate_bps": 10**6,
            "burst_bits": 100_000,
        },
    ],
}
OWN: Hostvars = {
    "alpha": {
        "testbed_management_address": "127.0.0.11",
        "testbed_vms": [
            {"id": 0, "address": "10.20.0.10/24"},
            {"id": 1, "address": "10.20.0.11/24", "address_v6": "fd20::11/64", "vcpus": 2},
        ],
    },
    "beta": {
        "testbed_management_address": "127.0.0.12",
        "testbed_vms": [{"id": 2, "address": "10.20.0.22/24", "address_v6": "fd20::22/64"}],
    },
    "s1": {},
    "s2": {},
    "pocket": {"ansible_connection": "local"},
}


@pytest.fixture
def hostvars() -> Hostvars:
    """Return variables that have nothing in common, so that each test can spoil its own."""
    return {host: copy.deepcopy(SHARED | variables) for host, variables in OWN.items()}


def faults(hostvars: Hostvars, groups: dict[str, list[str]] | None = None) -> list[str]:
    with pytest.raises(TestbedError) as caught:
        compile_testbed(hostvars, GROUPS if groups is None else groups)
    return caught.value.faults


def everywhere(hostvars: Hostvars, change: t.Callable[[dict[str, t.Any]], object]) -> Hostvars:
    for variables in hostvars.values():
        change(variables)
    return hostvars


def test_gives_the_options_of_the_modules(hostvars: Hostvars) -> None:
    testbed = compile_testbed(hostvars, GROUPS)
    assert testbed["name"] == "pocket"
    assert testbed["network_switches"] == ["s1", "s2"]
    assert testbed["links"] == [
        {"ends": ends, "speed_bps": None, "mtu": None} for ends in SHARED["testbed_links"]
    ]
    assert testbed["end_hosts"]["beta"] == {
        "control_socket": "/run/detnet-testbed/beta/control/switch.sock",
        "vms": [
            {
                "id": 2,
                "name": "beta-vm-02",
                "memory_mib": 256,
                "vcpus": 1,
                "interfaces": [
                    {
                        "mac": "02:f4:4e:64:e7:02",
                        "socket": "/run/detnet-testbed/beta/vhost/vm-02.sock",
                        "socket_server": "switch",
                        "address": "10.20.0.22/24",
                        "address_v6": "fd20::22/64",
                        "mtu": 1500,
                    }
                ],
            }
        ],
        "cores": [{"vm": 2, "vcpus": 1, "memory_mib": 256}],
        "ports": [{"vm": 2, "mac": "02:f4:4e:64:e7:02", "socket_server": "switch"}],
        "rules": [
            {
                "vm": 2,
                "priority": 0,
                "protocol": 1,
                "source_ip": "10.20.0.22",
                "destination_ip": "10.20.0.11",
                "source_port": 0,
                "destination_port": 0,
                "tags": [11, 11, 1],
                "tpid": "802.1Q",
                "mode": "shape",
                "rate_bps": 1000000,
                "burst_bits": 100000,
                "queue_packets": 1024,
                "queue_bytes": 1048576,
            }
        ],
    }


def test_tells_where_a_guest_is_reached(hostvars: Hostvars) -> None:
    assert compile_testbed(hostvars, GROUPS)["guests"]["alpha-vm-01"] == {
        "end_host": "alpha",
        "id": 1,
        "mac": "02:8e:d3:f6:ad:01",
        "ip": "10.20.0.11",
        "ip_v6": "fd20::11",
        "management_address": "127.0.0.11",
        "management_port": 20001,
    }


def test_names_the_ends_of_each_rule(hostvars: Hostvars) -> None:
    rules = compile_testbed(hostvars, GROUPS)["rules"]
    assert [(rule["host"], rule["from"], rule["to"], rule["protocol"]) for rule in rules] == [
        ("alpha", "alpha-vm-01", "beta-vm-02", 17),
        ("beta", "beta-vm-02", "alpha-vm-01", 1),
    ]


FLOW = {"from": "alpha-vm-01", "to": "beta-vm-02", "tags": [21, 21, 2]}


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        pytest.param(
            FLOW,
            {"source_ip": "10.20.0.11", "destination_ip": "10.20.0.22"},
            id="every-packet-between-the-ends",
        ),
        pytest.param(
            FLOW | {"protocol": "udp", "destination_port": 7, "family": "ipv6"},
            {"protocol": 17, "source_ip": "fd20::11", "destination_ip": "fd20::22", "destination_port": 7},
            id="ipv6-from-any-port",
        ),
        pytest.param(
            FLOW | {"ether_type": "ptp", "destination_mac": "01:1b:19:00:00:00"},
            {"ether_type": 0x88F7, "destination_mac": "01:1b:19:00:00:00"},
            id="frames-of-a-type",
        ),
    ],
)
def test_a_rule_matches_what_it_says(
    hostvars: Hostvars, rule: dict[str, t.Any], match: dict[str, t.Any]
) -> None:
    everywhere(hostvars, lambda variables: variables.update(testbed_rules=[rule]))
    [form] = compile_testbed(hostvars, GROUPS)["end_hosts"]["alpha"]["rules"]
    assert form == {"vm": 1, "priority": 0, **match, "tags": [21, 21, 2], "tpid": "802.1Q", "mode": "off"}


def test_a_rule_takes_the_shapers_terms(hostvars: Hostvars) -> None:
    terms = {"mode": "shape", "rate_bps": 5, "burst_bits": 6, "queue_packets": 7, "queue_bytes": 8}
    extra = {"tpid": "802.1ad", "priority": 9}
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(terms | extra))
    [form] = compile_testbed(hostvars, GROUPS)["end_hosts"]["alpha"]["rules"]
    assert (terms | extra).items() <= form.items()


@pytest.mark.parametrize("tags", [pytest.param(None, id="no-tags"), pytest.param([], id="an-empty-list")])
@pytest.mark.parametrize("vm", [1, 0])
def test_a_rule_within_an_end_host_names_the_vm(hostvars: Hostvars, tags: list[int] | None, vm: int) -> None:
    change = {"from": f"alpha-vm-0{1 - vm}", "to": f"alpha-vm-0{vm}", "tags": tags}
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(change))
    [form] = compile_testbed(hostvars, GROUPS)["end_hosts"]["alpha"]["rules"]
    assert (form["vm"], form["destination_vm"], form["tags"]) == (1 - vm, vm, [])


def test_the_mtu_is_that_of_all_guests(hostvars: Hostvars) -> None:
    everywhere(hostvars, lambda variables: variables.update(testbed_mtu=9000))
    end_hosts = compile_testbed(hostvars, GROUPS)["end_hosts"]
    assert {vm["interfaces"][0]["mtu"] for host in end_hosts.values() for vm in host["vms"]} == {9000}


def test_takes_what_the_inventory_overrides(hostvars: Hostvars) -> None:
    hostvars["alpha"] |= {
        "testbed_mac_prefix": "02:AA:00:00:00",
        "testbed_vhost_server": "qemu",
        "testbed_run_dir": "/run/x",
    }
    vm = compile_testbed(hostvars, GROUPS)["end_hosts"]["alpha"]["vms"][1]
    (interface,) = vm["interfaces"]
    assert interface["mac"] == "02:aa:00:00:00:01"
    assert interface["socket"] == "/run/x/alpha/vhost/vm-01.sock"
    assert (interface["socket_server"], vm["vcpus"]) == ("qemu", 2)


def test_more_ids_are_there_for_an_end_host_that_has_them(hostvars: Hostvars) -> None:
    hostvars["alpha"]["testbed_max_vm_id"] = 255
    for host in ("alpha", "beta"):
        hostvars[host]["testbed_vms"].append({"id": 255, "address": f"10.20.0.2{len(host)}/24"})
    (fault,) = faults(hostvars)
    assert fault.startswith("beta: testbed_vms[")
    assert fault.endswith("id is 255; choose 0 to 64, or raise testbed_max_vm_id")
    hostvars["beta"]["testbed_vms"].pop()
    assert compile_testbed(hostvars, GROUPS)["end_hosts"]["alpha"]["vms"][-1]["name"] == "alpha-vm-255"


@pytest.mark.parametrize(
    ("host", "variable", "value", "fault"),
    [
        pytest.param(
            "alpha",
            "testbed_vm",
            [],
            "testbed_vm is no variable of a testbed; did you mean testbed_vms?",
            id="typo",
        ),
        pytest.param(
            "alpha",
            "testbed_management_address",
            None,
            "testbed_management_address is not set; give an IPv4 address of the machine, such as 127.0.0.11",
            id="no-management-address",
        ),
        pytest.param(
            "beta",
            "testbed_management_address",
            "server.example.org",
            "testbed_management_address is 'server.example.org'; give an IPv4 address",
            id="a-name-for-an-address",
        ),
        pytest.param("beta", "testbed_vms", {}, "testbed_vms is {}; give a list", id="vms-that-are-no-list"),
        pytest.param(
            "beta",
            "testbed_mtu",
            9000,
            "testbed_mtu differs from that of alpha; set it once, in group_vars/all",
            id="two-mtus",
        ),
        pytest.param(
            "alpha",
            "testbed_vhost_server",
            "vm",
            "testbed_vhost_server is 'vm'; choose switch or qemu",
            id="vhost-server",
        ),
        pytest.param(
            "alpha",
            "testbed_max_vm_id",
            256,
            "testbed_max_vm_id is 256; choose 0 to 255, for an id is the last byte of a MAC address",
            id="ids-beyond-a-byte",
        ),
        pytest.param(
            "alpha",
            "testbed_max_vm_id",
            "99",
            "testbed_max_vm_id is '99'; choose 0 to 255",
            id="limit-as-text",
        ),
        pytest.param(
            "alpha",
            "testbed_controller",
            "yes",
            "testbed_controller is 'yes'; choose true or false",
            id="a-controller-by-a-word",
        ),
        pytest.param(
            "alpha",
            "testbed_run_dir",
            "run",
            "testbed_run_dir is 'run'; give an absolute path",
            id="a-relative-path",
        ),
        pytest.param(
            "alpha",
            "testbed_run_dir",
            "/run/" + "x" * 80,
            f"the socket path /run/{'x' * 80}/alpha/dpdk/switch/dpdk_telemetry.v2 has 121 bytes; "
            "choose a testbed_run_dir that leaves at most 107",
            id="a-path-too-long-for-a-socket",
        ),
        pytest.param(
            "alpha",
            "testbed_mac_prefix",
            "0x:11:22:33:44",
            "testbed_mac_prefix is '0x:11:22:33:44'; give five bytes of a unicast address",
            id="a-mac-prefix-that-is-no-number",
        ),
        pytest.param(
            "alpha",
            "testbed_mac_prefix",
            "03:11:22:33:44",
            "testbed_mac_prefix is '03:11",
            id="a-multicast-mac-prefix",
        ),
        pytest.param(
            "beta",
            "testbed_name",
            "other",
            "testbed_name differs from that of alpha; set it once, in group_vars/all",
            id="two-names-of-one-testbed",
        ),
    ],
)
def test_refuses_a_variable(
    *, hostvars: Hostvars, host: str, variable: str, value: t.Any, fault: str
) -> None:
    everywhere(hostvars, lambda variables: variables["testbed_rules"].clear())
    hostvars[host][variable] = value
    found = faults(hostvars)
    assert len(found) == 1
    assert found[0].startswith(f"{host}: {fault}")


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        pytest.param(
            "testbed_name", "a b", "testbed_name is 'a b'; use a-z, 0-9 and, between them, hyphens", id="name"
        ),
        pytest.param(
            "testbed_rules", "none", "testbed_rules is 'none'; give a list", id="rules-that-are-no-list"
        ),
        pytest.param("testbed_links", None, "testbed_links is not set; give a list", id="no-links"),
        pytest.param(
            "testbed_mtu", 9001, "testbed_mtu is 9001; choose 1280 to 9000 bytes", id="mtu-too-large"
        ),
        pytest.param(
            "testbed_mtu", "9000", "testbed_mtu is '9000'; choose 1280 to 9000 bytes", id="mtu-as-text"
        ),
        pytest.param(
            "testbed_rule",
            [],
            "alpha, beta, s1, s2, pocket: testbed_rule is no variable of a testbed; did you mean testbed_rules?",
            id="an-unknown-variable-of-all",
        ),
    ],
)
def test_tells_a_fault_of_all_hosts_once(hostvars: Hostvars, variable: str, value: t.Any, fault: str) -> None:
    everywhere(hostvars, lambda variables: variables["testbed_rules"].clear())
    assert faults(everywhere(hostvars, lambda variables: variables.update({variable: value}))) == [fault]


@pytest.mark.parametrize(
    ("vm", "fault"),
    [
        pytest.param(
            {"id": 1, "address": "10.20.0.13/24"},
            "alpha: VM id 1 is used twice (testbed_vms[1], testbed_vms[2]); give each VM of a host its own id",
            id="an-id-twice",
        ),
        pytest.param(
            {"id": 65, "address": "10.20.0.13/24"},
            "alpha: testbed_vms[2]: id is 65; choose 0 to 64, or raise testbed_max_vm_id",
            id="id-65",
        ),
        pytest.param(
            {"id": -1, "address": "10.20.0.13/24"},
            "alpha: testbed_vms[2]: id is -1; choose 0 to 64, or raise testbed_max_vm_id",
            id="a-negative-id",
        ),
        pytest.param(
            {"id": "3", "address": "10.20.0.13/24"},
            "alpha: testbed_vms[2]: id is '3'; choose 0 to 64, or raise testbed_max_vm_id",
            id="text-as-id",
        ),
        pytest.param(
            {"address": "10.20.0.13/24"}, "alpha: testbed_vms[2]: id is missing; add it", id="no-id"
        ),
        pytest.param({"id": 3}, "alpha: testbed_vms[2]: address is missing; add it", id="no-address"),
        pytest.param("3", "alpha: testbed_vms[2]: '3' is no mapping; give id, address", id="no-mapping"),
        pytest.param(
            {"id": 3, "address": "10.20.0.13/24", "memory": 512},
            "alpha: testbed_vms[2]: unknown key 'memory'; did you mean memory_mib?",
            id="an-unknown-key",
        ),
        pytest.param(
            {"id": 3, "address": "10.20.0.13/24", "vcpus": 0},
            "alpha: testbed_vms[2]: vcpus is 0; give a number above 0",
            id="no-cpu",
        ),
        *(
            pytest.param(
                {"id": 3, "address": address},
                f"alpha: testbed_vms[2]: address is '{address}'; "
                "give an IPv4 address and prefix, such as 10.20.0.11/24",
                id=name,
            )
            for address, name in (
                ("10.20.0.13", "no-prefix"),
                ("10.20.0/24", "no-whole-address"),
                ("10.20.0.13/33", "prefix-33"),
                ("fd00::13/64", "ipv6"),
                ("10.20.0.0/24", "the-network-itself"),
                ("10.20.0.255/24", "the-broadcast-address"),
            )
        ),
        *(
            pytest.param(
                {"id": 3, "address": "10.20.0.13/24", "address_v6": address},
                f"alpha: testbed_vms[2]: address_v6 is '{address}'; "
                "give an IPv6 address and prefix, such as fd20::11/64",
                id=name,
            )
            for address, name in (
                ("fd20::13", "v6-without-prefix"),
                ("10.20.0.14/24", "v4-as-v6"),
                ("fe80::1%x/64", "zone"),
            )
        ),
        pytest.param(
            {"id": 3, "address": "10.20.0.13/24", "address_v6": "fd20::22/64"},
            "beta-vm-02: its address fd20::22 is also that of alpha-vm-03; give each VM its own",
            id="an-ipv6-address-of-another-host",
        ),
        pytest.param(
            {"id": 3, "address": "10.20.0.22/24"},
            "beta-vm-02: its address 10.20.0.22 is also that of alpha-vm-03; give each VM its own",
            id="an-address-of-another-host",
        ),
    ],
)
def test_refuses_a_vm(hostvars: Hostvars, vm: t.Any, fault: str) -> None:
    hostvars["alpha"]["testbed_vms"].append(vm)
    assert faults(hostvars) == [fault]


def test_refuses_one_mac_address_for_two_vms(hostvars: Hostvars) -> None:
    hostvars["alpha"]["testbed_vms"].append({"id": 2, "address": "10.20.0.12/24"})
    for host in GROUPS["end_hosts"]:
        hostvars[host]["testbed_mac_prefix"] = "02:00:00:00:00"
    assert faults(hostvars) == [
        "beta-vm-02: its MAC address 02:00:00:00:00:02 is also that of alpha-vm-02; "
        "give each end host its own testbed_mac_prefix"
    ]


@pytest.mark.parametrize(
    ("addresses", "machines", "taken"),
    [
        pytest.param(["127.0.0.11", "127.0.0.12"], ["pocket"], None, id="two-addresses-of-one-machine"),
        pytest.param(["127.0.0.11"] * 2, ["pocket"], "127.0.0.11", id="one-address-of-one-machine"),
        pytest.param(["0.0.0.0", "127.0.0.12"], ["pocket"], "0.0.0.0", id="all-addresses-of-one-machine"),  # noqa: S104
        pytest.param(["0.0.0.0"] * 2, ["alpha", "beta"], None, id="all-addresses-of-two-machines"),  # noqa: S104
    ],
)
def test_management_endpoints_differ_on_one_machine(
    hostvars: Hostvars, addresses: list[str], machines: list[str], taken: str | None
) -> None:
    hostvars["alpha"]["testbed_vms"].append({"id": 2, "address": "10.20.0.12/24"})
    for host, address in zip(GROUPS["end_hosts"], addresses, strict=True):
        hostvars[host]["testbed_management_address"] = address
    groups = GROUPS | {"machines": machines}
    if taken is None:
        assert compile_testbed(hostvars, groups)
    else:
        assert faults(hostvars, groups) == [
            f"beta-vm-02: its management endpoint {taken}:20002 is also that of alpha-vm-02; "
            "give each end host of a machine its own testbed_management_address"
        ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(
            {"from": "alpha-vm-1"},
            "from is 'alpha-vm-1', which is no VM; did you mean alpha-vm-01?",
            id="from",
        ),
        pytest.param(
            {"to": "beta-vm-01"}, "to is 'beta-vm-01', which is no VM; did you mean beta-vm-02?", id="to"
        ),
        pytest.param({"to": None}, "to is missing; add it", id="nowhere"),
        pytest.param(
            {"to": "alpha-vm-01"},
            "it leads from a VM to itself; choose another VM as one of its ends",
            id="to-itself",
        ),
        pytest.param(
            {"protocol": "ucp"},
            "protocol is 'ucp'; choose icmp, tcp, udp, icmpv6 or a number",
            id="protocol-typo",
        ),
        pytest.param({"family": "ip6"}, "family is 'ip6'; choose ipv4 or ipv6", id="family"),
        pytest.param(
            {"family": "ipv6", "from": "alpha-vm-00"},
            "alpha-vm-00 has no address_v6, which a rule for ipv6 needs; give it one",
            id="no-ipv6-address",
        ),
        pytest.param(
            {"ether_type": "ptp"},
            "ether_type is ptp, which has no protocol and no source_port and no destination_port; "
            "leave one of them out",
            id="ptp-with-ports",
        ),
        pytest.param(
            {
                "ether_type": "ptp",
                "family": "ipv4",
                **dict.fromkeys(("protocol", "source_port", "destination_port")),
            },
            "ether_type is 'ptp', so no address is matched; leave out family or ether_type",
            id="ptp-with-a-family",
        ),
        pytest.param(
            {"destination_vm": 1}, "unknown key 'destination_vm'; did you mean", id="a-key-that-follows"
        ),
        pytest.param({"mode": "drop"}, "mode is 'drop'; choose shape, police, off", id="mode"),
        pytest.param(
            {"tags": []},
            "tags is []; list one tag per network switch on the path, then the destination VM's id",
            id="no-tags",
        ),
        pytest.param(
            {"protocol": "icmp", "source_port": None},
            "destination_port is 7, but protocol icmp has no ports; leave it out",
            id="icmp-with-a-port",
        ),
        pytest.param({"rate": 5}, "unknown key 'rate'; did you mean rate_bps?", id="an-unknown-key"),
        pytest.param(
            {"rate_bps": None}, "burst_bits is 200000, but rate_bps is not given; add it", id="no-rate"
        ),
        pytest.param({"tags": [21, 5000, 2]}, "tags[1] is 5000; choose 1 to 4094", id="tag-5000"),
        pytest.param(
            {"tags": [21] * 11}, "tags has 11 tags; choose a path with at most 10", id="eleven-tags"
        ),
        pytest.param(
            {"tags": [21, 21, 3]},
            "the last tag is 3, but beta-vm-02 has the id 2; end the tags with it",
            id="last-tag",
        ),
        pytest.param(
            {"tags": [11, 2]},
            "the tags [11, 2] lead along alpha > s1: s1 sends no frame back out of the port s1:1 that it came in by; "
            "beta is reached by s1:2, s2:2 (tag = port * 10 + queue)",
            id="tags-back-to-where-they-came-from",
        ),
        pytest.param(
            {"tags": [21, 31, 2]},
            "the tags [21, 31, 2] lead along alpha > s1 > s2: s2:3 has no link",
            id="an-open-port",
        ),
        pytest.param(
            {"tags": [21, 2]},
            "the tags [21, 2] lead along alpha > s1 > s2: s2 is a network switch, and the last tag is not for it",
            id="a-tag-too-few",
        ),
        pytest.param(
            {"tags": [21, 21, 21, 2]},
            "the tags [21, 21, 21, 2] lead along alpha > s1 > s2 > beta: beta gets the tags [21, 2], "
            "and only the last is for it",
            id="a-tag-too-many",
        ),
    ],
)
def test_refuses_a_rule(hostvars: Hostvars, change: dict[str, t.Any], fault: str) -> None:
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(change))
    rule = SHARED["testbed_rules"][0] | change
    found = faults(hostvars)
    assert len(found) == 1
    assert found[0].startswith(f"testbed_rules[0] ({rule['from']} > {rule['to']}): {fault}")


@pytest.mark.parametrize(
    "tags", [pytest.param([1], id="by-the-id-alone"), pytest.param([11, 1], id="by-a-switch")]
)
def test_refuses_tags_within_an_end_host(hostvars: Hostvars, tags: list[int]) -> None:
    change = {"from": "alpha-vm-00", "to": "alpha-vm-01", "tags": tags}
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(change))
    assert faults(hostvars) == [
        f"testbed_rules[0] (alpha-vm-00 > alpha-vm-01): tags is {tags}, but both VMs are on alpha, whose tagging "
        "switch delivers between them; leave the tags out"
    ]


def test_refuses_a_rule_to_vm_0(hostvars: Hostvars) -> None:
    everywhere(hostvars, lambda variables: variables["testbed_rules"][1].update(to="alpha-vm-00"))
    assert faults(hostvars) == [
        "testbed_rules[1] (beta-vm-02 > alpha-vm-00): no tag stands for VM 0, so no rule leads to it; "
        "choose a destination with another id"
    ]


def test_refuses_a_rule_between_two_networks(hostvars: Hostvars) -> None:
    hostvars["beta"]["testbed_vms"][0]["address"] = "10.20.0.22/16"
    assert faults(hostvars)[0] == (
        "testbed_rules[0] (alpha-vm-01 > beta-vm-02): its ends 10.20.0.11/24 and 10.20.0.22/16 are in different "
        "networks; give both VMs addresses of one network"
    )


def test_refuses_tags_to_another_end_host(hostvars: Hostvars) -> None:
    hostvars["gamma"] = copy.deepcopy(SHARED) | {"testbed_management_address": "127.0.0.13"}
    everywhere(hostvars, lambda variables: variables["testbed_links"].append(["s1:3", "gamma:0"]))
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(tags=[31, 2]))
    assert faults(hostvars, GROUPS | {"end_hosts": ["alpha", "beta", "gamma"]}) == [
        "testbed_rules[0] (alpha-vm-01 > beta-vm-02): the tags [31, 2] lead along alpha > s1 > gamma: "
        "gamma is not the destination's end host; beta is reached by s1:2, s2:2 (tag = port * 10 + queue)"
    ]


def test_refuses_two_rules_with_one_match(hostvars: Hostvars) -> None:
    twin = SHARED["testbed_rules"][0] | {"protocol": 17, "rate_bps": 5}
    everywhere(hostvars, lambda variables: variables["testbed_rules"].append(twin))
    assert faults(hostvars) == [
        "testbed_rules[2] (alpha-vm-01 > beta-vm-02): it matches the same frames as "
        "testbed_rules[0] (alpha-vm-01 > beta-vm-02); keep one of them"
    ]


def test_says_that_a_way_is_missing(hostvars: Hostvars) -> None:
    everywhere(hostvars, lambda variables: variables["testbed_links"].pop(1))
    assert faults(hostvars)[0].endswith("alpha > s1: s1:2 has no link; link alpha with beta by testbed_links")


def test_a_fault_of_a_vm_is_not_told_again_by_its_rules(hostvars: Hostvars) -> None:
    hostvars["beta"]["testbed_vms"][0]["address"] = "nonsense"
    assert len(faults(hostvars)) == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(
            "Alpha", "the name is no host name; use a-z, 0-9 and, between them, hyphens", id="a-capital"
        ),
        pytest.param("a.b", "the name is no host name; use a-z, 0-9 and, between them, hyphens", id="a-dot"),
        pytest.param(
            "-a", "the name is no host name; use a-z, 0-9 and, between them, hyphens", id="a-hyphen-first"
        ),
        pytest.param(
            "a" * 58, "the name has 58 characters; choose one with at most 57", id="too-long-for-a-guest"
        ),
        pytest.param(
            "s1", "it is an end host and a network switch; give each a name of its own", id="two-roles"
        ),
    ],
)
def test_refuses_a_name(hostvars: Hostvars, name: str, fault: str) -> None:
    hostvars[name] = SHARED | {"testbed_management_address": "127.0.0.13"}
    assert f"{name}: {fault}" in faults(hostvars, GROUPS | {"end_hosts": ["alpha", "beta", name]})


def test_refuses_an_inventory_without_end_hosts(hostvars: Hostvars) -> None:
    assert faults(hostvars, {}) == ["the group end_hosts has no host; name the servers that run VMs there"]


def test_tells_all_faults_at_once(hostvars: Hostvars) -> None:
    hostvars["alpha"]["testbed_vms"][0]["id"] = 99
    hostvars["beta"]["testbed_vhost_server"] = "vm"
    everywhere(hostvars, lambda variables: variables["testbed_links"].append("x"))
    everywhere(hostvars, lambda variables: variables["testbed_rules"][0].update(rate_bps=0, burst_bits=0))
    assert len(faults(hostvars)) == 5


def test_says_what_the_nodes_are(hostvars: Hostvars) -> None:
    hostvars["s1"]["testbed_ports"] = {1: "Ethernet0", "2": "Ethernet192"}
    nodes = compile_testbed(hostvars, GROUPS)["nodes"]
    assert nodes["alpha"] == {"kind": "end_host", "management_address": "127.0.0.11"}
    assert nodes["s1"]["ports"] == {"Ethernet0": 1, "Ethernet192": 2}
    assert nodes["s2"]["kind"] == "network_switch"
    assert nodes["s1"]["chassis_id"] != nodes["s2"]["chassis_id"]


@pytest.mark.parametrize(
    ("ports", "fault"),
    [
        pytest.param(["Ethernet0"], "s1: testbed_ports is ['Ethernet0']; give names", id="a list"),
        pytest.param(
            {0: "Ethernet0"}, "s1: testbed_ports[0]: a network switch has the ports 1 to 409", id="0"
        ),
        pytest.param(
            {"x": "Ethernet0"}, "s1: testbed_ports[x]: a network switch has the ports", id="no number"
        ),
        pytest.param({1: 7}, "s1: testbed_ports[1] is 7; give the interface's name", id="no name"),
        pytest.param({1: "a", 2: "a"}, "s1: testbed_ports[2]: a is port 1 too", id="one name for two"),
    ],
)
def test_refuses_ports(hostvars: Hostvars, ports: t.Any, fault: str) -> None:
    hostvars["s1"]["testbed_ports"] = ports
    (found,) = faults(hostvars)
    assert found.startswith(fault)
