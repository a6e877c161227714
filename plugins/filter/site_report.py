# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of the traffic test as a person wants to see them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: site_report
short_description: The results of the traffic test as text
version_added: 0.1.0
description:
  - Renders what P(detnet.testbed.site_results#filter) returns as a few lines of ASCII.
author: The detnet.testbed authors (@detnet)
options:
  _input:
    description: The results.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the results
  ansible.builtin.debug:
    msg: "{{ results | detnet.testbed.site_report }}"
"""

RETURN = r"""
_value:
  description: Several lines, without a newline at the end.
  type: str
"""

import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils._rule import ETHER_TYPE_NAMES

Values = t.Mapping[str, t.Any]

WHY = {
    "kvm": "a guest really ran under KVM here",
    "tcg": "no guest runs under KVM here (make doctor says why), or the inventory asks for TCG",
}


def aligned(rows: t.Sequence[t.Sequence[str]], right: t.Container[int] = ()) -> list[str]:
    """Return rows as indented lines with aligned columns; those in right are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def milliseconds(rtt_us: Values, names: t.Iterable[str]) -> str:
    if not rtt_us:
        return "no round trip"
    return ", ".join(f"{name} {rtt_us[name] / 1000:.1f} ms" for name in names)


def journey_lines(results: Values) -> list[str]:
    """The tags leave one by one from the left, so the packet stays in one column."""
    rows = [
        [hop["at"], "".join(f"[{tag}]" for tag in hop["tags"]) + " packet", f"{hop['frames']} frames"]
        for hop in results["journey"]
    ]
    picture = aligned(rows, right={1, 2}) if rows else [f"  {results['journey_fault']}"]
    return ["Path of the UDP datagrams, read from the captured frames (outermost tag first)", *picture]


def traffic_lines(results: Values) -> list[str]:
    udp = results["udp"]
    lines = [
        "Traffic",
        f"  UDP echo: {udp['sent']} sent, {udp['received']} received, {udp['sent'] - udp['received']} lost "
        f"({udp['duplicates']} duplicates, {udp['out_of_order']} out of order, {udp['corrupt']} corrupt)",
        f"  Round trip: {milliseconds(results['rtt_us'], ('min', 'p50', 'p99', 'max'))}",
    ]
    lines += [
        f"  Ping {ping['from']} > {ping['to']}: {ping['received']} of {ping['sent']} answered, "
        f"{milliseconds(ping['rtt_us'], ('min', 'mean', 'max'))}"
        for ping in results["ping"]
    ]
    return lines


def shaping_lines(burst: Values) -> list[str]:
    """What the rule made of the burst, in the order in which it happened."""
    order = f"{burst['out_of_order']} overtaken" if burst["out_of_order"] else "in order"
    lines = [
        f"Shaping: {burst['datagrams']} datagrams of {burst['payload_bytes']} bytes at once, "
        f"through a bucket of {burst['burst_bits']} bit at {megabits(burst['rate_bps'])}",
        f"  At {burst['at']}: {burst['arrived']} arrived, {order}",
    ]
    if not burst["arrived"]:
        return lines
    sent, arrived, expected = (burst[f"{name}_over_us"] / 1000 for name in ("sent", "arrived", "expected"))
    lines.append(
        f"  Sent within {sent:.1f} ms, arrived within {arrived:.1f} ms; the rule allows no less than {expected:.1f} ms"
    )
    if burst["waited"]:
        rate = f", at {megabits(burst['wire_rate_bps'])} on the wire" if burst["wire_rate_bps"] else ""
        lines.append(f"  {burst['waited']} of them had to wait, and left one by one{rate}")
    else:
        lines.append("  None had to wait: the guest sent them no faster than the rule allows")
    return lines


def megabits(rate_bps: int) -> str:
    return f"{rate_bps / 10**6:.2f} Mbit/s"


def match_of(rule: Values) -> str:
    name = str(rule.get("protocol") or ether_type_of(rule))
    ports = [rule.get("source_port"), rule.get("destination_port")]
    if not any(ports):
        return name
    return f"{name} {'>'.join('any' if port is None else str(port) for port in ports)}"


def ether_type_of(rule: Values) -> str:
    if "ether_type" not in rule:
        return "all"
    return ETHER_TYPE_NAMES.get(rule["ether_type"], f"0x{rule['ether_type']:04x}")


def way_of(rule: Values) -> str:
    return f"to VM {rule['destination_vm']}" if "destination_vm" in rule else "no tags"


def rule_lines(results: Values) -> list[str]:
    rows = [
        [
            f"{rule['from']} > {rule['to']}",
            match_of(rule),
            "".join(f"[{tag}]" for tag in rule["tags"]) or way_of(rule),
            f"{rule['packets']} packets",
            f"{rule['bytes']} bytes",
            ", ".join(f"{n} dropped {name}" for name, n in rule["drops"].items() if n) or "no drops",
        ]
        for rule in results["rules"]
    ]
    return [
        "Rules, counted since the start of their switches",
        *(aligned(rows, right={3, 4}) if rows else ["  none"]),
    ]


def fingerprint_line(results: Values) -> str:
    """Hosts with the same fingerprint were set alike, and so were the days of a host."""
    stamps = [f"{end_host} {host['fingerprint']}" for end_host, host in results["hosts"].items()]
    return f"Fingerprints of the hosts: {', '.join(stamps)}"


def guest_line(results: Values) -> str:
    accelerator = results["accelerator"]
    return f"Guests run under {accelerator.upper()}: {WHY[accelerator]}"


def site_report(results: Values) -> str:
    """Return the results as text."""
    parts = [journey_lines(results), traffic_lines(results)]
    if "burst" in results:
        parts.append(shaping_lines(results["burst"]))
    parts += [rule_lines(results), [guest_line(results), fingerprint_line(results)]]
    return "\n\n".join("\n".join(lines) for lines in parts)


class FilterModule:
    """Offer the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"site_report": site_report}
