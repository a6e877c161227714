from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible_collections.detnet.testbed.plugins.callback import phases


@pytest.mark.parametrize(
    ("tags", "phase"),
    [
        pytest.param([], None, id="no-tag"),
        pytest.param(["hosts", "verify"], "hosts", id="first-of-several"),
        pytest.param(["always"], None, id="always-is-none"),
        pytest.param(["never", "verify"], "verify", id="never-is-none"),
    ],
)
def test_the_phase_is_the_first_tag(tags, phase):
    assert phases.phase_of(tags) == phase


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        pytest.param(["hosts", "verify", None], {"hosts": 1, "verify": 1}, id="one-after-the-other"),
        pytest.param(["hosts", "verify", "hosts", None], {"hosts": 2, "verify": 1}, id="added-up"),
        pytest.param(["hosts", None, "hosts", None], {"hosts": 2}, id="time-between-is-not-counted"),
        pytest.param([None, None], {}, id="no-phase"),
    ],
)
def test_wall_time_is_added_up_by_phase(steps, seconds):
    times = iter(range(10))
    stopwatch = phases.Stopwatch(lambda: next(times))
    for step in steps:
        stopwatch.enter(step)
    assert stopwatch.seconds == seconds


def test_the_table_has_aligned_columns_and_a_sum():
    assert phases.table({"hosts": 61.04, "create_vms": 2}) == (
        "hosts          61.0 s\ncreate_vms      2.0 s\ntotal          63.0 s"
    )


@pytest.fixture
def callback():
    """Return a callback whose clock ticks by a second, and what it shows."""
    plugin, shown = phases.CallbackModule(), []
    times = iter(range(100))
    plugin.stopwatch.clock = lambda: next(times)
    plugin._display = SimpleNamespace(banner=shown.append, display=shown.append, warning=shown.append)
    return plugin, shown


def run(plugin, tags, **results):
    for of_play in tags:
        plugin.v2_playbook_on_play_start(SimpleNamespace(tags=of_play))
    plugin.v2_playbook_on_stats(SimpleNamespace(custom={"_run": results} if results else {}))


def test_a_run_without_phase_shows_nothing(callback):
    plugin, shown = callback
    run(plugin, [[], ["always"]])
    assert shown == []


def test_the_phases_join_the_results(callback, tmp_path):
    plugin, shown = callback
    results = tmp_path / "site.json"
    results.write_text('{"udp": {"sent": 1}, "phases_s": {"old": 9}}')
    run(plugin, [["hosts"], ["verify"]], testbed_results=str(results))
    assert json.loads(results.read_text()) == {"udp": {"sent": 1}, "phases_s": {"hosts": 1, "verify": 1}}
    assert [path.name for path in tmp_path.iterdir()] == ["site.json"]
    assert shown[0] == "PHASES"


@pytest.mark.parametrize("content", [None, "{"], ids=["absent", "no-json"])
def test_results_that_cannot_be_read_are_a_warning(callback, tmp_path, content):
    plugin, shown = callback
    results = tmp_path / "site.json"
    if content is not None:
        results.write_text(content)
    run(plugin, [["hosts"]], testbed_results=str(results))
    assert shown[-1].startswith(f"Cannot add the phases to {results}: ")
