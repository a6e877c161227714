# Copyright: (c) 2026, The detnet.testbed authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record what a libvirt makes of the domains of tests/unit/recorded_vms.py, as root:

    mmdebstrap --variant=minbase --include=libvirt-daemon,libvirt-daemon-driver-qemu,libvirt-clients,\
qemu-system-x86,ovmf trixie /tmp/trixie
    PYTHONPATH=build/collections:tests/unit python tests/unit/domains/record.py /tmp/trixie [live]

libvirt 7.0 is in Debian 11, 9.0 in Debian 12, 11.3 in Debian 13.
With "live" it also starts one, whose guest never runs; that takes 16 free hugepages of 2 MiB.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

from ansible_collections.detnet.testbed.plugins.module_utils import _domain_xml
from recorded_vms import LIVE, PLAIN, SUBJECTS, WITH_KERNEL

# https://qemu.org/docs/master/interop/vhost-user.html
HEADER = struct.Struct("<III")
GET_FEATURES = 1
REPLY = 1 | 1 << 2  # version, and that it is an answer
VIRTIO_1 = 1 << 32
# What QEMU takes for a kernel.
KERNEL = b"\0" * 0x1F1 + b"\x04" + b"\0" * 0xC + b"\x55\xaa\0\0HdrS" + struct.pack("<H", 0x0202) + bytes(8192)

HERE = pathlib.Path(__file__).parent
UUID = "6d1f0a52-5d3b-4a57-9f0c-0c6f1e1d2a01"
FOREIGN = f"""
<domain type='qemu'>
  <name>somebody-else</name>
  <uuid>{UUID}</uuid>
  <metadata><app:of xmlns:app='urn:example:app'/></metadata>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file'><source file='/var/lib/libvirt/images/somebody-else.img'/><target dev='vda' bus='virtio'/></disk>
    <interface type='user'/>
    <console type='pty'/>
  </devices>
</domain>
"""
CONFIGURATION = """
user = "root"
group = "root"
security_driver = "none"
namespaces = []
stdio_handler = "file"
hugetlbfs_mount = "/hugepages"
"""
# In namespaces of their own, libvirtd and QEMU end with this.
INSIDE = r"""
set -eu
mount -t proc proc "$1/proc"
mount --bind /sys "$1/sys"
mount --bind /dev "$1/dev"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
mount -t hugetlbfs none "$1/hugepages"
ip link set lo up
exec chroot "$1" sh -euc '
    libvirtd --daemon
    virsh --version > /domains/version
    for xml in /domains/*.xml; do
        virsh -q define "$xml" || continue  # not for this libvirt
        virsh dumpxml --inactive "$1" > "${xml%.xml}.inactive"
        case $xml in (*/live*)
            virsh -q start --paused "$1"
            virsh dumpxml "$1" > "${xml%.xml}.running"
            virsh -q destroy "$1"
        esac
        virsh -q undefine --nvram "$1"
    done
' sh "$2"
"""


def main() -> None:
    chroot, live = pathlib.Path(sys.argv[1]), sys.argv[2:] == ["live"]
    prepare(chroot)
    domains = chroot / "domains"
    for subject, (vm, image) in {**SUBJECTS, **(LIVE if live else {})}.items():
        (domains / f"{subject}.xml").write_text(_domain_xml.domain_xml(vm, image, UUID))
    (domains / "foreign.xml").write_text(FOREIGN)
    serve(chroot / PLAIN.interfaces[0].socket[1:])
    unshare = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    subprocess.run([*unshare, "sh", "-c", INSIDE, "sh", str(chroot), UUID], check=True)
    version = ".".join((domains / "version").read_text().split(".")[:2])
    for answer in (*domains.glob("*.inactive"), *domains.glob("*.running")):
        subject = answer.stem + ("-running" if answer.suffix == ".running" else "")
        shutil.copyfile(answer, HERE / f"libvirt-{version}-{subject}.xml")


def prepare(chroot: pathlib.Path) -> None:
    for left in ("domains", "run/libvirt", "run/libvirtd.pid", "etc/libvirt/qemu", "run/detnet-testbed"):
        path = chroot / left
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
    sockets, files, image = (
        chroot / path[1:]
        for path in (os.path.dirname(PLAIN.interfaces[0].socket), PLAIN.directory, PLAIN.image)
    )
    logs = chroot / "var/log/libvirt"
    for directory in (chroot / "domains", chroot / "hugepages", logs, sockets, files, image):
        directory.mkdir(parents=True, exist_ok=True)
    # libvirtd does not start without them.
    add = "groupadd --force kvm; id libvirt-qemu 2>&1 || useradd --user-group libvirt-qemu"
    subprocess.run(["chroot", str(chroot), "sh", "-c", add], check=True, stdout=subprocess.DEVNULL)
    (chroot / "etc/libvirt/qemu.conf").write_text(CONFIGURATION)
    for name in ("ssh_authorized_keys", "ssh_host_ed25519_key"):
        (files / name).write_text("")
    for name in ("vmlinuz", "initrd.img"):
        (image / name).write_bytes(KERNEL)
    root = chroot / WITH_KERNEL.root[1:]
    root.write_bytes(bytes(1 << 20))
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b"]
    subprocess.run([*create, root, files / "disk.qcow2"], check=True)


def serve(path: pathlib.Path) -> None:
    """Be the switch for QEMU: it starts when it knows the features of the other side."""

    def answer() -> None:
        while True:
            connection, _address = listener.accept()
            with contextlib.suppress(ConnectionError):
                while header := connection.recv(HEADER.size):
                    request, _flags, size = HEADER.unpack(header)
                    connection.recv(size)
                    if request == GET_FEATURES:
                        connection.sendall(HEADER.pack(request, REPLY, 8) + struct.pack("<Q", VIRTIO_1))

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=answer, daemon=True).start()


if __name__ == "__main__":
    main()
