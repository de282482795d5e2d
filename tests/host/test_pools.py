"""Pools on real session hosts: planned, started, edited, deleted, and refused clearly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    ConfirmationError,
    ConflictError,
    NotFoundError,
    PlanError,
    SpecError,
    UnsupportedError,
)
from labvirt.host.hostfiles import HostFiles
from labvirt.model import POOL_TYPES, PoolSpec, PoolXml, VolumeSpec

pytestmark = pytest.mark.lab


def virsh(host, *words, check=True):
    done = subprocess.run(
        ["virsh", "-q", "-c", host.uri, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(alpha):
    """A place in which the daemon may make folders."""
    return Path(alpha.pools["default"].info().path)


@pytest.fixture(autouse=True)
def no_pool_left(alpha):
    known = set(alpha.pools.names)
    yield
    for pool in alpha.pools:
        if pool.name not in known:
            pool.undefine(stop=True)


@pytest.fixture
def shelf(alpha, folder, name):
    pool = alpha.plan(PoolSpec(name=name, path=folder / name), build=True).apply()
    yield pool
    if name in alpha.pools:
        if not pool.info().is_active:
            pool.start()
        pool.delete(volumes=True, confirm=True)


def test_a_pool_is_made_used_and_deleted(alpha, folder, name):
    spec = PoolSpec(name=name, path=folder / name, mode="0750")
    plan = alpha.plan(spec, build=True, autostart=True)
    assert [action.title.split()[0] for action in plan.actions] == [
        "define", "build", "start", "look", "set",
    ]  # fmt: skip
    assert "pool-define" in plan.virsh
    assert "pool-build" in plan.virsh
    assert f"+  <name>{name}</name>" in plan.diff
    assert name not in alpha.pools
    assert not (folder / name).exists()
    pool = plan.apply()
    record = pool.info()
    assert (record.is_active, record.autostart, record.type) == (True, True, "dir")
    assert (folder / name).stat().st_mode & 0o777 == 0o750
    assert pool.available > 0

    pool.set_autostart(False)
    assert not pool.info().autostart
    pool.plan(VolumeSpec(name="a", capacity="1 MiB", format="raw")).apply()
    pool.stop()
    assert not pool.info().is_active
    pool.start()
    with pytest.raises(ConflictError, match="1 volumes: a"):
        pool.delete(confirm=True)
    with pytest.raises(ConfirmationError) as caught:
        pool.delete(volumes=True)
    assert "volume a" in str(caught.value)
    pool.delete(volumes=True, confirm=True)
    assert name not in alpha.pools
    assert not (folder / name).exists()


def test_a_plan_that_fails_leaves_nothing(alpha, folder, name, monkeypatch):
    from labvirt.host.storage import pool_plan

    def broken(self, host, control):
        raise ConflictError("look behind the pool", libvirt_text="nothing there")

    monkeypatch.setattr(pool_plan._Proof, "_look", broken)
    spec = PoolSpec(name=name, path=folder / name)
    with pytest.raises(PlanError, match="look behind") as caught:
        alpha.plan(spec, build=True).apply()
    assert len(caught.value.undone) == 3
    assert name not in alpha.pools
    assert not (folder / name).exists()


def test_a_folder_with_files_is_never_removed_by_the_undo(alpha, folder, name, monkeypatch):
    from labvirt.host.storage import pool_plan

    place = folder / name
    place.mkdir()
    place.chmod(0o777)
    (place / "mine").write_bytes(b"precious")
    monkeypatch.setattr(pool_plan._Proof, "_look", lambda *_: 1 / 0)
    with pytest.raises(PlanError):
        alpha.plan(PoolSpec(name=name, path=place), build=True).apply()
    assert (place / "mine").read_bytes() == b"precious"
    shutil.rmtree(place)


def test_virsh_and_labvirt_read_each_others_pools(alpha, shelf, folder, name):
    other = f"{name}-virsh"
    place = folder / other
    virsh(alpha, "pool-define-as", other, "dir", "--target", str(place))
    virsh(alpha, "pool-build", other)
    virsh(alpha, "pool-start", other)
    theirs, ours = alpha.pools[other], shelf
    try:
        for pool in (theirs, ours):
            told = dict(
                line.split(":", 1)
                for line in virsh(alpha, "pool-info", pool.name, "--bytes").splitlines()
            )
            told = {key: value.strip() for key, value in told.items()}
            record = pool.info()
            assert told["UUID"] == record.uuid
            assert told["State"] == record.state.value
            assert int(told["Capacity"]) == record.capacity
            assert told["Persistent"] == "yes"
            assert (
                virsh(alpha, "pool-dumpxml", pool.name, "--inactive")
                == pool.xml(inactive=True).strip()
            )
        view = PoolXml.parse(theirs.xml(inactive=True))
        view.mode = "0700"
        plan = theirs.edit.plan(view)
        assert "+      <mode>0700</mode>" in plan.diff
        assert any("next start" in words for words in plan.warnings)
        plan.apply()
        assert "<mode>0700</mode>" in virsh(alpha, "pool-dumpxml", other, "--inactive")
        with pytest.raises(SpecError, match="uuid is its identity"):
            theirs.edit(ours.xml(inactive=True))
        with pytest.raises(SpecError, match="schema"):
            theirs.edit(theirs.xml(inactive=True).replace("<source>", "<sauce/><source>"))
    finally:
        theirs.undefine(stop=True)
        place.rmdir()


# -- bad input ----------------------------------------------------------------------------------


def test_a_name_or_path_that_another_pool_has_is_refused(alpha, shelf, folder, name):
    with pytest.raises(ConflictError, match="has that name already"):
        alpha.plan(PoolSpec(name=name, path=folder / "elsewhere"), build=True)
    for path in (folder / name, f"{folder}/{name}/", f"{folder}//{name}"):
        with pytest.raises(ConflictError, match=f"pool {name} has the path"):
            alpha.plan(PoolSpec(name="twin", path=path))
    link = folder / "link"
    link.symlink_to(folder / name)
    try:
        with pytest.raises(ConflictError, match=f"pool {name} has the path"):
            alpha.plan(PoolSpec(name="twin", path=link))
    finally:
        link.unlink()


def test_paths_that_cannot_be_are_refused_before_anything_is_changed(alpha, folder, name):
    (folder / "round").symlink_to(folder / "round")
    (folder / "file").write_bytes(b"x")
    try:
        cases = [
            (folder / "round", "round in circles"),
            (folder / "file", "is no folder"),
            (folder / "missing", "does not exist"),
            ("/proc/images", "no place for images"),
            ("/etc/images", "no place for images"),
            ("/dev", "no place for images"),
        ]
        for path, why in cases:
            with pytest.raises(SpecError, match=why):
                alpha.plan(PoolSpec(name=name, path=path))
        with pytest.raises(SpecError, match=r"'\.\.' in it"):
            PoolSpec(name=name, path=f"{folder}/../../out")
        assert name not in alpha.pools
    finally:
        (folder / "round").unlink()
        (folder / "file").unlink()


def test_a_folder_that_qemu_cannot_reach_is_warned_about(alpha, folder, name):
    closed = folder / name
    closed.mkdir()
    # Root's session hosts run QEMU as somebody else, those of others as themselves.
    closed.chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        plan = alpha.plan(PoolSpec(name=name, path=closed))
        assert any("QEMU cannot reach" in words for words in plan.warnings)
    finally:
        closed.rmdir()


def test_building_what_nobody_builds_is_refused(alpha, name):
    spec = PoolSpec(
        name=name, kind="iscsi-direct", hosts="127.0.0.1", target="iqn.2024-01.a:b",
        initiator="iqn.2024-01.a:c",
    )  # fmt: skip
    with pytest.raises(SpecError, match="cannot be built"):
        alpha.plan(spec, build=True)


def test_a_read_only_host_changes_nothing(lab, alpha, folder, name):
    with lv.connect(alpha.uri, readonly=True) as host, pytest.raises(AccessDeniedError):
        host.plan(PoolSpec(name=name, path=folder / name), build=True).apply()
    assert not (folder / name).exists()


def test_a_pool_in_use_says_who_uses_it(alpha, shelf, spec, folder):
    volume = shelf.plan(VolumeSpec(name="root.qcow2", capacity="1 MiB")).apply()
    disk = lv.DiskSpec(source=lv.model.FileSource(path=volume.path, format="qcow2"))
    domain = alpha.plan(spec.replace(disks=(disk,))).apply()
    plan = shelf.stop.plan()
    assert any(domain.name in words for words in plan.warnings)
    with pytest.raises(ConflictError, match=f"domain {domain.name}"):
        shelf.delete.plan(volumes=True)
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


# -- types --------------------------------------------------------------------------------------


def test_every_type_is_told_with_what_it_lacks_here(alpha):
    types = {one.kind: one for one in alpha.pool_types()}
    assert set(types) == set(POOL_TYPES)
    assert types["dir"].usable
    assert "qcow2" in types["dir"].formats
    # A session daemon mounts nothing, whatever libvirt says.
    assert types["fs"].supported
    assert not types["fs"].usable
    assert any("root" in words for words in types["fs"].missing)
    if not Path("/dev/mapper/control").exists():
        assert any("device-mapper" in words for words in types["mpath"].missing)
    if not Path("/dev/zfs").exists():
        assert not types["zfs"].usable


@pytest.mark.parametrize(
    "spec",
    [
        PoolSpec(name="x", kind="mpath"),
        PoolSpec(name="x", kind="zfs", source_name="tank"),
        PoolSpec(name="x", kind="netfs", path="/mnt/x", hosts="nas1", dir="/a"),
        PoolSpec(name="x", kind="logical", source_name="vg0"),
        PoolSpec(name="x", kind="iscsi", hosts="nas1", target="iqn.2024-01.a:b"),
        PoolSpec(name="x", kind="scsi", adapter="host0"),
        PoolSpec(name="x", kind="vstorage", source_name="c", path="/mnt/x"),
        PoolSpec(name="x", kind="fs", path="/mnt/x", device="/dev/loop0"),
    ],
    ids=lambda spec: spec.kind,
)
def test_a_type_with_nothing_behind_it_is_refused_with_what_is_missing(alpha, spec):
    if {one.kind: one for one in alpha.pool_types()}[spec.kind].usable:
        pytest.skip(f"this machine can have a pool of kind {spec.kind}")
    with pytest.raises(UnsupportedError, match=r"lacks|no back end") as caught:
        alpha.plan(spec)
    assert caught.value.hint
    assert "x" not in alpha.pools


def test_sources_are_looked_for_where_that_is_possible(alpha):
    with pytest.raises(SpecError, match="no kind that can be looked for"):
        alpha.discover_sources("dir")
    with pytest.raises(SpecError, match="who is asked"):
        alpha.discover_sources("iscsi-direct")
    for source in alpha.discover_sources("disk"):
        assert source.device.startswith("/dev/")
        assert "free" in source.note or source.note.count(",")


def test_a_missing_pool_is_suggested(alpha, shelf, name):
    with pytest.raises(NotFoundError):
        _ = alpha.pools[name + "x"]


def test_the_table_of_types_is_that_of_this_libvirt(alpha):
    from labvirt.connection import pool as calls

    root = etree.fromstring(calls.capabilities(alpha.connection))
    told = {one.get("type"): one for one in root.iterfind("pool")}
    # sheepdog is gone from libvirt since 8.8 but for its name.
    assert set(told) - {"sheepdog"} == set(POOL_TYPES)
    for kind, one in POOL_TYPES.items():
        values = told[kind].iterfind("poolOptions/enum[@name='sourceFormatType']/value")
        formats = {value.text for value in values}
        assert set(one.formats) == formats, kind


def test_without_a_look_at_the_files_it_works_and_says_so(alpha, folder, name, monkeypatch):
    """As on another machine: only libvirt is asked."""
    monkeypatch.setattr(HostFiles, "of", classmethod(lambda cls, host: None))
    plan = alpha.plan(PoolSpec(name=name, path=folder / name), build=True)
    assert any("another machine" in words for words in plan.warnings)
    pool = plan.apply()
    with pytest.raises(ConflictError, match="has the path"):
        alpha.plan(PoolSpec(name="twin", path=folder / name))
    base = pool.plan(VolumeSpec(name="a.qcow2", capacity="1 MiB")).apply()
    over = VolumeSpec(name="b.qcow2", backing_path=base.path, backing_format="qcow2")
    pool.plan(over).apply()
    assert {record.name for record in pool.volumes.records} == {"a.qcow2", "b.qcow2"}
    with pytest.raises(ConflictError, match="is laid over it"):
        base.delete(confirm=True)
    assert not any(one.looked for one in alpha.pool_types())
    with pytest.raises(UnsupportedError, match="another machine"):
        base.access()
    pool.delete(volumes=True, confirm=True)
    assert not (folder / name).exists()


KILLED = """
import os, sys
import labvirt as lv
from labvirt.connection import pool as calls
from labvirt.model import PoolSpec
real = getattr(calls, sys.argv[3])
def dying(*args, **options):
    if sys.argv[4] == "after":
        real(*args, **options)
    os.kill(os.getpid(), 9)
setattr(calls, sys.argv[3], dying)
lv.connect(sys.argv[1]).plan(PoolSpec(name="killed", path=sys.argv[2]), build=True).apply()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["define", "build", "start"])
def test_after_kill_9_in_the_middle_the_next_connect_cleans(alpha, folder, call, moment):
    place = folder / "killed"
    words = [sys.executable, "-c", KILLED, alpha.uri, str(place), call, moment]
    assert subprocess.run(words, timeout=60, check=False).returncode == -9
    with lv.connect(alpha.uri) as host:
        assert "create pool killed" in str(host.recovered[0])
        assert not host.recovered[0].remains
        assert "killed" not in host.pools
    assert not place.exists()
