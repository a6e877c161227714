"""What the switch may still do once it runs, read from the kernel thread by thread."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
from kernel_fixtures import UPLINK, namespace
from switch_fixtures import Switch, running

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CAP_NET_ADMIN = 12  # linux/capability.h


def capabilities(pid: int, kind: str) -> list[int]:
    """Return the capability sets of all threads of a process."""
    found = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        match = re.search(rf"^{kind}:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
        assert match, f"{status} has no {kind}"
        found.append(int(match[1], 16))
    return found


@pytest.fixture(
    params=[pytest.param(UPLINK, id="with an uplink"), pytest.param(None, id="without an uplink")]
)
def switch(request: t.Any, tmp_path: Path) -> Iterator[Switch]:
    with namespace(f"privileges-{os.getpid()}") as where:
        where.add_pair("uplink", "wire")
        with running(Switch(tmp_path, request.param, where=where.name)) as made:
            yield made


@pytest.mark.parametrize("kind", ["CapPrm", "CapEff", "CapInh"])
def test_no_thread_may_configure_interfaces(switch: Switch, kind: str) -> None:
    sets = capabilities(switch.call("switch.info")["pid"], kind)
    assert len(sets) > 1
    assert not any(found >> CAP_NET_ADMIN & 1 for found in sets)
