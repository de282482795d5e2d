"""Random blocks written in a guest come through every way of moving them, checksum by checksum."""

from __future__ import annotations

import time

import pytest

import labvirt as lv

pytestmark = pytest.mark.lab


def walk(host, guest, fill, checksum, folder, size_mib, limit_s):
    """Move, commit, pull, back up and restore; the guest's own checksum stays the same."""
    times = {}

    def timed(name, work):
        began = time.monotonic()
        found = work()
        times[name] = round(time.monotonic() - began, 2)
        return found

    wanted = fill(guest, count_mib=size_mib, timeout_s=limit_s)
    pools = [one.name for one in host.pools if one.info().is_active]
    here = next(one.name for one in host.pools if guest.home.startswith(one.info().path))
    there = next((name for name in pools if name != here), here)
    timed("move", lambda: guest.move_disk("vda", there, volume="walk.qcow2"))
    assert checksum(guest, timeout_s=limit_s) == wanted
    full = timed("backup full", lambda: guest.backup(str(folder), name="walk-full"))

    guest.snapshot("a", disks="external")
    wanted = fill(guest, count_mib=size_mib // 2, timeout_s=limit_s)
    timed("commit", lambda: guest.snapshots["a"].delete(confirm=True))
    assert checksum(guest, timeout_s=limit_s) == wanted
    guest.snapshot("b", disks="external")
    wanted = fill(guest, seek_mib=size_mib // 4, count_mib=size_mib // 8, timeout_s=limit_s)
    guest.snapshots["b"].delete(metadata_only=True)
    timed("pull", lambda: guest.blockpull("vda"))
    assert checksum(guest, timeout_s=limit_s) == wanted
    back = lambda: guest.move_disk("vda", here, volume="walk2.qcow2")  # noqa: E731
    timed("move back", back)
    assert checksum(guest, timeout_s=limit_s) == wanted

    inc = timed(
        "backup incremental", lambda: guest.backup(str(folder), name="walk-inc", since="last")
    )
    assert inc.since == full.name
    copy = timed("restore", lambda: host.restore_backup(inc, name="walked", start=True))
    copy.wait_for("agent", timeout_s=90)
    assert checksum(copy, timeout_s=limit_s) == wanted
    print(f"{size_mib} MiB:", times)
    copy.destroy(confirm=True)
    copy.undefine(confirm=True)
    for name in ("walk-inc", "walk-full"):
        guest.checkpoints[name].delete(confirm=True)
    for path in folder.glob("walk-*"):
        path.unlink()


def made(host, size_mib):
    spec = lv.DomainSpec(
        name="walker",
        memory="128 MiB",
        source=lv.TinyGuest(),
        interfaces=(),
        disks=(lv.DiskSpec(size=f"{size_mib} MiB"),),
    )
    guest = host.plan(spec).apply()
    guest.wait_for("agent", timeout_s=90)
    guest.home = guest.chain("vda").top.path
    return guest


@pytest.mark.slow(seconds=21)
def test_32_mib_come_through_whole(host, folder, fill, checksum):
    walk(host, made(host, 32), fill, checksum, folder, 32, 60)
    host.domains["walker"].destroy(confirm=True)
    host.domains["walker"].undefine(confirm=True)


@pytest.mark.slow(seconds=420)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["session", "system"], indirect=True)
def test_1_gib_comes_through_whole(host, folder, fill, checksum):
    walk(host, made(host, 1024), fill, checksum, folder, 1024, 300)
    host.domains["walker"].destroy(confirm=True)
    host.domains["walker"].undefine(confirm=True)
