# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a ledger: what was there before our first change, as JSON, on the disk before anything is written."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file

VERSION = 1

Document = dict[str, t.Any]
Ledger = t.TypeVar("Ledger")


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says why and the way out."""


def load(path: str, understand: t.Callable[[t.Any], Ledger], without: str) -> Ledger | None:
    """Return the ledger that understand makes of the document at path, None if there is none.

    understand raises KeyError, TypeError, AttributeError or ValueError for what is no ledger; without says how things
    are given back without one. Raises LedgerError.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LedgerError(f"the ledger {path} cannot be read: {exc.strerror}; become root") from exc
    except ValueError as exc:
        raise _spoilt(path, f"it is not JSON ({exc})", without) from exc
    try:
        if document["version"] != VERSION:
            raise ValueError(f"its version is {document['version']!r}, this module knows {VERSION}")
        return understand(document)
    except (KeyError, TypeError, AttributeError) as exc:
        raise _spoilt(path, f"it is not a ledger ({exc!r})", without) from exc
    except ValueError as exc:
        raise _spoilt(path, str(exc), without) from exc


def store(path: str, document: Document | None) -> None:
    """Have the document on the disk, or for None no file. Raises LedgerError."""
    try:
        if document is None:
            _durable_file.remove(path)
        else:
            _durable_file.write_text(path, json.dumps({"version": VERSION, **document}, indent=1) + "\n")
    except OSError as exc:
        raise LedgerError(
            f"the ledger {path} cannot be {'removed' if document is None else 'written'}: {exc.strerror}; make room, "
            "or name another place with ledger"
        ) from exc


def _spoilt(path: str, why: str, without: str) -> LedgerError:
    return LedgerError(
        f"the ledger {path} cannot be used: {why}; put back a good copy, or move it away and {without}"
    )
