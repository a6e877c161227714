# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of the settings names what the role sets, and says of each how it is verified and given back."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import core_topologies
import host_trees
import pytest
import yaml
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state, _state_kernel, _topology
from ansible_collections.detnet.testbed.plugins.module_utils._core_document import plan_document
from ansible_collections.detnet.testbed.plugins.module_utils._core_plan import kernel_parameters, make_plan
from ansible_collections.detnet.testbed.plugins.module_utils._core_request import Request
from ansible_collections.detnet.testbed.plugins.module_utils._tuning_plan import tuning

REPOSITORY = Path(__file__).parents[3]
DOCUMENT = (REPOSITORY / "docs" / "host_tuning_settings.md").read_text()
DEFAULTS = yaml.safe_load((REPOSITORY / "roles" / "host_tuning" / "defaults" / "main.yml").read_text())
COLUMNS = ["setting", "variable", "why", "source", "verified", "given back"]
# What the role can be asked for, beside its defaults.
ASKED = {
    "memory_reserve_mib": 1024,
    "iommu": True,
    "max_cstate": 1,
    "tsc": "nowatchdog",
    "mitigations": "off",
    "turbo": False,
    "smt": False,
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    root = host_trees.write_host(tmp_path_factory.mktemp("host"))
    return _host_state.read(root, host_trees.ask)


@pytest.fixture(scope="module")
def plan(state: dict[str, t.Any]) -> dict[str, t.Any]:
    topology = core_topologies.machine(nodes=2, cores=4)
    cores = make_plan(topology, Request(switch_memory_mib=1024))
    made = {
        "plan": plan_document(cores),
        "kernel_parameters": kernel_parameters(cores),
        "topology": _topology.to_document(topology),
    }
    options = {name.removeprefix("host_tuning_"): value for name, value in DEFAULTS.items()}
    return tuning(options | ASKED, made, state)


def rows() -> list[list[str]]:
    """Return the cells of all rows of the tables with these columns."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", DOCUMENT, re.MULTILINE):
        head, _line, *body = [
            [cell.strip() for cell in row.strip().strip("|").split("|")] for row in table.splitlines()
        ]
        if head == COLUMNS:
            found += body
    return found


def test_each_row_is_complete() -> None:
    assert len(rows()) > 30
    for row in rows():
        assert len(row) == len(COLUMNS), row
        assert all(row), row


@pytest.mark.parametrize("variable", sorted(DEFAULTS))
def test_each_variable_of_the_role_is_named(variable: str) -> None:
    assert f"`{variable}`" in DOCUMENT


def test_variables_that_there_are_not_are_not_named() -> None:
    named = set(re.findall(r"\bhost_tuning_(?!result\b)[a-z_]+\b", DOCUMENT)) - {"host_tuning_settings"}
    assert named <= DEFAULTS.keys()


def test_each_file_that_is_written_is_named(plan: dict[str, t.Any]) -> None:
    tuned = plan["tuned"] or {"sysfs": [], "sysctl": []}
    paths = [row["path"] for row in plan["values"]] + [row["name"] for row in tuned["sysfs"]]
    names = {Path(path).name for path in paths if not path.startswith("/proc/sys/")}
    names |= {row["name"] for row in tuned["sysctl"]}
    names |= {
        path.removeprefix("/proc/sys/").replace("/", ".") for path in paths if path.startswith("/proc/sys/")
    }
    assert len(names) > 15
    settings = "\n".join(row[0] for row in rows())
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", settings)} == set()


def test_each_parameter_of_the_kernel_is_named(plan: dict[str, t.Any]) -> None:
    names = {word.partition("=")[0] for word in plan["kernel_parameters"]}
    assert {"isolcpus", "hugepages", "iommu", "mitigations"} <= names
    assert {name for name in names if f"`{name}=" not in DOCUMENT} == set()


@pytest.mark.parametrize("sysctl", _state_kernel.SYSCTLS)
def test_each_sysctl_that_can_be_asked_for_is_named(sysctl: str) -> None:
    assert any(f"`{sysctl}`" in cell for row in rows() for cell in row)


def test_what_verifies_a_setting_is_in_the_state(state: dict[str, t.Any]) -> None:
    keys = {key for row in rows() for key in re.findall(r"`((?:\w+\.)+[\w.*]+)`", row[4])}
    assert len(keys) > 20
    anything = {"N": None, "NAME": None, "*": None}
    for key in keys:
        found: t.Any = state
        for part in key.split("."):
            found = next(iter(found.values())) if part in anything else found[part]


def test_what_is_wanted_of_the_host_is_said_to_be_verified(plan: dict[str, t.Any]) -> None:
    said = {key for row in rows() for key in re.findall(r"`((?:\w+\.)+[\w.*]+)`", row[4])}

    def covered(path: tuple[str, ...]) -> bool:
        return any(
            len(parts) <= len(path)
            and all(part in ("N", "NAME", "*", have) for part, have in zip(parts, path, strict=False))
            for parts in (key.split(".") for key in said)
        )

    def leaves(path: tuple[str, ...], value: t.Any) -> t.Iterator[tuple[str, ...]]:
        if isinstance(value, dict) and value:
            for key in value:
                yield from leaves((*path, str(key)), value[key])
        else:
            yield path

    wanted = list(leaves((), plan["wanted_after_boot"]))
    assert len(wanted) > 20
    assert [path for path in wanted if not covered(path)] == []


def test_each_source_is_linked_and_each_link_is_used() -> None:
    linked = set(re.findall(r"^\[([\w-]+)\]: https://", DOCUMENT, re.MULTILINE))
    used = set(re.findall(r"\]\[([\w-]+)\]", DOCUMENT))
    assert used == linked
