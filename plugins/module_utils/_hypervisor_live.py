# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which CPUs libvirt wants the threads of a domain now, whatever it was defined with."""

from __future__ import annotations

import dataclasses
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.detnet.testbed.plugins.module_utils import _sysfs

NO_DOMAIN = 42  # libvirt's VIR_ERR_NO_DOMAIN


@dataclasses.dataclass(frozen=True)
class Pins:
    """Lists of CPUs in the shortest notation; None for a thread that is not pinned."""

    vcpus: t.Mapping[int, str | None]
    io_threads: t.Mapping[int, str | None]
    emulator: str | None
    default: str | None  # of each thread without a pin of its own

    def of_vcpu(self, number: int | None) -> str | None:
        return self.vcpus.get(number or 0, self.default)

    def of_io_thread(self, number: int | None) -> str | None:
        return self.io_threads.get(number or 0, self.default)

    @property
    def of_emulator(self) -> str | None:
        return self.emulator if self.emulator is not None else self.default


def pins(connection: t.Any, name: str) -> Pins:
    """Return the pins of a domain, which need not run. Raises libvirt.libvirtError."""
    return parse(connection.lookupByName(name).XMLDesc(0))


def is_gone(error: t.Any) -> bool:
    """Return whether a libvirt.libvirtError means that there is no such domain any more."""
    return bool(error.get_error_code() == NO_DOMAIN)


def parse(xml: str) -> Pins:
    """Return the pins in the XML of a domain."""
    domain = ET.fromstring(xml)  # noqa: S314  libvirt wrote it
    return Pins(
        vcpus=_numbered(domain, "vcpupin", "vcpu"),
        io_threads=_numbered(domain, "iothreadpin", "iothread"),
        emulator=_cpus(domain.find("cputune/emulatorpin")),
        default=_cpus(domain.find("vcpu")),
    )


def _numbered(domain: ET.Element, tag: str, number: str) -> dict[int, str | None]:
    return {int(pin.get(number, "0")): _cpus(pin) for pin in domain.findall(f"cputune/{tag}")}


def _cpus(element: ET.Element | None) -> str | None:
    cpus = None if element is None else element.get("cpuset")
    return None if cpus is None else _sysfs.cpu_list(cpus)
