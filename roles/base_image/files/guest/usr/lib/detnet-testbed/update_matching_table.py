# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set or clear one rule of the tagging switch, from VM 0.

usage: update-matching-table VM RULE PROTO SRC_IP DST_IP SPORT DPORT TAG[,TAG...] RATE_BPS BURST_BITS

The switch matches what VM sends by PROTO (a number, or icmp, tcp, udp), addresses and ports, shapes it to RATE_BPS and
BURST_BITS, and pushes the tags, outermost first. Each VM has rules 0 to 255. "-" or "0" in place of tags clears one.

Exit status: 0 once the switch has acknowledged the change, 1 if it refused or did not answer, 2 for wrong arguments.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
import sys
import time
import typing as t

INTERFACE = "net0"
TRIES = 3
PATIENCE_S = 1.0  # for each try

ETHER_TYPE = 0xBEBE
SWITCH = bytes.fromhex("02000000bebe")
# VM, rule, protocol, source, destination, ports: network order. Rate, burst, tokens, timestamp, tags: little-endian.
MATCH = struct.Struct("!BBB3x4s4sHH")
SHAPER = struct.Struct("<QQQQH")
TAG = struct.Struct("!HH")
TPID = 0x8100
MAX_TAGS = 10
# An acknowledgement says in byte 14 the VM, then the rule, the status, a zero, and a text that ends with zeros.
TEXT_AT = 18

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
CLEAR = ("-", "0")
NUMBERS = {
    "VM": (0, 255),
    "RULE": (0, 255),
    "SPORT": (0, 65535),
    "DPORT": (0, 65535),
    "RATE_BPS": (1, 400 * 10**9),
    "BURST_BITS": (1, 2**63 - 1),
}
NAMES = ("VM", "RULE", "PROTO", "SRC_IP", "DST_IP", "SPORT", "DPORT", "TAGS", "RATE_BPS", "BURST_BITS")


class Rule(t.NamedTuple):
    """What the arguments say; no tags clear the rule."""

    vm: int
    rule: int
    protocol: int
    source_ip: str
    destination_ip: str
    source_port: int
    destination_port: int
    tags: tuple[int, ...]
    rate_bps: int
    burst_bits: int


class RefusedError(Exception):
    """The switch did not make the change; the message says why and what to do."""


def encode(rule: Rule) -> bytes:
    """Return the control frame of a rule, from byte 14 on: what follows the EtherType."""
    ends = [ipaddress.IPv4Address(address).packed for address in (rule.source_ip, rule.destination_ip)]
    return b"".join((
        MATCH.pack(rule.vm, rule.rule, rule.protocol, *ends, rule.source_port, rule.destination_port),
        SHAPER.pack(rule.rate_bps, rule.burst_bits, rule.burst_bits, 0, len(rule.tags)),
        *(TAG.pack(TPID, tag) for tag in rule.tags),
    ))  # fmt: skip


def number(text: str, low: int, high: int) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not low <= value <= high:
        raise ValueError(f"choose {low} to {high}")
    return value


def protocol(text: str) -> int:
    if text.lower() in PROTOCOLS:
        return PROTOCOLS[text.lower()]
    try:
        return number(text, 0, 255)
    except ValueError:
        raise ValueError(f"choose {', '.join(PROTOCOLS)} or a number from 0 to 255") from None


def address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("give an IPv4 address such as 10.20.0.11") from None


def tags(text: str) -> tuple[int, ...]:
    if text in CLEAR:
        return ()
    words = text.split(",")
    if len(words) > MAX_TAGS:
        raise ValueError(f"these are {len(words)} tags; choose a path with at most {MAX_TAGS}")
    try:
        return tuple(number(word, 1, 4094) for word in words)
    except ValueError:
        raise ValueError(
            "give VLAN ids from 1 to 4094, separated by commas, or - to clear the rule"
        ) from None


READERS: dict[str, t.Callable[[str], t.Any]] = {
    "PROTO": protocol,
    "SRC_IP": address,
    "DST_IP": address,
    "TAGS": tags,
    **{name: functools.partial(number, low=low, high=high) for name, (low, high) in NUMBERS.items()},
}


def parse(arguments: t.Sequence[str]) -> tuple[Rule | None, list[str]]:
    """Return the rule that the arguments describe, or what is wrong with each of them."""
    if len(arguments) != len(NAMES):
        return None, [f"{len(arguments)} arguments are given and {len(NAMES)} are needed"]
    values, faults = [], []
    for name, text in zip(NAMES, arguments, strict=True):
        try:
            values.append(READERS[name](text))
        except ValueError as exc:
            faults.append(f"{name} is {text!r}; {exc}")
    if not faults and values[2] not in (PROTOCOLS["tcp"], PROTOCOLS["udp"]) and (values[5] or values[6]):
        faults.append(
            f"SPORT and DPORT are {values[5]} and {values[6]}, but protocol {values[2]} has no ports; give 0"
        )
    return (None if faults else Rule(*values)), faults


def answer(frame: bytes, rule: Rule) -> tuple[int, str] | None:
    """Return status and text of an acknowledgement of this rule, or None for another frame."""
    if len(frame) < TEXT_AT + 1 or (frame[14], frame[15]) != (rule.vm, rule.rule):
        return None
    return frame[16], frame[TEXT_AT:].split(b"\0")[0].decode("ascii", errors="replace")


def exchange(rule: Rule) -> None:
    """Send the control frame until it is acknowledged; raise RefusedError or OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((INTERFACE, ETHER_TYPE))
        own = sock.getsockname()[4]
        frame = SWITCH + own + ETHER_TYPE.to_bytes(2, "big") + encode(rule)
        for _try in range(TRIES):
            sock.send(frame)
            deadline = time.monotonic() + PATIENCE_S
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                try:
                    said = answer(sock.recv(2048), rule)
                except TimeoutError:
                    break
                if said and said[0]:
                    raise RefusedError(f"the switch refused it: {said[1] or f'status {said[0]}'}")
                if said:
                    return
    raise RefusedError(
        f"the switch did not answer {TRIES} times within {PATIENCE_S:g} s; is this VM 0, and does its switch run?"
    )


def main() -> int:
    rule, faults = parse(sys.argv[1:])
    if rule is None:
        print(f"update-matching-table: {'; '.join(faults)}\n{__doc__.splitlines()[2]}", file=sys.stderr)
        return 2
    verb = "set" if rule.tags else "clear"
    try:
        exchange(rule)
    except (OSError, RefusedError) as exc:
        print(
            f"update-matching-table: cannot {verb} rule {rule.rule} of VM {rule.vm}: {exc}", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
