"""Checks of storage pools, well and ill, on real pools; each repair is tried."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.connection import pool as pools
from labvirt.doctor import examine
from labvirt.doctor.check_disk_sharing import _parsed
from labvirt.doctor.disk_files import FileFacts, Room
from labvirt.errors import LabvirtError
from labvirt.model import DiskSpec, FileSource, PoolSpec, VolumeSource, VolumeSpec
from labvirt.status import PoolState

pytestmark = pytest.mark.lab
MIB = 1 << 20


@pytest.fixture
def folder(alpha):
    """A folder for a pool, which QEMU may search."""
    place = Path(alpha.pools["shared"].info().path).parent / "place"
    path = place / "extra"
    for each in (place, path):
        each.mkdir()
        each.chmod(0o777)
    if os.getuid() == 0:
        # The daemon of a lab that root starts is another user.
        daemon = Path(alpha.pools["shared"].info().path).stat()
        os.chown(path, daemon.st_uid, daemon.st_gid)
    yield path
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def pool(alpha, folder):
    """A pool of a folder, started, with two volumes."""
    pool = alpha.plan(PoolSpec(name="extra", kind="dir", path=str(folder))).apply()
    if not pool.info().is_active:
        pool.start()
    try:
        for name in ("one", "two"):
            pool.plan(VolumeSpec(name=name, capacity="1 MiB", format="qcow2")).apply()
        yield pool
    finally:
        pool.undefine(stop=True)


@pytest.fixture
def user(alpha, pool):
    """A domain with a disk that names the pool."""
    spec = lv.DomainSpec(
        name="user",
        memory="32 MiB",
        interfaces=(),
        disks=(DiskSpec(source=VolumeSource(pool="extra", name="one")),),
    )
    domain = alpha.plan(spec, start=False).apply()
    yield domain
    domain.undefine(confirm=True)


def ill(host, *, checks=("storage.*",), name="extra"):
    report = examine(host, checks=checks)
    odd = [one for one in report if one.verdict in ("fail", "warning", "unknown")]
    if name:
        odd = [one for one in odd if one.id.partition(":")[2].startswith((name, "user"))]
    return {one.kind: one for one in odd}


def only(host, kind, verdict="fail", **options):
    found = ill(host, **options)
    assert set(found) == {kind}, found
    assert found[kind].verdict == verdict
    assert found[kind].evidence
    assert found[kind].cause
    assert found[kind].remedy
    assert found[kind].guide
    return found[kind]


def test_a_pool_that_is_stopped_is_started(alpha, pool, user):
    checks = ("storage.*", "disk.*", "!storage.autostart")
    assert ill(alpha, checks=checks) == {}
    pool.stop()
    found = only(alpha, "storage.active", checks=checks)
    assert "inactive" in found.evidence
    assert "disks of user" in found.cause
    assert found.remedy == "virsh pool-start extra"
    found.fix().apply()
    assert ill(alpha, checks=checks) == {}


def test_a_pool_that_nobody_needs_may_be_stopped_with_a_word(alpha, pool):
    pool.stop()
    only(alpha, "storage.active", "warning")
    pool.set_autostart()
    assert only(alpha, "storage.active").fix is not None


def test_a_pool_that_somebody_needs_should_come_back(alpha, pool, user):
    path = pool.volumes["one"].info().path
    xml = user.xml().replace("type='file' device='disk'", "type='volume' device='disk'")
    user.redefine(xml.replace(f"file='{path}'", "pool='extra' volume='one'"))
    found = only(alpha, "storage.autostart", "warning")
    assert "used by user" in found.evidence
    found.fix().apply()
    assert pool.info().autostart
    assert ill(alpha) == {}


def test_a_folder_that_is_gone_is_made_again(alpha, pool, folder):
    folder.rename(f"{folder}.away")
    try:
        found = only(alpha, "storage.target")
        assert found.fix is None
        pool.stop()
        found = ill(alpha)
        assert found["storage.target"].verdict == "fail"
        found["storage.target"].fix().apply()
        pool.start()
        assert ill(alpha) == {}
    finally:
        shutil.rmtree(f"{folder}.away")


def test_a_folder_that_is_closed_to_qemu_is_opened(alpha, pool, folder):
    if os.getuid() != 0:
        pytest.skip("needs root: QEMU must be another user than this process")
    folder.chmod(0o700)
    os.chown(folder, 0, 0)
    found = ill(alpha)["storage.target"]
    assert found.verdict == "fail"
    assert "setfacl" in found.remedy
    found.fix().apply()
    assert "storage.target" not in ill(alpha)


def test_a_file_in_the_place_of_the_folder(alpha, pool, folder):
    folder.rename(f"{folder}.away")
    try:
        folder.write_text("no folder")
        assert "is no folder" in ill(alpha)["storage.target"].evidence
        folder.unlink()
    finally:
        Path(f"{folder}.away").rename(folder)


def test_volumes_that_went_behind_libvirt_are_found_and_the_pool_is_refreshed(alpha, pool, folder):
    (folder / "one").unlink()
    (folder / "three").write_bytes(bytes(512))
    found = only(alpha, "storage.volumes", "warning")
    assert found.evidence == "listed, but gone: one"
    plan = found.fix()
    assert "pool-refresh extra" in str(plan)
    plan.apply()
    assert pool.volumes.names == ["three", "two"]
    assert ill(alpha) == {}


@pytest.fixture
def small(alpha, folder):
    """A pool with a file system of 16 MiB of its own."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        pool = alpha.plan(PoolSpec(name="extra", kind="dir", path=str(folder))).apply()
        if not pool.info().is_active:
            pool.start()
        yield pool
        pool.undefine(stop=True)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_pool_and_one_that_is_nearly_full(alpha, small, folder):
    assert ill(alpha) == {}
    filler = folder / "filler"
    filler.write_bytes(bytes(15 * MIB))
    found = only(alpha, "storage.space", "warning")
    assert "nearly full" in found.cause
    with filler.open("ab") as file, pytest.raises(OSError, match="No space"):
        file.write(bytes(2 * MIB))
    found = only(alpha, "storage.space")
    assert found.evidence.startswith("0 bytes free of 16 MiB")
    assert "at its last refresh libvirt saw 16 MiB" in found.evidence
    filler.unlink()
    assert ill(alpha) == {}


def test_more_is_promised_than_is_there(alpha, small):
    small.plan(VolumeSpec(name="thin", capacity="10 MiB", format="qcow2")).apply()
    assert ill(alpha) == {}
    small.plan(VolumeSpec(name="thick", capacity="12 MiB", format="qcow2")).apply()
    found = only(alpha, "storage.overcommit", "warning")
    assert "22 MiB promised on 16 MiB" in found.evidence
    assert "thick (12" in found.remedy


def test_a_file_system_without_inodes_is_full_too(ask):
    record = SimpleNamespace(
        is_active=True, type="dir", path="/x", available=9 * MIB, uuid="u", state=PoolState.RUNNING
    )
    facts = {
        ("pool", "u"): record,
        ("file", "/x"): FileFacts((1, 1), 5, 0, 0, 0o40755),
        ("room", "/x"): Room(10 * MIB, 9 * MIB, 9 * MIB, 1000, 0),
    }
    thing = SimpleNamespace(uuid="u", name="p", info=None)
    (seen,) = ask("storage.space", facts=facts, thing=thing)
    assert seen.verdict == "fail"
    assert "no free inodes of 1000" in seen.evidence


def test_the_server_of_a_pool_is_asked(alpha):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        xml = (
            "<pool type='iscsi-direct'><name>extra</name><source>"
            f"<host name='127.0.0.1' port='{port}'/><device path='iqn.2026-01.example:x'/>"
            "<initiator><iqn name='iqn.2026-01.example:me'/></initiator></source></pool>"
        )
        try:
            pools.define(alpha.connection, xml)
        except LabvirtError as error:
            pytest.skip(f"this libvirt has no iSCSI pools: {error}")
        pool = alpha.pools["extra"]
        report = examine(alpha, checks=("storage.source",))
        assert report["storage.source:extra:127.0.0.1"].verdict == "ok"
    try:
        (found,) = examine(alpha, checks=("storage.source",)).failures
        assert f"127.0.0.1:{port}" in found.evidence
        assert "iscsiadm -m discovery" in found.remedy
    finally:
        pool.undefine()


def test_devices_and_mounts_of_a_pool_that_are_gone(ask, machine, tmp_path):
    xml = (
        "<pool type='fs'><name>p</name><source><device path='/dev/absent1'/></source>"
        "<target><path>/mnt/p</path></target></pool>"
    )
    record = SimpleNamespace(is_active=True, type="fs", path="/mnt/p", state=PoolState.RUNNING)
    thing = SimpleNamespace(uuid="u", name="p", info=None, xml=lambda: xml)
    folder = FileFacts((1, 1), 5, 0, 0, 0o40755)
    facts = {("pool", "u"): record, ("file", "/dev/absent1"): None, ("file", "/mnt/p"): folder}
    (seen,) = ask("storage.source", machine(), facts=facts, thing=thing)
    assert "/dev/disk/by-id" in seen.remedy
    row = "30 20 0:40 / /mnt/other rw - ext4 /dev/x rw\n"
    made = machine({"/proc/self/mountinfo": row})
    (seen,) = ask("storage.target", made, facts=facts, thing=thing)
    assert seen.evidence == "/mnt/p is no mount point"


# -- a guest that is stopped by a full disk -------------------------------------------------------


def test_a_guest_on_a_full_file_system_is_stopped_and_goes_on(alpha, small, folder, tmp_path):
    spec = lv.DomainSpec(
        name="user",
        memory="128 MiB",
        source=lv.TinyGuest(),
        disks=(DiskSpec(size="12 MiB", pool="extra"),),
    )
    (folder / "filler").write_bytes(bytes(10 * MIB))
    domain = alpha.plan(spec).apply()
    try:
        domain.wait_for("agent", timeout_s=90)
        before = ill(alpha, checks=("disk.*",))
        assert {kind: one.verdict for kind, one in before.items()} == {"disk.space": "warning"}
        write = "dd if=/dev/urandom of=/dev/vda bs=1M count=12 conv=fsync"
        domain.agent("guest-exec", path="/bin/sh", arg=["-c", write])
        until = time.monotonic() + 40
        while domain.reason != "I/O error" and time.monotonic() < until:
            time.sleep(0.1)
        found = ill(alpha, checks=("disk.*", "storage.*"))
        assert set(found) == {"disk.errors", "disk.space", "storage.space", "storage.overcommit"}
        assert "vda: no-space; paused by it" in found["disk.errors"].evidence
        assert found["disk.errors"].fix is None
        assert found["disk.space"].verdict == "fail"
        subprocess.run(["mount", "-o", "remount,size=100m", folder], check=True)
        found = ill(alpha, checks=("disk.*", "storage.*"))
        assert set(found) == {"disk.errors"}
        found["disk.errors"].fix().apply()
        assert domain.state.text == "running"
        assert ill(alpha, checks=("disk.*",)) == {}
    finally:
        domain.destroy(confirm=True)
        domain.undefine(confirm=True)


# -- labels, locks, far machines ------------------------------------------------------------------


def disk(path="/srv/images/web1.qcow2", uuid="11"):
    """A stopped domain's disk as far as these checks look at it."""
    from labvirt.model.xml.domain import DomainXml

    document = DomainXml.parse(
        f"<domain type='qemu'><name>web1</name><uuid>{uuid}</uuid><devices>"
        f"<disk type='file' device='disk'><source file='{path}'/><target dev='vda' bus='virtio'/>"
        "</disk></devices></domain>"
    )
    owner = SimpleNamespace(uuid=uuid, name="web1", info=None)
    facts = {
        ("record", uuid): SimpleNamespace(is_active=False),
        ("document", uuid, False): document,
        ("file", path): FileFacts((254, 0), 77, 4096, 4096, 0o100600),
    }
    return owner, next(document.element.iterfind("devices/disk")), facts


SE = {"/sys/fs/selinux/enforce": "1", "/sys/fs/selinux/booleans/virt_use_nfs": "0 0"}


@pytest.mark.parametrize(
    ("label", "system", "audit", "verdict", "told"),
    [
        ("system_u:object_r:virt_image_t:s0", "xfs", "", "ok", "virt_image_t"),
        ("system_u:object_r:default_t:s0", "xfs", "", "warning", "semanage fcontext"),
        ("system_u:object_r:user_home_t:s0", "xfs", 'name="web1.qcow2"', "fail", "restorecon -R"),
        ("system_u:object_r:nfs_t:s0", "nfs", "", "fail", "setsebool -P virt_use_nfs on"),
    ],
)
def test_selinux_is_explained(ask, machine, label, system, audit, verdict, told):
    made = machine(
        SE,
        {
            "stat -L -c %C": f"{label}\n",
            "stat -f -L -c %T": f"{system}\n",
            "ausearch": f"type=AVC avc: denied {{ read }} {audit}\n" if audit else "",
        },
    )
    owner, thing, facts = disk()
    facts["security models"] = ("selinux", "dac")
    (seen,) = ask("disk.label", made, facts=facts, thing=thing, owner=owner)
    assert seen.verdict == verdict
    assert told in seen.remedy + seen.evidence
    if "semanage" in seen.remedy:
        assert "'/srv/images(/.*)?'" in seen.remedy
        assert "apt install" in seen.remedy
        assert "dnf install" in seen.remedy


def test_selinux_that_does_not_enforce_is_no_trouble(ask, machine):
    owner, thing, facts = disk()
    facts["security models"] = ("selinux",)
    made = machine({"/sys/fs/selinux/enforce": "0"})
    (seen,) = ask("disk.label", made, facts=facts, thing=thing, owner=owner)
    assert seen.verdict == "ok"


def test_what_apparmor_refused_is_told(ask, machine):
    owner, thing, facts = disk(uuid="0a-1")
    facts["security models"] = ("apparmor",)
    row = (
        'audit: type=1400 apparmor="DENIED" operation="open" profile="libvirt-0a-1" '
        'name="/srv/base/b.qcow2" comm="qemu-system-x86"'
    )
    (seen,) = ask("disk.label", machine({}, {"dmesg": row}), facts=facts, thing=thing, owner=owner)
    assert seen.verdict == "fail"
    assert "/srv/base/b.qcow2 rwk" in seen.remedy
    owner, thing, facts = disk(uuid="0b-2")
    facts["security models"] = ("apparmor",)
    (seen,) = ask("disk.label", machine({}, {"dmesg": row}), facts=facts, thing=thing, owner=owner)
    assert seen.verdict == "ok"


def test_lines_of_proc_locks_are_read():
    text = (
        "1: OFDLCK ADVISORY  READ -1 fe:00:77 100 101\n"
        "1: -> FLOCK  ADVISORY  WRITE 32446 fe:00:78 0 EOF\n"
        "nonsense\n"
    )
    first, second = _parsed(text)
    assert (first.kind, first.inode, first.device) == ("OFDLCK", 77, (254, 0))
    assert first.covers(101)
    assert not first.covers(201)
    assert (second.kind, second.pid) == ("FLOCK", 32446)
    assert second.covers(10**9)


def test_a_far_machine_is_asked_by_commands(machine):
    from dataclasses import replace

    from labvirt.doctor.case import Case, Patient
    from labvirt.doctor.checks import all_checks

    words = {
        "stat -L -c '%D %i %s %b %f' /srv/images/web1.qcow2": "fe00 77 4096 8 81a4\n",
        "stat -f -c '%S %b %a %f %c %d' /srv/images": "4096 9000 5000 6000 100 50\n",
        "qemu-img info": '{"format": "qcow2", "virtual-size": 1048576}',
        "id -u libvirt-qemu": "64055\n",
        "runuser -u libvirt-qemu -- test -w": (1, "", ""),
        "runuser -u libvirt-qemu -- test -x": (1, "", ""),
        "namei -l": "drwx------ root root images\n",
    }
    made = replace(machine({}, words), root=None)
    owner, thing, facts = disk()
    facts.pop(("file", "/srv/images/web1.qcow2"))
    patient = Patient(SimpleNamespace(name="far", is_local=False, connection=None))
    for key, value in {**facts, "machine": made, "host files": None}.items():
        patient.once(key, lambda value=value: value)
    case = Case(patient, "web1/vda", thing, owner)
    look = {one.id: one.look for one in all_checks()}
    assert look["disk.there"](case).evidence == "/srv/images/web1.qcow2, 4096 bytes, inode 77"
    seen = look["disk.readable"](case)
    assert seen.verdict == "fail"
    assert "drwx------" in seen.evidence
    assert "u:libvirt-qemu:x /srv/images" in seen.remedy
    assert look["disk.space"](case).verdict == "ok"


def test_the_system_back_end_is_well_and_its_ills_are_seen(system):
    """Well with a clone, snapshots and a running domain; ill with a closed and a locked image."""

    def spec(name):
        return lv.DomainSpec(
            name=name, memory="32 MiB", interfaces=(), disks=(DiskSpec(size="8 MiB"),)
        )

    running = system.plan(spec("user1")).apply()
    off = system.plan(spec("user2"), start=False).apply()
    clone = off.clone("user3", linked=True)
    off2 = system.plan(spec("user4"), start=False).apply()
    try:
        running.snapshot("ext", disks="external")
        off2.snapshot("int")
        report = examine(system, checks=("storage.*", "disk.*"), deep=True)
        odd = [one for one in report if one.verdict not in ("ok", "n/a")]
        assert [str(one) for one in odd if one.kind not in ("storage.space", "disk.space")] == []
        path = Path(system.pools["shared"].volumes["user4-vda.qcow2"].info().path)
        path.chmod(0)
        found = only(system, "disk.readable", checks=("disk.*",), name="user4")
        found.fix().apply()
        assert ill(system, checks=("disk.*",), name="user4") == {}
        path.rename(f"{path}.x")
        only(system, "disk.there", checks=("disk.*",), name="user4").fix().apply()
        words = ["qemu-io", "-f", "qcow2", str(path)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdout.read(8)
            found = only(system, "disk.lock", checks=("disk.*",), name="user4")
            assert str(holder.pid) in found.evidence
            holder.kill()
    finally:
        for domain in (clone, running, off, off2):
            if domain.is_active:
                domain.destroy(confirm=True)
            domain.undefine(snapshots_metadata=True, confirm=True)


def test_a_file_source_is_not_counted_twice(alpha, pool, folder):
    """A domain that names the file and not the pool needs no pool to start."""
    spec = lv.DomainSpec(
        name="user",
        memory="32 MiB",
        interfaces=(),
        disks=(DiskSpec(source=FileSource(path=str(folder / "two"))),),
    )
    domain = alpha.plan(spec, start=False).apply()
    try:
        assert ill(alpha) == {}
        pool.stop()
        assert "disks of user" in only(alpha, "storage.active").cause
    finally:
        domain.undefine(confirm=True)
