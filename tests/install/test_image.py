"""The bootable disk: made without root, and the same bytes each time."""

from __future__ import annotations

import json
import struct
import subprocess

import pytest

from labvirt.errors import LabError
from labvirt.install import image
from labvirt.install.image import bootable_disk


@pytest.fixture
def parts(scratch):
    (scratch / "kernel").write_bytes(b"K" * 3_000_000)
    (scratch / "initrd").write_bytes(b"I" * 1_000_000)
    return scratch / "kernel", scratch / "initrd"


def run(*command):
    return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


def test_the_same_parts_give_the_same_bytes(parts, scratch, monkeypatch):
    for name, zone in (("one", "UTC"), ("two", "Asia/Tokyo")):
        monkeypatch.setenv("TZ", zone)
        (scratch / name).mkdir()
        bootable_disk(*parts, "quiet", scratch / name / "disk.qcow2")
    assert (scratch / "one" / "disk.qcow2").read_bytes() == (
        scratch / "two" / "disk.qcow2"
    ).read_bytes()


def test_the_disk_is_one_active_partition_with_three_files(parts, scratch):
    disk, raw = scratch / "disk.qcow2", scratch / "check.raw"
    bootable_disk(*parts, "console=ttyS0 quiet", disk, spare_mib=30)
    facts = json.loads(run("qemu-img", "info", "--output=json", disk))
    assert facts["format"] == "qcow2"
    assert run("qemu-img", "check", disk)
    run("qemu-img", "convert", "-O", "raw", disk, raw)
    sector = raw.read_bytes()[:512]
    active, kind, start, count = struct.unpack("<B3xB3xII", sector[446:462])
    assert (active, kind, start, sector[510:]) == (0x80, 0x0E, 2048, b"\x55\xaa")
    assert (start + count) * 512 == facts["virtual-size"]
    place = f"{raw}@@{start * 512}"
    assert run("mtype", "-i", place, "::vmlinuz") == parts[0].read_bytes()
    assert run("mtype", "-i", place, "::initrd.gz") == parts[1].read_bytes()
    assert b"APPEND console=ttyS0 quiet\n" in run("mtype", "-i", place, "::syslinux.cfg")
    assert b"LABVIRT" in run("mdir", "-i", place, "::")


def test_only_the_image_is_left(parts, scratch):
    (scratch / "result").mkdir()
    bootable_disk(*parts, "quiet", scratch / "result" / "disk.qcow2")
    assert [path.name for path in (scratch / "result").iterdir()] == ["disk.qcow2"]


def test_a_missing_tool_is_named_with_its_package(parts, scratch, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    (scratch / "result").mkdir()
    with pytest.raises(LabError, match="the tool mformat is needed") as caught:
        bootable_disk(*parts, "quiet", scratch / "result" / "disk.qcow2")
    assert "apt-get install mtools" in caught.value.hint
    assert not list((scratch / "result").iterdir())


def test_missing_boot_code_is_named_with_its_package(parts, scratch, monkeypatch):
    monkeypatch.setattr(image, "_MBR_CODE", (str(scratch / "mbr.bin"),))
    with pytest.raises(LabError, match=r"looked for .*mbr\.bin") as caught:
        bootable_disk(*parts, "quiet", scratch / "disk.qcow2")
    assert "syslinux-common" in caught.value.hint
