# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processor and each of its CPUs are set to."""

from __future__ import annotations

import struct
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _state_processor
from host_trees import CPU, write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_processor(tmp_path: Path) -> None:
    assert _state_processor.read(write_host(tmp_path)) == {
        "model": "Xeon X",
        "microcode": "0xd0003a5",
        "online_cpus": "0-7",
        "offline_cpus": "8-15",
        "smt": {"control": "off", "active": False},
        "turbo": False,
        "latency_limit_us": None,
        "machine_check_interval_s": 300,
        "vulnerabilities": {"meltdown": "Not affected", "spectre_v2": "Mitigation: Enhanced IBRS"},
        "per_cpu": {
            "governor": {"performance": "2-7", "powersave": "0-1"},
            "energy_preference": {"performance": "0-7"},
            "scaling_driver": {"intel_pstate": "0-7"},
            "frequency_min_khz": {"800000": "0-1", "2600000": "2-7"},
            "frequency_max_khz": {"2600000": "0-7"},
            "disabled_idle_states": {"C6": "2-7", "none": "0-1"},
            "resume_latency_us": {"0": "0-7"},
        },
    }


def test_a_processor_that_says_nothing(tmp_path: Path) -> None:
    state = _state_processor.read(str(tmp_path))
    assert (state["model"], state["turbo"], state["smt"]) == (None, None, {"control": None, "active": None})
    assert all(groups == {} for groups in state["per_cpu"].values())


def test_processors_that_differ_are_all_named(tmp_path: Path) -> None:
    text = "microcode\t: 0x2\n\nmicrocode\t: 0x1\n\nmicrocode\t:\n"
    assert _state_processor.read(write(tmp_path, {"proc/cpuinfo": text}))["microcode"] == "0x1, 0x2"


@pytest.mark.parametrize(
    ("file", "text", "turbo"),
    [
        pytest.param("intel_pstate/no_turbo", "0", True, id="intel-on"),
        pytest.param("intel_pstate/no_turbo", "1", False, id="intel-off"),
        pytest.param("cpufreq/boost", "1", True, id="others-on"),
        pytest.param("cpufreq/boost", "0", False, id="others-off"),
        pytest.param("cpufreq/boost", "x", None, id="garbage"),
    ],
)
def test_turbo(tmp_path: Path, file: str, text: str, turbo: bool | None) -> None:
    assert _state_processor.read(write(tmp_path, {f"{CPU}/{file}": text}))["turbo"] is turbo


@pytest.mark.parametrize(
    ("said", "limit_us"),
    [
        pytest.param(struct.pack("=i", 2), 2, id="a-limit"),
        pytest.param(struct.pack("=i", 0), 0, id="no-sleep-at-all"),
        pytest.param(struct.pack("=i", 2_000_000_000), None, id="no-limit"),
        pytest.param(b"\x01", None, id="too-short"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_limit_for_waking_up(tmp_path: Path, said: bytes, limit_us: int | None) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/cpu_dma_latency").write_bytes(said)
    assert _state_processor.latency_limit_us(str(tmp_path)) == limit_us


def test_a_limit_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dev/cpu_dma_latency").mkdir(parents=True)  # as good as forbidden: open fails
    assert _state_processor.latency_limit_us(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("said", "interval_s"),
    [
        pytest.param("12c", 300, id="hexadecimal-digits"),
        pytest.param("0", 0, id="never"),
        pytest.param("none", None, id="garbage"),
    ],
)
def test_the_interval_of_machine_checks(tmp_path: Path, said: str, interval_s: int | None) -> None:
    root = write(tmp_path, {_state_processor.MACHINE_CHECK: said})
    assert _state_processor.machine_check_interval_s(root) == interval_s


def test_idle_states_without_a_name_have_their_number(tmp_path: Path) -> None:
    place = f"{CPU}/cpu0/cpuidle"
    files = {
        f"{CPU}/online": "0",
        f"{place}/state0/disable": "1",
        f"{place}/state10/disable": "1",
        f"{place}/x/y": "1",
    }
    groups = _state_processor.read(write(tmp_path, files))["per_cpu"]["disabled_idle_states"]
    assert groups == {"state0,state10": "0"}
