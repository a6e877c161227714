# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole after a power cut: the old text or the new one, never a part. All raise OSError."""

from __future__ import annotations

import contextlib
import os


def write_text(path: str, text: str, mode: int = 0o644) -> None:
    """Put a file with this text in place of path; on an error the old one stays as it is."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.detnet-new")
    try:
        with open(
            beside, "w", encoding="utf-8", errors="surrogateescape"
        ) as file:  # other people's bytes stay
            file.write(text)
        os.chmod(beside, mode)
        adopt(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def adopt(beside: str, path: str) -> None:
    """Put the file beside in place of path, both of one folder, once it is on the disk."""
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(beside, path)
    sync_folder(path)


def remove(path: str) -> None:
    """Remove a file; one that is not there is no error."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(path)


def sync_folder(path: str) -> None:
    """Have the names of path's folder on the disk: a rename or a removal is not, before that."""
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
