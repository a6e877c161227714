# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where interrupts may go and go."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _state_interrupts
from host_trees import write, write_host

if t.TYPE_CHECKING:
    from pathlib import Path


def test_reads_the_interrupts(tmp_path: Path) -> None:
    root = write_host(tmp_path)
    (tmp_path / "proc/irq/34/smp_affinity_list").chmod(0o444)
    state = _state_interrupts.read(root)
    assert (state["default_cpus"], state["unbound_workqueue_cpus"]) == ("0-1", "0-1")
    assert state["workqueues"] == {"writeback": {"cpus": "0-1"}}
    assert list(state["irqs"]) == ["ACPI:Ged", "PCIe PME", "PCIe PME #2", "eth0-TxRx-0", "nvme0q0", "nvme0q3"]
    assert state["irqs"]["nvme0q3"] == {
        "irq": 34,
        "asked_cpus": "2",
        "effective_cpus": "2",
        "writable": False,
    }
    assert state["irqs"]["PCIe PME #2"] == {
        "irq": 41,
        "asked_cpus": "0-1",
        "effective_cpus": "0",
        "writable": True,
    }


def test_a_machine_without_interrupts(tmp_path: Path) -> None:
    assert _state_interrupts.read(str(tmp_path)) == {
        "default_cpus": None,
        "irqs": {},
        "unbound_workqueue_cpus": None,
        "workqueues": {},
    }


def test_an_interrupt_whose_files_are_missing(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/interrupts": "  CPU0\n 5:  0  IO-APIC  5-edge  floppy"})
    irq = {"irq": 5, "asked_cpus": None, "effective_cpus": None, "writable": None}
    assert _state_interrupts.irqs(root) == {"floppy": irq}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(" 26:   0  14  IO-APIC   4-edge      ttyS0", (26, "ttyS0"), id="io-apic"),
        pytest.param(" 9:   0  1  IR-IO-APIC    9-fasteoi   acpi, i801", (9, "acpi, i801"), id="shared"),
        pytest.param(" 34:  0  0 PCI-MSI 65539-edge      nvme0q3", (34, "nvme0q3"), id="msi"),
        pytest.param(
            " 50:  0  0 IR-PCI-MSIX-0000:41:00.0    1-edge      mlx5_comp0@pci:0000:41:00.0",
            (50, "mlx5_comp0@pci:0000:41:00.0"),
            id="msi-x-of-a-device",
        ),
        pytest.param(" 11:  7  0     GICv3  27 Level     arch_timer", (11, "arch_timer"), id="arm"),
        pytest.param(" 12:  7  0   ITS-MSI 524288 Edge      nvme0q0", (12, "nvme0q0"), id="arm-msi"),
        pytest.param(" 40:  7  0  xen-dyn    -event     eth0-q0-tx", (40, "eth0-q0-tx"), id="xen"),
        pytest.param(
            " 16:  0  0  XT-PIC      my device 2", (16, "my device 2"), id="a-name-with-white-space"
        ),
        pytest.param(" 27:  3  0  PCI-MSI 65537-edge", None, id="nobody-listens"),
        pytest.param(" 27:  3  0     GICv3  27 Level", None, id="nobody-listens-on-arm"),
        pytest.param(" 27:  3  0", None, id="cut-short"),
        pytest.param(" NMI:  3  0   Non-maskable interrupts", None, id="no-number"),
        pytest.param("", None, id="an-empty-line"),
        pytest.param("٣٤:  0  0  PCI-MSI 65539-edge  x", None, id="digits-of-another-script"),
    ],
)
def test_who_listens(line: str, found: tuple[int, str] | None) -> None:
    assert _state_interrupts.listeners(f"    CPU0  CPU1\n{line}\n") == ([found] if found else [])


@pytest.mark.parametrize("table", ["", "\n\n", "garbage", "\0\n\0: \0"])
def test_garbage_has_no_listeners(table: str) -> None:
    assert _state_interrupts.listeners(table) == []
