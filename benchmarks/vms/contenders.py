"""Three ways to have eight VMs that answer by SSH, and to remove them again."""

from __future__ import annotations

import dataclasses
import shutil
import typing as t

from ansible_collections.detnet.testbed.plugins.module_utils import _domain_xml

from benchmarks.vms.bed import DIRECTORY, NAME, Bed, Entry, vms
from benchmarks.vms.command import HERE, Played, play, run, timed

COUNT = 8
MEMORY_MIB = 256
DRIVERS = {"kvm": ("kvm", "host-passthrough"), "tcg": ("qemu", "maximum")}


@dataclasses.dataclass(frozen=True)
class Took:
    """The seconds of a whole, as its user waits for it, and of its parts by name."""

    seconds: float
    steps: dict[str, float]


class Contender(t.Protocol):
    def __init__(self, bed: Bed) -> None: ...

    def create(self) -> Took:
        """Create VMs, and return when the SSH server of each answers."""

    def delete(self) -> Took: ...


def of_play(played: Played) -> Took:
    return Took(played.seconds, {name: task.seconds for name, task in played.tasks.items()})


class Ours:
    """One task of detnet.testbed.vm."""

    def __init__(self, bed: Bed) -> None:
        self.variables = {**bed.variables, "directory": str(DIRECTORY / "ours")}

    def have(self, entries: list[Entry], state: str, wait_for: str = "none") -> Played:
        words = {"vms": entries, "state": state, "wait_for": wait_for}
        return play("ours.yml", {**self.variables, **words})

    def create(self) -> Took:
        return of_play(self.have(EIGHT, "running", "ssh"))

    def delete(self) -> Took:
        return of_play(self.have(EIGHT, "absent"))


class CommunityLibvirt:
    """A template and loops of community.libvirt.virt, with the same devices as ours."""

    def __init__(self, bed: Bed) -> None:
        self.variables = {
            **bed.variables,
            "directory": str(DIRECTORY / "community"),
            "host_key": str(bed.key),
            "tcg_cache_mib": _domain_xml.tcg_cache_mib(MEMORY_MIB),
            "vms": EIGHT,
        }

    def create(self) -> Took:
        return of_play(play("community_libvirt.yml", self.variables))

    def delete(self) -> Took:
        return of_play(play("community_libvirt_delete.yml", self.variables))


class Vagrant:
    """`vagrant up`, one after the other. The box was added, and its disk is in libvirt's pool, before."""

    def __init__(self, bed: Bed) -> None:
        self.directory = DIRECTORY / "vagrant"
        driver, cpu_mode = DRIVERS[bed.accelerator]
        self.environment = {
            "HOME": str(self.directory),
            "VAGRANT_HOME": str(self.directory / "home"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "BASE_BOX_KEY": str(bed.key),
            "BENCH_DRIVER": driver,
            "BENCH_CPU_MODE": cpu_mode,
            "BENCH_MEMORY_MIB": str(MEMORY_MIB),
        }
        if not self.directory.exists():
            self.directory.mkdir()
            run(["vagrant", "box", "add", "--name", NAME, str(bed.box)], self.environment)
            (first,) = vms(range(1), MEMORY_MIB)
            self._vagrant(first, "up", "--provider=libvirt")
            self._vagrant(first, "destroy", "--force")

    def _vagrant(self, vm: Entry, *words: str) -> float:
        place = self.directory / vm["name"]
        place.mkdir(exist_ok=True)
        shutil.copy(HERE / "Vagrantfile", place)
        return timed(["vagrant", *words], {**self.environment, "BENCH_NAME": vm["name"]}, place)

    def _one_after_the_other(self, *words: str) -> Took:
        steps = {f"{words[0]} {vm['name']}": self._vagrant(vm, *words) for vm in EIGHT}
        return Took(sum(steps.values()), steps)

    def create(self) -> Took:
        return self._one_after_the_other("up", "--provider=libvirt")

    def delete(self) -> Took:
        return self._one_after_the_other("destroy", "--force")


EIGHT = vms(range(1, COUNT + 1), MEMORY_MIB)
CONTENDERS: dict[str, type[Contender]] = {
    "ours": Ours,
    "community_libvirt": CommunityLibvirt,
    "vagrant": Vagrant,
}
