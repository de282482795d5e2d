"""Clones of volumes, within a pool and between pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import volume as volumes
from labvirt.host.actions import require_new_volume
from labvirt.host.handle import python_call
from labvirt.host.storage.volume_actions import CloneVolume
from labvirt.host.storage.volume_plan import space_check
from labvirt.model.names import check_name
from labvirt.model.pool_types import FILE_POOLS
from labvirt.model.units import Size
from labvirt.model.xml.volume import VolumeXml

if TYPE_CHECKING:
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.volume import Volume
    from labvirt.plan import Plan

__all__ = ["plan_clone"]


def plan_clone(
    volume: Volume, name: str, *, pool: Pool | str | None, kind: str | None, reflink: bool
) -> Plan[Volume]:
    """Return the plan of a clone; see `Volume.clone`."""
    from labvirt.host.storage.volume import Volume

    asked = f"clone volume {volume.name} to {name}"
    check_name(name, what="volume", mode="libvirt")
    target = volume.pool
    if pool is not None:
        target = volume.host.pools[pool] if isinstance(pool, str) else pool
    volume.refuse_in_use(
        asked, hint="a copy of a disk in use is torn: stop the domain, or clone the domain"
    )
    record = volume.info()
    require_new_volume(volume.host, target.name, name)
    form = kind or record.format
    view = VolumeXml.new(name=name, capacity=record.capacity)
    into_files = target.info().type in FILE_POOLS
    thin = form == "qcow2" or record.allocation < record.capacity
    view.set(allocation=Size(0) if thin else record.capacity)
    if into_files:
        view.set(format=form or "raw")
    warnings = space_check(
        target,
        target.info(),
        name=name,
        capacity=record.capacity,
        at_once=0 if reflink else record.allocation,
    )
    action = CloneVolume(
        pool=target.name,
        name=name,
        capacity=int(record.capacity),
        format=form or "raw",
        xml=view.text(),
        source_pool=volume.pool.name,
        source_name=volume.name,
        source_size=int(record.allocation),
        reflink=reflink,
    )

    def result() -> Volume:
        return Volume(target, volumes.read(volume.host.connection, target.uuid, name))

    options = {"pool": None if target is volume.pool else target.name, "format": kind}
    return volume.plan_of(
        (action,),
        result,
        title=asked,
        python=python_call("", "clone", [name], options),
        warnings=warnings,
    )
