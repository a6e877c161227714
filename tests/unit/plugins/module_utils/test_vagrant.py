# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's life by Vagrant: what Vagrant is asked, how long, and what becomes of its complaints."""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vagrant, _vagrantfile
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError

pytest.importorskip("vagrant", reason="python-vagrant is not installed")

NAME = "alpha-vm-01"
UUID = "8bf140ab-f4f2-4756-b755-eb550a63a9dd"
DOMAIN = f"""<domain type='test'><name>{NAME}</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory>
<vcpu>1</vcpu><os><type>hvm</type></os></domain>"""
PROVIDER = "/usr/share/rubygems-integration/all/specifications/vagrant-libvirt-0.11.2.gemspec"
needs_vagrant = pytest.mark.skipif(not os.path.exists(PROVIDER), reason="vagrant-libvirt is not installed")

Fake = t.Callable[[str], None]


@pytest.fixture
def machine(tmp_path: Path) -> _vagrant.Machine:
    made = _vagrant.Machine(NAME, str(tmp_path / "vm-01"))
    made.write(
        _vagrantfile.vagrantfile(NAME, "127.0.0.11", 20001), DOMAIN, "[127.0.0.11]:20001 ssh-ed25519 AAAA"
    )
    return made


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a shell script in Vagrant's place; it notes its words, directory and environment first."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "vagrant"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\n{{ echo "$@"; pwd; env; }} >> {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return install


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        pytest.param("up", f"up {NAME} --provider=libvirt", id="up"),
        pytest.param("create", f"up {NAME} --provider=libvirt", id="create"),
        pytest.param("halt", f"halt {NAME} --force", id="halt-needs-no-ssh-session"),
        pytest.param("suspend", f"suspend {NAME}", id="suspend"),
        pytest.param("destroy", f"destroy {NAME} --force", id="destroy-asks-nobody"),
    ],
)
def test_vagrant_is_asked_in_the_directory_of_the_vm(
    machine: _vagrant.Machine, fake: Fake, tmp_path: Path, operation: str, words: str
) -> None:
    fake("exit 0")
    getattr(machine, operation)()
    assert asked(tmp_path)[:2] == [words, machine.directory]


def test_vagrant_gets_an_environment_of_its_own(
    machine: _vagrant.Machine, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("exit 0")
    monkeypatch.setenv("VAGRANT_VAGRANTFILE", "/etc/other")
    machine.up()
    found = dict(line.split("=", 1) for line in asked(tmp_path)[2:])
    assert {name: found.get(name) for name in ("VAGRANT_VAGRANTFILE", _vagrantfile.CREATE_ONLY)} == {
        "VAGRANT_VAGRANTFILE": None,
        _vagrantfile.CREATE_ONLY: None,
    }
    assert found["VAGRANT_HOME"] == f"{machine.directory}/.vagrant.d"
    assert found["VAGRANT_CHECKPOINT_DISABLE"] == "1"


def test_to_create_is_to_bring_up_without_a_start(
    machine: _vagrant.Machine, fake: Fake, tmp_path: Path
) -> None:
    fake("exit 0")
    machine.create()
    assert f"{_vagrantfile.CREATE_ONLY}=1" in asked(tmp_path)


def test_a_guest_that_does_not_shut_down_is_switched_off(
    machine: _vagrant.Machine, fake: Fake, tmp_path: Path
) -> None:
    fake(f'[ "${_vagrantfile.HALT_TIMEOUT}" = 0 ]')
    machine.halt()
    waited = [line for line in asked(tmp_path) if line.startswith(_vagrantfile.HALT_TIMEOUT)]
    assert waited == [f"{_vagrantfile.HALT_TIMEOUT}=30", f"{_vagrantfile.HALT_TIMEOUT}=0"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        pytest.param("running", "running", id="running"),
        pytest.param("shutoff", "stopped", id="shut-off"),
        pytest.param("crashed", "stopped", id="crashed"),
        pytest.param("paused", "paused", id="paused"),
        pytest.param("not_created", "absent", id="not-created"),
    ],
)
def test_the_state_of_the_vm(machine: _vagrant.Machine, fake: Fake, said: str, state: str) -> None:
    fake(f"printf '1,{NAME},provider-name,libvirt\\n1,{NAME},state,{said}\\n1,,ui,info,x\\n'")
    assert machine.status() == state


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            f"1,{NAME},provider-name,libvirt\\n1,{NAME},state,inaccessible\\n", id="an-unknown-state"
        ),
        pytest.param("1,other,provider-name,libvirt\\n1,other,state,running\\n", id="another-machine"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_state_that_says_nothing_is_an_error(machine: _vagrant.Machine, fake: Fake, said: str) -> None:
    fake(f"printf '{said}'")
    with pytest.raises(VmError, match=r"which it is not known to; see /.*vagrant\.log"):
        machine.status()


def test_without_a_vagrantfile_there_is_no_vm(tmp_path: Path) -> None:
    assert _vagrant.Machine(NAME, str(tmp_path)).status() == "absent"


@pytest.mark.parametrize("operation", ["up", "halt", "status"])
def test_a_complaint_is_told(machine: _vagrant.Machine, fake: Fake, operation: str) -> None:
    fake(
        "echo 'Bringing machine up'; echo '==> alpha-vm-01: Starting'; echo 'There is no hypervisor.' >&2; exit 3"
    )
    with pytest.raises(VmError) as raised:
        getattr(machine, operation)()
    message = f"vagrant {operation} failed with status 3: There is no hypervisor.; see {machine.directory}/vagrant.log"
    assert str(raised.value) == message


def test_a_silent_failure_is_told(machine: _vagrant.Machine, fake: Fake) -> None:
    fake("exit 1")
    with pytest.raises(VmError, match="failed with status 1: nothing said; see"):
        machine.up()


def test_only_the_end_of_a_long_complaint_is_told(machine: _vagrant.Machine, fake: Fake) -> None:
    fake("seq 1 50 >&2; exit 1")
    with pytest.raises(VmError, match=": 41 42 43 44 45 46 47 48 49 50; see"):
        machine.up()


def test_what_was_said_before_is_not_told_again(machine: _vagrant.Machine, fake: Fake) -> None:
    fake("echo old; exit 0")
    machine.up()
    fake("echo new; exit 1")
    with pytest.raises(VmError, match="status 1: new; see"):
        machine.up()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("exec sleep 60", id="that-can-be-interrupted"),
        pytest.param("trap '' INT; sleep 60 & wait; sleep 60", id="that-cannot"),
    ],
)
def test_a_vagrant_that_hangs_is_ended(
    machine: _vagrant.Machine, fake: Fake, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(_vagrant, "TIMEOUT_S", 1)
    monkeypatch.setattr(_vagrant, "KILL_AFTER_S", 1)
    fake(script)
    started = time.monotonic()
    with pytest.raises(VmError, match=r"vagrant up was ended after 1 s; see .*, and whether libvirt answers"):
        machine.up()
    assert time.monotonic() - started < 10


def test_no_vagrant_at_all(machine: _vagrant.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(VmError, match=r"not installed; run the role detnet\.testbed\.hypervisor"):
        machine.up()


def test_the_files_are_for_root_alone(machine: _vagrant.Machine) -> None:
    modes = {entry.name: oct(entry.stat().st_mode & 0o777) for entry in os.scandir(machine.directory)}
    assert modes == {"Vagrantfile": "0o600", "domain.xml": "0o600", "known_hosts": "0o600"}


@pytest.mark.parametrize("known", [pytest.param(None, id="none"), pytest.param("another", id="another")])
def test_a_domain_that_vagrant_does_not_hold_is_adopted(machine: _vagrant.Machine, known: str | None) -> None:
    held = Path(machine.directory, ".vagrant", "machines", NAME, "libvirt", "id")
    if known is not None:
        held.parent.mkdir(parents=True)
        held.write_text(known)
    machine.adopt(UUID)
    assert held.read_text() == UUID


def test_a_domain_that_vagrant_holds_is_left_alone(machine: _vagrant.Machine) -> None:
    machine.adopt(UUID)
    held = Path(machine.directory, ".vagrant", "machines", NAME, "libvirt", "id")
    before = held.stat().st_ino
    machine.adopt(UUID)
    assert held.stat().st_ino == before


# With the real Vagrant, on libvirt's test driver: it keeps domains in the memory of the process that asks.


def on_test_driver(machine: _vagrant.Machine, domains: str) -> None:
    node = Path(machine.directory, "node.xml")
    node.write_text(f"<node>{domains}</node>")
    path = Path(machine.directory, "Vagrantfile")
    path.write_text(path.read_text().replace(_vagrantfile.URI, f"test://{node}"))


@needs_vagrant
def test_vagrant_creates_the_domain_of_the_xml_and_starts_it(machine: _vagrant.Machine) -> None:
    on_test_driver(machine, "")
    machine.up()
    held = Path(machine.directory, ".vagrant", "machines", NAME, "libvirt", "id")
    assert held.read_text() == UUID


@needs_vagrant
@pytest.mark.parametrize("operation", ["up", "halt", "suspend"])
def test_vagrant_knows_an_adopted_domain(machine: _vagrant.Machine, operation: str) -> None:
    on_test_driver(machine, DOMAIN)
    machine.adopt(UUID)
    assert machine.status() == "running"
    getattr(machine, operation)()


@needs_vagrant
def test_a_domain_may_be_adopted_before_it_is_created(machine: _vagrant.Machine) -> None:
    on_test_driver(machine, "")
    machine.adopt(UUID)
    assert machine.status() == "absent"
    machine.create()
    assert Path(machine.directory, ".vagrant", "machines", NAME, "libvirt", "id").read_text() == UUID


@needs_vagrant
def test_vagrant_does_not_take_the_domain_of_somebody_else(machine: _vagrant.Machine) -> None:
    on_test_driver(machine, DOMAIN)
    assert machine.status() == "absent"
    with pytest.raises(VmError, match=f"Name `{NAME}` of domain about to create is already taken"):
        machine.up()


@needs_vagrant
def test_a_complaint_of_libvirt_is_told(machine: _vagrant.Machine) -> None:
    on_test_driver(machine, "")
    Path(machine.directory, "domain.xml").write_text(DOMAIN.replace("type='test'", "type='nothing'"))
    with pytest.raises(VmError, match=r"status 1: Call to virDomainDefineXML failed: .*nothing"):
        machine.up()


@needs_vagrant
def test_a_name_that_looks_like_code_is_a_name(machine: _vagrant.Machine, tmp_path: Path) -> None:
    name = "a'#{File.write('%s', 'x')}" % (tmp_path / "broken")
    other = _vagrant.Machine(name, machine.directory)
    other.write(_vagrantfile.vagrantfile(name, "127.0.0.11", 20001), DOMAIN, "")
    shown = subprocess.run(
        ["vagrant", "status", "--machine-readable"],
        cwd=machine.directory,
        env=_vagrant.environment(machine.directory),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not (tmp_path / "broken").exists()
    assert re.search(re.escape("a'#{File.write("), shown.stdout)
