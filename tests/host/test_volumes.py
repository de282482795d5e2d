"""Volumes on real session hosts: made, moved, compared, and never lost to a user of theirs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.connection import volume as calls
from labvirt.errors import (
    CancelledError,
    ConfirmationError,
    ConflictError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)
from labvirt.model import (
    DomainXml,
    FileSource,
    PoolSpec,
    SecretSpec,
    Size,
    VolumeEncryption,
    VolumeSpec,
)
from labvirt.model.disk import VolumeSource

pytestmark = pytest.mark.lab
MIB = 1 << 20


def virsh(host, *words):
    done = subprocess.run(
        ["virsh", "-q", "-c", host.uri, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def image_info(path):
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def shelf(lab):
    """A pool of this module."""
    host = lab["alpha"]
    # The daemon of a session lab that root started is an ordinary user.
    place = Path(host.pools["default"].info().path).with_name("shelf")
    place.mkdir()
    place.chmod(0o777)
    pool = host.plan(PoolSpec(name="shelf", path=place)).apply()
    yield pool
    pool.delete(volumes=True, confirm=True)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.img"
    path.write_bytes(os.urandom(6 * MIB + 12345))
    return path


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def make(shelf, name, **fields):
    return shelf.plan(VolumeSpec(name=name, **{"capacity": "4 MiB", **fields})).apply()


# -- creating -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({"format": "raw", "preallocation": "off"}, 0, 0),
        ({"format": "raw"}, 4 * MIB, 4 * MIB),
        ({"format": "raw", "preallocation": "falloc"}, 4 * MIB, 4 * MIB),
        ({"format": "raw", "preallocation": "full"}, 4 * MIB, 4 * MIB),
        ({}, 0, 300_000),
        ({"preallocation": "metadata"}, 0, 600_000),
        ({"preallocation": "falloc"}, 4 * MIB, 5 * MIB),
    ],
    ids=lambda value: (
        "-".join(map(str, value.values())) or "thin" if isinstance(value, dict) else ""
    ),
)
def test_space_is_taken_as_asked(shelf, fields, least, most):
    volume = make(shelf, "space", **fields)
    record = volume.info()
    assert record.capacity == 4 * MIB
    assert record.format == fields.get("format", "qcow2")
    assert least <= record.allocation <= most
    told = dict(
        line.split(":", 1)
        for line in virsh(
            shelf.host, "vol-info", "space", "--pool", "shelf", "--bytes"
        ).splitlines()
    )
    assert int(told["Capacity"].split()[0]) == record.capacity
    assert int(told["Allocation"].split()[0]) == record.allocation


def test_features_and_rights_are_those_of_the_spec(shelf):
    volume = make(
        shelf, "features.qcow2", mode="0640", compat="1.1", cluster_size="128 KiB",
        lazy_refcounts=True, extended_l2=True,
    )  # fmt: skip
    told = image_info(volume.path)
    assert told["cluster-size"] == 128 * 1024
    specific = told["format-specific"]["data"]
    assert (specific["compat"], specific["lazy-refcounts"], specific["extended-l2"]) == (
        "1.1",
        True,
        True,
    )
    assert Path(volume.path).stat().st_mode & 0o777 == 0o640
    assert make(shelf, "old.qcow2", compat="0.10").info().format == "qcow2"
    assert (
        image_info(Path(volume.path).with_name("old.qcow2"))["format-specific"]["data"]["compat"]
        == "0.10"
    )


def test_a_secret_is_kept_and_nobody_sees_it(shelf, tmp_path):
    host = shelf.host
    spec = SecretSpec(usage=f"{shelf.info().path}/kept.luks")
    words = b"open-sesame-4711"
    file = tmp_path / "words"
    file.write_bytes(words)
    file.chmod(0o644)
    with pytest.raises(SpecError, match="others can read it"):
        host.make_secret(spec, file)
    file.chmod(0o600)
    plan = host.make_secret.plan(spec, file)
    secret = plan.apply()
    shown = str(plan) + plan._repr_html_() + plan.virsh + secret.xml() + repr(secret)
    shown += json.dumps(host.journal.entries())
    assert words.decode() not in shown
    assert host.secrets[spec.usage].uuid == secret.uuid
    assert spec.usage in virsh(host, "secret-list")
    with pytest.raises(ConflictError, match="exists already"):
        host.make_secret(spec, b"other")
    wanted = VolumeSpec(
        name="x", capacity="1 MiB", encryption=VolumeEncryption(secret_usage="/none")
    )
    with pytest.raises(NotFoundError, match="no such secret"):
        shelf.plan(wanted)
    with pytest.raises(ConfirmationError):
        secret.undefine()
    secret.undefine(confirm=True)
    assert secret.uuid not in {one.uuid for one in host.secrets.records}


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize(("form", "kind"), [("raw", "luks"), ("qcow2", "qcow2")])
def test_an_encrypted_volume_opens_with_its_secret_only(shelf, form, kind, tmp_path):
    words = b"open-sesame-4711"
    usage = f"{shelf.info().path}/safe.{form}"
    secret = shelf.host.make_secret(SecretSpec(usage=usage), words)
    try:
        encryption = VolumeEncryption(secret_usage=usage)
        spec = VolumeSpec(name=f"safe.{form}", capacity="1 MiB", format=form, encryption=encryption)
        volume = shelf.plan(spec).apply()
        assert image_info(volume.path)["format"] == kind
        assert volume.info().capacity == MIB
        for phrase, opens in ((words, True), (b"wrong", False)):
            file = tmp_path / "phrase"
            file.write_bytes(phrase)
            key = "encrypt.key-secret" if form == "qcow2" else "key-secret"
            options = f"driver={kind},file.filename={volume.path},{key}=s0"
            done = subprocess.run(
                ["qemu-io", "--object", f"secret,id=s0,file={file}", "--image-opts", "-r",
                 "-c", "read 0 512", options],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert ("read 512/512" in done.stdout) is opens, done.stderr
    finally:
        secret.undefine(confirm=True)


def test_a_secret_without_value_is_said_before_anything_is_made(shelf):
    spec = SecretSpec(usage="/empty", private=False)
    secret = shelf.host.make_secret(spec)
    try:
        with pytest.raises(SpecError, match="has no value yet"):
            shelf.plan(
                VolumeSpec(
                    name="x", capacity="1 MiB", encryption=VolumeEncryption(secret_usage="/empty")
                )
            )
    finally:
        secret.undefine(confirm=True)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"capacity": "1 EiB"}, "larger than the whole pool"),
        ({"capacity": "8 PiB", "format": "raw"}, "is more than the"),
        ({"format": "linux"}, "pool shelf has files"),
        ({"preallocation": "full"}, "raw images only"),
        ({"backing_path": "/nowhere.img", "backing_format": "raw"}, "does not exist"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(shelf, fields, why):
    before = shelf.volumes.names
    with pytest.raises((SpecError, NotFoundError), match=why):
        make(shelf, "x", **fields)
    assert shelf.volumes.names == before


def test_thin_volumes_are_counted_and_overcommit_is_warned_about(shelf):
    free = shelf.available
    half = Size(int(free * 0.6) // MIB * MIB)
    first = shelf.plan(VolumeSpec(name="thin1.qcow2", capacity=half))
    assert first.warnings == ()
    first.apply()
    second = shelf.plan(VolumeSpec(name="thin2.qcow2", capacity=half))
    assert any("a full pool pauses its guests" in words for words in second.warnings)
    shelf.volumes["thin1.qcow2"].delete(confirm=True)


def test_a_volume_that_exists_is_never_overwritten(shelf, data):
    volume = make(shelf, "mine", format="raw")
    (Path(volume.path)).write_bytes(b"precious" + bytes(4 * MIB - 8))
    with pytest.raises(ConflictError, match="exists already"):
        make(shelf, "mine")
    with pytest.raises(ConflictError, match="exists already"):
        shelf.upload(data, "mine")
    assert Path(volume.path).read_bytes()[:8] == b"precious"


def test_virsh_and_labvirt_read_each_others_volumes(shelf):
    host = shelf.host
    virsh(host, "vol-create-as", "shelf", "theirs.qcow2", "3M", "--format", "qcow2")
    virsh(
        host, "vol-create-as", "shelf", "over.qcow2", "3M", "--format", "qcow2",
        "--backing-vol", "theirs.qcow2", "--backing-vol-format", "qcow2",
    )  # fmt: skip
    make(shelf, "ours.raw", format="raw")
    for name in ("theirs.qcow2", "over.qcow2", "ours.raw"):
        volume = shelf.volumes[name]
        assert virsh(host, "vol-dumpxml", name, "--pool", "shelf") == volume.xml().strip()
        assert virsh(host, "vol-path", name, "--pool", "shelf") == volume.path
    over = shelf.volumes["over.qcow2"].info()
    assert (over.backing_path, over.backing_format) == (shelf.volumes["theirs.qcow2"].path, "qcow2")


# -- the inventory --------------------------------------------------------------------------------


def test_the_quick_inventory_says_what_libvirt_says(shelf, tmp_path):
    host = shelf.host
    base = make(shelf, "i-base.qcow2")
    make(shelf, "i-over.qcow2", capacity=None, backing_path=base.path, backing_format="qcow2")
    make(shelf, "i-raw", format="raw", preallocation="off")
    folder = Path(shelf.info().path)
    (folder / "i-vdi").write_bytes(bytes(64) + b"\x7f\x10\xda\xbe" + bytes(4096))
    (folder / "i.iso").write_bytes(bytes(32769) + b"CD001" + bytes(4096))
    (folder / "i-empty").write_bytes(b"")
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "i-base.qcow2", "-F", "qcow2", "i-rel.qcow2"],
        cwd=folder, check=True, timeout=30,
    )  # fmt: skip
    for path in folder.glob("i*"):
        path.chmod(0o666)
    shelf.refresh()
    quick = {record.name: record for record in shelf.volumes.records}
    slow = {record.name: record for record in calls.list_all(host.connection, shelf.uuid)}
    assert quick == slow
    frame = shelf.volumes.df
    assert set(frame["name"]) == set(slow)
    assert frame.attrs["units"]["capacity"] == "bytes"


def test_the_inventory_needs_one_call_and_blocks_nobody(shelf, monkeypatch):
    folder = Path(shelf.info().path)
    for number in range(300):
        (folder / f"many-{number}").write_bytes(b"x")
    shelf.refresh()
    asked = []
    real = type(shelf.host.connection).call

    def count(self, what, *args, **options):
        if threading.current_thread() is threading.main_thread():
            asked.append(what)
        return real(self, what, *args, **options)

    monkeypatch.setattr(
        type(shelf.host.connection),
        "call",
        count,
    )
    assert len(shelf.volumes.records) >= 300
    # The pool's type, and the list.
    assert len(asked) == 2, asked
    monkeypatch.undo()
    for path in folder.glob("many-*"):
        path.unlink()
    shelf.refresh()


# -- who uses it, chains ----------------------------------------------------------------------------


def test_all_users_of_a_file_are_found_by_all_its_names(shelf, alpha, spec):
    base = make(shelf, "u-base.qcow2")
    twin = Path(base.path).with_name("u-twin.qcow2")
    os.link(base.path, twin)
    link = Path(base.path).with_name("u-link.qcow2")
    link.symlink_to(base.path)
    over = make(shelf, "u-over.qcow2", backing_path=base.path, backing_format="qcow2")
    disks = (lv.DiskSpec(source=FileSource(path=str(link), format="qcow2"), readonly=True),)
    by_link = alpha.plan(spec.replace(name="u1", disks=disks), start=False).apply()
    disks = (lv.DiskSpec(source=VolumeSource(pool="shelf", name="u-over.qcow2", format="qcow2")),)
    by_name = alpha.plan(spec.replace(name="u2", disks=disks)).apply()
    shelf.refresh()
    try:
        found = {(user.kind, user.name, user.active) for user in base.users()}
        assert {("domain", "u1", False), ("volume", "shelf/u-over.qcow2", False)} <= found
        assert {u.name for u in shelf.volumes["u-twin.qcow2"].users()} >= {
            "u1",
            "shelf/u-over.qcow2",
        }
        ups = {(user.name, user.how, user.active) for user in over.users()}
        assert ("u2", "disk vda", True) in ups
        with pytest.raises(ConflictError, match="u1") as caught:
            base.delete(confirm=True)
        assert "shelf/u-over.qcow2" in str(caught.value)
        with pytest.raises(ConflictError, match="blockresize"):
            over.resize("8 MiB")
        with pytest.raises(ConflictError, match="torn"):
            over.clone("u-copy")
        with pytest.raises(ConflictError, match="in use"):
            over.wipe(confirm=True)
        assert [part.name for part in over.chain()] == ["u-over.qcow2", "u-base.qcow2"]
        tree = {node.image.name: node for node in shelf.tree()}["u-base.qcow2"]
        assert [node.image.name for node in tree.over] == ["u-over.qcow2"]
        assert "u2" in str(tree)
    finally:
        by_name.destroy(confirm=True)
        by_name.undefine(confirm=True)
        by_link.undefine(confirm=True)
        over.delete(confirm=True)
        for path in (twin, link):
            path.unlink()
        shelf.refresh()
    base.delete(confirm=True)


def test_a_snapshot_is_a_user(shelf, alpha, spec):
    disk = make(shelf, "s-disk.qcow2")
    disks = (lv.DiskSpec(source=FileSource(path=disk.path, format="qcow2")),)
    domain = alpha.plan(spec.replace(name="snapped", disks=disks), start=False).apply()
    virsh(alpha, "snapshot-create-as", "snapped", "before")
    xml = DomainXml.parse(domain.xml())
    xml.disks.clear()
    alpha.define(xml.text())
    try:
        assert [(user.kind, user.name) for user in disk.users()] == [("snapshot", "snapped/before")]
        with pytest.raises(ConflictError, match="snapshot snapped/before"):
            disk.delete(confirm=True)
    finally:
        virsh(alpha, "snapshot-delete", "snapped", "before", "--metadata")
        domain.undefine(confirm=True)
    disk.delete(confirm=True)


def test_a_chain_with_a_hole_says_where(shelf):
    base = make(shelf, "c-base.qcow2")
    over = make(shelf, "c-over.qcow2", backing_path=base.path, backing_format="qcow2")
    Path(base.path).unlink()
    shelf.refresh()
    assert [part.missing for part in over.chain()] == [False, True]
    assert any(node.image.missing for node in shelf.tree())
    over.delete(confirm=True)


# -- changes --------------------------------------------------------------------------------------


def test_a_volume_grows_and_shrinks_only_when_confirmed(shelf):
    volume = make(shelf, "size", format="raw", preallocation="off")
    volume.resize("8 MiB")
    assert volume.info().capacity == 8 * MIB
    with pytest.raises(ConfirmationError, match="behind 2 MiB"):
        volume.resize("2 MiB")
    volume.resize("2 MiB", confirm=True)
    assert volume.info().capacity == 2 * MIB
    assert make(shelf, "grow.qcow2").resize.plan("1 GiB").virsh.endswith("1073741824 --pool shelf")
    with pytest.raises(UnsupportedError, match="qemu-img resize --shrink"):
        shelf.volumes["grow.qcow2"].resize("1 MiB", confirm=True)
    for wrong in ("0 B", "-1 GiB", "many", "1 EiB"):
        with pytest.raises(SpecError):
            volume.resize(wrong)
    volume.resize("4 MiB", allocate=True)
    assert volume.info().allocation == 4 * MIB


def test_a_clone_has_the_same_bytes_in_another_pool_and_format(shelf, data):
    source = shelf.upload(data, "c-source")
    copy = source.clone("c-copy")
    assert copy.checksum() == source.checksum() == sha(data)
    default = shelf.host.pools["default"]
    away = source.clone("c-away.qcow2", pool="default", format="qcow2")
    assert away.pool == default
    assert away.info().format == "qcow2"
    same = subprocess.run(["qemu-img", "compare", source.path, away.path], timeout=60, check=False)
    assert same.returncode == 0
    with pytest.raises(ConflictError, match="exists already"):
        source.clone("c-copy")
    with pytest.raises(HostError):
        source.clone("c-reflink", reflink=True)
    assert "c-reflink" not in shelf.volumes
    away.delete(confirm=True)


def test_wiping_needs_a_yes_and_a_way(shelf, data):
    volume = shelf.upload(data, "w")
    with pytest.raises(ConfirmationError, match="the bytes of volume w"):
        volume.wipe()
    assert volume.checksum() == sha(data)
    volume.wipe(confirm=True)
    assert not any(Path(volume.path).read_bytes())
    with pytest.raises(SpecError, match="zero, nnsa"):
        volume.wipe("magic", confirm=True)
    with pytest.raises(UnsupportedError, match="rbd"):
        volume.wipe("trim", confirm=True)
    if shutil.which("scrub"):
        volume.wipe("random", confirm=True)
        assert any(Path(volume.path).read_bytes())
    else:
        with pytest.raises(UnsupportedError, match="scrub"):
            volume.wipe("random", confirm=True)


# -- bytes ----------------------------------------------------------------------------------------


def test_bytes_go_up_and_come_down_compared(shelf, data, tmp_path):
    job = shelf.upload.job(data)
    stages = []
    job.listen(lambda progress: stages.append(progress.stage))
    volume = job.result(60)
    assert volume.name == "data.img"
    assert volume.checksum() == sha(data) == sha(volume.path)
    assert any("/s" in stage for stage in stages)
    got = volume.download(tmp_path / "back.img")
    assert got.sha256 == sha(data) == sha(tmp_path / "back.img")
    assert got.size == got.sent == data.stat().st_size
    with pytest.raises(ConflictError, match="exists already"):
        volume.download(tmp_path / "back.img")
    assert not list(tmp_path.glob("*.part"))
    volume.delete(confirm=True)


def test_holes_stay_holes_both_ways(shelf, tmp_path):
    path = tmp_path / "holes.img"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
        file.seek(8 * MIB)
        file.write(os.urandom(MIB))
        file.seek(40 * MIB + 777)
        file.write(b"end")
    volume = shelf.upload(path)
    assert volume.info().allocation < 4 * MIB
    assert volume.info().capacity == 64 * MIB
    volume.download(tmp_path / "back")
    assert (tmp_path / "back").stat().st_blocks * 512 < 4 * MIB
    assert sha(tmp_path / "back") == sha(path)


def test_a_rate_is_kept(shelf, data):
    began = time.monotonic()
    shelf.upload(data, "slow", rate="8 MiB", verify=False)
    assert 0.6 < time.monotonic() - began < 3
    for wrong in (0, -5, "0 B"):
        with pytest.raises(SpecError):
            shelf.upload(data, "slower", rate=wrong)


def test_a_cancelled_upload_leaves_nothing_unless_it_shall_be_resumed(shelf, data):
    for keep in (False, True):
        job = shelf.upload.job(data, "cut", rate="2 MiB", keep_partial=keep)
        seen = []
        job.listen(lambda progress, seen=seen: seen.append(progress.fraction or 0))
        while not (seen and seen[-1] > 0.2):
            time.sleep(0.01)
        job.cancel()
        with pytest.raises(CancelledError) as caught:
            job.result(20)
        shelf.refresh()
        assert ("cut" in shelf.volumes) is keep
    assert "resume=True" in str(caught.value)
    volume = shelf.volumes["cut"]
    assert volume.checksum() != sha(data)
    done = volume.upload(data, resume=True)
    assert 0.15 * done.size < done.offset < 0.9 * done.size
    assert done.sent == done.size - done.offset
    assert done.sha256 == sha(data) == volume.checksum()
    again = volume.upload(data, resume=True)
    assert again.sent == 0


UPLOADER = textwrap.dedent(
    """
    import sys
    import labvirt as lv
    host = lv.connect(sys.argv[1])
    host.pools["shelf"].upload(sys.argv[2], "killed", rate="2 MiB", keep_partial=sys.argv[3] == "keep")
    """
)


@pytest.mark.parametrize("keep", ["keep", "drop"])
def test_a_killed_uploader_leaves_something_to_resume_or_nothing(
    shelf, alpha, data, keep, eventually
):
    child = subprocess.Popen([sys.executable, "-c", UPLOADER, alpha.uri, str(data), keep])
    place = Path(shelf.info().path) / "killed"
    eventually(lambda: place.exists() and place.stat().st_blocks * 512 > MIB, "some bytes to come")
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    with lv.connect(alpha.uri) as host:
        pool = host.pools["shelf"]
        pool.refresh()
        if keep == "drop":
            assert any("upload" in str(one) for one in host.recovered)
            assert "killed" not in pool.volumes
            return
        volume = pool.volumes["killed"]
        done = volume.upload(data, resume=True)
        assert 0 < done.offset < done.size
        assert volume.checksum() == sha(data)
        volume.delete(confirm=True)


def test_an_upload_whose_daemon_dies_tells_its_state_and_goes_on(shelf, lab, data):
    with lv.connect(shelf.host.uri) as host:
        pool = host.pools["shelf"]
        job = pool.upload.job(data, "orphan", rate="2 MiB", keep_partial=True)
        while not (job.progress.fraction or 0) > 0.2:
            time.sleep(0.01)
        lab.daemon("alpha", "KILL")
        with pytest.raises(HostError, match=r"have been sent, the volume is not whole") as caught:
            job.result(60)
        assert "resume=True" in str(caught.value)
        host.connection.wait_link(20)
        if not pool.info().is_active:
            pool.start()
        pool.refresh()
        volume = pool.volumes["orphan"]
        done = volume.upload(data, resume=True)
        assert 0 < done.offset < done.size
        assert volume.checksum() == sha(data)
        volume.delete(confirm=True)
    shelf.host.connection.wait_link(20)


def test_a_download_that_was_cut_goes_on(shelf, data, tmp_path):
    volume = shelf.upload(data, "d")
    target = tmp_path / "d.img"
    job = volume.download.job(target, rate="2 MiB")
    while not (job.progress.fraction or 0) > 0.2:
        time.sleep(0.01)
    job.cancel()
    with pytest.raises(CancelledError, match=r"d.img.part"):
        job.result(20)
    assert not target.exists()
    with pytest.raises(ConflictError, match="resume=True"):
        volume.download(target)
    done = volume.download(target, resume=True)
    assert 0 < done.offset < done.size
    assert sha(target) == sha(data)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="root is missing: a small file system is mounted")
def test_a_download_to_a_full_disk_says_what_has_come(shelf, data, tmp_path):
    volume = shelf.upload(data, "g")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "t", small], check=True, timeout=10)
    try:
        job = volume.download.job(small / "g.img", rate="8 MiB")
        (small / "ballast").write_bytes(bytes(5 * MIB))
        with pytest.raises(
            HostError, match=r"are in .*g\.img\.part; it cannot be written: .*No space"
        ):
            job.result(30)
        (small / "ballast").unlink()
        assert volume.download(small / "g.img", resume=True).sha256 == sha(data)
        with pytest.raises(SpecError, match="has no room"):
            volume.download(small / "h.img")
    finally:
        subprocess.run(["umount", small], check=True, timeout=10)


def test_a_part_of_something_else_is_not_built_upon(shelf, data, tmp_path):
    volume = shelf.upload(data, "e")
    part = tmp_path / "e.img.part"
    part.write_bytes(data.read_bytes()[:MIB] + b"other" * 1000)
    done = volume.download(tmp_path / "e.img", resume=True)
    assert done.offset == MIB
    assert sha(tmp_path / "e.img") == sha(data)


def test_a_changed_volume_is_told_by_the_comparison(shelf, data):
    from labvirt.host.storage.transfer import compare
    from labvirt.plan import JobControl

    volume = shelf.upload(data, "f")
    with Path(volume.path).open("r+b") as file:
        file.seek(3 * MIB)
        file.write(b"flip")
    control = JobControl(lambda _: None)
    with pytest.raises(HostError, match=f"differ from byte {3 * MIB}"):
        compare(shelf.host.connection, (shelf.uuid, "f"), str(data), data.stat().st_size, control)


def test_uploading_over_bytes_needs_a_yes_and_room(shelf, data, tmp_path):
    volume = make(shelf, "small", format="raw")
    with pytest.raises(SpecError, match="larger than the volume"):
        volume.upload(data, confirm=True)
    volume.resize("8 MiB")
    with pytest.raises(ConfirmationError, match="the bytes of volume small"):
        volume.upload(data)
    volume.upload(data, confirm=True)
    assert Path(volume.path).read_bytes()[: data.stat().st_size] == data.read_bytes()


def iso(boot=True, size=40 * 2048, told=40):
    image = bytearray(size)
    image[32768:32775] = b"\x01CD001\x01"
    image[32768 + 80 : 32768 + 84] = told.to_bytes(4, "little")
    image[32768 + 128 : 32768 + 130] = (2048).to_bytes(2, "little")
    if boot:
        image[34816 : 34816 + 30] = b"\0CD001\x01EL TORITO SPECIFICATION"
    return bytes(image)


def test_an_iso_that_is_none_is_refused(shelf, tmp_path):
    path = tmp_path / "debian.iso"
    cases = [
        (b"<html>404</html>" * 5000, "is no ISO image"),
        (iso(told=4000), "cut off"),
        (b"", "empty"),
    ]
    for content, why in cases:
        path.write_bytes(content)
        with pytest.raises(SpecError, match=why):
            shelf.upload(path)
    assert "debian.iso" not in shelf.volumes
    path.write_bytes(iso(boot=False))
    assert any("no guest can start" in words for words in shelf.upload.plan(path).warnings)
    path.write_bytes(iso())
    assert shelf.upload.plan(path).warnings == ()
    assert shelf.upload(path).info().format == "iso"
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(SpecError):
            shelf.upload(missing)


def test_a_qcow2_image_is_known_as_one_after_its_upload(shelf, tmp_path):
    path = tmp_path / "guest.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "5G"], check=True, timeout=30)
    record = shelf.upload(path).info()
    assert (record.format, record.capacity) == ("qcow2", 5 << 30)


def test_a_refresh_waits_for_work_in_the_pool(shelf):
    """Libvirt refuses it meanwhile; plans refresh pools, so two at once met that now and then."""
    volume = shelf.plan(VolumeSpec(name="busy.raw", capacity="400 MiB", format="raw")).apply()
    job = volume.wipe.job(confirm=True)
    refreshed = 0
    while not job.done():
        shelf.refresh()
        refreshed += 1
    job.result(60)
    assert refreshed
    volume.delete(confirm=True)
