# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container runtime whose one container is files of a folder: python container_runtime.py FOLDER VERB.

A file hang-VERB or refuse-VERB there has that verb wait or fail; a file slow has stop take a while, as a real one does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

PLACE, VERB = Path(sys.argv[1]), sys.argv[2]
CONTAINER, RUNNING = PLACE / "container", PLACE / "running"


def main() -> int:
    with (PLACE / "done").open("a") as done:
        done.write(f"{VERB}\n")
    while (PLACE / f"hang-{VERB}").exists():
        time.sleep(0.01)
    if (PLACE / f"refuse-{VERB}").exists():
        sys.stderr.write("no such luck\n")
        return 125
    there = {"listed": CONTAINER, "running": RUNNING}.get(VERB)
    if there:
        sys.stdout.write("be84f4759644\n" if there.exists() else "")
    elif VERB == "create":
        CONTAINER.touch(exist_ok=False)
    elif VERB == "start":
        RUNNING.write_text(CONTAINER.read_text())
    elif VERB == "log":
        sys.stdout.write("EAL: Detected CPU lcores: 2\nEAL: no free hugepages\n")
    else:
        time.sleep(0.5 if (PLACE / "slow").exists() else 0)
        RUNNING.unlink(missing_ok=True)
        if VERB == "remove":
            CONTAINER.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
