"""Snapshots of real domains: made, judged, reverted, merged; nothing is lost that nobody agreed to."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from labvirt.errors import (
    ConfirmationError,
    ConflictError,
    SpecError,
    UnsupportedError,
)
from labvirt.model import SnapshotDiskSpec, SnapshotSpec

pytestmark = pytest.mark.lab

BOTH = pytest.mark.parametrize(
    "backend",
    ["session", pytest.param("system", marks=pytest.mark.slow(seconds=15))],
    indirect=True,
)


def boot(domain):
    domain.start()
    domain.wait_for("agent", timeout_s=90)


@BOTH
def test_an_internal_snapshot_brings_disk_and_memory_back(guest, mark, marked, said):
    mark(guest, "before")
    said(guest, "echo yes > /run/marker")
    verdict = guest.snapshot_verdict("first", description="as it was")
    assert verdict.is_possible
    assert (verdict.location, verdict.memory) == ("internal", "internal")
    assert verdict.touches == (guest.chain("vda").top.path,)
    assert verdict.needs >= 128 * 2**20
    assert verdict.free > verdict.needs
    assert guest.snapshots.names == []

    first = guest.snapshot("first", description="as it was")
    record = first.info()
    assert (record.location, record.memory, record.state) == ("internal", "internal", "running")
    assert record.description == "as it was"
    assert record.is_current
    mark(guest, "after")
    said(guest, "rm /run/marker")
    guest.snapshot("second")
    assert "second" in guest.snapshots.tree
    assert guest.snapshots.current.name == "second"
    assert [one.name for one in first.children] == ["second"]
    assert list(guest.snapshots.df["parent"]) == ["", "first"]
    assert "first" in guest.snapshots._repr_html_()

    verdict = first.verdict("revert")
    assert any("memory" in loss for loss in verdict.discards)
    assert any("second" in text for text in verdict.warnings)
    with pytest.raises(ConfirmationError, match="written to vda"):
        first.revert()
    assert marked(guest) == "after"
    first.revert(confirm=True)
    assert marked(guest) == "before"
    assert said(guest, "cat /run/marker") == "yes"
    assert guest.snapshots.current.name == "first"

    with pytest.raises(ConfirmationError, match="first"):
        first.delete()
    first.delete(children=True, confirm=True)
    assert guest.snapshots.names == []
    assert marked(guest) == "before"


@BOTH
def test_external_snapshots_are_merged_while_the_guest_runs(guest, mark, marked):
    mark(guest, "one")
    base = guest.chain("vda").top.path
    verdict = guest.snapshot_verdict("s1", disks="external")
    assert verdict.makes == (base.replace(".qcow2", ".s1.qcow2"),)
    assert not verdict.touches
    assert any("power cut" in text for text in verdict.warnings)
    s1 = guest.snapshot("s1", disks="external", quiesce=True)
    mark(guest, "two")
    guest.snapshot("s2", disks="external")
    mark(guest, "three")
    assert len(guest.chain("vda").layers) == 3
    assert guest.chain("vda").layers[2].path == base

    with pytest.raises(ConflictError, match="is external"):
        guest.snapshot("inside")
    with pytest.raises(ConflictError, match=r"snapshot s1 is the state"):
        guest.blockcommit("vda")
    with pytest.raises(ConflictError, match="runs"):
        s1.revert()

    verdict = s1.verdict("delete")
    assert verdict.is_possible
    assert base in verdict.touches
    s1.delete(confirm=True)
    assert guest.snapshots.names == ["s2"]
    assert len(guest.chain("vda").layers) == 2
    assert not Path(s1_overlay(base)).exists()
    assert marked(guest) == "three"
    guest.snapshots["s2"].delete(confirm=True)
    assert guest.chain("vda").paths == (base,)
    assert marked(guest) == "three"


def test_external_children_are_merged_one_by_one(guest, mark, marked):
    for name in ("s1", "s2", "s3"):
        guest.snapshot(name, disks="external")
        mark(guest, name)
    with pytest.raises(ConfirmationError, match="state of snapshot s3"):
        guest.snapshots["s1"].delete(children_only=True)
    guest.snapshots["s1"].delete(children_only=True, confirm=True)
    assert guest.snapshots.names == ["s1"]
    assert len(guest.chain("vda").layers) == 2
    assert guest.snapshots.current.name == "s1"
    guest.snapshots["s1"].delete(children=True, confirm=True)
    assert guest.chain("vda").paths == (guest.home,)
    assert marked(guest) == "s3"


def s1_overlay(base):
    return base.replace(".qcow2", ".s1.qcow2")


@BOTH
def test_an_external_snapshot_is_reverted_by_a_fresh_overlay_and_the_revert_can_be_undone(
    guest, mark, marked
):
    mark(guest, "old")
    s1 = guest.snapshot("s1", disks="external")
    mark(guest, "new")
    base, overlay = guest.chain("vda").paths[1], guest.chain("vda").paths[0]
    guest.destroy(confirm=True)
    verdict = s1.verdict("revert")
    assert verdict.leaves == (overlay,)
    assert "9.9" in verdict.warnings[0]
    assert "qemu-img create" in verdict.by_hand

    plan = s1.revert.plan()
    assert not plan.destroys
    for action in plan.actions:
        action.do(guest.host, None)
    assert guest.chain("vda").paths[1] == base
    for action in reversed(plan.actions):
        action.undo(guest.host)
    assert guest.chain("vda").paths == (overlay, base)
    assert s1.info().overlays == {"vda": overlay}
    assert not Path(verdict.makes[0]).exists()

    s1.revert()
    assert guest.chain("vda").paths == (verdict.makes[0], base)
    assert Path(overlay).exists()
    boot(guest)
    assert marked(guest) == "old"
    mark(guest, "newer")
    # What it went on with is merged as usual.
    s1.delete(confirm=True)
    assert guest.chain("vda").paths == (base,)
    assert marked(guest) == "newer"
    assert Path(overlay).exists()


def test_external_memory_is_restored_on_a_fresh_overlay(guest, mark, marked, said):
    mark(guest, "old")
    said(guest, "echo kept > /run/marker")
    folder = Path(guest.chain("vda").top.path).parent
    memory = str(folder / f"{guest.name}.mem")
    with pytest.raises(SpecError, match="memory_file"):
        guest.snapshot("m1", disks="external", memory="external")
    m1 = guest.snapshot("m1", disks="external", memory="external", memory_file=memory)
    assert m1.info().memory_file == memory
    assert guest.state.text == "running"
    mark(guest, "new")
    said(guest, "rm /run/marker")
    guest.destroy(confirm=True)
    m1.revert()
    assert guest.state.text == "running"
    assert said(guest, "cat /run/marker") == "kept"
    assert marked(guest) == "old"
    with pytest.raises(ConfirmationError, match="memory of snapshot m1"):
        m1.delete()
    m1.delete(confirm=True)
    assert not Path(memory).exists()
    assert marked(guest) == "old"


def test_what_cannot_be_is_refused_before_anything_is_touched(guest):
    with pytest.raises(SpecError, match="mixed"):
        SnapshotSpec(name="x", disks="external", memory="internal")
    with pytest.raises(SpecError, match="mixed"):
        SnapshotSpec(name="x", each=(SnapshotDiskSpec(target="vda", state="external"),))
    with pytest.raises(SpecError, match="no such disk"):
        guest.snapshot("x", each=(SnapshotDiskSpec(target="vdz", state="no"),))
    with pytest.raises(UnsupportedError, match="keeps its memory"):
        guest.snapshot("x", memory="none")
    path = guest.chain("vda").top.path
    each = (SnapshotDiskSpec(target="vda", state="external", path=path),)
    with pytest.raises(ConflictError, match="exists already"):
        guest.snapshot("x", disks="external", each=each)
    left_out = (SnapshotDiskSpec(target="vda", state="no"),)
    with pytest.raises(UnsupportedError, match="no disk takes part"):
        guest.snapshot("x", disks="external", each=left_out)
    assert guest.snapshots.names == []
    first = guest.snapshot("x", disks="external")
    with pytest.raises(ConflictError, match="exists already"):
        guest.snapshot("x", disks="external")
    first.set_description("a <b> & c")
    assert first.info().description == "a <b> & c"
    assert first.info().is_current


@pytest.mark.slow(seconds=12)
def test_quiesce_without_an_agent_says_so_and_thaws_when_freezing_fails(guest, monkeypatch, said):
    from labvirt.connection import snapshot as calls

    said(guest, "mke2fs /dev/vda >/dev/null && mkdir -p /mnt && mount /dev/vda /mnt")
    calls.freeze(guest.host.connection, guest.uuid)
    try:
        with pytest.raises(ConflictError, match="frozen them already"):
            guest.snapshot("q", disks="external", quiesce=True)
    finally:
        assert calls.thaw(guest.host.connection, guest.uuid) == 1

    plain = calls.create

    def fail(*args, **options):
        assert guest.agent("guest-fsfreeze-status") == "frozen"
        raise ConflictError("make it", libvirt_text="somebody was faster")

    monkeypatch.setattr(calls, "create", fail)
    with pytest.raises(Exception, match="somebody was faster"):
        guest.snapshot("q", disks="external", quiesce=True)
    assert guest.agent("guest-fsfreeze-status") == "thawed"
    monkeypatch.setattr(calls, "create", plain)
    said(guest, "umount /mnt; (sleep 0.5; killall -STOP qemu-ga) >/dev/null 2>&1 &")
    time.sleep(1)
    with pytest.raises(ConflictError, match="does not answer"):
        guest.snapshot("q", disks="external", quiesce=True)
    assert guest.snapshots.names == []
    with guest.console() as console:
        console.send("\n")
        console.run("killall -CONT qemu-ga")
    guest.wait_for("agent", timeout_s=20)


def test_descriptions_are_taken_along(guest):
    guest.snapshot("one")
    guest.snapshot("two")
    taken = guest.export_snapshots()
    for name in ("two", "one"):
        guest.snapshots[name].delete(metadata_only=True)
    assert guest.snapshots.names == []
    with pytest.raises(SpecError, match="grew from one"):
        guest.redefine_snapshots(taken[1:])
    guest.redefine_snapshots(taken, current="one")
    assert guest.snapshots.names == ["one", "two"]
    assert guest.snapshots.current.name == "one"
    with pytest.raises(ConflictError, match="already"):
        guest.redefine_snapshots(taken)
    guest.snapshots["one"].revert(confirm=True)
    guest.snapshots["two"].make_current()
    assert guest.snapshots.current.name == "two"
    for name in ("two", "one"):
        guest.snapshots[name].delete(confirm=True)


@pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is missing")
def test_virsh_and_labvirt_see_the_same_snapshots_and_checkpoints(guest):
    def virsh(*words):
        done = subprocess.run(
            ["virsh", "-q", "-c", guest.host.uri, *words],
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    guest.snapshot("ours", description="made by labvirt")
    assert virsh("snapshot-list", guest.name, "--name") == "ours"
    virsh("snapshot-create-as", guest.name, "theirs", "made by virsh")
    theirs = guest.snapshots["theirs"].info()
    assert (theirs.parent, theirs.description, theirs.location) == (
        "ours",
        "made by virsh",
        "internal",
    )
    assert virsh("snapshot-current", guest.name, "--name") == guest.snapshots.current.name
    virsh("snapshot-revert", guest.name, "ours")
    guest.snapshots["theirs"].delete(confirm=True)
    virsh("snapshot-delete", guest.name, "ours")
    assert guest.snapshots.names == []
    guest.checkpoint("c1")
    virsh("checkpoint-create-as", guest.name, "c2")
    assert virsh("checkpoint-list", guest.name, "--name").split() == ["c1", "c2"]
    assert guest.checkpoints["c2"].info().parent == "c1"
    assert guest.checkpoints["c2"].info().targets == ("vda",)
    guest.checkpoints["c1"].delete(children=True, confirm=True)
    assert virsh("checkpoint-list", guest.name, "--name") == ""
