# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what the role host_tuning does on a host, by a made-up host's files before and after."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state, _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import kernel_parameters, make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request, Vm
from ansible_collections.detnet.testbed.plugins.module_utils._kernel_change import Values, Wanted
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_plan import tuning
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_verdict import verdict
from core_topologies import machine
from host_trees import IRQS, ask, write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, t.Any]

MOUNTED = "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize="

OPTIONS: Document = {
    "cache": [],
    "energy_preference": "performance",
    "governor": "performance",
    "hugepages": [],
    "hugepages_at_boot": True,
    "hugetlbfs": {"2048": "/dev/hugepages", "1048576": "/dev/hugepages1G"},
    "iommu": False,
    "kernel_parameters": [],
    "kernel_parameters_unknown": [],
    "ksm": False,
    "machine_check_interval_s": 0,
    "max_cstate": None,
    "memory_reserve_mib": 1024,
    "mitigations": None,
    "resume_latency_us": 2,
    "run_time": True,
    "smt": True,
    "sysctls": {"kernel.printk": "3 1 1 7", "kernel.timer_migration": 1, "vm.stat_interval": 120},
    "transparent_hugepages": "never",
    "tsc": None,
    "turbo": None,
}
SETTLED: Document = {
    "changed": False,
    "configured": [],
    "running": "",
    "reboot_needed": False,
    "conflicts": [],
}


def cores(request: Request | None = None, topology: _topology.Topology | None = None) -> Document:
    """Return what core_plan returns, for a machine with two nodes of four CPUs each."""
    topology = topology or machine(nodes=2, cores=4)
    plan = make_plan(topology, request or Request(switch_memory_mib=64, nic_node=0))
    return {
        "plan": plan_document(plan),
        "topology": _topology.to_document(topology),
        "kernel_parameters": kernel_parameters(plan),
    }


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Return the root of a host on which TuneD does not run, and pages of 2 MiB are mounted."""
    root = write_host(tmp_path)
    write(tmp_path, {"proc/700/comm": "sleep", "proc/self/mounts": f"{MOUNTED}2M 0 0"})
    return root


def read(root: str) -> Document:
    return _host_state.read(root, ask)


def planned(root: str, **options: t.Any) -> Document:
    return tuning(OPTIONS | options, cores(), read(root))


def values(document: Document) -> dict[str, str]:
    return {row["path"]: row["value"] for row in document["values"]}


def apply(root: str, document: Document) -> None:
    """Set the values as the module does; then interrupts go where they were asked to."""
    ledger = f"{root}/ledger.json"
    wanted = [Wanted(**row) for row in document["values"]]
    Values(ledger, root).set(wanted)


def moved(tmp_path: Path) -> None:
    files = {}
    for irq in IRQS:
        files[f"proc/irq/{irq}/effective_affinity_list"] = "0"
    write(tmp_path, files)


def test_what_is_set_is_what_is_wanted(root: str, tmp_path: Path) -> None:
    document = planned(root)
    assert document["faults"] == []
    state = read(root)
    assert verdict(document, SETTLED | {"reboot_needed": True}, state, False)["wrong"] != []
    apply(root, document)
    moved(tmp_path)
    wrong = verdict(document, SETTLED | {"reboot_needed": True}, read(root), False)["wrong"]
    assert wrong == []


def test_pages_that_are_not_mounted_are_wrong(root: str, tmp_path: Path) -> None:
    document = planned(root, run_time=False)
    assert verdict(document, waits(), read(root), False)["wrong"] == []
    write(tmp_path, {"proc/self/mounts": ""})
    (row,) = verdict(planned(root, run_time=False), waits(), read(root), False)["wrong"]
    assert row["setting"] == "memory.hugetlbfs_mounts./dev/hugepages.page_size_kib"
    assert (row["wanted"], row["real"]) == (2048, None)


def test_the_second_plan_is_the_first(root: str) -> None:
    document = planned(root)
    apply(root, document)
    again = planned(root)
    assert again == document
    assert Values(f"{root}/ledger.json", root).set([Wanted(**row) for row in again["values"]]).changes == []


def test_all_of_it_is_given_back(root: str) -> None:
    before = read(root)
    apply(root, planned(root))
    assert read(root) != before
    Values(f"{root}/ledger.json", root).give_back()
    assert read(root) == before


def test_interrupts_and_the_kernels_own_work_go_to_housekeeping(root: str) -> None:
    set_to = values(planned(root))
    home, isolated = "0-1", range(2, 8)
    assert {set_to[f"/proc/irq/{irq}/smp_affinity_list"] for irq in IRQS} == {home}
    assert set_to["/proc/irq/default_smp_affinity"] == "00000003"
    assert set_to["/sys/devices/virtual/workqueue/cpumask"] == "00000003"
    assert set_to["/sys/devices/virtual/workqueue/writeback/cpumask"] == "00000003"
    assert set_to["/proc/sys/kernel/watchdog_cpumask"] == home
    assert set_to["/sys/class/net/eth0/queues/rx-10/rps_cpus"] == "00000000"
    assert set_to["/sys/class/net/eth0/queues/tx-0/xps_cpus"] == "00000003"
    for cpu in isolated:
        assert set_to[f"/sys/devices/system/cpu/cpu{cpu}/power/pm_qos_resume_latency_us"] == "2"
    assert "/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us" not in set_to


def test_irqbalance_may_choose_among_the_cpus_of_housekeeping(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"proc/800/comm": "irqbalance", "proc/irq/33/smp_affinity_list": "1"})
    document = planned(root)
    moved_here = [
        path for path in values(document) if path.startswith("/proc/irq/") and "default" not in path
    ]
    assert moved_here == ["/proc/irq/34/smp_affinity_list"]  # asked for CPU 2
    assert document["wanted"]["services"]["irqbalance"]["banned_cpus"] == "2-7"


def test_the_preference_is_set_before_the_governor_that_forbids_it(root: str) -> None:
    paths = [path.rpartition("/")[2] for path in values(planned(root)) if "/cpu3/" in path]
    assert paths.index("energy_performance_preference") < paths.index("scaling_governor")


def test_threads_are_switched_off_last(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"sys/devices/system/cpu/smt/control": "on"})
    paths = list(values(planned(root, smt=False)))
    assert paths[-1] == "/sys/devices/system/cpu/smt/control"


def test_nothing_isolated_moves_nothing(root: str) -> None:
    document = tuning(OPTIONS, cores(Request(isolate=False)), read(root))
    assert document["kernel_parameters"] == []
    assert not [path for path in values(document) if "irq" in path or "workqueue" in path or "pm_qos" in path]
    assert (
        "kernel" not in document["wanted_after_boot"]
        or "isolated_cpus" not in document["wanted_after_boot"]["kernel"]
    )


def test_run_time_values_can_be_left_alone(root: str) -> None:
    document = planned(root, run_time=False)
    assert [path.rpartition("/")[2] for path in values(document)] == ["nr_hugepages"]


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        pytest.param({"governor": None}, "scaling_governor", id="governor"),
        pytest.param({"energy_preference": None}, "energy_performance_preference", id="preference"),
        pytest.param({"turbo": None}, "no_turbo", id="turbo"),
        pytest.param({"resume_latency_us": None}, "pm_qos_resume_latency_us", id="wake-up"),
        pytest.param({"machine_check_interval_s": None}, "check_interval", id="machine-checks"),
        pytest.param({"transparent_hugepages": None}, "enabled", id="transparent-hugepages"),
        pytest.param({"ksm": None}, "run", id="ksm"),
        pytest.param({"sysctls": {}}, "stat_interval", id="sysctls"),
    ],
)
def test_null_leaves_alone(root: str, options: Document, setting: str) -> None:
    assert setting not in {path.rpartition("/")[2] for path in values(planned(root, **options))}


@pytest.mark.parametrize(
    ("options", "path", "value"),
    [
        pytest.param({"turbo": False}, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1", id="no-turbo"),
        pytest.param({"turbo": True}, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0", id="turbo"),
        pytest.param(
            {"resume_latency_us": 0},
            "/sys/devices/system/cpu/cpu2/power/pm_qos_resume_latency_us",
            "n/a",
            id="never-asleep",
        ),
        pytest.param({"ksm": True}, "/sys/kernel/mm/ksm/run", "1", id="ksm-on"),
        pytest.param(
            {"machine_check_interval_s": 600},
            "/sys/devices/system/machinecheck/machinecheck0/check_interval",
            "258",
            id="machine-checks-in-hexadecimal-digits",
        ),
    ],
)
def test_values(root: str, options: Document, path: str, value: str) -> None:
    assert values(planned(root, **options))[path] == value


@pytest.mark.parametrize(
    ("files", "options", "setting"),
    [
        pytest.param({"sys/kernel/mm/ksm/run": ""}, {}, "ksm", id="no-ksm"),
        pytest.param(
            {"sys/kernel/mm/transparent_hugepage/enabled": ""},
            {},
            "transparent_hugepages",
            id="no-huge-pages",
        ),
        pytest.param(
            {f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor": "" for cpu in range(8)},
            {},
            "governor",
            id="no-frequencies",
        ),
        pytest.param(
            {"sys/devices/system/cpu/intel_pstate/no_turbo": ""}, {"turbo": False}, "turbo", id="no-turbo"
        ),
        pytest.param({"proc/sys/vm/stat_interval": ""}, {}, "vm.stat_interval", id="no-such-sysctl"),
        pytest.param(
            {"sys/devices/system/machinecheck/machinecheck0/check_interval": ""},
            {},
            "machine_check_interval_s",
            id="no-machine-checks",
        ),
        pytest.param(
            {"proc/sys/kernel/watchdog_cpumask": "-"}, {}, "kernel.watchdog_cpumask", id="no-watchdog"
        ),
        pytest.param(
            {"sys/devices/system/cpu/smt/control": "notsupported"}, {"smt": False}, "smt", id="no-threads"
        ),
    ],
)
def test_what_the_host_does_not_have_is_told(
    root: str, tmp_path: Path, files: dict[str, str], options: Document, setting: str
) -> None:
    write(tmp_path, files)
    document = planned(root, **options)
    assert document["faults"] == []
    assert setting in {row["setting"] for row in document["skipped"]}
    assert all(row["reason"] for row in document["skipped"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(
            {"sysctls": {"vm.laptop_mode": 1}},
            ["vm.laptop_mode", "ansible.posix.sysctl"],
            id="unknown-sysctl",
        ),
        pytest.param({"kernel_parameters": ["isolcpu=3"]}, ["isolcpu"], id="unknown-parameter"),
        pytest.param(
            {"hugepages": [{"node": 2, "page_size_kib": 2048, "pages": 64}]},
            ["node 2", "this host has 0, 1"],
            id="unknown-node",
        ),
        pytest.param(
            {"hugepages": [{"node": 0, "page_size_kib": 4096, "pages": 64}]},
            ["4096 KiB", "2048, 1048576"],
            id="unknown-size",
        ),
        pytest.param(
            {"hugepages": [{"node": 0, "page_size_kib": 2048, "pages": 40000}]},
            ["80000 MiB", "65536 MiB", "1024 of them kept"],
            id="beyond-the-memory-of-the-node",
        ),
        pytest.param(
            {"hugepages": [{"node": 1, "page_size_kib": 2048, "pages": 64}]},
            ["need 32 pages of 2048 KiB on node 0", "has 0 there"],
            id="too-few-where-switch-and-vms-are",
        ),
        pytest.param(
            {"hugepages": [{"node": 0, "page_size_kib": 2048, "pages": -1}]}, ["-1 hugepages"], id="negative"
        ),
        pytest.param({"hugetlbfs": {}}, ["no mount point for pages of 2048 KiB"], id="no-mount-point"),
        pytest.param(
            {"hugetlbfs": {2048: "/dev/huge pages"}},
            ["'/dev/huge pages'", "absolute path"],
            id="odd-mount-point",
        ),
        pytest.param(
            {"cache": [{"group": "gold", "vms": [7], "ways": 2}]}, ["VM 7", "gold"], id="cache-for-no-vm"
        ),
        pytest.param(
            {"cache": [{"group": "gold", "ways": 2}]}, ["gold", "without VMs"], id="cache-for-nobody"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(root: str, options: Document, says: list[str]) -> None:
    assert planned(root)["faults"] == []
    said = "; ".join(planned(root, **options)["faults"])
    for words in says:
        assert words in said


def test_pages_of_one_gibibyte_need_a_processor_for_them(root: str) -> None:
    small = machine(nodes=1, cores=4)
    small = _topology.Topology(small.cpus, small.nodes, (), (), (2048,))
    asked = [{"node": 0, "page_size_kib": 1048576, "pages": 1}]
    faults = tuning(OPTIONS | {"hugepages": asked}, cores(Request(), small), read(root))["faults"]
    assert len(faults) == 1
    assert "pdpe1gb" in faults[0]


def test_pages_that_are_missing_now_need_memory_now(root: str) -> None:
    asked = [{"node": 0, "page_size_kib": 2048, "pages": 1024}]  # 512 are there
    options = OPTIONS | {"hugepages": asked, "hugepages_at_boot": False}
    assert tuning(options, cores(), read(root), 1024)["faults"] == []
    assert "take 1024 MiB more, and 1023 MiB" in tuning(options, cores(), read(root), 1023)["faults"][0]
    assert tuning(options | {"hugepages_at_boot": True}, cores(), read(root), 1023)["faults"] == []


def test_a_host_that_has_more_pages_keeps_them(root: str) -> None:
    path = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
    assert values(planned(root))[path] == "512"  # the plan needs 32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, ["hugepagesz=2M", "hugepages=0:32"], id="pages-of-the-plan"),
        pytest.param(
            {
                "hugepages": [
                    {"node": 1, "page_size_kib": 1048576, "pages": 2},
                    {"node": 0, "page_size_kib": 2048, "pages": 32},
                    {"node": 0, "page_size_kib": 1048576, "pages": 1},
                ]
            },
            ["hugepagesz=2M", "hugepages=0:32", "hugepagesz=1G", "hugepages=0:1,1:2"],
            id="two-sizes-on-two-nodes",
        ),
        pytest.param({"hugepages_at_boot": False}, [], id="no-pages-at-boot"),
        pytest.param(
            {
                "hugepages_at_boot": False,
                "iommu": True,
                "max_cstate": 1,
                "tsc": "reliable",
                "mitigations": "off",
            },
            [
                "intel_iommu=on",
                "iommu=pt",
                "processor.max_cstate=1",
                "intel_idle.max_cstate=1",
                "tsc=reliable",
                "mitigations=off",
            ],
            id="all-that-is-asked-for",
        ),
        pytest.param(
            {"hugepages_at_boot": False, "kernel_parameters": ["rcu_nocb_poll", {"skew_tick": 1}]},
            ["rcu_nocb_poll", "skew_tick=1"],
            id="others",
        ),
    ],
)
def test_the_kernels_line(root: str, options: Document, words: list[str]) -> None:
    isolated = ["isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "rcu_nocbs=2-7", "irqaffinity=0-1"]
    assert planned(root, **options)["kernel_parameters"] == [*isolated, *words]


def test_amds_iommu_is_on_by_itself(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"proc/cpuinfo": "model name\t: AMD EPYC 9354"})
    words = planned(root, iommu=True)["kernel_parameters"]
    assert "iommu=pt" in words
    assert "intel_iommu=on" not in words


def test_an_old_kernel_gets_the_pages_of_its_nodes_by_the_boot_file(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"proc/sys/kernel/osrelease": "5.10.0-28-amd64"})
    document = planned(root)
    assert not [word for word in document["kernel_parameters"] if "hugepages" in word]
    paths = [row["path"] for row in document["boot_values"]]
    assert "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages" in paths


def test_the_boot_file_names_no_numbers_that_change_with_each_boot(root: str) -> None:
    rows = planned(root)["boot_values"]
    assert {"path": "/proc/irq/[0-9]*/smp_affinity_list", "value": "0-1"} in rows
    assert not [row for row in rows if "/proc/irq/3" in row["path"] or "nr_hugepages" in row["path"]]
    assert len({row["path"] for row in rows}) == len(rows)


def test_tuned_sets_what_it_can_where_it_runs(root: str, tmp_path: Path) -> None:
    alone = planned(root)
    assert alone["tuned"] is None
    write(tmp_path, {"proc/700/comm": "tuned"})
    document = planned(root)
    assert {"name": "vm.stat_interval", "value": "120"} in document["tuned"]["sysctl"]
    assert {"name": "/sys/kernel/mm/transparent_hugepage/enabled", "value": "never"} in document["tuned"][
        "sysfs"
    ]
    left = [path for path in values(document) if not path.startswith("/proc/irq")]
    assert left == ["/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"]
    everything = len(document["values"]) + len(document["tuned"]["sysctl"]) + len(document["tuned"]["sysfs"])
    assert everything == len(alone["values"])
    assert document["wanted"] == alone["wanted"]


def test_caches_are_shared_out_by_the_plan(root: str) -> None:
    vms = (Vm(1, 1), Vm(2, 1))
    plan = cores(Request(vms=vms), machine(cores=8))
    asked: list[Document] = [
        {"group": "switch", "ways": 4},
        {"group": "gold", "vms": [1, 2], "ways": 2},
        {"group": "housekeeping", "vms": None, "ways": 1},
    ]
    groups = tuning(OPTIONS | {"cache": asked}, plan, read(root))["cache_groups"]
    own = plan["plan"]
    assert groups[0] == {"group": "switch", "cpus": str(own["switch"]["workers"][0]), "ways": 4}
    assert groups[1]["cpus"] == f"{own['vms'][0]['vcpus'][0]}-{own['vms'][1]['vcpus'][0]}"
    assert groups[2] == {"group": "housekeeping", "cpus": "0-1", "ways": 1}


def test_systemd_has_names_of_its_own_for_mounts(root: str) -> None:
    asked = [{"node": 0, "page_size_kib": size, "pages": 32} for size in (2048, 1048576)]
    paths = {2048: "/dev/hugepages", 1048576: "/mnt/huge-1G"}
    mounts = planned(root, hugepages=asked, hugetlbfs=paths, memory_reserve_mib=0)["mounts"]
    assert [mount["unit"] for mount in mounts] == [None, "mnt-huge\\x2d1G.mount"]
    assert [mount["size"] for mount in mounts] == ["2M", "1G"]


def test_a_mount_point_with_pages_of_another_size_is_refused(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/mounts": f"{MOUNTED}1024M 0 0"})
    assert "/dev/hugepages has pages of 1048576 KiB mounted" in planned(root)["faults"][0]


# The verdict


def waits(**line: t.Any) -> Document:
    return SETTLED | {"reboot_needed": True} | line


def test_a_line_that_waits_for_a_restart_is_told_word_by_word(root: str) -> None:
    document = planned(root, hugepages_at_boot=False)
    line = waits(configured=document["kernel_parameters"], running="quiet nohz_full=2-7")
    told = verdict(document, line, read(root), False)
    assert told["waiting"] == ["isolcpus=managed_irq,domain,2-7", "rcu_nocbs=2-7", "irqaffinity=0-1"]
    assert "wait for a restart" in told["report"][-1]


def test_after_a_restart_the_line_and_what_the_kernel_made_of_it_count(root: str, tmp_path: Path) -> None:
    write(tmp_path, {"sys/devices/system/cpu/isolated": "2-6"})
    wrong = verdict(planned(root), SETTLED, read(root), True)["wrong"]
    settings = [row["setting"] for row in wrong]
    assert "kernel.isolated_cpus" in settings
    assert "kernel.command_line.rcu_nocbs" in settings
    assert "kernel.command_line.isolcpus" not in settings


def test_who_has_the_last_word_is_named(root: str) -> None:
    file = "/etc/default/grub.d/99-other.cfg"
    conflicts = [
        {"parameter": "isolcpus", "value": "1-3", "file": file, "wins": True},
        {"parameter": "nohz_full", "value": "1", "file": "/etc/default/grub", "wins": False},
    ]
    told = verdict(planned(root), waits(conflicts=conflicts), read(root), True)
    assert len(told["overridden"]) == 1
    assert file in told["wrong"][0]["reason"]


def test_a_line_that_was_lost_is_wrong(root: str) -> None:
    assert (
        verdict(planned(root), waits(changed=True), read(root), True)["wrong"][0]["wanted"]
        == "our parameters"
    )


def test_managed_interrupts_are_accepted_only_on_request(root: str, tmp_path: Path) -> None:
    document = planned(root)
    apply(root, document)
    moved(tmp_path)
    write(tmp_path, {"proc/irq/34/smp_affinity_list": "5", "proc/irq/34/effective_affinity_list": "5"})
    strict = verdict(document, waits(), read(root), False)
    assert [row["setting"] for row in strict["wrong"]] == ["irq 34 nvme0q3"]
    told = verdict(document, waits(), read(root), True)
    assert told["wrong"] == []
    assert told["accepted"] == strict["wrong"]
    assert "irq 34 nvme0q3 is accepted" in "\n".join(told["report"])


def test_an_ordinary_interrupt_on_an_isolated_cpu_is_never_accepted(root: str, tmp_path: Path) -> None:
    document = planned(root)
    apply(root, document)
    moved(tmp_path)
    write(tmp_path, {"proc/irq/50/smp_affinity_list": "5", "proc/irq/50/effective_affinity_list": "5"})
    wrong = verdict(document, waits(), read(root), True)["wrong"]
    assert [(row["setting"], row["wanted"]) for row in wrong] == [("irq 50 eth0-TxRx-0", "0-1")]
