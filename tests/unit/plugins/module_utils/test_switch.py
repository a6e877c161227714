# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a real socket whose other end behaves well, badly, or not at all."""

from __future__ import annotations

import json
import socket
import time
import typing as t

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _switch
from ansible_collections.detnet.testbed.plugins.module_utils._switch import Switch, SwitchError
from hypothesis import given
from hypothesis import strategies as st

Serve = t.Callable[[t.Callable[[socket.socket], None]], str]

PATIENCE_S = 0.3


def saying(*chunks: bytes, pause_s: float = 0.0) -> t.Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.makefile("rb").readline()
        for chunk in chunks:
            connection.sendall(chunk)
            time.sleep(pause_s)

    return handle


def answer(**members: t.Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **members}).encode() + b"\n"


def silent(connection: socket.socket) -> None:
    connection.recv(1)
    connection.recv(1 << 20)  # until the client gives up
    connection.recv(1)


def test_asks_by_name_and_returns_the_result(serve: Serve) -> None:
    seen = []

    def handle(connection: socket.socket) -> None:
        seen.append(json.loads(connection.makefile("rb").readline()))
        connection.sendall(answer(result={"removed": True}))

    assert Switch(serve(handle)).call("port.remove", vm=3) == {"removed": True}
    assert seen == [{"jsonrpc": "2.0", "id": 1, "method": "port.remove", "params": {"vm": 3}}]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([answer(result={"a": "é"})], id="in-one-piece"),
        pytest.param([bytes([byte]) for byte in answer(result={"a": "é"})], id="byte-by-byte"),
        pytest.param([answer(result={"a": "é"})[:20], answer(result={"a": "é"})[20:]], id="in-two-pieces"),
    ],
)
def test_reads_an_answer(serve: Serve, chunks: list[bytes]) -> None:
    assert Switch(serve(saying(*chunks))).call("switch.info") == {"a": "é"}


def test_reads_an_answer_of_many_megabytes(serve: Serve) -> None:
    rules = [{"vm": n, "tags": [1, 2, 3]} for n in range(200_000)]
    assert Switch(serve(saying(answer(result={"rules": rules})))).call("rule.list") == {"rules": rules}


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        pytest.param(saying(), "closed after 0 bytes", id="closed-without-an-answer"),
        pytest.param(saying(b'{"jsonrpc"'), "closed after 10 bytes", id="closed-within-the-answer"),
        pytest.param(silent, "no complete answer within 0.3 s", id="silence"),
        pytest.param(
            saying(*[b" "] * 20, pause_s=0.05), "no complete answer within 0.3 s", id="a-drop-at-a-time"
        ),
        pytest.param(saying(b"SSH-2.0-OpenSSH\n"), "is no JSON", id="another-protocol"),
        pytest.param(saying(b"\xff\xfe\n"), "is no JSON", id="no-text"),
        pytest.param(saying(b"[1, 2]\n"), "is no JSON-RPC 2.0 result", id="no-object"),
        pytest.param(saying(b'{"result": {}}\n'), "is no JSON-RPC 2.0 result", id="no-version"),
        pytest.param(saying(answer(result={}, id=2)), "is no JSON-RPC 2.0 result", id="to-another-request"),
        pytest.param(saying(answer(result=7)), "is no JSON-RPC 2.0 result", id="a-result-that-is-no-object"),
        pytest.param(saying(answer(result={}) * 2), "is no JSON", id="two-answers"),
    ],
)
def test_says_what_is_wrong_with_an_answer(
    serve: Serve, handler: t.Callable[[socket.socket], None], cause: str
) -> None:
    path = serve(handler)
    begin = time.monotonic()
    with pytest.raises(SwitchError) as caught:
        Switch(path, timeout_s=PATIENCE_S).call("port.list")
    assert str(caught.value).startswith(f"cannot call port.list of the switch at {path}: ")
    assert cause in str(caught.value)
    assert caught.value.code is None
    assert time.monotonic() - begin < 5 * PATIENCE_S


def test_stops_reading_an_answer_without_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_switch, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(SwitchError, match="the answer exceeds 1000 bytes"):
        Switch(serve(saying(b"x" * 100_000))).call("port.list")


def test_hands_on_what_the_switch_refuses(serve: Serve) -> None:
    error = {"code": -32002, "message": "MAC 02:… is VM 1's; choose another", "data": {"index": 4}}
    with pytest.raises(SwitchError, match=r"^MAC 02:… is VM 1's; choose another$") as caught:
        Switch(serve(saying(answer(error=error)))).call("port.add", vm=2)
    assert (caught.value.code, caught.value.data) == (-32002, {"index": 4})


def test_sends_no_request_that_the_switch_would_not_read(serve: Serve) -> None:
    def nobody(connection: socket.socket) -> None:
        raise AssertionError("a request came")

    with pytest.raises(SwitchError, match="of 33554432 possible bytes; send shorter lists"):
        Switch(serve(nobody)).call("rule.set", rules=["x" * (32 << 20)])


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        pytest.param("missing", "the socket does not exist; start the tagging switch", id="no-socket"),
        pytest.param("file", "this is no socket|nobody listens", id="a-file"),
        pytest.param("file/socket", "a part of the path is no directory", id="a-file-as-directory"),
        pytest.param("left", "nobody listens; start the tagging switch", id="a-socket-that-was-left-behind"),
        pytest.param("x" * 120, "longer than 107 bytes", id="a-long-path"),
    ],
)
def test_says_why_it_cannot_connect(tmp_path: t.Any, name: str, cause: str) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    with pytest.raises(SwitchError, match=cause):
        Switch(str(tmp_path / name)).call("switch.info")


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_request_is_one_line_of_json(params: dict[str, t.Any]) -> None:
    line = _switch.encode("x", params)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["params"] == params
