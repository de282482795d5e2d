"""A clone becomes another system inside: by its agent while it runs, on its image while it is off."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import ConfirmationError, ConflictError, UnsupportedError
from labvirt.model.xml.domain import DomainXml

pytestmark = pytest.mark.lab
OLD, NEW = "52:54:00:0a:0b:0c", "52:54:00:0a:0b:0d"


def test_a_running_guest_is_changed_by_its_agent(tiny):
    keys = "/etc/dropbear/dropbear_ed25519_host_key"
    tiny.ask(
        "mkdir -p /etc/udev/rules.d /etc/sysconfig/network-scripts /var/lib/dhcp;"
        "echo tiny > /etc/hostname; echo '127.0.1.1 tiny' >> /etc/hosts;"
        f"echo HWADDR={OLD.upper()} > /etc/sysconfig/network-scripts/ifcfg-eth0;"
        "echo x > /etc/udev/rules.d/70-persistent-net.rules; echo x > /etc/machine-id;"
        f"echo x > /var/lib/dhcp/dhclient.leases; cp /etc/hosts /run/hosts; echo x > {keys}"
    )
    try:
        with pytest.raises(ConfirmationError, match="host keys, machine id and leases"):
            tiny.renew_identity("other")
        told = tiny.renew_identity("other", macs={OLD: NEW}, confirm=True)
        assert tiny.ask("hostname; cat /etc/hostname").text.split() == ["other", "other"]
        assert "127.0.1.1 other" in tiny.ask("cat /etc/hosts").text
        card = "/etc/sysconfig/network-scripts/ifcfg-eth0"
        assert tiny.ask(f"cat {card}").text.strip() == f"HWADDR={NEW}"
        gone = ("/etc/udev/rules.d/70-persistent-net.rules", "/var/lib/dhcp/dhclient.leases", keys)
        for path in gone:
            assert "No such file" in tiny.ask(f"ls {path}").text
            assert f"{path} removed" in "\n".join(told)
        assert tiny.ask("wc -c < /etc/machine-id").text.strip() == "0"
    finally:
        tiny.ask("hostname tiny; cp /run/hosts /etc/hosts; rm -f /etc/hostname /etc/machine-id")


def test_without_an_agent_it_is_told_what_to_do(blank):
    with pytest.raises(ConflictError, match="agent does not answer"):
        blank.renew_identity()
    assert {"hostname", "ssh", "machine-id"} <= {step.id for step in blank.identity_steps()}


@pytest.fixture
def system(tmp_path, alpha, spec):
    """A domain that is off, whose qcow2 image has a partition with an ext4 file system."""
    for tool in ("mke2fs", "debugfs"):
        if shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin") is None:
            pytest.skip(f"no {tool} here")
    tree = tmp_path / "tree"
    for path, text in {
        "etc/hostname": "origin\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 origin\n",
        "etc/machine-id": "0123456789abcdef\n",
        "etc/ssh/ssh_host_rsa_key": "secret",
        "etc/netplan/1.yaml": f"macaddress: {OLD}\n",
        "etc/udev/rules.d/70-persistent-net.rules": OLD,
        "var/lib/dhcp/dhclient.leases": "lease",
        "home/data": "mine" * 5000,
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "etc/hostname").chmod(0o640)
    raw = tmp_path / "disk.raw"
    part = tmp_path / "part.raw"
    subprocess.run(["truncate", "-s", "15M", part], check=True)
    words = ["mke2fs", "-q", "-t", "ext4", "-d", tree, part]
    subprocess.run(words, check=True, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    entry = bytes((0x80, 0, 0, 0, 0x83, 0, 0, 0)) + (2048).to_bytes(4, "little")
    entry += (15 * 2048).to_bytes(4, "little")
    mbr = bytes(446) + entry + bytes(48) + b"\x55\xaa"
    raw.write_bytes(mbr + bytes((1 << 20) - 512) + part.read_bytes())
    folder = Path(alpha.pools["shared"].info().path)
    image = folder / f"{spec.name}.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, image], check=True)
    Path(image).chmod(0o666)
    disk = lv.DiskSpec(target="vda", source=lv.FileSource(path=str(image), format="qcow2"))
    yield alpha.plan(spec.replace(disks=(disk,)), start=False).apply()
    image.unlink(missing_ok=True)


def inside(domain, tmp_path, path):
    """What a file on the image of a domain holds now; empty when it is absent."""
    image = DomainXml.parse(domain.xml(inactive=True)).disks[0].source_file
    raw = tmp_path / "look.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    words = ["/usr/sbin/debugfs", "-R", f"cat {path}", f"{raw}?offset=1048576"]
    return subprocess.run(words, check=True, capture_output=True).stdout.decode()


@pytest.mark.parametrize("linked", [False, True])
def test_a_guest_that_is_off_is_changed_on_its_image(system, tmp_path, linked):
    origin = DomainXml.parse(system.xml(inactive=True)).disks[0].source_file
    clone = system.clone(f"{system.name}-2", linked=linked)
    before = hashlib.sha256(Path(origin).read_bytes()).hexdigest()
    told = clone.renew_identity(macs={OLD: NEW}, confirm=True)
    assert any("/etc/ssh/ssh_host_rsa_key removed (ssh)" in one for one in told)
    name = clone.name
    assert inside(clone, tmp_path, "/etc/hostname") == f"{name}\n"
    assert f"127.0.1.1 {name}" in inside(clone, tmp_path, "/etc/hosts")
    assert NEW in inside(clone, tmp_path, "/etc/netplan/1.yaml")
    assert inside(clone, tmp_path, "/etc/machine-id") == ""
    assert inside(clone, tmp_path, "/etc/ssh/ssh_host_rsa_key") == ""
    assert inside(clone, tmp_path, "/home/data") == "mine" * 5000
    words = ["/usr/sbin/e2fsck", "-fn", f"{tmp_path / 'look.raw'}?offset=1048576"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    stat = ["/usr/sbin/debugfs", "-R", "stat /etc/hostname", words[-1]]
    assert "Mode:  0640" in subprocess.run(stat, capture_output=True, text=True, check=False).stdout
    assert hashlib.sha256(Path(origin).read_bytes()).hexdigest() == before
    assert inside(system, tmp_path, "/etc/hostname") == "origin\n"


def test_an_image_without_a_known_file_system_is_left_alone(system, monkeypatch):
    image = DomainXml.parse(system.xml(inactive=True)).disks[0].source_file
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"], check=True)
    before = Path(image).read_bytes()
    with pytest.raises(UnsupportedError, match="no ext2, ext3 or ext4"):
        system.renew_identity(confirm=True)
    assert Path(image).read_bytes() == before
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(UnsupportedError, match="debugfs is not installed"):
        system.renew_identity(confirm=True)
