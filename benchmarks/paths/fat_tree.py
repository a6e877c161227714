"""A fat-tree as a testbed's description: M. Al-Fares, A. Loukissas, A. Vahdat, SIGCOMM 2008; and flows in it.

Of switches with k ports: k pods of k/2 edge and k/2 aggregation switches, (k/2)² core switches, and k/2 end hosts at
each edge switch.
"""

from __future__ import annotations

import itertools
import random
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._testbed_settings import vm_name
from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import addresses

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.detnet.testbed.plugins.module_utils._testbed_vms import Vm

SPEED_BPS = 10**10
VM = 1
MBPS = 10**6


def switches(k: int) -> list[str]:
    """Return the names of the network switches."""
    pods = [f"p{pod}{kind}{number}" for pod in range(k) for kind in "ea" for number in range(k // 2)]
    return pods + [f"c{number}" for number in range((k // 2) ** 2)]


def hosts(k: int) -> list[str]:
    """Return the names of the end hosts."""
    return [f"h{number}" for number in range(k**3 // 4)]


def links(k: int) -> Iterator[dict[str, t.Any]]:
    """Yield the links as testbed_links has them."""
    half = k // 2
    names = iter(hosts(k))
    for pod, one in itertools.product(range(k), range(half)):
        edge, aggregation = f"p{pod}e{one}", f"p{pod}a{one}"
        for other in range(half):
            yield link(f"{next(names)}:0", f"{edge}:{other + 1}")
            yield link(f"{edge}:{half + other + 1}", f"p{pod}a{other}:{one + 1}")
            yield link(f"{aggregation}:{half + other + 1}", f"c{one * half + other}:{pod + 1}")


def link(one: str, other: str) -> dict[str, t.Any]:
    return {"ends": [one, other], "speed_bps": SPEED_BPS, "mtu": None}


def vms(k: int) -> dict[str, Vm]:
    """Return a VM on each end host, as the description's are compiled."""
    found = {}
    for number, host in enumerate(hosts(k)):
        name = vm_name(host, VM)
        address = f"10.{number >> 14}.{number >> 7 & 127}.{(number & 127) + 1}/8"
        found[name] = {"id": VM, "name": name, "host": host, "mtu": 1500} | addresses(address, None)
    return found


def flows(k: int, count: int, seed: int) -> list[dict[str, t.Any]]:
    """Return flows between random VMs, of random rates and queues, which may take any way."""
    chance = random.Random(seed)  # noqa: S311
    found = []
    for number in range(count):
        source, destination = chance.sample(range(k**3 // 4), 2)
        rate_mbps = chance.choice([1, 10, 100, 500])
        found.append(
            {
                "name": f"f{number}",
                "from": vm_name(f"h{source}", VM),
                "to": vm_name(f"h{destination}", VM),
                "protocol": "udp",
                "destination_port": number % 65535 + 1,
                "queue": chance.randrange(10),
                "rate_bps": rate_mbps * MBPS,
                "burst_bits": 25_000,
                "path": "least_loaded",
            }
        )
    return found
