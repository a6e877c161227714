# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module nic, on a made-up host whose drivers and driverctl answer as the real ones do."""

from __future__ import annotations

import errno
import functools
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import (
    _durable_file,
    _kernel_files,
    _nic_command,
    _nic_return,
)
from ansible_collections.detnet.testbed.plugins.modules import nic
from nic_host import DEVICES, ETH0, ETH1, ETH2, NET, NicHost

Run = t.Callable[..., dict[str, t.Any]]

BEFORE = {"driver": "ice", "override": None, "at_boot": None}
BOUND = {"driver": "vfio-pci", "override": "vfio-pci", "at_boot": "vfio-pci"}
SET_RINGS, SET_PAUSE, SET_EEE = 0x11, 0x13, 0x45


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NicHost:
    made = NicHost(tmp_path / "root")
    program = tmp_path / "bin/driverctl"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(_nic_command, "path", lambda: str(program.parent))
    monkeypatch.setattr(nic, "ROOT", str(made.root))
    monkeypatch.setattr(nic, "Work", functools.partial(nic.Work, ask=made.ask, run=made.run))
    monkeypatch.setattr(_nic_return, "INTERFACE_WAIT_S", 0.05)
    monkeypatch.setattr(_nic_return, "POLL_S", 0.01)
    return made


@pytest.fixture
def set_(run: Run, host: NicHost) -> Run:
    def set_(device: str, *, check_mode: bool = False, **settings: t.Any) -> dict[str, t.Any]:
        return run(nic.main, device=device, ledger=host.ledger, check_mode=check_mode, **settings)

    return set_


@pytest.fixture
def give_back(run: Run, host: NicHost) -> Run:
    def give_back(device: str | None = None, *, check_mode: bool = False) -> dict[str, t.Any]:
        named = {} if device is None else {"device": device}
        return run(nic.main, state="returned", ledger=host.ledger, check_mode=check_mode, **named)

    return give_back


def driverctl(host: NicHost) -> list[str]:
    return [" ".join(command[1:]) for command in host.commands if command[0] == "driverctl"]


def setters(host: NicHost) -> list[int]:
    return [command for _interface, command in host.requests if command & 1]


def test_binds_and_gives_back(host: NicHost, set_: Run, give_back: Run) -> None:
    before = host.snapshot()
    result = set_("eth1", driver="vfio-pci")
    assert result["changed"] is True
    assert (host.driver(ETH1), host.text(f"etc/driverctl.d/pci-{ETH1}")) == ("vfio-pci", "vfio-pci")
    assert (result["address"], result["interface"]) == (ETH1, "eth1")
    assert result["changes"] == [{"device": ETH1, "setting": "driver", "before": BEFORE, "after": BOUND}]
    assert result["diff"]["after"] == f"{ETH1} driver: driver vfio-pci, override vfio-pci, at_boot vfio-pci\n"
    assert (result["boot_commands"], result["boot_values"]) == ([], [])
    for name in ("eth1", ETH1):  # its interface is not there any more
        again = set_(name, driver="vfio-pci")
        assert (again["changed"], again["address"], again["interface"]) == (False, ETH1, None)
    assert driverctl(host) == [f"set-override {ETH1} vfio-pci"]
    assert give_back("eth1")["changed"] is True
    assert driverctl(host)[1:] == [f"unset-override {ETH1}"]
    assert host.snapshot() == before
    assert give_back("eth1")["changed"] is give_back()["changed"] is False


def test_sets_an_interface_and_gives_it_back(host: NicHost, set_: Run, give_back: Run) -> None:
    before = host.snapshot()
    wanted = {"rx_ring_packets": 4096, "tx_ring_packets": 2048, "pause": False, "energy_efficient": False}
    predicted = set_("eth0", **wanted, check_mode=True)
    assert host.snapshot() == before
    assert setters(host) == []
    result = set_("eth0", **wanted)
    assert {name: result[name] for name in predicted if name != "invocation"} == {
        name: predicted[name] for name in predicted if name != "invocation"
    }
    assert result["changes"] == [
        {"device": ETH0, "setting": "rx_ring_packets", "before": 512, "after": 4096},
        {"device": ETH0, "setting": "tx_ring_packets", "before": 1024, "after": 2048},
        {
            "device": ETH0,
            "setting": "pause",
            "before": {"autonegotiate": True, "rx": True, "tx": True},
            "after": {"autonegotiate": False, "rx": False, "tx": False},
        },
        {"device": ETH0, "setting": "energy_efficient", "before": True, "after": False},
    ]
    assert host.drivers["eth0"] == {
        "rings": [4096, 0, 0, 8192, 4096, 0, 0, 2048],
        "pause": [0, 0, 0],
        "eee": [6, 6, 0, 0, 0, 1, 17, 0, 0],
    }
    assert [" ".join(command) for command in result["boot_commands"]] == [
        "ethtool -G eth0 rx 4096 tx 2048",
        "ethtool -A eth0 autoneg off rx off tx off",
        "ethtool --set-eee eth0 eee off",
    ]
    made = len(setters(host))
    again = set_("eth0", **wanted)
    assert (again["changed"], again["boot_commands"]) == (False, result["boot_commands"])
    assert len(setters(host)) == made
    assert [row["setting"] for row in give_back(check_mode=True)["changes"]] == [
        "energy_efficient",
        "pause",
        "tx_ring_packets",
        "rx_ring_packets",
    ]
    assert give_back()["overridden"] == []
    assert host.snapshot() == before


def test_sets_virtual_functions_and_gives_them_back(host: NicHost, set_: Run, give_back: Run) -> None:
    before = host.snapshot()
    result = set_("eth1", virtual_functions=4)
    path = f"{DEVICES}/{ETH1}/sriov_numvfs"
    assert host.text(path) == "4"
    assert result["boot_values"] == [{"path": f"/{path}", "value": "4"}]
    assert set_("eth1", virtual_functions=4)["changed"] is False
    give_back()
    assert host.snapshot() == before


def test_from_one_number_to_another_goes_over_none(
    host: NicHost, set_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    kernel_write = _kernel_files.write

    def write(path: str, value: str, root: str) -> str:
        written.append(value)
        return kernel_write(path, value, root)

    monkeypatch.setattr(_kernel_files, "write", write)
    host.virtual_functions(ETH1, 2)
    set_("eth1", virtual_functions=4)
    assert written == ["0", "4"]


def test_a_number_that_the_kernel_refuses_is_undone(
    host: NicHost, set_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: str, value: str, root: str) -> str:
        if value == "4":
            raise _kernel_files.RefusedError(path, value, "0", errno.ENOSPC)
        host.write(path.lstrip("/"), value)
        return value

    monkeypatch.setattr(_kernel_files, "write", write)
    host.virtual_functions(ETH1, 2)
    result = set_("eth1", virtual_functions=4)
    assert "there is no room for it (ENOSPC)" in result["msg"]
    assert result["msg"].endswith("nothing changed")
    assert host.text(f"{DEVICES}/{ETH1}/sriov_numvfs") == "2"
    assert not Path(host.ledger).exists()


def lockouts() -> list[t.Any]:
    """Return ways in which eth0 carries the connection."""

    def environment(host: NicHost) -> None:
        host.process(os.getpid(), "python3", 700)
        host.process(700, "sudo", 701)
        host.process(701, "bash", 0, "SSH_CONNECTION=198.51.100.7 50000 192.0.2.10 22")

    def daemon(host: NicHost) -> None:
        host.ssh()

    def bridge(host: NicHost) -> None:
        host.virtual("br0", ["eth0"])
        host.addresses = {"br0": ["192.0.2.10"]}
        host.ssh()

    def bond_of_vlans(host: NicHost) -> None:
        host.virtual("eth0.5", ["eth0"])
        host.virtual("bond0", ["eth0.5", "eth2"])
        host.addresses = {"bond0": ["192.0.2.10"]}
        host.ssh()

    def route(host: NicHost) -> None:
        host.addresses = {"lo": ["192.0.2.10"]}
        host.routes = {"198.51.100.7": ["eth0"], "default": ["eth2"]}
        host.ssh()

    def own_virtual_function(host: NicHost) -> None:
        host.virtual_functions(ETH0, 1)
        host.addresses = {"eth0v0": ["192.0.2.10"]}
        host.ssh()

    def local(_host: NicHost) -> None:
        """Have no SSH connection: eth0 has the default route."""

    def tunnel(host: NicHost) -> None:
        host.virtual("wg0")
        host.addresses = {"wg0": ["192.0.2.10"]}
        host.ssh()

    made = (environment, daemon, bridge, bond_of_vlans, route, own_virtual_function, local, tunnel)
    return [pytest.param(way, id=way.__name__.replace("_", "-")) for way in made]


@pytest.mark.parametrize("device", ["eth0", ETH0], ids=["by-name", "by-address"])
@pytest.mark.parametrize("check_mode", [False, True], ids=["for-real", "in-check-mode"])
@pytest.mark.parametrize("lockout", lockouts())
def test_never_takes_the_nic_by_which_one_is_connected(
    host: NicHost, set_: Run, lockout: t.Callable[[NicHost], None], check_mode: bool, device: str
) -> None:
    lockout(host)
    host.write(f"{DEVICES}/{ETH0}/sriov_numvfs", "2")
    before = host.snapshot()
    for settings in ({"driver": "vfio-pci"}, {"virtual_functions": 0}, {"virtual_functions": 4}):
        result = set_(device, check_mode=check_mode, **settings)
        assert result["failed"] is True
        assert f"{ETH0} (eth0) cannot" in result["msg"]
        assert "192.0.2.10" in result["msg"] or "default route" in result["msg"]
        assert "or name another device" in result["msg"] or "set the interface down" in result["msg"]
    assert driverctl(host) == []
    assert host.snapshot() == before


def test_the_message_tells_device_interface_address_and_way_out(host: NicHost, set_: Run) -> None:
    host.ssh()
    assert set_("eth0", driver="vfio-pci")["msg"] == (
        f"Cannot set eth0: {ETH0} (eth0) cannot be bound to vfio-pci: eth0 carries the SSH connection from "
        "198.51.100.7 to 192.0.2.10; connect by another NIC or by the console, or name another device"
    )


def test_another_nic_is_bound_over_ssh(host: NicHost, set_: Run) -> None:
    host.ssh()
    host.routes["default"] = ["eth1"]  # which tells nothing, where there is an SSH connection
    assert set_("eth1", driver="vfio-pci")["changed"] is True


def test_a_nic_that_carries_the_connection_is_set(host: NicHost, set_: Run) -> None:
    host.ssh()
    assert set_("eth0", rx_ring_packets=1024)["changed"] is True


def test_a_nic_that_is_down_may_be_taken_behind_a_tunnel(host: NicHost, set_: Run) -> None:
    host.virtual("wg0")
    host.addresses = {"wg0": ["192.0.2.10"]}
    host.ssh()
    host.write(f"{DEVICES}/{ETH1}/net/eth1/flags", "0x1002")
    assert set_("eth1", driver="vfio-pci")["changed"] is True


def test_what_carries_the_connection_since_is_not_given_back(
    host: NicHost, set_: Run, give_back: Run
) -> None:
    set_("eth1", virtual_functions=2)
    host.addresses["eth1"] = ["192.0.2.20"]
    host.ssh("192.0.2.20")
    result = give_back()
    assert "eth1 carries the SSH connection" in result["msg"]
    assert "keeps these; correct that and run it again" in result["msg"]
    assert host.text(f"{DEVICES}/{ETH1}/sriov_numvfs") == "2"
    host.addresses["eth1"] = []
    host.addresses["eth0"].append("192.0.2.20")
    assert give_back()["changed"] is True
    assert not Path(host.ledger).exists()


def prepare_bad_input() -> list[t.Any]:
    def nothing(_host: NicHost) -> None:
        pass

    def without_iommu(host: NicHost) -> None:
        (host.root / DEVICES / ETH1 / "iommu_group").unlink()

    def with_virtual_functions(host: NicHost) -> None:
        host.virtual_functions(ETH1, 2)

    def with_a_virtual_function_in_use(host: NicHost) -> None:
        host.virtual_functions(ETH1, 2, "vfio-pci")

    def without_driverctl(_host: NicHost) -> None:
        (Path(_nic_command.path()) / "driverctl").unlink()

    def in_use(host: NicHost) -> None:
        host.bind(ETH1, "vfio-pci")
        host.link(f"{DEVICES}/{ETH1}/iommu_group", "../../../kernel/iommu_groups/12")
        host.process(800, "dpdk-testpmd", opened=["/dev/vfio/12"])

    def without_sr_iov(host: NicHost) -> None:
        (host.root / DEVICES / ETH1 / "sriov_numvfs").unlink()

    def two(text: str, prepare: t.Callable[[NicHost], None], settings: dict[str, t.Any], name: str) -> t.Any:
        return pytest.param(prepare, settings, text, id=name)

    vfio = {"driver": "vfio-pci"}
    return [
        two("in no IOMMU group", without_iommu, vfio, "no-IOMMU"),
        two("no driver nosuch", nothing, {"driver": "nosuch"}, "no-such-driver"),
        two("is not the name of a driver", nothing, {"driver": "../vfio-pci"}, "a-path-as-driver"),
        two("install the package driverctl", without_driverctl, vfio, "no-driverctl"),
        two("set virtual_functions to 0 first", with_virtual_functions, vfio, "it-has-virtual-functions"),
        two("dpdk-testpmd (process 800) has it; end that first", in_use, vfio, "a-program-has-it"),
        two("the device has 0 to 8", nothing, {"virtual_functions": 9}, "too-many-virtual-functions"),
        two("the device has 0 to 8", nothing, {"virtual_functions": -1}, "less-than-none"),
        two(
            "in use: it is bound to vfio-pci",
            with_a_virtual_function_in_use,
            {"virtual_functions": 0},
            "in-use",
        ),
        two("knows no SR-IOV", without_sr_iov, {"virtual_functions": 2}, "no-SR-IOV"),
        two("its driver takes 1 to 4096", nothing, {"rx_ring_packets": 4097}, "a-ring-too-big"),
        two("its driver takes 1 to 8192", nothing, {"tx_ring_packets": 0}, "a-ring-of-nothing"),
        two("give the driver a task of its own", nothing, vfio | {"pause": False}, "driver-and-more"),
    ]


@pytest.mark.parametrize("check_mode", [False, True], ids=["for-real", "in-check-mode"])
@pytest.mark.parametrize(("prepare", "settings", "said"), prepare_bad_input())
def test_bad_input_is_refused_before_any_change(
    host: NicHost,
    set_: Run,
    prepare: t.Callable[[NicHost], None],
    settings: dict[str, t.Any],
    said: str,
    check_mode: bool,
) -> None:
    prepare(host)
    before = host.snapshot()
    result = set_(
        "eth1" if (host.root / NET / "eth1").is_symlink() else ETH1, check_mode=check_mode, **settings
    )
    assert result["failed"] is True
    assert said in result["msg"]
    assert host.snapshot() == before


def test_all_faults_are_told_at_once_and_nothing_is_set(host: NicHost, set_: Run) -> None:
    result = set_("eth1", virtual_functions=9, rx_ring_packets=9999, pause=False)
    assert "0 to 8" in result["msg"]
    assert "1 to 4096" in result["msg"]
    assert setters(host) == []


def test_a_check_run_may_await_the_iommu_of_a_restart(host: NicHost, set_: Run) -> None:
    (host.root / DEVICES / ETH1 / "iommu_group").unlink()
    assert set_("eth1", driver="vfio-pci", iommu_awaited=True, check_mode=True)["changed"] is True
    assert "in no IOMMU group" in set_("eth1", driver="vfio-pci", check_mode=True)["msg"]
    assert "in no IOMMU group" in set_("eth1", driver="vfio-pci", iommu_awaited=True)["msg"]


def test_no_iommu_is_enough_where_it_is_allowed(host: NicHost, set_: Run) -> None:
    (host.root / DEVICES / ETH1 / "iommu_group").unlink()
    host.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y")
    assert set_("eth1", driver="vfio-pci")["changed"] is True


def test_the_first_value_is_on_the_disk_before_anything_is_written(host: NicHost, set_: Run) -> None:
    seen: list[t.Any] = []

    def look(command: list[str]) -> None:
        if command[0] == "driverctl":
            seen.append(json.loads(Path(host.ledger).read_text())["settings"][0]["before"])

    host.on_command = look
    set_("eth1", driver="vfio-pci")
    assert seen == [BEFORE]


@pytest.mark.parametrize(
    "settings", [{"driver": "vfio-pci"}, {"virtual_functions": 2}, {"pause": False}], ids=str
)
def test_nothing_is_written_without_a_ledger(
    host: NicHost, set_: Run, settings: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str, text: str) -> t.NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    before = host.snapshot()
    monkeypatch.setattr(_durable_file, "write_text", full)
    assert "cannot be written: No space left on device; make room" in set_("eth1", **settings)["msg"]
    assert host.snapshot() == before


def test_an_earlier_value_is_never_overwritten_by_a_later_one(
    host: NicHost, set_: Run, give_back: Run
) -> None:
    for packets in (1024, 2048, 4096):
        set_("eth1", rx_ring_packets=packets)
    give_back()
    assert host.drivers["eth1"]["rings"][4] == 512


def test_a_run_killed_after_the_ledger_and_before_the_write(host: NicHost, set_: Run, give_back: Run) -> None:
    def die(command: list[str]) -> None:
        if command[0] == "driverctl":
            raise KeyboardInterrupt

    before = host.snapshot()
    host.on_command = die
    with pytest.raises(KeyboardInterrupt):
        set_("eth1", driver="vfio-pci")
    host.on_command = lambda _command: None
    assert give_back()["changes"] == []
    assert host.snapshot() == before


@pytest.mark.parametrize("failures", [1, 2], ids=["once", "for-good"])
def test_a_binding_that_fails_is_undone(host: NicHost, set_: Run, give_back: Run, failures: int) -> None:
    before = host.snapshot()
    host.failing["vfio-pci"] = failures
    host.failing["ice"] = failures - 1
    result = set_("eth1", driver="vfio-pci")
    assert "failed to bind device" in result["msg"]
    if failures == 1:
        assert result["msg"].endswith("nothing changed")
    else:  # its own driver failed, too: the ledger has what to go back to
        assert result["msg"].endswith("driver changed: state=returned gives back")
        assert host.driver(ETH1) is None
        give_back()
    assert host.snapshot() == before


@pytest.mark.parametrize(
    ("real", "override", "at_boot"),
    [
        pytest.param("ice", None, None, id="as-the-kernel-does"),
        pytest.param(None, None, None, id="no-driver"),
        pytest.param("vfio-pci", None, None, id="by-hand-as-dpdk-devbind-does"),
        pytest.param("vfio-pci", "vfio-pci", None, id="until-the-next-boot"),
        pytest.param("e1000e", "e1000e", "e1000e", id="by-driverctl"),
        pytest.param(None, "e1000e", "e1000e", id="by-driverctl-with-a-driver-that-failed"),
        pytest.param("ice", None, "e1000e", id="by-driverctl-from-the-next-boot-on"),
    ],
)
def test_each_binding_that_was_there_comes_back(
    host: NicHost, set_: Run, give_back: Run, real: str | None, override: str | None, at_boot: str | None
) -> None:
    host.bind(ETH1, real)
    host.write(f"{DEVICES}/{ETH1}/driver_override", override or "(null)")
    if at_boot:
        host.write(f"etc/driverctl.d/pci-{ETH1}", at_boot)
    assert set_(ETH1, driver="vfio-pci")["changed"] is True
    assert host.driver(ETH1) == "vfio-pci"
    result = give_back(ETH1)
    assert "msg" not in result
    found = host.text(f"{DEVICES}/{ETH1}/driver_override").replace("(null)", "")
    saved = host.root / "etc/driverctl.d" / f"pci-{ETH1}"
    assert (host.driver(ETH1), found or None) == (real, override)
    assert (saved.read_text().strip() if saved.exists() else None) == at_boot
    assert not Path(host.ledger).exists()


def test_a_device_that_only_vfio_pci_drives_comes_back(host: NicHost, set_: Run, give_back: Run) -> None:
    host.own[ETH1] = None
    host.bind(ETH1, "vfio-pci")
    before = host.snapshot()
    set_(ETH1, driver="vfio-pci")
    assert give_back()["changed"] is True
    assert host.snapshot() == before


def test_rings_and_a_driver_are_given_back_in_the_reverse_order(
    host: NicHost, set_: Run, give_back: Run
) -> None:
    before = host.snapshot()
    set_("eth1", rx_ring_packets=4096)
    set_("eth1", driver="vfio-pci")
    assert [row["setting"] for row in give_back(check_mode=True)["changes"]] == ["driver"]
    result = give_back()
    assert [row["setting"] for row in result["changes"]] == ["driver"]  # its own driver begins with 512
    assert host.snapshot() == before


def test_virtual_functions_that_were_bound_go_first(host: NicHost, set_: Run, give_back: Run) -> None:
    set_("eth1", virtual_functions=2)
    function, _other = host.virtual_functions(ETH1, 2)
    set_(function, driver="vfio-pci")
    predicted, result = give_back(check_mode=True), give_back()
    assert predicted["changes"] == result["changes"]
    assert [(row["device"], row["setting"]) for row in result["changes"]] == [
        (function, "driver"),
        (ETH1, "virtual_functions"),
    ]


def test_one_device_is_given_back_and_the_other_kept(host: NicHost, set_: Run, give_back: Run) -> None:
    set_("eth1", driver="vfio-pci")
    set_("eth2", driver="vfio-pci")
    give_back(ETH1)
    assert (host.driver(ETH1), host.driver(ETH2)) == ("ice", "vfio-pci")
    assert give_back("eth9")["changed"] is False
    give_back()
    assert host.driver(ETH2) == "ice"


def test_a_device_that_was_taken_out(host: NicHost, set_: Run, give_back: Run) -> None:
    set_("eth1", driver="vfio-pci")
    host.remove(ETH1)
    assert give_back(check_mode=True)["gone"] == [f"driver of {ETH1} (eth1)"]
    assert (host.root / f"etc/driverctl.d/pci-{ETH1}").exists()
    result = give_back()
    assert (result["changed"], result["gone"]) == (True, [f"driver of {ETH1} (eth1)"])
    assert not (host.root / f"etc/driverctl.d/pci-{ETH1}").exists()
    assert give_back()["changed"] is False


def test_what_somebody_else_changed_is_given_back_and_told(host: NicHost, set_: Run, give_back: Run) -> None:
    set_("eth1", rx_ring_packets=4096)
    host.drivers["eth1"]["rings"][4] = 64
    result = give_back()
    assert result["overridden"] == [
        {"device": ETH1, "setting": "rx_ring_packets", "written": 4096, "real": 64}
    ]
    assert host.drivers["eth1"]["rings"][4] == 512


def test_an_interface_that_comes_back_with_another_name_is_told(
    host: NicHost, set_: Run, give_back: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(nic.AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
    set_("eth1", driver="vfio-pci")
    host.names[ETH1] = "eth7"
    give_back()
    assert "but not its interface eth1: it has eth7" in "".join(warnings)


def test_a_name_that_went_to_another_device_is_not_guessed(host: NicHost, set_: Run) -> None:
    set_("eth1", driver="vfio-pci")
    host.names[ETH2] = "eth1"
    host.bind(ETH2, "ice")
    assert f"eth1 was {ETH1} when it was changed, and is {ETH2} now" in set_("eth1", driver="vfio-pci")["msg"]


LACKING = {"rx_ring_packets": "rings", "pause": "pause", "energy_efficient": "eee"}


@pytest.mark.parametrize(("option", "kind"), LACKING.items(), ids=LACKING)
def test_what_a_driver_does_not_have(host: NicHost, set_: Run, option: str, kind: str) -> None:
    del host.drivers["eth1"][kind]
    wanted = {option: 1024 if option == "rx_ring_packets" else False, "tx_ring_packets": 2048}
    if option == "rx_ring_packets":
        del wanted["tx_ring_packets"]
    assert "the driver of eth1 has no" in set_("eth1", **wanted)["msg"]
    assert setters(host) == []
    result = set_("eth1", **wanted, optional=True)
    (row,) = result["refused"]
    assert (row["setting"], row["real"], row["errno"]) == (option, None, None)
    assert result["changed"] is (len(wanted) > 1)
    assert all(option.split("_", maxsplit=1)[0] not in command for command in result["boot_commands"])


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT], ids=errno.errorcode.get)
def test_what_a_driver_refuses_only_when_it_is_set(
    host: NicHost, set_: Run, give_back: Run, number: int
) -> None:
    host.errors[SET_EEE] = number
    result = set_("eth1", rx_ring_packets=1024, energy_efficient=False)
    assert f"energy_efficient of {ETH1} (eth1): {os.strerror(number)}" in result["msg"]
    assert result["msg"].endswith("rx_ring_packets changed: state=returned gives back")
    optional = {"rx_ring_packets": 1024, "energy_efficient": False, "optional": True}
    assert set_("eth1", **optional, check_mode=True)["changed"] is True  # nobody knows yet
    result = set_("eth1", **optional)
    (row,) = result["refused"]
    assert (result["changed"], row["errno"], row["real"]) == (False, errno.errorcode[number], True)
    assert result["boot_commands"] == [["ethtool", "-G", "eth1", "rx", "1024"]]
    predicted = set_("eth1", **optional, check_mode=True)
    assert (predicted["changed"], predicted["boot_commands"]) == (False, result["boot_commands"])
    host.write("proc/sys/kernel/random/boot_id", "second")
    assert set_("eth1", **optional, check_mode=True)["changed"] is True
    set_("eth1", **optional)
    host.errors.clear()
    assert set_("eth1", **optional)["changed"] is True
    host.drivers["eth1"]["eee"][4] = 1
    assert set_("eth1", **optional, check_mode=True)["changed"] is True  # the refusal is forgotten
    give_back()
    assert host.drivers["eth1"]["eee"][4] == 1
    assert not Path(host.ledger).exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENODEV], ids=errno.errorcode.get)
def test_an_error_that_is_not_the_driver_s_is_no_option(host: NicHost, set_: Run, number: int) -> None:
    host.errors[SET_RINGS] = number
    assert os.strerror(number) in set_("eth1", rx_ring_packets=1024, optional=True)["msg"]


def test_a_driver_that_rounds(host: NicHost, set_: Run, give_back: Run) -> None:
    host.round = 64
    result = set_("eth1", rx_ring_packets=1000)
    assert (result["changes"][0]["after"], result["boot_commands"][0][-1]) == (1024, "1024")
    assert set_("eth1", rx_ring_packets=1000)["changed"] is False
    host.drivers["eth1"]["rings"][4] = 512  # after a restart
    assert set_("eth1", rx_ring_packets=1000)["changed"] is True
    give_back()
    assert host.drivers["eth1"]["rings"][4] == 512


def test_a_driver_that_ignores_what_it_takes(host: NicHost, set_: Run, give_back: Run) -> None:
    host.round = 512
    assert "the driver took 300, and shows 512; nothing changed" in set_("eth1", rx_ring_packets=300)["msg"]
    assert set_("eth1", rx_ring_packets=300, optional=True)["refused"][0]["reason"].startswith(
        "the driver took"
    )
    assert give_back()["changed"] is True  # of the ledger, which has the refusal
    assert not Path(host.ledger).exists()


def test_a_driver_that_negotiates_pause_frames_with_the_speed(
    host: NicHost, set_: Run, give_back: Run
) -> None:
    host.refuse_forced_pause = True
    result = set_("eth1", pause=False)
    assert host.drivers["eth1"]["pause"] == [1, 0, 0]
    assert result["boot_commands"] == [["ethtool", "-A", "eth1", "autoneg", "on", "rx", "off", "tx", "off"]]
    assert set_("eth1", pause=False)["changed"] is False
    assert set_("eth1", pause=False, check_mode=True)["changed"] is False
    host.drivers["eth1"]["pause"] = [1, 1, 0]  # the partner has agreed to something else
    assert set_("eth1", pause=False, check_mode=True)["changed"] is True
    give_back()
    assert host.drivers["eth1"]["pause"][0] == 1


def test_what_comes_of_a_negotiation_is_the_partner_s_too(host: NicHost, set_: Run, give_back: Run) -> None:
    set_("eth1", pause=False)
    host.negotiated_pause = [1, 0, 1]
    assert "msg" not in give_back()
    assert host.drivers["eth1"]["pause"] == [1, 0, 1]


def test_pause_frames_that_were_forced_come_back_as_they_were(
    host: NicHost, set_: Run, give_back: Run
) -> None:
    host.drivers["eth1"]["pause"] = [0, 1, 0]
    set_("eth1", pause=True)
    assert host.drivers["eth1"]["pause"] == [0, 1, 1]
    give_back()
    assert host.drivers["eth1"]["pause"] == [0, 1, 0]


def test_a_handed_over_device_has_no_interface_to_set(host: NicHost, set_: Run) -> None:
    set_("eth1", driver="vfio-pci")
    assert f"{ETH1} has no interface, so no pause frames" in set_("eth1", pause=False)["msg"]


def test_an_interface_without_device_is_not_bound(host: NicHost, set_: Run) -> None:
    assert "lo is not a network device on PCI" in set_("lo", driver="vfio-pci")["msg"]
    assert "lo has no virtual functions" in set_("lo", virtual_functions=1)["msg"]
    assert "the driver of lo has no rings" in set_("lo", rx_ring_packets=1)["msg"]


@pytest.mark.parametrize("check_mode", [False, True], ids=["for-real", "in-check-mode"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut-short"),
        pytest.param("[]", id="another-document"),
        pytest.param('{"version": 2, "boot_id": "", "settings": [], "refused": []}', id="another-version"),
        *(
            pytest.param(json.dumps({"version": 1, "boot_id": "", "settings": [row], "refused": []}), id=name)
            for name, row in {
                "a-path-as-address": {"address": "../../x", "interface": None, "setting": "driver"},
                "a-path-as-interface": {"address": None, "interface": "..", "setting": "pause"},
                "no-device": {"address": None, "interface": None, "setting": "pause"},
                "no-values": {"address": ETH1, "interface": None, "setting": "pause"},
                "an-odd-setting": {"setting": "mtu", "before": 1},
                "an-odd-driver": {"setting": "driver", "before": {**BEFORE, "driver": "a b"}},
                "an-odd-number": {"setting": "virtual_functions", "before": "4"},
                "an-odd-switch": {"setting": "energy_efficient", "before": 1},
                "half-a-value": {"setting": "pause", "before": {"rx": True}},
            }.items()
            for row in [
                {"address": ETH1, "interface": "eth1", "asked": None, "written": None} | row
                if "before" in row
                else row
            ]
        ),
    ],
)
def test_a_spoilt_ledger_is_told_and_kept(
    host: NicHost, set_: Run, give_back: Run, text: str, check_mode: bool
) -> None:
    host.write("state/nics.json", text)
    before = host.snapshot()
    for result in (set_("eth1", pause=False, check_mode=check_mode), give_back(check_mode=check_mode)):
        assert "ledger" in result["msg"]
        assert "cannot be used" in result["msg"]
        assert "put back a good copy" in result["msg"]
    assert host.snapshot() == before


def test_a_device_is_required(run: Run, host: NicHost) -> None:
    assert "device" in run(nic.main, pause=False)["msg"]
