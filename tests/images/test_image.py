"""qemu-img's calls on real images with real data."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from labvirt.errors import (
    AccessDeniedError,
    CancelledError,
    ConfirmationError,
    ConflictError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
    WaitTimeoutError,
)
from labvirt.images import Image, formats

MIB = 1 << 20
QUICK = {"encrypt.iter-time": 10}


def listed(folder):
    """The names in a folder."""
    return sorted(entry.name for entry in Path(folder).iterdir())


def fill(path, size=2 * MIB, hole=MIB):
    """Write random bytes, a hole, and bytes that can be compressed."""
    with Path(path).open("wb") as file:
        file.write(os.urandom(size))
        file.seek(hole, os.SEEK_CUR)
        file.write(os.urandom(1024) * (size // 1024))
    return Image(path, format="raw")


def digest(image):
    """The checksum of what a guest sees."""
    out = f"{image.path}.as-raw"
    words = ["qemu-img", "convert", "-f", image.format or image.info().format, "-O", "raw"]
    subprocess.run([*words, image.path, out], check=True, timeout=120)
    with Path(out).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    Path(out).unlink()
    return found


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def data(home):
    return fill(home / "data.raw")


def test_create_and_info_tell_the_same(home):
    image = Image(home / "a.qcow2").create("1.5 GiB", options={"cluster_size": 131072})
    record = image.info()
    assert (record.format, record.virtual_size) == ("qcow2", 1536 * MIB)
    assert record.cluster_size == 131072
    assert (record.dirty, record.corrupt, record.in_use, record.encryption) == (
        False,
        False,
        False,
        "",
    )
    assert record.actual_size == image.disk_usage() < MIB


def test_convert_goes_around_all_writable_formats_and_back(data, home):
    wanted, now = digest(data), data
    for form in ("qcow2", "vmdk", "vdi", "vhdx", "qed", "qcow", "parallels", "raw"):
        now = now.convert(home / f"around.{form}", format=form)
        assert now.info().format == form
        assert data.compare(now).equal, form
    assert digest(now) == wanted
    # vpc rounds its size up to a disk geometry: equal but for zeroes at the end
    assert data.compare(data.convert(home / "around.vpc", format="vpc")).equal


def test_convert_reports_progress_and_shows_its_shell_line(data, home):
    plan = data.convert.plan(home / "b.qcow2", compress=True)
    line = f"qemu-img convert -p -O qcow2 -c -f raw {data.path} {home / 'b.qcow2'}"
    assert plan.virsh == line
    assert "convert" in plan.python
    seen = []
    job = plan.start()
    job.listen(lambda progress: seen.append(progress.fraction))
    made = job.result()
    assert data.compare(made).equal
    assert seen[-1] == 1.0
    assert made.check().compressed > 0


def test_an_existing_target_is_replaced_only_when_confirmed(data, home):
    (home / "b.raw").write_text("mine")
    with pytest.raises(ConflictError, match=r"b\.raw exists already"):
        data.convert(home / "b.raw", format="raw")
    with pytest.raises(ConfirmationError, match=r"the file .*b\.raw"):
        data.convert(home / "b.raw", format="raw", overwrite=True)
    assert (home / "b.raw").read_text() == "mine"
    data.convert(home / "b.raw", format="raw", overwrite=True, confirm=True)
    assert data.compare(Image(home / "b.raw", format="raw")).equal


def test_a_slow_convert_is_cancelled_and_leaves_nothing(data, home):
    job = data.convert.job(home / "slow.qcow2", rate="1 MiB")
    seen = []
    job.listen(lambda _: (seen.append(1), job.cancel()))
    with pytest.raises(CancelledError):
        job.result(60)
    assert seen
    assert listed(home) == ["data.raw"]


def test_a_time_limit_ends_it_and_leaves_nothing(data, home):
    with pytest.raises(WaitTimeoutError, match="qemu-img to convert"):
        data.convert(home / "slow.qcow2", rate="1 MiB", timeout_s=0.3)
    assert listed(home) == ["data.raw"]


def test_an_overlay_keeps_its_base_until_commit(data, home):
    before = digest(data)
    base = data.convert(home / "base.qcow2")
    top = Image(home / "top.qcow2", format="qcow2").create(
        backing=base.path, backing_format="qcow2"
    )
    assert [one.path for one in top.info().chain] == [base.path]
    assert base.overlays() == (top.path,)
    write(top, 0xAB, 0, 65536)
    assert digest(base) == before
    after = digest(top)
    assert after != before
    with pytest.raises(ConfirmationError, match=r"what .*base\.qcow2 was before"):
        top.commit()
    top.commit(confirm=True)
    assert digest(base) == digest(top) == after
    assert not any(one.depth == 0 and one.data for one in top.map())


def write(image, byte, offset, length):
    """Let QEMU write into an image as a guest would."""
    words = ["qemu-io", "-f", image.format or "raw", "-c", f"write -P {byte} {offset} {length}"]
    subprocess.run([*words, image.path], check=True, capture_output=True, timeout=60)


def test_commit_names_the_other_images_that_it_breaks(data, home):
    base = data.convert(home / "base.qcow2")
    for name in ("one", "two"):
        Image(home / name, format="qcow2").create(backing=base.path, backing_format="qcow2")
    plan = Image(home / "one", format="qcow2").commit.plan()
    assert any(str(home / "two") in loss for loss in plan.destroys)
    with pytest.raises(SpecError, match="stands on no other image"):
        data.commit.plan()
    with pytest.raises(SpecError, match="is not below this image"):
        Image(home / "one", format="qcow2").commit.plan(home / "two")


def test_rebase_shows_the_guest_the_same(data, home):
    base = data.convert(home / "base.qcow2")
    other = Image(home / "other.qcow2", format="qcow2").create("5 MiB")
    top = Image(home / "top.qcow2", format="qcow2").create(
        backing=base.path, backing_format="qcow2"
    )
    write(top, 0xCD, MIB, 65536)
    wanted = digest(top)
    top.rebase(other.path, backing_format="qcow2")
    assert top.info().backing_path == other.path
    assert digest(top) == wanted
    top.rebase(None)
    assert top.info().chain == ()
    assert digest(top) == wanted
    with pytest.raises(SpecError, match="backing_format"):
        top.rebase.plan(base.path)


def test_an_unsafe_rebase_follows_a_base_that_was_moved(data, home):
    base = data.convert(home / "base.qcow2")
    top = Image(home / "top.qcow2", format="qcow2").create(
        backing=base.path, backing_format="qcow2"
    )
    wanted = digest(top)
    Path(base.path).rename(home / "moved.qcow2")
    with pytest.raises(NotFoundError, match=r"base\.qcow2"):
        top.info()
    plan = top.rebase.plan(home / "moved.qcow2", backing_format="qcow2", unsafe=True)
    assert plan.destroys
    plan.apply(confirm=True)
    assert digest(top) == wanted


def test_a_circle_of_backing_images_is_refused(data, home):
    base = data.convert(home / "base.qcow2")
    base = Image(base.path, format="qcow2")
    top = Image(home / "top.qcow2", format="qcow2").create(
        backing=base.path, backing_format="qcow2"
    )
    with pytest.raises(SpecError, match="stands on this image itself"):
        base.rebase.plan(top.path, backing_format="qcow2")


def test_resize_grows_freely_and_shrinks_only_when_told(data, home):
    image = data.convert(home / "a.qcow2")
    image.resize("64 MiB")
    assert image.info().virtual_size == 64 * MIB
    with pytest.raises(SpecError, match="is less than 64 MiB"):
        image.resize.plan("1 MiB")
    with pytest.raises(ConfirmationError, match="what lies beyond 1 MiB"):
        image.resize("1 MiB", shrink=True)
    image.resize("1 MiB", shrink=True, confirm=True)
    assert image.info().virtual_size == MIB


def test_snapshots_inside_an_image(data, home):
    image = Image(data.convert(home / "a.qcow2").path, format="qcow2")
    image.snapshot_create("before")
    before = digest(image)
    write(image, 1, 0, 65536)
    assert [one.name for one in image.info().snapshots] == ["before"]
    with pytest.raises(ConflictError, match="the name is taken"):
        image.snapshot_create.plan("before")
    with pytest.raises(SpecError, match="has no snapshot 'after'"):
        image.snapshot_apply.plan("after")
    old = image.convert(home / "old.raw", format="raw", snapshot="before")
    assert digest(old) == before != digest(image)
    image.snapshot_apply("before", confirm=True)
    assert digest(image) == before
    image.snapshot_delete("before", confirm=True)
    assert image.info().snapshots == ()
    with pytest.raises(UnsupportedError, match="support"):
        data.snapshot_create("x")


def test_check_finds_leaks_and_faults_and_repair_mends_them(data, home):
    image = data.convert(home / "a.qcow2")
    assert image.check().is_clean
    with Path(image.path).open("r+b") as file:
        # The refcount block is the third cluster: one reference too many, and one too few.
        file.seek(2 * 65536 + 2 * 8)
        file.write(b"\0\2\0\0")
    assert image.check().leaks == 1
    assert image.check().errors > 0
    with pytest.raises(ConfirmationError):
        image.repair("all")
    image.repair("all", confirm=True)
    assert image.check().is_clean
    assert data.compare(image).equal
    with pytest.raises(UnsupportedError):
        data.check()


def test_measure_map_bench_and_amend(data, home):
    told = data.measure("qcow2")
    image = data.convert(home / "a.qcow2")
    assert abs(told.required - image.info().actual_size) < MIB
    assert sum(one.length for one in image.map()) == image.info().virtual_size
    assert any(one.zero for one in image.map())
    assert image.bench(requests=20_000, depth=2).bytes_per_second > 0
    image.amend({"lazy_refcounts": True})
    assert image.info().details["lazy-refcounts"] is True
    with pytest.raises(SpecError, match="compat"):
        image.amend({"compat": "nonsense"})


def test_shrink_gives_empty_clusters_back(home):
    image = Image(home / "a.raw", format="raw").create("64 MiB", preallocation="full")
    assert image.disk_usage() >= 64 * MIB
    mode = Path(image.path).stat().st_mode
    image.shrink(confirm=True)
    assert image.disk_usage() < MIB
    assert Path(image.path).stat().st_mode == mode
    assert image.convert(home / "a.qcow2").disk_usage() < MIB


def test_luks_opens_with_its_passphrase_only_and_it_shows_nowhere(data, home):
    word = "correct horse battery staple"
    goal = Image(home / "s.qcow2", format="qcow2", passphrase=word)
    plan = data.convert.plan(goal, options=QUICK)
    for text in (str(plan), repr(plan), repr(plan.actions), plan._repr_html_()):
        assert word not in text
    made = plan.apply()
    assert made.info().encryption == "luks"
    assert data.compare(made).equal
    with pytest.raises(AccessDeniedError, match="Invalid password"):
        Image(made.path, format="qcow2", passphrase="x" * 20).compare(data)
    with pytest.raises(AccessDeniedError, match="key-secret"):
        Image(made.path, format="qcow2").map()
    back = made.convert(home / "back.raw", format="raw")
    assert digest(back) == digest(data)
    assert Path(made.path).stat().st_mode & 0o077 == 0
    for folder, _, files in os.walk(home.parent):
        for name in files:
            with (Path(folder) / name).open("rb") as file:
                assert word.encode() not in file.read(), name


def test_a_passphrase_is_never_in_an_argument_vector(data, home, monkeypatch):
    seen = []
    real = subprocess.Popen

    def spy(words, *args, **more):
        seen.append([*map(str, words), *more.get("env", {}).values()])
        return real(words, *args, **more)

    monkeypatch.setattr(subprocess, "Popen", spy)
    word = "sixteen or more characters"
    goal = Image(home / "s.luks", format="luks", passphrase=word)
    goal.create("1 MiB", options={"iter-time": 10})
    assert seen
    assert not any(word in text for words in seen for text in words)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda h, _: Image(h / "none").info(), NotFoundError, "does not exist"),
        (lambda h, _: Image(h).info(), SpecError, "is a folder"),
        (lambda h, _: Image("nbd://host/x"), SpecError, "is an address"),
        (lambda h, _: Image(""), SpecError, "is no path"),
        (lambda h, _: Image(h / "x").create(), SpecError, "size"),
        (lambda h, _: Image(h / "x").create("12"), SpecError, "12 of what"),
        (lambda h, _: Image(h / "x").create("-1 MiB"), SpecError, "negative"),
        (lambda h, _: Image(h / "no" / "x").create("1 MiB"), NotFoundError, "does not exist"),
        (lambda h, d: Image(h / "x").create(backing=d.path), SpecError, "backing_format"),
        (
            lambda h, _: Image(h / "x").create(backing=h / "no", backing_format="raw"),
            NotFoundError,
            "no does not exist",
        ),
        (lambda h, _: Image(h / "x", format="cow").create("1 MiB"), UnsupportedError, "cow"),
        (lambda h, _: Image(h / "x", format="dmg").create("1 MiB"), UnsupportedError, "creation"),
        (
            lambda h, _: Image(h / "x").create("1 MiB", options={"nonsense": 1}),
            SpecError,
            "nonsense",
        ),
        (lambda h, _: Image(h / "x", passphrase="short").create("1 MiB"), SpecError, "fewer"),
        (
            lambda h, _: Image(h / "x", format="vdi", passphrase="x" * 16).create("1 MiB"),
            SpecError,
            "cannot be encrypted",
        ),
        (lambda h, d: d.convert(d.path), SpecError, "the same file"),
        (lambda h, d: d.convert(h / "x", coroutines=99), SpecError, "1 to 16"),
        (lambda h, d: d.convert(h / "x", preallocation="some"), SpecError, "is not known"),
        (lambda h, d: d.convert(h / "x.vdi", format="vdi", compress=True), HostError, "ompress"),
        (lambda h, d: d.bench(requests=0), SpecError, "begin at 1"),
        (lambda h, d: d.repair("some"), SpecError, "'leaks' or 'all'"),
    ],
)
def test_bad_input_is_one_clear_error_and_changes_nothing(data, home, call, error, text):
    before = (listed(home), digest(data))
    with pytest.raises(error, match=text) as caught:
        call(home, data)
    assert "labvirt-part" not in str(caught.value)
    assert (listed(home), digest(data)) == before


def test_a_circle_of_links_and_a_pipe_are_no_images(home):
    (home / "a").symlink_to(home / "b")
    (home / "b").symlink_to(home / "a")
    with pytest.raises(SpecError, match="circle"):
        Image(home / "a").info()
    os.mkfifo(home / "pipe")
    with pytest.raises(SpecError, match="neither file nor block device"):
        Image(home / "pipe").info()


def test_the_table_of_formats_is_what_really_happens():
    told = {one.name: one for one in formats()}
    assert told["raw"].creates
    assert not told["raw"].snapshots
    assert told["qcow2"].creates
    assert told["qcow2"].compresses
    assert told["qcow2"].snapshots
    assert told["qcow2"].backs
    assert told["qcow2"].encrypts
    assert told["luks"].encrypts
    assert not told["cow"].known
    assert "Unknown file format" in told["cow"].said
    for name in ("cloop", "dmg", "bochs"):
        assert told[name].readonly, name
    assert not told["vdi"].encrypts
    assert told["vmdk"].compresses


def test_a_cloop_image_is_converted(home):
    """A compressed loop of two blocks, as old live CDs have them (G17.3-14)."""
    import struct
    import zlib

    block = 65536
    blocks = [os.urandom(block), bytes(block)]
    packed = [zlib.compress(one) for one in blocks]
    head = b"#!/bin/sh\n#V2.0 Format\n".ljust(128, b"\0") + struct.pack(">II", block, len(packed))
    at = len(head) + 8 * (len(packed) + 1)
    table = b""
    for one in packed:
        table += struct.pack(">Q", at)
        at += len(one)
    (home / "cd.cloop").write_bytes(head + table + struct.pack(">Q", at) + b"".join(packed))
    made = Image(home / "cd.cloop", format="cloop").convert(home / "cd.raw", format="raw")
    with Path(made.path).open("rb") as file:
        assert file.read() == b"".join(blocks)
