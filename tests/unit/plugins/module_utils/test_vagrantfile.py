# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Vagrantfile of a VM: what it says, and that no value in it is code."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _vagrantfile
from ansible_collections.detnet.testbed.plugins.module_utils._vm import VmError
from hypothesis import example, given
from hypothesis import strategies as st

TEXT = _vagrantfile.vagrantfile("alpha-vm-01", "127.0.0.11", 20001)
needs_ruby = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby comes with Vagrant")

# What would be code, or the end of the literal, if it were not escaped.
NASTY = (
    "",
    "alpha-vm-01",
    "#{exit 7}",
    "#$0 #@x",
    "'",
    "\\",
    "\\'",
    "\\\\'; exit 7; '",
    "' + `exit 7` + '",
    '"; exit 7; "',
    "__END__",
    "=begin",
    "%q(x)",
    "näme ☃",
)


def ruby(program: str) -> str:
    done = subprocess.run(
        ["ruby", "-"], input=program, capture_output=True, text=True, check=True, encoding="utf-8", timeout=60
    )
    return done.stdout


def read(literal: str) -> str:
    """Return the value of a single-quoted literal of Ruby, by its rules: only \\\\ and \\' are escapes."""
    assert literal[0] == literal[-1] == "'"
    value, characters = "", iter(literal[1:-1])
    for character in characters:
        assert character != "'", "the literal ends before its end"
        if character != "\\":
            value += character
            continue
        following = next(characters)  # a StopIteration here: the last quote is escaped
        value += following if following in "\\'" else character + following
    return value


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("config.vm.define 'alpha-vm-01' do |machine|", id="the-machine-has-the-VM's-name"),
        pytest.param(
            'libvirt.default_prefix = "" # the domain has the VM\'s name',
            id="the-domain-has-the-machine's-name",
        ),
        pytest.param('libvirt.uri = "qemu:///system"', id="the-libvirt-is-the-module's"),
        pytest.param("libvirt.mgmt_attach = false", id="no-network-of-Vagrant's"),
        pytest.param("machine.ssh.host = '127.0.0.11'", id="SSH-is-on-the-end-host"),
        pytest.param("machine.ssh.port = 20001", id="SSH-has-the-VM's-port"),
        pytest.param("machine.ssh.insert_key = false", id="no-key-is-replaced"),
        pytest.param("machine.ssh.verify_host_key = :always", id="the-host-key-is-checked"),
        pytest.param('"-o", "StrictHostKeyChecking=yes",', id="an-unknown-host-key-is-refused"),
        pytest.param('machine.vm.synced_folder ".", "/vagrant", disabled: true', id="no-folder-is-shared"),
    ],
)
def test_the_vagrantfile_says(line: str) -> None:
    assert line in [found.strip() for found in TEXT.splitlines()]


def test_nothing_in_it_trusts_the_insecure_key_or_any_host_key() -> None:
    assert "insecure" not in TEXT
    assert "StrictHostKeyChecking=no" not in TEXT
    # An empty list: with none at all, Vagrant takes the insecure key.
    assert "machine.ssh.private_key_path = []" in TEXT


@given(st.text().filter(str.isprintable))
@example("#{exit 7}")
@example("\\")
@example("\\'")
def test_a_value_stays_a_value(value: str) -> None:
    assert read(_vagrantfile.literal(value)) == value


@needs_ruby
def test_ruby_reads_the_values_back() -> None:
    program = "".join(f"STDOUT.write({_vagrantfile.literal(value)} + 0.chr)\n" for value in NASTY)
    assert tuple(ruby(program).split("\0")[:-1]) == NASTY


@needs_ruby
@pytest.mark.parametrize("value", NASTY)
def test_ruby_takes_the_vagrantfile_of_any_name(value: str) -> None:
    text = _vagrantfile.vagrantfile(value, value, 1)
    subprocess.run(["ruby", "-wc", "-"], input=text, text=True, check=True, timeout=60, encoding="utf-8")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a\nexit 7", id="newline"),
        pytest.param("a\rexit 7", id="carriage-return"),
        pytest.param("a\0b", id="zero"),
        pytest.param("a\x1b[2Jb", id="escape"),
        pytest.param("a\u2028b", id="line-separator"),
        pytest.param("a\u202eb", id="right-to-left"),
        pytest.param("a\udc80b", id="no-unicode"),
    ],
)
def test_what_nobody_could_read_is_refused(value: str) -> None:
    with pytest.raises(VmError, match="use printable ones"):
        _vagrantfile.vagrantfile(value, "127.0.0.11", 20001)
