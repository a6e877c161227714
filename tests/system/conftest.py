"""Options of the system tests, and what the machine has to lend them."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from switch_fixtures import Bench

REPOSITORY = Path(__file__).parents[2]
COMPILED_ONCE = REPOSITORY / "molecule/host_tuning_survives_reboot/files/server/etc/python3.11"
PAGES = Path("/proc/sys/vm/nr_hugepages")
NEEDED_PAGES = 768  # a switch and its testpmd, with room for the largest rule table


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long campaigns too")


class Figures:
    """What tests have measured and do not judge: shown at the end of the run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, what: str, value: float, unit: str) -> None:
        self.lines.append(f"{what}: {value:,.1f} {unit}")


FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()
    # What Ansible sends to this machine is compiled once, not in every task.
    os.environ["PYTHONPATH"] = str(COMPILED_ONCE)
    # A scenario with a server of its own may run beside, which is none of the snapshots' business.
    os.environ["MOLECULE_SCENARIO_NAME"] = "system_tests"


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash[FIGURES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[FIGURES].lines
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="a long campaign: make soak runs it"))


@pytest.fixture(scope="module", autouse=True)
def hugepages(request: pytest.FixtureRequest) -> Iterator[None]:
    """Reserve what the tests of the switch need, and give it back."""
    before = int(PAGES.read_text())
    if not request.path.name.startswith("test_switch") or before >= NEEDED_PAGES:
        yield
        return
    PAGES.write_text(str(NEEDED_PAGES))
    assert int(PAGES.read_text()) == NEEDED_PAGES, "the kernel has not enough free memory for 2 MiB pages"
    yield
    PAGES.write_text(str(before))


@pytest.fixture
def on(whole_bench: Bench) -> Iterator[Bench]:
    """A module's switch with nothing under way, no rule and no count; afterwards, no frame buffer is missing."""
    whole_bench.reset()
    yield whole_bench
    whole_bench.switch.call("rule.replace", rules=[])
    whole_bench.wait_idle()
