# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Vagrantfile of a VM, made from values. Nothing here touches the machine.

The provider vagrant-libvirt describes a domain in words of its own, which know no vhost-user device, no size of
hugepages and no pins of QEMU's threads, and it insists on a network with a DHCP server for the management. So the
Vagrantfile lets it create the domain that libvirt's XML beside it describes, the same XML as without Vagrant:
no option of a VM means less under Vagrant.
"""

from __future__ import annotations

from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

URI = "qemu:///system"
DOMAIN = "domain.xml"  # beside the Vagrantfile
KNOWN_HOSTS = "known_hosts"  # beside the Vagrantfile
CREATE_ONLY = "TESTBED_CREATE_ONLY"  # in the environment: `vagrant up` does not start what it creates
HALT_TIMEOUT = "TESTBED_HALT_TIMEOUT_S"  # in the environment: how long `vagrant halt` waits for the guest

# An action of vagrant-libvirt is a class with a method call(env), which goes on with @app.call(env). These do less
# than the originals: no storage pool is looked for, and no setting of the provider is written over the domain.
ACTIONS = f"""\
# Written by detnet.testbed.vm, and written anew by it: a change made here is lost.
require "vagrant-libvirt/action"
require "vagrant-libvirt/driver"

{{
  ResolveDiskSettings: ->(_libvirt, _machine) {{}},
  CreateDomain: lambda do |libvirt, machine|
    machine.id = libvirt.define_domain_xml(File.read(File.join(__dir__, "{DOMAIN}"))).uuid
  end,
  StartDomain: lambda do |libvirt, machine|
    libvirt.lookup_domain_by_uuid(machine.id).create unless ENV["{CREATE_ONLY}"]
  end,
  DestroyDomain: lambda do |libvirt, machine|
    domain = libvirt.lookup_domain_by_uuid(machine.id)
    domain.destroy if domain.active?
    domain.undefine(1 | 2 | 4) # with what belongs to it: a saved state, snapshots, the firmware's variables
  end
}}.each do |name, work|
  VagrantPlugins::ProviderLibvirt::Action.const_get(name).prepend(Module.new do
    define_method(:call) do |env|
      work.call(env[:machine].provider.driver.connection.client, env[:machine])
      @app.call(env)
    rescue Libvirt::Error => e
      raise Class.new(Vagrant::Errors::VagrantError) {{ error_message(e.message) }}
    end
  end)
end

# The guest has no lease of libvirt's DHCP server; its SSH is reached on the end host.
VagrantPlugins::ProviderLibvirt::Driver.prepend(Module.new do
  def get_ipaddress(*)
    @machine.config.ssh.host
  end
end)
"""


def vagrantfile(name: str, address: str, port: int) -> str:
    """Return the Vagrantfile of the VM name, whose SSH is reached at address:port. Raises VmError."""
    return f"""{ACTIONS}
Vagrant.configure("2") do |config|
  config.vm.define {literal(name)} do |machine|
    machine.vm.synced_folder ".", "/vagrant", disabled: true
    machine.vm.graceful_halt_timeout = Integer(ENV.fetch("{HALT_TIMEOUT}", "30"))
    machine.ssh.host = {literal(address)}
    machine.ssh.port = {int(port)}
    machine.ssh.username = "root"
    machine.ssh.insert_key = false
    machine.ssh.private_key_path = [] # not the key that everybody has, but those of the user
    machine.ssh.keys_only = false
    machine.ssh.verify_host_key = :always
    machine.ssh.extra_args = [
      "-o", "StrictHostKeyChecking=yes",
      "-o", "UserKnownHostsFile=\\"#{{File.join(__dir__, "{KNOWN_HOSTS}")}}\\""
    ]
    machine.vm.provider "libvirt" do |libvirt|
      libvirt.uri = "{URI}"
      libvirt.default_prefix = "" # the domain has the VM's name
      libvirt.mgmt_attach = false
    end
  end
end
"""


def literal(value: str) -> str:
    """Return value as a literal of Ruby in which nothing is code. Raises VmError for unprintable characters."""
    if not value.isprintable():
        raise VmError(f"{value!r} has characters that no Vagrantfile shall have; use printable ones")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
