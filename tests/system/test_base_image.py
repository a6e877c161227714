# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder of the guest image with the real mmdebstrap, when the mirror or the disk fails it; and a real image."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.roles.base_image.files import build_image
from switch_fixtures import run
from testbed_plays import guest_image

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# (status, content) of everything that a mirror serves
Answer = tuple[int, bytes]
CAPTIVE_PORTAL: Answer = (200, b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nPlease log in.\n")
NOTHING: Answer = (404, b"")
LARGE: Answer = (200, bytes(8 << 20))


@pytest.fixture(autouse=True)
def tools() -> None:
    if os.geteuid() != 0:
        pytest.skip("images are built by root")
    if not all(map(shutil.which, ("mmdebstrap", "debugfs"))):
        pytest.skip("the role's packages are not installed; run the scenario pocket_end_to_end first")


@pytest.fixture
def mirror() -> Iterator[Callable[[Answer], str]]:
    """Start a mirror and return its URL."""
    servers: list[http.server.HTTPServer] = []

    def mirror(answer: Answer) -> str:
        status, content = answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_words: object) -> None:
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/debian"

    yield mirror
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4M", "none", disk)
    try:
        yield disk
    finally:
        run("umount", disk)


def build(cache: Path, mirror: str) -> subprocess.CompletedProcess[str]:
    inputs: build_image.Inputs = {
        "suite": "bookworm",
        "mirror": mirror,
        "kernel_package": "linux-image-cloud-amd64",
        "packages": [],
        "size_mib": 64,
        "guest_files": {},
        "files": [],
        "sums": {},
        "commands": [],
    }
    command = [sys.executable, build_image.__file__, "build", str(cache / "images/abc"), str(cache)]
    environment = os.environ | {"BASE_IMAGE_INPUTS": json.dumps(inputs), "no_proxy": "127.0.0.1"}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        pytest.param(CAPTIVE_PORTAL, "what answers is no mirror of Debian", id="a-captive-portal"),
        pytest.param(NOTHING, "its mirror does not have this release", id="an-empty-mirror"),
    ],
)
def test_broken_mirror_is_named_and_leaves_nothing(
    tmp_path: Path, mirror: Callable[[Answer], str], answer: Answer, hint: str
) -> None:
    url = mirror(answer)
    done = build(tmp_path, url)
    assert done.returncode == 1
    assert url in done.stderr
    assert hint in done.stderr
    assert os.listdir(tmp_path / "images") == [".lock"]


def test_full_disk_is_named_and_leaves_nothing(small_disk: Path, mirror: Callable[[Answer], str]) -> None:
    done = build(small_disk, mirror(LARGE))
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert os.listdir(small_disk / "images") == [".lock"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return what the newest image has in the directories that hold identities."""
    image = guest_image()
    if image is None:
        pytest.skip("there is no guest image; run the scenario pocket_end_to_end first")
    for directory in ("etc", "home", "root", "var/lib"):
        (tmp_path / directory).parent.mkdir(exist_ok=True)
        run("debugfs", "-R", f"rdump /{directory} {(tmp_path / directory).parent}", image / "root.ext4")
    return tmp_path


def test_real_image_has_no_secrets(tree: Path) -> None:
    assert (tree / "etc/ssh/sshd_config").is_file()
    assert (tree / "var/lib/systemd").is_dir()
    assert build_image.secrets_in(tree) == []
