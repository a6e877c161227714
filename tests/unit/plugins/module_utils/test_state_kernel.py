# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about itself."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _state_kernel
from host_trees import CPU, write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_kernel(tmp_path: Path) -> None:
    assert _state_kernel.read(write_host(tmp_path)) == {
        "release": "6.1.0-28-amd64",
        "realtime": False,
        "command_line": [
            "BOOT_IMAGE=/vmlinuz",
            "root=UUID=1-2",
            "ro",
            "isolcpus=managed_irq,domain,2-7",
            "nohz_full=2-7",
            "quiet",
        ],
        "isolated_cpus": "2-7",
        "nohz_full_cpus": "2-7",
        "watchdog_cpus": "0-7",
        "clocksource": "tsc",
        "sysctls": {
            "kernel.hung_task_timeout_secs": None,
            "kernel.nmi_watchdog": 0,
            "kernel.numa_balancing": 0,
            "kernel.printk": "4 4 1 7",
            "kernel.sched_rt_runtime_us": -1,
            "kernel.timer_migration": 0,
            "kernel.watchdog": 0,
            "net.core.busy_poll": None,
            "net.core.busy_read": None,
            "net.ipv4.tcp_fastopen": None,
            "vm.dirty_background_ratio": None,
            "vm.dirty_ratio": None,
            "vm.stat_interval": 60,
            "vm.swappiness": None,
        },
    }


def test_a_kernel_that_says_nothing(tmp_path: Path) -> None:
    state = _state_kernel.read(str(tmp_path))
    assert (state["command_line"], state["isolated_cpus"], state["release"]) == ([], None, None)
    assert set(state["sysctls"].values()) == {None}


@pytest.mark.parametrize(
    ("files", "key", "value"),
    [
        pytest.param({"sys/kernel/realtime": "1"}, "realtime", True, id="preempt-rt"),
        pytest.param({f"{CPU}/nohz_full": " (null)"}, "nohz_full_cpus", "", id="no-cpu-without-tick"),
        pytest.param({f"{CPU}/isolated": ""}, "isolated_cpus", "", id="nothing-isolated"),
        pytest.param(
            {"proc/cmdline": 'a="b c" d -- e'}, "command_line", ['a="b c"', "d"], id="quotes-and-init"
        ),
        pytest.param(
            {"proc/cmdline": 'a="b c'}, "command_line", ["a=", "b", "c"], id="a-quote-that-never-ends"
        ),
    ],
)
def test_odd_kernels(tmp_path: Path, files: dict[str, str], key: str, value: t.Any) -> None:
    assert _state_kernel.read(write(tmp_path, files))[key] == value


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        pytest.param(["a=1", "b", "a=2"], "a", ["1", "2"], id="as-often-as-it-is-there"),
        pytest.param(["b"], "b", [""], id="a-flag"),
        pytest.param(["rcu-nocbs=1"], "rcu_nocbs", ["1"], id="a-dash-is-an-underscore"),
        pytest.param(["a=b=c"], "a", ["b=c"], id="an-equals-sign-in-the-value"),
        pytest.param([], "a", [], id="not-there"),
    ],
)
def test_values_of_a_parameter(line: list[str], name: str, values: list[str]) -> None:
    assert _state_kernel.values_of(line, name) == values
