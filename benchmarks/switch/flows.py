"""The flows that the generator sends (files/dpdk-app/bench/generator.c), and the rules that match them."""

from __future__ import annotations

import ipaddress
import typing as t

VM = 1
GUEST_MAC = "02:00:00:00:00:01"
SOURCE_IP = "10.0.0.1"
DESTINATION_IP = int(ipaddress.IPv4Address("10.1.0.0"))  # of flow 0; flow i has this + i
SOURCE_PORT = 1000
DESTINATION_PORT = 2000
UDP = 17

VLAN_IDS = 4094

# No frame is ever above this rate, so shaping costs what it costs and delays nothing.
RATE_BPS = 400_000_000_000
BURST_BITS = 1_000_000_000


def destination(flow: int) -> str:
    return str(ipaddress.IPv4Address(DESTINATION_IP + flow))


def tags(flow: int, count: int) -> list[int]:
    """Return the tags of a flow, outermost first; paths differ from flow to flow."""
    return [(flow + hop) % VLAN_IDS + 1 for hop in range(count)]


def rule(flow: int, tag_count: int, *, shaping: bool) -> dict[str, t.Any]:
    """Return the tagging switch's rule for a flow."""
    shaper = {"rate_bps": RATE_BPS, "burst_bits": BURST_BITS} if shaping else {}
    return {
        "vm": VM,
        "protocol": UDP,
        "source_ip": SOURCE_IP,
        "destination_ip": destination(flow),
        "source_port": SOURCE_PORT,
        "destination_port": DESTINATION_PORT,
        "tags": tags(flow, tag_count),
        **shaper,
    }


def openflow(flow: int, tag_count: int, *, meter: bool) -> str:
    """Return Open vSwitch's rule for a flow: from port 1 to port 2."""
    match = (
        f"priority=100,in_port=1,udp,nw_src={SOURCE_IP},nw_dst={destination(flow)},"
        f"tp_src={SOURCE_PORT},tp_dst={DESTINATION_PORT}"
    )
    # The innermost tag is pushed first. 0x1000 says that there is a tag.
    pushes = [
        f"push_vlan:0x8100,set_field:{0x1000 + tag}->vlan_vid" for tag in reversed(tags(flow, tag_count))
    ]
    actions = [*([f"meter:{flow + 1}"] if meter else []), *pushes, "output:2"]
    return f"{match},actions={','.join(actions)}"
