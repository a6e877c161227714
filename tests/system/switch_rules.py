"""Rules and frames that the tests of the switch share."""

from __future__ import annotations

import typing as t

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from switch_fixtures import MACS

HERE, THERE, ELSEWHERE = "10.20.0.11", "10.20.0.21", "10.20.0.99"
HERE6, THERE6 = "fd20::11", "fd20::21"
PEER = "02:00:00:00:01:07"  # the VM at the other end
BROADCAST = "ff:ff:ff:ff:ff:ff"
TAGS = [21, 22, 7]
FAST = {"rate_bps": 10**9, "burst_bits": 10**7}
MATCH = (
    "destination_mac",
    "ether_type",
    "protocol",
    "source_ip",
    "destination_ip",
    "source_port",
    "destination_port",
)
PREAMBLE, FCS, GAP, TAG, SHORTEST = 8, 4, 12, 4, 64  # bytes


def rule(vm: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    """Return a rule for datagram() of this VM, shaped to more than a test sends."""
    return {
        "vm": vm,
        "protocol": 17,
        "source_ip": HERE,
        "destination_ip": THERE,
        "source_port": 5000,
        "destination_port": 5001,
        "tags": TAGS,
        **FAST,
        **changes,
    }


def wildcard(vm: int = 1, **fields: t.Any) -> dict[str, t.Any]:
    """Return a rule that leaves its frames as they are in time, for all that the fields leave open."""
    return {"vm": vm, "tags": TAGS, **fields}


def identity(of: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: of[key] for key in ("vm", *MATCH) if key in of}


def normal(of: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the rule with all its defaults, as the switch lists it."""
    shaped = {"queue_packets": 1024, "queue_bytes": 1 << 20}
    mode = of.get("mode", "shape" if "rate_bps" in of else "off")
    return {
        "priority": 0,
        "tags": [],
        "tpid": "802.1Q",
        "mode": mode,
        **(shaped if mode == "shape" else {}),
        **of,
    }


def padded(headers: Packet, size: int) -> Packet:
    return headers / Raw(bytes(size - len(headers)))


def datagram(size: int = 100, vm: int = 1, **changes: t.Any) -> Packet:
    """Return a UDP datagram in a frame of this many bytes; the changes are to its IP header."""
    ends = {"src": HERE, "dst": THERE, **changes}
    return padded(Ether(src=MACS[vm], dst=PEER) / IP(**ends) / UDP(sport=5000, dport=5001, chksum=0), size)


def numbered(count: int, size: int = 100, vm: int = 1) -> list[bytes]:
    """Return datagrams that can be told apart: the last 4 bytes count from 0."""
    frame = bytes(datagram(size, vm))
    return [frame[:-4] + number.to_bytes(4, "big") for number in range(count)]


def arp(sender: str = MACS[1], target: str = THERE, **changes: t.Any) -> Packet:
    return Ether(src=MACS[1], dst=BROADCAST) / ARP(hwsrc=sender, psrc=HERE, pdst=target, **changes)


def tagged(frame: Packet | bytes, *vids: int, tpid: int = 0x8100) -> bytes:
    """Return the frame as it should be on the wire."""
    whole = bytes(frame)
    stack = b"".join(tpid.to_bytes(2, "big") + vid.to_bytes(2, "big") for vid in vids)
    return whole[:12] + stack + whole[12:]


def arriving(vm: int, *vids: int, payload: Packet | None = None, destination: str | None = None) -> bytes:
    """Return a frame from the network for the VM; without vids, with the VM's own tag."""
    inner = payload or IP(src=THERE, dst=HERE) / UDP(sport=5001, dport=5000)
    return tagged(Ether(src=PEER, dst=destination or MACS[vm]) / inner, *(vids or (vm,)))


def delivered(vm: int, payload: Packet | None = None, destination: str | None = None) -> bytes:
    """Return what a VM gets of arriving()."""
    return untagged(arriving(vm, payload=payload, destination=destination))


def untagged(frame: bytes) -> bytes:
    """Return a tagged frame without its outermost tag."""
    return frame[:12] + frame[16:]


def cost_bits(size: int, tags: int = len(TAGS)) -> int:
    """Return what a frame of this size (without FCS) with so many tags takes on the wire."""
    return 8 * (PREAMBLE + max(SHORTEST, size + FCS + TAG * tags) + GAP)
