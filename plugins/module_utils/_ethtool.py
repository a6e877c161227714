# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a network interface's driver for its settings and changes them, by the ioctl of ethtool.

Source: include/uapi/linux/ethtool.h of Linux, whose structures are numbers of 32 bits in the machine's order.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
import typing as t

SIOCETHTOOL = 0x8946
NAME_BYTES = 16  # IFNAMSIZ
DRIVER_INFO, RINGS, PAUSE, EEE = 0x03, 0x10, 0x12, 0x44
SETTER = 1  # the request that sets what another one gets is the next number

# Name of the interface and request; returns the answer, or raises OSError.
Ask = t.Callable[[str, bytes], bytes]


def ask(interface: str, request: bytes) -> bytes:
    """Ask a driver of this machine. Raises OSError: no such interface, or the driver does not know the request."""
    buffer = array.array("B", request)
    address, _length = buffer.buffer_info()
    # struct ifreq: the name and a pointer, 40 bytes
    wanted = struct.pack(f"{NAME_BYTES}sP16x", os.fsencode(interface)[: NAME_BYTES - 1], address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket.fileno(), SIOCETHTOOL, wanted)
    return buffer.tobytes()


def numbers(interface: str, command: int, count: int, ask: Ask) -> tuple[int, ...] | None:
    """Return the numbers behind the command's own; None if the driver does not know them."""
    form = f"={1 + count}I"
    try:
        return struct.unpack(form, ask(interface, struct.pack(form, command, *[0] * count)))[1:]
    except (OSError, struct.error):
        return None


def change(interface: str, command: int, numbers: t.Sequence[int], ask: Ask) -> None:
    """Set the numbers behind the command's own. Raises OSError."""
    ask(interface, struct.pack(f"={1 + len(numbers)}I", command + SETTER, *numbers))


def rings(interface: str, ask: Ask = ask) -> dict[str, int] | None:
    """Return how many packets the rings hold and could hold."""
    found = numbers(interface, RINGS, 8, ask)
    if found is None:
        return None
    rx_max, _mini_max, _jumbo_max, tx_max, rx, _mini, _jumbo, tx = found
    return {"rx_packets": rx, "rx_packets_max": rx_max, "tx_packets": tx, "tx_packets_max": tx_max}


def set_rings(interface: str, rx_packets: int, tx_packets: int, ask: Ask = ask) -> None:
    """Set how many packets the rings hold. Raises OSError."""
    now = _known(interface, RINGS, 8, ask)
    change(interface, RINGS, [*now[:4], rx_packets, *now[5:7], tx_packets], ask)


def pause(interface: str, ask: Ask = ask) -> dict[str, bool] | None:
    """Return whether pause frames are negotiated, obeyed and sent."""
    found = numbers(interface, PAUSE, 3, ask)
    return None if found is None else dict(zip(("autonegotiate", "rx", "tx"), map(bool, found), strict=True))


def set_pause(interface: str, autonegotiate: bool, rx: bool, tx: bool, ask: Ask = ask) -> None:
    """Set whether pause frames are negotiated, obeyed and sent. Raises OSError."""
    change(interface, PAUSE, [autonegotiate, rx, tx], ask)


def energy_efficient(interface: str, ask: Ask = ask) -> bool | None:
    """Return whether Energy-Efficient Ethernet is on."""
    found = numbers(interface, EEE, 9, ask)
    return None if found is None else bool(found[4])


def set_energy_efficient(interface: str, enabled: bool, ask: Ask = ask) -> None:
    """Switch Energy-Efficient Ethernet on or off. Raises OSError."""
    now = _known(interface, EEE, 9, ask)
    change(interface, EEE, [*now[:4], enabled, *now[5:]], ask)


def _known(interface: str, command: int, count: int, ask: Ask) -> tuple[int, ...]:
    """Return the numbers of which some are to be set."""
    found = numbers(interface, command, count, ask)
    if found is None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return found


def versions(interface: str, ask: Ask = ask) -> dict[str, str | None]:
    """Return the versions of driver and firmware."""
    size = 4 + 5 * 32 + 12 + 5 * 4
    try:
        said = ask(interface, struct.pack(f"=I{size - 4}x", DRIVER_INFO))
    except OSError:
        said = b""
    return {"driver_version": string(said[36:68]), "firmware_version": string(said[68:100])}


def string(said: bytes) -> str | None:
    found = said.split(b"\0")[0].decode(errors="replace").strip()
    return None if found in ("", "N/A") else found
