# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a testbed, testbed_*: which there are, their defaults, and what is wrong with them."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import re
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._fabric import MAX_PORT

Variables = t.Mapping[str, t.Any]

DEFAULTS: dict[str, t.Any] = {
    "testbed_flows": [],
    "testbed_links": [],
    "testbed_rules": [],
    "testbed_vms": [],
    "testbed_controller": False,
    "testbed_max_vm_id": 64,
    "testbed_mtu": 1500,
    "testbed_vhost_server": "switch",
    "testbed_run_dir": "/run/detnet-testbed",
}
# One value for the whole testbed.
SHARED = ("testbed_name", "testbed_links", "testbed_flows", "testbed_rules", "testbed_mtu")

# Those that only playbooks read.
PLAYBOOKS = (
    "testbed_cache_dir",
    "testbed_controller_dir",
    "testbed_end_host",
    "testbed_follows_traffic",
    "testbed_journey",
    "testbed_public_key",
    "testbed_results",
    "testbed_results_dir",
    "testbed_state_dir",
)

# Those that only network switches have.
OF_SWITCHES = ("testbed_ports",)

VM_IDS = range(256)  # the last byte of a MAC address
MAX_SOCKET_PATH = 107  # sun_path without its final zero, unix(7)
MAX_HOSTNAME = 63
MTU = range(1280, 9001)  # the least of IPv6, RFC 8200; the most of the tagging switch
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")  # a label of a host name, RFC 1123
NAME_WAY_OUT = "use a-z, 0-9 and, between them, hyphens"
MAC_PREFIX = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){4}")  # the first byte's lowest bit: multicast


def variable_faults(hostvars: t.Mapping[str, Variables], hosts: t.Iterable[str]) -> list[str]:
    """Return the variables testbed_* that nothing reads, each once."""
    known = (*CHECKS, *PLAYBOOKS, *OF_SWITCHES)
    unknown: dict[str, list[str]] = {}
    for host in dict.fromkeys(hosts):
        for name in hostvars[host]:
            if name.startswith("testbed_") and name not in known:
                unknown.setdefault(name, []).append(host)
    return [
        f"{', '.join(hosts)}: {name} is no variable of a testbed; {did_you_mean(name, known)}"
        for name, hosts in sorted(unknown.items())
    ]


def name_faults(end_hosts: list[str], switches: list[str]) -> list[str]:
    faults = [
        f"{name}: it is an end host and a network switch; give each a name of its own"
        for name in end_hosts
        if name in switches
    ]
    longest = MAX_HOSTNAME - len(vm_name("", DEFAULTS["testbed_max_vm_id"]))
    for name in (*end_hosts, *switches):
        if not NAME.fullmatch(name):
            faults.append(f"{name}: the name is no host name; {NAME_WAY_OUT}")
        if len(name) > longest:
            faults.append(f"{name}: the name has {len(name)} characters; choose one with at most {longest}")
    return faults


def is_name(value: t.Any) -> bool:
    return bool(NAME.fullmatch(str(value)))


def is_address(value: t.Any) -> bool:
    try:
        ipaddress.IPv4Address(str(value))
    except ValueError:
        return False
    return True


def is_mac_prefix(value: t.Any) -> bool:
    return bool(MAC_PREFIX.fullmatch(str(value).lower()))


def is_server(value: t.Any) -> bool:
    return value in ("switch", "qemu")


def is_absolute(value: t.Any) -> bool:
    return str(value).startswith("/")


def is_mtu(value: t.Any) -> bool:
    return isinstance(value, int) and value in MTU


def is_vm_id(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in VM_IDS


def is_bool(value: t.Any) -> bool:
    return isinstance(value, bool)


def is_list(value: t.Any) -> bool:
    return isinstance(value, list)


CHECKS: dict[str, tuple[t.Callable[[t.Any], bool], str]] = {
    "testbed_name": (is_name, NAME_WAY_OUT),
    "testbed_links": (is_list, "give a list"),
    "testbed_flows": (is_list, "give a list"),
    "testbed_rules": (is_list, "give a list"),
    "testbed_vms": (is_list, "give a list"),
    "testbed_controller": (is_bool, "choose true or false"),
    "testbed_max_vm_id": (
        is_vm_id,
        f"choose {VM_IDS[0]} to {VM_IDS[-1]}, for an id is the last byte of a MAC address",
    ),
    "testbed_mtu": (is_mtu, f"choose {MTU[0]} to {MTU[-1]} bytes"),
    "testbed_management_address": (is_address, "give an IPv4 address of the machine, such as 127.0.0.11"),
    "testbed_mac_prefix": (is_mac_prefix, "give five bytes of a unicast address, such as 02:8e:d3:f6:ad"),
    "testbed_vhost_server": (is_server, "choose switch or qemu"),
    "testbed_run_dir": (is_absolute, "give an absolute path"),
}


def check(settings: dict[str, t.Any], names: t.Iterable[str]) -> list[str]:
    """Return what is wrong with the named settings; a faulty list becomes empty, and a faulty limit the default one."""
    faults = []
    for name in names:
        value, (valid, way_out) = settings[name], CHECKS[name]
        if value is None:
            faults.append(f"{name} is not set; {way_out}")
        elif not valid(value):
            faults.append(f"{name} is {value!r}; {way_out}")
        if valid is is_list and not is_list(value):
            settings[name] = []
        if valid is is_vm_id and not is_vm_id(value):
            settings[name] = DEFAULTS[name]
    return faults


def read_settings(host: str, variables: Variables) -> tuple[dict[str, t.Any], list[str]]:
    """Return the variables testbed_* of an end host, and what is wrong with those of its own."""
    defaults = {**DEFAULTS, "testbed_mac_prefix": mac_prefix(host)}
    settings = {name: variables.get(name, defaults.get(name)) for name in CHECKS}
    faults = check(settings, [name for name in CHECKS if name not in SHARED])
    longest = max(
        control_socket(host, settings),
        vhost_socket(host, settings, settings["testbed_max_vm_id"]),
        telemetry_socket(host, settings),
        key=len,
    )
    if len(longest.encode()) > MAX_SOCKET_PATH:
        faults.append(
            f"the socket path {longest} has {len(longest.encode())} bytes; "
            f"choose a testbed_run_dir that leaves at most {MAX_SOCKET_PATH}"
        )
    return settings, [f"{host}: {fault}" for fault in faults]


def read_shared(settings: t.Mapping[str, Variables]) -> tuple[dict[str, t.Any], list[str]]:
    """Return the variables that all end hosts have in common, and what is wrong with them."""
    first, *others = settings
    shared = {name: settings[first][name] for name in SHARED}
    return shared, [
        f"{host}: {name} differs from that of {first}; set it once, in group_vars/all"
        for name in SHARED
        for host in others
        if settings[host][name] != shared[name]
    ] + check(shared, SHARED)


def read_ports(switch: str, variables: Variables) -> tuple[dict[str, int], list[str]]:
    """Return the numbers of a network switch's ports by the names that it has for them, and what is wrong with them."""
    given = variables.get("testbed_ports", {})
    if not isinstance(given, dict):
        return {}, [f"{switch}: testbed_ports is {given!r}; give names of interfaces by their numbers"]
    numbers: dict[str, int] = {}
    faults = []
    for key, name in given.items():
        where = f"{switch}: testbed_ports[{key}]"
        if not str(key).isdecimal() or not 1 <= int(key) <= MAX_PORT:
            faults.append(f"{where}: a network switch has the ports 1 to {MAX_PORT}; choose one of them")
        elif not isinstance(name, str) or not name.strip():
            faults.append(f"{where} is {name!r}; give the interface's name, such as Ethernet192")
        elif name in numbers:
            faults.append(f"{where}: {name} is port {numbers[name]} too; give each interface one number")
        else:
            numbers[name] = int(key)
    return numbers, faults


def vm_name(host: str, vm_id: int) -> str:
    return f"{host}-vm-{vm_id:02d}"


def mac_prefix(host: str) -> str:
    """Return five bytes that are unique to an end host of this name, locally administered and unicast."""
    return "02:" + hashlib.sha256(host.encode()).digest()[:4].hex(":")


def control_socket(host: str, settings: Variables) -> str:
    return f"{settings['testbed_run_dir']}/{host}/control/switch.sock"


def telemetry_socket(host: str, settings: Variables) -> str:
    return f"{settings['testbed_run_dir']}/{host}/dpdk/switch/dpdk_telemetry.v2"


def vhost_socket(host: str, settings: Variables, vm_id: int) -> str:
    return f"{settings['testbed_run_dir']}/{host}/vhost/vm-{vm_id:02d}.sock"


def did_you_mean(word: str, known: t.Iterable[str]) -> str:
    """Return the way out for an unknown word."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"choose one of {', '.join(known) or 'none'}"


def key_faults(entry: t.Any, required: t.Iterable[str], known: t.Sequence[str]) -> list[str]:
    """Return what is wrong with the keys of a VM, a rule or a flow."""
    if not isinstance(entry, dict):
        return [f"{entry!r} is no mapping; give {', '.join(required)}"]
    faults = [f"unknown key {key!r}; {did_you_mean(str(key), known)}" for key in entry if key not in known]
    return faults + [f"{key} is missing; add it" for key in required if entry.get(key) is None]
