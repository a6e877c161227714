# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller of network switches, by os-ken, which does with them what a Chameleon controller does.

A program of its own: `openflow_controller.py 1.0` listens on 127.0.0.1:6653 for switches that speak OpenFlow 1.0. It
prints a JSON object on a line for each thing that happens:

    {"event": "ready", "switch": NAME, "version": 1}                    the switch has confirmed its rules
    {"event": "packet_in", "switch": NAME, "port": 1, "reason": "action", "data": HEX, "end_host": IPv4 or null}
    {"event": "error", "switch": NAME, "type": 1, "code": 2}            the switch refuses something
"""

from __future__ import annotations

import ipaddress
import json
import sys
import typing as t

from os_ken import cfg
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.lib.packet import lldp
from os_ken.lib.packet.packet import Packet
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3

VERSIONS = {"1.0": ofproto_v1_0.OFP_VERSION, "1.3": ofproto_v1_3.OFP_VERSION}
TAGGED_PRIORITY, MISS_PRIORITY = 50, 30
QUEUES = range(10)
TTL_S = 120
WHOLE = 0xFFFF  # OFPCML_NO_BUFFER, and in 1.0 as many bytes: a packet-in has all of its frame


def end_host(data: bytes) -> str | None:
    """Return the address of the end host that a frame tells of: a Chameleon controller takes this shape alone."""
    found = Packet(data).get_protocol(lldp.lldp)
    if found is None or len(found.tlvs) != 4:
        return None
    chassis, port, ttl, _end = found.tlvs
    if (chassis.subtype, len(chassis.chassis_id)) != (lldp.ChassisID.SUB_NETWORK_ADDRESS, 4):
        return None
    if (port.subtype, len(port.port_id)) != (lldp.PortID.SUB_LOCALLY_ASSIGNED, 2):
        return None
    return str(ipaddress.IPv4Address(chassis.chassis_id)) if ttl.ttl == TTL_S else None


def rules_of_1_0(datapath: t.Any, ports: list[int]) -> t.Iterator[t.Any]:
    protocol, parser = datapath.ofproto, datapath.ofproto_parser
    yield parser.OFPFlowMod(datapath, match=parser.OFPMatch(), command=protocol.OFPFC_DELETE)
    miss = [parser.OFPActionOutput(protocol.OFPP_CONTROLLER, WHOLE)]
    yield parser.OFPFlowMod(datapath, match=parser.OFPMatch(), priority=MISS_PRIORITY, actions=miss)
    for port in ports:
        for queue in QUEUES:
            match = parser.OFPMatch(dl_vlan=port * 10 + queue)
            actions = [parser.OFPActionStripVlan(), parser.OFPActionEnqueue(port, queue)]
            yield parser.OFPFlowMod(datapath, match=match, priority=TAGGED_PRIORITY, actions=actions)


def rules_of_1_3(datapath: t.Any, ports: list[int]) -> t.Iterator[t.Any]:
    protocol, parser = datapath.ofproto, datapath.ofproto_parser

    def apply(*actions: t.Any) -> list[t.Any]:
        return [parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, actions)]

    everywhere = {
        "out_port": protocol.OFPP_ANY,
        "out_group": protocol.OFPG_ANY,
        "table_id": protocol.OFPTT_ALL,
    }
    yield parser.OFPFlowMod(datapath, command=protocol.OFPFC_DELETE, **everywhere)
    miss = apply(parser.OFPActionOutput(protocol.OFPP_CONTROLLER, WHOLE))
    yield parser.OFPFlowMod(datapath, priority=MISS_PRIORITY, instructions=miss)
    for port in ports:
        for queue in QUEUES:
            match = parser.OFPMatch(vlan_vid=protocol.OFPVID_PRESENT | port * 10 + queue)
            actions = apply(
                parser.OFPActionPopVlan(), parser.OFPActionSetQueue(queue), parser.OFPActionOutput(port)
            )
            yield parser.OFPFlowMod(datapath, match=match, priority=TAGGED_PRIORITY, instructions=actions)


RULES = {ofproto_v1_0.OFP_VERSION: rules_of_1_0, ofproto_v1_3.OFP_VERSION: rules_of_1_3}


class Controller(app_manager.OSKenApp):
    """Gives each switch its rules, which stay as they are, and tells of what comes from it."""

    def tell(self, event: str, datapath: t.Any, **what: t.Any) -> None:
        local = datapath.ports[datapath.ofproto.OFPP_LOCAL].name.rstrip(b"\0").decode()
        print(json.dumps({"event": event, "switch": local, **what}), flush=True)

    @set_ev_cls(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def joined(self, event: t.Any) -> None:
        datapath = event.datapath
        ports = sorted(number for number in datapath.ports if number < datapath.ofproto.OFPP_MAX)
        for rule in RULES[datapath.ofproto.OFP_VERSION](datapath, ports):
            datapath.send_msg(rule)
        datapath.send_barrier()

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def ready(self, event: t.Any) -> None:
        self.tell("ready", event.msg.datapath, version=event.msg.version)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def heard(self, event: t.Any) -> None:
        message, protocol = event.msg, event.msg.datapath.ofproto
        port = (
            message.in_port if protocol.OFP_VERSION == ofproto_v1_0.OFP_VERSION else message.match["in_port"]
        )
        reason = {protocol.OFPR_NO_MATCH: "no_match", protocol.OFPR_ACTION: "action"}[message.reason]
        said = {"data": message.data.hex(), "end_host": end_host(message.data)}
        self.tell("packet_in", message.datapath, port=port, reason=reason, **said)

    @set_ev_cls(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)
    def refused(self, event: t.Any) -> None:
        self.tell("error", event.msg.datapath, type=event.msg.type, code=event.msg.code)


def main() -> None:
    cfg.CONF(["--ofp-listen-host=127.0.0.1", "--ofp-tcp-listen-port=6653"], default_config_files=[])
    Controller.OFP_VERSIONS = [VERSIONS[sys.argv[1]]]
    manager = app_manager.AppManager.get_instance()
    manager.load_apps(["os_ken.controller.ofp_handler"])
    manager.applications_cls["controller"] = Controller
    hub.joinall(manager.instantiate_apps())


if __name__ == "__main__":
    main()
