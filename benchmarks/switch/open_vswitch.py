"""The peer Open vSwitch with DPDK: an instance of its own, with exact rules in its userspace datapath."""

from __future__ import annotations

import contextlib
import re
import tempfile
import typing as t
from pathlib import Path

from benchmarks.switch import flows, openflow, telemetry
from benchmarks.switch.contender import MTU, SINK, SINK_DEVICE
from benchmarks.switch.process import run, running, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.switch.contender import Bench
    from benchmarks.switch.plan import Setup

PREFIX = "rte"  # Open vSwitch leaves it to DPDK
PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
BRIDGE = "bench"
GUEST, SINK_PORT = "guest", "sink"
MAX_IDLE_MS = 600_000  # the datapath forgets no flow between two measurements
MEMORY_MIB = 512
KILO = 1000

OFCTL = ("ovs-ofctl", "--protocols=OpenFlow13")


class OpenVswitch:
    """An instance whose files are in the directory."""

    def __init__(self, directory: Path, pid: int, counters: telemetry.Telemetry) -> None:
        self.directory = directory
        self.pid = pid
        self.vhost = directory / GUEST
        self.counters = counters
        self.sink = counters.port(SINK)
        self.upcalls = -1

    def use(self, setup: Setup) -> None:
        bridge = self.directory / f"{BRIDGE}.mgmt"
        meters = range(1, setup.rules + 1) if setup.shaping else []
        rules = "\n".join(
            flows.openflow(flow, setup.tags, meter=setup.shaping) for flow in range(setup.rules)
        )
        openflow.say(bridge, openflow.delete_meters())
        run(*OFCTL, "del-flows", f"unix:{bridge}")
        openflow.say(
            bridge,
            *(
                openflow.add_meter(meter, flows.RATE_BPS // KILO, flows.BURST_BITS // KILO)
                for meter in meters
            ),
        )
        # In one bundle; else each rule is a round trip.
        run(*OFCTL, "--bundle", "add-flows", f"unix:{bridge}", "-", given=rules)

    def is_settled(self, setup: Setup) -> bool:
        """Tell whether the datapath has a flow for each rule and has not asked OpenFlow's tables since the last call.

        With 100 000 rules that takes 45 s: the number of flows that it may have begins at 10 000 and
        grows by 1000 at each revalidation.
        """
        found = re.search(r"flows: (\d+)", self._ask("dpctl/show"))
        asked = re.findall(r"miss with \w+ upcall: (\d+)", self._ask("dpif-netdev/pmd-stats-show"))
        before, self.upcalls = self.upcalls, sum(map(int, asked))
        return found is not None and int(found[1]) >= setup.rules and self.upcalls == before

    def _ask(self, command: str) -> str:
        return run("ovs-appctl", f"--target={self.directory}/vswitchd.ctl", command)

    def sent(self) -> int:
        return self.counters.sent(self.sink)


def settings(bench: Bench) -> list[str]:
    """Return the keys and values of Open_vSwitch's other_config; what is not here is at its default."""
    extra = f"--no-pci --vdev={SINK_DEVICE}"
    return [
        "other_config:dpdk-init=true",
        f"other_config:dpdk-socket-mem={MEMORY_MIB}",
        f"other_config:dpdk-lcore-mask={1 << bench.cores.control:#x}",
        f"other_config:pmd-cpu-mask={1 << bench.cores.data:#x}",
        f"other_config:dpdk-extra={extra!r}".replace("'", '"'),
        f"other_config:max-idle={MAX_IDLE_MS}",
    ]


def ports() -> list[str]:
    """Return the commands of ovs-vsctl that make the bridge."""
    return [
        "--", "add-br", BRIDGE,
        "--", "set", "bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13",
        "--", "add-port", BRIDGE, GUEST,
        "--", "set", "interface", GUEST, "type=dpdkvhostuser", "ofport_request=1",
        f"mtu_request={MTU}",
        "--", "add-port", BRIDGE, SINK_PORT,
        "--", "set", "interface", SINK_PORT, "type=dpdk", f"options:dpdk-devargs={SINK}", "ofport_request=2",
        f"mtu_request={MTU}",
    ]  # fmt: skip


@contextlib.contextmanager
def open_vswitch(bench: Bench) -> Iterator[OpenVswitch]:
    with (
        tempfile.TemporaryDirectory(prefix="ovs-", dir=bench.directory) as directory,
        _instance(bench, Path(directory)) as instance,
    ):
        yield instance


@contextlib.contextmanager
def _instance(bench: Bench, directory: Path) -> Iterator[OpenVswitch]:
    """Run an instance in a directory where no other has left its sockets."""
    database, socket = directory / "conf.db", f"unix:{directory}/db.sock"
    environment = {
        **bench.environment, "OVS_RUNDIR": str(directory), "OVS_DBDIR": str(directory), "OVS_LOGDIR": str(directory)
    }  # fmt: skip
    server = [
        "ovsdb-server", f"--remote=p{socket}", f"--unixctl={directory}/ovsdb.ctl", "--no-chdir", str(database)
    ]  # fmt: skip
    # In a network namespace of its own: another instance may have the tap devices of these names.
    switch = [
        "unshare", "--net", "taskset", "--cpu-list", str(bench.cores.control), PROGRAM, socket,
        f"--unixctl={directory}/vswitchd.ctl", "--no-chdir", "-vconsole:info",
    ]  # fmt: skip
    vsctl = ["ovs-vsctl", f"--db={socket}", "--timeout=60"]
    with contextlib.ExitStack() as stack:
        run("ovsdb-tool", "create", str(database), SCHEMA)
        stack.enter_context(running("ovsdb-server", server, directory / "ovsdb.log", environment))
        wait_until("ovsdb-server answers", (directory / "db.sock").exists)
        run(*vsctl, "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", *settings(bench))
        process = stack.enter_context(
            running("ovs-vswitchd", switch, directory / "vswitchd.log", environment)
        )
        run(*vsctl, *ports())
        wait_until("Open vSwitch serves its guest's socket", (directory / GUEST).exists)
        counters = stack.enter_context(telemetry.connected(bench.directory, PREFIX))
        yield OpenVswitch(directory, process.pid, counters)
