"""The unit that keeps a switch running where systemd does: systemd itself reads it."""

from __future__ import annotations

import shutil
import subprocess
import typing as t

import pytest

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("runtime", ["podman", "docker"])
def test_systemd_accepts_the_unit(tmp_path: Path, runtime: str) -> None:
    for program in ("systemd-analyze", runtime):
        if shutil.which(program, path="/usr/bin") is None:
            pytest.skip(f"this machine has no /usr/bin/{program}")
    unit = tmp_path / "detnet-switch-alpha.service"
    subprocess.run(
        ["ansible", "localhost", "--module-name", "ansible.builtin.template", "--args",
         f"src=roles/tagging_switch/templates/switch.service.j2 dest={unit} mode=0644",
         "--extra-vars", f"tagging_switch_name=alpha tagging_switch_runtime={runtime} "
         "__tagging_switch_container=detnet-switch-alpha"],
        check=True, capture_output=True,
    )  # fmt: skip
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ExecStart=/usr/bin/{runtime} start --attach detnet-switch-alpha\n" in unit.read_text()
    assert "Restart=always\n" in unit.read_text()
