"""kill -9 in the middle: of labvirt, of QEMU, of libvirtd. Data are whole, or the state is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError, PlanError

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=9)]

SLOW = "1 MiB"

#: What is begun, and where in it the process dies; all on the guest `guest`, files in `folder`.
BEGUN = {
    "copy": "guest.blockcopy.job('vda', folder + '/copy.qcow2', speed='1 MiB')",
    "move": "guest.move_disk.job('vda', pool, volume='moved.qcow2', speed='1 MiB')",
    "commit": "guest.blockcommit.job('vda', speed='1 MiB')",
    "pull": "guest.blockpull.job('vda', speed='1 MiB')",
}


def slow(what):
    return pytest.param(what, marks=pytest.mark.slow(seconds=12))


def killed(host, script, **values):
    """Run a script in a process that kills itself; return when it is dead."""
    lines = [f"{key} = {value!r}" for key, value in {**values, "uri": host.uri}.items()]
    text = "\n".join(
        [
            "import os, signal, time",
            "import labvirt as lv",
            *lines,
            "host = lv.connect(uri)",
            "guest = host.domains[name]",
            "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)",
            textwrap.dedent(script),
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )
    assert done.returncode == -9, done.stderr


def recovered(host):
    """Connect anew: what was found and done about the dead process."""
    with lv.connect(host.uri) as fresh:
        (found,) = fresh.recovered
    with lv.connect(host.uri) as fresh:
        assert fresh.recovered == ()
    assert found.remains == ()
    return str(found)


def qemu_of(guest):
    (pid,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if guest.uuid.encode() in (line := path.read_bytes()) and b"qemu" in line
    ]
    return pid


def overlaid(guest, fill):
    """Give the guest an overlay with data, for commit and pull."""
    guest.snapshot("over", disks="external")
    found = fill(guest, count_mib=6)
    guest.snapshots["over"].delete(metadata_only=True)
    return found


def pool_of(guest):
    return next(one.name for one in guest.host.pools if guest.home.startswith(one.info().path))


@pytest.mark.parametrize("what", ["move", "commit", *(slow(one) for one in ("copy", "pull"))])
def test_labvirt_killed_in_a_block_job_the_next_connect_aborts_it(
    guest, host, folder, fill, checksum, what
):
    fill(guest)
    before = overlaid(guest, fill)
    paths = guest.chain("vda").paths
    files = {path.name for path in folder.iterdir()}
    killed(
        host,
        f"""
        job = {BEGUN[what]}
        while guest.block_job("vda") is None:
            time.sleep(0.02)
        time.sleep(0.3)
        die()
        """,
        name=guest.name,
        folder=str(folder),
        pool=pool_of(guest),
    )
    assert guest.block_job("vda") is not None
    told = recovered(host)
    assert "aborted: the disk lies on" in told
    assert guest.block_job("vda") is None
    assert guest.chain("vda").paths == paths
    assert {path.name for path in folder.iterdir()} == files
    assert checksum(guest) == before
    # And it can be done again.
    guest.blockcommit("vda")
    assert checksum(guest) == before


def test_labvirt_killed_after_the_pivot_the_move_is_told_finished(guest, host, fill, checksum):
    before = fill(guest)
    killed(
        host,
        """
        from labvirt.host.keeping import blockjob_actions
        blockjob_actions.CopyDisk._settle = die
        guest.move_disk("vda", pool, volume="moved.qcow2")
        """,
        name=guest.name,
        pool=pool_of(guest),
    )
    told = recovered(host)
    assert "it was finished: the disk lies on" in told
    assert "moved.qcow2" in guest.chain("vda").top.path
    assert "moved.qcow2" in guest.xml(inactive=True)
    assert checksum(guest) == before


@pytest.mark.parametrize("where", ["_follow", slow("write")])
def test_labvirt_killed_in_a_backup_nothing_half_is_left(guest, host, folder, fill, where):
    fill(guest)
    killed(
        host,
        f"""
        from labvirt.host.keeping import backup_actions, backup_files
        if {where!r} == "write":
            backup_files.Backup.write = die
        else:
            backup_actions.PushBackup._follow = die
        guest.backup(folder, name="cut")
        """,
        name=guest.name,
        folder=str(folder),
    )
    if where == "_follow":
        assert list(folder.glob("cut*")) == [folder / "cut.vda.qcow2.partial"]
    told = recovered(host)
    assert "no file is left" in told
    assert list(folder.glob("cut*")) == []
    assert guest.checkpoints.names == []
    done = guest.backup(str(folder), name="cut")
    assert done.level == "full"
    guest.checkpoints["cut"].delete(confirm=True)
    for path in folder.glob("cut*"):
        path.unlink()


@pytest.mark.parametrize("when", [slow("before"), "after"])
def test_labvirt_killed_with_a_frozen_guest_it_is_thawed(guest, host, said, when):
    said(guest, "mke2fs /dev/vda >/dev/null && mkdir -p /mnt && mount /dev/vda /mnt")
    killed(
        host,
        f"""
        from labvirt.host.keeping import snapshot_actions
        kind = snapshot_actions.MakeSnapshot if {when!r} == "before" else snapshot_actions.ThawGuest
        kind.do = die
        guest.snapshot("cut", disks="external", quiesce=True)
        """,
        name=guest.name,
    )
    assert guest.agent("guest-fsfreeze-status") == "frozen"
    told = recovered(host)
    assert guest.agent("guest-fsfreeze-status") == "thawed"
    said(guest, "umount /mnt")
    if when == "before":
        assert guest.snapshots.names == []
    else:
        assert "the snapshot stays" in told
        guest.snapshots["cut"].delete(confirm=True)
    assert len(guest.chain("vda").layers) == 1


def test_labvirt_killed_in_an_external_revert_it_is_taken_back(guest, host, mark, marked):
    mark(guest, "old")
    guest.snapshot("s", disks="external")
    mark(guest, "new")
    paths = guest.chain("vda").paths
    guest.destroy(confirm=True)
    killed(
        host,
        """
        from labvirt.host.keeping import snapshot_text_actions
        plain = snapshot_text_actions.PointSnapshot.do
        def late(self, *args):
            plain(self, *args)
            die()
        snapshot_text_actions.PointSnapshot.do = late
        guest.snapshots["s"].revert()
        """,
        name=guest.name,
    )
    assert guest.chain("vda").paths != paths
    recovered(host)
    assert guest.chain("vda").paths == paths
    assert guest.snapshots["s"].info().overlays == {"vda": paths[0]}
    guest.start()
    guest.wait_for("agent", timeout_s=90)
    assert marked(guest) == "new"


@pytest.mark.parametrize("what", ["commit", slow("move"), slow("backup")])
def test_qemu_killed_in_the_middle_the_definition_still_names_whole_data(
    guest, folder, fill, checksum, what, monkeypatch
):
    fill(guest)
    before = overlaid(guest, fill)
    paths = guest.chain("vda").paths
    pid = qemu_of(guest)
    if what == "backup":
        from labvirt.host.keeping import backup_actions

        plain = backup_actions.PushBackup._follow

        def kill_first(self, *args):
            os.kill(pid, signal.SIGKILL)
            plain(self, *args)

        monkeypatch.setattr(backup_actions.PushBackup, "_follow", kill_first)
        job = guest.backup.job(str(folder), name="dead")
    else:
        if what == "move":
            job = guest.move_disk.job("vda", pool_of(guest), volume="dead.qcow2", speed=SLOW)
        else:
            job = guest.blockcommit.job("vda", speed=SLOW)
        while guest.block_job("vda") is None:
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(PlanError, match="QEMU ended in the middle") as caught:
        job.result(60)
    assert caught.value.undone
    assert caught.value.remains == ()
    assert guest.chain("vda").paths == paths
    assert list(folder.glob("dead*")) == []
    assert guest.checkpoints.names == []
    guest.start()
    guest.wait_for("agent", timeout_s=90)
    assert checksum(guest) == before


@pytest.mark.parametrize("what", [slow("commit"), "move"])
def test_libvirtd_killed_in_the_middle_the_job_goes_on_to_its_end(
    guests, guest, host, fill, checksum, what
):
    fill(guest)
    before = overlaid(guest, fill)
    if what == "move":
        job = guest.move_disk.job("vda", pool_of(guest), volume="on.qcow2", speed="2 MiB")
    else:
        job = guest.blockcommit.job("vda", speed="2 MiB")
    while guest.block_job("vda") is None:
        time.sleep(0.02)
    time.sleep(0.3)
    guests.lab("session").daemon("alpha", "KILL")
    result = job.result(90)
    assert len(result.chain) == 1
    assert result.chain[0] == guest.home if what == "commit" else "on.qcow2" in result.chain[0]
    assert result.chain[0] in guest.xml(inactive=True)
    assert checksum(guest) == before


def test_libvirtd_killed_in_a_backup_tells_exactly_and_leaves_no_half_file(
    guests, guest, host, folder, fill, monkeypatch
):
    from labvirt.host.keeping import backup_actions

    before = fill(guest)
    plain = backup_actions.PushBackup._follow

    def kill_first(self, *args):
        guests.lab("session").daemon("alpha", "KILL")
        plain(self, *args)

    monkeypatch.setattr(backup_actions.PushBackup, "_follow", kill_first)
    try:
        done = guest.backup(str(folder), name="daemon")
    except LabvirtError as error:
        assert "nobody knows how it ended" in str(error)  # noqa: PT017 - either end is right
        assert list(folder.glob("daemon*")) == []
        assert guest.checkpoints.names == []
    else:
        raw = folder / "sum.raw"
        source = str(done.path("vda"))
        subprocess.run(["qemu-img", "convert", "-O", "raw", source, raw], check=True)
        told = subprocess.run(["sha256sum", raw], check=True, capture_output=True, text=True)
        assert told.stdout.split()[0] == before
        raw.unlink()
        guest.checkpoints["daemon"].delete(confirm=True)
        for path in folder.glob("daemon*"):
            path.unlink()
    monkeypatch.undo()
    assert guest.agent_answers()
