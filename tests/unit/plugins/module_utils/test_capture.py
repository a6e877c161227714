from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils._capture import Capture, open_captures


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{os.getpid()}\n", id="id-of-another-program"),
        pytest.param("4194305\n", id="id-of-no-process"),
        pytest.param("", id="empty-file"),
        pytest.param(None, id="no-file"),
    ],
)
def test_a_stale_process_id_is_not_a_capture(tmp_path, content):
    capture = Capture(tmp_path, "s1-1")
    if content is not None:
        capture.pid_file.write_text(content)
    assert capture.pid() is None
    capture.stop()
    assert not capture.pid_file.exists()


def test_a_process_that_writes_the_file_is_the_capture_and_stop_ends_it(tmp_path):
    capture = Capture(tmp_path, "s1-1")
    program = ["sh", "-c", "echo; read nothing", "capture", str(capture.pcap)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        capture.pid_file.write_text(str(process.pid))
        assert capture.pid() == process.pid
        capture.stop()
        assert process.wait(5) != 0


def test_the_summary_is_what_tcpdump_said_of_packets(tmp_path):
    capture = Capture(tmp_path, "s1-1")
    assert capture.summary() == []
    capture.log.write_text("tcpdump: listening on s1-1\n7 packets captured\n0 packets dropped by kernel\n")
    assert capture.summary() == ["7 packets captured", "0 packets dropped by kernel"]


def test_captures_of_a_directory_are_known_by_their_interfaces(tmp_path):
    for name in ("s1-2.pid", "eth0.21.pid", "s1-1.pcap"):
        (tmp_path / name).touch()
    assert [capture.interface for capture in open_captures(tmp_path)] == ["eth0.21", "s1-2"]
