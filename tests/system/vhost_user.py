"""The messages of vhost-user, as a front-end sends them (QEMU, docs/interop/vhost-user.rst)."""

from __future__ import annotations

import array
import enum
import socket
import struct
import typing as t

if t.TYPE_CHECKING:
    import pathlib

PATIENCE_S = 10.0

NO_FD = 1 << 8  # in the payload of the messages that carry a file descriptor
VERSION = 1
FLAG_NEED_REPLY = 1 << 3
PROTOCOL_REPLY_ACK = 1 << 3


class Message(enum.IntEnum):
    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18


class Feature(enum.IntFlag):
    CSUM = 1 << 0
    GUEST_CSUM = 1 << 1
    GUEST_TSO4 = 1 << 7
    GUEST_TSO6 = 1 << 8
    GUEST_ECN = 1 << 9
    GUEST_UFO = 1 << 10
    HOST_TSO4 = 1 << 11
    HOST_TSO6 = 1 << 12
    HOST_ECN = 1 << 13
    HOST_UFO = 1 << 14
    MERGEABLE = 1 << 15
    MULTIQUEUE = 1 << 22
    INDIRECT = 1 << 28
    PROTOCOL = 1 << 30
    VERSION_1 = 1 << 32
    PACKED = 1 << 34


class GoneError(Exception):
    """The switch closed the connection."""


class RefusedError(Exception):
    """The switch answered a message with an error."""


class Connection:
    """Messages of vhost-user over a connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE_S)
        self.acknowledged = False  # each message is answered; negotiated first

    @classmethod
    def to(cls, path: pathlib.Path) -> Connection:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(path))
        return cls(made)

    def send(self, data: bytes, *descriptors: int) -> None:
        """Send any bytes, with any file descriptors."""
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        try:
            self.socket.sendmsg([data], rights)
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise GoneError from exc

    def receive(self) -> bytes:
        """Return the payload of one answer."""
        _request, _flags, size = struct.unpack("=III", self._read(12))
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            data = self.socket.recv(size, socket.MSG_WAITALL)
        except ConnectionResetError as exc:
            raise GoneError from exc
        if len(data) < size:
            raise GoneError
        return data

    def ask(self, message: Message, payload: bytes = b"") -> bytes:
        self.send(struct.pack("=III", message, VERSION, len(payload)) + payload)
        return self.receive()

    def ask_number(self, message: Message) -> int:
        return int.from_bytes(self.ask(message), "little")

    def tell(self, message: Message, payload: bytes = b"", *descriptors: int) -> None:
        flags = VERSION | (FLAG_NEED_REPLY if self.acknowledged else 0)
        self.send(struct.pack("=III", message, flags, len(payload)) + payload, *descriptors)
        if self.acknowledged and int.from_bytes(self.receive(), "little") != 0:
            raise RefusedError(message.name)

    def tell_number(self, message: Message, number: int) -> None:
        self.tell(message, struct.pack("=Q", number))

    def close(self) -> None:
        self.socket.close()
