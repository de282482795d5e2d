"""The plan of a new volume: does it fit, and can this pool make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import secret as secrets
from labvirt.connection import volume as volumes
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    LabvirtError,
    NotFoundError,
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.host.actions import CreateVolume, require_new_volume
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.volume_actions import CreateEncrypted, CreatePreallocated
from labvirt.host.validate import require_valid
from labvirt.model.pool_types import FILE_POOLS, POOL_TYPES
from labvirt.model.spec_text import spec_text
from labvirt.model.units import Size
from labvirt.model.volume import PARTITIONS
from labvirt.model.xml.pool import PoolXml
from labvirt.plan import Call, Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.volume import Volume
    from labvirt.model.volume import VolumeSpec
    from labvirt.plan import Action
    from labvirt.status import PoolRecord

__all__ = ["plan_volume", "space_check"]


def space_check(
    pool: Pool, record: PoolRecord, *, name: str, capacity: int, at_once: int
) -> tuple[str, ...]:
    """Compare what a volume wants with what the pool has, thin volumes counted.

    Args:
        pool: the pool.
        record: what it is now.
        name: name of the volume.
        capacity: bytes the guest sees: what it can grow to.
        at_once: bytes taken now.

    Returns:
        Warnings.

    Raises:
        SpecError: it can never fit.
    """
    if not record.capacity:
        return ()
    asked = f"create volume {name} in pool {pool.name}"
    if at_once > record.available:
        why = f"is more than the {Size(record.available)} that are free"
        raise SpecError(
            asked, [Problem("allocation", str(Size(at_once)), why, "preallocation='off'")]
        )
    if capacity > record.capacity:
        why = f"is larger than the whole pool ({Size(record.capacity)})"
        raise SpecError(
            asked,
            [Problem("capacity", str(Size(capacity)), why, f"{Size(record.available)} are free")],
        )
    promised = sum(max(0, one.capacity - one.allocation) for one in pool.volumes.records)
    growth = promised + capacity
    if growth <= record.available:
        return ()
    ratio = 100 * growth / max(record.available, 1)
    words = (
        f"thin volumes of pool {pool.name} can grow by {Size(growth)} with this one, "
        f"{Size(record.available)} are free ({ratio:.0f} %): a full pool pauses its guests"
    )
    return (words,)


def plan_volume(pool: Pool, spec: VolumeSpec) -> Plan[Volume]:
    """Return the plan that makes a volume; see `Pool.plan`."""
    from labvirt.host.storage.volume import Volume

    host = pool.host
    asked = f"create volume {spec.name} in pool {pool.name}"
    # This looks at the pool anew, so that the free space below is that of now.
    require_new_volume(host, pool.name, spec.name)
    record = pool.info()
    _require_pool(pool, record, asked)
    spec = _fitted(spec, record, asked)
    warnings = list(_look_below(host, spec, asked))
    _look_at_secret(host, spec, asked)
    if record.type == "disk":
        _look_at_partition(pool, spec, asked)
    size = int(spec.capacity or 0)
    warnings += space_check(pool, record, name=spec.name, capacity=size, at_once=int(spec.space))
    xml = spec.to_xml(formatted=record.type in FILE_POOLS or record.type == "disk")
    require_valid(xml, "volume")
    form = spec.format if record.type in FILE_POOLS else "raw"
    tables = spec.format == "qcow2" and spec.preallocation in ("metadata", "falloc", "full")
    actions: list[Action[Any]]
    if spec.encryption is not None:
        actions = [CreateEncrypted(pool.name, spec.name, size, form, xml, tables=tables)]
    else:
        kind = CreatePreallocated if tables else CreateVolume
        actions = [kind(pool.name, spec.name, size, form, xml)]
    if spec.preallocation == "full":
        actions.append(_written(pool, spec.name))

    def result() -> Volume:
        return Volume(pool, volumes.read(host.connection, pool.uuid, spec.name))

    return pool.plan_of(
        tuple(actions),
        result,
        title=asked,
        python=f".plan({spec_text(spec)}).apply()",
        warnings=tuple(warnings),
    )


def _written(pool: Pool, name: str) -> Call[Host, None]:
    """Return what writes every block of a new volume; wiping with zeros does just that."""
    return Call(
        f"write all of volume {name}",
        lambda host, _: volumes.wipe(host.connection, pool.uuid, name, "zero"),
        line=f"vol-wipe {name} --pool {pool.name}",
    )


def _require_pool(pool: Pool, record: PoolRecord, asked: str) -> None:
    if not record.is_active:
        raise ConflictError(
            asked,
            uri=pool.host.label,
            libvirt_text=f"pool {pool.name} is not active",
            hint="pool.start()",
        )
    known = POOL_TYPES.get(record.type)
    if known is not None and "create" not in known.volumes:
        able = ", ".join(one.kind for one in POOL_TYPES.values() if "create" in one.volumes)
        raise UnsupportedError(
            asked,
            uri=pool.host.label,
            libvirt_text=f"in a pool of kind {record.type} volumes are made by the storage itself",
            hint=f"make it there and refresh the pool; pools that make volumes: {able}",
        )


def _fitted(spec: VolumeSpec, record: PoolRecord, asked: str) -> VolumeSpec:
    """Return the spec with the format that the pool means when none is given.

    Raises:
        SpecError: the pool has no such format.
    """
    given = "format" in spec.model_fields_set
    in_files = record.type in FILE_POOLS
    if not in_files and not given:
        spec = spec.replace(format="none" if record.type == "disk" else "raw")
    problems = []
    if in_files and spec.format in PARTITIONS:
        why = f"is what a partition holds; pool {record.name} has files"
        problems.append(Problem("format", spec.format, why, "qcow2 or raw"))
    if record.type == "disk" and spec.format not in PARTITIONS:
        why = f"is no kind of partition; pool {record.name} has partitions"
        problems.append(Problem("format", spec.format, why, ", ".join(PARTITIONS)))
    if not in_files and record.type != "disk" and spec.format != "raw":
        why = f"pool {record.name} of kind {record.type} has raw volumes only"
        problems.append(Problem("format", spec.format, why, "raw"))
    if spec.preallocation == "full" and (spec.format != "raw" or spec.encryption):
        why = "libvirt writes all of raw images only"
        problems.append(Problem("preallocation", "full", why, "falloc, or qemu-img create"))
    if problems:
        raise SpecError(asked, problems)
    return spec


def _look_at_partition(pool: Pool, spec: VolumeSpec, asked: str) -> None:
    """Refuse a name that the kernel will not give to the next partition."""
    view = PoolXml.parse(pool.xml())
    device = (view.source_device or "").rpartition("/")[2]
    between = "p" if device[-1:].isdecimal() else ""
    names = pool.volumes.names
    free = next(
        f"{device}{between}{n}" for n in range(1, 257) if f"{device}{between}{n}" not in names
    )
    if spec.name != free:
        why = "is not the name that the next partition gets"
        raise SpecError(asked, [Problem("name", spec.name, why, repr(free))])


def _look_below(host: Host, spec: VolumeSpec, asked: str) -> list[str]:
    """Look at the backing image.

    Raises:
        NotFoundError: it is not there.
        SpecError: it has another format, or is larger than the image over it.
    """
    path = spec.backing_path
    if path is None:
        return []
    try:
        below = volumes.by_path(host.connection, path)
    except NotFoundError:
        files = HostFiles.of(host)
        try:
            if files is not None:
                files.require(path, asked)
        except AccessDeniedError as error:
            return [f"not looked at: {error.libvirt_text}"]
        return [f"no pool knows the backing image {path}"]
    if below.format and below.format != spec.backing_format:
        why = f"{path} is {below.format}"
        raise SpecError(asked, [Problem("backing_format", str(spec.backing_format), why)])
    if spec.capacity is not None and spec.capacity < below.capacity:
        why = f"is less than the {below.capacity} of its backing image"
        raise SpecError(asked, [Problem("capacity", str(spec.capacity), why)])
    warnings = []
    try:
        writers = [name for name in host.users_of(path) if host.domains[name].is_active]
    except LabvirtError:
        writers = []
    if writers:
        warnings.append(f"{path} is in use by {', '.join(writers)}: an image below must not change")
    return warnings


def _look_at_secret(host: Host, spec: VolumeSpec, asked: str) -> None:
    if spec.encryption is None:
        return
    found = secrets.find(
        host.connection, uuid=spec.encryption.secret_uuid, usage=spec.encryption.secret_usage
    )
    if secrets.has_value(host.connection, found.uuid) is False:
        raise SpecError(
            f"{asked}: the secret object {found.name} has no value yet",
            hint=f"host.secrets[{found.name!r}].set_value(...)",
        )
