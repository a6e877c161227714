"""What the contenders need of the machine; it is borrowed, and given back whatever happens."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils import _accelerator, _domain_xml

from benchmarks.vms.command import play, run

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "detnet-bench"  # what all domains, volumes and networks of the benchmark are called, or begin with
DIRECTORY = Path(
    "/var/lib/detnet-bench/vms"
)  # in what the inventory calls testbed_state_dir; QEMU passes through
ADDRESS = "127.0.0.66"  # where SSH of the VMs is reached, at port 20000 + id
PORT_BASE = 20000
POOL = "default"  # where Vagrant has its disks; it makes one if there is none
VOLUMES = Path("/var/lib/libvirt/images")
VIRSH = ("virsh", "--connect", "qemu:///system", "--quiet")

Entry = dict[str, t.Any]  # a VM as the module takes it


@dataclasses.dataclass(frozen=True)
class Bed:
    """The guests' image, a box of it, how guests are executed, and a key that lets in."""

    image: Path
    box: Path
    accelerator: str
    key: Path

    @property
    def kernel_words(self) -> str:
        """Return what all but Vagrant tell the guest's kernel, apart from its name and its interface."""
        return " ".join(_domain_xml.KERNEL_WORDS[self.accelerator])

    @property
    def variables(self) -> dict[str, t.Any]:
        """Return what all playbooks are told."""
        return {
            "address": ADDRESS,
            "image": str(self.image),
            "accelerator": self.accelerator,
            "kernel_words": self.kernel_words,
            "public_key": self.key.with_suffix(".pub").read_text().strip(),
            "wait_timeout_s": 900,
        }


def vms(ids: range, memory_mib: int) -> list[Entry]:
    """Return VMs with one processor. They have no data interfaces: Vagrant has no vhost-user."""
    return [
        {"id": number, "name": f"{NAME}-{number:02}", "memory_mib": memory_mib, "vcpus": 1} for number in ids
    ]


@contextlib.contextmanager
def prepared() -> Iterator[Bed]:
    """Have what all contenders take, until the block ends."""
    keep_pool = True
    try:
        made = play("prepare.yml").tasks["Say where they are"].result["msg"]
        keep_pool = POOL in names("pool-list", "--all")
        remove_leftovers(keep_pool=True)  # of a run that was killed
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        DIRECTORY.mkdir(mode=0o755, parents=True)
        key = DIRECTORY / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(key)])
        yield Bed(Path(made["image"]), Path(made["box"]), _accelerator.choose("auto"), key)
    finally:
        remove_leftovers(keep_pool=keep_pool)
        play("give_back.yml")


def names(*question: str) -> list[str]:
    """Return the names that virsh lists; none where libvirt does not answer."""
    done = subprocess.run([*VIRSH, *question, "--name"], check=False, capture_output=True, text=True)
    return [name for name in done.stdout.split() if name]


def virsh(*words: str) -> None:
    """Tell libvirt something that may be done already."""
    subprocess.run([*VIRSH, *words], check=False, capture_output=True)


def remove_leftovers(*, keep_pool: bool) -> None:
    """Remove what an interrupted contender left, and what Vagrant never removes: its box's volume, network and pool."""
    for name in names("list", "--all"):
        if name.startswith(NAME):
            virsh("destroy", name)
            virsh("undefine", name, "--managed-save", "--snapshots-metadata")
    for volume in VOLUMES.glob(f"{NAME}*"):
        virsh("vol-delete", volume.name, "--pool", POOL)
    if NAME in names("net-list", "--all"):
        virsh("net-destroy", NAME)
        virsh("net-undefine", NAME)
    if not keep_pool:
        virsh("pool-destroy", POOL)
        virsh("pool-undefine", POOL)
