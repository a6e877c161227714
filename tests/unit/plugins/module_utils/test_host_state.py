# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole document, and what its fingerprint depends on."""

from __future__ import annotations

import copy
import functools
import tempfile
import typing as t
from pathlib import Path

import host_trees
import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _host_state, _state_services
from ansible_collections.detnet.testbed.plugins.module_utils._state_diff import diff
from hypothesis import given
from hypothesis import strategies as st

Path_ = tuple[str, ...]


@functools.cache
def host() -> dict[str, t.Any]:
    with tempfile.TemporaryDirectory() as directory:
        return _host_state.read(host_trees.write_host(Path(directory)), host_trees.ask)


def leaves(value: t.Any, path: Path_ = ()) -> t.Iterator[Path_]:
    if isinstance(value, dict) and value:
        for key in value:
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def changed(document: dict[str, t.Any], path: Path_, value: t.Any) -> dict[str, t.Any]:
    other = copy.deepcopy(document)
    inner = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return other


def is_volatile(path: Path_) -> bool:
    return path[-1] in ("irq", "effective_cpus", "free", "latency_limit_us")


VOLATILE = [path for path in leaves(host()) if is_volatile(path)]
STABLE = [path for path in leaves(host()) if not is_volatile(path)]


def test_the_document_has_its_parts_in_order() -> None:
    assert list(host()) == [
        "schema",
        "machine",
        "kernel",
        "processor",
        "interrupts",
        "memory",
        "network",
        "services",
    ]
    assert host()["machine"] == {
        "vendor": "Maker",
        "product": "R 2000",
        "firmware_version": "1.7.2",
        "firmware_date": "03/01/2026",
    }
    assert host_trees.is_json(host())


def test_a_machine_that_says_nothing_has_the_same_parts(tmp_path: Path) -> None:
    state = _host_state.read(str(tmp_path), host_trees.ask)
    assert list(state) == list(host())
    assert all(
        list(state[part]) == list(host()[part]) for part in ("machine", "kernel", "processor", "services")
    )


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff\xfe\0 9\n-\n: : :\n[", id="bytes"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"9" * 5000, id="an-endless-number"),
        pytest.param(b"-1,\n", id="half-a-list"),
    ],
)
def test_garbage_in_any_file_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, garbage: bytes
) -> None:
    monkeypatch.setattr(_state_services, "packages", lambda _root: {})  # its test is its own
    root = host_trees.write_host(tmp_path)
    for name in host_trees.FILES:
        file = tmp_path / name
        sound = file.read_bytes()
        file.write_bytes(garbage)
        assert host_trees.is_json(_host_state.read(root, host_trees.ask)), name
        file.write_bytes(sound)
    assert {**_host_state.read(root, host_trees.ask), "services": 0} == {**host(), "services": 0}


def test_garbage_in_all_files_is_no_error(tmp_path: Path) -> None:
    root = host_trees.write_host(tmp_path)
    for name in host_trees.FILES:
        (tmp_path / name).write_bytes(b"\xff\xfe\0 9\n-\n: : :\n[")
    assert host_trees.is_json(_host_state.read(root, host_trees.ask))


def test_a_fingerprint_is_16_hexadecimal_digits() -> None:
    found = _host_state.fingerprint(host())
    assert len(found) == 16
    assert int(found, 16) >= 0


def other_value(value: t.Any) -> t.Any:
    return value + 1 if isinstance(value, int) and not isinstance(value, bool) else f"{value} else"


@pytest.mark.parametrize("path", VOLATILE, ids=".".join)
def test_the_fingerprint_ignores(path: Path_) -> None:
    other = changed(host(), path, "else")
    assert _host_state.fingerprint(other) == _host_state.fingerprint(host())
    assert diff(host(), other) == []


@pytest.mark.parametrize("path", STABLE, ids=".".join)
def test_the_fingerprint_depends_on(path: Path_) -> None:
    value = _host_state.value_at(host(), path)
    new = [*value, "new=1"] if isinstance(value, list) else other_value(value)
    other = changed(host(), path, new)
    assert _host_state.fingerprint(other) != _host_state.fingerprint(host())
    assert len(diff(host(), other)) == 1


@pytest.mark.parametrize(
    ("line", "same"),
    [
        pytest.param(["quiet", "isolcpus=managed_irq,domain,2-7", "nohz-full=2-7", "ro"], False, id="a-dash"),
        pytest.param(
            ["ro", "quiet", "nohz_full=2-7", "isolcpus=managed_irq,domain,2-7"], True, id="another-order"
        ),
        pytest.param(
            ["root=/dev/sdb", "ro", "isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "quiet"],
            True,
            id="a-disk",
        ),
        pytest.param(
            ["ro", "isolcpus=2", "isolcpus=managed_irq,domain,2-7", "nohz_full=2-7", "quiet"], False, id="two"
        ),
        pytest.param(["ro", "isolcpus=managed_irq,domain,2-7", "nohz_full=2-7"], False, id="one-less"),
    ],
)
def test_the_fingerprint_and_the_kernel_s_line(line: list[str], same: bool) -> None:
    other = changed(host(), ("kernel", "command_line"), line)
    assert (_host_state.fingerprint(other) == _host_state.fingerprint(host())) is same
    assert (diff(host(), other) == []) is same


def test_the_order_of_a_repeated_parameter_counts() -> None:
    one, two = (
        changed(host(), ("kernel", "command_line"), line) for line in (["a=1", "a=2"], ["a=2", "a=1"])
    )
    assert _host_state.fingerprint(one) != _host_state.fingerprint(two)


def test_where_irqbalance_runs_affinities_do_not_count() -> None:
    balanced = changed(host(), ("services", "irqbalance", "running"), True)
    moved = changed(balanced, ("interrupts", "irqs", "nvme0q0", "asked_cpus"), "7")
    assert _host_state.fingerprint(moved) == _host_state.fingerprint(balanced)
    assert diff(balanced, moved) == []


def reordered(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return value


def test_the_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert list(reordered(host())) != list(host())
    assert _host_state.fingerprint(reordered(host())) == _host_state.fingerprint(host())


LEAVES = st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from(["", "0", "1", "2-7"])
IRQS = st.fixed_dictionaries({}, optional={"irq": LEAVES, "asked_cpus": LEAVES, "effective_cpus": LEAVES})
DOCUMENTS = st.fixed_dictionaries(
    {"schema": st.just(1)},
    optional={
        "kernel": st.fixed_dictionaries(
            {"command_line": st.lists(st.sampled_from(["a=1", "a=2", "b", "root=x"]), max_size=3)},
            optional={"isolated_cpus": LEAVES},
        ),
        "processor": st.fixed_dictionaries(
            {"per_cpu": st.fixed_dictionaries({"governor": st.dictionaries(st.sampled_from("ab"), LEAVES)})},
            optional={"latency_limit_us": LEAVES},
        ),
        "interrupts": st.fixed_dictionaries({"irqs": st.dictionaries(st.sampled_from(["x", "y.z"]), IRQS)}),
        "services": st.fixed_dictionaries({"irqbalance": st.fixed_dictionaries({"running": st.booleans()})}),
        "odd": LEAVES,
    },
)


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, t.Any]) -> None:
    assert diff(document, copy.deepcopy(document), with_volatile=True) == []
    assert diff(document, reordered(document)) == []
    assert _host_state.fingerprint(document) == _host_state.fingerprint(reordered(document))


@given(DOCUMENTS, DOCUMENTS)
def test_fingerprints_differ_where_documents_do(one: dict[str, t.Any], two: dict[str, t.Any]) -> None:
    same = _host_state.fingerprint(one) == _host_state.fingerprint(two)
    assert (diff(one, two) == []) is same


@pytest.mark.parametrize(
    "document", [None, "text", [], {}, {"schema": "1"}, {"state": {"schema": 1}}], ids=repr
)
def test_what_is_no_document_is_refused(document: t.Any) -> None:
    with pytest.raises(_host_state.StateError, match="is not a state document; give the state that"):
        _host_state.checked(document)
