# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule makes of a burst of datagrams: when each may leave at the earliest, and whether that was so.

The sender's clock and that of the capture differ by an unknown, constant time. The fastest of all datagrams tells
it but for its own time on the way, which is short; the others are compared with that one.
"""

from __future__ import annotations

import itertools
import typing as t

# Ethernet without FCS, IPv4, UDP; IEEE 802.3: least frame and FCS, preamble with start delimiter and gap.
HEADERS_BYTES = 14 + 20 + 8
TAG_BYTES = 4
LEAST_BYTES, FCS_BYTES = 64, 4
PREAMBLE_AND_GAP_BYTES = 8 + 12

# How long the fastest datagram may have been on its way: that much earlier than in theory is not early.
FASTEST_NS = 1_000_000

Arrival = t.Mapping[str, int]  # number, sent_ns, arrived_ns


def wire_bits(payload_bytes: int, tags: int) -> int:
    """Return what a UDP datagram takes on the wire, for which its rule charges it."""
    frame = payload_bytes + HEADERS_BYTES + tags * TAG_BYTES + FCS_BYTES
    return 8 * (max(LEAST_BYTES, frame) + PREAMBLE_AND_GAP_BYTES)


def departures(arrivals_ns: t.Sequence[int], bits: int, rate_bps: int, burst_bits: int) -> list[int]:
    """Return when frames of bits each may leave at the earliest, in ns (generic cell rate algorithm, full bucket)."""
    if not rate_bps:
        return list(arrivals_ns)
    times, charged_until = [], 0  # in ns times bit/s, so that nothing is rounded before the end
    for arrival in arrivals_ns:
        charged_until = max(charged_until, arrival * rate_bps) + bits * 10**9
        leaves = max(arrival * rate_bps, charged_until - burst_bits * 10**9)
        times.append(-(-leaves // rate_bps))
    return times


def burst_result(
    rule: t.Mapping[str, t.Any], count: int, payload_bytes: int, seen: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return what became of a burst of count datagrams of a rule.

    seen has the arrivals at a point of the path in their order there, and clock_offset_ns, the least
    difference between arrival and sending of any datagram.
    """
    arrivals: t.Sequence[Arrival] = seen["arrivals"]
    numbers = [arrival["number"] for arrival in arrivals]
    result: dict[str, t.Any] = {
        "at": seen["at"],
        "datagrams": count,
        "payload_bytes": payload_bytes,
        "arrived": len(set(numbers)),
        "duplicates": len(numbers) - len(set(numbers)),
        "out_of_order": sum(later < sooner for sooner, later in itertools.pairwise(numbers)),
        "rate_bps": rule.get("rate_bps", 0),
        "burst_bits": rule.get("burst_bits", 0),
    }
    if not arrivals:
        return result
    bits = wire_bits(payload_bytes, len(rule["tags"]))
    first = min(arrival["sent_ns"] for arrival in arrivals)
    sent = sorted(arrival["sent_ns"] - first for arrival in arrivals)
    arrived = sorted(arrival["arrived_ns"] - first - seen["clock_offset_ns"] for arrival in arrivals)
    earliest = departures(sent, bits, result["rate_bps"], result["burst_bits"])
    waited = [
        index
        for index, (sending, leaving) in enumerate(zip(sent, earliest, strict=True))
        if leaving > sending
    ]
    early = max(leaving - arriving for leaving, arriving in zip(earliest, arrived, strict=True))
    return result | {
        "waited": len(waited),
        "sent_over_us": sent[-1] // 1000,
        "arrived_over_us": arrived[-1] // 1000,
        "expected_over_us": earliest[-1] // 1000,
        "early_us": max(0, early - FASTEST_NS) // 1000,
        "wire_rate_bps": wire_rate(bits, len(waited), earliest[waited[0]], arrived[waited[-1]])
        if waited
        else 0,
    }


def wire_rate(bits: int, frames: int, begin_ns: int, end_ns: int) -> int:
    """Return the rate of frames of bits each, the first of which may leave at the begin, the last at the end."""
    return bits * (frames - 1) * 10**9 // (end_ns - begin_ns) if end_ns > begin_ns else 0
