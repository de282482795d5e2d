"""A guest without a disk boots from the network: DHCP, TFTP and a boot file of libvirt's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabError
from labvirt.model import NetworkIp, NetworkSpec

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=30)]

ROMS = [Path(folder, "pxe-virtio.rom") for folder in ("/usr/lib/ipxe/qemu", "/usr/share/qemu")]


@pytest.fixture
def root():
    """A folder that everybody may read: dnsmasq serves as another user."""
    folder = Path(tempfile.mkdtemp(prefix="lvtftp-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_guest_boots_from_the_network(root):
    if not any(rom.exists() for rom in ROMS):
        pytest.skip("QEMU's iPXE ROM is absent (package ipxe-qemu)")
    try:
        lab = lv.Lab.start(f"pxe-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        try:
            boot(lab["alpha"], root)
        finally:
            lab.stop()


def boot(host, root):
    media = host.builder(lv.TinyGuest(), host.facts.media_folder)
    shutil.copy(media.kernel, root / "vmlinuz")
    shutil.copy(media.initrd, root / "initrd.gz")
    (root / "boot.ipxe").write_text(
        f"#!ipxe\nkernel vmlinuz {media.cmdline} hostname=from-the-net\ninitrd initrd.gz\nboot\n"
    )
    for file in root.iterdir():
        file.chmod(0o644)
    ip = NetworkIp(address="192.168.160.1/24", tftp_root=str(root), boot_file="boot.ipxe")
    network = host.plan(NetworkSpec(name="pxe", forward="isolated", stp=False, ips=[ip])).apply()
    spec = lv.DomainSpec(
        name="diskless",
        memory="256 MiB",
        source=lv.NetworkBoot(),
        interfaces=["network:pxe"],
    )
    guest = host.plan(spec).apply()
    guest.wait_for("serial", timeout_s=150)
    with guest.console() as console:
        console.send("\n")
        assert console.run("hostname") == "from-the-net"
    (lease,) = {lease.address for lease in network.leases()}
    assert lease.startswith("192.168.160.")
    assert guest.addresses().source == "lease"
