# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who creates, starts and stops a domain: libvirt itself, or Vagrant, whose domains libvirt shows all the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
import uuid as uuid_module

from ansible_collections.detnet.testbed.plugins.module_utils import (
    _domain_xml,
    _vagrant,
    _vagrantfile,
    _vm_files,
)
from ansible_collections.detnet.testbed.plugins.module_utils._hypervisor import Hypervisor
from ansible_collections.detnet.testbed.plugins.module_utils._vm import Image, Vm, VmError


class Backend(t.Protocol):
    """What is done to the domain of a VM. Methods raise VmError, OSError or libvirt's error."""

    def define(self, vm: Vm, image: Image, uuid: str | None) -> None:
        """Have the domain of vm, on its image; uuid is that of the one which it takes the place of."""

    def start(self, vm: Vm) -> None: ...

    def resume(self, vm: Vm) -> None: ...

    def pause(self, vm: Vm) -> None: ...

    def stop(self, vm: Vm) -> None:
        """Ask the guest to shut down; switch it off if it does not in time."""


class ByLibvirt:
    """libvirt does all."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor

    def define(self, vm: Vm, image: Image, uuid: str | None) -> None:
        self.hypervisor.define(_domain_xml.domain_xml(vm, image, uuid))
        forget(vm.directory)

    def start(self, vm: Vm) -> None:
        self.hypervisor.start(vm.name)

    def resume(self, vm: Vm) -> None:
        self.hypervisor.resume(vm.name)

    def pause(self, vm: Vm) -> None:
        self.hypervisor.pause(vm.name)

    def stop(self, vm: Vm) -> None:
        self.hypervisor.stop(vm.name)


class ByVagrant:
    """Vagrant does all, with the same domain as without it."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor

    def define(self, vm: Vm, image: Image, uuid: str | None) -> None:
        if uuid is None:
            forget(vm.directory)  # what Vagrant knew of one that was here before
        # Vagrant notes a domain after it has made it. Noted before, it is found again whenever either is killed.
        known = uuid or str(uuid_module.uuid4())
        machine = _vagrant.Machine(vm.name, vm.directory)
        xml = _domain_xml.domain_xml(vm, image, known)
        key = _vm_files.host_key(vm.directory)
        machine.write(
            _vagrantfile.vagrantfile(vm.name, vm.management_address, vm.management_port),
            xml,
            _vm_files.known_hosts(vm.management_address, vm.management_port, key) or "",
        )
        machine.adopt(known)
        if uuid is None:
            machine.create()
        else:
            self.hypervisor.define(xml)

    def start(self, vm: Vm) -> None:
        try:
            self._machine(vm).up()
        except VmError:
            # Vagrant was ended, but libvirt would go on waiting for a QEMU that hangs.
            self.hypervisor.switch_off(vm.name)
            raise

    def resume(self, vm: Vm) -> None:
        self._machine(vm).up()

    def pause(self, vm: Vm) -> None:
        self._machine(vm).suspend()

    def stop(self, vm: Vm) -> None:
        self._machine(vm).halt()

    def _machine(self, vm: Vm) -> _vagrant.Machine:
        """Return the VM as Vagrant knows it, by the domain that there is."""
        machine = _vagrant.Machine(vm.name, vm.directory)
        machine.adopt(self.hypervisor.uuid(vm.name))
        return machine


BACKENDS: dict[str, type[ByLibvirt] | type[ByVagrant]] = {"libvirt": ByLibvirt, "vagrant": ByVagrant}


def missing(backend: str) -> list[str]:
    """Return what a backend lacks on this machine."""
    if backend == "vagrant" and not (_vagrant.HAS_VAGRANT and shutil.which("vagrant")):
        return [f"vagrant, vagrant-libvirt or python-vagrant is not installed; run {_vagrant.INSTALLER}"]
    return []


def forget(directory: str) -> None:
    """Take away what Vagrant knows of a VM."""
    for name in (_vagrant.VAGRANTFILE, _vagrantfile.DOMAIN, _vagrantfile.KNOWN_HOSTS, _vagrant.LOG):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    for name in (_vagrant.HOME, ".vagrant"):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(os.path.join(directory, name))
