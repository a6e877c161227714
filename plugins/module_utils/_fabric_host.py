# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that carries a fabric: what it has of it, and what turns one document into another."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _fabric_links as links
from ansible_collections.detnet.testbed.plugins.module_utils._fabric_document import (
    DAEMONS,
    UPLINK,
    Document,
    FabricError,
    Ledger,
    Run,
    foreign,
    joined,
    ledger_of,
    nothing,
    to_rebuild,
)
from ansible_collections.detnet.testbed.plugins.module_utils._open_vswitch import OpenVswitch, ports


class Host:
    """The machine that carries the fabric whose files are in the directory."""

    def __init__(self, directory: str, run: Run) -> None:
        self.directory = Path(directory)
        self.run = run
        self.switch = OpenVswitch(directory, run)

    @property
    def _ledger_file(self) -> Path:
        return self.directory / "ledger.json"

    def ledger(self) -> Ledger:
        """Return the names of what the fabric made, or was about to make when it was interrupted."""
        try:
            return dict(json.loads(self._ledger_file.read_text()))
        except FileNotFoundError:
            return ledger_of(nothing())
        except ValueError as exc:
            raise FabricError(
                f"{self._ledger_file} is damaged ({exc}); it names what to remove by hand"
            ) from exc

    def observe(self, after: Document) -> Document:
        """Return the fabric as it is: what its ledger names and exists.

        Raises FabricError if a name of the document after is taken by anything else.
        """
        ledger, namespaces, devices = self.ledger(), links.namespaces(), links.names()
        if taken := foreign(ledger_of(after), ledger, namespaces, devices):
            raise FabricError("; ".join(taken))
        ours = namespaces & set(ledger["namespaces"])
        daemons = self.switch.daemons()
        bridges = self.switch.bridges(devices) if daemons == DAEMONS else {}
        if bridges is None:
            daemons, bridges = dict.fromkeys(DAEMONS, "unreachable"), {}
        addresses = [*ledger["interfaces"], *(f"{namespace}/{UPLINK}" for namespace in ours)]
        return {
            "directory": str(self.directory) if self.directory.exists() else None,
            "daemons": daemons,
            "namespaces": sorted(ours),
            "taps": sorted(devices & set(ledger["taps"])),
            "interfaces": links.observe(addresses, self.run),
            "bridges": bridges,
        }

    def build(self, before: Document, after: Document) -> None:
        """Turn the fabric before into the one after."""
        self._remember(joined(self.ledger(), ledger_of(after)))
        delete, create = to_rebuild(before, after)
        if before["daemons"] == DAEMONS:
            self.switch.remove_ports({*delete, *itertools.chain(*create)} & set(ports(before["bridges"])))
        else:
            self.switch.stop()
            links.delete(before["taps"])
        links.delete(delete)
        for namespace in before["namespaces"]:
            if namespace not in after["namespaces"]:
                links.remove_namespace(namespace)
        for namespace in after["namespaces"]:
            if namespace not in before["namespaces"]:
                links.create_namespace(namespace)
        for first, second in create:
            links.create_pair(first, second)
        for address, now in links.observe(after["interfaces"], self.run).items():
            links.adjust(address, now, after["interfaces"][address], self.run)
        if before["daemons"] != DAEMONS:
            self.switch.start()
        self.switch.configure(self.switch.bridges(links.names()) or {}, after["bridges"])
        self._remember(ledger_of(after))
        if (now := self.observe(after)) != after:
            wrong = [key for key, value in after.items() if now[key] != value]
            raise FabricError(
                f"its {', '.join(wrong)} did not come up: {now}; Open vSwitch says: {self.switch.log()}"
            )

    def remove(self, before: Document, _after: Document) -> None:
        """Remove the fabric."""
        self.switch.stop()
        links.delete([*before["interfaces"], *before["taps"]])
        for namespace in before["namespaces"]:
            links.remove_namespace(namespace)
        if before["directory"]:
            shutil.rmtree(self.directory)
            with contextlib.suppress(OSError):
                self.directory.parent.rmdir()  # unless others have files there

    def _remember(self, ledger: Ledger) -> None:
        """Write down what the fabric is about to make, so that it is known after an interruption."""
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o750, exist_ok=True)
        new = self._ledger_file.with_suffix(".new")
        new.write_text(json.dumps(ledger))
        new.replace(self._ledger_file)
