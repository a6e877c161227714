# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tracer of hardware latencies, which hwlatdetect uses: whether it is there, and its settings given back.

Source: Documentation/trace/hwlat_detector.rst of Linux.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs
from ansible_collections.detnet.testbed.plugins.module_utils._quiet_tools import (
    QuietError,
    ToolError,
)

IDLE = "nop"
# hwlatdetect changes these, and leaves tracing off; killed, it leaves the tracer on. Given back in this order.
SETTINGS = ("current_tracer", "tracing_thresh", "tracing_cpumask", "tracing_on")


def place(root: str = "/") -> str:
    """Return the directory of the tracer's settings. Raises ToolError if hwlatdetect cannot use it.

    hwlatdetect finds it by debugfs, and would mount that, and leave it mounted.
    """
    mounts = _sysfs.mounts(root, "debugfs")
    if not mounts:
        raise ToolError("debugfs is not mounted; mount it on /sys/kernel/debug")
    tracing = os.path.join(root, mounts[0][0].lstrip("/"), "tracing")
    if not os.path.isdir(os.path.join(tracing, "hwlat_detector")):
        raise ToolError("the kernel has no tracer hwlat; it needs CONFIG_HWLAT_TRACER")
    tracer = _sysfs.word(tracing, "current_tracer")
    if tracer != IDLE:
        raise ToolError(f"the kernel's tracer {tracer} is in use; write {IDLE} to {tracing}/current_tracer")
    return tracing


@contextlib.contextmanager
def borrowed(tracing: str) -> t.Iterator[None]:
    """Give the settings back at the end, whatever happens. Raises QuietError if that fails."""
    before = {name: _sysfs.word(tracing, name) for name in SETTINGS}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is not None and _sysfs.word(tracing, name) != value:
                _write(os.path.join(tracing, name), value)


def _write(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as exc:
        raise QuietError(
            f"cannot give {path} its value {value} back: {exc.strerror}; write it by hand"
        ) from exc
