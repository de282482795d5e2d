"""Snapshots, checkpoints and backups that are asked for: checked, and valid for libvirt."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import (
    BackupDiskSpec,
    BackupSpec,
    CheckpointSpec,
    DiskXml,
    Schema,
    SnapshotDiskSpec,
    SnapshotSpec,
)
from labvirt.model.blockjob import BlockJobOptions, NewSize
from labvirt.model.snapshot import overlay_path
from labvirt.model.xml.backing import backing_of
from labvirt.model.xml.snapshot import BackupXml, CheckpointXml, SnapshotXml

DISK = BackupDiskSpec(target="vda", path="/b/one.qcow2")


def valid(xml, kind):
    Schema.load().require(xml, kind)
    return xml


def test_an_internal_snapshot_names_every_disk():
    spec = SnapshotSpec(name="s", description="a & b").filled({"vda": "/i/a.qcow2"}, ("hda",))
    document = SnapshotXml.parse(valid(spec.to_xml(memory="internal"), "snapshot"))
    assert (document.name, document.description, document.memory) == ("s", "a & b", "internal")
    assert [(d.name, d.snapshot) for d in document.disks] == [("vda", "internal"), ("hda", "no")]


def test_an_external_snapshot_names_its_overlays():
    each = (SnapshotDiskSpec(target="vdb", state="external", path="/o/b.qcow2"),)
    spec = SnapshotSpec(name="s", disks="external", each=each)
    filled = spec.filled({"vda": "/i/a.qcow2", "vdb": "/i/b.raw"})
    document = SnapshotXml.parse(valid(filled.to_xml(), "snapshot"))
    assert [(d.source_file, d.driver_type) for d in document.disks] == [
        ("/i/a.s.qcow2", "qcow2"),
        ("/o/b.qcow2", "qcow2"),
    ]
    assert spec.is_disk_only
    assert not SnapshotSpec(name="s").is_disk_only


def test_external_memory_has_a_file():
    spec = SnapshotSpec(name="s", disks="external", memory="external", memory_file="/m")
    text = spec.filled({"vda": "/a.qcow2"}).to_xml(memory="external")
    assert SnapshotXml.parse(valid(text, "snapshot")).memory_file == "/m"


@pytest.mark.parametrize(
    ("path", "overlay"),
    [("/i/a.qcow2", "/i/a.s.qcow2"), ("/i/a.img", "/i/a.s.qcow2"), ("/dev/x", "/dev/x.s.qcow2")],
)
def test_overlays_are_named_after_the_snapshot(path, overlay):
    assert overlay_path(path, "s") == overlay


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "../x"}, "name"),
        ({"name": "x", "disks": "both"}, "disks"),
        ({"name": "x", "memory": "external", "memory_file": "/m"}, "mixed"),
        ({"name": "x", "disks": "external", "memory": "internal"}, "mixed"),
        ({"name": "x", "disks": "external", "memory": "external"}, "memory_file"),
        ({"name": "x", "memory_file": "/m"}, "no use"),
        ({"name": "x", "quiesce": True}, "quiesce"),
        ({"name": "x", "each": [{"target": "vda", "state": "external"}]}, "mixed"),
        ({"name": "x", "each": [{"target": "vda", "state": "no", "path": "/x"}]}, "path"),
        ({"name": "x", "each": [{"target": "vda", "state": "no"}] * 2}, "twice"),
        ({"name": "x", "each": [{"target": "/etc", "state": "no"}]}, "target"),
    ],
)
def test_a_snapshot_that_cannot_be_is_refused(options, match):
    with pytest.raises(SpecError, match=match):
        SnapshotSpec(**options)


def test_a_disk_that_is_not_there_is_named():
    spec = SnapshotSpec(name="x", each=(SnapshotDiskSpec(target="vdz", state="no"),))
    with pytest.raises(SpecError, match="vda"):
        spec.filled({"vda": "/a"})


def test_a_checkpoint_tracks_disks_and_leaves_others_alone():
    text = CheckpointSpec(name="c", disks=("vda",)).to_xml(("vdb",))
    document = CheckpointXml.parse(valid(text, "checkpoint"))
    assert [(d.name, d.checkpoint) for d in document.disks] == [("vda", "bitmap"), ("vdb", "no")]


def test_a_push_backup():
    spec = BackupSpec(since="monday", checkpoint="tuesday", disks=(DISK,))
    document = BackupXml.parse(valid(spec.to_xml(("vdb",)), "backup"))
    assert (document.mode, document.incremental) == ("push", "monday")
    assert [(d.name, d.backup, d.target_file) for d in document.disks] == [
        ("vda", True, "/b/one.qcow2"),
        ("vdb", False, None),
    ]


def test_a_pull_backup_serves_a_bitmap_when_it_is_incremental():
    spec = BackupSpec(mode="pull", since="monday", socket="/run/b.sock", disks=(DISK,))
    document = BackupXml.parse(valid(spec.to_xml(), "backup"))
    assert (document.server_transport, document.server_socket) == ("unix", "/run/b.sock")
    assert document.disks[0].export_bitmap == "backup-vda"
    assert document.disks[0].scratch_file == "/b/one.qcow2"
    whole = BackupSpec(mode="pull", socket="/run/b.sock", disks=(DISK,))
    assert "exportbitmap" not in valid(whole.to_xml(), "backup")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"disks": ()}, "disks"),
        ({"disks": (DISK,), "mode": "pull"}, "socket"),
        ({"disks": (DISK,), "socket": "/x"}, "pull"),
        ({"disks": (DISK,), "mode": "pull", "socket": "/" + "x" * 200}, "socket"),
        ({"disks": (DISK, DISK)}, "twice"),
        ({"disks": (DISK, DISK.replace(target="vdb"))}, "one file"),
        ({"disks": (DISK.replace(format="raw"),), "since": "a"}, "qcow2"),
        ({"disks": (DISK,), "since": "a", "checkpoint": "a"}, "since"),
        ({"disks": (DISK,), "since": "a/b"}, "since"),
    ],
)
def test_a_backup_that_cannot_be_is_refused(options, match):
    with pytest.raises(SpecError, match=match):
        BackupSpec(**options)


@pytest.mark.parametrize("speed", ["-1 MiB", "fast", "0", True])
def test_a_speed_is_a_size(speed):
    with pytest.raises(SpecError, match="speed"):
        BlockJobOptions(speed=speed)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), "5", True])
def test_a_limit_is_a_time(limit):
    with pytest.raises(SpecError, match="timeout_s"):
        BlockJobOptions(timeout_s=limit)


def test_a_size_is_more_than_nothing():
    with pytest.raises(SpecError, match="size"):
        NewSize(size="0 MiB")


def test_the_chain_below_a_disk_is_read_and_its_end_is_known():
    inner = "<backingStore/>"
    middle = (
        "<backingStore type='file'><format type='raw'/><source file='/base.raw'/>"
        f"{inner}</backingStore>"
    )
    outer = (
        "<backingStore type='file'><format type='qcow2'/><source file='/mid.qcow2'/>"
        f"{middle}</backingStore>"
    )
    disk = f"<disk type='file'><source file='/top.qcow2'/>{outer}<target dev='vda'/></disk>"
    found = (("/mid.qcow2", "qcow2"), ("/base.raw", "raw"))
    assert backing_of(DiskXml.parse(disk)) == (found, True)
    assert backing_of(DiskXml.parse(disk.replace(inner, ""))) == (found, False)
    plain = "<disk type='file'><source file='/top'/><target dev='vda'/></disk>"
    assert backing_of(DiskXml.parse(plain)) == ((), False)
