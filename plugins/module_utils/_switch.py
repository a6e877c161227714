# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a tagging switch: JSON-RPC 2.0, one object per line, over a UNIX stream socket."""

from __future__ import annotations

import errno
import json
import socket
import time
import typing as t

MAX_REQUEST_BYTES = 32 << 20  # the switch reads no longer line
MAX_ANSWER_BYTES = 512 << 20  # a list of 100 000 rules takes about 30 MB
MAX_PATH_BYTES = 107  # sun_path without its final zero, unix(7)

# The answer does not depend on the request's id: a connection carries one request.
REQUEST_ID = 1

# Codes of errors that callers tell apart.
NOT_FOUND = -32001
CONFLICT = -32002
GENERATION_DIFFERS = -32005

WAYS_OUT = {
    errno.ENOENT: "the socket does not exist; start the tagging switch, or correct the path",
    errno.ENOTDIR: "a part of the path is no directory; correct the path",
    errno.ENOTSOCK: "this is no socket; correct the path",
    errno.ECONNREFUSED: "nobody listens; start the tagging switch",
    errno.EACCES: "permission denied; become root or a member of the socket's group",
}


class SwitchError(Exception):
    """The switch refused a request (code and data are its own), or did not answer (code is None)."""

    def __init__(self, message: str, code: int | None = None, data: t.Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Switch:
    """The tagging switch that listens on the socket at path; every call is bounded by timeout_s seconds."""

    def __init__(self, path: str, timeout_s: float = 30.0) -> None:
        self.path = path
        self.timeout_s = timeout_s

    def call(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        """Return the result of method, called with the named params.

        Raises SwitchError if the request cannot be sent, if no complete answer of at most
        MAX_ANSWER_BYTES comes in time, or if the switch answers with an error.
        """
        request = encode(method, params)
        if len(request) > MAX_REQUEST_BYTES:
            raise self._error(
                method,
                f"the request has {len(request)} of {MAX_REQUEST_BYTES} possible bytes; send shorter lists",
            )
        try:
            line = self._exchange(method, request)
        except TimeoutError as exc:
            raise self._error(
                method, f"no complete answer within {self.timeout_s:g} s; see the switch's log"
            ) from exc
        except OSError as exc:
            raise self._error(method, WAYS_OUT.get(exc.errno or 0, f"{exc}; see the switch's log")) from exc
        return self._result(method, line)

    def _exchange(self, method: str, request: bytes) -> bytes:
        """Send request and return the line that comes back, without its end."""
        if len(self.path.encode()) > MAX_PATH_BYTES:
            raise self._error(method, f"the path is longer than {MAX_PATH_BYTES} bytes; choose a shorter one")
        deadline = time.monotonic() + self.timeout_s
        answer = bytearray()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self.timeout_s)
            connection.connect(self.path)
            connection.sendall(request)
            while not answer.endswith(b"\n"):
                # A timeout of its own for each read would let a slow peer hold us for ever.
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError
                connection.settimeout(remaining)
                chunk = connection.recv(1 << 16)
                if not chunk:
                    raise self._error(
                        method,
                        f"the connection was closed after {len(answer)} bytes of the answer; "
                        "the switch may have ended: see its log",
                    )
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise self._error(
                        method,
                        f"the answer exceeds {MAX_ANSWER_BYTES} bytes; is this a tagging switch's socket?",
                    )
        return bytes(answer)

    def _result(self, method: str, line: bytes) -> dict[str, t.Any]:
        try:
            answer = json.loads(line)
        except ValueError as exc:  # also UnicodeDecodeError
            raise self._error(
                method, f"the answer {line[:40]!r} is no JSON; is this a tagging switch's socket?"
            ) from exc
        if isinstance(answer, dict):
            error, result = answer.get("error"), answer.get("result")
            if isinstance(error, dict):
                # The switch's own message says action, cause and way out.
                raise SwitchError(f"{error.get('message')}", error.get("code"), error.get("data"))
            if answer.get("jsonrpc") == "2.0" and answer.get("id") == REQUEST_ID and isinstance(result, dict):
                return result
        raise self._error(
            method, f"the answer {line[:80]!r} is no JSON-RPC 2.0 result; is this a tagging switch's socket?"
        )

    def _error(self, method: str, cause: str) -> SwitchError:
        return SwitchError(f"cannot call {method} of the switch at {self.path}: {cause}")


def encode(method: str, params: t.Mapping[str, t.Any]) -> bytes:
    """Return the line that asks for method with params."""
    request = {"jsonrpc": "2.0", "id": REQUEST_ID, "method": method, "params": params}
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"
