"""Backups of a running guest: what is restored is what was on its disk at that moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from labvirt.errors import (
    CancelledError,
    ConflictError,
    NotFoundError,
    PlanError,
    SpecError,
    UnsupportedError,
)

pytestmark = pytest.mark.lab

BOTH = pytest.mark.parametrize(
    "backend",
    ["session", pytest.param("system", marks=pytest.mark.slow(seconds=20))],
    indirect=True,
)


@pytest.fixture
def place(folder):
    """A folder for backups, empty again afterwards."""
    found = folder / "backups"
    found.mkdir(exist_ok=True)
    owner = folder.stat()
    os.chown(found, owner.st_uid, owner.st_gid)
    yield found
    for path in found.iterdir():
        path.unlink()


def forget(guest):
    for one in reversed(list(guest.checkpoints)):
        one.delete(confirm=True)


def sum_of(path, folder):
    """The checksum of an image as a guest would see it."""
    raw = folder / "sum.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    told = subprocess.run(["sha256sum", raw], check=True, capture_output=True, text=True).stdout
    raw.unlink()
    return told.split()[0]


@pytest.mark.slow(seconds=9)
@BOTH
def test_full_and_incremental_backups_are_restored_as_domains(guest, host, place, fill, checksum):
    first_sum = fill(guest)
    told = []
    job = guest.backup.job(str(place), name="sunday", quiesce=True)
    job.listen(lambda progress: told.append(progress.stage))
    full = job.result(60)
    assert (full.level, full.checkpoint) == ("full", "sunday")
    assert guest.checkpoints.names == ["sunday"]
    second_sum = fill(guest, seek_mib=5, count_mib=2)
    monday = guest.backup(str(place), name="monday", since="last")
    fill(guest, seek_mib=1, count_mib=1)
    tuesday = guest.backup(str(place), name="tuesday", since="monday")
    third_sum = checksum(guest)
    assert [one.name for one in host.backups(str(place))] == ["sunday", "monday", "tuesday"]
    assert (monday.level, monday.since, tuesday.since) == ("incremental", "sunday", "monday")
    assert monday.path("vda").stat().st_size < 3 * 2**20
    assert host.unfinished_backups(str(place)) == ()
    assert guest.home not in str(
        subprocess.run(["qemu-img", "info", monday.path("vda")], capture_output=True, check=True)
    )
    # The chain is usable by qemu-img alone, also by name.
    assert sum_of(tuesday.path("vda"), place) == third_sum
    assert guest.checkpoints.latest.name == "tuesday"
    assert list(guest.checkpoints.df["parent"]) == ["", "sunday", "monday"]

    copy = host.restore_backup(monday, name="again", start=True)
    copy.wait_for("agent", timeout_s=90)
    assert checksum(copy) == second_sum
    assert copy.uuid != guest.uuid
    with pytest.raises(ConflictError, match="exists already"):
        host.restore_backup(monday, name="again")
    copy.destroy(confirm=True)
    copy.undefine(confirm=True)
    old = host.restore_backup(str(full.manifest), name="older")
    assert sum_of(old.chain("vda").top.path, place) == first_sum
    old.undefine(confirm=True)
    forget(guest)


@BOTH
def test_a_pull_backup_is_read_through_nbd(guest, place, fill, checksum):
    fill(guest)
    full = guest.backup(str(place), name="base")
    now = fill(guest, seek_mib=3, count_mib=2)
    with guest.backup_pull(since="base", checkpoint="pulled") as pull:
        export = pull.exports["vda"]
        assert export.size == 8 * 2**20
        shown = subprocess.run(
            ["qemu-img", "info", "--output=json", export.uri],
            capture_output=True,
            check=True,
        )
        assert json.loads(shown.stdout)["virtual-size"] == export.size
        assert pull.dirty("vda") == ((3 * 2**20, 2 * 2**20),)
        fill(guest, seek_mib=6, count_mib=1)  # after the moment: not in the backup
        assert pull.copy("vda", str(place / "all.qcow2")) == export.size
        changes = place / "changes.qcow2"
        assert pull.copy("vda", str(changes), over=str(full.path("vda"))) == 2 * 2**20
        with pytest.raises(ConflictError, match="under way already"):
            guest.backup(str(place), name="second")
        with pytest.raises(ConflictError, match="exists already"):
            pull.copy("vda", str(changes))
    assert sum_of(place / "all.qcow2", place) == now
    assert sum_of(changes, place) == now
    assert changes.stat().st_size < 3 * 2**20
    assert not Path(pull.socket).exists()
    assert guest.checkpoints.names == ["base", "pulled"]
    with pytest.raises(RuntimeError), guest.backup_pull(checkpoint="lost"):
        raise RuntimeError
    assert guest.checkpoints.names == ["base", "pulled"]
    forget(guest)


def test_a_cancelled_backup_leaves_nothing(guest, place, fill, monkeypatch):
    from labvirt.host.keeping import backup_actions

    fill(guest)

    def cancel(self, host, control):
        assert list(place.glob("*.partial"))
        control.cancel()
        control.check()

    monkeypatch.setattr(backup_actions.PushBackup, "_follow", cancel)
    with pytest.raises(CancelledError, match="no file is left"):
        guest.backup(str(place), name="cut")
    assert list(place.iterdir()) == []
    assert guest.checkpoints.names == []


def test_what_cannot_be_is_one_clear_error(guest, place, folder):
    with pytest.raises(ConflictError, match="no folder"):
        guest.backup("/nowhere/at/all")
    with pytest.raises(SpecError, match="no backup of"):
        guest.backup(str(place), since="never")
    with pytest.raises(SpecError, match="did you mean 'vda'"):
        guest.backup(str(place), disks=("vdz",))
    with pytest.raises(SpecError, match="no checkpoint"):
        guest.backup_pull(since="never")
    with pytest.raises(SpecError, match="107"):
        guest.backup_pull(socket="/" + "x" * 120)
    with pytest.raises(NotFoundError, match="backup"):
        guest.host.restore_backup(str(place / "nothing.backup.json"))
    first = guest.backup(str(place), name="one")
    with pytest.raises(ConflictError, match="exists already"):
        guest.backup(str(place), name="one")
    guest.checkpoints["one"].delete(confirm=True)
    with pytest.raises(ConflictError, match="checkpoint one is gone"):
        guest.backup(str(place), since="last")
    second = guest.backup(str(place), name="two", format="raw", checkpoint=False)
    assert second.path("vda").stat().st_size == 8 * 2**20
    with pytest.raises(ConflictError, match="none was made"):
        guest.backup(str(place), since="two")
    first.path("vda").unlink()
    with pytest.raises(NotFoundError, match=r"one\.vda\.qcow2 is not in"):
        guest.host.restore_backup(first, name="x")
    assert "x" not in guest.host.domains


@pytest.mark.slow(seconds=8)
def test_an_image_of_version_2_cannot_note_changes_and_moving_it_cures_that(guest, place, host):
    guest.shutdown(then="destroy", timeout_s=20, confirm=True)
    subprocess.run(["qemu-img", "amend", "-o", "compat=0.10", guest.home], check=True)
    guest.start()
    guest.wait_for("agent", timeout_s=90)
    with pytest.raises(UnsupportedError, match="version 2"):
        guest.backup(str(place))
    with pytest.raises(UnsupportedError, match="move_disk"):
        guest.checkpoint("c")
    pool = next(one.name for one in host.pools if guest.home.startswith(one.info().path))
    guest.move_disk("vda", pool, volume="three.qcow2")
    guest.checkpoint("c", description="now it can")
    assert guest.checkpoints["c"].info().description == "now it can"
    forget(guest)


def test_saved_images_are_shown_and_edited(guest, host, place):
    path = place / "guest.save"
    guest.save(str(path))
    (place / "half.save").write_bytes(b"LibvirtQemudPart" + bytes(100))
    (place / "other").write_bytes(b"no image")
    whole, half = host.saved_images(str(place))
    assert (whole.domain, whole.files, whole.is_whole) == (guest.name, (guest.home,), True)
    assert not half.is_whole
    with pytest.raises(NotFoundError, match="no domain that was saved"):
        host.saved_image(str(place / "other"))
    xml = host.saved_image_xml(str(path))
    plan = host.edit_saved_image.plan(str(path), xml.replace("</uuid>", "</uuid><title>t</title>"))
    assert "+  <title>t</title>" in plan.diff.replace("</uuid>", "") or "title" in plan.diff
    plan.apply()
    assert "<title>t</title>" in host.saved_image_xml(str(path))
    with pytest.raises(SpecError, match="it holds"):
        host.edit_saved_image(str(path), xml.replace(guest.uuid[:8], "00000000"))
    host.restore(str(path))
    assert guest.agent_answers()


@pytest.mark.slow(seconds=8)
def test_a_broken_record_of_changes_asks_for_a_full_backup(guest, place, host):
    """QEMU dies before it writes the bitmaps out."""
    guest.backup(str(place), name="first")
    (pid,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if guest.uuid.encode() in path.read_bytes() and b"qemu" in path.read_bytes()
    ]
    os.kill(pid, signal.SIGKILL)
    guest.wait_for("shutoff", timeout_s=20)
    guest.start()
    guest.wait_for("agent", timeout_s=90)
    with pytest.raises((PlanError, ConflictError), match=r"(?s)bitmap.*full backup"):
        guest.backup(str(place), name="second", since="last")
    assert [one.name for one in host.backups(str(place))] == ["first"]
    assert host.unfinished_backups(str(place)) == ()
