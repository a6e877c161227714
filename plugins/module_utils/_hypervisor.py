# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's domains on this machine, as this collection sees them.

Errors are libvirt.libvirtError, or HypervisorError where libvirt cannot be used at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _cpu_list, _domain_reader, _vm_files
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Observed, Vm, VmError

try:
    import libvirt

    LIBVIRT_ERROR: type[Exception] = libvirt.libvirtError
    HAS_LIBVIRT = True
except ImportError:
    LIBVIRT_ERROR = RuntimeError  # never raised: main() refuses before
    HAS_LIBVIRT = False

URI = "qemu:///system"
START_TIMEOUT_S = 60.0
SHUTDOWN_TIMEOUT_S = 30.0
POLL_S = 0.25


class HypervisorError(Exception):
    """libvirt cannot be reached; the message says why and the way out."""


class Hypervisor:
    """The connection to libvirt; use it as a context."""

    def __init__(self, connection: t.Any) -> None:
        self.connection = connection

    def __enter__(self) -> Hypervisor:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.connection.close()

    def domains(self) -> dict[str, Observed]:
        """Return all domains by name, also those that are not ours."""
        found = {}
        for domain in self.connection.listAllDomains():
            # A domain may go away between the list and the question.
            with contextlib.suppress(LIBVIRT_ERROR):
                found[domain.name()] = _observed(domain)
        return found

    def active(self, name: str) -> bool:
        """Return whether a domain runs; a domain that does not exist does not run."""
        try:
            return bool(self._domain(name).isActive())
        except LIBVIRT_ERROR:
            return False

    def define(self, xml: str) -> None:
        self.connection.defineXML(xml)

    def start(self, name: str) -> None:
        """Start a domain. Raises VmError if its QEMU is not ready after START_TIMEOUT_S seconds."""
        domain, expired = self._domain(name), threading.Event()

        def give_up() -> None:
            expired.set()
            with contextlib.suppress(LIBVIRT_ERROR):
                domain.destroy()

        # Without a peer on the vhost-user socket QEMU may hang, and libvirt would wait for it for ever.
        watchdog = threading.Timer(START_TIMEOUT_S, give_up)
        watchdog.start()
        try:
            domain.create()
        except LIBVIRT_ERROR as exc:
            if expired.is_set():
                raise VmError(
                    f"QEMU was not ready within {START_TIMEOUT_S:g} s; see whether the switch serves its socket"
                ) from exc
            raise
        finally:
            watchdog.cancel()

    def resume(self, name: str) -> None:
        self._domain(name).resume()

    def pause(self, name: str) -> None:
        self._domain(name).suspend()

    def pin(self, vm: Vm) -> None:
        """Have the threads of a VM that runs on the CPUs that are wanted."""
        domain = self._domain(vm.name)
        live = int(libvirt.VIR_DOMAIN_AFFECT_LIVE)
        for number, text in enumerate(vm.vcpu_cpus or ()):
            domain.pinVcpuFlags(number, _among(text), live)
        if vm.emulator_cpus is not None:
            domain.pinEmulator(_among(vm.emulator_cpus), live)
        if vm.io_thread_cpus is not None:
            domain.pinIOThread(1, _among(vm.io_thread_cpus), live)

    def stop(self, name: str) -> None:
        """Ask the guest to shut down; switch it off if it has not after SHUTDOWN_TIMEOUT_S seconds."""
        domain = self._domain(name)
        deadline = time.monotonic() + SHUTDOWN_TIMEOUT_S
        if _state(domain) == "running":  # a paused guest hears nothing
            domain.shutdown()
            while domain.isActive() and time.monotonic() < deadline:
                time.sleep(POLL_S)
        if domain.isActive():
            domain.destroy()

    def remove(self, name: str) -> None:
        """Switch a domain off at once and forget it."""
        domain = self._domain(name)
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )

    def switch_off(self, name: str) -> None:
        """Switch a domain off at once, if it runs."""
        with contextlib.suppress(LIBVIRT_ERROR):
            self._domain(name).destroy()

    def version(self) -> tuple[int, int]:
        """Return the major and the minor version of libvirt."""
        number = self.connection.getLibVersion()
        return number // 1_000_000, number // 1_000 % 1_000

    def uuid(self, name: str) -> str:
        return str(self._domain(name).UUIDString())

    def statistics(self, name: str) -> dict[str, int]:
        """Return memory_mib, vcpus and cpu_time_ns of a domain."""
        _state_number, memory_kib, _used_kib, vcpus, cpu_time_ns = self._domain(name).info()
        return {"memory_mib": memory_kib // 1024, "vcpus": vcpus, "cpu_time_ns": cpu_time_ns}

    def _domain(self, name: str) -> t.Any:
        return self.connection.lookupByName(name)


def connect() -> Hypervisor:
    """Return the connection to the libvirt of this machine. Raises HypervisorError."""
    # libvirt prints each error as well as raising it.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        return Hypervisor(libvirt.open(URI))
    except libvirt.libvirtError as exc:
        raise HypervisorError(
            f"cannot connect to libvirt at {URI}: {exc}; start it with the role detnet.testbed.hypervisor"
        ) from exc


def _among(cpus: str) -> tuple[bool, ...]:
    """Return a list of CPUs as libvirt takes it: whether it has CPU 0, CPU 1, and so on up to its last one."""
    chosen = set(_cpu_list.parse(cpus))
    return tuple(cpu in chosen for cpu in range(max(chosen) + 1))


def _observed(domain: t.Any) -> Observed:
    configured = _with_files(_domain_reader.vm(domain.XMLDesc(_inactive(domain))))
    state = _state(domain)
    running = _domain_reader.vm(domain.XMLDesc(0)) if configured and state != "stopped" else None
    return Observed(state, domain.UUIDString(), configured, _with_files(running))


def _with_files(vm: Vm | None) -> Vm | None:
    """Return a VM with what its domain does not tell, but its files do."""
    if vm is None:
        return None
    disk = dataclasses.replace(vm.disk, size_mib=_vm_files.disk_size_mib(vm.directory))
    return dataclasses.replace(vm, disk=disk, backend=_vm_files.backend(vm.directory))


def _inactive(domain: t.Any) -> int:
    # What a running domain was defined as, without what libvirt added when it started.
    return int(libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isPersistent() else 0


def _state(domain: t.Any) -> str:
    state, _reason = domain.state()
    if state in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED):
        return "stopped"
    return "paused" if state in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED) else "running"
