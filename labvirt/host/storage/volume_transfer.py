"""Uploads and downloads as plans: of a new volume, into one that is there, and out of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import (
    CancelledError,
    ConflictError,
    HostError,
    LabvirtError,
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.host.actions import require_new_volume
from labvirt.host.handle import python_call
from labvirt.host.storage.image_file import look_at_image
from labvirt.host.storage.transfer import Meter, Transfer, compare, first_difference, rate_of, send
from labvirt.host.storage.volume_actions import UploadFile, cut_short
from labvirt.host.storage.volume_plan import space_check
from labvirt.model.pool_types import POOL_TYPES
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec
from labvirt.model.xml.volume import VolumeXml

if TYPE_CHECKING:
    from os import PathLike

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.volume import Volume
    from labvirt.plan import JobControl, Plan

__all__ = ["checksum", "plan_download", "plan_upload", "plan_upload_into"]

PART = ".part"


def plan_upload(
    pool: Pool,
    path: str | PathLike[str],
    name: str | None,
    *,
    rate: int | str | None,
    verify: bool,
    sparse: bool | None,
    keep_partial: bool,
) -> Plan[Volume]:
    """Return the plan of an upload as a new volume; see `Pool.upload`."""
    from labvirt.host.storage.volume import Volume

    host = pool.host
    chosen = name or Path(path).name
    asked = f"upload {path} to pool {pool.name}"
    image = look_at_image(path, asked)
    require_new_volume(host, pool.name, chosen)
    record = pool.info()
    if not record.is_active:
        raise ConflictError(asked, uri=host.label, hint="the pool is stopped: pool.start()")
    known = POOL_TYPES.get(record.type)
    if known is not None and not {"create", "upload"} <= set(known.volumes):
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"libvirt cannot upload to pools of kind {record.type}",
            hint="qemu-img convert can write to its network address",
        )
    warnings = []
    if image.kind == "iso" and not image.bootable:
        warnings.append(f"{chosen} is an ISO without a boot record: no guest can start from it")
    spec = VolumeSpec(name=chosen, capacity=Size(image.size), format="raw", preallocation="off")
    warnings += space_check(pool, record, name=chosen, capacity=image.size, at_once=image.size)
    action = UploadFile(
        pool=pool.name,
        name=chosen,
        capacity=image.size,
        xml=spec.to_xml(formatted=bool(record.path) and record.type in ("dir", "fs", "netfs")),
        path=str(Path(path).absolute()),
        rate=rate_of(rate),
        verify=verify,
        sparse=image.thin if sparse is None else sparse,
        keep=keep_partial,
    )

    def result() -> Volume:
        return Volume(pool, volumes.read(host.connection, pool.uuid, chosen))

    options = {"rate": rate, "keep_partial": keep_partial}
    return pool.plan_of(
        (action,),
        result,
        title=action.title,
        python=python_call("", "upload", [str(path)], {"name": name, **options}),
        warnings=tuple(warnings),
    )


def plan_upload_into(
    volume: Volume,
    path: str | PathLike[str],
    *,
    offset: int,
    resume: bool,
    rate: int | str | None,
    verify: bool,
    sparse: bool | None,
    confirm: bool,
) -> Plan[Transfer]:
    """Return the plan of an upload into a volume that is there; see `Volume.upload`."""
    asked = f"upload {path} to volume {volume.name}"
    image = look_at_image(path, asked)
    pace = rate_of(rate)
    record = volume.info()
    volume.refuse_in_use(asked)
    if offset < 0 or offset > image.size or (resume and offset):
        why = "resume finds it by itself" if resume else f"the file has {image.size} bytes"
        raise SpecError(asked, [Problem("offset", str(offset), "is no place in the file", why)])
    room = max(record.capacity, record.allocation)
    if image.size > room and record.format in ("", "raw"):
        why = f"is larger than the volume ({record.capacity})"
        raise SpecError(asked, [Problem("path", str(Size(image.size)), why, "volume.resize()")])
    holes = bool(sparse)  # a hole in old bytes would let them stand, so never by itself
    text = str(Path(path).absolute())

    def run(link: Connection, control: JobControl) -> Transfer:
        place = (volume.pool.uuid, volume.name)
        at = first_difference(link, place, text, image.size, control) if resume else offset
        meter = Meter(control, asked, image.size, rate=pace, already=at)
        sent = 0
        if at < image.size:
            try:
                sent = send(link, place, text, meter, offset=at, size=image.size, sparse=holes)
            except (LabvirtError, OSError) as error:
                raise cut_short(volume.host, asked, at + meter.done, image.size, error) from error
        seconds = meter.seconds
        pools.refresh(link, volume.pool.uuid)
        same = compare(link, place, text, image.size, control) if verify else ""
        return Transfer(text, image.size, sent, at, seconds, same)

    lost = () if resume else (f"the bytes of volume {volume.name} from {Size(offset)} on",)
    words = ["vol-upload", volume.name, path, "--pool", volume.pool.name]
    return volume.one_call(
        f"upload {Path(path).name} to",
        run,
        virsh=(*words, *(["--offset", offset] if offset else [])),
        python=python_call("", "upload", [str(path)], {"offset": offset, "resume": resume}),
        destroys=lost,
        confirm=confirm,
    )


def plan_download(
    volume: Volume,
    path: str | PathLike[str],
    *,
    resume: bool,
    overwrite: bool,
    rate: int | str | None,
    verify: bool,
    sparse: bool | None,
    confirm: bool,
) -> Plan[Transfer]:
    """Return the plan of a download; see `Volume.download`."""
    asked = f"download volume {volume.name} to {path}"
    target = Path(path).absolute()
    part = target.with_name(target.name + PART)
    pace = rate_of(rate)
    _look_at_target(asked, target, part, resume=resume, overwrite=overwrite)
    view = VolumeXml.parse(volume.xml())
    total = int(view.physical or view.capacity or 0)
    holes = bool(int(view.allocation or 0) < total if sparse is None else sparse)
    free = os.statvfs(target.parent)
    needs = int(view.allocation or 0) if holes else total
    if needs > free.f_bavail * free.f_frsize + (part.stat().st_size if part.exists() else 0):
        raise SpecError(
            asked,
            [Problem("path", str(target), f"its file system has no room for {Size(needs)}")],
        )

    def run(link: Connection, control: JobControl) -> Transfer:
        place = (volume.pool.uuid, volume.name)
        at = 0
        if resume and part.exists():
            size = part.stat().st_size
            at = first_difference(link, place, str(part), size, control) if size else 0
        meter = Meter(control, asked, total, rate=pace, already=at)
        try:
            got = _fetch(link, place, part, meter, at=at, holes=holes)
        except (LabvirtError, OSError) as error:
            raise _broken(volume.host, asked, part, error) from error
        seconds = meter.seconds
        same = compare(link, place, str(part), part.stat().st_size, control) if verify else ""
        part.replace(target)
        return Transfer(str(target), at + got, got, at, seconds, same)

    return volume.one_call(
        "download",
        run,
        virsh=("vol-download", volume.name, path, "--pool", volume.pool.name),
        python=python_call("", "download", [str(path)], {"resume": resume}),
        destroys=(f"the file {target} of this machine",) if target.exists() else (),
        confirm=confirm,
    )


def _look_at_target(asked: str, target: Path, part: Path, *, resume: bool, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise SpecError(asked, [Problem("path", str(target), "its folder does not exist")])
    if target.is_dir():
        raise SpecError(asked, [Problem("path", str(target), "is a folder", "name a file in it")])
    if target.exists() and not overwrite:
        raise ConflictError(
            asked, libvirt_text=f"{target} exists already", hint="overwrite=True replaces it"
        )
    if part.exists() and not resume:
        raise ConflictError(
            asked,
            libvirt_text=f"{part} is left of an earlier download",
            hint="resume=True goes on with it, or remove it",
        )


def _fetch(
    link: Connection, place: tuple[str, str], part: Path, meter: Meter, *, at: int, holes: bool
) -> int:
    """Write the bytes of a volume behind what a file has already."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "r+b", buffering=0) as file:
        file.truncate(at)
        file.seek(at)
        skip = (lambda length: file.seek(length, os.SEEK_CUR)) if holes else None
        got = volumes.download(link, *place, file.write, meter, offset=at, hole=skip)
        file.truncate(at + got)
    return got


def _broken(host: Host, asked: str, part: Path, error: LabvirtError | OSError) -> LabvirtError:
    """Return the error of a download that was cut: what has come, and how to go on."""
    size = 0
    with contextlib.suppress(OSError):
        size = part.stat().st_size
    state = f"{Size(size)} are in {part}"
    hint = "resume=True compares what has come and goes on from there"
    if isinstance(error, CancelledError):
        return CancelledError(f"{asked} was cancelled: {state}", hint=hint)
    why = error.what if isinstance(error, LabvirtError) else f"it cannot be written: {error}"
    return HostError(asked, uri=host.label, libvirt_text=f"{state}; {why}", hint=hint)


def checksum(volume: Volume, algorithm: str, control: JobControl | None = None) -> str:
    """Return the checksum of a volume's bytes; see `Volume.checksum`."""
    try:
        digest = hashlib.new(algorithm)
    except ValueError:
        known = ", ".join(sorted(hashlib.algorithms_guaranteed))
        why = "is no checksum"
        raise SpecError("checksum", [Problem("algorithm", algorithm, why, known)]) from None

    def take(piece: bytes) -> None:
        if control is not None:
            control.check()
        digest.update(piece)

    volumes.download(volume.host.connection, volume.pool.uuid, volume.name, take)
    return digest.hexdigest()
