# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role installs: all that the commands import, nothing else, and no Ansible."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import typing as t
import venv
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

COLLECTION = Path(__file__).parents[4]
ROLE = COLLECTION / "roles/controller_commands"
LIBRARY = COLLECTION / "plugins/module_utils"
PACKAGE = "ansible_collections.detnet.testbed.plugins.module_utils"
VARIABLES: dict[str, t.Any] = yaml.safe_load((ROLE / "vars/main.yml").read_text())


def imports(path: Path) -> set[str]:
    """Return the files of the library that a file of Python imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found |= {f"{alias.name}.py" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE):
            found.add(f"{str(node.module).rpartition('.')[2]}.py")
    return found


def test_the_library_is_what_the_commands_import() -> None:
    needed, todo = set(), imports(ROLE / "files/__main__.py")
    while todo:
        needed |= todo
        todo = set().union(*(imports(LIBRARY / name) for name in todo)) - needed
    assert VARIABLES["__controller_commands_library"] == sorted(needed)


@pytest.fixture(name="installed")
def install(tmp_path: Path) -> Path:
    """Pack the library as the role does, and unpack it; return the folder."""
    folder, archive = tmp_path / "controller", str(tmp_path / "library.tar")
    folder.mkdir()
    variables = {
        **DataLoader().load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        "role_path": str(ROLE),
        "__controller_commands_archive": {"path": archive},
    }
    pack = Templar(loader=DataLoader(), variables=variables).template(
        trust_as_template("{{ __controller_commands_pack }}")
    )
    subprocess.run(pack, check=True)
    listed = subprocess.run(["tar", "--list", "--file", archive], check=True, capture_output=True, text=True)
    assert listed.stdout.splitlines()[-1] == "__main__.py"
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)
    return folder


@pytest.fixture(name="python", scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Python that has its standard library only."""
    place = tmp_path_factory.mktemp("python")
    venv.create(place, with_pip=False)
    return str(place / "bin/python")


def test_the_commands_run_without_ansible(installed: Path, python: str) -> None:
    command = [python, "-I", str(installed), "list-vms"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("list-vms: ")
    assert "Traceback" not in done.stderr


def test_an_ansible_of_the_same_machine_is_not_asked(installed: Path, python: str, tmp_path: Path) -> None:
    site = next((Path(python).parents[1] / "lib").glob("python3*/site-packages"))
    other = site / "ansible_collections"
    other.mkdir()
    (other / "__init__.py").write_text("raise RuntimeError('another one')\n")
    command = [python, "-I", str(installed), "list-vms", "--help"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    shutil.rmtree(other)
    assert (done.returncode, done.stdout) == (0, "usage: list-vms\n")


def test_the_wrapper_hands_over_every_word(installed: Path, tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROLE / "tasks/install.yml").read_text())
    wrapper = next(
        task for task in tasks if "loop" in task and "content" in task.get("ansible.builtin.copy", {})
    )
    text = wrapper["ansible.builtin.copy"]["content"]
    text = text.replace("{{ __controller_commands_folder }}", str(installed)).replace(
        "{{ item }}", "create-vm"
    )
    command = tmp_path / "create-vm"
    command.write_text(text.replace("/usr/bin/python3", sys.executable))
    command.chmod(0o755)
    done = subprocess.run([command, "1 2"], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("create-vm: '1 2' is no id")
