"""Block jobs of a running guest: its data are the same after each, and cancelling loses nothing."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from labvirt.errors import (
    CancelledError,
    ConfirmationError,
    ConflictError,
    LabvirtError,
    NotFoundError,
    PlanError,
    SpecError,
    UnsupportedError,
)

pytestmark = pytest.mark.lab

BOTH = pytest.mark.parametrize(
    "backend",
    ["session", pytest.param("system", marks=pytest.mark.slow(seconds=15))],
    indirect=True,
)


@pytest.fixture
def other(host):
    """A second pool of the host."""
    from labvirt.connection import pool as pools
    from labvirt.model import PoolSpec

    link = host.connection
    if "other" in host.pools:
        yield host.pools["other"]
        return
    first = next(iter(host.pools)).info()
    place = Path(first.path) / "other"
    uuid = pools.define(link, PoolSpec(name="other", path=str(place)).to_xml())
    pools.build(link, uuid)
    pools.start(link, uuid)
    yield host.pools["other"]


def layered(guest, fill, *names):
    """Lay overlays over the guest's disk, each with data of its own; forget the snapshots."""
    for number, name in enumerate(names):
        guest.snapshot(name, disks="external")
        fill(guest, seek_mib=2 * number, count_mib=3)
    for name in reversed(names):
        guest.snapshots[name].delete(metadata_only=True)


def stored(guest):
    return guest.xml(inactive=True)


@pytest.mark.slow(seconds=16)
@BOTH
def test_a_volume_moves_to_another_pool_and_back_while_its_guest_runs(
    guest, other, fill, checksum, said
):
    before = fill(guest)
    said(guest, "while :; do date > /run/beat; sleep 0.2; done >/dev/null 2>&1 &")
    pool = next(one.name for one in guest.host.pools if guest.home.startswith(one.info().path))
    told = []
    job = guest.move_disk.job("vda", "other")
    job.listen(told.append)
    result = job.result(60)
    new = f"{other.info().path}/{Path(guest.home).name}"
    assert result.chain == (new,)
    assert result.unused == (guest.home,)
    assert Path(guest.home).exists()
    assert result.done == 8 * 2**20
    assert any("MiB/s" in one.stage for one in told)
    assert new in stored(guest)
    assert guest.home not in stored(guest)
    assert checksum(guest) == before

    with pytest.raises(ConflictError, match="exists already"):
        guest.move_disk("vda", pool)
    with pytest.raises(ConfirmationError, match="old file"):
        guest.move_disk("vda", pool, volume="back.qcow2", delete_old=True)
    back = guest.move_disk("vda", pool, volume="back.qcow2", delete_old=True, confirm=True)
    assert not Path(new).exists()
    assert back.unused == ()
    assert checksum(guest) == before

    # And while it is off.
    guest.shutdown(then="destroy", timeout_s=20, confirm=True)
    guest.move_disk("vda", "other", volume="off.qcow2")
    assert guest.chain("vda").paths == (f"{other.info().path}/off.qcow2",)
    guest.start()
    guest.wait_for("agent", timeout_s=90)
    assert checksum(guest) == before


@pytest.mark.slow(seconds=16)
def test_commit_and_pull_keep_the_data_and_tell_what_is_unused(guest, fill, checksum):
    fill(guest)
    layered(guest, fill, "a", "b", "c")
    before = checksum(guest)
    c, b, a, base = guest.chain("vda").paths
    middle = guest.blockcommit("vda", top=b, base=a)
    assert middle.chain == (c, a, base)
    assert middle.unused == (b,)
    assert checksum(guest) == before
    pulled = guest.blockpull("vda", base=base)
    assert pulled.chain == (c, base)
    assert checksum(guest) == before
    down = guest.blockcommit("vda", delete=True, confirm=True)
    assert down.chain == (base,)
    assert not Path(c).exists()
    assert checksum(guest) == before
    assert c not in stored(guest)

    layered(guest, fill, "d")
    before = checksum(guest)
    whole = guest.blockpull("vda")
    assert len(whole.chain) == 1
    assert whole.unused == (base,)
    assert checksum(guest) == before


def test_a_copy_is_the_disk_as_it_was_at_the_end(guest, fill, folder):

    before = fill(guest)
    path = folder / "copy.qcow2"
    result = guest.blockcopy("vda", str(path))
    assert result.chain == (guest.home,)
    assert result.copy == str(path)
    fill(guest, count_mib=1)
    raw = folder / "copy.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    said = subprocess.run(["sha256sum", raw], check=True, capture_output=True, text=True).stdout
    assert said.split()[0] == before
    with pytest.raises(ConflictError, match="exists already"):
        guest.blockcopy("vda", str(path))
    with pytest.raises(ConfirmationError, match=r"copy\.qcow2"):
        guest.blockcopy("vda", str(path), reuse=True)
    raw.unlink()
    path.unlink()


def test_cancelling_and_time_outs_leave_the_disk_where_it_was(guest, fill, checksum, folder):
    before = fill(guest)
    path = folder / "slow.qcow2"
    job = guest.blockcopy.job("vda", str(path), speed="1 MiB")
    while guest.block_job("vda") is None:
        time.sleep(0.02)
    with pytest.raises(ConflictError, match="has a block job already"):
        guest.blockcopy("vda", str(folder / "second.qcow2"))
    with pytest.raises(ConflictError, match="not ready"):
        guest.abort_block_job("vda", pivot=True)
    assert guest.block_job("vda").limit == 2**20
    job.cancel()
    with pytest.raises(CancelledError, match="as before"):
        job.result(30)
    assert not path.exists()
    assert guest.block_job("vda") is None

    with pytest.raises(PlanError, match=r"waited 0\.5 s") as caught:
        guest.blockcopy("vda", str(path), speed="1 MiB", timeout_s=0.5)
    assert "aborted: the disk lies on" in caught.value.undone[0]
    assert not path.exists()

    # A limit that is taken away lets the job end.
    job = guest.blockcopy.job("vda", str(path), speed="1 MiB")
    while guest.block_job("vda") is None:
        time.sleep(0.02)
    guest.set_block_job_speed("vda", None)
    job.result(30)

    # Somebody else aborts it.
    second = folder / "second.qcow2"
    job = guest.blockcopy.job("vda", str(second), speed="1 MiB")
    while guest.block_job("vda") is None:
        time.sleep(0.02)
    guest.abort_block_job("vda")
    with pytest.raises(PlanError, match="somebody else aborted it"):
        job.result(30)
    assert not second.exists()
    assert checksum(guest) == before


def test_a_disk_grows_while_the_guest_runs_and_never_shrinks(guest, said):
    assert guest.blockresize("vda", "40 MiB") == 40 * 2**20
    assert said(guest, "cat /sys/block/vda/size") == str(40 * 2048)
    with pytest.raises(SpecError, match="cut off"):
        guest.blockresize("vda", "4 MiB")
    with pytest.raises(SpecError, match="size"):
        guest.blockresize("vda", "many")


@pytest.mark.parametrize(
    ("verb", "args", "error", "match"),
    [
        ("blockcommit", ("vda",), ConflictError, "one file only"),
        ("blockpull", ("vda",), ConflictError, "nothing lies"),
        ("blockpull", ("vdz",), SpecError, "did you mean 'vda'"),
        ("blockcopy", ("vda",), SpecError, "either a path or a pool"),
        ("blockcopy", ("vda", "relative"), SpecError, "absolute"),
        ("move_disk", ("vda", "nopool"), NotFoundError, "nopool"),
        ("abort_block_job", ("vda",), ConflictError, "no block job"),
    ],
)
def test_what_cannot_be_is_one_clear_error(guest, verb, args, error, match):
    with pytest.raises(error, match=match):
        getattr(guest, verb)(*args)


def test_a_file_that_another_domain_needs_is_not_changed(guest, host, fill):
    """A linked clone lies over the base of this guest."""
    import labvirt as lv
    from labvirt.model import NewVolume

    layered(guest, fill, "top")
    base = guest.chain("vda").paths[1]
    source = NewVolume(backing_path=base, backing_format="qcow2", name="linked.qcow2")
    clone = lv.DomainSpec(
        name="linked", memory="32 MiB", interfaces=(), disks=(lv.DiskSpec(source=source),)
    )
    host.plan(clone, start=False).apply()
    with pytest.raises(ConflictError, match="also belongs to linked"):
        guest.blockcommit("vda")
    host.domains["linked"].undefine(confirm=True)
    guest.blockcommit("vda")


def test_an_encrypted_disk_is_not_copied_in_clear(guest, monkeypatch):
    from labvirt.host.keeping import backup, blockjobs, judging, moving_disks
    from labvirt.host.storage.chain import chains_of
    from labvirt.model import DomainXml

    secret = "<encryption format='luks'><secret type='passphrase' uuid='{0}'/></encryption>"
    xml = guest.xml().replace("<backingStore/>", secret.format(guest.uuid) + "<backingStore/>", 1)
    (chain,) = chains_of(guest.host, DomainXml.parse(xml))
    assert chain.encrypted
    assert not guest.chain("vda").encrypted
    for room in (backup, judging, blockjobs):
        monkeypatch.setattr(room, "chains_of", lambda *_: (chain,))
    for room in (blockjobs, moving_disks):
        monkeypatch.setattr(room, "chain_of", lambda *_: chain)
    for verb, args, options in (
        ("move_disk", ("vda", "shared"), {}),
        ("blockcopy", ("vda", "/x"), {}),
        ("backup", ("/tmp",), {}),
        ("backup_pull", (), {}),
        ("snapshot", ("s",), {"disks": "external"}),
    ):
        with pytest.raises(UnsupportedError, match="is encrypted"):
            getattr(guest, verb)(*args, **options)


def test_internal_snapshots_would_not_move(guest, other):
    guest.snapshot("inside")
    with pytest.raises(ConflictError, match="inside lie inside its image"):
        guest.move_disk("vda", "other")
    guest.snapshots["inside"].delete(confirm=True)


def test_a_domain_that_is_off_says_so(guest):
    guest.shutdown(then="destroy", timeout_s=20, confirm=True)
    for verb, args in (
        ("blockcommit", ("vda",)),
        ("blockresize", ("vda", "1 GiB")),
        ("backup", ("/tmp",)),
        ("backup_pull", ()),
        ("checkpoint", ("x",)),
    ):
        with pytest.raises(LabvirtError, match="does not run"):
            getattr(guest, verb)(*args)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="root is missing: a small file system is mounted")
def test_a_pool_that_fills_in_the_middle_leaves_the_disk_where_it_was(guest, host, fill, checksum):
    from labvirt.connection import pool as pools
    from labvirt.model import PoolSpec

    before = fill(guest)
    place = Path(guest.home).parent / "small"
    place.mkdir()
    owner = place.parent.stat()
    size = f"size=12m,uid={owner.st_uid},gid={owner.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "small", place], check=True)
    link = host.connection
    uuid = pools.define(link, PoolSpec(name="small", path=str(place)).to_xml())
    try:
        pools.start(link, uuid)
        (place / "ballast").write_bytes(bytes(5 * 2**20))
        pools.refresh(link, uuid)
        with pytest.raises(ConflictError, match="are needed, pool small has"):
            guest.move_disk("vda", "small")
        (place / "ballast").unlink()
        pools.refresh(link, uuid)
        plan = guest.move_disk.plan("vda", "small")
        (place / "ballast").write_bytes(bytes(8 * 2**20))
        with pytest.raises(PlanError, match="is the storage full") as caught:
            plan.apply()
        assert caught.value.remains == ()
        assert [path.name for path in place.iterdir()] == ["ballast"]
        assert guest.chain("vda").paths == (guest.home,)
        assert checksum(guest) == before
        (place / "ballast").unlink()
        pools.refresh(link, uuid)
        guest.move_disk("vda", "small")
        assert checksum(guest) == before
        guest.move_disk("vda", "other" if "other" in host.pools else "shared")
    finally:
        pools.stop(link, uuid)
        pools.undefine(link, uuid)
        subprocess.run(["umount", place], check=True)
        place.rmdir()
