# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flows do to the links that they pass: the sum of their rates, and how long their frames are on their way.

Bits are those on the wire, as the token bucket of the tagging switch counts them, with preamble, FCS, gap and all tags.
That is exact on the uplink. Each network switch pops a tag, so that a frame is up to 4 bytes shorter on each link
further on; there the same rate and burst are counted, which is never too little.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _delay_bound
from ansible_collections.detnet.testbed.plugins.module_utils._fabric import Fabric, Port
from ansible_collections.detnet.testbed.plugins.module_utils._flow_ways import Way

# A frame leaves the shaper at the next step of the switch's timing wheel, so what comes at once is a step's worth more.
STEP_S = 1e-6

# IEEE 802.3: preamble with start delimiter, header, FCS and gap; 802.1Q.
HEADERS_BYTES = 8 + 14 + 4 + 12
TAG_BYTES = 4

TOLD = 5  # terms of a sum

Delays = tuple[float, ...]  # in seconds, at each hop


@dataclasses.dataclass(frozen=True)
class Stream:
    """What a flow, or a rule beside the flows, sends over the network: any amount if it has no rate."""

    name: str
    way: Way
    queues: tuple[int, ...]  # at each port of the way
    mtu: int
    rate_bps: int | None = None
    burst_bits: int = 0

    def as_flow(self) -> _delay_bound.Flow:
        """Return the stream as it leaves the shaper: a frame that is longer than the burst leaves as a whole, too."""
        frame_bits = 8 * (HEADERS_BYTES + TAG_BYTES * len(self.way) + self.mtu)
        rate = math.inf if self.rate_bps is None else self.rate_bps
        burst = max(self.burst_bits, frame_bits) + rate * STEP_S
        return _delay_bound.Flow(rate, burst, frame_bits, tuple(zip(self.way, self.queues, strict=True)))


@dataclasses.dataclass(frozen=True)
class Network:
    """What streams do to a fabric."""

    fabric: Fabric
    users: dict[Port, list[Stream]]  # who leaves by a port
    delays: dict[str, Delays]  # of each stream by its name, infinite where nothing bounds them
    full: dict[Port, str]  # the links that flows want more of than there is, with the arithmetic

    def load_bps(self, port: Port) -> int:
        """Return the sum of the rates on a link; what has no rate is not in it. A way may pass a port twice."""
        return sum(map(rate_at(port), self.users[port]))

    def arithmetic(self, port: Port) -> str:
        """Return the sum of the rates as a text: what is added, and what comes out."""
        terms = [megabits(rate_at(port)(user)) for user in self.users[port] if user.rate_bps is not None]
        more = [f"{len(terms) - TOLD} more"] if len(terms) > TOLD else []
        return f"{' + '.join([*terms[:TOLD], *more])} = {megabits(self.load_bps(port))}"

    def overload(self, port: Port) -> str | None:
        """Return why a link does not carry what it shall; None if it does, or if nobody says how much that is."""
        speed = self.fabric.speeds_bps[port]
        if speed is None or self.load_bps(port) <= speed:
            return None
        names = [user.name for user in self.users[port] if user.rate_bps is not None]
        more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
        return (
            f"{', '.join(names[:TOLD])}{more}: {self.arithmetic(port)} on {self.fabric.direction(port)}, which carries "
            f"{megabits(speed)}; lower a rate, or give a flow another way by path or via"
        )

    def late(self, stream: Stream, deadline_us: float) -> str | None:
        """Return why a stream may miss its deadline, and where it waits longest; None if it does not."""
        delays = self.delays[stream.name]
        bound_us = microseconds(sum(delays))
        if bound_us is None:
            return f"deadline_us is {deadline_us}, but nothing bounds its delay: {self.why_unbounded(stream)}"
        if bound_us <= deadline_us:
            return None
        worst = max(range(len(delays)), key=delays.__getitem__)
        port = stream.way[worst]
        others = [user.name for user in self.users[port] if user is not stream]
        return (
            f"deadline_us is {deadline_us}, and its frames may take {bound_us} us, {microseconds(delays[worst])} us "
            f"of it on {self.fabric.direction(port)}, which it shares with {', '.join(others[:TOLD]) or 'no other'}; "
            "give it a higher queue or another way, or lower bursts"
        )

    def why_unbounded(self, stream: Stream) -> str:
        """Return why there is no bound at the first hop of a stream that has none."""
        hop = next(number for number, delay in enumerate(self.delays[stream.name]) if math.isinf(delay))
        port, queue = stream.way[hop], stream.queues[hop]
        where = self.fabric.direction(port)
        if self.fabric.speeds_bps[port] is None:
            return f"{where} has no speed_bps; add it to testbed_links"
        for user in self.users[port]:
            if user.rate_bps is None and user.queues[user.way.index(port)] >= queue:
                return (
                    f"{user.name} has no rate and may fill {where}; give it one, or this flow a higher queue"
                )
        return (
            f"on {where} it waits for what has no bound itself, by a link without speed_bps, by a rule without a rate, "
            "or because flows wait for each other in a circle; give it a higher queue or another way"
        )


def network_of(fabric: Fabric, flows: t.Sequence[Stream], others: t.Sequence[Stream]) -> Network:
    """Return what flows, and other streams beside them, do to a fabric. Nobody asked whether the others have room."""
    streams = [*flows, *others]
    network = Network(fabric, users_of(streams), {}, {})
    for port in dict.fromkeys(port for flow in flows for port in flow.way):
        if overload := network.overload(port):
            network.full[port] = overload
    speeds: dict[t.Hashable, float] = {port: fabric.speeds_bps[port] or 0.0 for port in network.users}
    delays = _delay_bound.delays([stream.as_flow() for stream in streams], speeds)
    network.delays.update(zip((stream.name for stream in streams), delays, strict=True))
    return network


def users_of(streams: t.Iterable[Stream]) -> dict[Port, list[Stream]]:
    """Return for each port that streams use which these are."""
    users: dict[Port, list[Stream]] = {}
    for stream in streams:
        for port in dict.fromkeys(stream.way):
            users.setdefault(port, []).append(stream)
    return users


def rate_at(port: Port) -> t.Callable[[Stream], int]:
    """Return what tells how much a stream adds to a link."""
    return lambda stream: (stream.rate_bps or 0) * stream.way.count(port)


def megabits(rate_bps: int) -> str:
    """Return a rate for people, without rounding it."""
    return f"{f'{rate_bps / 10**6:.6f}'.rstrip('0').rstrip('.')} Mbit/s"


def microseconds(seconds: float) -> float | None:
    """Return a bound in microseconds, rounded up to a nanosecond; None if it is infinite."""
    return None if math.isinf(seconds) else math.ceil(seconds * 1e9) / 1e3
