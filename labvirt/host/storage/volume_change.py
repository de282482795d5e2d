"""Volumes resized and wiped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import volume as volumes
from labvirt.errors import Problem, SpecError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.volume_plan import space_check
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.host.storage.volume import Volume
    from labvirt.plan import Plan

__all__ = ["plan_resize", "plan_wipe"]


def plan_resize(
    volume: Volume, capacity: Size | str, *, allocate: bool, confirm: bool
) -> Plan[None]:
    """Return the plan of another size; see `Volume.resize`."""
    asked = f"resize volume {volume.name}"
    size = Size.of(capacity)
    if size <= 0:
        raise SpecError(asked, [Problem("capacity", str(capacity), "is no size", "'40 GiB'")])
    volume.require("resize")
    record = volume.info()
    volume.refuse_in_use(
        asked, hint="while it runs the domain must do it: domain.blockresize(target, size)"
    )
    shrink = size < record.capacity
    if shrink and record.format == "qcow2":
        raise UnsupportedError(
            asked,
            uri=volume.host.label,
            libvirt_text="libvirt cannot make a qcow2 image smaller",
            hint="qemu-img resize --shrink, after the guest's file systems were made smaller",
        )
    more = max(0, size - record.capacity)
    warnings = space_check(
        volume.pool,
        volume.pool.info(),
        name=volume.name,
        capacity=more,
        at_once=max(0, size - record.allocation) if allocate else 0,
    )
    lost = f"everything of volume {volume.name} behind {size} (it has {record.capacity})"
    flags = ["--shrink"] * shrink + ["--allocate"] * allocate
    return volume.one_call(
        f"resize to {size}",
        lambda link, _: volumes.resize(
            link, volume.pool.uuid, volume.name, size, shrink=shrink, allocate=allocate
        ),
        virsh=("vol-resize", volume.name, int(size), "--pool", volume.pool.name, *flags),
        python=f".resize({str(size)!r})",
        destroys=(lost,) if shrink else (),
        warnings=warnings,
        confirm=confirm,
    )


def plan_wipe(volume: Volume, algorithm: str, *, confirm: bool) -> Plan[None]:
    """Return the plan of a wipe; see `Volume.wipe`."""
    asked = f"wipe volume {volume.name}"
    if algorithm not in volumes.WIPES:
        why = "is no way to wipe"
        raise SpecError(asked, [Problem("algorithm", algorithm, why, ", ".join(volumes.WIPES))])
    volume.require("wipe")
    files = HostFiles.of(volume.host)
    if algorithm not in ("zero", "trim") and files is not None and not files.program("scrub"):
        raise UnsupportedError(
            asked,
            uri=volume.host.label,
            libvirt_text=f"the host has no program scrub, which writes {algorithm}",
            hint="apt install scrub on the host, or algorithm='zero'",
        )
    if algorithm == "trim" and volume.pool.info().type != "rbd":
        raise UnsupportedError(
            asked,
            uri=volume.host.label,
            libvirt_text="libvirt trims images of rbd pools only",
            hint="algorithm='zero'",
        )
    if not volume.info().capacity:
        raise UnsupportedError(
            asked,
            uri=volume.host.label,
            libvirt_text="it has no bytes: it is the controller of a target, or an empty file",
            hint="another volume of the pool",
        )
    volume.refuse_in_use(asked, running=False)
    words = ["vol-wipe", volume.name, "--pool", volume.pool.name, "--algorithm", algorithm]
    return volume.one_call(
        "wipe",
        lambda link, _: volumes.wipe(link, volume.pool.uuid, volume.name, algorithm),
        virsh=tuple(words),
        python=f".wipe({algorithm!r}, confirm=True)",
        destroys=(f"the bytes of volume {volume.name} ({volume.path})",),
        confirm=confirm,
    )
