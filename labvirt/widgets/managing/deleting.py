"""Deleting a domain: its definition, all that goes with it, and the files that the user chooses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, LabvirtError, NotFoundError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.domain import Domain
    from labvirt.host.storage.volume import Volume
    from labvirt.plan import Plan

__all__ = ["files_of", "plan_delete"]


def files_of(domain: Domain) -> tuple[tuple[str, str], ...]:
    """Return the images of a domain that are volumes of a pool: path, and why it must stay.

    The second is empty when nobody else needs the file.
    """
    document = DomainXml.parse(domain.xml(inactive=True))
    paths = sorted({disk.source_path for disk in document.disks if disk.source_path})
    return tuple((path, _needed(domain, path)) for path in paths)


def _needed(domain: Domain, path: str) -> str:
    try:
        volume = _volume(domain, path)
    except LabvirtError as error:
        return error.what
    own = {("domain", domain.name)} | {
        ("snapshot", f"{domain.name}/{each}") for each in _names(domain.snapshots)
    }
    others = [user for user in volume.users() if (user.kind, user.name) not in own]
    return "; ".join(str(user) for user in others)


def _volume(domain: Domain, path: str) -> Volume:
    for pool in domain.host.pools:
        if pool.info().is_active:
            for volume in pool.volumes:
                if volume.path == path:
                    return volume
    raise NotFoundError(f"find {path} in the storage pools of {domain.host.name}")


def plan_delete(domain: Domain, files: Sequence[str] = ()) -> Plan[Any]:
    """Return the plan that removes a domain's definition and what belongs to it alone.

    Args:
        domain: it must be off.
        files: images that go too; each must be a volume of a pool that nobody else uses.

    Raises:
        ConflictError: somebody else uses one of the files.
        NotFoundError: a file is no volume of any pool.
    """
    asked = f"delete domain {domain.name}"
    xml = domain.xml(inactive=True)
    plan = domain.undefine.plan(
        managed_save=domain.info().has_managed_save,
        nvram=bool(DomainXml.parse(xml).nvram),
        snapshots_metadata=bool(_names(domain.snapshots)),
        checkpoints_metadata=bool(_names(domain.checkpoints)),
    )
    actions = list(plan.actions)
    lines = []
    for path in files:
        needed = _needed(domain, path)
        if needed:
            raise ConflictError(asked, uri=domain.host.label, libvirt_text=f"{path}: {needed}")
        volume = _volume(domain, path)
        actions.append(volume.deletion(volume.info()))
        lines.append(f"{volume.python}.delete(confirm=True)")
    return dataclasses.replace(
        plan,
        title=f"delete {domain.name}" + (f" and {len(files)} files" if files else ""),
        actions=tuple(actions),
        warnings=tuple(told for told in plan.warnings if not told.startswith(tuple(files) or "\0")),
        python="\n".join((plan.python, *lines)),
    )


def _names(collection: Any) -> tuple[str, ...]:
    try:
        return tuple(collection.names)
    except LabvirtError:
        # A driver without them has none.
        return ()
