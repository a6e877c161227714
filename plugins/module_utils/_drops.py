# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each drop of a tagging switch means, and what can be done about it."""

from __future__ import annotations

DROPS = {
    "truncated": "it is shorter than its headers say; look at who builds it",
    "malformed": "its IP or ARP header, or its LLDP, is impossible; look at who builds it",
    "source_mac": "its source MAC address is not that of its VM; set no other address in the guest, and no bridge",
    "guest_tagged": "the guest tagged it; take VLAN interfaces out of the guest, the switch pushes the tags",
    "guest_lldp": "LLDP of a guest would forge the topology; stop lldpd in the guest, the switch tells who it is",
    "arp_sender": "its ARP names another sender than its VM; set no other MAC address in the guest",
    "nd_sender": "its neighbour discovery names another sender than its VM; set no other MAC address in the guest",
    "control_role": "only VM 0 may send control frames; use VM 0",
    "control_full": "the control thread has too many control frames to answer; wait for each acknowledgement",
    "lldp_full": "LLDP of more neighbours than have room, or faster than it is read; see who sends it (lldp.neighbors)",
    "no_rule": "no rule of its VM matches it; compare it with them (switch_info), and set one (switch_rule)",
    "fragment": "a part of an IP packet has no ports; set a rule without ports, or lower the sender's MTU",
    "arp_no_rule": "no rule leads between the two ends of its ARP; set a rule with these addresses",
    "nd_no_rule": "no rule leads between the two ends of its neighbour discovery; set a rule with these addresses",
    "oversize": "with its tags it is longer than the way takes; lower the guest's MTU, or raise the uplink's",
    "over_rate": "it is above the rate of its rule, whose mode is police; raise rate or burst, or take mode shape",
    "queue_full": "too much of its rule waits already; raise queue_packets, queue_bytes or the rate",
    "buffers_full": "too much of its VM waits already; raise the switch's vm_buffers and buffers",
    "rule_removed": "its rule was deleted while it waited; send it again",
    "no_uplink": "the switch has no uplink; give it one, or the rule a destination_vm",
    "uplink_full": "the uplink took no more; see whether its link is up and fast enough",
    "untagged": "it came from the uplink without a tag; let the network keep the last one, or accept untagged frames",
    "extra_tags": "it came from the uplink with several tags; give its rule one tag for each network switch",
    "unknown_vm": "no port is of the VM that it is for; compare its last tag, or destination_vm, with the ports",
    "inbox_full": "the data core of the destination is too busy; give the switch more data cores",
    "destination_mac": "its destination MAC address is not that of the VM it leads to; see the sender's neighbours",
    "not_connected": "the destination VM is not connected; start it",
    "guest_full": "the destination VM takes its frames too slowly; give it more CPU time or a longer ring",
}
