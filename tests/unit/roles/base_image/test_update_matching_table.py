"""The command of VM 0: its control frame, byte by byte, and what it says about wrong arguments and answers."""

from __future__ import annotations

import importlib.util
import socket
import typing as t
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[4] / "roles/base_image/files/guest/usr/lib/detnet-testbed"
COMMAND = LIBRARY / "update_matching_table.py"


def load() -> t.Any:
    spec = importlib.util.spec_from_file_location(COMMAND.stem, COMMAND)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="command")
def fresh_command(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return load()


GOOD = ["1", "7", "udp", "10.20.0.11", "10.20.0.21", "40000", "7", "21,21,1", "10000000", "200000"]

# Written by hand from the description of the frame; the EtherType is not part of it.
FRAME = (
    "01 07 11 000000"  # VM 1, rule 7, UDP, padding
    "0a14000b 0a140015"  # 10.20.0.11, 10.20.0.21
    "9c40 0007"  # 40000, 7
    "8096980000000000"  # 10 000 000 bit/s, little-endian
    "400d030000000000"  # 200 000 bit
    "400d030000000000"  # the bucket is full at the start
    "0000000000000000"  # timestamp
    "0300"  # tags
    "81000015 81000015 81000001"  # 21, 21, 1
).replace(" ", "")


def with_argument(place: int, text: str) -> list[str]:
    return [*GOOD[:place], text, *GOOD[place + 1 :]]


def test_the_frame_is_the_one_of_the_description(command: t.Any) -> None:
    rule, faults = command.parse(GOOD)
    assert faults == []
    assert command.encode(rule).hex() == FRAME


def test_the_longest_frame_has_ten_tags(command: t.Any) -> None:
    rule, _faults = command.parse(with_argument(7, ",".join(["4094"] * 10)))
    assert command.encode(rule).hex() == FRAME[: 50 * 2] + "0a00" + "81000ffe" * 10


def test_the_largest_rate_and_burst_are_little_endian(command: t.Any) -> None:
    rule, _faults = command.parse([*GOOD[:8], "400000000000", "9223372036854775807"])
    assert command.encode(rule).hex()[18 * 2 : 42 * 2] == "00a0db215d000000" + "ffffffffffffff7f" * 2


@pytest.mark.parametrize("tags", ["-", "0"])
def test_no_tags_clear_the_rule(command: t.Any, tags: str) -> None:
    rule, _faults = command.parse(with_argument(7, tags))
    assert command.encode(rule).hex() == FRAME[: 50 * 2] + "0000"


@pytest.mark.parametrize("text", ["17", "udp", "UDP"])
def test_a_protocol_is_a_name_or_a_number(command: t.Any, text: str) -> None:
    assert command.parse(with_argument(2, text))[0].protocol == 17


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        pytest.param(0, "256", "VM is '256'; choose 0 to 255", id="vm"),
        pytest.param(1, "-1", "RULE is '-1'; choose 0 to 255", id="negative-rule"),
        pytest.param(
            2, "upd", "PROTO is 'upd'; choose icmp, tcp, udp or a number from 0 to 255", id="protocol"
        ),
        pytest.param(
            3, "10.20.0", "SRC_IP is '10.20.0'; give an IPv4 address such as 10.20.0.11", id="address"
        ),
        pytest.param(4, "fd00::1", "DST_IP is 'fd00::1'; give an IPv4 address such as 10.20.0.11", id="ipv6"),
        pytest.param(5, "65536", "SPORT is '65536'; choose 0 to 65535", id="port"),
        pytest.param(6, "", "DPORT is ''; choose 0 to 65535", id="nothing"),
        pytest.param(
            7,
            "21,,1",
            "TAGS is '21,,1'; give VLAN ids from 1 to 4094, separated by commas, or - to clear the rule",
            id="a-missing-tag",
        ),
        pytest.param(
            7,
            "21,4095",
            "TAGS is '21,4095'; give VLAN ids from 1 to 4094, separated by commas, or - to clear the rule",
            id="tag-4095",
        ),
        pytest.param(
            7,
            "1,1,1,1,1,1,1,1,1,1,1",
            "TAGS is '1,1,1,1,1,1,1,1,1,1,1'; these are 11 tags; choose a path with at most 10",
            id="eleven-tags",
        ),
        pytest.param(8, "0", "RATE_BPS is '0'; choose 1 to 400000000000", id="rate"),
        pytest.param(8, "1e6", "RATE_BPS is '1e6'; choose 1 to 400000000000", id="rate-with-exponent"),
        pytest.param(8, "\u0661", "RATE_BPS is '\u0661'; choose 1 to 400000000000", id="another-script"),
        pytest.param(
            9,
            str(2**63),
            "BURST_BITS is '9223372036854775808'; choose 1 to 9223372036854775807",
            id="burst",
        ),
    ],
)
def test_a_wrong_argument_is_named(command: t.Any, place: int, text: str, fault: str) -> None:
    assert command.parse(with_argument(place, text)) == (None, [fault])


def test_ports_of_a_protocol_without_ports_are_refused(command: t.Any) -> None:
    _rule, faults = command.parse(with_argument(2, "icmp"))
    assert faults == ["SPORT and DPORT are 40000 and 7, but protocol 1 has no ports; give 0"]


def test_all_wrong_arguments_are_told_before_anything_is_sent(
    command: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["update-matching-table", *(["x"] * 10)])
    monkeypatch.setattr(socket, "socket", None)
    assert command.main() == 2
    told = capsys.readouterr().err
    assert all(f"{name} is 'x'" in told for name in command.NAMES)
    assert "usage: update-matching-table VM RULE PROTO" in told


def test_a_missing_argument_is_told(command: t.Any) -> None:
    assert command.parse(GOOD[:9]) == (None, ["9 arguments are given and 10 are needed"])


def acknowledgement(vm: int = 1, rule: int = 7, status: int = 0, text: bytes = b"") -> bytes:
    return bytes(12) + b"\xbe\xbe" + bytes([vm, rule, status, 0]) + text.ljust(42, b"\0")


class FakeSocket:
    """A packet socket whose answers are made up; an answer None is silence."""

    answers: t.ClassVar[list[bytes | None]] = []
    sent: t.ClassVar[list[bytes]] = []

    def __init__(self, *_args: t.Any) -> None:
        self.bind = self.settimeout = lambda _value: None

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *_args: object) -> None:
        pass

    def getsockname(self) -> tuple[t.Any, ...]:
        return ("net0", 0xBEBE, 0, 1, bytes.fromhex("020000000100"))

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def recv(self, _size: int) -> bytes:
        answer = self.answers.pop(0)
        if answer is None:
            raise TimeoutError
        return answer


@pytest.mark.parametrize(
    ("answers", "status", "frames", "told"),
    [
        pytest.param([acknowledgement()], 0, 1, "", id="acknowledged"),
        pytest.param([None, None, acknowledgement()], 0, 3, "", id="acknowledged-late"),
        pytest.param(
            [acknowledgement(vm=2), acknowledgement(rule=8), b"short", acknowledgement()],
            0,
            1,
            "",
            id="other-frames-are-passed-over",
        ),
        pytest.param(
            [acknowledgement(status=1, text=b"VM 1 has no port")],
            1,
            1,
            "cannot set rule 7 of VM 1: the switch refused it: VM 1 has no port",
            id="refused",
        ),
        pytest.param(
            [None] * 3,
            1,
            3,
            "cannot set rule 7 of VM 1: the switch did not answer 3 times within 1 s; is this VM 0, "
            "and does its switch run?",
            id="silence",
        ),
    ],
)
def test_the_status_is_0_only_if_the_switch_said_so(
    *,
    command: t.Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[bytes | None],
    status: int,
    frames: int,
    told: str,
) -> None:
    monkeypatch.setattr(FakeSocket, "answers", list(answers))
    monkeypatch.setattr(FakeSocket, "sent", [])
    monkeypatch.setattr(socket, "socket", FakeSocket)
    monkeypatch.setattr("sys.argv", ["update-matching-table", *GOOD])
    assert command.main() == status
    assert FakeSocket.sent == [bytes.fromhex("02000000bebe020000000100bebe" + FRAME)] * frames
    assert told in capsys.readouterr().err
