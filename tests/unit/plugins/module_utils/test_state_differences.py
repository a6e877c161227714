# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted against what is, with the reasons."""

from __future__ import annotations

import copy
import functools
import tempfile
import typing as t
from pathlib import Path

import host_trees
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state
from ansible_collections.detnet.testbed.plugins.module_utils._state_differences import (
    WantedError,
    differences,
)

LINE = "kernel.command_line"
REBOOT = "a reboot is due, or another file of the boot loader overrides"
TUNED = "the TuneD profile detnet-testbed is active and may set it"
Row = tuple[str, t.Any, t.Any, str]


@functools.cache
def host() -> dict[str, t.Any]:
    with tempfile.TemporaryDirectory() as directory:
        return _host_state.read(host_trees.write_host(Path(directory)), host_trees.ask)


def nested(slashed: str, value: t.Any) -> dict[str, t.Any]:
    for key in reversed(slashed.split("/")):
        value = {key: value}
    return t.cast("dict[str, t.Any]", value)


def rows(wanted: t.Any, state: dict[str, t.Any] | None = None) -> list[Row]:
    found = differences(wanted, state or host())
    assert all(list(row) == ["setting", "wanted", "real", "reason"] for row in found)
    return [(row["setting"], row["wanted"], row["real"], row["reason"]) for row in found]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({}, id="nothing"),
        pytest.param(nested("kernel/isolated_cpus", "2,3-7"), id="cpus-in-another-notation"),
        pytest.param(nested("kernel/isolated_cpus", [7, 6, 5, 4, 3, 2]), id="cpus-as-numbers"),
        pytest.param(
            nested("kernel/sysctls/vm.stat_interval", "60"), id="a-number-that-a-template-made-text"
        ),
        pytest.param(nested("kernel/command_line", ["nohz_full=2-7", "ro"]), id="parameters"),
        pytest.param(nested("kernel/command_line", "quiet nohz-full=2-7"), id="parameters-as-text"),
        pytest.param(
            nested("processor/per_cpu/governor", {"performance": "3"}), id="only-the-cpus-that-are-named"
        ),
        pytest.param(
            nested("processor/per_cpu/frequency_min_khz", {2600000: [2, 3]}), id="a-number-as-a-key"
        ),
        pytest.param(
            {"memory": {"nodes": {0: nested("hugepages_by_size_kib", {2048: {"total": 512}})}}}, id="pages"
        ),
        pytest.param(nested("memory/nodes/*/hugepages_by_size_kib/2048/total", 512), id="pages-on-each-node"),
        pytest.param(nested("interrupts/irqs/nvme0q0", {"effective_cpus": "0-1"}), id="an-interrupt-within"),
        pytest.param(
            nested("interrupts/irqs", {"*": {"asked_cpus": "0-2", "effective_cpus": "0-2"}}), id="all-within"
        ),
        pytest.param(nested("network/interfaces/eth0/driver_override", None), id="nothing-where-nothing-is"),
        pytest.param(nested("network/interfaces/eth0/queues/rx-0/rps_cpus", ""), id="no-cpus-where-none-are"),
        pytest.param(nested("network/interfaces/eth0/pause/rx", False), id="a-switch"),
        pytest.param(
            nested("services/resctrl/groups/switch/schemata/L3", "0=700;1=700"), id="a-part-of-the-cache"
        ),
        pytest.param(
            nested("network/devices_without_interface/0000:00:02.0/driver", "vfio-pci"), id="a-bound-device"
        ),
    ],
)
def test_as_wanted(wanted: dict[str, t.Any]) -> None:
    assert rows(wanted) == []


def test_a_document_is_as_wanted_by_itself() -> None:
    wanted = copy.deepcopy(host())
    for irq in wanted["interrupts"]["irqs"].values():
        del irq["irq"], irq["writable"]
    assert rows(wanted) == []


@pytest.mark.parametrize(
    ("wanted", "row"),
    [
        pytest.param(
            nested("kernel/isolated_cpus", "2-5"),
            ("kernel.isolated_cpus", "2-5", "2-7", "the kernel's line says isolcpus=managed_irq,domain,2-7"),
            id="isolated-cpus",
        ),
        pytest.param(
            nested("kernel/command_line", ["isolcpus=2-7"]),
            (
                f"{LINE}.isolcpus",
                "isolcpus=2-7",
                "isolcpus=managed_irq,domain,2-7",
                f"the kernel's line has another isolcpus; {REBOOT} ours",
            ),
            id="another-value-on-the-kernel-s-line",
        ),
        pytest.param(
            nested("kernel/command_line", ["rcu_nocbs=2-7"]),
            (f"{LINE}.rcu_nocbs", "rcu_nocbs=2-7", None, f"not on the kernel's line; {REBOOT} ours"),
            id="not-on-the-kernel-s-line",
        ),
        pytest.param(
            nested("kernel/sysctls/vm.stat_interval", 1),
            ("kernel.sysctls.vm.stat_interval", 1, 60, TUNED),
            id="a-sysctl-that-tuned-sets",
        ),
        pytest.param(
            nested("kernel/sysctls/vm.laptop_mode", 1),
            ("kernel.sysctls.vm.laptop_mode", 1, None, "kernel.sysctls.vm.laptop_mode is not there"),
            id="a-setting-that-is-not-in-the-document",
        ),
        pytest.param(
            nested("processor/per_cpu/governor", {"performance": "0-3"}),
            ("processor.per_cpu.governor", {"performance": "0-3"}, {"powersave": "0-1"}, TUNED),
            id="a-governor-changed-by-hand",
        ),
        pytest.param(
            nested("processor/per_cpu/governor", {"performance": "7-8"}),
            ("processor.per_cpu.governor", {"performance": "7-8"}, None, TUNED),
            id="a-cpu-that-is-offline",
        ),
        pytest.param(
            nested("memory/nodes/1/hugepages_by_size_kib/2048/total", 1024),
            (
                "memory.nodes.1.hugepages_by_size_kib.2048.total",
                1024,
                512,
                "the kernel found no more whole pages there, or was not asked; reserve them at boot",
            ),
            id="pages-missing-on-one-node",
        ),
        pytest.param(
            nested("memory/nodes/1/hugepages_by_size_kib/2048/total", 100),
            ("memory.nodes.1.hugepages_by_size_kib.2048.total", 100, 512, ""),
            id="more-pages-than-wanted",
        ),
        pytest.param(
            nested("memory/nodes/0/hugepages_by_size_kib/2048/free", "512"),
            ("memory.nodes.0.hugepages_by_size_kib.2048.free", "512", 500, "programs hold them"),
            id="pages-in-use",
        ),
        pytest.param(
            nested("memory/nodes/2/hugepages_by_size_kib/2048/total", 1),
            ("memory.nodes.2.hugepages_by_size_kib.2048.total", 1, None, "memory.nodes.2 is not there"),
            id="a-node-that-is-not-there",
        ),
        pytest.param(
            nested("interrupts/irqs/nvme0q3", {"effective_cpus": "0-1"}),
            ("irq 34 nvme0q3", "0-1", "asked 2, effective 2", "managed interrupt"),
            id="a-managed-interrupt",
        ),
        pytest.param(
            nested("interrupts/irqs/eth9-rx", {"asked_cpus": "0", "effective_cpus": "0"}),
            ("irq eth9-rx", "0", None, "nothing listens to such an interrupt"),
            id="an-interrupt-that-is-not-there",
        ),
        pytest.param(
            nested("network/interfaces/eth0/pause/tx", False),
            ("network.interfaces.eth0.pause.tx", False, True, ""),
            id="a-switch-that-is-on",
        ),
        pytest.param(
            nested("network/interfaces/eth0/energy_efficient", False),
            (
                "network.interfaces.eth0.energy_efficient",
                False,
                None,
                "nothing is set, or the machine does not have it",
            ),
            id="what-the-driver-does-not-say",
        ),
        pytest.param(
            nested("network/devices_without_interface/0000:00:02.0/driver", None),
            ("network.devices_without_interface.0000:00:02.0.driver", None, "vfio-pci", ""),
            id="a-device-that-was-not-given-back",
        ),
        pytest.param(
            nested("services/tuned/active_profile", "other"),
            ("services.tuned.active_profile", "other", "detnet-testbed", ""),
            id="another-profile",
        ),
    ],
)
def test_a_difference(wanted: dict[str, t.Any], row: Row) -> None:
    assert rows(wanted) == [row]


def broken(slashed: str, value: t.Any) -> dict[str, t.Any]:
    state = copy.deepcopy(host())
    set_value(state, slashed, value)
    return state


def set_value(state: dict[str, t.Any], slashed: str, value: t.Any) -> None:
    *way, last = slashed.split("/")
    for key in way:
        state = state[key]
    state[last] = value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(["quiet"], f"isolcpus is not on the kernel's line; {REBOOT} it", id="dropped"),
        pytest.param(
            ["isolcpus=2-7", "isolcpus=3"],
            "isolcpus is on the kernel's line 2 times; the last says 3",
            id="overridden",
        ),
    ],
)
def test_why_cpus_are_not_isolated(line: list[str], reason: str) -> None:
    state = broken("kernel/command_line", line)
    assert [row[3] for row in rows(nested("kernel/isolated_cpus", "2-6"), state)] == [reason]


def test_a_kernel_without_nohz_full() -> None:
    state = broken("kernel/nohz_full_cpus", None)
    row = ("kernel.nohz_full_cpus", "2-7", None, "this kernel knows no nohz_full, or does not say")
    assert rows(nested("kernel/nohz_full_cpus", "2-7"), state) == [row]
    assert rows(nested("kernel/nohz_full_cpus", ""), state) == []


def test_a_later_parameter_overrides() -> None:
    state = broken("kernel/command_line", ["nohz_full=2-7", "nohz_full=3"])
    row = (
        f"{LINE}.nohz_full",
        "nohz_full=2-7",
        "nohz_full=2-7 nohz_full=3",
        "a later nohz_full on the kernel's line overrides it",
    )
    assert rows(nested("kernel/command_line", ["nohz_full=2-7"]), state) == [row]


def test_of_some_parameters_each_counts() -> None:
    pages = ["hugepagesz=1G", "hugepages=4", "hugepagesz=2M", "hugepages=512"]
    assert rows(nested("kernel/command_line", pages), broken("kernel/command_line", pages)) == []


WITHIN = {"asked_cpus": "0-1", "effective_cpus": "0-1"}


@pytest.mark.parametrize(
    ("irq", "parts", "real", "reason"),
    [
        pytest.param(
            {"asked_cpus": "0-1", "effective_cpus": "5"},
            {},
            "effective 5",
            "it moves with its next occurrence, or no vector was free on the wanted CPUs",
            id="asked-right-but-served-elsewhere",
        ),
        pytest.param(
            {"asked_cpus": "0-7", "effective_cpus": "5"}, {}, "asked 0-7, effective 5", "", id="nobody-knows"
        ),
        pytest.param(
            {"asked_cpus": "0-7", "effective_cpus": "0"}, {}, "asked 0-7", "", id="might-go-elsewhere"
        ),
        pytest.param(
            {"asked_cpus": "5", "effective_cpus": "5"},
            {"services/irqbalance/running": True},
            "asked 5, effective 5",
            "irqbalance runs and moves it",
            id="irqbalance-runs",
        ),
        pytest.param(
            {"asked_cpus": "5", "effective_cpus": "5", "writable": False},
            {},
            "asked 5, effective 5",
            "managed interrupt",
            id="cannot-be-written",
        ),
        pytest.param(
            {"asked_cpus": "5", "effective_cpus": "5", "writable": False},
            {"kernel/command_line": ["isolcpus=2-7"]},
            "asked 5, effective 5",
            "managed interrupt; isolcpus=managed_irq,... keeps such away",
            id="cannot-be-written-but-kept-away",
        ),
        pytest.param(
            {"asked_cpus": "5", "effective_cpus": None},
            {},
            "asked 5, effective 5",
            "",
            id="does-not-say-where",
        ),
        pytest.param(
            {"asked_cpus": None, "effective_cpus": None},
            {},
            "asked unreadable, effective unreadable",
            "",
            id="forbidden",
        ),
    ],
)
def test_an_interrupt_elsewhere(
    irq: dict[str, t.Any], parts: dict[str, t.Any], real: str, reason: str
) -> None:
    state = broken("interrupts/irqs/nvme0q0", {"irq": 33, "writable": True, **irq})
    for slashed, value in parts.items():
        set_value(state, slashed, value)
    wanted = nested("interrupts/irqs/nvme0q0", WITHIN)
    assert rows(wanted, state) == [("irq 33 nvme0q0", "0-1", real, reason)]


def test_only_the_wanted_affinity_is_a_fault() -> None:
    irq = {"irq": 33, "asked_cpus": "0-7", "effective_cpus": "0", "writable": True}
    state = broken("interrupts/irqs/nvme0q0", irq)
    row = ("irq 33 nvme0q0", "0-1", "asked 0-7", "")
    assert rows(nested("interrupts/irqs/nvme0q0", {"effective_cpus": "0-1"}), state) == []
    assert rows(nested("interrupts/irqs/nvme0q0", {"asked_cpus": "0-1"}), state) == [row]


def test_an_interrupt_with_two_limits() -> None:
    wanted = nested("interrupts/irqs/nvme0q3", {"asked_cpus": "0-1", "effective_cpus": "0"})
    assert rows(wanted) == [("irq 34 nvme0q3", "0, 0-1", "asked 2, effective 2", "managed interrupt")]


@pytest.mark.parametrize("label", ["timer", "hpet0", "virtio0-req.3", "nvme0q1 #2"])
def test_the_kernel_alone_places_its_old_clocks_and_queues(label: str) -> None:
    state = broken(f"interrupts/irqs/{label}", {"irq": 0, "asked_cpus": "0-7", "effective_cpus": "0"})
    row = (f"irq 0 {label}", "0-1", "asked 0-7", "managed interrupt")
    assert rows(nested(f"interrupts/irqs/{label}", {"asked_cpus": "0-1"}), state) == [row]


def test_an_interrupt_that_is_off_is_everywhere_right() -> None:
    state = broken("interrupts/irqs/nvme0q0/effective_cpus", "")
    assert rows(nested("interrupts/irqs/nvme0q0", WITHIN), state) == []


def test_a_name_counts_before_the_star() -> None:
    wanted = nested("interrupts/irqs", {"*": {"effective_cpus": "0"}, "nvme0q3": {"effective_cpus": "2"}})
    assert [row[0] for row in rows(wanted)] == ["irq 50 eth0-TxRx-0", "irq 33 nvme0q0"]


def test_a_star_is_nothing_where_nothing_is() -> None:
    state = broken("memory/nodes", {})
    assert rows(nested("memory/nodes/*/memory_mib", 1), state) == []


def test_no_frequency_scaling() -> None:
    state = broken("processor/per_cpu/governor", {})
    reason = "nothing is set, or the machine does not have it"
    row = ("processor.per_cpu.governor", {"performance": "2-7"}, None, reason)
    assert rows(nested("processor/per_cpu/governor", {"performance": "2-7"}), state) == [row]


def test_tuned_that_does_not_run() -> None:
    state = broken("services/tuned", {"active_profile": "x", "running": False})
    row = ("services.tuned.active_profile", "y", "x", "TuneD does not run")
    assert rows(nested("services/tuned/active_profile", "y"), state) == [row]
    assert [row[3] for row in rows(nested("processor/turbo", True), state)] == [""]


def test_a_setting_below_one_that_is_null() -> None:
    state = broken("network/interfaces/eth0/rings", None)
    row = (
        "network.interfaces.eth0.rings.rx_packets",
        4096,
        None,
        "network.interfaces.eth0.rings is not there",
    )
    assert rows(nested("network/interfaces/eth0/rings/rx_packets", 4096), state) == [row]


def test_a_dict_where_the_state_has_none() -> None:
    assert rows(nested("processor/turbo", {"on": 1})) == [("processor.turbo", {"on": 1}, False, TUNED)]


def test_rows_are_in_a_stable_order() -> None:
    wanted = {"memory": {"nodes": {"10": {"memory_mib": 1}, "9": {"memory_mib": 1}}, "ksm_run": 1}}
    assert [row[0] for row in rows(wanted)] == [
        "memory.ksm_run",
        "memory.nodes.9.memory_mib",
        "memory.nodes.10.memory_mib",
    ]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        pytest.param(None, "what is wanted is 'None'; give a dict", id="nothing-at-all"),
        pytest.param(["x"], "give a dict with the keys of the state", id="a-list"),
        pytest.param(
            nested("kernel/isolated_cpus", "2-"), "kernel.isolated_cpus is wanted as '2-'", id="half-a-range"
        ),
        pytest.param(nested("kernel/isolated_cpus", ["x"]), "which is no list of CPUs", id="no-numbers"),
        pytest.param(nested("kernel/isolated_cpus", {"a": 1}), "kernel.isolated_cpus", id="a-dict-for-cpus"),
        pytest.param(
            nested("kernel/command_line", 5), "give a list of parameters", id="a-number-for-the-line"
        ),
        pytest.param(
            nested("processor/per_cpu/governor", "performance"), "give a dict from value", id="no-groups"
        ),
        pytest.param(
            nested("processor/per_cpu/governor", {"performance": "all"}), "no list of CPUs", id="all-cpus"
        ),
        pytest.param(
            nested("interrupts/irqs/nvme0q0", "0-1"), "asked_cpus and effective_cpus", id="an-interrupt"
        ),
        pytest.param(
            nested("interrupts/irqs/nvme0q0", {}), "asked_cpus and effective_cpus", id="no-affinity"
        ),
        pytest.param(
            nested("interrupts/irqs/nvme0q0", {"cpus": "0"}), "asked_cpus and effective_cpus", id="a-typo"
        ),
    ],
)
def test_refuses(wanted: t.Any, says: str) -> None:
    with pytest.raises(WantedError) as caught:
        differences(wanted, host())
    assert says in str(caught.value)


def test_refuses_what_is_no_document() -> None:
    with pytest.raises(_host_state.StateError, match="not a state document"):
        differences({}, {})
