"""Feed the reader of LLDP frames with made-up bytes, as an atheris target: any bytes are a frame, or an LldpError."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from ansible_collections.detnet.testbed.plugins.module_utils import _lldp, _lldp_neighbor
    from ansible_collections.detnet.testbed.plugins.module_utils._lldp_tlv import LldpError

HEADER = bytes.fromhex("0180c200000e02000000000188cc")
MANDATORY = bytes.fromhex("0207040200000000010405686173683006020078")
PREFIXES = (b"", HEADER, HEADER + MANDATORY)
END_LEN = 2
HEARD_AT = "2026-01-01T00:00:00Z"


def read(data: bytes) -> None:
    """The first byte chooses how much of a frame is in order already."""
    whole = (PREFIXES[data[0] % len(PREFIXES)] if data else b"") + data[1:]
    try:
        frame = _lldp.decode(whole)
    except LldpError as exc:
        if exc.offset is None or not 0 <= exc.offset <= len(whole):
            raise AssertionError(f"{exc} is nowhere in the frame") from exc
        return
    # One that came without the TLV that ends is written with it, and may then be too long.
    if len(whole) <= _lldp.FRAME_MAX - END_LEN and _lldp.decode(_lldp.encode(frame)) != frame:
        raise AssertionError("what was encoded is not what is decoded")
    if not all(
        character.isprintable() for character in str(_lldp_neighbor.neighbor("eth2", frame, HEARD_AT))
    ):
        raise AssertionError("something that no terminal should get")


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
