# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugepages of a machine whose sysfs the test writes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _hugepages
from ansible_collections.detnet.testbed.plugins.module_utils._hugepages import Pages
from host_trees import write

if t.TYPE_CHECKING:
    from pathlib import Path


def pages(place: str, total: str, free: str = "0", surplus: str = "0") -> dict[str, str]:
    return {
        f"{place}/nr_hugepages": total,
        f"{place}/free_hugepages": free,
        f"{place}/surplus_hugepages": surplus,
    }


@pytest.mark.parametrize(
    ("files", "hugepages"),
    [
        pytest.param(
            {
                **pages("sys/devices/system/node/node10/hugepages/hugepages-2048kB", "8\n", "6\n", "1\n"),
                **pages("sys/devices/system/node/node2/hugepages/hugepages-1048576kB", "4\n", "4\n"),
                **pages("sys/devices/system/node/node2/hugepages/hugepages-2048kB", "0\n"),
                **pages("sys/kernel/mm/hugepages/hugepages-2048kB", "8\n", "6\n"),
            },
            [Pages(2, 2048, 0, 0, 0), Pages(2, 1048576, 4, 4, 0), Pages(10, 2048, 8, 6, 1)],
            id="by-node-and-size",
        ),
        pytest.param(
            pages("sys/kernel/mm/hugepages/hugepages-2048kB", "8\n", "6\n"),
            [Pages(0, 2048, 8, 6, 0)],
            id="without-nodes",
        ),
        pytest.param({}, [], id="the-kernel-has-none"),
        pytest.param(
            pages("sys/kernel/mm/hugepages/hugepages-2048kB", "x", ""),
            [Pages(0, 2048, None, None, 0)],
            id="garbage",
        ),
        pytest.param(pages("sys/kernel/mm/hugepages/hugepages-kB", "1"), [], id="a-directory-without-size"),
    ],
)
def test_hugepages(tmp_path: Path, files: dict[str, str], hugepages: list[Pages]) -> None:
    assert _hugepages.read(write(tmp_path, files)) == hugepages
