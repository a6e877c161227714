#!/usr/bin/python
# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send UDP datagrams to an echo service and account for every one of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: udp_probe
short_description: Send UDP datagrams to an echo service and account for each
version_added: 0.1.0
description:
  - Sends numbered, timestamped datagrams to an echo service (RFC 862), paced and with a bounded number of
    them in flight, and compares every echo, byte by byte, with what was sent.
  - Runs where the traffic shall start, for example in a guest; needs nothing but Python there.
  - A lost datagram is a result, not a failure; a probe that cannot be carried out fails.
author: The detnet.testbed authors (@detnet)
options:
  destination:
    description: IPv4 address of the host with the echo service.
    type: str
    required: true
  destination_port:
    description: UDP port of the echo service.
    type: int
    default: 7
  source_port:
    description: UDP port to send from, the one that a rule matches on; 0 lets the kernel choose.
    type: int
    default: 0
  count:
    description: Number of datagrams.
    type: int
    default: 1000
  payload_bytes:
    description: Length of a datagram's payload in bytes, from 12 (sequence number and timestamp) to 65507.
    type: int
    default: 64
  interval_us:
    description: Least time between two datagrams in microseconds.
    type: int
    default: 1000
  window:
    description: Most datagrams in flight, so that slow hosts lose none in their own socket buffers.
    type: int
    default: 16
  loss_ms:
    description: Milliseconds after which a missing echo no longer holds a place in O(window). It still counts
      if it comes.
    type: int
    default: 1000
  burst_count:
    description: Number of datagrams that follow at once, each as fast as it can be sent; 0 for none.
    type: int
    default: 0
    version_added: 0.2.0
  burst_payload_bytes:
    description: Length of the payload of those.
    type: int
    default: 1400
    version_added: 0.2.0
  timeout_s:
    description: Most seconds for the probe beyond O(count) times O(interval_us). What is not sent by then
      is not sent at all.
    type: int
    default: 20
attributes:
  check_mode:
    description: Sends nothing in check mode; the module is then skipped.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Every run measures anew; nothing is ever changed.
    support: full
"""

EXAMPLES = r"""
- name: Send 1000 datagrams to beta-vm-01 and back
  detnet.testbed.udp_probe:
    destination: 10.20.0.21
    source_port: 5001
    count: 1000
  delegate_to: alpha-vm-01
"""

RETURN = r"""
sent:
  description: Datagrams sent.
  returned: success
  type: int
received:
  description: Datagrams whose echo came back unchanged at least once.
  returned: success
  type: int
duplicates:
  description: Echoes of a datagram whose echo had already come.
  returned: success
  type: int
out_of_order:
  description: First echoes that came after the echo of a later datagram.
  returned: success
  type: int
corrupt:
  description: Datagrams received that are not, byte by byte, one that was sent.
  returned: success
  type: int
rtt_us:
  description: Round-trip times in microseconds, percentiles by nearest rank; none if nothing came back.
  returned: success
  type: dict
  sample: {min: 4100, p50: 8050, p99: 31200, max: 39007}
burst:
  description: The same account of the burst.
  returned: success, with O(burst_count)
  type: dict
"""

import errno
import math
import select
import socket
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.detnet.testbed.plugins.module_utils._datagram import HEADER

LARGEST_PAYLOAD = 65507  # of UDP over IPv4
RECEIVE_BUFFER = 1 << 20  # bytes; the kernel caps it at net.core.rmem_max

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "destination": {"type": "str", "required": True},
    "destination_port": {"type": "int", "default": 7},
    "source_port": {"type": "int", "default": 0},
    "count": {"type": "int", "default": 1000},
    "payload_bytes": {"type": "int", "default": 64},
    "interval_us": {"type": "int", "default": 1000},
    "window": {"type": "int", "default": 16},
    "loss_ms": {"type": "int", "default": 1000},
    "burst_count": {"type": "int", "default": 0},
    "burst_payload_bytes": {"type": "int", "default": 1400},
    "timeout_s": {"type": "int", "default": 20},
}
LIMITS = {
    "destination_port": (1, 65535),
    "source_port": (0, 65535),
    "count": (1, 1_000_000),
    "payload_bytes": (HEADER.size, LARGEST_PAYLOAD),
    "interval_us": (0, 10_000_000),
    "window": (1, 4096),
    "loss_ms": (1, 60_000),
    "burst_count": (0, 4096),
    "burst_payload_bytes": (HEADER.size, LARGEST_PAYLOAD),
    "timeout_s": (1, 3600),
}


def out_of_range(params: dict[str, t.Any]) -> str | None:
    """Return what is wrong with the first option outside its limits, or None."""
    for name, (low, high) in LIMITS.items():
        if not low <= params[name] <= high:
            return f"{name} is {params[name]}, must be from {low} to {high}"
    return None


def percentiles(values: list[int]) -> dict[str, int]:
    """Return min, p50, p99 (nearest rank) and max of the values; nothing of nothing."""
    if not values:
        return {}
    ranked = sorted(values)
    return {
        "min": ranked[0],
        "p50": ranked[math.ceil(0.50 * len(ranked)) - 1],
        "p99": ranked[math.ceil(0.99 * len(ranked)) - 1],
        "max": ranked[-1],
    }


class Ledger:
    """What was sent and what came back. Times are nanoseconds of one clock; it reads none itself."""

    def __init__(self, payload_bytes: int) -> None:
        self.padding = bytes(i & 0xFF for i in range(payload_bytes - HEADER.size))
        self.sent_at: list[int] = []
        self.in_flight: dict[int, int] = {}  # sequence number → time sent, oldest first
        self.echoed: set[int] = set()
        self.rtt_ns: list[int] = []
        self.latest = -1
        self.duplicates = self.out_of_order = self.corrupt = 0

    def next_datagram(self, now: int) -> bytes:
        return HEADER.pack(len(self.sent_at), now) + self.padding

    def sent(self, now: int) -> None:
        """Enter the datagram that next_datagram gave for the same time."""
        self.in_flight[len(self.sent_at)] = now
        self.sent_at.append(now)

    def received(self, data: bytes, now: int) -> None:
        """Enter a datagram that came in."""
        if not self._is_ours(data):
            self.corrupt += 1
            return
        number, sent_at = HEADER.unpack_from(data)
        if number in self.echoed:
            self.duplicates += 1
            return
        self.echoed.add(number)
        self.in_flight.pop(number, None)
        self.rtt_ns.append(now - sent_at)
        self.out_of_order += number < self.latest
        self.latest = max(self.latest, number)

    def give_up(self, sent_before: int) -> None:
        """Stop waiting for echoes of datagrams sent before a time."""
        while self.in_flight and next(iter(self.in_flight.values())) < sent_before:
            del self.in_flight[next(iter(self.in_flight))]

    def result(self) -> dict[str, t.Any]:
        return {
            "sent": len(self.sent_at),
            "received": len(self.echoed),
            "duplicates": self.duplicates,
            "out_of_order": self.out_of_order,
            "corrupt": self.corrupt,
            "rtt_us": percentiles([ns // 1000 for ns in self.rtt_ns]),
        }

    def _is_ours(self, data: bytes) -> bool:
        if len(data) != HEADER.size + len(self.padding) or data[HEADER.size :] != self.padding:
            return False
        number, sent_at = HEADER.unpack_from(data)
        return bool(number < len(self.sent_at) and self.sent_at[number] == sent_at)


def exchange(sock: socket.socket, ledger: Ledger, params: dict[str, t.Any]) -> None:
    """Send and receive until every datagram is back or given up, or the time is over; raise OSError."""
    loss_ns = params["loss_ms"] * 1_000_000
    now = next_send = time.monotonic_ns()
    deadline = now + params["count"] * params["interval_us"] * 1000 + params["timeout_s"] * 1_000_000_000
    while now < deadline:
        ledger.give_up(now - loss_ns)
        left = params["count"] - len(ledger.sent_at)
        if not left and not ledger.in_flight:
            break
        may_send = left and len(ledger.in_flight) < params["window"]
        if may_send and now >= next_send:
            sock.send(ledger.next_datagram(now))
            ledger.sent(now)
            next_send = now + params["interval_us"] * 1000
            wake = now
        elif may_send:
            wake = next_send
        else:
            wake = next(iter(ledger.in_flight.values())) + loss_ns + 1
        receive(sock, ledger, min(wake, deadline))
        now = time.monotonic_ns()
    # A second echo of the last datagram would still be on its way.
    receive_until = time.monotonic_ns() + max(ledger.rtt_ns, default=0)
    while time.monotonic_ns() < min(receive_until, deadline):
        receive(sock, ledger, min(receive_until, deadline))


def receive(sock: socket.socket, ledger: Ledger, until: int) -> None:
    """Take one datagram if one comes until a time (which may be past)."""
    wait_s = max(0, until - time.monotonic_ns()) / 1e9
    if select.select([sock], [], [], wait_s)[0]:
        ledger.received(sock.recv(LARGEST_PAYLOAD), time.monotonic_ns())


def probe(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Open the socket, carry out the exchange, return the account; raise OSError."""
    ledger = Ledger(params["payload_bytes"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind(("", params["source_port"]))
        sock.connect((params["destination"], params["destination_port"]))
        exchange(sock, ledger, params)
    return ledger.result()


def burst_params(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a probe that sends the burst."""
    count = params["burst_count"]
    size = params["burst_payload_bytes"]
    return params | {"count": count, "payload_bytes": size, "interval_us": 0, "window": count}


def way_out(exc: OSError, params: dict[str, t.Any]) -> str:
    """Return what to do about a failed probe."""
    if isinstance(exc, ConnectionRefusedError):
        return f"start an echo service (RFC 862) on UDP port {params['destination_port']} there"
    if exc.errno == errno.EADDRINUSE:
        return f"another program uses UDP port {params['source_port']} here; end it or set source_port"
    return "check the addresses, the routes (ip route get) and the neighbours (ip neighbour) on both ends"


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if complaint := out_of_range(params):
        module.fail_json(msg=f"Cannot probe {params['destination']}: {complaint}")
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="No traffic is sent in check mode")
    try:
        result = probe(params)
        if params["burst_count"]:
            result["burst"] = probe(burst_params(params))
    except OSError as exc:
        goal = f"UDP {params['destination']}:{params['destination_port']}"
        module.fail_json(msg=f"Cannot probe {goal}: {exc.strerror or exc}; {way_out(exc, params)}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
