"""Checks of the space of a storage pool: what is free, what was promised, what libvirt believes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, warning
from labvirt.doctor.disk_files import file_facts, line, room_at
from labvirt.doctor.disks import volumes_in
from labvirt.errors import LabvirtError
from labvirt.model.pool_types import FILE_POOLS
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.doctor.disk_files import Room

__all__: list[str] = []

_MIB: Final = 1 << 20
#: Less than this share is nearly full.
_NEARLY: Final = 0.10
#: With this much it does not matter what share it is.
_PLENTY: Final = 50 << 30


def _room(case: Case) -> Room | None:
    """Return the room of the pool's file system as it is now; None when it has none."""
    record = case.patient.pool_record(case.pool)
    if record.type not in FILE_POOLS or not record.path:
        return None
    if file_facts(case.patient, record.path) is None:
        return None
    return room_at(case.patient, record.path)


@check("storage.space", "Has pool {name} free space?", guide="G17.3-02")
def space(case: Case) -> Seen | None:
    """Compare what is free with the size; of a folder the file system is asked, not libvirt."""
    record = case.patient.pool_record(case.pool)
    if not record.is_active:
        return not_here("the pool is stopped: see storage.active")
    room = _room_or_none(case)
    size, free = (room.size, room.free) if room else (record.capacity, record.available)
    if not size:
        return not_here(f"a {record.type} pool tells no size")
    return _judged(case, room, int(size), int(free))


def _judged(case: Case, room: Room | None, size: int, free: int) -> Seen:
    record = case.patient.pool_record(case.pool)
    share = free / size
    told = f"{amount(free)} free of {amount(size)} ({share:.1%})"
    if record.type == "logical" and not free:
        return ok(f"{told}: a volume group may be given out whole")
    if room is not None and abs(int(record.available) - room.left) > max(size // 20, _MIB):
        told += f"; at its last refresh libvirt saw {amount(record.available)}"
    place = record.path or case.pool.name
    remedy = (
        f"df -h {place}; du -xah {place} | sort -h | tail; delete what nobody needs "
        "(virsh vol-delete), or move disks to another pool"
    )
    if room is not None and room.nodes and not room.free_nodes:
        cause = "the file system can hold no more files, though bytes are free"
        return fail(f"{told}; no free inodes of {room.nodes}", cause, f"df -i {place}")
    if free < min(64 * _MIB, size // 50):
        cause = (
            "it is full: new volumes fail, and guests with thin images are stopped when they write"
        )
        return fail(told, cause, remedy)
    if share < _NEARLY and free < _PLENTY:
        return warning(told, "it is nearly full", remedy)
    return ok(told)


def _room_or_none(case: Case) -> Room | None:
    try:
        return _room(case)
    except LabvirtError:
        return None  # then libvirt's own figures must do


@check("storage.overcommit", "Can the volumes of pool {name} grow to their size?", guide="G17.3-02")
def overcommit(case: Case) -> Seen | None:
    """Compare what thin volumes may still grow with what is free."""
    record = case.patient.pool_record(case.pool)
    if not record.is_active:
        return not_here("the pool is stopped: see storage.active")
    volumes = volumes_in(case.patient, case.pool)
    room = _room_or_none(case)
    free = room.free if room else int(record.available)
    size = room.size if room else int(record.capacity)
    if not size:
        return not_here(f"a {record.type} pool tells no size")
    # What lies below another image is written to no more.
    below = {one.backing_path for one in volumes if one.backing_path}
    thin = [one for one in volumes if one.capacity > one.allocation and one.path not in below]
    grows = sum(int(one.capacity) - int(one.allocation) for one in thin)
    promised = sum(int(one.capacity) for one in volumes)
    told = (
        f"{len(volumes)} volumes, {amount(promised)} promised on {amount(size)}; {len(thin)} of "
        f"them are thin and may grow by {amount(grows)}; {amount(free)} free"
    )
    if grows <= free:
        return ok(told)
    top = max(thin, key=lambda one: int(one.capacity) - int(one.allocation))
    cause = "more is promised than is there: when the guests fill their disks, they are stopped"
    remedy = (
        f"watch storage.space; the largest promise is {top.name} ({amount(top.capacity)}): "
        "fstrim in the guests with discard='unmap', or a larger file system"
    )
    return warning(told, cause, remedy)


@check(
    "storage.volumes",
    "Are the volumes that pool {name} lists there?",
    guide="G19-01",
    needs="machine",
)
def volumes(case: Case) -> Seen | None:
    """Compare libvirt's list with the folder."""
    record = case.patient.pool_record(case.pool)
    if record.type not in FILE_POOLS or not record.path:
        return None
    if not record.is_active:
        return not_here("the pool is stopped: see storage.active")
    if file_facts(case.patient, record.path) is None:
        return not_here(f"{record.path} is not there: see storage.target")
    listed = set(case.pool.volumes.names)
    there = {one for one in case.machine.listdir(record.path) if one != "lost+found"}
    gone = sorted(listed - there - {"lost+found"})
    new = sorted(one for one in there - listed if not one.startswith("."))
    pool = case.pool
    remedy = line("virsh", "pool-refresh", pool.name)
    if gone:
        named = f"{', '.join(gone[:8])}{' ...' if len(gone) > 8 else ''}"
        cause = "files were moved or deleted behind libvirt's back"
        return warning(f"listed, but gone: {named}", cause, remedy, fix=pool.refreshing)
    told = f"{len(listed)} volumes"
    return ok(f"{told}; not listed yet: {', '.join(new[:8])}" if new else told)
