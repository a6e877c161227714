# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare an image with what its image.json says of it.

    check_image.py sizes|sums DIRECTORY

Prints {"faults": […]} and changes nothing. The sums of all files take seconds, their sizes none.
"""

from __future__ import annotations

import hashlib
import json
import sys
import typing as t
from pathlib import Path

# What boots, by the way it boots.
FILES = {"kernel": {"initrd.img", "root.ext4", "vmlinuz"}, "firmware": {"root.qcow2"}}


def described(directory: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Return the sizes and the SHA-256 of the image's files, as its image.json says.

    Raises OSError, ValueError, KeyError, TypeError or AttributeError if that does not say it.
    """
    description = json.loads((directory / "image.json").read_text())
    sizes, sums = dict(description["sizes"]), dict(description["sha256"])
    if not sizes.keys() == sums.keys() == FILES[description["boot"]]:
        raise ValueError("it names other files than those that boot")
    return sizes, sums


def file_fault(path: Path, size: int, digest: str | None) -> str | None:
    """Return what is wrong with a file; None if nothing is. Its content is read only if there is a digest."""
    try:
        found = path.stat().st_size
        if found != size:
            return f"{path.name} has {found} bytes in place of {size}"
        if digest is None:
            return None
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                return f"{path.name} has another content than it was made with"
    except OSError as exc:
        return f"{path.name} cannot be read: {exc.strerror}"
    return None


def faults(directory: Path, sums: bool) -> list[str]:
    """Return what is wrong with an image; its files' content is compared only if sums is set."""
    try:
        sizes, digests = described(directory)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        return [f"its image.json does not describe it ({type(exc).__name__}: {exc})"]
    found = (
        file_fault(directory / name, size, digests[name] if sums else None)
        for name, size in sorted(sizes.items())
    )
    return [fault for fault in found if fault]


def main() -> int:
    """Print the faults of the image on the command line."""
    done: dict[str, t.Any] = {"faults": faults(Path(sys.argv[2]), sums=sys.argv[1] == "sums")}
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
