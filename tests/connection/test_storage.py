"""Pools and volumes on a real daemon: made, filled, read back, and refused clearly."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from labvirt.connection import domain, pool, volume
from labvirt.errors import ConflictError, HostError, NotFoundError, SpecError
from labvirt.model.units import Size
from labvirt.status import PoolState

pytestmark = pytest.mark.lab

VOLUME = "<volume><name>{}</name><capacity unit='MiB'>{}</capacity><target><format type='{}'/></target></volume>"


def pool_xml(name: str, path) -> str:
    return f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"


@pytest.fixture
def shelf(conn, shared_daemon):
    """UUID of an active pool, removed with its volumes."""
    path = shared_daemon.folder / "images/shelf"
    uuid = pool.define(conn, pool_xml("shelf", path))
    pool.build(conn, uuid)
    pool.start(conn, uuid)
    yield uuid
    for record in volume.list_all(conn, uuid):
        volume.delete(conn, uuid, record.name)
    pool.stop(conn, uuid)
    pool.undefine(conn, uuid)
    path.rmdir()


def make(conn, shelf, name="a", mib=1, form="raw"):
    return volume.create(conn, shelf, VOLUME.format(name, mib, form))


def test_the_life_of_a_pool(conn, shared_daemon):
    path = shared_daemon.folder / "images/life"
    uuid = pool.define(conn, pool_xml("life", path))
    record = pool.read(conn, uuid)
    assert (record.name, record.type, record.path) == ("life", "dir", str(path))
    assert (record.state, record.is_active, record.persistent) == (PoolState.INACTIVE, False, True)
    assert pool.list_all(conn) == (record,)
    assert str(path) in pool.xml(conn, uuid)

    with pytest.raises(NotFoundError):
        pool.start(conn, uuid)
    pool.build(conn, uuid)
    pool.start(conn, uuid)
    record = pool.read(conn, uuid)
    assert record.state is PoolState.RUNNING
    assert record.capacity == record.allocation + record.available > 0
    with pytest.raises(ConflictError):
        pool.start(conn, uuid)
    with pytest.raises(ConflictError):
        pool.undefine(conn, uuid)

    pool.set_autostart(conn, uuid, True)
    assert pool.read(conn, uuid).autostart
    pool.stop(conn, uuid)
    pool.undefine(conn, uuid)
    assert pool.list_all(conn) == ()
    path.rmdir()


def test_a_pool_is_found_by_name_and_uuid_and_misspelt_ones_are_suggested(conn, shelf):
    assert pool.find(conn, "shelf") == shelf
    assert pool.find(conn, shelf.upper()) == shelf
    with pytest.raises(NotFoundError, match="did you mean 'shelf'"):
        pool.find(conn, "Shelf")


def test_a_pool_that_is_no_pool_is_refused(conn):
    for wrong in ("<pool/>", "<pool type='dir'><name>x</name></pool>", "nonsense"):
        with pytest.raises((SpecError, HostError)):
            pool.define(conn, wrong)


def test_a_volume_is_created_read_listed_found_and_deleted(conn, shelf):
    made = make(conn, shelf, "disk.qcow2", 64, "qcow2")
    assert (made.pool, made.name, made.format, made.type) == (
        "shelf",
        "disk.qcow2",
        "qcow2",
        "file",
    )
    assert made.capacity == Size.parse("64 MiB")
    assert made.allocation < made.capacity
    assert made.uuid == made.key == made.path
    assert volume.read(conn, shelf, "disk.qcow2") == made
    assert volume.list_all(conn, shelf) == (made,)
    assert volume.by_path(conn, made.path) == made
    assert "<capacity" in volume.xml(conn, shelf, "disk.qcow2")
    volume.delete(conn, shelf, "disk.qcow2")
    assert volume.list_all(conn, shelf) == ()
    assert not Path(made.path).exists()


def test_a_volume_over_another_names_its_backing(conn, shelf):
    base = make(conn, shelf, "base.qcow2", 8, "qcow2")
    over = volume.create(
        conn,
        shelf,
        VOLUME.format("over.qcow2", 8, "qcow2").replace(
            "</volume>",
            f"<backingStore><path>{base.path}</path><format type='qcow2'/></backingStore></volume>",
        ),
    )
    assert (over.backing_path, over.backing_format) == (base.path, "qcow2")
    assert (base.backing_path, base.backing_format) == ("", "")


def test_an_existing_volume_is_never_overwritten(conn, shelf):
    made = make(conn, shelf)
    volume.upload(conn, shelf, "a", io.BytesIO(b"precious").read)
    with pytest.raises(ConflictError, match="choose another name"):
        make(conn, shelf)
    with Path(made.path).open("rb") as kept:
        assert kept.read(8) == b"precious"


def test_a_volume_that_is_not_there_is_suggested(conn, shelf):
    make(conn, shelf, "web.img")
    for verb in (volume.read, volume.delete, volume.xml):
        with pytest.raises(NotFoundError, match=r"did you mean 'web.img'"):
            verb(conn, shelf, "wep.img")
    with pytest.raises(NotFoundError, match="refresh the pool"):
        volume.read(conn, shelf, "zzzzz")
    with pytest.raises(NotFoundError):
        volume.by_path(conn, "/nowhere")


@pytest.mark.parametrize(
    "wrong",
    [
        "<volume><capacity>1</capacity></volume>",
        "<volume><name>x</name></volume>",
        "<volume><name>../x</name><capacity>1</capacity></volume>",
        "<volume><name>x</name><capacity unit='parsecs'>1</capacity></volume>",
        "nonsense",
    ],
)
def test_a_volume_that_cannot_be_is_refused_and_nothing_is_made(conn, shelf, wrong):
    with pytest.raises((SpecError, HostError)):
        volume.create(conn, shelf, wrong)
    assert volume.list_all(conn, shelf) == ()


def test_more_than_the_pool_holds_is_refused_and_nothing_stays(conn, shelf):
    huge = VOLUME.format("huge", 1 << 40, "raw").replace(
        "<target>", f"<allocation unit='MiB'>{1 << 40}</allocation><target>"
    )
    with pytest.raises(HostError):
        volume.create(conn, shelf, huge)
    pool.refresh(conn, shelf)
    assert volume.list_all(conn, shelf) == ()


def test_a_stopped_pool_says_start_it_first(conn, shelf):
    pool.stop(conn, shelf)
    try:
        with pytest.raises(ConflictError, match="start the pool first"):
            volume.list_all(conn, shelf)
    finally:
        pool.start(conn, shelf)


def test_a_file_put_there_by_hand_is_seen_after_refresh(conn, shelf, shared_daemon):
    (shared_daemon.folder / "images/shelf/by-hand").write_bytes(bytes(4096))
    pool.refresh(conn, shelf)
    assert [record.name for record in volume.list_all(conn, shelf)] == ["by-hand"]


def test_bytes_go_up_and_come_down_the_same(conn, shelf):
    make(conn, shelf, mib=5)
    data = os.urandom(5 << 20)
    told: list[int] = []
    assert volume.upload(conn, shelf, "a", io.BytesIO(data).read, told.append) == len(data)
    assert told[-1] == len(data)
    assert told == sorted(told)
    back = io.BytesIO()
    told.clear()
    assert volume.download(conn, shelf, "a", back.write, told.append) == len(data)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
    assert told[-1] == len(data)


def test_a_part_goes_up_and_comes_down(conn, shelf):
    make(conn, shelf)
    volume.upload(conn, shelf, "a", io.BytesIO(b"hello").read, offset=1000)
    back = io.BytesIO()
    assert volume.download(conn, shelf, "a", back.write, offset=998, length=9) == 9
    assert back.getvalue() == b"\0\0hello\0\0"


def test_more_than_the_length_that_was_promised_is_refused(conn, shelf):
    make(conn, shelf, mib=8)
    with pytest.raises(HostError, match="upload to volume a of pool shelf"):
        volume.upload(conn, shelf, "a", io.BytesIO(bytes(8 << 20)).read, length=1 << 20)


def test_what_the_reader_or_the_progress_raises_ends_the_upload(conn, shelf):
    make(conn, shelf, mib=8)

    def torn(_size):
        raise OSError("the cable is out")

    with pytest.raises(OSError, match="the cable is out"):
        volume.upload(conn, shelf, "a", torn)

    def enough(done):
        raise InterruptedError(f"cancelled at {done}")

    with pytest.raises(InterruptedError, match="cancelled at"):
        volume.upload(conn, shelf, "a", io.BytesIO(bytes(8 << 20)).read, enough)
    volume.upload(conn, shelf, "a", io.BytesIO(b"again").read)


def test_an_interrupt_stops_the_bytes(conn, shelf, eventually):
    make(conn, shelf, mib=64)
    read: list[int] = []

    def slow(size):
        time.sleep(0.02)
        read.append(size)
        return bytes(1 << 16)

    main = threading.main_thread().ident
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        volume.upload(conn, shelf, "a", slow)
    time.sleep(0.1)
    so_far = len(read)
    time.sleep(0.3)
    assert len(read) == so_far
    eventually(lambda: volume.read(conn, shelf, "a").name == "a", "the volume to be free")


def test_a_volume_in_use_by_a_domain_is_seen_by_its_path(conn, shelf, domain_xml):
    made = make(conn, shelf, "root.img", 1)
    Path(made.path).chmod(0o666)
    disk = (
        "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        "<source pool='shelf' volume='root.img'/><target dev='vda' bus='virtio'/></disk>"
    )
    uuid = domain.create(conn, domain_xml("web1", disk), paused=True)
    assert domain.read(conn, uuid).is_active
    domain.destroy(conn, uuid)
