# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that names the content of a folder."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tree_digest
short_description: Name the content of a folder
version_added: 0.1.0
description:
  - Gives the SHA-256 of every file's relative path, executable bit and content below a folder on the
    controller, so that what is made from the folder can be cached by it.
positional: _input
options:
  _input:
    description: The folder.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Name the source of the switch
  ansible.builtin.debug:
    msg: "{{ (playbook_dir ~ '/../files/dpdk-app') | detnet.testbed.tree_digest }}"
"""

RETURN = r"""
_value:
  description: The digest, 64 hexadecimal digits.
  type: str
"""

import hashlib
import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleFilterError


def tree_digest(folder: str) -> str:
    """Return the SHA-256 of the files below a folder.

    Raises AnsibleFilterError where the folder is missing or has no file.
    """
    top = Path(folder)
    files = sorted(path for path in top.rglob("*") if path.is_file())
    if not files:
        raise AnsibleFilterError(f"Cannot digest {folder}: there is no file below it; check the path.")
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        executable = os.access(path, os.X_OK)
        digest.update(os.fsencode(path.relative_to(top)))  # a name need not be text
        digest.update(f"\0{executable:d}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"tree_digest": tree_digest}
