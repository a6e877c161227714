"""Modules that run in a network namespace, as Ansible runs them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from switch_fixtures import run

if t.TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = "ansible_collections.detnet.testbed.plugins.modules"
COLLECTIONS = Path(__file__).resolve().parents[2] / "build/collections"


def netns(namespace: str, *argv: t.Any) -> list[t.Any]:
    return ["ip", "netns", "exec", namespace, *argv]


def link(namespace: str, interface: str) -> dict[str, t.Any]:
    (found,) = json.loads(run("ip", "-n", namespace, "-json", "-details", "link", "show", "dev", interface))
    return dict(found)


def module_command(
    namespace: str, name: str, options: dict[str, t.Any], without: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the command of a module, and its environment; without: a capability that it is not to have."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
    less = ["setpriv", f"--bounding-set=-{without}", f"--inh-caps=-{without}"] if without else []
    command = netns(namespace, *less, sys.executable, "-m", f"{MODULES}.{name}", arguments)
    return command, {**os.environ, "PYTHONPATH": str(COLLECTIONS)}


def run_module(namespace: str, name: str, without: str | None = None, **options: t.Any) -> dict[str, t.Any]:
    """Run a module and return its result."""
    command, environment = module_command(namespace, name, options, without)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


@contextlib.contextmanager
def started(namespace: str, name: str, **options: t.Any) -> Iterator[subprocess.Popen[str]]:
    """Run a module until the block ends."""
    command, environment = module_command(namespace, name, options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()
