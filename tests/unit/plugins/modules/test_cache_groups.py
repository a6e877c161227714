# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module cache_groups, on a kernel that refuses what Linux refuses."""

from __future__ import annotations

import errno
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.detnet.testbed.plugins.module_utils import _durable_file
from ansible_collections.detnet.testbed.plugins.modules import cache_groups
from resctrl_kernel import Kernel, install

Run = t.Callable[..., dict[str, t.Any]]

SWITCH = {"group": "switch", "cpus": "2-3", "ways": 4}
VMS = {"group": "vms", "cpus": "1,4-6", "ways": 3}
MOUNT = "mount -t resctrl resctrl /sys/fs/resctrl"
UNMOUNT = "umount /sys/fs/resctrl"
WHOLE = {"/": "0-7 L3:0=7ff;1=7ff"}
DIVIDED = {
    "/": "0,7 L3:0=780;1=7f8",
    "detnet-switch": "2-3 L3:0=00f;1=7f8",
    "detnet-vms": "1,4-6 L3:0=070;1=007",
}


class Host:
    """A kernel, the module and its ledger."""

    def __init__(self, kernel: Kernel, run: Run) -> None:
        self.kernel, self.run = kernel, run
        self.ledger = kernel.root / "state/cache.json"

    def __call__(self, *groups: dict[str, t.Any], **named: t.Any) -> dict[str, t.Any]:
        arguments = {"ledger": str(self.ledger)} | ({"groups": list(groups)} if groups else {}) | named
        return self.run(cache_groups.main, **arguments)

    def back(self, **named: t.Any) -> dict[str, t.Any]:
        return self(state="returned", **named)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> t.Callable[..., Host]:
    def make(*, mounted: bool = True, **machine: t.Any) -> Host:
        kernel = Kernel(tmp_path, **machine)
        install(kernel, monkeypatch)
        monkeypatch.setattr(cache_groups, "ROOT", str(tmp_path))
        if mounted:
            kernel.mount()
        return Host(kernel, run)

    return make


@pytest.fixture
def host(make: t.Callable[..., Host]) -> Host:
    return make()


def test_divides_the_caches_and_tells_how(host: Host) -> None:
    result = host(SWITCH, VMS)
    assert result["changed"]
    assert host.kernel.state() == DIVIDED
    assert result["groups"] == [
        {"group": "switch", "cpus": "2-3", "masks": {"L3": "0=f;1=7f8"}},
        {"group": "vms", "cpus": "1,4-6", "masks": {"L3": "0=70;1=7"}},
    ]
    assert result["everything_else"] == {"L3": "0=780;1=7f8"}
    assert result["diff"] == {
        "before": "/: CPUs 0-7, L3 0=7ff;1=7ff\n",
        "after": (
            "/: CPUs 0,7, L3 0=780;1=7f8\n"
            "detnet-switch: CPUs 2-3, L3 0=f;1=7f8\n"
            "detnet-vms: CPUs 1,4-6, L3 0=70;1=7\n"
        ),
    }


def test_tells_what_the_next_start_needs(host: Host) -> None:
    result = host(SWITCH)
    assert result["boot_commands"] == [MOUNT.split(), ["mkdir", "-p", "/sys/fs/resctrl/detnet-switch"]]
    assert result["boot_values"] == [
        {"path": "/sys/fs/resctrl/schemata", "value": r"L3:0=7f0;1=7ff\n"},
        {"path": "/sys/fs/resctrl/detnet-switch/schemata", "value": r"L3:0=f;1=7ff\n"},
        {"path": "/sys/fs/resctrl/detnet-switch/cpus_list", "value": r"2-3\n"},
    ]


def test_has_nothing_to_do_the_second_time(host: Host) -> None:
    first = host(SWITCH, VMS)
    host.kernel.done.clear()
    second = host(SWITCH, VMS)
    assert second["changed"] is False
    assert second["diff"] == {"before": "", "after": ""}
    assert second["groups"] == first["groups"]
    assert host.kernel.done == []


@pytest.mark.parametrize("earlier", [(), (SWITCH, VMS), (VMS,)], ids=["nothing", "the-same", "another-group"])
def test_check_mode_writes_nothing_and_predicts_all(
    host: Host, earlier: tuple[dict[str, t.Any], ...]
) -> None:
    if earlier:
        host(*earlier)
    state, ledger = host.kernel.state(), host.ledger.exists()
    host.kernel.done.clear()
    predicted = host(SWITCH, VMS, check_mode=True)
    assert host.kernel.done == []
    assert (host.kernel.state(), host.ledger.exists()) == (state, ledger)
    assert host(SWITCH, VMS) == predicted


def test_each_group_can_become_another(host: Host) -> None:
    host(SWITCH, VMS)
    host({"group": "switch", "cpus": "1,3", "ways": 2}, {"group": "housekeeping", "cpus": "0,2", "ways": 5})
    assert host.kernel.state() == {
        "/": "4-7 L3:0=780;1=7ff",
        "detnet-switch": "1,3 L3:0=003;1=7ff",
        "detnet-housekeeping": "0,2 L3:0=07c;1=7ff",
    }


def test_cpus_change_places_between_groups(host: Host) -> None:
    host({"group": "a", "cpus": "0-1", "ways": 1}, {"group": "b", "cpus": "2-3", "ways": 1})
    host({"group": "a", "cpus": "2-3", "ways": 1}, {"group": "b", "cpus": "0-1", "ways": 1})
    assert host.kernel.groups["detnet-a"]["cpus"] == {2, 3}
    assert host.kernel.groups["detnet-b"]["cpus"] == {0, 1}


def test_mends_what_somebody_changed(host: Host) -> None:
    host(SWITCH, VMS)
    host.kernel.groups["detnet-switch"]["masks"]["L3"][0] = 0x7FF
    host.kernel.set_cpus("detnet-vms", {1})
    host.kernel.show()
    result = host(SWITCH, VMS)
    assert result["changed"]
    assert host.kernel.state() == DIVIDED
    assert result["diff"]["before"].splitlines() == [
        "/: CPUs 0,4-7, L3 0=780;1=7f8",
        "detnet-switch: CPUs 2-3, L3 0=7ff;1=7f8",
        "detnet-vms: CPUs 1, L3 0=70;1=7",
    ]


@pytest.mark.parametrize(
    ("machine", "state"),
    [
        pytest.param(
            {"resources": ("L3CODE", "L3DATA")},
            {
                "/": "0-1,4-7 L3CODE:0=7f0;1=7ff L3DATA:0=7f0;1=7ff",
                "detnet-switch": "2-3 L3CODE:0=00f;1=7ff L3DATA:0=00f;1=7ff",
            },
            id="code-and-data-apart",
        ),
        pytest.param(
            {
                "resources": ("L2",),
                "level": 2,
                "domains": {0: (0, 1), 1: (2, 3)},
                "full": 0xFF,
                "hardware": 0,
            },
            {"/": "0-1 L2:0=ff;1=f0", "detnet-switch": "2-3 L2:0=ff;1=0f"},
            id="second-level-where-the-third-has-none",
        ),
        pytest.param(
            {"least": 2, "hardware": 0x3},
            {"/": "0-1,4-7 L3:0=07f;1=7ff", "detnet-switch": "2-3 L3:0=780;1=7ff"},
            id="devices-write-to-the-lower-ways",
        ),
        pytest.param(
            {"domains": {0: (0, 1), 8: (2,), 9: (3,)}},
            {"/": "0-1 L3:0=7ff;8=7f0;9=7f0", "detnet-switch": "2-3 L3:0=7ff;8=00f;9=00f"},
            id="numbers-of-caches-with-holes",
        ),
    ],
)
def test_on_another_processor(
    make: t.Callable[..., Host], machine: dict[str, t.Any], state: dict[str, str]
) -> None:
    host = make(**machine)
    host(SWITCH)
    assert host.kernel.state() == state
    assert host(SWITCH)["changed"] is False


def test_everything_else_keeps_a_way_even_where_the_processor_asks_for_none(
    make: t.Callable[..., Host],
) -> None:
    host = make(least=0)
    assert "11 ways are asked of L3 cache 0, which has 10 after 1" in host(SWITCH | {"ways": 11})["msg"]


def test_the_part_of_the_processor_that_knows_fewest_groups_counts(make: t.Callable[..., Host]) -> None:
    host = make(most=2)
    assert "there would be 3 of the 2 that this processor can have" in host(SWITCH, VMS)["msg"]
    assert host.kernel.done == []


class TestMount:
    def test_mounts_where_nobody_did_and_unmounts_at_the_end(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        assert host(SWITCH, VMS)["changed"]
        assert host.kernel.done[0] == MOUNT
        assert host.kernel.state() == DIVIDED
        host.kernel.done.clear()
        assert host.back()["changed"]
        assert host.kernel.done[-1] == UNMOUNT
        assert not host.kernel.mounted
        assert not host.ledger.exists()

    def test_leaves_mounted_what_others_mounted(self, host: Host) -> None:
        host(SWITCH)
        host.back()
        assert host.kernel.mounted
        assert host.kernel.state() == WHOLE

    def test_remembers_over_runs_that_it_mounted(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host(SWITCH)
        host(VMS)
        host.back()
        assert not host.kernel.mounted

    def test_leaves_it_mounted_for_somebody_who_came_later(
        self, make: t.Callable[..., Host], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        warnings: list[str] = []
        monkeypatch.setattr(
            cache_groups.AnsibleModule, "warn", lambda _module, warning: warnings.append(warning)
        )
        host = make(mounted=False)
        host(SWITCH)
        host.kernel.make("theirs")
        host.back()
        assert warnings == ["resctrl stays mounted: the groups theirs are in it"]
        assert host.kernel.mounted
        assert set(host.kernel.state()) == {"/", "theirs"}
        assert not host.ledger.exists()

    def test_check_mode_does_not_mount(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        result = host(SWITCH, check_mode=True)
        assert result["changed"]
        assert result["groups"] == [{"group": "switch", "cpus": "2-3", "masks": {}}]
        assert result["diff"]["after"] == "detnet-switch: CPUs 2-3\n"
        assert host.kernel.done == []
        assert not host.ledger.exists()

    def test_a_mount_that_fails_leaves_nothing(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host.kernel.refusals["mount"] = errno.EPERM
        assert host(SWITCH)["msg"] == (
            f"Cannot divide the caches: {MOUNT} ended with 32: mount: Operation not permitted"
        )
        assert not host.ledger.exists()

    def test_no_program_mount(self, make: t.Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
        host = make(mounted=False)

        def run(*_args: t.Any, **_named: t.Any) -> t.NoReturn:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "mount")

        monkeypatch.setattr(cache_groups._resctrl.subprocess, "run", run)
        assert f"{MOUNT} cannot be run: [Errno 2] No such file" in host(SWITCH)["msg"]

    def test_what_the_caches_do_not_have_leaves_them_unmounted(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        result = host(SWITCH | {"ways": 11})
        assert "11 ways are asked of L3 cache 0, which has 10 after 1" in result["msg"]
        assert not host.kernel.mounted
        assert not host.ledger.exists()

    def test_the_ledger_is_there_before_the_mount(
        self, make: t.Callable[..., Host], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host = make(mounted=False)
        monkeypatch.setattr(host.kernel, "mount", lambda: pytest.fail("cut here"))
        with pytest.raises(pytest.fail.Exception):
            host(SWITCH)
        assert json.loads(host.ledger.read_text())["mounted"] is True


class TestSkipped:
    @pytest.mark.parametrize("check_mode", [False, True], ids=["run", "check"])
    @pytest.mark.parametrize(
        ("flags", "filesystems", "reason"),
        [
            pytest.param("fpu", "ext4", "this processor cannot divide its caches", id="processor-without"),
            pytest.param("fpu rdt_a", "ext4", "this kernel has no resctrl; boot one", id="kernel-without"),
            pytest.param(
                "rdt_a cqm_llc",
                "resctrl",
                "this processor can watch its caches, but not divide",
                id="watch-only",
            ),
        ],
    )
    def test_says_why(
        self, make: t.Callable[..., Host], flags: str, filesystems: str, reason: str, check_mode: bool
    ) -> None:
        host = make(mounted=False)
        host.kernel.write("proc/cpuinfo", f"flags\t\t: {flags}\n")
        host.kernel.write("proc/filesystems", f"nodev\t{filesystems}\n")
        result = host(SWITCH, check_mode=check_mode)
        assert result["skipped"] is True
        assert result["changed"] is False
        assert result["msg"].startswith(reason)
        assert result["boot_commands"] == result["boot_values"] == []
        assert host.kernel.done == []
        assert not host.ledger.exists()

    @pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "not-mounted"])
    def test_where_only_resctrl_itself_tells(self, make: t.Callable[..., Host], mounted: bool) -> None:
        host = make(mounted=mounted, divides=False)
        result = host(SWITCH)
        assert result["skipped"] is True
        assert "rdt= on its line" in result["msg"]
        assert host.kernel.mounted is mounted
        assert not host.ledger.exists()

    def test_bad_options_fail_also_where_nothing_can_be_done(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host.kernel.write("proc/filesystems", "nodev\tsysfs\n")
        assert "CPU 8-9, and this host runs 0-7" in host(SWITCH | {"cpus": "8-9"})["msg"]


class TestGivenBack:
    def test_the_caches_are_as_they_were(self, host: Host) -> None:
        host.kernel.put(f"{host.kernel.root}/sys/fs/resctrl/schemata", "L3:0=7f0\n")
        before = host.kernel.state()
        host(SWITCH)
        host(VMS)
        result = host.back()
        assert result["changed"]
        assert host.kernel.state() == before
        assert not host.ledger.exists()

    def test_has_nothing_to_do_the_second_time(self, host: Host) -> None:
        host(SWITCH)
        host.back()
        host.kernel.done.clear()
        assert host.back()["changed"] is False
        assert host.kernel.done == []

    def test_check_mode_predicts_it(self, host: Host) -> None:
        host(SWITCH)
        state = host.kernel.state()
        predicted = host.back(check_mode=True)
        assert host.kernel.state() == state
        assert host.back() == predicted
        assert predicted["diff"]["after"] == "/: CPUs 0-7, L3 0=7ff;1=7ff\n"

    def test_no_groups_is_the_same(self, host: Host) -> None:
        host(SWITCH)
        assert host(groups=[])["changed"]
        assert host.kernel.state() == WHOLE
        assert host(groups=[])["changed"] is False

    def test_nothing_was_ever_done(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        assert host.back()["changed"] is False
        assert host.kernel.done == []

    def test_a_restart_gave_it_back_already(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host(SWITCH)
        host.kernel.unmount()
        host.kernel.write("proc/sys/kernel/random/boot_id", "second\n")
        host.kernel.done.clear()
        assert host.back()["changed"]  # the ledger goes
        assert host.kernel.done == []
        assert not host.ledger.exists()

    def test_after_a_restart_it_is_divided_anew(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host(SWITCH)
        host.kernel.unmount()
        host.kernel.write("proc/sys/kernel/random/boot_id", "second\n")
        assert host(SWITCH)["changed"]
        host.back()
        assert not host.kernel.mounted

    def test_groups_that_the_next_start_made_again_are_ours(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        first = host(SWITCH, VMS)
        host.kernel.unmount()
        host.kernel.write("proc/sys/kernel/random/boot_id", "second\n")
        host.kernel.start(first["boot_commands"], first["boot_values"])
        assert host.kernel.state() == DIVIDED
        host.kernel.done.clear()
        assert host(SWITCH, VMS)["changed"] is False
        assert host.kernel.done == []
        assert host.back()["changed"]
        assert not host.kernel.mounted
        assert not host.ledger.exists()

    def test_what_somebody_mounted_after_a_restart_stays(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host(SWITCH)
        host.kernel.unmount()
        host.kernel.write("proc/sys/kernel/random/boot_id", "second\n")
        host.kernel.mount()
        host.back()
        assert host.kernel.mounted
        assert not host.ledger.exists()

    def test_somebody_unmounted_it(self, make: t.Callable[..., Host]) -> None:
        host = make(mounted=False)
        host(SWITCH)
        host.kernel.unmount()
        assert host.back()["changed"]
        assert not host.ledger.exists()


class TestOthers:
    def test_are_never_touched(self, host: Host) -> None:
        host.kernel.make("theirs")
        top = f"{host.kernel.root}/sys/fs/resctrl"
        host.kernel.put(f"{top}/theirs/schemata", "L3:0=00f;1=00f\n")
        host.kernel.put(f"{top}/theirs/cpus_list", "0\n")
        theirs = host.kernel.state()["theirs"]
        host(SWITCH)
        assert host.kernel.state()["theirs"] == theirs
        assert host.kernel.state()["detnet-switch"] == "2-3 L3:0=780;1=7ff"
        host.back()
        assert host.kernel.state() == {"/": "1-7 L3:0=7ff;1=7ff", "theirs": theirs}

    def test_are_named_where_they_are_in_the_way(self, host: Host) -> None:
        host.kernel.make("theirs")
        state = host.kernel.state()
        assert "the group theirs of somebody else has the ways 7ff of L3 cache 0" in host(SWITCH)["msg"]
        assert host.kernel.state() == state
        assert not host.ledger.exists()

    def test_groups_of_ours_that_no_ledger_knows_are_refused(self, host: Host) -> None:
        host(SWITCH)
        host.ledger.unlink()
        assert "the groups detnet-switch are there, and the ledger" in host(SWITCH)["msg"]


class TestFaults:
    @pytest.mark.parametrize(
        ("refused", "error", "message"),
        [
            pytest.param(
                "mkdir detnet-vms",
                errno.EACCES,
                "the kernel did not make the group detnet-vms (Permission denied)",
                id="a-group-is-not-made",
            ),
            pytest.param(
                "detnet-switch schemata",
                errno.EINVAL,
                "the kernel did not give L3:0=f;1=7f8 to the group detnet-switch (Invalid argument)",
                id="a-mask-is-refused",
            ),
            pytest.param(
                "detnet-vms cpus_list",
                errno.EINVAL,
                "the kernel did not give the CPUs 1,4-6 to the group detnet-vms (Invalid argument)",
                id="cpus-are-refused",
            ),
        ],
    )
    def test_a_refusal_half_way_can_be_given_back(
        self, host: Host, refused: str, error: int, message: str
    ) -> None:
        host.kernel.refusals[refused] = error
        result = host(SWITCH, VMS)
        assert result["failed"] is True
        assert message in result["msg"]
        host.kernel.refusals.clear()
        host.back()
        assert host.kernel.state() == WHOLE

    def test_a_refusal_half_way_can_be_gone_on_from(self, host: Host) -> None:
        host.kernel.refusals["detnet-vms cpus_list"] = errno.EINVAL
        host(SWITCH, VMS)
        host.kernel.refusals.clear()
        host(SWITCH, VMS)
        assert host.kernel.state() == DIVIDED

    def test_tells_the_kernels_own_word(self, make: t.Callable[..., Host]) -> None:
        host = make(most=2)
        host.kernel.write("sys/fs/resctrl/info/MB/num_closids", "16\n")  # says more than it has
        assert "(No space left on device: Out of CLOSIDs)" in host(SWITCH, VMS)["msg"]

    def test_what_is_taken_and_not_done_is_a_failure(self, host: Host) -> None:
        host.kernel.deaf.add("detnet-switch schemata L3:0=f")
        assert (
            "group detnet-switch: wanted CPUs 2-3, L3 0=f;1=7ff, real CPUs 2-3, L3 0=7ff;1=7ff: the kernel took"
            in host(SWITCH)["msg"]
        )

    def test_a_ledger_that_cannot_be_written_stops_before_the_first_write(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write_text(path: str, *_args: t.Any) -> t.NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device", path)

        monkeypatch.setattr(_durable_file, "write_text", write_text)
        assert "cannot be written: No space left on device; make room" in host(SWITCH)["msg"]
        assert host.kernel.done == []

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            pytest.param("{", "it is not JSON", id="torn"),
            pytest.param("[]", "it is not a ledger", id="a-list"),
            pytest.param('{"version": 7}', "its version is 7, this module knows 1", id="a-later-version"),
            pytest.param(
                '{"version": 1, "boot_id": "first", "mounted": true, "masks": {"L3": {"0": "xyz"}}}',
                "invalid literal for int() with base 16: 'xyz'",
                id="no-mask",
            ),
        ],
    )
    @pytest.mark.parametrize("state", ["present", "returned"])
    def test_a_spoilt_ledger_is_not_guessed_at(self, host: Host, text: str, why: str, state: str) -> None:
        host.ledger.parent.mkdir()
        host.ledger.write_text(text)
        message = host(SWITCH, state=state)["msg"]
        assert f"the ledger {host.ledger} cannot be used: {why}" in message
        assert "put back a good copy" in message
        assert host.kernel.done == []

    def test_a_ledger_that_cannot_be_read(self, host: Host) -> None:
        host.ledger.mkdir(parents=True)
        assert "cannot be read: Is a directory; become root" in host(SWITCH)["msg"]

    def test_garbage_in_the_files_of_the_kernel_is_no_cache(self, host: Host) -> None:
        host.kernel.write("sys/fs/resctrl/info/L3/cbm_mask", "many\n")
        assert host(SWITCH)["skipped"] is True
