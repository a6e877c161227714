# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the network holds a packet of a flow at the most: deterministic network calculus, without measuring.

What a flow sends within any time t is at most burst + rate * t (a token bucket, which the tagging switch enforces). An
output port of C bits per second serves its queues by strict priority, without interrupting a frame: queue p has the
rate-latency service

    R = C - sum of the rates above p,     T = (sum of the bursts above p + the longest frame below p) / R

(J.-Y. Le Boudec, P. Thiran, Network Calculus, Springer 2001, section 1.3.2 and proposition 1.3.4). A queue is first in,
first out, so its frames wait together: at most D = T + (sum of the bursts of its flows) / R (theorem 1.4.2). A flow
leaves with a burst that is longer by rate * D, and a frame has arrived when its last bit has, so nothing is added for
storing it.

Where flows wait for each other in a circle, bursts and delays depend on each other; the least values that satisfy all
equations are bounds too (L. Thomas, J.-Y. Le Boudec, A. Mifdaoui, On Cyclic Dependencies and Regulators in
Time-Sensitive Networks, RTSS 2019). They are found by going around until nothing changes. If that has no end, there is
no bound.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

ROUNDS_MAX = 1000
EXACT = 1e-9  # relative change below which nothing changes any more

Port = t.Hashable  # of a node: what frames leave by
Hop = tuple[Port, int]  # by which port, and in which queue; a higher queue goes first


@dataclasses.dataclass(frozen=True)
class Flow:
    """A flow, in bits on the wire: with preamble, tags, FCS and the gap between frames."""

    rate_bps: float
    burst_bits: float
    frame_bits: float  # of the longest
    hops: tuple[Hop, ...]


@dataclasses.dataclass
class _Queue:
    speed_bps: float
    members: list[tuple[int, int]] = dataclasses.field(
        default_factory=list
    )  # flows, and the index of this hop of each
    above: list[_Queue] = dataclasses.field(default_factory=list)
    rate_bps: float = 0.0
    burst_bits: float = 0.0
    frame_bits: float = 0.0
    below_bits: float = 0.0  # the longest frame of all queues below
    delay_s: float = 0.0

    def delay(self) -> float:
        """Return how long a frame waits here at the most, by the bursts that are known so far."""
        left_bps = self.speed_bps - sum(queue.rate_bps for queue in self.above)
        if self.rate_bps > left_bps or left_bps <= 0:
            return math.inf
        return (sum(queue.burst_bits for queue in self.above) + self.below_bits + self.burst_bits) / left_bps


def delays(flows: t.Sequence[Flow], speeds_bps: t.Mapping[Port, float]) -> list[tuple[float, ...]]:
    """Return for each flow the longest delay in seconds at each of its hops; infinite where there is no bound.

    speeds_bps: of each port that a flow uses. The delay is that of the ports alone: what cables and the nodes
    themselves take comes on top.
    """
    queues = _queues(flows, speeds_bps)
    bursts = [[flow.burst_bits] * len(flow.hops) for flow in flows]
    for _round in range(ROUNDS_MAX):
        grown = _grown(queues.values(), flows, bursts)
        if not grown:
            break
    else:
        # What still grows has no bound; who waits for it has none either.
        for queue in grown:
            queue.delay_s = math.inf
        while grown:
            grown = _grown(queues.values(), flows, bursts)
    return [tuple(queues[hop].delay_s for hop in flow.hops) for flow in flows]


def _queues(flows: t.Sequence[Flow], speeds_bps: t.Mapping[Port, float]) -> dict[Hop, _Queue]:
    """Return the queues that flows use; those that flows come to first are the first."""
    members: dict[Hop, list[tuple[int, int]]] = {}
    for index, flow in enumerate(flows):
        for number, hop in enumerate(flow.hops):
            members.setdefault(hop, []).append((index, number))
    order = sorted(members, key=lambda hop: max(number for _flow, number in members[hop]))
    queues = {hop: _Queue(speeds_bps[hop[0]], members[hop]) for hop in order}
    of_port: dict[Port, list[int]] = {}
    for port, number in queues:
        of_port.setdefault(port, []).append(number)
    for (port, number), queue in queues.items():
        queue.rate_bps = sum(flows[index].rate_bps for index, _hop in queue.members)
        queue.frame_bits = max(flows[index].frame_bits for index, _hop in queue.members)
        queue.above = [queues[port, other] for other in of_port[port] if other > number]
    for queue in queues.values():
        for above in queue.above:
            above.below_bits = max(above.below_bits, queue.frame_bits)
    return queues


def _grown(queues: t.Iterable[_Queue], flows: t.Sequence[Flow], bursts: list[list[float]]) -> list[_Queue]:
    """Go around once; return the queues whose delay grew."""
    return [queue for queue in queues if _update(queue, flows, bursts)]


def _update(queue: _Queue, flows: t.Sequence[Flow], bursts: list[list[float]]) -> bool:
    """Renew a queue's delay, and the bursts with which its flows leave; return whether the delay grew."""
    queue.burst_bits = sum(bursts[index][number] for index, number in queue.members)
    before, queue.delay_s = queue.delay_s, max(queue.delay_s, queue.delay())
    for index, number in queue.members:
        if number + 1 < len(bursts[index]):
            bursts[index][number + 1] = bursts[index][number] + flows[index].rate_bps * queue.delay_s
    return queue.delay_s > before * (1 + EXACT) and not math.isinf(before)
