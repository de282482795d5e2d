"""Pools that need root and the kernel: file systems and partitions on loop devices, a full disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    ConfirmationError,
    ConflictError,
    LabError,
    NotFoundError,
    PlanError,
    SpecError,
    UnsupportedError,
)
from labvirt.host.hostfiles import HostFiles
from labvirt.model import FileSource, PoolSpec, VolumeSpec

pytestmark = pytest.mark.lab
MIB = 1 << 20


@pytest.fixture(scope="module")
def deep():
    """A system host."""
    try:
        lab = lv.Lab.start(f"deep-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab["alpha"]
        lab.stop()


@pytest.fixture
def loop(tmp_path):
    """A free block device of 64 MiB, gone at the end."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    done = subprocess.run(
        ["losetup", "-P", "-f", "--show", image],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no loop device can be had: {done.stderr.strip()}")
    device = done.stdout.strip()
    yield device
    subprocess.run(["losetup", "-d", device], timeout=30, check=True)


@pytest.fixture(autouse=True)
def no_pool_left(deep):
    known = set(deep.pools.names)
    yield
    for pool in deep.pools:
        if pool.name not in known:
            pool.undefine(stop=True)


def usable(host, kind):
    record = next(one for one in host.pool_types() if one.kind == kind)
    if not record.usable:
        pytest.skip(f"a pool of kind {kind} needs {', '.join(record.missing)}")


def test_a_file_system_is_made_mounted_filled_and_left(deep, loop, tmp_path):
    usable(deep, "fs")
    place = tmp_path / "mnt"
    spec = PoolSpec(
        name="fs", kind="fs", device=loop, path=place, format="ext4", mount_options="noatime"
    )
    with pytest.raises(SpecError, match="build=True"):
        deep.plan(spec)
    pool = deep.plan(spec, build=True).apply()
    assert pool.info().capacity > 40 * MIB
    mount = HostFiles.of(deep).mount_of(str(place))
    assert (mount.source, mount.kind) == (loop, "ext4")
    assert "noatime" in mount.options
    volume = pool.plan(VolumeSpec(name="a.qcow2", capacity="16 MiB")).apply()
    # Only the daemon sees the mount; the walk is made with its eyes.
    assert not Path(volume.path).exists()
    assert volume.access().allowed
    assert pool.volumes.records[0].format in ("qcow2", "dir")
    for other in (
        PoolSpec(name="x", kind="fs", device=loop, path=tmp_path / "x", format="ext4"),
        PoolSpec(name="x", kind="disk", device=loop, format="gpt"),
    ):
        with pytest.raises(ConflictError, match="in use: mounted on"):
            deep.plan(other, build=True)
    with pytest.raises(ConflictError, match=r"1 volumes: a\.qcow2"):
        pool.delete.plan()
    pool.stop()
    pool.start()
    assert "a.qcow2" in pool.volumes
    pool.undefine(stop=True)
    # What is on the device is not formatted again without a yes.
    place.rmdir()
    with pytest.raises(PlanError, match="already formatted") as caught:
        deep.plan(spec, build=True).apply()
    assert "overwrite=True" in str(caught.value)
    assert "fs" not in deep.pools
    assert not place.exists()
    with pytest.raises(ConfirmationError, match=f"everything on {loop}"):
        deep.plan(spec, overwrite=True).apply()
    pool = deep.plan(spec, overwrite=True).apply(confirm=True)
    assert "a.qcow2" not in pool.volumes
    pool.delete(confirm=True)
    assert not place.exists()


def test_devices_that_cannot_be_are_refused(deep, tmp_path):
    usable(deep, "fs")
    plain = tmp_path / "plain"
    plain.write_bytes(bytes(4096))
    cases = [
        ("/dev/none", NotFoundError, "does not exist"),
        (str(plain), SpecError, "is no block device"),
        ("/dev/null", SpecError, "is no block device"),
    ]
    for device, kind, why in cases:
        with pytest.raises(kind, match=why):
            deep.plan(
                PoolSpec(name="x", kind="fs", device=device, path=tmp_path / "m", format="ext4"),
                build=True,
            )


def test_a_file_system_that_nobody_can_make_is_refused(deep, loop, tmp_path):
    usable(deep, "fs")
    for form, why in ((None, "no file system that could be made"), ("ocfs2", "mkfs.ocfs2")):
        spec = PoolSpec(name="x", kind="fs", device=loop, path=tmp_path / "m", format=form)
        with pytest.raises(SpecError, match=why):
            deep.plan(spec, build=True)
    assert not (tmp_path / "m").exists()


def test_a_disk_gets_a_label_and_partitions(deep, loop):
    usable(deep, "disk")
    spec = PoolSpec(name="disk", kind="disk", device=loop, format="gpt")
    pool = deep.plan(spec, build=True).apply()
    first = f"{Path(loop).name}p1"
    with pytest.raises(SpecError, match=f"'{first}'"):
        pool.plan(VolumeSpec(name="web1", capacity="8 MiB"))
    with pytest.raises(SpecError, match="no kind of partition"):
        pool.plan(VolumeSpec(name=first, capacity="8 MiB", format="qcow2"))
    volume = pool.plan(VolumeSpec(name=first, capacity="8 MiB")).apply()
    assert (volume.path, volume.info().type) == (f"/dev/{first}", "block")
    assert pool.volumes.names == [first]
    with pytest.raises(UnsupportedError, match="parted -s"):
        volume.delete(confirm=True)
    with pytest.raises(UnsupportedError, match="kind disk"):
        volume.resize("16 MiB")
    with pytest.raises(UnsupportedError, match="no delete"):
        pool.delete(confirm=True)


def test_virsh_reads_what_was_made_of_a_device(deep, loop, tmp_path):
    usable(deep, "fs")
    words = ["pool-define-as", "theirs", "fs", "--source-dev", loop, "--source-format", "ext4"]
    virsh = ["virsh", "-q", "-c", deep.uri]
    subprocess.run([*virsh, *words, "--target", str(tmp_path / "t")], check=True, timeout=30)
    theirs = deep.pools["theirs"]
    theirs.build()
    theirs.start()
    assert theirs.info().type == "fs"
    told = subprocess.run(
        [*virsh, "pool-dumpxml", "theirs", "--inactive"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert told.stdout.strip() == theirs.xml(inactive=True).strip()
    assert theirs.edit.plan(theirs.xml(inactive=True)).diff == ""
    theirs.delete(confirm=True)


@pytest.mark.slow(seconds=10)
def test_a_guest_on_a_full_disk_pauses_and_goes_on_when_there_is_room(
    deep, loop, tmp_path, eventually
):
    usable(deep, "fs")
    spec = PoolSpec(name="small", kind="fs", device=loop, path=tmp_path / "small", format="ext4")
    pool = deep.plan(spec, build=True).apply()
    pool.plan(VolumeSpec(name="ballast", capacity="24 MiB", format="raw")).apply()
    plan = pool.plan(VolumeSpec(name="thin.qcow2", capacity="48 MiB"))
    assert any("a full pool pauses its guests" in words for words in plan.warnings)
    volume = plan.apply()
    disk = lv.DiskSpec(source=FileSource(path=volume.path, format="qcow2"))
    guest = deep.plan(
        lv.DomainSpec(name="writer", memory="128 MiB", source=lv.TinyGuest(), disks=(disk,))
    ).apply()
    try:
        guest.wait_for("agent", timeout_s=90)
        with contextlib.suppress(lv.errors.LabvirtError):
            # The guest stops in the middle, so the answer comes late or never.
            guest.run(
                [
                    "/bin/sh",
                    "-c",
                    "dd if=/dev/urandom of=/dev/vda bs=1M count=44 >/dev/null 2>&1 &",
                ],
                timeout_s=5,
            )
        eventually(lambda: guest.info().state.value == "paused", "the guest to pause", 60)
        assert "error" in guest.reason
        pool.refresh()
        assert pool.available < 2 * MIB
        pool.volumes["ballast"].delete(confirm=True)
        guest.resume()

        def written():
            pool.refresh()
            return volume.info().allocation > 43 * MIB

        eventually(written, "the guest to write on", 60)
        assert guest.info().state.value == "running"
        assert guest.run(["/bin/echo", "alive"]).stdout.strip() == "alive"
    finally:
        guest.destroy(confirm=True)
        guest.undefine(confirm=True)
        volume.delete(confirm=True)


def test_access_on_a_read_only_file_system_is_told_by_the_mount(deep, loop, tmp_path):
    usable(deep, "fs")
    place = tmp_path / "ro"
    spec = PoolSpec(name="ro", kind="fs", device=loop, path=place, format="ext4")
    pool = deep.plan(spec, build=True).apply()
    volume = pool.plan(VolumeSpec(name="a", capacity="1 MiB", format="raw")).apply()
    pool.undefine(stop=True)
    pool = deep.plan(spec.replace(mount_options=("ro",))).apply()
    access = volume.access()
    assert not access.allowed
    assert access.blocked_by[0].path == str(place)
    assert "read-only" in access.blocked_by[0].why
    assert access.commands == (f"mount -o remount,rw {place}",)
    assert volume.access(write=False).allowed
    with pytest.raises(UnsupportedError, match="read-only"):
        access.plan()
